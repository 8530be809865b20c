"""The manifest of a finished data set: what it holds, how it was made, and the checksum of every shard."""

import hashlib
import json
import os
from collections import Counter
from collections.abc import Sequence
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

import pyarrow.parquet as pq

from gendeg.errors import DatasetError
from gendeg.files import durable_file
from gendeg.synthesis.shards import ShardRecord, data_path, file_sha256, verdicts_path

MANIFEST = "manifest.json"


@dataclass(frozen=True)
class Manifest:
    """What `manifest.json` says.

    Attributes:
        version: of gendeg.
        config: everything that decides the content, as given by the run.
        fingerprint: SHA-256 of version and config.
        planned, rows: planned rows, and accepted ones, of each split.
        shards: every shard, in order.
        hash: SHA-256 over the checksums of all shards: equal data sets have equal hashes.
    """

    version: str
    config: dict[str, Any]
    fingerprint: str
    planned: dict[str, int]
    rows: dict[str, int]
    shards: list[ShardRecord]
    hash: str

    def save(self, folder: Path) -> None:
        """Write `manifest.json`, whole or not at all."""
        with durable_file(folder / MANIFEST) as file:
            file.write_text(json.dumps(asdict(self), indent=2, ensure_ascii=False) + "\n", encoding="utf-8")

    @classmethod
    def load(cls, folder: str | os.PathLike[str]) -> "Manifest":
        """Read `manifest.json`.

        Raises:
            DatasetError: the folder has none, or it is damaged.
        """
        path = Path(folder) / MANIFEST
        try:
            values = json.loads(path.read_text(encoding="utf-8"))
            values["shards"] = [ShardRecord(**record) for record in values["shards"]]
            return cls(**values)
        except OSError as error:
            raise DatasetError(
                f"{folder} has no readable {MANIFEST}: it is not a data set of gendeg, or not finished: in that case "
                f"run the command that began it again. ({error})"
            ) from error
        except (ValueError, KeyError, TypeError) as error:
            raise DatasetError(
                f"{path} is damaged ({error}). Delete it and run the command that made it again: the finished shards "
                "are kept."
            ) from error


def make_manifest(version: str, config: dict[str, Any], fingerprint: str, records: Sequence[ShardRecord]) -> Manifest:
    """The manifest of finished shards."""
    planned: Counter[str] = Counter()
    rows: Counter[str] = Counter()
    for record in records:
        split = record.name.split("-")[0]
        planned[split] += record.planned
        rows[split] += record.rows
    return Manifest(version, config, fingerprint, dict(planned), dict(rows), list(records), dataset_hash(records))


def dataset_hash(records: Sequence[ShardRecord]) -> str:
    """SHA-256 over the sorted lines `checksum  name` of all shards; the order of writing does not matter."""
    lines = sorted(f"{record.sha256}  {record.name}\n" for record in records)
    return hashlib.sha256("".join(lines).encode()).hexdigest()


def verify_dataset(folder: str | os.PathLike[str]) -> Manifest:
    """Read every byte of a finished data set and compare it with its manifest.

    Also checks that each planned row was decided once: none lost, none twice.

    Args:
        folder: the data set.

    Returns:
        The manifest.

    Raises:
        DatasetError: no manifest, or one or more shards are missing or damaged; the message names them.
    """
    folder = Path(folder)
    manifest = Manifest.load(folder)
    problems = [problem for record in manifest.shards if (problem := _problem_of(folder, record))]
    if problems:
        raise DatasetError(
            f"{len(problems)} of {len(manifest.shards)} shards of {folder} are not as they were written: "
            f"{'; '.join(problems)}. Delete the files named and run the command that made the data set again: it makes "
            "those shards anew."
        )
    if dataset_hash(manifest.shards) != manifest.hash:
        raise DatasetError(f"The hash in {folder / MANIFEST} is not that of its shards: the manifest was changed.")
    return manifest


def _problem_of(folder: Path, record: ShardRecord) -> str | None:
    data, verdicts = data_path(folder, record.name), verdicts_path(folder, record.name)
    for path, expected in ((data, record.sha256), (verdicts, record.verdicts_sha256)):
        if not path.is_file():
            return f"{path.relative_to(folder)} is missing"
        if file_sha256(path) != expected:
            return f"{path.relative_to(folder)} is damaged"
    return None if _decided_once(verdicts, record) else f"{record.name} does not decide each planned row once"


def _decided_once(verdicts: Path, record: ShardRecord) -> bool:
    table = pq.read_table(verdicts, columns=["row", "verdict"]).to_pydict()
    final = [row for row, verdict in zip(table["row"], table["verdict"], strict=True) if verdict != "retried"]
    return len(final) == record.planned and final == list(range(final[0], final[0] + len(final)))
