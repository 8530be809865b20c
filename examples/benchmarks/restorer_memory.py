"""Peak memory and time for restoring one large photo with default settings, and what tiles change.

python examples/benchmarks/restorer_memory.py --output runs/benchmarks/restorer_memory.json

The large photo is restored in a fresh process. A smaller one is restored in tiles of the same size and whole: the
difference is reported on average, and as the largest jump between neighbouring rows or columns that the tiles add: a
seam would be one.
"""

import multiprocessing
import resource
import time
from pathlib import Path
from typing import Annotated

import PIL.Image
import torch
import typer
from common import THREADS, write_results
from memory import BYTES_PER_UNIT
from sklearn.datasets import load_sample_image
from torch import Tensor

from gendeg import AutoRestorer, checkpoint
from gendeg.imaging import to_tensor
from gendeg.models.memory import automatic_tile
from gendeg.models.restorer import Restorer
from gendeg.models.tiling import OVERLAP


def sample_photo(width: int, height: int) -> PIL.Image.Image:
    """A sample photo of scikit-learn, stretched."""
    return PIL.Image.fromarray(load_sample_image("china.jpg")).resize((width, height))


def load(folder: Path | None) -> Restorer:
    """The restorer in a folder, or the packaged one, on two CPU threads."""
    torch.set_num_threads(THREADS)
    return AutoRestorer.from_pretrained(folder or checkpoint("nafnet-tiny"))


def restore(width: int, height: int, folder: Path | None) -> None:
    """Load the restorer and restore a photo of this size: what a user's program does."""
    load(folder).restore(sample_photo(width, height))


def compare(restorer: Restorer, photo: Tensor, tile: int) -> dict[str, float]:
    """What tiles change in a restored photo (3, H, W), in units of 1/255."""
    whole = restorer.restore(photo, tile=0)
    change = (restorer.restore(photo, tile=tile, overlap=OVERLAP) - whole) * 255
    jumps = [change.diff(dim=dim).abs().mean(dim=(0, 3 - dim)).max().item() for dim in (1, 2)]
    return {"mean_difference": change.abs().mean().item(), "largest_jump": max(jumps)}


def main(
    output: Annotated[Path, typer.Option(help="JSON file to write.")],
    restorer: Annotated[Path | None, typer.Option(help="Its folder; by default the packaged nafnet-tiny.")] = None,
    width: Annotated[int, typer.Option(help="Width of the large photo in pixels.")] = 4000,
    height: Annotated[int, typer.Option(help="Height of the large photo in pixels.")] = 3000,
    compared_width: Annotated[int, typer.Option(help="Width of the photo that is also restored whole.")] = 1800,
) -> None:
    """Restore a photo in a process of its own, read off its peak memory, and compare tiles with the whole."""
    start = time.perf_counter()
    process = multiprocessing.get_context("spawn").Process(target=restore, args=(width, height, restorer))
    process.start()
    process.join()
    if process.exitcode != 0:
        raise typer.Exit(1)
    peak, seconds = resource.getrusage(resource.RUSAGE_CHILDREN).ru_maxrss * BYTES_PER_UNIT, time.perf_counter() - start
    print(f"{width} x {height}: peak {peak / 1e9:.2f} GB, {seconds:.1f} s with imports and loading")

    network = load(restorer)
    with torch.inference_mode():
        tile = automatic_tile(network, height, width, OVERLAP, network.tile_alignment)
    photo = to_tensor(sample_photo(compared_width, compared_width * 3 // 4))
    difference = compare(network, photo, tile)
    print(
        f"tiles of {tile} pixels (0: whole) against the whole photo, of 255: mean difference "
        f"{difference['mean_difference']:.3f}, largest jump {difference['largest_jump']:.3f}"
    )
    results = {"width": width, "height": height, "peak_gb": peak / 1e9, "seconds": seconds, "tile": tile, **difference}
    write_results(results, output)


if __name__ == "__main__":
    typer.run(main)
