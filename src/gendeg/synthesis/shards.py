"""Shards: the unit of work of a data set. A shard is computed by one worker and is whole or absent.

data/train-00003-of-00012.parquet       accepted rows, images embedded
verdicts/train-00003-of-00012.parquet   every attempt at every planned row, no images
shards/train-00003-of-00012.json        sizes and checksums of both, written last: with it the shard is finished

Equal rows give equal bytes with equal versions of pyarrow and pillow, in whatever order shards are written.
"""

import hashlib
import json
import os
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

import pyarrow as pa
import pyarrow.parquet as pq

from gendeg.data.gends.schema import IMAGE_COLUMNS, Row, features, verdict_features
from gendeg.errors import DatasetError, InputError
from gendeg.files import durable_file

DATA, VERDICTS, RECORDS = "data", "verdicts", "shards"
ROWS_PER_GROUP = 40  # read and written together: eight scenes with five degradations
VERDICTS_PER_GROUP = 4096
# Every setting that shapes the bytes, so that a library's new default does not.
_WRITER_SETTINGS: dict[str, Any] = {
    "version": "2.6",
    "data_page_version": "1.0",
    "data_page_size": 1 << 20,
    "write_batch_size": 1024,
    "dictionary_pagesize_limit": 1 << 28,
    "store_schema": True,
    "write_page_index": False,
}


@dataclass(frozen=True)
class Shard:
    """A fixed piece of the plan: the rows `start` to `stop - 1` of a split.

    Attributes:
        split: `"train"` or `"validation"`.
        index, count: this shard's number, from 0, and how many the split has.
        start, stop: row numbers in the split's plan.
    """

    split: str
    index: int
    count: int
    start: int
    stop: int

    @property
    def name(self) -> str:
        """E.g. `train-00003-of-00012`, the naming that `datasets` understands."""
        return f"{self.split}-{self.index:05d}-of-{self.count:05d}"


@dataclass(frozen=True)
class ShardRecord:
    """What a finished shard holds.

    Attributes:
        name: name of the shard.
        planned, rows: planned rows, and how many of them were accepted.
        size: bytes of the data file.
        sha256, verdicts_sha256: checksums of data and verdicts.
    """

    name: str
    planned: int
    rows: int
    size: int
    sha256: str
    verdicts_sha256: str


def cut_shards(split_sizes: Mapping[str, int], rows_per_shard: int) -> list[Shard]:
    """Cut the plan of each split into shards of consecutive rows.

    Args:
        split_sizes: planned rows of each split, e.g. `{"train": 950, "validation": 50}`.
        rows_per_shard: rows of every shard but a split's last.

    Raises:
        InputError: fewer than one row in a shard.
    """
    if rows_per_shard < 1:
        raise InputError(f"A shard has at least one row; got rows_per_shard={rows_per_shard}.")
    shards = []
    for split, size in split_sizes.items():
        starts = range(0, size, rows_per_shard)
        for index, start in enumerate(starts):
            shards.append(Shard(split, index, len(starts), start, min(start + rows_per_shard, size)))
    return shards


def data_path(folder: Path, name: str) -> Path:
    """Where the accepted rows of a shard lie."""
    return folder / DATA / f"{name}.parquet"


def verdicts_path(folder: Path, name: str) -> Path:
    """Where the record of a shard's attempts lies."""
    return folder / VERDICTS / f"{name}.parquet"


def record_path(folder: Path, name: str) -> Path:
    """Where the sizes and checksums of a finished shard lie."""
    return folder / RECORDS / f"{name}.json"


def write_shard(folder: str | os.PathLike[str], shard: Shard, rows: Iterable[Row]) -> ShardRecord:
    """Write a shard, whole or not at all; a killed process leaves nothing that counts.

    Needs no lock and shares nothing, so it runs in any process and on any machine that sees the folder. Rows are
    consumed one by one; the memory held is that of one row group.

    Args:
        folder: the data set's folder.
        shard: which rows.
        rows: the outcome of every planned row of the shard in the order of the plan, each `"accepted"` or
            `"rejected"`, and before it the attempts that were `"retried"`. May be a generator that does the work.

    Returns:
        The record, which is also written.

    Raises:
        DatasetError: the disk is full or cannot be written, or `rows` leaves out, repeats or adds a planned row.
    """
    folder = Path(folder)
    data, verdicts = data_path(folder, shard.name), verdicts_path(folder, shard.name)
    try:
        with durable_file(verdicts) as verdicts_file, durable_file(data) as data_file:
            accepted = _write_rows(data_file, verdicts_file, _in_order(rows, shard))
        record = ShardRecord(
            name=shard.name,
            planned=shard.stop - shard.start,
            rows=accepted,
            size=data.stat().st_size,
            sha256=file_sha256(data),
            verdicts_sha256=file_sha256(verdicts),
        )
        with durable_file(record_path(folder, shard.name)) as file:
            file.write_text(json.dumps(asdict(record), indent=2) + "\n", encoding="utf-8")
    except (InputError, OSError) as error:
        raise DatasetError(
            f"Shard {shard.name} was not written: {error} Finished shards are intact; remove the cause and run the "
            "same command again to go on."
        ) from error
    return record


def read_record(folder: Path, shard: Shard) -> ShardRecord | None:
    """The record of a shard, or None while it is not finished: no record, or data missing or of another size."""
    try:
        record = ShardRecord(**json.loads(record_path(folder, shard.name).read_text(encoding="utf-8")))
        whole = data_path(folder, shard.name).stat().st_size == record.size
        return record if whole and verdicts_path(folder, shard.name).is_file() else None
    except (OSError, ValueError, TypeError):
        return None


def file_sha256(path: Path) -> str:
    """SHA-256 of a file, hexadecimal."""
    with path.open("rb") as file:
        return hashlib.file_digest(file, "sha256").hexdigest()


def _in_order(rows: Iterable[Row], shard: Shard) -> Iterator[Row]:
    """The rows, checked: every planned row ends once, in order."""
    expected = shard.start
    for row in rows:
        if row.row != expected or expected == shard.stop:
            raise DatasetError(f"Shard {shard.name}: got row {row.row}, expected {expected} of {shard.stop}.")
        if row.verdict == "accepted" and (row.degraded is None or row.target is None):
            raise DatasetError(f"Shard {shard.name}: row {row.row} is accepted and lacks an image.")
        expected += row.verdict != "retried"
        yield row
    if expected != shard.stop:
        raise DatasetError(f"Shard {shard.name}: rows {expected} to {shard.stop - 1} are missing.")


def _write_rows(data_file: Path, verdicts_file: Path, rows: Iterable[Row]) -> int:
    """Stream rows into both files; returns how many were accepted."""
    accepted = 0
    with (
        _TableWriter(data_file, features().arrow_schema, ROWS_PER_GROUP) as data,
        _TableWriter(verdicts_file, verdict_features().arrow_schema, VERDICTS_PER_GROUP) as verdicts,
    ):
        for row in rows:
            columns = row.columns()
            verdicts.add(columns)
            if row.verdict == "accepted":
                data.add(columns)
                accepted += 1
    return accepted


class _TableWriter:
    """Collects rows and writes them one row group at a time.

    Images are compressed already, so only the other columns are. Rows of one scene follow each other and often share
    their target: a dictionary stores it once per row group.
    """

    def __init__(self, path: Path, schema: pa.Schema, rows_per_group: int):
        self.schema, self.rows_per_group = schema, rows_per_group
        self.rows: list[dict[str, Any]] = []
        plain = [name for name in schema.names if name not in IMAGE_COLUMNS]
        shared = ["target.bytes"] if "target" in schema.names else []
        self.file = pq.ParquetWriter(
            path,
            schema,
            use_dictionary=plain + shared,
            write_statistics=plain,
            compression=dict.fromkeys(plain, "zstd"),
            **_WRITER_SETTINGS,
        )

    def __enter__(self) -> "_TableWriter":
        return self

    def __exit__(self, kind: type[BaseException] | None, *_: object) -> None:
        try:
            if kind is None:
                self._write_group()
        finally:
            self.file.close()

    def add(self, columns: dict[str, Any]) -> None:
        """Take those columns that the schema has."""
        self.rows.append({name: columns[name] for name in self.schema.names})
        if len(self.rows) == self.rows_per_group:
            self._write_group()

    def _write_group(self) -> None:
        if self.rows:
            self.file.write_table(pa.Table.from_pylist(self.rows, schema=self.schema))
            self.rows = []
