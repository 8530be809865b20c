"""Make a data set: index, plan, lock the folder, share the shards among workers, finish.

    scenes ─ plan ─ shards ─▶ engine ─▶ write_shard(shard_rows(...)) ─▶ manifest, card

An engine decides where shards are made: in this process, in all processes that `accelerate launch` or `torchrun`
started, or in a Ray cluster. What is made is the same.
"""

from collections.abc import Callable, Iterable, Iterator
from dataclasses import dataclass, replace
from pathlib import Path

import torch

from gendeg.data.gends.schema import Row
from gendeg.errors import InputError
from gendeg.synthesis.backends import Backend, BackendConfig, load_backend
from gendeg.synthesis.config import PlanConfig
from gendeg.synthesis.folder import DatasetFolder
from gendeg.synthesis.manifest import Manifest
from gendeg.synthesis.plan import Plan, make_plan
from gendeg.synthesis.ranks import launched_ranks
from gendeg.synthesis.scenes import SceneIndex, index_scenes
from gendeg.synthesis.shards import Shard, ShardRecord, write_shard
from gendeg.synthesis.sources import PhotoSource
from gendeg.synthesis.work import shard_rows

ENGINES = ("local", "ray")
NOTES = ".scenes.jsonl"  # in the output folder: what was seen in each photo

Report = Callable[[int, int], None]
"""Called with the number of planned rows that were decided, and how many of them were accepted."""


@dataclass(frozen=True)
class Job:
    """What a worker needs to make any shard. Can be sent to other processes.

    Attributes:
        plan: what to make.
        source: where the photos are.
        backend: what makes the images.
        folder: where the shards go; all workers see it.
    """

    plan: Plan
    source: PhotoSource
    backend: BackendConfig
    folder: Path


@dataclass(frozen=True)
class Progress:
    """Where a run stands when it begins to work.

    Attributes:
        index: the scenes, and the photos that cannot be used.
        total: planned rows of the data set.
        missing: planned rows that are still to be decided.
    """

    index: SceneIndex
    total: int
    missing: int


def make_shard(job: Job, shard: Shard, backend: Backend, report: Report) -> ShardRecord:
    """Make and write one shard, reporting every row."""

    def reported() -> Iterator[Row]:
        for row in shard_rows(job.plan, shard, job.source, backend):
            if row.verdict != "retried":
                report(1, int(row.verdict == "accepted"))
            yield row

    return write_shard(job.folder, shard, reported())


def synthesize(
    source: PhotoSource,
    output: Path,
    config: PlanConfig,
    backend: BackendConfig,
    *,
    engine: str = "local",
    begin: Callable[[Progress], Report],
) -> Manifest | None:
    """Make a data set, or go on with one.

    Args:
        source: clean photos.
        output: folder of the data set: new, empty, or begun with the same settings.
        config: what is planned.
        backend: what makes the images.
        engine: `"local"`: this process, or those that `accelerate launch` or `torchrun` started; `"ray"`: a cluster.
        begin: called once before the work starts; what it returns is called with every progress.

    Returns:
        The manifest of the finished data set; None in all processes but the leading one.

    Raises:
        InputError: a setting that cannot be used, or no usable photo.
        DatasetError: the folder cannot be written, or was begun with other settings.
        MissingExtraError: `"ray"` is not installed.
    """
    if engine not in ENGINES:
        raise InputError(f"engine={engine!r} is not one of {', '.join(map(repr, ENGINES))}.")
    ranks = launched_ranks()
    backend = replace(backend, device=backend.device or default_device(ranks.local_index))
    with ranks.leader_first():
        index = _index(source, output)
    plan = make_plan(index.scenes, config)
    made_by = load_backend(backend)
    settings = plan.to_json() | made_by.to_json()
    with ranks.leader_first():
        folder = DatasetFolder.open(output, settings, plan.shards(), leader=ranks.leads)
    with folder:
        missing = folder.missing()
        ranks.wait()  # before anybody writes, so that all see the same shards missing
        report = begin(Progress(index, len(plan), _count(missing)))
        job = Job(plan, source, backend, output)
        if engine == "ray":
            from gendeg.synthesis.ray_engine import make_shards_with_ray

            make_shards_with_ray(job, missing, report)
        else:
            _make_shards(job, missing[ranks.index :: ranks.count], made_by, report)
        ranks.wait()
        return folder.finalise() if ranks.leads else None


def default_device(process: int) -> str:
    """The device of the n-th process of a machine: its GPUs in turn, or the CPU."""
    return f"cuda:{process % torch.cuda.device_count()}" if torch.cuda.is_available() else "cpu"


def _index(source: PhotoSource, output: Path) -> SceneIndex:
    try:
        output.mkdir(parents=True, exist_ok=True)
    except OSError as error:
        raise InputError(f"Cannot write the data set to {output}: {error}.") from error
    return index_scenes(source, output / NOTES)


def _make_shards(job: Job, shards: Iterable[Shard], backend: Backend, report: Report) -> None:
    for shard in shards:
        make_shard(job, shard, backend, report)


def _count(shards: Iterable[Shard]) -> int:
    return sum(shard.stop - shard.start for shard in shards)
