"""Shards made by several processes of this machine."""

import multiprocessing
import queue
import signal
from collections.abc import Sequence
from multiprocessing.process import BaseProcess
from typing import Any

from gendeg.errors import DatasetError, GenDegError
from gendeg.synthesis.backends import load_backend
from gendeg.synthesis.job import Job, Report, make_shard
from gendeg.synthesis.shards import Shard

POLL_SECONDS = 0.5


def make_shards_in_processes(job: Job, shards: Sequence[Shard], count: int, report: Report) -> None:
    """Make shards in `count` processes, each of which takes every `count`-th.

    The processes end with this one, in whatever way it ends.

    Raises:
        DatasetError: a process died.
        GenDegError: what a process raised.
    """
    context = multiprocessing.get_context("spawn")
    messages = context.Queue()
    shares = [share for start in range(count) if (share := shards[start::count])]
    workers = [context.Process(target=_work, args=(job, share, messages), daemon=True) for share in shares]
    for worker in workers:
        worker.start()
    try:
        _listen(workers, messages, report)
    except BaseException:
        for worker in workers:
            worker.terminate()
        raise
    finally:
        for worker in workers:
            worker.join()


def _listen(workers: Sequence[BaseProcess], messages: Any, report: Report) -> None:
    """Pass on what the workers say, until all have finished."""
    finished = 0
    while finished < len(workers):
        exited = [worker.exitcode for worker in workers if worker.exitcode is not None]
        try:
            message = messages.get(timeout=POLL_SECONDS)
        except queue.Empty:
            if len(exited) > finished:  # a worker's last words arrive before it exits
                raise DatasetError(
                    f"A worker process died (exit codes {exited}; -9 is often a lack of memory). Finished shards are "
                    "intact; run the same command again to go on, perhaps with fewer workers."
                ) from None
            continue
        if isinstance(message, GenDegError):
            raise message
        if message is None:
            finished += 1
        else:
            report(*message)


def _work(job: Job, shards: Sequence[Shard], messages: Any) -> None:
    """What a worker process does."""
    signal.signal(signal.SIGINT, signal.SIG_IGN)  # Ctrl-C reaches the parent too, which ends its workers
    parent = multiprocessing.parent_process()

    def report(decided: int, accepted: int) -> None:
        if parent is not None and not parent.is_alive():
            raise SystemExit("The run was killed.")
        messages.put((decided, accepted))

    try:
        backend = load_backend(job.backend)
        for shard in shards:
            make_shard(job, shard, backend, report)
        messages.put(None)
    except GenDegError as error:
        messages.put(error)
