"""What the benchmarks share: a checkpoint, photos it has not seen, requests from the prior, and results on disk."""

import json
import os
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Annotated, Any

import torch
import typer
from matplotlib.figure import Figure
from torch import Tensor
from tqdm import tqdm

from gendeg import Degradation, GenDegOutput, GenDegPipeline, SeverityPrior, checkpoint, simulate
from gendeg.data.photos import list_photos
from gendeg.degradations import parse_mixture
from gendeg.imaging import read_image, resize, to_tensor

THREADS = 2  # the numbers of the model card are measured on two cores
SIZE = 256

Photos = Annotated[Path, typer.Option(help="Folder of photos; those of the validation split are used.")]
Model = Annotated[Path | None, typer.Option(help="Folder of a pipeline; by default the packaged gendeg-tiny.")]
Seed = Annotated[int, typer.Option(help="Decides requests and noise.")]


@dataclass(frozen=True)
class Sample:
    """A request for one photo.

    Attributes:
        photo: index into the photos.
        degradation: what to add, e.g. `"haze"` or `"rain+haze"`.
        mu, sigma: requested severity.
        seed: of the noise, so that a sample is the same in every batch.
    """

    photo: int
    degradation: str
    mu: float
    sigma: float
    seed: int


def load_pipeline(model: Path | None) -> GenDegPipeline:
    """The pipeline in a folder, or the packaged one, on two CPU threads."""
    torch.set_num_threads(THREADS)
    pipe = GenDegPipeline.from_pretrained(model or checkpoint("gendeg-tiny"))
    pipe.set_progress_bar_config(disable=True)
    return pipe


def read_photos(folder: Path, split: str = "validation", size: int = SIZE) -> Tensor:
    """The middle square of every photo of a split, resized: (N, 3, size, size) in [0, 1]."""
    paths = tqdm(list_photos([folder], split), desc=f"{split} photos")
    return torch.stack([centre_square(to_tensor(read_image(path)), size) for path in paths])


def centre_square(photo: Tensor, size: int) -> Tensor:
    """Resize the short side of a photo (3, H, W) to `size` and cut out the middle square."""
    height, width = photo.shape[-2:]
    scale = size / min(height, width)
    photo = resize(photo, (round(height * scale), round(width * scale)))
    top, left = (photo.shape[-2] - size) // 2, (photo.shape[-1] - size) // 2
    return photo[:, top : top + size, left : left + size]


def draw_samples(
    count: int, photo_count: int, seed: int, degradations: Sequence[str] = tuple(Degradation)
) -> list[Sample]:
    """Requests from the published prior, equally many for each degradation, over the photos in turn.

    A mixture gets the severities of its leading degradation.
    """
    prior = SeverityPrior.published()
    each = -(-count // len(degradations))
    severities = {d: prior.sample(parse_mixture(d)[0], each, seed=seed + i) for i, d in enumerate(degradations)}
    samples = []
    for k in range(count):
        degradation = degradations[k % len(degradations)]
        mu, sigma = severities[degradation][k // len(degradations)]
        samples.append(Sample(k % photo_count, degradation, float(mu), float(sigma), seed=seed * 100_000 + k))
    return samples


def simulate_sample(photo: Tensor, sample: Sample) -> Tensor:
    """What a physical model makes of a sample's photo (3, H, W)."""
    request = (sample.degradation, sample.mu, sample.sigma)
    return simulate(photo, *request, seed=sample.seed, output_type="pt").images[0]


def generate(
    pipe: GenDegPipeline, photos: Tensor, samples: Sequence[Sample], batch_size: int, **settings: Any
) -> Iterator[tuple[Sample, Tensor, Tensor]]:
    """Each sample with its degraded image and target, both (3, H, W) in [0, 1]."""
    for start in tqdm(range(0, len(samples), batch_size), desc="generating", unit="batch"):
        batch = samples[start : start + batch_size]
        output = generate_batch(pipe, photos, batch, **settings)
        yield from zip(batch, output.images, output.targets, strict=True)


def generate_batch(pipe: GenDegPipeline, photos: Tensor, batch: Sequence[Sample], **settings: Any) -> GenDegOutput:
    """Samples generated together; images and targets are tensors."""
    return pipe(
        [photos[sample.photo] for sample in batch],
        [sample.degradation for sample in batch],
        [sample.mu for sample in batch],
        [sample.sigma for sample in batch],
        generator=[torch.Generator().manual_seed(sample.seed) for sample in batch],
        output_type="pt",
        **settings,
    )


def format_table(header: Sequence[str], rows: Sequence[Sequence[Any]]) -> str:
    """A table for the terminal and for Markdown; floats get three digits."""
    cells = [list(header), *([f"{c:.3f}" if isinstance(c, float) else str(c) for c in row] for row in rows)]
    widths = [max(len(row[i]) for row in cells) for i in range(len(header))]
    lines = [
        "| " + " | ".join(cell.ljust(width) for cell, width in zip(row, widths, strict=True)) + " |" for row in cells
    ]
    lines.insert(1, "|" + "|".join("-" * (width + 2) for width in widths) + "|")
    return "\n".join(lines)


def write_results(results: dict[str, Any], path: Path, figure: Figure | None = None) -> None:
    """Write the numbers as JSON, and the figure beside it as PNG; each file is whole or absent."""
    path.parent.mkdir(parents=True, exist_ok=True)
    temporary = path.with_name(f".{path.name}.tmp")
    temporary.write_text(json.dumps(results, indent=2))
    os.replace(temporary, path)
    if figure is not None:
        picture = temporary.with_suffix(".png")
        figure.savefig(picture, dpi=150, bbox_inches="tight")
        os.replace(picture, path.with_suffix(".png"))
    print(f"Wrote {path}")
