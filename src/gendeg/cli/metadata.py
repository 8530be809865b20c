"""`metadata.jsonl`: one line per finished image, which also makes a folder of images a data set."""

import json
import os
from collections.abc import Iterable
from pathlib import Path
from typing import Any

from gendeg.errors import InputError
from gendeg.files import reason, whole_file

METADATA = "metadata.jsonl"
Row = dict[str, Any]


class Metadata:
    """The record of an output folder, readable by `datasets.load_dataset("imagefolder", data_dir=folder)`.

    A line is added when its image is complete, so a run that is killed loses nothing: on opening, a torn last line
    and lines whose image is gone are dropped, and what has no line is made again.

    Args:
        folder: the output folder.

    Raises:
        InputError: `metadata.jsonl` exists and is something else.
    """

    def __init__(self, folder: Path):
        self.path = folder / METADATA
        self.rows = self._read()

    def _read(self) -> dict[str, Row]:
        """Rows by file name; the last one counts."""
        if not self.path.exists():
            return {}
        try:
            text = self.path.read_text(encoding="utf-8")
            complete, _, _torn = text.rpartition("\n")
            rows = {row["file_name"]: row for row in map(json.loads, complete.splitlines())}
            kept = {name: row for name, row in rows.items() if (self.path.parent / name).is_file()}
        except (OSError, ValueError, KeyError, TypeError) as error:
            raise InputError(f"{self.path} was not written by gendeg ({error}); choose another folder.") from error
        if _lines(kept) != text:
            self._replace(_lines(kept))
        return kept

    def _replace(self, text: str) -> None:
        with whole_file(self.path) as temporary:
            temporary.write_text(text, encoding="utf-8")

    def forget(self, file_names: Iterable[str]) -> None:
        """Drop the rows of images that will be made again."""
        before = len(self.rows)
        for name in file_names:
            self.rows.pop(name, None)
        if len(self.rows) < before:
            self._replace(_lines(self.rows))

    def add(self, row: Row) -> None:
        """Append the row of an image that has been written. `row["file_name"]` is relative to the folder.

        Raises:
            InputError: the record cannot be written.
        """
        self.rows[row["file_name"]] = row
        try:
            with self.path.open("a", encoding="utf-8") as file:
                file.write(json.dumps(row) + "\n")
                file.flush()
                os.fsync(file.fileno())
        except OSError as error:
            raise InputError(f"Cannot write {self.path}: {reason(error)}.") from error

    def is_done(self, file_name: str, settings: Row) -> bool:
        """Whether an image was made before, with these settings.

        Raises:
            InputError: it was made with other settings.
        """
        row = self.rows.get(file_name)
        if row is None:
            return False
        differing = {key: value for key, value in settings.items() if row.get(key) != value}
        if differing:
            made = ", ".join(f"{key}={row.get(key)}" for key in differing)
            asked = ", ".join(f"{key}={value}" for key, value in differing.items())
            raise InputError(
                f"{self.path.parent / file_name} was made with {made}, now asked for {asked}. Choose another folder, "
                "or --overwrite."
            )
        return True


def severity_settings(mu: float | None, sigma: float | None) -> Row:
    """What the record says about a severity request: which of both were given, and as what.

    The numbers of one that was left out are drawn, so they cannot tell two orders apart.
    """
    given = {"requested_mu": mu, "requested_sigma": sigma}
    return {
        "mu_given": mu is not None,
        "sigma_given": sigma is not None,
        **{key: value for key, value in given.items() if value is not None},
    }


def _lines(rows: dict[str, Row]) -> str:
    return "".join(f"{json.dumps(row)}\n" for row in rows.values())
