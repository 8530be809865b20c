"""A training script as a command."""

import sys
from collections.abc import Iterator
from contextlib import contextmanager

from gendeg.errors import GenDegError

EXIT_ERROR = 2


@contextmanager
def plain_errors() -> Iterator[None]:
    """Write what gendeg raises on purpose to stderr, without traceback, and exit with status 2.

    Raises:
        SystemExit: in place of a `GenDegError`.
    """
    try:
        yield
    except GenDegError as error:
        sys.stderr.write(f"Error: {error}\n")
        raise SystemExit(EXIT_ERROR) from error
