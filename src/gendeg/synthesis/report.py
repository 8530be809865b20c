"""What `gendeg synthesize --dry-run` says: the plan in a table, and what it will cost."""

import tempfile
import time
from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass, replace
from itertools import pairwise
from pathlib import Path

import numpy as np

from gendeg.degradations import Degradation
from gendeg.errors import count_of
from gendeg.synthesis.backends import Backend
from gendeg.synthesis.job import Job, make_shard
from gendeg.synthesis.plan import Plan
from gendeg.synthesis.scenes import SceneIndex
from gendeg.synthesis.shards import Shard

BARS = " ▁▂▃▄▅▆▇█"
HISTOGRAM_BINS = 20
LEVELS = (5, 50, 95)  # percentiles shown
SAMPLE_SCENES = 2  # made to measure their cost; the first also warms up
SAMPLE_PAIRS = 10


@dataclass(frozen=True)
class Cost:
    """What rows cost, measured on real ones.

    Attributes:
        seconds: to make and write a row.
        size: bytes of a row on disk.
    """

    seconds: float
    size: float


def describe_scenes(index: SceneIndex) -> str:
    """One line about the photos."""
    captioned = sum(scene.caption is not None for scene in index.scenes)
    return (
        f"{count_of(len(index.scenes), 'scene')}, {captioned} with a caption; "
        f"{count_of(len(index.existing.pairs), 'existing pair')}; "
        f"left out as equal to another: {count_of(index.duplicates, 'photo')}, "
        f"{count_of(index.existing.copies, 'pair')}; "
        f"left out as unusable: {count_of(len(index.problems), 'image')}; "
        f"scenes that look like another one and share its split: {index.look_alikes}"
    )


def describe_plan(plan: Plan) -> str:
    """Sizes, existing pairs, then for each degradation what is to be made of it, and at which severities."""
    sizes = ", ".join(f"{size} {split}" for split, size in plan.sizes.items())
    lines = [f"{count_of(len(plan), 'row')} ({sizes}) in {count_of(len(plan.shards()), 'shard')}"]
    if plan.existing:
        lines += ["", f"Existing pairs: {count_existing(plan)}", *_describe_existing(plan)]
    return "\n".join(lines + (["", *_describe_rows_to_make(plan)] if plan.splits else []))


def count_existing(plan: Plan) -> int:
    """Number of existing pairs in a plan."""
    return sum(map(len, plan.existing.values()))


def _describe_existing(plan: Plan) -> list[str]:
    """For each degradation, its existing pairs by data set."""
    counts = Counter((row.pair.mixture[0], row.pair.dataset) for rows in plan.existing.values() for row in rows)
    lines = []
    for degradation in plan.config.degradations:
        of_sets = [f"{dataset} {count}" for (name, dataset), count in sorted(counts.items()) if name == degradation]
        lines += [f"{degradation}: {', '.join(of_sets)}"] if of_sets else []
    return lines


def _describe_rows_to_make(plan: Plan) -> list[str]:
    """For each degradation the number of rows, percentiles and a histogram of mu, and the source sets."""
    columns = {name: _joined(plan, name) for name in ("degradation", "source", "mu", "sigma", "at_random")}
    top = float(columns["mu"].max())
    header = ["degradation", "rows", "random", *(f"mu {level} %" for level in LEVELS), "sigma 50 %"]
    rows, sources = [], []
    for degradation in plan.config.degradations:
        chosen = columns["degradation"] == list(Degradation).index(degradation)
        if not chosen.any():
            continue
        mu, sigma = columns["mu"][chosen], columns["sigma"][chosen]
        numbers = [f"{value:.3f}" for value in (*np.percentile(mu, LEVELS), np.median(sigma))]
        rows.append([degradation, str(len(mu)), str(int(columns["at_random"][chosen].sum())), *numbers, _bars(mu, top)])
        sources.append(f"{degradation}: {_shares(columns['source'][chosen], plan.source_names[degradation])}")
    table = _table([[*header, f"mu from 0 to {top:.2f}"], *rows])
    return [table, "", "Severities from:", *sources]


def describe_costs(job: Job, backend: Backend) -> str:
    """Time and disk for the rows to make, and for the existing pairs, from a few of each."""
    existing = count_existing(job.plan)
    lines = []
    if job.plan.splits:
        lines.append(describe_cost(measure_cost(job, backend), len(job.plan) - existing, "row to make"))
    if existing:
        lines.append(describe_cost(measure_existing(job, backend), existing, "existing pair"))
    return "\n".join(lines)


def measure_cost(job: Job, backend: Backend) -> Cost:
    """Make the rows of a scene or two in a temporary folder, and measure them."""
    split, columns = next(iter(job.plan.splits.items()))
    _, starts = np.unique(columns.scene, return_index=True)
    edges = [*starts.tolist(), len(columns)][: SAMPLE_SCENES + 1]
    first = job.plan.first_to_make(split)
    for start, stop in pairwise(edges):
        cost = _measure_shard(job, backend, Shard(split, 0, 1, first + start, first + stop))
    return cost


def measure_existing(job: Job, backend: Backend) -> Cost:
    """Take in a few existing pairs in a temporary folder, and measure that."""
    split, rows = next(iter(job.plan.existing.items()))
    return _measure_shard(job, backend, Shard(split, 0, 1, 0, min(len(rows), SAMPLE_PAIRS)))


def _measure_shard(job: Job, backend: Backend, shard: Shard) -> Cost:
    with tempfile.TemporaryDirectory() as folder:
        began = time.perf_counter()
        record = make_shard(replace(job, folder=Path(folder)), shard, backend, lambda decided, accepted: None)
        return Cost((time.perf_counter() - began) / record.planned, record.size / record.planned)


def describe_cost(cost: Cost, rows: int, unit: str) -> str:
    """Time and disk for a number of rows."""
    return (
        f"About {cost.seconds:.2f} s and {cost.size / 1e3:.0f} kB for each {unit}: {_duration(cost.seconds * rows)} "
        f"with one worker, {_size(cost.size * rows)} on disk"
    )


def _joined(plan: Plan, name: str) -> np.ndarray:
    return np.concatenate([getattr(columns, name) for columns in plan.splits.values()])


def _bars(values: np.ndarray, top: float) -> str:
    """A histogram over [0, top] as one line of text; a bin with anything in it shows."""
    counts, _ = np.histogram(values, HISTOGRAM_BINS, (0, top))
    heights = np.ceil(counts / counts.max() * (len(BARS) - 1)).astype(int)
    return "".join(BARS[height] for height in heights)


def _shares(source: np.ndarray, names: Sequence[str]) -> str:
    shares = np.bincount(source, minlength=len(names)) / len(source)
    return ", ".join(f"{name} {share:.0%}" for name, share in zip(names, shares, strict=True))


def _table(rows: Sequence[Sequence[str]]) -> str:
    widths = [max(map(len, column)) for column in zip(*rows, strict=True)]
    return "\n".join("  ".join(cell.ljust(width) for cell, width in zip(row, widths, strict=True)) for row in rows)


def _duration(seconds: float) -> str:
    if seconds < 120:
        return f"{seconds:.0f} s"
    return f"{seconds / 60:.0f} min" if seconds < 7200 else f"{seconds / 3600:.1f} h"


def _size(size: float) -> str:
    if size < 1e6:
        return f"{size / 1e3:.0f} kB"
    return f"{size / 1e6:.0f} MB" if size < 1e9 else f"{size / 1e9:.1f} GB"
