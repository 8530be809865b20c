"""Make a data set: index, plan, lock the folder, share the shards among workers, finish.

    scenes ─ plan ─ shards ─▶ engine ─▶ write_shard(shard_rows(...)) ─▶ manifest, card

An engine decides where shards are made: in this process or several of this machine, in all processes that `accelerate
launch` or `torchrun` started, or in a Ray cluster. What is made is the same.
"""

from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass, replace
from pathlib import Path

import torch

from gendeg.errors import InputError
from gendeg.files import whole_file
from gendeg.synthesis.backends import Backend, BackendConfig, load_backend
from gendeg.synthesis.captioner import CaptionerConfig
from gendeg.synthesis.captions import caption_scenes
from gendeg.synthesis.config import PlanConfig
from gendeg.synthesis.folder import DatasetFolder, refuse_other_files
from gendeg.synthesis.job import Job, Report, make_shard
from gendeg.synthesis.local_engine import make_shards_in_processes
from gendeg.synthesis.manifest import Manifest
from gendeg.synthesis.plan import make_plan
from gendeg.synthesis.ranks import launched_ranks
from gendeg.synthesis.scenes import SceneIndex, index_scenes
from gendeg.synthesis.shards import Shard
from gendeg.synthesis.sources import PhotoSource

ENGINES = ("local", "ray")
NOTES = ".scenes.jsonl"  # in the output folder: what was seen in each photo
LEFT_OUT = ".left_out.txt"  # there, too, and hidden since it names places on this machine: what could not be used


@dataclass(frozen=True)
class Progress:
    """Where a run stands when it begins to work.

    Attributes:
        index: the scenes and existing pairs, and the images that cannot be used.
        total: planned rows of the data set.
        missing: planned rows that are still to be decided.
        share: those of them that this process and its workers decide.
        leads: whether this is the leading process.
    """

    index: SceneIndex
    total: int
    missing: int
    share: int
    leads: bool


def synthesize(
    source: PhotoSource,
    output: Path,
    config: PlanConfig,
    backend: BackendConfig,
    *,
    captioner: CaptionerConfig | None = None,
    engine: str = "local",
    workers: int = 1,
    begin: Callable[[Progress], Report] | None = None,
) -> Manifest | None:
    """Make a data set, or go on with one.

    Args:
        source: clean photos, and pairs that exist already.
        output: folder of the data set: new, empty, or begun with the same settings.
        config: what is planned.
        backend: what makes the images.
        captioner: describes the photos that come without a caption; None leaves them without.
        engine: `"local"`: this machine, or all processes that `accelerate launch` or `torchrun` started; `"ray"`: a
            cluster.
        workers: processes for each of those; each computes on one CPU thread, or shares a GPU.
        begin: called once before the work starts; what it returns is called with every progress. None: nobody is told.

    Returns:
        The manifest of the finished data set; None in all processes but the leading one.

    Raises:
        InputError: a setting that cannot be used, or no usable photo.
        CheckpointError: the generator or the captioner cannot be loaded.
        DatasetError: the folder cannot be written, or was begun with other settings.
        MissingExtraError: `"ray"` is not installed.
    """
    if engine not in ENGINES:
        raise InputError(f"engine={engine!r} is not one of {', '.join(map(repr, ENGINES))}.")
    if workers < 1:
        raise InputError(f"workers={workers}; give at least 1.")
    ranks = launched_ranks()
    backend = replace(backend, device=backend.device or default_device(ranks.local_index))
    made_by = load_backend(backend)  # before anything is written or takes long
    with ranks.leader_first():
        index = _index(source, output, captioner)
    plan = make_plan(index.scenes, config, index.existing.pairs)
    settings = plan.to_json() | {"captioner": captioner.identity if captioner else None} | made_by.to_json()
    with ranks.leader_first():
        folder = DatasetFolder.open(output, settings, plan.shards(), leader=ranks.leads)
    with folder:
        if ranks.leads:
            _list_problems(index.problems, output / LEFT_OUT)
        missing = folder.missing()
        ranks.wait()  # before anybody writes, so that all see the same shards missing
        share = missing[ranks.index :: ranks.count]
        progress = Progress(index, len(plan), _count(missing), _count(share), ranks.leads)
        report = begin(progress) if begin else _tell_nobody
        _make_shards(Job(plan, source, backend, output), share, engine, workers, made_by, report)
        ranks.wait()
        return folder.finalise() if ranks.leads else None


def default_device(process: int) -> str:
    """The device of the n-th process of a machine: its GPUs in turn, or the CPU."""
    return f"cuda:{process % torch.cuda.device_count()}" if torch.cuda.is_available() else "cpu"


def _index(source: PhotoSource, output: Path, captioner: CaptionerConfig | None) -> SceneIndex:
    """The scenes, all with their captions; the process that comes here first makes those."""
    try:
        output.mkdir(parents=True, exist_ok=True)
        refuse_other_files(output)
    except OSError as error:
        raise InputError(f"Cannot write the data set to {output}: {error}.") from error
    index = index_scenes(source, output / NOTES)
    if captioner is None:
        return index
    return replace(index, scenes=caption_scenes(index.scenes, source, captioner, output))


def _tell_nobody(decided: int, accepted: int) -> None:
    """A `Report` without a reader."""


def _list_problems(problems: Mapping[str, str], path: Path) -> None:
    """Write down what could not be used, and why; no file if all could."""
    if not problems:
        path.unlink(missing_ok=True)
        return
    with whole_file(path) as temporary:
        temporary.write_text("".join(f"{where}: {problems[where]}\n" for where in sorted(problems)), encoding="utf-8")


def _make_shards(
    job: Job, shards: Sequence[Shard], engine: str, workers: int, backend: Backend, report: Report
) -> None:
    if engine == "ray":
        from gendeg.synthesis.ray_engine import make_shards_with_ray

        make_shards_with_ray(job, shards, report)
    elif workers > 1:
        make_shards_in_processes(job, shards, workers, report)
    else:
        for shard in shards:
            make_shard(job, shard, backend, report)


def _count(shards: Iterable[Shard]) -> int:
    return sum(shard.stop - shard.start for shard in shards)
