"""The command line: `gendeg`, one file a verb. Heavy imports wait until a verb runs."""

from gendeg.cli.app import app

__all__ = ["app", "main"]


def main() -> None:
    """Run `gendeg`."""
    app()
