"""One entry of `data`: pairs, recognised by what the entry is."""

import csv
import json
from collections.abc import Sequence
from pathlib import Path

import pyarrow.parquet as pq

from gendeg.checkpoints import HUB_NAME
from gendeg.data.gends.files import holds_gends
from gendeg.data.gends.registration import NAME as GENDS
from gendeg.data.hub import is_saved
from gendeg.data.layouts.plain import list_training_pairs
from gendeg.data.pair_index import INDEX
from gendeg.data.paired import INPUT
from gendeg.data.split import split_of
from gendeg.errors import InputError, first_line
from gendeg.training.pairs import DatasetPairs, FilePairs, PairSource

ACCEPTED = (
    "a data set with the columns degraded, target (or clean) and degradation, such as GenDS: its folder, or its name "
    "on the hub; a folder of pairs, <degradation>/<set>/{input,target}; an index pairs.parquet of `gendeg prepare`, or "
    "its folder"
)
_TABLES = {".parquet", ".arrow", ".csv", ".json", ".jsonl", ".tar"}  # what `datasets` reads

_METADATA = {"metadata.csv", "metadata.jsonl", "metadata.parquet"}  # how `datasets` describes a folder of images
_PAIR_COLUMN = "degraded_file_name"  # one that names a second file in each row, as pairs need


def open_entry(name: str, split: str = "train", *, balanced: bool = False) -> PairSource:
    """The pairs of one entry of `data`.

    Of each kind, one scene or image in 20 is held out (see `gendeg.data.split`), unless a data set has a split
    `validation` of its own. Published test splits are not read, of folders of pairs neither (see
    `gendeg.data.layouts.plain`).

    Args:
        name: a folder of pairs; an index of pairs, or its folder; the folder or hub name of a data set.
        split: `"train"` or `"validation"`.
        balanced: draw the degradation first, so that each is as frequent, however many pairs it has.

    Raises:
        InputError: none of these; or unreadable; or no pair belongs to the split.
    """
    path = Path(name)
    if not _is_data_set(path) and _holds_pairs(path):
        pairs = list_training_pairs(path)
        chosen = [pair for pair in pairs if split_of(pair.scene) == split]
        if not chosen:
            raise InputError(f"None of the {len(pairs)} pairs in {name} belongs to the {split} split.")
        return FilePairs(chosen, balanced=balanced)
    if (
        _is_data_set(path)
        or (path.is_dir() and _has_tables(path))
        or (not path.exists() and (name == GENDS or HUB_NAME.fullmatch(name)))
    ):
        return DatasetPairs(name, split, balanced=balanced)
    what = _describe(path) if path.exists() else "not there"
    raise InputError(f"data: {name} is {what}. Accepted: {ACCEPTED}. Clean photos are given with --photos.")


def entry_label(name: str) -> str:
    """What an entry is called in tables: the last part of its path, or its name on the hub."""
    return name if HUB_NAME.fullmatch(name) and not Path(name).exists() else Path(name).name


def _holds_pairs(path: Path) -> bool:
    if not path.is_dir():
        return path.is_file() and path.suffix == ".parquet"
    return (path / INDEX).is_file() or any(found.is_dir() for found in path.rglob(INPUT))


def _is_data_set(path: Path) -> bool:
    return path.is_dir() and (is_saved(path) or holds_gends(path))


def _has_tables(folder: Path) -> bool:
    tables = [path for path in folder.rglob("*") if path.suffix in _TABLES]
    return any(path.name not in _METADATA or _PAIR_COLUMN in _columns(path) for path in tables)


def _columns(metadata: Path) -> Sequence[str]:
    """The columns of a table that describes the images beside it."""
    try:
        if metadata.suffix == ".parquet":
            return list(pq.read_schema(metadata).names)
        with metadata.open(encoding="utf-8") as file:
            first = file.readline()
        return list(json.loads(first)) if metadata.suffix == ".jsonl" else next(csv.reader([first]), [])
    except (OSError, ValueError, TypeError) as error:
        raise InputError(f"Cannot read {metadata}: {first_line(error)}") from error


def _describe(path: Path) -> str:
    metadata = next((found for found in path.rglob("metadata.*") if found.name in _METADATA), None)
    if metadata is None:
        return "nothing that is known"
    return f"a folder of photos, not of pairs: {metadata} has no column {_PAIR_COLUMN}"
