"""`gendeg prior`: look at, draw from, and make severity priors."""

from collections.abc import Iterator
from pathlib import Path
from typing import Annotated, Any, Literal

import typer

from gendeg.cli.options import PriorFile, Seed, open_prior

prior_app = typer.Typer(
    no_args_is_help=True,
    rich_markup_mode="markdown",
    help="How strong degradations are: show, draw from, measure or convert a prior.",
)

Mode = Literal["paper", "official"]  # what one draw in 20 redraws at random
FIGURE_SUFFIXES = (".png", ".pdf", ".svg")

PriorMode = Annotated[
    Mode,
    typer.Option(help="One draw in 20 is random: paper redraws sigma, official (the authors' program) mu and sigma."),
]


@prior_app.command()
def show(
    degradations: Annotated[list[str] | None, typer.Argument(help="Which ones. [default: all]")] = None,
    output: Annotated[Path, typer.Option("--output", "-o", help="Figure to write: .png, .pdf or .svg.")] = Path(
        "prior.png"
    ),
    prior: PriorFile = None,
) -> None:
    """Draw a prior, and list its source sets.

    All of the published prior, or some degradations of your own:

        gendeg prior show -o prior.png
        gendeg prior show haze rain --prior my-prior.json -o prior.pdf

    Left: how often each mu occurs, by source set. Right: sigma given mu.
    """
    from gendeg.degradations import parse_mixture
    from gendeg.errors import InputError
    from gendeg.files import whole_file
    from gendeg.priors.figure import plot_prior

    known = open_prior(prior)
    names = [parse_mixture(name)[0] for name in degradations] if degradations else list(known.degradations)
    if output.suffix.lower() not in FIGURE_SUFFIXES:
        raise InputError(f"{output}: unknown figure format; use {', '.join(FIGURE_SUFFIXES)}.")
    figure = plot_prior(known, names)
    with whole_file(output) as temporary:
        figure.savefig(temporary)
    for name in names:
        low, middle, high = known.mu_quantiles(name, (0.05, 0.5, 0.95))
        typer.echo(f"{name.value}: mu {middle:.3f} (5-95 %: {low:.3f}-{high:.3f})")
        for source in known.statistics[name].sets:
            typer.echo(f"  {source.name:16} weight {source.weight:<6g} {source.pairs:>7} pairs")
    typer.echo(f"Figure: {output}")


@prior_app.command()
def sample(
    degradation: Annotated[str, typer.Argument(help="Name of the degradation.")],
    number: Annotated[int, typer.Option("--number", "-n", help="How many.")] = 10,
    seed: Seed = 0,
    prior: PriorFile = None,
    mode: Annotated[
        Mode | None, typer.Option(help="What a random draw redraws, see measure. [default: the prior's own]")
    ] = None,
) -> None:
    """Draw severities; prints mu,sigma lines.

    A table of a thousand:

        gendeg prior sample haze -n 1000 --seed 1 > severities.csv
    """
    from gendeg.priors import SeverityPrior

    known = open_prior(prior)
    if mode is not None:
        known = SeverityPrior(known.statistics, mode, known.random_fraction)
    draws = known.sample(degradation, number, seed)
    typer.echo("mu,sigma")
    for mu, sigma in draws:
        typer.echo(f"{mu:.6f},{sigma:.6f}")


@prior_app.command()
def measure(
    pairs: Annotated[
        Path,
        typer.Argument(
            help="An index of pairs (.parquet), see gendeg prepare; or folders: "
            "`<degradation>/<set>/{input,target}/`, or `input/` and `target/`."
        ),
    ],
    output: Annotated[Path, typer.Option("--output", "-o", help="JSON file to write.")],
    degradation: Annotated[
        str | None, typer.Option("--degradation", "-d", help="Of all pairs. [default: the folder of that name tells]")
    ] = None,
    mode: PriorMode = "paper",
    resize_to_256: Annotated[
        bool,
        typer.Option(
            "--resize-to-256",
            help="Resize each pair to 256 x 256 pixels before it is measured, as the original program of the authors "
            "does. By default pairs are measured at their own size.",
        ),
    ] = False,
) -> None:
    """Measure the prior of pairs of degraded and clean images.

    Measure it once, and use it wherever severities are drawn:

        gendeg prior measure my-pairs/ -o my-prior.json
        gendeg degrade photos/ -d rain --prior my-prior.json -o out/

    Pairs that cannot be read are listed at the end, and the exit status is 1. The pairs of an index are measured
    already, so that no image is read:

        gendeg prepare RealRain1k data/RealRain-1k/ -o data/pairs.parquet
        gendeg prior measure data/pairs.parquet -o my-prior.json
    """
    from gendeg.errors import ImageError
    from gendeg.priors import SeverityPrior
    from gendeg.priors.statistics import measure_pairs

    found = _find_pairs(pairs, degradation)
    failures: list[str] = []
    measured = measure_pairs(found if pairs.is_file() else _readable(found, failures), resize_to_256)
    if found and len(failures) == len(found):
        raise ImageError("\n".join([f"None of the {len(found)} pairs in {pairs} could be used:", *failures]))
    known = SeverityPrior.from_severities(*measured, mode=mode)
    known.save(output)
    typer.echo(f"{output}: measured on {len(found) - len(failures)} pairs; look at it with")
    typer.echo(f"  gendeg prior show --prior {output} -o prior.png")
    if failures:
        typer.secho(
            "\n".join([f"Pairs that could not be used: {len(failures)}", *failures]), fg=typer.colors.RED, err=True
        )
        raise typer.Exit(1)


def _find_pairs(pairs: Path, degradation: str | None) -> list[Any]:
    """The pairs of an index, with their severity, or of folders."""
    from gendeg.data.pair_index import read_index
    from gendeg.data.paired import list_pairs
    from gendeg.errors import InputError

    if not pairs.is_file():
        return list_pairs(pairs, degradation)
    if degradation:
        raise InputError(f"--degradation is for folders; the index {pairs} says what degrades each pair.")
    return read_index(pairs)


def _readable(pairs: list[Any], failures: list[str]) -> Iterator[tuple[Any, Any, Any, str]]:
    """Pairs that can be read and have one size; the others are noted in `failures`."""
    from gendeg.data.paired import read_pair
    from gendeg.errors import ImageError
    from gendeg.progress import progress_bar

    for pair in progress_bar(len(pairs), "pair", iterable=pairs):
        try:
            clean, degraded = read_pair(pair)
        except ImageError as error:
            failures.append(f"  {error}")
            continue
        yield clean, degraded, pair.mixture, pair.degraded.parent.parent.name


@prior_app.command("convert")
def convert_prior(
    folder: Annotated[
        Path, typer.Argument(help="The authors' folder of JSON histograms, one sub-folder a degradation.")
    ],
    output: Annotated[Path, typer.Option("--output", "-o", help="JSON file to write.")],
    mode: PriorMode = "official",
) -> None:
    """Turn the authors' prior files into one file that `--prior` takes.

    Their program keeps them in its folder `data`:

        gendeg prior convert GenDeg/data -o official.json
    """
    from gendeg.priors import SeverityPrior

    known = SeverityPrior.from_original(folder, mode=mode)
    known.save(output)
    typer.echo(f"{output}: {', '.join(map(str, known.degradations))}")
