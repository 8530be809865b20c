"""What can go wrong while a data set is written: what the user reads, and whether the data set is intact afterwards.

python examples/benchmarks/gends_faults.py
"""

import multiprocessing
import os
import random
import resource
import signal
import sys
import tempfile
import time
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

from gendeg.data.gends.schema import Row
from gendeg.degradations import Degradation
from gendeg.errors import DatasetError
from gendeg.synthesis.folder import DatasetFolder
from gendeg.synthesis.manifest import Manifest, verify_dataset
from gendeg.synthesis.shards import Shard, cut_shards, data_path, write_shard

CONFIG = {"seed": 0}
SHARDS = cut_shards({"train": 950, "validation": 50}, 50)
IMAGE_BYTES = 2000
SECONDS_PER_SHARD = 0.02  # what a generator might take, so that a kill finds the work under way
KILLS = 20

fork = multiprocessing.get_context("fork")


def rows(shard: Shard) -> Iterator[Row]:
    """A free generator: the bytes of an image are drawn, not computed."""
    for number in range(shard.start, shard.stop):
        draw = random.Random(f"{shard.split} {number}")
        time.sleep(SECONDS_PER_SHARD / (shard.stop - shard.start))
        yield Row(
            row=number,
            mixture=(list(Degradation)[number % 6],),
            scene_id=f"{shard.split} {number // 5}",
            source_set="",
            origin="generated",
            degraded=draw.randbytes(IMAGE_BYTES),
            target=draw.randbytes(IMAGE_BYTES),
        )


def make(folder: Path, config: dict[str, Any] = CONFIG) -> Manifest:
    """Make the data set, or go on with it."""
    with DatasetFolder.open(folder, config, SHARDS) as output:
        for shard in output.missing():
            write_shard(folder, shard, rows(shard))
        return output.finalise()


def kill_at_random_moments(folder: Path) -> int:
    """Start over and over, kill each start with SIGKILL; returns how many kills found it at work."""
    draw = random.Random(0)
    found = 0
    for _ in range(KILLS):
        process = fork.Process(target=make, args=(folder,))
        process.start()
        process.join(timeout=draw.uniform(0.02, 0.12))
        found += process.is_alive()
        os.kill(process.pid, signal.SIGKILL)
        process.join()
    return found


def with_full_disk(folder: Path) -> None:
    """No file may grow beyond 20 kB, which a shard does."""
    limits = resource.getrlimit(resource.RLIMIT_FSIZE)
    resource.setrlimit(resource.RLIMIT_FSIZE, (20_000, limits[1]))
    try:
        make(folder)
    finally:
        resource.setrlimit(resource.RLIMIT_FSIZE, limits)


def with_another_run(folder: Path) -> None:
    """While another process has the folder."""
    ready, done = fork.Event(), fork.Event()

    def hold() -> None:
        with DatasetFolder.open(folder, CONFIG, SHARDS):
            ready.set()
            done.wait()

    process = fork.Process(target=hold)
    process.start()
    ready.wait()
    try:
        make(folder)
    finally:
        done.set()
        process.join()


def with_changed_config(folder: Path) -> None:
    """Go on with another seed."""
    make(folder, {"seed": 1})


def with_corrupt_shard(folder: Path) -> None:
    """One bit of one shard is another."""
    path = data_path(folder, SHARDS[3].name)
    content = bytearray(path.read_bytes())
    content[len(content) // 2] ^= 1
    path.write_bytes(content)
    try:
        verify_dataset(folder)
    finally:
        path.unlink()  # as the message says


def on_read_only_folder(folder: Path) -> None:
    """A place where nobody, not even root, can make a folder."""
    make(Path("/proc/gends"))


def report(name: str, fault: Callable[[Path], None], folder: Path, expected: str) -> bool:
    """Let the fault happen, print what the user reads, then go on and compare the hash."""
    try:
        fault(folder)
        message = "no error"
    except DatasetError as error:
        message = str(error).replace(str(folder.parent), "...")
    intact = make(folder).hash == verify_dataset(folder).hash == expected
    print(f"{name}: {'intact' if intact else 'DAMAGED'}\n    {message}")
    return intact and message != "no error"


def main() -> None:
    """Print a line for each fault; exit with 1 if one of them did harm."""
    with tempfile.TemporaryDirectory() as scratch:
        whole = make(Path(scratch) / "whole")
        folder = Path(scratch) / "killed"
        found = kill_at_random_moments(folder)
        hash_after_kills = make(folder).hash
        rows_after = verify_dataset(folder).rows  # checks that each planned row was decided once
        killed_well = hash_after_kills == whole.hash and rows_after == whole.rows
        print(
            f"kill -9 {KILLS} times, {found} at work: {'same hash' if killed_well else 'OTHER HASH'}, rows {rows_after}"
        )
        folder = Path(scratch) / "faults"
        faults: dict[str, Callable[[Path], None]] = {
            "disk full": with_full_disk,
            "another run": with_another_run,
            "changed config": with_changed_config,
            "corrupt shard": with_corrupt_shard,
            "read-only output": on_read_only_folder,
        }
        results = [report(name, fault, folder, whole.hash) for name, fault in faults.items()]
    sys.exit(0 if killed_well and all(results) else 1)


if __name__ == "__main__":
    main()
