"""Notes: JSON Lines that are appended to, and can be read whatever interrupted the writing."""

import json
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import Any

from gendeg.errors import InputError


def read_notes(path: Path) -> Iterator[Any]:
    """What was noted before, in order; a line that an interruption tore is skipped."""
    if not path.is_file():
        return
    for line in path.read_text(encoding="utf-8").splitlines():
        try:
            note = json.loads(line)
        except ValueError:
            continue
        yield note


def add_notes(path: Path, notes: Sequence[Any]) -> None:
    """Append JSON values, one a line.

    Raises:
        InputError: the file cannot be written.
    """
    if not notes:
        return
    try:
        with path.open("a", encoding="utf-8") as file:
            file.write("\n" + "\n".join(map(json.dumps, notes)) + "\n")  # begins a new line after a torn one
    except OSError as error:
        raise InputError(f"Cannot write {path}: {error}.") from error
