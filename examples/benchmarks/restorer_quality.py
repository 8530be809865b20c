r"""What a restorer gains, per degradation, on photos and real pairs it has not seen; and what it does to clean photos.

python examples/benchmarks/restorer_quality.py --restorer runs/nafnet-tiny --photos path/to/photos \
    --pairs path/to/pairs --output runs/benchmarks/restorer_quality.json

Held-out photos are degraded by the simulators at severities of the published prior. PSNR and SSIM compare 8-bit images
with the clean ones, before and after restoration, and are averaged over images. An image that equals the clean one
counts as 100 dB.
"""

from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Annotated, Any

import numpy as np
import PIL.Image
import torch
import typer
from common import THREADS, Seed, centre_square, draw_samples, format_table, simulate_sample, write_results
from torch import Tensor
from tqdm import tqdm

from gendeg import checkpoint
from gendeg.data.paired import list_pairs, split_pairs
from gendeg.data.photos import list_photos
from gendeg.imaging import read_image, to_pil, to_tensor
from gendeg.models.auto import AutoRestorer
from gendeg.training.metrics import psnr, ssim

Restore = Callable[[PIL.Image.Image], PIL.Image.Image]
Case = tuple[str, Tensor, Tensor]  # what it is, degraded image, clean image
COLUMNS = ("psnr_before", "psnr", "ssim_before", "ssim")


def measure(restore: Restore, degraded: Tensor, clean: Tensor) -> tuple[float, ...]:
    """PSNR and SSIM before and after, of images as they would be saved: `COLUMNS`."""
    before = to_pil(degraded)
    images = [to_tensor(image) for image in (before, restore(before), to_pil(clean))]
    return tuple(score(image, images[2]) for score in (psnr, ssim) for image in images[:2])


def simulated_cases(photos: list[Tensor], count: int, seed: int) -> Iterator[Case]:
    """Photos in turn, degraded as the published prior demands."""
    for sample in draw_samples(count, len(photos), seed):
        clean = photos[sample.photo]
        yield str(sample.degradation), simulate_sample(clean, sample), clean


def pair_cases(folder: Path) -> Iterator[Case]:
    """The held-out pairs of a folder."""
    for pair in split_pairs(list_pairs(folder), "validation"):
        yield (
            f"{'+'.join(pair.mixture)} (pairs)",
            to_tensor(read_image(pair.degraded)),
            to_tensor(read_image(pair.clean)),
        )


def summarize(rows: list[tuple[float, ...]]) -> dict[str, float]:
    """Means over images, and the gain in dB."""
    means = dict(zip(COLUMNS, np.mean(rows, axis=0).tolist(), strict=True))
    return {"images": len(rows)} | means | {"gain": means["psnr"] - means["psnr_before"]}


def main(
    photos: Annotated[Path, typer.Option(help="Folder of photos; those of the validation split are used.")],
    output: Annotated[Path, typer.Option(help="JSON file to write.")],
    restorer: Annotated[Path | None, typer.Option(help="Folder of a restorer; by default nafnet-tiny.")] = None,
    pairs: Annotated[Path | None, typer.Option(help="Folder of pairs; those of the validation split are used.")] = None,
    count: Annotated[int, typer.Option(help="Simulated samples, shared by the six degradations.")] = 240,
    size: Annotated[
        int | None, typer.Option(help="Side of the middle squares of the photos; by default whole.")
    ] = None,
    seed: Seed = 0,
) -> None:
    """Measure and print a table."""
    torch.set_num_threads(THREADS)
    network = AutoRestorer.from_pretrained(restorer or checkpoint("nafnet-tiny"))
    pictures = [to_tensor(read_image(path)) for path in list_photos([photos], "validation")]
    if size is not None:
        pictures = [centre_square(picture, size) for picture in pictures]
    clean = [("clean", picture, picture) for picture in pictures]
    cases = [simulated_cases(pictures, count, seed), clean, pair_cases(pairs) if pairs else []]

    rows: dict[str, list[tuple[float, ...]]] = {}
    for name, degraded, target in tqdm(case for part in cases for case in part):
        rows.setdefault(name, []).append(measure(network.restore, degraded, target))
    summary: dict[str, Any] = {name: summarize(values) for name, values in rows.items()}
    header = ["", *next(iter(summary.values()))]
    print(format_table(header, [[name, *numbers.values()] for name, numbers in summary.items()]))
    write_results({"settings": {"count": count, "size": size, "seed": seed}, "summary": summary}, output)


if __name__ == "__main__":
    typer.run(main)
