"""The verbs put together, and errors turned into one line."""

from typing import Annotated, Any

import typer
from typer.core import TyperGroup

from gendeg import __version__
from gendeg.cli import exit_status
from gendeg.cli.convert import convert
from gendeg.cli.degrade import degrade
from gendeg.cli.demo import demo
from gendeg.cli.prepare import prepare
from gendeg.cli.prior import prior_app
from gendeg.cli.restore import restore
from gendeg.cli.simulate import simulate
from gendeg.cli.synthesize import synthesize
from gendeg.errors import GenDegError


class PlainErrors(TyperGroup):
    """A command group that prints what gendeg raises on purpose as one red line, without traceback."""

    def invoke(self, ctx: Any) -> Any:
        """Run the verb; exit with status 2 on a `GenDegError`."""
        try:
            return super().invoke(ctx)
        except GenDegError as error:
            typer.secho(f"Error: {error}", fg=typer.colors.RED, err=True)
            raise typer.Exit(exit_status.ERROR) from error


app = typer.Typer(
    cls=PlainErrors,
    no_args_is_help=True,
    rich_markup_mode="markdown",
    context_settings={"help_option_names": ["-h", "--help"]},
    pretty_exceptions_enable=False,
)
app.command()(demo)
app.command()(degrade)
app.command()(restore)
app.command()(simulate)
app.command()(synthesize)
app.command()(prepare)
app.add_typer(prior_app, name="prior")
app.command()(convert)


def _print_version(wanted: bool) -> None:
    if wanted:
        typer.echo(f"gendeg {__version__}")
        raise typer.Exit


@app.callback()
def gendeg(
    version: Annotated[
        bool, typer.Option("--version", callback=_print_version, is_eager=True, help="Print the version.")
    ] = False,
) -> None:
    """Turn clean photos into degraded ones, and back: haze, rain, snow, motion blur, low light, raindrops.

    Start with `gendeg demo`, then `gendeg degrade photo.jpg --degradation haze --mu 0.2 -o out.png` and
    `gendeg restore out.png -o clear.png`.
    Every verb explains itself: `gendeg degrade --help`.
    """
