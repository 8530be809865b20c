"""`gendeg demo`: six degradations of a photo at two severities, with a contact sheet and a table."""

from collections.abc import Iterator
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer

from gendeg.cli.degrade import MODEL

if TYPE_CHECKING:
    import PIL.Image

    from gendeg.cli.contact_sheet import Sample

STRENGTHS = {"mild": 0.35, "strong": 0.9}  # quantiles of mu in the published prior


def demo(
    photo: Annotated[Path | None, typer.Argument(help="A photo of your own. [default: a sample photo]")] = None,
    output: Annotated[Path, typer.Option("--output", "-o", help="Folder for the pictures.")] = Path("gendeg-demo"),
    model: Annotated[str, typer.Option(help="As in gendeg degrade.")] = MODEL,
    seed: Annotated[int, typer.Option(min=0, help="Of the noise.")] = 0,
) -> None:
    """Degrade one photo in six ways, mildly and strongly: offline, on a CPU, in about a minute.

        gendeg demo
        gendeg demo my-photo.jpg -o my-demo/

    Writes the twelve pictures, `contact_sheet.png`, and `severities.csv` with requested and achieved severities.
    """
    import csv

    from gendeg.cli.contact_sheet import draw_contact_sheet
    from gendeg.files import whole_file
    from gendeg.imaging import read_image, write_image

    clean = read_image(photo) if photo else sample_photo()
    write_image(clean, output / "clean.png")
    samples = []
    for sample in _degrade(clean, model, seed):
        write_image(sample.image, output / sample.file_name)
        samples.append(sample)
        typer.echo(
            f"{sample.degradation:12} {sample.strength:7} requested {sample.requested}; achieved {sample.achieved}"
        )

    sheet, table = output / "contact_sheet.png", output / "severities.csv"
    with whole_file(sheet) as temporary:
        draw_contact_sheet(clean, samples, credit=None if photo else CREDIT).savefig(temporary)
    with whole_file(table) as temporary, temporary.open("w", newline="") as file:
        _write_table(csv.writer(file), samples)
    typer.echo(f"\nContact sheet: {sheet}\nTable:         {table}")
    typer.echo(f"Pictures:      {output}/")


def _write_table(writer: Any, samples: "list[Sample]") -> None:
    writer.writerow(["file_name", "degradation", "requested_mu", "requested_sigma", "achieved_mu", "achieved_sigma"])
    for sample in samples:
        numbers = (sample.requested.mu, sample.requested.sigma, sample.achieved.mu, sample.achieved.sigma)
        writer.writerow([sample.file_name, sample.degradation, *(f"{number:.5f}" for number in numbers)])


CREDIT = "Photo: danielbuechele, CC BY 2.0, from the samples of scikit-learn."


def sample_photo() -> "PIL.Image.Image":
    """A pagoda above a lake: near, far, sky and detail in one photo (640 x 427)."""
    import PIL.Image
    from sklearn.datasets import load_sample_image

    return PIL.Image.fromarray(load_sample_image("china.jpg"))


def _degrade(clean: "PIL.Image.Image", model: str, seed: int) -> "Iterator[Sample]":
    """Two severities of each degradation: a mild and a strong mu of the published prior, with the usual sigma there."""
    import torch

    from gendeg import Degradation, SeverityPrior
    from gendeg.cli.contact_sheet import Sample
    from gendeg.cli.generator import load_pipeline
    from gendeg.severity import MU_RANGE, severity_bins

    prior, pipe = SeverityPrior.published(), load_pipeline(model, None)
    prepared = pipe.prepare_images(clean)
    for degradation in Degradation:
        mus = prior.mu_quantiles(degradation, list(STRENGTHS.values()))
        sigmas = prior.sigma_quantiles(degradation, [0.5])[severity_bins(mus, MU_RANGE), 0]
        for strength, mu, sigma in zip(STRENGTHS, mus, sigmas, strict=True):
            out = pipe(prepared, degradation, float(mu), float(sigma), generator=torch.Generator().manual_seed(seed))
            yield Sample(degradation.value, strength, out.images[0], out.requested[0], out.achieved[0])
