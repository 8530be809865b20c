"""What `gendeg synthesize --dry-run` says: the plan in a table, and what it will cost."""

import tempfile
import time
from collections.abc import Sequence
from dataclasses import dataclass, replace
from itertools import pairwise
from pathlib import Path

import numpy as np

from gendeg.degradations import Degradation
from gendeg.synthesis.backends import Backend
from gendeg.synthesis.job import Job, make_shard
from gendeg.synthesis.plan import Plan
from gendeg.synthesis.scenes import SceneIndex
from gendeg.synthesis.shards import Shard

BARS = " ▁▂▃▄▅▆▇█"
HISTOGRAM_BINS = 20
LEVELS = (5, 50, 95)  # percentiles shown
SAMPLE_SCENES = 2  # made to measure their cost; the first also warms up


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
        f"{len(index.scenes)} scenes, {captioned} with a caption; left out: {index.duplicates} copies, "
        f"{len(index.problems)} unusable photos; {index.look_alikes} scenes look like another one and share its split"
    )


def describe_plan(plan: Plan) -> str:
    """Sizes, then for each degradation the number of rows, percentiles and a histogram of mu, and the source sets."""
    sizes = ", ".join(f"{size} {split}" for split, size in plan.sizes.items())
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
    return "\n".join(
        [f"{len(plan)} rows ({sizes}) in {len(plan.shards())} shards", "", table, "", "Severities from:", *sources]
    )


def measure_cost(job: Job, backend: Backend) -> Cost:
    """Make the rows of a scene or two in a temporary folder, and measure them."""
    split, columns = next(iter(job.plan.splits.items()))
    _, starts = np.unique(columns.scene, return_index=True)
    edges = [*starts.tolist(), len(columns)][: SAMPLE_SCENES + 1]
    cost = Cost(0, 0)
    with tempfile.TemporaryDirectory() as folder:
        for start, stop in pairwise(edges):
            shard = Shard(split, 0, 1, start, stop)
            began = time.perf_counter()
            record = make_shard(replace(job, folder=Path(folder)), shard, backend, lambda decided, accepted: None)
            cost = Cost((time.perf_counter() - began) / record.planned, record.size / record.planned)
    return cost


def describe_cost(cost: Cost, rows: int) -> str:
    """Time and disk for a number of rows."""
    return (
        f"About {cost.seconds:.2f} s and {cost.size / 1e3:.0f} kB a row: {_duration(cost.seconds * rows)} with one "
        f"worker, {_size(cost.size * rows)} on disk"
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
    return f"{size / 1e6:.0f} MB" if size < 1e9 else f"{size / 1e9:.1f} GB"
