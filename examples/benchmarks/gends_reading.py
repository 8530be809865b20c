"""Images a second from GenDS shards, map-style and streaming, against a plain folder of the same files.

python examples/benchmarks/gends_reading.py --photos photos/ --output runs/benchmarks/gends_reading.json
"""

import resource
import statistics
import tempfile
import time
from collections.abc import Callable, Iterable, Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Annotated, Any

import numpy as np
import PIL.Image
import typer
from common import Photos, format_table, write_results
from torch.utils.data import DataLoader, Dataset

import gendeg
from gendeg.data.gends.images import encode_image
from gendeg.data.gends.schema import Row
from gendeg.degradations import Degradation
from gendeg.imaging import find_images, read_image
from gendeg.synthesis.folder import DatasetFolder
from gendeg.synthesis.shards import Shard, cut_shards, write_shard

SHARDS = 8  # streaming workers share them
SHUFFLE_BUFFER = 200  # rows that a streaming reader holds back to draw from
PLAIN = "plain folder"
Pair = tuple[np.ndarray, np.ndarray]


class PairFolder(Dataset):
    """The plain way: `input/` and `target/`, files of the same name."""

    def __init__(self, folder: Path):
        self.names = sorted((folder / "input").iterdir())

    def __len__(self) -> int:
        return len(self.names)

    def __getitem__(self, index: int) -> Pair:
        degraded = self.names[index]
        return read_array(degraded), read_array(degraded.parents[1] / "target" / degraded.name)


def read_array(path: Path) -> np.ndarray:
    """An image file as uint8 array (H, W, 3)."""
    with PIL.Image.open(path) as image:
        return np.asarray(image.convert("RGB"))


def to_arrays(rows: list[dict[str, Any]]) -> list[Pair]:
    """Decoded rows of GenDS, which are RGB, as arrays."""
    return [(np.asarray(row["degraded"]), np.asarray(row["target"])) for row in rows]


def make_files(photos: Iterable[Path], folder: Path, size: int, pairs: int) -> None:
    """Write the same PNG files as a GenDS data set in `gends/` and as a plain folder in `plain/`."""
    images = [square(read_image(path), size) for path, _ in zip(photos, range(-(-pairs // 5)), strict=False)]
    count = min(pairs, 5 * len(images))
    shards = cut_shards({"train": count}, -(-count // SHARDS))
    for name in ("input", "target"):
        (folder / "plain" / name).mkdir(parents=True)

    def rows(shard: Shard) -> Iterator[Row]:
        for number in range(shard.start, shard.stop):
            target = images[number // 5]
            dimmed = target.point([value * (9 - number % 5) // 10 for value in range(256)] * 3)
            files = {"input": encode_image(dimmed), "target": encode_image(target)}
            for name, data in files.items():
                (folder / "plain" / name / f"{number:06d}.png").write_bytes(data)
            yield Row(
                row=number,
                mixture=(Degradation.LOW_LIGHT,),
                scene_id=str(number // 5),
                source_set="",
                origin="generated",
                degraded=files["input"],
                target=files["target"],
            )

    with DatasetFolder.open(folder / "gends", {"benchmark": "reading"}, shards) as output:
        for shard in output.missing():
            write_shard(output.path, shard, rows(shard))
        output.finalise()


def square(photo: PIL.Image.Image, size: int) -> PIL.Image.Image:
    """The photo's middle, resized."""
    side = min(photo.size)
    left, top = (photo.width - side) // 2, (photo.height - side) // 2
    return photo.crop((left, top, left + side, top + side)).resize((size, size), PIL.Image.Resampling.LANCZOS)


@dataclass(frozen=True)
class Pass:
    """Everything read once by one reader; the workers' start counts.

    Attributes:
        images_per_second: by the clock.
        cpu_ms: processor time of an image in this process and its workers; hardly depends on what else is running.
    """

    images_per_second: float
    cpu_ms: float


def read_once(make_loader: Callable[[], DataLoader]) -> Pass:
    """Read everything that a loader gives."""
    clock, cpu = time.perf_counter(), cpu_seconds()
    images = sum(2 * len(batch) for batch in make_loader())
    return Pass(images / (time.perf_counter() - clock), 1000 * (cpu_seconds() - cpu) / images)


def cpu_seconds() -> float:
    """Processor time of this process and of its workers that have ended."""
    usages = [resource.getrusage(who) for who in (resource.RUSAGE_SELF, resource.RUSAGE_CHILDREN)]
    return sum(usage.ru_utime + usage.ru_stime for usage in usages)


def main(
    photos: Photos,
    output: Annotated[Path, typer.Option(help="JSON file to write.")],
    pairs: Annotated[int, typer.Option(help="Pairs to make.")] = 1500,
    size: Annotated[int, typer.Option(help="Side of the images in pixels.")] = 256,
    workers: Annotated[int, typer.Option(help="Processes that read.")] = 2,
    rounds: Annotated[int, typer.Option(help="Times that each reader reads everything, in turn.")] = 5,
) -> None:
    """Make both, read both in turn, print the medians."""
    with tempfile.TemporaryDirectory() as scratch:
        folder = Path(scratch)
        make_files(find_images(photos), folder, size, pairs)
        arguments = {"data_dir": str(folder / "gends"), "split": "train", "columns": ["degraded", "target"]}
        arguments |= {"cache_dir": str(folder / "cache")}
        mapped = gendeg.load_dataset("gends", **arguments)
        stream = gendeg.load_dataset("gends", **arguments, streaming=True)
        mixed = stream.shuffle(seed=0, buffer_size=SHUFFLE_BUFFER)
        one_by_one = stream.shuffle(seed=0, buffer_size=SHUFFLE_BUFFER, max_buffer_input_shards=1)
        options = {"batch_size": 16, "num_workers": workers}
        readers = {
            PLAIN: lambda: DataLoader(PairFolder(folder / "plain"), shuffle=True, collate_fn=list, **options),
            "GenDS, map-style": lambda: DataLoader(mapped, shuffle=True, collate_fn=to_arrays, **options),
            "GenDS, streaming": lambda: DataLoader(mixed, collate_fn=to_arrays, **options),
            "GenDS, streaming, one shard at a time": lambda: DataLoader(one_by_one, collate_fn=to_arrays, **options),
        }
        passes: dict[str, list[Pass]] = {name: [] for name in readers}
        for _ in range(rounds):
            for name, make_loader in readers.items():
                passes[name].append(read_once(make_loader))
    speeds = {name: statistics.median(one.images_per_second for one in done) for name, done in passes.items()}
    cpu = {name: statistics.median(one.cpu_ms for one in done) for name, done in passes.items()}
    rows = [(name, round(speeds[name]), f"{speeds[name] / speeds[PLAIN]:.2f} x", cpu[name]) for name in readers]
    print(format_table(["reader", "images / s", "of the folder (goal: 1.00 x)", "CPU ms / image"], rows))
    results = {"pairs": pairs, "size": size, "workers": workers, "images_per_second": speeds, "cpu_ms": cpu}
    write_results(results, output)


if __name__ == "__main__":
    typer.run(main)
