"""Folders and figures that are whole or absent."""

import os
import shutil
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from matplotlib.figure import Figure

from gendeg.errors import InputError


@contextmanager
def new_folder(output: Path) -> Iterator[Path]:
    """A temporary folder to write into, which becomes `output` when the block ends without error.

    Raises:
        InputError: `output` is a file or a folder that is not empty.
    """
    if output.exists() and not (output.is_dir() and not any(output.iterdir())):
        raise InputError(f"{output} exists already; choose a new folder.")
    temporary = output.with_name(f".{output.name}.{os.getpid()}.tmp")
    temporary.mkdir(parents=True)
    try:
        yield temporary
        if output.exists():
            output.rmdir()
        os.replace(temporary, output)
    finally:
        shutil.rmtree(temporary, ignore_errors=True)


def save_figure(figure: Figure, path: Path) -> None:
    """Write a figure; the file name's ending chooses the format.

    Raises:
        InputError: an unknown format, or the file cannot be written.
    """
    temporary = path.with_name(f".{path.stem}.{os.getpid()}.tmp{path.suffix}")
    try:
        path.parent.mkdir(parents=True, exist_ok=True)
        figure.savefig(temporary)
        os.replace(temporary, path)
    except (OSError, ValueError) as error:
        raise InputError(f"Cannot write {path}: {error}") from error
    finally:
        temporary.unlink(missing_ok=True)


def write_text(path: Path, text: str) -> None:
    """Write a text file."""
    temporary = path.with_name(f".{path.name}.{os.getpid()}.tmp")
    temporary.write_text(text, encoding="utf-8")
    os.replace(temporary, path)
