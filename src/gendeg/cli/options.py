"""Arguments and options that several verbs share."""

from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

if TYPE_CHECKING:
    from gendeg import SeverityPrior

LARGEST_SEED = 2**63 - 1  # that torch takes everywhere


def _check_seed(seed: int) -> int:
    """Like `min` and `max` of an option, which would widen every help by the digits of the largest seed."""
    if not 0 <= seed <= LARGEST_SEED:
        raise typer.BadParameter(f"{seed} is no seed; give a whole number from 0 to {LARGEST_SEED}.")
    return seed


def _read_output(name: str) -> Path:
    """An empty name, e.g. of a variable that is not set, would be the current folder."""
    if not name:
        raise typer.BadParameter("it is empty; give an image file or a folder.")
    return Path(name)


Photos = Annotated[list[Path], typer.Argument(help="A clean photo, several, or folders of photos.")]
Degradations = Annotated[
    list[str],
    typer.Option(
        "--degradation",
        "-d",
        help="haze, rain, snow, motion_blur, low_light, raindrop, a mixture such as rain+haze, or all. May be given "
        "several times where the output is a folder.",
    ),
]
Output = Annotated[
    Path,
    typer.Option(
        "--output",
        "-o",
        parser=_read_output,
        metavar="PATH",
        help="An image file, replaced if it is there; or a folder.",
    ),
]
Mu = Annotated[
    float | None, typer.Option(help="Mean of |degraded - clean|, 0 to 0.7. Left out, it is drawn from the prior.")
]
Seed = Annotated[
    int,
    typer.Option(
        callback=_check_seed, help="Of everything that is drawn; in a folder each image has its own, made from it."
    ),
]
Device = Annotated[str | None, typer.Option(help="cpu, cuda, cuda:1, mps. [default: cuda where there is one]")]
PriorFile = Annotated[
    Path | None, typer.Option(help="A severity prior of your own, see gendeg prior. [default: the published one]")
]
Overwrite = Annotated[bool, typer.Option("--overwrite", help="Make again what a folder holds already.")]


def open_prior(file: Path | None) -> "SeverityPrior":
    """The prior in a file, or the published one."""
    from gendeg import SeverityPrior

    return SeverityPrior.load(file) if file else SeverityPrior.published()
