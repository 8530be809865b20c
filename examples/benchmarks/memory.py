"""Peak memory and time for one large photo with default settings, in a fresh process.

python examples/benchmarks/memory.py --output runs/benchmarks/memory.json
"""

import multiprocessing
import resource
import sys
import time
from pathlib import Path
from typing import Annotated

import PIL.Image
import typer
from common import Model, load_pipeline, write_results
from sklearn.datasets import load_sample_image

BYTES_PER_UNIT = 1 if sys.platform == "darwin" else 1024  # of ru_maxrss


def degrade(width: int, height: int, model: Path | None) -> None:
    """Load the pipeline and degrade a photo of this size: what a user's program does."""
    photo = PIL.Image.fromarray(load_sample_image("china.jpg")).resize((width, height))
    load_pipeline(model)(photo, "haze", mu=0.2, sigma=0.08)


def main(
    output: Annotated[Path, typer.Option(help="JSON file to write.")],
    model: Model = None,
    width: Annotated[int, typer.Option(help="Width of the photo in pixels.")] = 4000,
    height: Annotated[int, typer.Option(help="Height of the photo in pixels.")] = 3000,
) -> None:
    """Degrade a photo in a process of its own and read off its peak memory."""
    start = time.perf_counter()
    process = multiprocessing.get_context("spawn").Process(target=degrade, args=(width, height, model))
    process.start()
    process.join()
    if process.exitcode != 0:
        raise typer.Exit(1)
    results = {
        "width": width,
        "height": height,
        "peak_gb": resource.getrusage(resource.RUSAGE_CHILDREN).ru_maxrss * BYTES_PER_UNIT / 1e9,
        "seconds": time.perf_counter() - start,
    }
    print(f"{width} x {height}: peak {results['peak_gb']:.2f} GB, {results['seconds']:.1f} s with imports and loading")
    write_results(results, output)


if __name__ == "__main__":
    typer.run(main)
