"""The index of pairs: one parquet file that says of each pair where it lies, what it is, and how strong."""

import os
from collections.abc import Iterable
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pyarrow as pa
import pyarrow.parquet as pq

from gendeg.data.paired import PairPaths
from gendeg.degradations import parse_mixture
from gendeg.errors import InputError
from gendeg.files import whole_file

INDEX = "pairs.parquet"  # what an index is called, unless the caller names it
REAL, SYNTHETIC = "real", "synthetic"

SCHEMA = pa.schema(
    [
        *(
            (name, pa.string())
            for name in ("degraded", "target", "dataset", "degradation", "category", "split", "scene")
        ),
        *((name, pa.float64()) for name in ("mu", "sigma")),
    ]
)


@dataclass(frozen=True)
class DatasetPair(PairPaths):
    """One pair of a data set.

    Attributes:
        degraded, clean, mixture: see `PairPaths`.
        dataset: name of the data set.
        category: `"real"` (both images were taken) or `"synthetic"` (the degradation was computed).
        split: `"train"`, `"validation"` or `"test"`.
        scene: name of the scene within the data set; the pairs of one clean scene share it.
    """

    dataset: str
    category: str
    split: str
    scene: str


@dataclass(frozen=True)
class IndexedPair(DatasetPair):
    """One row of an index: a pair with its measured severity.

    Attributes:
        mu, sigma: see `gendeg.measure_severity`.
    """

    mu: float
    sigma: float


def write_index(pairs: Iterable[IndexedPair], path: str | os.PathLike[str]) -> None:
    """Write an index; the file is whole or absent.

    The columns are `degraded` and `target` (posix paths, relative to the folder of the index where the images lie below
    it, else absolute), `dataset`, `degradation` (of a mixture e.g. `"rain+haze"`), `category`, `split`, `scene`, `mu`
    and `sigma`. So an index that lies above its images can be moved together with them.

    Raises:
        InputError: the file cannot be written.
    """
    path = Path(path)
    folder = Path(os.path.abspath(path)).parent
    rows = [_encode(pair, folder) for pair in pairs]
    with whole_file(path) as temporary:
        pq.write_table(pa.Table.from_pylist(rows, schema=SCHEMA), temporary)


def _encode(pair: IndexedPair, folder: Path) -> dict[str, Any]:
    return {
        "degraded": _location(pair.degraded, folder),
        "target": _location(pair.clean, folder),
        "dataset": pair.dataset,
        "degradation": "+".join(pair.mixture),
        "category": pair.category,
        "split": pair.split,
        "scene": pair.scene,
        "mu": pair.mu,
        "sigma": pair.sigma,
    }


def _location(image: Path, folder: Path) -> str:
    image = Path(os.path.abspath(image))
    return (image.relative_to(folder) if image.is_relative_to(folder) else image).as_posix()


def read_index(path: str | os.PathLike[str]) -> list[IndexedPair]:
    """Read an index, all of it, in the order of its rows.

    Args:
        path: the parquet file, or a folder that holds one called `pairs.parquet`.

    Returns:
        The pairs; paths that the index gives relative to its folder are joined to that folder. Whether the images are
        there is not checked.

    Raises:
        InputError: no such file, or not an index of pairs; the message says what is wrong.
    """
    path = Path(path) / INDEX if Path(path).is_dir() else Path(path)
    if not path.is_file():
        raise InputError(f"No index of pairs at {path}. `gendeg prepare` makes one from the folders of a data set.")
    try:
        table = pq.read_table(path)
    except (OSError, pa.ArrowException) as error:
        raise InputError(f"{path} is not an index of pairs: {error}") from error
    missing = [name for name in SCHEMA.names if name not in table.column_names]
    if missing:
        found = ", ".join(table.column_names)
        raise InputError(f"{path} is not an index of pairs: it lacks {', '.join(missing)}; it has {found}.")
    return [_decode(row, number, path) for number, row in enumerate(table.select(SCHEMA.names).to_pylist())]


def _decode(row: dict[str, Any], number: int, path: Path) -> IndexedPair:
    empty = [name for name, value in row.items() if value is None]
    if empty:
        raise InputError(f"{path}, row {number}: no value for {', '.join(empty)}.")
    try:
        return IndexedPair(
            degraded=path.parent / row["degraded"],
            clean=path.parent / row["target"],
            mixture=parse_mixture(row["degradation"]),
            dataset=row["dataset"],
            category=row["category"],
            split=row["split"],
            scene=row["scene"],
            mu=float(row["mu"]),
            sigma=float(row["sigma"]),
        )
    except (TypeError, ValueError, AttributeError) as error:  # InputError is a ValueError
        raise InputError(f"{path}, row {number}: {error}") from error


def list_indexed_pairs(path: str | os.PathLike[str], split: str | None = None) -> list[IndexedPair]:
    """The pairs of an index that belong to a split.

    Args:
        path: see `read_index`.
        split: e.g. `"train"` or `"test"`, as the data sets were published; by default all pairs.

    Raises:
        InputError: the index cannot be read, or has no pair of that split.
    """
    pairs = read_index(path)
    chosen = [pair for pair in pairs if split in (None, pair.split)]
    if not chosen:
        splits = ", ".join(sorted({pair.split for pair in pairs})) or "none"
        raise InputError(f"{path} has no pair of the split {split!r}; its splits are: {splits}.")
    return chosen
