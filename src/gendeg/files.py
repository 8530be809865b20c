"""Files and folders that are whole or absent: written under a temporary name, then renamed."""

import contextlib
import os
import shutil
from collections.abc import Iterator
from pathlib import Path

from gendeg.errors import InputError, first_line

LONGEST_STEM = 40  # characters of a file's name in its temporary one, which may not be longer than names can be


def reason(error: OSError) -> str:
    """Why a file could not be used, without the names in the system's message, which may be temporary ones."""
    if isinstance(error, (FileExistsError, NotADirectoryError)):
        return "a part of its path is a file where a folder should be"
    return error.strerror or first_line(error).rstrip(".")


@contextlib.contextmanager
def whole_file(path: Path) -> Iterator[Path]:
    """A temporary file name to write to, which becomes `path` when the block ends without error.

    It has the suffix of `path`, and its folder is made.

    Raises:
        InputError: the file cannot be written.
    """
    if not path.name:
        raise InputError(f"Cannot write {path}: it is a folder.")
    temporary = path.with_name(f".{path.stem[:LONGEST_STEM]}.{os.getpid()}.tmp{path.suffix}")
    try:
        path.parent.mkdir(parents=True, exist_ok=True)
        yield temporary
        os.replace(temporary, path)
    except OSError as error:
        raise InputError(f"Cannot write {path}: {reason(error)}.") from error
    finally:
        with contextlib.suppress(OSError):
            temporary.unlink()


@contextlib.contextmanager
def durable_file(path: Path) -> Iterator[Path]:
    """Like `whole_file`, and once the block ends the file survives a power failure: it is on the disk, name and all.

    Raises:
        InputError: the file cannot be written.
    """
    with whole_file(path) as temporary:
        yield temporary
        _sync(temporary)
    _sync(path.parent)


def _sync(path: Path) -> None:
    """Wait until a file, or the names in a folder, are on the disk."""
    descriptor = os.open(path, os.O_RDONLY)
    try:
        os.fsync(descriptor)
    finally:
        os.close(descriptor)


@contextlib.contextmanager
def new_folder(output: Path) -> Iterator[Path]:
    """A temporary folder to write into, which becomes `output` when the block ends without error.

    Raises:
        InputError: `output` is a file or a folder that is not empty, or it cannot be written.
    """
    if output.exists() and not (output.is_dir() and not any(output.iterdir())):
        raise InputError(f"{output} exists already; choose a new folder.")
    output = output.absolute()  # "." has no name of its own
    temporary = output.with_name(f".{output.name}.{os.getpid()}.tmp")
    try:
        temporary.mkdir(parents=True)
        yield temporary
        if output.exists():
            output.rmdir()
        os.replace(temporary, output)
    except OSError as error:
        raise InputError(f"Cannot write {output}: {reason(error)}.") from error
    finally:
        shutil.rmtree(temporary, ignore_errors=True)
