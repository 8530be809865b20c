"""The data set factory: is the result the same however it is made, and what does the bookkeeping cost?

    python examples/benchmarks/gends_factory.py same photos/ --kills 20 --output runs/gends_same.json
    python examples/benchmarks/gends_factory.py bookkeeping --rows 100000 --output runs/gends_bookkeeping.json

`same` makes a data set with one worker, with two, with two launched processes, with runs that are killed (SIGKILL) at
random moments and resumed, and with Ray, and compares hashes. `bookkeeping` plans and writes rows of a generator that
costs nothing, and does the same rows in the way of the authors' program, which rewrites its index at every image.
"""

import importlib.util
import io
import json
import os
import random
import resource
import signal
import subprocess
import sys
import tempfile
import time
from collections import Counter
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import Annotated, Any

import numpy as np
import PIL.Image
import pyarrow.parquet as pq
import torch
import typer
from common import format_table, write_results
from matplotlib.figure import Figure

from gendeg.data.gends.schema import IMAGE_COLUMNS
from gendeg.degradations import Degradation
from gendeg.synthesis.backends import Backend, BackendConfig, Made
from gendeg.synthesis.config import PlanConfig
from gendeg.synthesis.folder import DatasetFolder
from gendeg.synthesis.job import Job, make_shard
from gendeg.synthesis.manifest import verify_dataset
from gendeg.synthesis.plan import PlannedRow, make_plan
from gendeg.synthesis.scenes import index_scenes
from gendeg.synthesis.sources import Entry, PhotoSource

ROWS_PER_SHARD = 500
CHECKPOINTS = 20  # points of a growth curve
BYTES_PER_UNIT = 1 if sys.platform == "darwin" else 1024  # of ru_maxrss

app = typer.Typer(no_args_is_help=True)


@app.command()
def same(
    photos: Annotated[Path, typer.Argument(help="Folder of clean photos.")],
    output: Annotated[Path, typer.Option(help="JSON file to write.")],
    kills: Annotated[int, typer.Option(help="Runs that are killed before one may finish.")] = 20,
    options: Annotated[str, typer.Option(help="Further options of gendeg synthesize.")] = "--rows-per-shard 12",
    seed: Annotated[int, typer.Option(help="Of the moments of the kills.")] = 0,
) -> None:
    """Make one data set in every way; print hashes, and rows lost or made twice."""
    arguments = ["-m", "gendeg", "synthesize", str(photos), *options.split()]
    launch = ["-m", "torch.distributed.run", "--nproc-per-node", "2", "--master-port", "29617"]
    ways = {"one worker": arguments, "two workers": [*arguments, "--workers", "2"], "two ranks": [*launch, *arguments]}
    if importlib.util.find_spec("ray"):
        ways["Ray"] = [*arguments, "--engine", "ray"]
    results: dict[str, Any] = {}
    with tempfile.TemporaryDirectory() as scratch:
        for name, way in ways.items():
            folder = Path(scratch) / name.replace(" ", "-")
            started, total = run_whole(way, folder)
            results[name] = inspect(folder) | {"seconds": total, "seconds_to_first_shard": started}
        folder = Path(scratch) / "killed"
        reference = results["one worker"]
        killed = run_killed(
            arguments, folder, kills, reference["seconds_to_first_shard"], reference["seconds"], random.Random(seed)
        )
        results["killed and resumed"] = inspect(folder) | {"kills": killed}
    rows = [[name, r["hash"][:16], r["rows"], r["lost"], r["twice"], r.get("kills", 0)] for name, r in results.items()]
    print(format_table(["made by", "hash", "rows", "lost", "twice", "kills"], rows))
    print("All hashes agree." if len({result["hash"] for result in results.values()}) == 1 else "HASHES DIFFER.")
    write_results(results, output)


def run_whole(arguments: Sequence[str], folder: Path) -> tuple[float, float]:
    """Run to the end; seconds to the first finished shard, and in all."""
    start = time.perf_counter()
    process = subprocess.Popen(
        [sys.executable, *arguments, "-o", str(folder)], stdout=subprocess.DEVNULL, stderr=subprocess.PIPE, text=True
    )
    while process.poll() is None and not has_shard(folder):
        time.sleep(0.02)
    first = time.perf_counter() - start
    _, error = process.communicate()
    if process.returncode:
        raise RuntimeError(error)
    return first, time.perf_counter() - start


def run_killed(
    arguments: Sequence[str], folder: Path, kills: int, started: float, total: float, moments: random.Random
) -> int:
    """Start, kill at a random moment, `kills` times, then let it finish. Returns how many runs were killed.

    The moments are spread from the first half of the start-up to such a stretch of work that about half of it is done
    by the last kill.
    """
    latest = started + (total - started) / kills
    killed = 0
    for _ in range(kills):
        process = subprocess.Popen(
            [sys.executable, *arguments, "-o", str(folder)],
            stderr=subprocess.DEVNULL,
            stdout=subprocess.DEVNULL,
            start_new_session=True,
        )
        try:
            process.wait(moments.uniform(started / 2, latest))
        except subprocess.TimeoutExpired:
            os.killpg(process.pid, signal.SIGKILL)
            process.wait()
            killed += 1
    run_whole(arguments, folder)
    return killed


def has_shard(folder: Path) -> bool:
    """Whether a shard is finished."""
    return any(folder.glob("shards/*.json"))


def inspect(folder: Path) -> dict[str, Any]:
    """Check a data set by its bytes, and count its rows independently of the manifest."""
    manifest = verify_dataset(folder)
    keys: Counter[Any] = Counter()
    for path in folder.glob("verdicts/*.parquet"):
        table = pq.read_table(path, columns=["scene_id", "degradation", "verdict"]).to_pylist()
        keys.update((row["scene_id"], row["degradation"]) for row in table if row["verdict"] != "retried")
    return {
        "hash": manifest.hash,
        "rows": sum(manifest.rows.values()),
        "lost": sum(manifest.planned.values()) - len(keys),
        "twice": sum(count - 1 for count in keys.values()),
    }


class FreePhotos(PhotoSource):
    """As many photos as wanted, of 16 x 16 random pixels, made when read.

    Args:
        count: number of photos.
    """

    def __init__(self, count: int):
        self.count = count

    def entries(self) -> Iterator[Entry]:
        """All photos; their source set has haze already, so that each gets five degradations."""
        return (Entry(str(number), "free", (Degradation.HAZE,)) for number in range(self.count))

    def read(self, location: str) -> bytes:
        """A PNG file."""
        pixels = np.random.default_rng(int(location)).integers(0, 256, (16, 16, 3), dtype=np.uint8)
        buffer = io.BytesIO()
        PIL.Image.fromarray(pixels).save(buffer, "PNG", compress_level=0)
        return buffer.getvalue()

    def stamp(self, location: str) -> str:
        """They never change."""
        return ""


class FreeBackend(Backend):
    """Returns one and the same tiny image, so that only the bookkeeping costs anything."""

    def __init__(self) -> None:
        target = torch.rand(3, 8, 8, generator=torch.Generator().manual_seed(0)) * 0.8
        self.made = Made(target + 0.05, target, "none", "free")

    def prepare(self, photo: PIL.Image.Image, rows: Sequence[PlannedRow]) -> None:
        """Nothing."""

    def make(self, prepared: None, rows: Sequence[PlannedRow], seeds: Sequence[int]) -> list[Made | None]:
        """The same image for every row."""
        return [self.made] * len(rows)

    def to_json(self) -> dict[str, Any]:
        """The name."""
        return {"backend": "free"}


@app.command()
def bookkeeping(
    output: Annotated[Path, typer.Option(help="JSON file to write.")],
    rows: Annotated[int, typer.Option(help="Planned rows of the large run.")] = 100_000,
    small_rows: Annotated[int, typer.Option(help="Planned rows of the small run, for memory.")] = 10_000,
    authors_seconds: Annotated[
        float, typer.Option(help="Time for the same rows in the authors' way, whose cost grows with the square.")
    ] = 120,
) -> None:
    """Time, disk and memory of the bookkeeping alone; beside it, the same rows in the authors' way."""
    small, large = measure(small_rows), measure(rows)
    authors = rewrite_index(rows, authors_seconds)
    results = {
        "ours": large,
        "ours_small": small,
        "memory_growth_mb": large["peak_mb"] - small["peak_mb"],
        "authors": authors,
        "authors_extrapolated_seconds": extrapolate(authors, rows),
    }
    table = [
        ["seconds", large["seconds"], "under 60"],
        ["MB beyond the images", large["megabytes_beyond_images"], "under 100"],
        [f"more memory in MB than for {small_rows} rows", results["memory_growth_mb"], "-50 to 50"],
    ]
    print(format_table([f"{large['rows']} rows", "measured", "goal for 100 000 rows"], table))
    print(format_table(["rows", "seconds", "in the authors' way"], compare(large, authors)))
    print(
        f"The authors' way came to {authors['rows']} rows; at this growth {rows} take "
        f"{results['authors_extrapolated_seconds'] / 3600:.1f} h."
    )
    write_results(results, output, plot(large, authors, rows))


def measure(rows: int) -> dict[str, Any]:
    """`make_free_dataset` in a process of its own, so that its peak memory is its own."""
    command = [sys.executable, __file__, "free", str(rows)]
    result = subprocess.run(command, check=True, stdout=subprocess.PIPE, text=True)
    return json.loads(result.stdout.splitlines()[-1])


@app.command(name="free", hidden=True)
def make_free_dataset(rows: int) -> None:
    """Plan and write rows that cost nothing to make; print what the rest costs, as JSON."""
    start = time.perf_counter()
    curve: list[tuple[int, float]] = [(0, 0.0)]
    decided = 0

    def report(new: int, accepted: int) -> None:
        nonlocal decided
        decided += new
        if decided % max(1, rows // CHECKPOINTS) == 0:
            curve.append((decided, time.perf_counter() - start))

    with tempfile.TemporaryDirectory() as scratch:
        folder = Path(scratch) / "gends"
        source, backend = FreePhotos(-(-rows // 5)), FreeBackend()
        plan = make_plan(index_scenes(source).scenes, PlanConfig(rows_per_shard=ROWS_PER_SHARD))
        settings = plan.to_json() | backend.to_json()
        with DatasetFolder.open(folder, settings, plan.shards()) as dataset:
            for shard in dataset.missing():
                make_shard(Job(plan, source, BackendConfig(), folder), shard, backend, report)
            manifest = dataset.finalise()
        seconds = time.perf_counter() - start
        result = {
            "rows": sum(manifest.rows.values()),
            "seconds": seconds,
            "megabytes_beyond_images": bytes_beyond_images(folder) / 1e6,
            "peak_mb": resource.getrusage(resource.RUSAGE_SELF).ru_maxrss * BYTES_PER_UNIT / 1e6,
            "curve": curve,
        }
    print(json.dumps(result))


def bytes_beyond_images(folder: Path) -> int:
    """Size of a data set without its image columns."""
    size = sum(path.stat().st_size for path in folder.rglob("*") if path.is_file())
    for path in folder.glob("data/*.parquet"):
        metadata = pq.ParquetFile(path).metadata
        for group in range(metadata.num_row_groups):
            columns = [metadata.row_group(group).column(index) for index in range(metadata.num_columns)]
            size -= sum(c.total_compressed_size for c in columns if c.path_in_schema.split(".")[0] in IMAGE_COLUMNS)
    return size


def rewrite_index(rows: int, seconds: float) -> dict[str, Any]:
    """The authors' bookkeeping: one JSON list, written anew after every image, until the time is over."""
    start = time.perf_counter()
    curve: list[tuple[int, float]] = [(0, 0.0)]
    entries: list[dict[str, Any]] = []
    with tempfile.TemporaryDirectory() as scratch:
        path = Path(scratch) / "index.json"
        for number in range(1, rows + 1):
            entries.append(
                {
                    "image_path": f"generated/haze/{number:06d}.png",
                    "target_path": f"clean/{number:06d}.png",
                    "dataset": "photos",
                    "degradation": "haze",
                    "category": "Synthetic",
                    "degradation_sub_type": "haze",
                    "split": "train",
                    "mu": 0.1 + number * 1e-7,
                    "sigma": 0.05 + number * 1e-7,
                    "random_sampled": False,
                    "sampled_dataset": "RESIDE",
                }
            )
            path.write_text(json.dumps(entries))
            passed = time.perf_counter() - start
            if passed - curve[-1][1] > seconds / CHECKPOINTS or number == rows or passed > seconds:
                curve.append((number, passed))
            if passed > seconds:
                break
    return {"rows": len(entries), "curve": curve}


def compare(ours: dict[str, Any], authors: dict[str, Any]) -> list[list[Any]]:
    """Seconds of both ways at the same numbers of rows, as far as the authors' way came."""
    rows, seconds = np.array(ours["curve"]).T
    return [[number, float(np.interp(number, rows, seconds)), passed] for number, passed in authors["curve"][1:]]


def extrapolate(authors: dict[str, Any], rows: int) -> float:
    """Seconds of the authors' way for more rows: each image costs in proportion to those before it."""
    measured, seconds = authors["curve"][-1]
    return float(seconds * (rows / measured) ** 2)


def plot(ours: dict[str, Any], authors: dict[str, Any], rows: int) -> Figure:
    """Both growth curves, and the authors' carried on."""
    figure = Figure(figsize=(7, 4.5))
    axes = figure.subplots()
    measured, seconds = np.array(authors["curve"][1:]).T
    beyond = np.geomspace(measured[-1], rows, 50)
    axes.plot(*np.array(ours["curve"][1:]).T, label="shards", color="#1f6fb4", linewidth=2)
    axes.plot(measured, seconds, label="one index, rewritten at every image", color="#c0392b", linewidth=2)
    axes.plot(beyond, seconds[-1] * (beyond / measured[-1]) ** 2, "--", color="#c0392b", label="the same, extrapolated")
    axes.set(xscale="log", yscale="log", xlabel="rows", ylabel="seconds", title="Bookkeeping of a data set")
    axes.legend(frameon=False)
    return figure


if __name__ == "__main__":
    app()
