"""`gendeg demo`: six degradations of a photo at two severities, and their restoration: three sheets and a table."""

from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from gendeg.cli.degrade import MODEL
from gendeg.cli.options import Seed
from gendeg.cli.restore import MODEL as RESTORER

if TYPE_CHECKING:
    import PIL.Image
    from matplotlib.figure import Figure

    from gendeg.cli.contact_sheet import Restoration, Sample
    from gendeg.models.restorer import Restorer
    from gendeg.output import GenDegOutput
    from gendeg.pipelines.gendeg import GenDegPipeline
    from gendeg.pipelines.prepared import PreparedImage

STRENGTHS = {"mild": 0.35, "strong": 0.9}  # quantiles of mu in the published prior
PREVIEW = (1024, 1024)  # largest (width, height) at which pictures are simulated, whose severities are asked for
SIMULATED_NOTE = "Each at two severities, a mild and a strong one of the data sets that restorers are trained on."
DEGRADED_NOTE = (
    "Each at two severities: the mu that the physical models reach (see simulated.png), the usual sigma or less."
)
CREDIT = "Photo: danielbuechele, CC BY 2.0, from the samples of scikit-learn."


def demo(
    photo: Annotated[Path | None, typer.Argument(help="A photo of your own. [default: a sample photo]")] = None,
    output: Annotated[Path, typer.Option("--output", "-o", help="Folder for the pictures.")] = Path("gendeg-demo"),
    model: Annotated[str, typer.Option(help="Generator: a packaged one, a folder, or a name on the hub.")] = MODEL,
    restorer: Annotated[
        str, typer.Option(help="Restorer: likewise, or a checkpoint file of another program.")
    ] = RESTORER,
    seed: Seed = 0,
) -> None:
    """Degrade one photo in six ways, mildly and strongly, and restore it: offline, on a CPU, in about a minute.

    A sample photo, or one of your own:

        gendeg demo
        gendeg demo my-photo.jpg -o my-demo/

    Writes `simulated.png`, what the physical models of `gendeg simulate` make of the photo; twelve pictures with the mu
    that they reached, and the usual sigma or less; `contact_sheet.png`, all of these; the restored ones;
    `restored.png`, each degraded one beside the restored one and the target; and `severities.csv` with requested and
    achieved severities and the PSNR before and after. Each is named as soon as it is there.
    """
    from gendeg.cli.contact_sheet import draw_contact_sheet, draw_restored_sheet
    from gendeg.imaging import read_image, write_image
    from gendeg.pipelines.loading import load_pipeline

    clean = read_image(photo) if photo else sample_photo()
    credit = None if photo else CREDIT
    # before anything is written, so that a wrong name or photo is told at once and leaves no half-made folder
    network, pipe = _load_restorer(restorer), load_pipeline(model, None)
    prepared = pipe.prepare_images(clean)
    write_image(clean, output / "clean.png")
    typer.echo(f"{output / 'clean.png'}: the clean photo")
    simulated = list(_simulate(clean, seed))
    sheet = output / "simulated.png"
    _write_figure(draw_contact_sheet(clean, simulated, "physical models", SIMULATED_NOTE, credit), sheet)
    typer.echo(f"{sheet}: by the physical models of gendeg simulate")
    _tell_limits(simulated)
    typer.echo(f"\nDegraded by {model}:")

    samples = []
    for sample in _degrade(pipe, prepared, simulated, seed):
        path = output / f"{sample.name}.png"
        write_image(sample.image, path)
        samples.append(sample)
        typer.echo(f"{path}: requested {sample.requested}; achieved {sample.achieved}")
    sheet = output / "contact_sheet.png"
    _write_figure(draw_contact_sheet(clean, samples, Path(model).name, DEGRADED_NOTE, credit), sheet)
    typer.echo(f"{sheet}: all of them on one sheet\n\nRestored by {restorer}, PSNR against the target:")

    restorations = []
    for restoration in _restore(samples, network):
        path = output / f"{restoration.sample.name}_restored.png"
        write_image(restoration.image, path)
        restorations.append(restoration)
        typer.echo(f"{path}: {_psnr_text(restoration)}")
    sheet, table = output / "restored.png", output / "severities.csv"
    _write_figure(draw_restored_sheet(restorations, Path(restorer).name, credit), sheet)
    typer.echo(f"{sheet}: degraded, restored and target side by side\n")
    _write_table(restorations, table)
    typer.echo(f"{table}: requested and achieved severities, PSNR before and after")


def sample_photo() -> "PIL.Image.Image":
    """A pagoda above a lake: near, far, sky and detail in one photo (640 x 427)."""
    import PIL.Image
    from sklearn.datasets import load_sample_image

    return PIL.Image.fromarray(load_sample_image("china.jpg"))


def usual_severities() -> "Iterator[tuple[str, str, float, float]]":
    """Two severities of each degradation: a mild and a strong mu of the published prior, with the usual sigma there."""
    from gendeg import Degradation, SeverityPrior
    from gendeg.severity import MU_RANGE, severity_bins

    prior = SeverityPrior.published()
    for degradation in Degradation:
        mus = prior.mu_quantiles(degradation, list(STRENGTHS.values()))
        sigmas = prior.sigma_quantiles(degradation, [0.5])[severity_bins(mus, MU_RANGE), 0]
        for strength, mu, sigma in zip(STRENGTHS, mus, sigmas, strict=True):
            yield degradation.value, strength, float(mu), float(sigma)


def _simulate(clean: "PIL.Image.Image", seed: int) -> "Iterator[Sample]":
    from gendeg import simulate

    clean = clean.copy()
    clean.thumbnail(PREVIEW)
    for degradation, strength, mu, sigma in usual_severities():
        yield _sample(degradation, strength, simulate(clean, degradation, mu, sigma, seed=seed))


def _tell_limits(simulated: "Sequence[Sample]") -> None:
    """Name the severities that the physical models miss on this photo: mild and strong may look the same then."""
    from gendeg.output import MU_TOLERANCE

    for sample in simulated:
        wanted, reached = float(sample.requested.mu), float(sample.achieved.mu)
        if abs(reached - wanted) > MU_TOLERANCE:
            typer.echo(f"  {sample.name}: mu={reached:.3f} is reached on this photo, not {wanted:.3f}")


def _degrade(
    pipe: "GenDegPipeline", prepared: "list[PreparedImage]", simulated: "Sequence[Sample]", seed: int
) -> "Iterator[Sample]":
    """Ask the generator for what the physical models reached: a bright photo cannot have all the snow of a data set.

    Of sigma, it is asked for no more than is usual in the data sets, whose snow is a veil with flakes in it.
    """
    import torch

    from gendeg.severity import MU_RANGE

    for sample in simulated:
        mu = min(float(sample.achieved.mu), MU_RANGE[1])
        sigma = min(float(sample.achieved.sigma), float(sample.requested.sigma))
        out = pipe(prepared, sample.degradation, mu, sigma, generator=torch.Generator().manual_seed(seed))
        yield _sample(sample.degradation, sample.strength, out)


def _sample(degradation: str, strength: str, out: "GenDegOutput") -> "Sample":
    from gendeg.cli.contact_sheet import Sample

    return Sample(degradation, strength, out.images[0], out.targets[0], out.requested[0], out.achieved[0])


def _load_restorer(restorer: str) -> "Restorer":
    from gendeg import AutoRestorer
    from gendeg.models.loading import find_model, quiet_libraries, to_device

    quiet_libraries()
    return to_device(AutoRestorer.from_pretrained(find_model(restorer)), None)


def _restore(samples: "Sequence[Sample]", network: "Restorer") -> "Iterator[Restoration]":
    from gendeg.cli.contact_sheet import Restoration
    from gendeg.imaging import to_tensor
    from gendeg.training.metrics import psnr

    for sample in samples:
        restored = network.restore(sample.image)
        target = to_tensor(sample.target)
        before, after = (psnr(to_tensor(image), target) for image in (sample.image, restored))
        yield Restoration(sample, restored, before, after)


def _psnr_text(restoration: "Restoration") -> str:
    before, after = restoration.psnr_before, restoration.psnr
    return f"{before:.2f} dB, restored {after:.2f} dB ({after - before:+.2f})"


def _write_figure(figure: "Figure", path: Path) -> None:
    from gendeg.files import whole_file

    with whole_file(path) as temporary:
        figure.savefig(temporary)


def _write_table(restorations: "Sequence[Restoration]", path: Path) -> None:
    import csv

    from gendeg.files import whole_file

    numbers = ["requested_mu", "requested_sigma", "achieved_mu", "achieved_sigma", "psnr_before", "psnr_after"]
    with whole_file(path) as temporary, temporary.open("w", newline="") as file:
        writer = csv.writer(file)
        writer.writerow(["file_name", "restored_file_name", "degradation", *numbers])
        for one in restorations:
            sample = one.sample
            severities = (sample.requested.mu, sample.requested.sigma, sample.achieved.mu, sample.achieved.sigma)
            writer.writerow(
                [
                    f"{sample.name}.png",
                    f"{sample.name}_restored.png",
                    sample.degradation,
                    *(f"{number:.5f}" for number in severities),
                    f"{one.psnr_before:.2f}",
                    f"{one.psnr:.2f}",
                ]
            )
