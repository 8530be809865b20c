"""However a data set is made, it is the same: of photos, existing pairs and captions from a table."""

import os
import shutil
import signal
import subprocess
import sys
import time
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import PIL.Image
import psutil
import pyarrow.parquet
import pytest

from gendeg.errors import DatasetError, InputError
from gendeg.synthesis.backends import BackendConfig
from gendeg.synthesis.captions import CaptionedSource
from gendeg.synthesis.config import PlanConfig
from gendeg.synthesis.existing import open_sources
from gendeg.synthesis.manifest import Manifest, verify_dataset
from gendeg.synthesis.sources import Entry, FolderSource, ListedPair, PhotoSource
from gendeg.synthesis.synthesize import synthesize

pytestmark = pytest.mark.timeout(900)  # new processes import torch, which takes its time on a busy machine

SIMULATOR = BackendConfig(name="simulator")
CONFIG = PlanConfig(rows_per_shard=4, variants=2)
ROWS = 70  # four photos in six degradations, two clean images in the five that they lack, two variants; two pairs
ARGUMENTS = ["-m", "gendeg", "synthesize", "--backend", "simulator", "--rows-per-shard", "4", "--variants", "2"]


@dataclass(frozen=True)
class Material:
    """What the data set is made of: a folder of photos, a folder of pairs, and a table that describes some of them."""

    photos: Path
    existing: Path
    captions: Path

    def source(self) -> PhotoSource:
        """All of it, as the command line opens it."""
        return CaptionedSource(open_sources(str(self.photos), [self.existing]), self.captions)

    def command(self, output: Path) -> list[str]:
        """Arguments of Python that make the data set."""
        options = ["--existing", self.existing, "--captions", self.captions, "-o", output]
        return [*ARGUMENTS, str(self.photos), *map(str, options)]


@pytest.fixture(scope="module")
def material(photo: np.ndarray, tmp_path_factory: pytest.TempPathFactory) -> Material:
    folder = tmp_path_factory.mktemp("engines")
    pairs = folder / "pairs" / "haze" / "Foggy"
    for path in (folder / "photos", pairs / "input", pairs / "target"):
        path.mkdir(parents=True)
    for index in range(6):
        picture = PIL.Image.fromarray(photo[8 * index :][:32, 10 * index :][:, :40])
        if index < 4:
            picture.save(folder / "photos" / f"{index}.png")
        else:
            picture.save(pairs / "target" / f"{index}.png")
            picture.point(lambda value: value // 2 + 100).save(pairs / "input" / f"{index}.png")
    table = folder / "captions.csv"
    table.write_text("image,caption\nphotos/0.png,a woman\npairs/haze/Foggy/target/4.png,a hat\n")
    return Material(folder / "photos", folder / "pairs", table)


def run(source: PhotoSource, output: Path, **settings) -> tuple[Manifest, list[int]]:
    """Make the data set; returns its manifest, and the number of rows that were missing and that were reported."""
    counts = [0, 0]

    def report(decided, accepted):
        counts[1] += decided

    def begin(progress):
        counts[0] = progress.missing
        return report

    manifest = synthesize(source, output, CONFIG, SIMULATOR, begin=begin, **settings)
    assert verify_dataset(output) == manifest
    return manifest, counts


@pytest.fixture(scope="module")
def reference(material: Material, tmp_path_factory: pytest.TempPathFactory) -> Manifest:
    """Made by this process alone."""
    folder = tmp_path_factory.mktemp("reference") / "gends"
    manifest, counts = run(material.source(), folder)
    assert counts == [ROWS, ROWS]
    rows = [row for path in (folder / "data").iterdir() for row in pyarrow.parquet.read_table(path).to_pylist()]
    assert sum(row["origin"] == "existing" for row in rows) == 2
    assert {row["caption"] for row in rows} == {"", "a woman", "a hat"}
    return manifest


def test_worker_processes(material, reference, tmp_path):
    manifest, counts = run(material.source(), tmp_path / "gends", workers=2)
    assert manifest == reference
    assert counts == [ROWS, ROWS]
    assert run(material.source(), tmp_path / "gends", workers=2)[1] == [0, 0]


def test_what_a_worker_raises_arrives(material, tmp_path):
    copy = tmp_path / "copy"

    class Elsewhere(FolderSource):  # the photos move away once they are indexed
        def __reduce__(self):
            for path in copy.glob("*.png"):
                path.unlink()
            return FolderSource, (material.photos,)

    shutil.copytree(material.photos, copy)
    with pytest.raises(DatasetError, match="is gone"):
        run(Elsewhere(copy), tmp_path / "gends", workers=2)


def wait_for_a_shard(process: subprocess.Popen, output: Path) -> None:
    """Return when a shard is finished, or the process."""
    while not list(output.glob("shards/[!.]*.json")) and process.poll() is None:  # not those being written
        time.sleep(0.01)


def test_launched_processes_share_the_shards_and_go_on_when_one_was_killed(material, reference, tmp_path):
    output = tmp_path / "gends"
    launch = [sys.executable, "-m", "torch.distributed.run", "--nproc-per-node", "2", "--master-port", "29613"]
    command = [*launch, *material.command(output)]
    log = tmp_path / "log"
    with log.open("w") as file, subprocess.Popen(command, stderr=file) as process:
        wait_for_a_shard(process, output)
        processes = psutil.Process(process.pid).children() if process.poll() is None else []
        if processes:
            processes[-1].kill()
        status = process.wait(timeout=400)
    assert processes, f"The run ended with {status} before a process was killed:\n{log.read_text()}"
    assert status != 0, log.read_text()
    assert len(list(output.glob("shards/[!.]*.json"))) < len(reference.shards)
    subprocess.run(command, check=True, timeout=400)
    assert verify_dataset(output).hash == reference.hash


def listen_to_interrupts() -> None:
    """Tests that a shell started in the background ignore SIGINT, and so would their children."""
    signal.signal(signal.SIGINT, signal.SIG_DFL)


@pytest.mark.parametrize("number", [signal.SIGKILL, signal.SIGINT])
def test_stopped_runs_go_on(material, reference, tmp_path, number):
    output = tmp_path / "gends"
    command = [sys.executable, *material.command(output)]
    process = subprocess.Popen(command, stderr=subprocess.PIPE, text=True, preexec_fn=listen_to_interrupts)
    wait_for_a_shard(process, output)
    process.send_signal(number)
    _, error = process.communicate(timeout=600)
    if number == signal.SIGINT:
        assert process.returncode == 130
        assert "run the same command again to go on" in error
        assert "Traceback" not in error
    else:
        assert process.returncode == -signal.SIGKILL
    manifest, counts = run(material.source(), output)
    assert manifest.hash == reference.hash
    assert 0 < counts[0] < ROWS


def test_unknown_engine_and_no_worker(material, tmp_path):
    for settings in ({"engine": "cloud"}, {"workers": 0}):
        with pytest.raises(InputError, match=next(iter(settings))):
            run(material.source(), tmp_path / "gends", **settings)
    assert not (tmp_path / "gends").exists()


class DyingSource(PhotoSource):
    """Kills the first worker process that reads an image; else what it is made of."""

    def __init__(self, source: PhotoSource, flag: Path):
        self.source, self.flag, self.driver = source, flag, os.getpid()

    def entries(self) -> Iterator[Entry]:
        return self.source.entries()

    def pairs(self) -> Sequence[ListedPair]:
        return self.source.pairs()

    def read(self, location: str) -> bytes:
        if os.getpid() != self.driver and not self.flag.exists():
            self.flag.touch()
            os.kill(os.getpid(), signal.SIGKILL)
        return self.source.read(location)

    def stamp(self, location: str) -> str:
        return self.source.stamp(location)


def test_a_worker_process_that_dies_is_named(material, reference, tmp_path):
    source = DyingSource(material.source(), tmp_path / "flag")
    with pytest.raises(DatasetError, match=r"A worker process died .*-9"):
        run(source, tmp_path / "gends", workers=2)
    assert run(material.source(), tmp_path / "gends", workers=2)[0] == reference


def test_ray_cluster_that_loses_a_worker(material, reference, tmp_path):
    ray = pytest.importorskip("ray", reason='needs the extra "ray": pip install "gendeg[ray]"')
    ray.cloudpickle.register_pickle_by_value(sys.modules[__name__])  # the workers cannot import this module
    ray.init(num_cpus=2, include_dashboard=False, log_to_driver=False)
    try:
        source = DyingSource(material.source(), tmp_path / "flag")
        manifest, counts = run(source, tmp_path / "gends", engine="ray")
    finally:
        ray.shutdown()
        ray.cloudpickle.unregister_pickle_by_value(sys.modules[__name__])
    assert (tmp_path / "flag").exists()  # a worker did die
    assert manifest.hash == reference.hash
    assert counts == [ROWS, ROWS]
