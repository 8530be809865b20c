"""A job: what any worker needs to make any shard."""

import contextlib
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from pathlib import Path

import torch

from gendeg.data.gends.schema import Row
from gendeg.synthesis.backends import Backend, BackendConfig
from gendeg.synthesis.plan import Plan
from gendeg.synthesis.shard_rows import shard_rows
from gendeg.synthesis.shards import Shard, ShardRecord, write_shard
from gendeg.synthesis.sources import PhotoSource

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


def make_shard(job: Job, shard: Shard, backend: Backend, report: Report) -> ShardRecord:
    """Make and write one shard, reporting every row."""

    def reported() -> Iterator[Row]:
        for row in shard_rows(job.plan, shard, job.source, backend):
            if row.verdict != "retried":
                report(1, int(row.verdict == "accepted"))
            yield row

    with one_thread():
        return write_shard(job.folder, shard, reported())


@contextlib.contextmanager
def one_thread() -> Iterator[None]:
    """Let torch compute on one CPU thread.

    Sums depend on how they are shared among threads, in their last digits; with one thread, every number
    of workers, and every machine of the same kind, makes the same bytes.
    """
    threads = torch.get_num_threads()
    torch.set_num_threads(1)
    try:
        yield
    finally:
        torch.set_num_threads(threads)
