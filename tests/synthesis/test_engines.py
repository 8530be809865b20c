"""However a data set is made, it is the same."""

import os
import signal
import subprocess
import sys
import time
from pathlib import Path

import numpy as np
import PIL.Image
import pytest

from gendeg.errors import DatasetError, InputError
from gendeg.synthesis.backends import BackendConfig
from gendeg.synthesis.config import PlanConfig
from gendeg.synthesis.manifest import Manifest, verify_dataset
from gendeg.synthesis.run import synthesize
from gendeg.synthesis.sources import FolderSource

pytestmark = pytest.mark.timeout(900)  # new processes import torch, which takes its time on a busy machine

SIMULATOR = BackendConfig(name="simulator")
CONFIG = PlanConfig(rows_per_shard=4, variants=3)
ROWS = 90  # five photos, six degradations, three variants
ARGUMENTS = ["-m", "gendeg", "synthesize", "--backend", "simulator", "--rows-per-shard", "4", "--variants", "3"]


@pytest.fixture(scope="module")
def photos(photo: np.ndarray, tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("engines") / "photos"
    folder.mkdir()
    for index in range(5):
        PIL.Image.fromarray(photo[8 * index :][:32, 10 * index :][:, :40]).save(folder / f"{index}.png")
    return folder


def run(photos: Path, output: Path, source: FolderSource | None = None, **settings) -> tuple[Manifest, list[int]]:
    """Make the data set; returns its manifest, and the number of rows that were missing and that were reported."""
    counts = [0, 0]

    def report(decided, accepted):
        counts[1] += decided

    def begin(progress):
        counts[0] = progress.missing
        return report

    manifest = synthesize(source or FolderSource(photos), output, CONFIG, SIMULATOR, begin=begin, **settings)
    assert verify_dataset(output) == manifest
    return manifest, counts


@pytest.fixture(scope="module")
def reference(photos: Path, tmp_path_factory: pytest.TempPathFactory) -> Manifest:
    """Made by this process alone."""
    manifest, counts = run(photos, tmp_path_factory.mktemp("reference") / "gends")
    assert counts == [ROWS, ROWS]
    return manifest


def test_worker_processes(photos, reference, tmp_path):
    manifest, counts = run(photos, tmp_path / "gends", workers=2)
    assert manifest == reference
    assert counts == [ROWS, ROWS]
    assert run(photos, tmp_path / "gends", workers=2)[1] == [0, 0]


def test_what_a_worker_raises_arrives(photos, reference, tmp_path):
    class Elsewhere(FolderSource):  # the photos move away once they are indexed
        def __reduce__(self):
            for path in photos.parent.glob("copy/*.png"):
                path.unlink()
            return FolderSource, (photos,)

    copy = photos.parent / "copy"
    copy.mkdir()
    for path in photos.glob("*.png"):
        (copy / path.name).write_bytes(path.read_bytes())
    with pytest.raises(DatasetError, match="is gone"):
        run(copy, tmp_path / "gends", Elsewhere(copy), workers=2)


def test_launched_processes_share_the_shards(photos, reference, tmp_path):
    launch = [sys.executable, "-m", "torch.distributed.run", "--nproc-per-node", "2", "--master-port", "29613"]
    subprocess.run([*launch, *ARGUMENTS, str(photos), "-o", str(tmp_path / "gends")], check=True, timeout=800)
    assert verify_dataset(tmp_path / "gends").hash == reference.hash


def listen_to_interrupts() -> None:
    """Tests that a shell started in the background ignore SIGINT, and so would their children."""
    signal.signal(signal.SIGINT, signal.SIG_DFL)


@pytest.mark.parametrize("number", [signal.SIGKILL, signal.SIGINT])
def test_stopped_runs_go_on(photos, reference, tmp_path, number):
    output = tmp_path / "gends"
    command = [sys.executable, *ARGUMENTS, str(photos), "-o", str(output)]
    process = subprocess.Popen(command, stderr=subprocess.PIPE, text=True, preexec_fn=listen_to_interrupts)
    while not list(output.glob("shards/[!.]*.json")) and process.poll() is None:  # not those being written
        time.sleep(0.01)
    process.send_signal(number)
    _, error = process.communicate(timeout=600)
    if number == signal.SIGINT:
        assert process.returncode == 130
        assert "run the same command again to go on" in error
        assert "Traceback" not in error
    else:
        assert process.returncode == -signal.SIGKILL
    manifest, counts = run(photos, output)
    assert manifest.hash == reference.hash
    assert 0 < counts[0] < ROWS


def test_unknown_engine_and_no_worker(photos, tmp_path):
    for settings in ({"engine": "cloud"}, {"workers": 0}):
        with pytest.raises(InputError, match=next(iter(settings))):
            run(photos, tmp_path / "gends", **settings)
    assert not (tmp_path / "gends").exists()


class DyingSource(FolderSource):
    """Kills the first worker process that reads a photo."""

    def __init__(self, folder: Path, flag: Path):
        super().__init__(folder)
        self.flag, self.driver = flag, os.getpid()

    def read(self, location: str) -> bytes:
        if os.getpid() != self.driver and not self.flag.exists():
            self.flag.touch()
            os.kill(os.getpid(), signal.SIGKILL)
        return super().read(location)


def test_a_worker_process_that_dies_is_named(photos, tmp_path):
    source = DyingSource(photos, tmp_path / "flag")
    with pytest.raises(DatasetError, match=r"A worker process died .*-9"):
        run(photos, tmp_path / "gends", source, workers=2)
    manifest, _ = run(photos, tmp_path / "gends")
    assert sum(manifest.planned.values()) == ROWS


def test_ray_cluster_that_loses_a_worker(photos, reference, tmp_path):
    ray = pytest.importorskip("ray", reason='needs the extra "ray": pip install "gendeg[ray]"')
    ray.cloudpickle.register_pickle_by_value(sys.modules[__name__])  # the workers cannot import this module
    ray.init(num_cpus=2, include_dashboard=False, log_to_driver=False)
    try:
        source = DyingSource(photos, tmp_path / "flag")
        manifest, counts = run(photos, tmp_path / "gends", source, engine="ray")
    finally:
        ray.shutdown()
        ray.cloudpickle.unregister_pickle_by_value(sys.modules[__name__])
    assert (tmp_path / "flag").exists()  # a worker did die
    assert manifest.hash == reference.hash
    assert counts == [ROWS, ROWS]
