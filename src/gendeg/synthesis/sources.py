"""Where clean photos come from: a folder, a table, or a `datasets` data set."""

import hashlib
import os
from abc import ABC, abstractmethod
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import datasets
import pyarrow
import pyarrow.csv
import pyarrow.json
import pyarrow.parquet

from gendeg.checkpoints import HUB_NAME
from gendeg.data.hub import is_saved, load_rows
from gendeg.degradations import Mixture, parse_mixture
from gendeg.errors import InputError, first_line
from gendeg.imaging import find_images

TABLE_SUFFIXES = (".parquet", ".csv", ".jsonl")
IMAGE, CAPTION, SOURCE_SET, DEGRADATION = "image", "caption", "source_set", "degradation"


@dataclass(frozen=True, slots=True)
class Entry:
    """A photo as its source lists it, before it has been looked at.

    Attributes:
        location: what `PhotoSource.read` takes.
        source_set: name of the data set that the photo comes from.
        existing: degradations that this data set has pairs of already; none for plain photos.
        caption: description of the scene, if the source has one.
    """

    location: str
    source_set: str
    existing: Mixture = ()
    caption: str | None = None


@dataclass(frozen=True, slots=True)
class ListedPair:
    """A pair that exists already, as it is listed.

    Attributes:
        degraded, clean: what `PhotoSource.read` takes; the latter is one of the entries, too.
        mixture: what degrades the first, the leading degradation first.
        dataset: name of the data set that the pair comes from.
    """

    degraded: str
    clean: str
    mixture: Mixture
    dataset: str


class PhotoSource(ABC):
    """Photos that can be listed, and read one by one, in any process."""

    @abstractmethod
    def entries(self) -> Iterator[Entry]:
        """All photos, in a fixed order."""

    def pairs(self) -> Sequence[ListedPair]:
        """Pairs that exist already (see `gendeg.synthesis.existing`); most sources have none."""
        return ()

    @abstractmethod
    def read(self, location: str) -> bytes:
        """The image file of one photo.

        Raises:
            OSError: it cannot be read.
        """

    @abstractmethod
    def stamp(self, location: str) -> str:
        """A text that changes when the photo may have changed, quick to tell.

        Raises:
            OSError: there is no such photo.
        """


class FileSource(PhotoSource):
    """Photos that are files."""

    def read(self, location: str) -> bytes:
        """The file's content."""
        return Path(location).read_bytes()

    def stamp(self, location: str) -> str:
        """Size and time of change."""
        status = os.stat(location)
        return f"{status.st_size}/{status.st_mtime_ns}"


class FolderSource(FileSource):
    """All photos below a folder, which also names their source set.

    Args:
        folder: searched with its sub-folders.
        leave_out: a folder whose images are not photos, e.g. the output.

    Raises:
        ImageError: not a folder, or no image in it.
        InputError: all images are left out.
    """

    def __init__(self, folder: Path, leave_out: Path | None = None):
        self.folder = folder.resolve()
        excluded = leave_out.resolve() if leave_out else None
        self._paths = [path for path in find_images(self.folder) if excluded not in path.parents]
        if not self._paths:
            raise InputError(f"All images of {folder} lie in the output folder {leave_out}; choose another output.")

    def entries(self) -> Iterator[Entry]:
        """All photos, by path."""
        for path in self._paths:
            yield Entry(str(path), self.folder.name)


class TableSource(FileSource):
    """Photos listed in a parquet, CSV or JSON Lines file.

    Columns: `image` (a path, relative to the table's folder), and where known `caption`, `source_set` (by default the
    table's name) and `degradation` (what the source set has already; several as `haze+rain`).

    Raises:
        InputError: no such file, not a table, or no column `image` of paths.
    """

    def __init__(self, path: Path):
        self.path = path.resolve()
        self._columns = read_table(self.path)
        if IMAGE not in self._columns:
            raise InputError(f"{path} has no column {IMAGE!r}; it has {', '.join(self._columns)}.")
        if not all(isinstance(value, str) for value in self._columns[IMAGE]):
            raise InputError(
                f"The column {IMAGE!r} of {path} does not hold paths. A data set with embedded images is read from the "
                "folder that `Dataset.save_to_disk` writes, or by its name on the hub."
            )

    def entries(self) -> Iterator[Entry]:
        """All rows of the table."""
        for row in _rows(self._columns):
            yield _entry(str(self.path.parent / row[IMAGE]), row, self.path.stem)


class DatasetSource(PhotoSource):
    """The rows of a `datasets` data set with a column `image`, and where known `caption`, `source_set`, `degradation`.

    Args:
        name: name on the hub, or a folder that `save_to_disk` wrote. Of several splits, `train` is read.

    Raises:
        InputError: no such data set, or one without a column `image`.
    """

    def __init__(self, name: str):
        self.name = name
        try:
            rows = load_rows(name)
        except (OSError, ValueError) as error:  # also what `datasets` raises without a network
            raise InputError(f"There is no folder {name} here, and no such data set: {error}") from error
        if IMAGE not in rows.column_names:
            raise InputError(f"Data set {name} has no column {IMAGE!r}; it has {', '.join(rows.column_names)}.")
        self._rows = rows.cast_column(IMAGE, datasets.Image(decode=False))

    def entries(self) -> Iterator[Entry]:
        """All rows; a location is a row number."""
        known = [column for column in (CAPTION, SOURCE_SET, DEGRADATION) if column in self._rows.column_names]
        if not known:
            yield from (Entry(str(index), Path(self.name).name) for index in range(len(self._rows)))
            return
        for index, row in enumerate(self._rows.select_columns(known)):
            yield _entry(str(index), row, Path(self.name).name)

    def read(self, location: str) -> bytes:
        """The embedded image file, or the one that the row names."""
        image = self._rows[int(location)][IMAGE]
        return image["bytes"] if image["bytes"] is not None else Path(image["path"]).read_bytes()

    def stamp(self, location: str) -> str:
        """The data set's fingerprint."""
        return str(self._rows._fingerprint)


def file_id(data: bytes) -> str:
    """The id of an image file: the first 16 hexadecimal digits of the SHA-256 of its bytes."""
    return hashlib.sha256(data).hexdigest()[:16]


def why_unreadable(error: OSError) -> str:
    """Why a photo could not be read, for a list of those that are left out."""
    return "it is gone" if isinstance(error, FileNotFoundError) else first_line(error)


def open_source(name: str, leave_out: Path | None = None) -> PhotoSource:
    """Open what the command line calls PHOTOS.

    Args:
        name: a folder of photos, a folder that `Dataset.save_to_disk` wrote, a table, or a data set on the hub.
        leave_out: a folder inside of the photos' whose images are not photos, e.g. the output.

    Raises:
        InputError: none of those.
    """
    path = Path(name)
    if path.is_dir():
        return DatasetSource(name) if is_saved(path) else FolderSource(path, leave_out)
    if path.is_file() and path.suffix.lower() in TABLE_SUFFIXES:
        return TableSource(path)
    if path.exists() or not HUB_NAME.fullmatch(name):
        raise InputError(
            f"{name} holds no photos. Give a folder of photos, a table ({', '.join(TABLE_SUFFIXES)}) with a column "
            "'image', or a data set: a folder that `save_to_disk` wrote, or owner/name on the Hugging Face hub."
        )
    return DatasetSource(name)


def _entry(location: str, row: dict[str, Any], default_set: str) -> Entry:
    degradation, caption = row.get(DEGRADATION), row.get(CAPTION)
    existing = parse_mixture(degradation) if degradation else ()
    return Entry(location, str(row.get(SOURCE_SET) or default_set), existing, caption or None)


def read_table(path: Path) -> dict[str, list[Any]]:
    """The columns of a parquet, CSV or JSON Lines file, as lists.

    Raises:
        InputError: no such file, or not a table.
    """
    readers = {
        ".parquet": pyarrow.parquet.read_table,
        ".csv": pyarrow.csv.read_csv,
        ".jsonl": pyarrow.json.read_json,
    }
    if path.suffix.lower() not in readers:
        raise InputError(f"{path} is not a table: {', '.join(readers)}.")
    try:
        table = readers[path.suffix.lower()](path)
    except (OSError, pyarrow.ArrowInvalid) as error:
        raise InputError(f"Cannot read {path} as a table: {str(error).splitlines()[0]}") from error
    return {name: table[name].to_pylist() for name in table.column_names}


def _rows(columns: dict[str, list[Any]]) -> Iterator[dict[str, Any]]:
    known = [name for name in (IMAGE, CAPTION, SOURCE_SET, DEGRADATION) if name in columns]
    for values in zip(*(columns[name] for name in known), strict=True):
        yield dict(zip(known, values, strict=True))
