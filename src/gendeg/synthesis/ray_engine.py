"""Shards as Ray tasks: a worker that dies is replaced, and its shard made again.

Connects to the cluster that `RAY_ADDRESS` or `ray.init` names, or starts one on this machine.
"""

import functools
from collections.abc import Sequence
from dataclasses import replace
from typing import Any

from gendeg.errors import MissingExtraError
from gendeg.synthesis.backends import Backend, BackendConfig, load_backend
from gendeg.synthesis.job import Job, Report, make_shard
from gendeg.synthesis.shards import Shard, ShardRecord

MAX_RETRIES = 5  # of one shard whose worker died; an error that gendeg raises ends the run at once


def make_shards_with_ray(job: Job, shards: Sequence[Shard], report: Report) -> None:
    """Make shards on a Ray cluster.

    Each task takes one CPU, and one GPU where the cluster has any. All nodes must see the photos and the output folder
    under the same path.

    Args:
        job: what to make.
        shards: those to make.
        report: called whenever a shard is finished.

    Raises:
        MissingExtraError: Ray is not installed.
        GenDegError: what a task raised.
    """
    try:
        import ray
    except ImportError as error:
        raise MissingExtraError('The engine "ray" needs Ray: pip install "gendeg[ray]".') from error
    if not ray.is_initialized():
        ray.init(include_dashboard=False, log_to_driver=False)
    gpus = int(ray.cluster_resources().get("GPU", 0) > 0)
    # a task sees its own GPU only, as the first
    backend = replace(job.backend, device="cuda:0" if gpus else "cpu")
    shared = ray.put(replace(job, backend=backend))
    task = ray.remote(num_cpus=1, num_gpus=gpus, max_retries=MAX_RETRIES)(_make_shard)
    running = [task.remote(shared, shard) for shard in shards]
    try:
        while running:
            finished, running = ray.wait(running)
            record = _result(ray, finished[0])
            report(record.planned, record.rows)
    finally:
        for reference in running:
            ray.cancel(reference)


def _make_shard(job: Job, shard: Shard) -> ShardRecord:
    return make_shard(job, shard, _loaded(job.backend), lambda decided, accepted: None)


@functools.lru_cache(maxsize=1)
def _loaded(config: BackendConfig) -> Backend:
    """One backend for all tasks of a worker process."""
    return load_backend(config)


def _result(ray: Any, reference: Any) -> ShardRecord:
    """What a task returned; the error it raised, as itself."""
    try:
        return ray.get(reference)
    except ray.exceptions.RayTaskError as error:
        raise error.cause from error
