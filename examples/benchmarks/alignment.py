"""How close each alignment brings a generated image to the truth, with the checkpoint's autoencoder.

python examples/benchmarks/alignment.py --photos path/to/photos --output runs/benchmarks/alignment.json

Photos that the checkpoint has not seen are degraded by the simulators. `D(E(degraded))` stands for a perfectly
generated image: what separates it from `degraded` is the autoencoder's loss alone. The table holds the PSNR of each
alignment's result against `degraded`. The line below it says how often `transfer` returns the clean photo bit for bit
where the generated latent is the clean one's.
"""

from pathlib import Path
from typing import Annotated

import numpy as np
import torch
import typer
from common import (
    Model,
    Photos,
    Sample,
    Seed,
    draw_samples,
    format_table,
    load_pipeline,
    read_photos,
    simulate_sample,
    write_results,
)
from matplotlib.figure import Figure
from torch import Tensor
from tqdm import tqdm

from gendeg import Degradation, GenDegPipeline, StructureCorrectionModule
from gendeg.imaging import resize
from gendeg.pipelines.alignment import transfer_detail
from gendeg.pipelines.prepared import PreparedImage

Table = dict[str, dict[str, float]]


def psnr(image: Tensor, reference: Tensor) -> float:
    """Peak signal-to-noise ratio of images in [0, 1], in dB."""
    return -10 * (image - reference).square().mean().log10().item()


def correct(scm: StructureCorrectionModule, clean: Tensor, generated: Tensor) -> Tensor:
    """The Structure Correction Module's result for images (3, H, W) in [0, 1]."""
    return (scm(clean[None] * 2 - 1, generated[None] * 2 - 1)[0] / 2 + 0.5).clamp(0, 1)


def align_every_way(
    photo: PreparedImage, generated: Tensor, scm: StructureCorrectionModule | None
) -> dict[str, Tensor]:
    """A generated image (3, h, w) aligned by every method, each (3, H, W)."""
    clean, own_size = photo.clean, (photo.clean.shape[-2], photo.clean.shape[-1])
    results = {
        "plain decode": resize(generated, own_size),
        "plain residual": (clean + resize(generated, own_size) - resize(photo.reconstruction, own_size)).clamp(0, 1),
        "transfer": transfer_detail(clean, photo.reconstruction, generated),
    }
    if scm is not None:
        corrected = correct(scm, photo.working, generated)
        corrected_reconstruction = correct(scm, photo.working, photo.reconstruction)
        results["scm"] = resize(corrected, own_size)
        results["scm, then transfer"] = transfer_detail(clean, corrected_reconstruction, corrected)
        results["transfer, then scm"] = correct(scm, clean, results["transfer"])
    return results


@torch.no_grad()
def score(pipe: GenDegPipeline, photos: Tensor, samples: list[Sample]) -> Table:
    """Mean PSNR of each method, per degradation and over all six."""
    scores: dict[str, dict[str, list[float]]] = {}
    for sample in tqdm(samples, desc="aligning", unit="image"):
        clean = photos[sample.photo]
        degraded = simulate_sample(clean, sample)
        prepared, generated = pipe.prepare_images([clean, degraded])
        for method, image in align_every_way(prepared, generated.reconstruction, pipe.scm).items():
            row = scores.setdefault(method, {degradation.value: [] for degradation in Degradation})
            row[sample.degradation].append(psnr(image, degraded))
    table = {method: {name: float(np.mean(v)) for name, v in row.items()} for method, row in scores.items()}
    return {method: row | {"mean": float(np.mean(list(row.values())))} for method, row in table.items()}


def exact_share(pipe: GenDegPipeline, photos: Tensor) -> float:
    """How often `transfer` returns the photo itself where the generated latent is the clean one."""
    prepared = [pipe.prepare_images(photo)[0] for photo in photos]
    exact = [
        torch.equal(transfer_detail(p.clean, p.reconstruction, p.reconstruction.clone()), p.clean) for p in prepared
    ]
    return float(np.mean(exact))


def draw_figure(table: Table) -> Figure:
    """One group of bars per degradation."""
    figure = Figure(figsize=(10, 4), layout="constrained")
    axis = figure.subplots()
    columns = list(next(iter(table.values())))
    width = 0.8 / len(table)
    for i, (method, row) in enumerate(table.items()):
        axis.bar(np.arange(len(columns)) + (i - (len(table) - 1) / 2) * width, list(row.values()), width, label=method)
    axis.set_xticks(range(len(columns)), [column.replace("_", " ") for column in columns])
    axis.set(ylabel="PSNR (dB)", ylim=(min(min(row.values()) for row in table.values()) - 2, None))
    axis.legend(ncols=3, fontsize=8)
    return figure


def main(
    photos: Photos,
    output: Annotated[Path, typer.Option(help="JSON file to write; the figure is written beside it.")],
    model: Model = None,
    count: Annotated[int, typer.Option(help="Number of samples, shared by the six degradations.")] = 240,
    seed: Seed = 0,
) -> None:
    """Measure all alignments and print a table."""
    pipe = load_pipeline(model)
    pictures = read_photos(photos)
    table = score(pipe, pictures, draw_samples(count, len(pictures), seed))
    exact = exact_share(pipe, pictures)
    print(format_table(["PSNR, dB", *table["transfer"]], [[method, *row.values()] for method, row in table.items()]))
    print(f"transfer returns the clean photo bit for bit: {exact:.0%} of {len(pictures)} photos")
    write_results({"count": count, "seed": seed, "psnr": table, "exact_share": exact}, output, draw_figure(table))


if __name__ == "__main__":
    typer.run(main)
