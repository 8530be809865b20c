"""The output folder of a run: locked, checked against the plan, resumed, and finished.

with DatasetFolder.open("gends", config, cut_shards({"train": 950, "validation": 50}, 256)) as folder:
    for shard in folder.missing():          # or share them among workers
        write_shard(folder.path, shard, generate(shard))
    manifest = folder.finalise()
verify_dataset("gends")

"""

import hashlib
import json
import os
from collections.abc import Mapping, Sequence
from dataclasses import asdict
from pathlib import Path
from typing import IO, Any

from gendeg.errors import DatasetError, InputError, count_of
from gendeg.files import durable_file
from gendeg.synthesis.changes import describe_changes
from gendeg.synthesis.lock import lock_folder
from gendeg.synthesis.manifest import Manifest, make_manifest
from gendeg.synthesis.shards import Shard, read_record
from gendeg.version import __version__

PLAN = "plan.json"


class DatasetFolder:
    """A folder that becomes a data set, shard by shard. Made by `open`; a context manager that gives back the lock.

    Attributes:
        path: the folder.
        config: everything that decides the content.
        fingerprint: SHA-256 of library version and config.
        shards: all shards of the plan.
    """

    def __init__(self, path: Path, config: dict[str, Any], shards: list[Shard]):
        self.path, self.config, self.shards = path, config, shards
        self.fingerprint = fingerprint(config)
        self._lock: IO[str] | None = None

    @classmethod
    def open(
        cls, path: str | os.PathLike[str], config: Mapping[str, Any], shards: Sequence[Shard], *, leader: bool = True
    ) -> "DatasetFolder":
        """Begin a data set in a new or empty folder, or go on with one.

        Args:
            path: the folder; it is made.
            config: everything that decides the content, as JSON values: settings, seed, and a checksum of the scenes.
                Not what only decides speed (workers, devices, batch size).
            shards: all shards of the plan (see `cut_shards`).
            leader: the process that locks the folder, cleans up after a killed run and finishes the data set. The
                other ranks of the same run pass False, after the leader has opened.

        Raises:
            DatasetError: another run writes there, it was begun with another config (the message says what differs)
                or by another version, it holds other files, or it cannot be written.
        """
        folder = cls(Path(path), json.loads(json.dumps(config, allow_nan=False)), list(shards))
        try:
            if leader:
                folder._begin()
            folder._check_plan()
        except (InputError, OSError) as error:
            folder.close()
            raise DatasetError(f"Cannot write the data set to {path}: {error}") from error
        except DatasetError:
            folder.close()
            raise
        return folder

    def __enter__(self) -> "DatasetFolder":
        return self

    def __exit__(self, *_: object) -> None:
        self.close()

    def close(self) -> None:
        """Give back the lock."""
        if self._lock:
            self._lock.close()
            self._lock = None

    def missing(self) -> list[Shard]:
        """The shards that are still to be written, in order."""
        return [shard for shard in self.shards if read_record(self.path, shard) is None]

    def finalise(self) -> Manifest:
        """Write the manifest of the finished data set.

        Raises:
            DatasetError: a shard is missing, or the manifest cannot be written.
        """
        missing = self.missing()
        if missing:
            raise DatasetError(
                f"{self.path} lacks {len(missing)} of {count_of(len(self.shards), 'shard')}, e.g. {missing[0].name}; "
                "run the same command again to make them."
            )
        records = [record for shard in self.shards if (record := read_record(self.path, shard))]
        manifest = make_manifest(__version__, self.config, self.fingerprint, records)
        try:
            manifest.save(self.path)
        except InputError as error:
            raise DatasetError(f"All shards are written, the manifest is not: {error}") from error
        return manifest

    def _begin(self) -> None:
        self.path.mkdir(parents=True, exist_ok=True)
        refuse_other_files(self.path)
        self._lock = lock_folder(self.path)
        for leftover in self.path.rglob(".*.tmp*"):
            leftover.unlink()
        plan = self.path / PLAN
        if not plan.exists():
            with durable_file(plan) as file:
                file.write_text(json.dumps(self._plan(), indent=2, ensure_ascii=False) + "\n", encoding="utf-8")

    def _plan(self) -> dict[str, Any]:
        return {"version": __version__, "config": self.config, "shards": [asdict(s) for s in self.shards]}

    def _check_plan(self) -> None:
        path = self.path / PLAN
        try:
            found = json.loads(path.read_text(encoding="utf-8"))
        except ValueError as error:
            raise DatasetError(f"{path} is damaged ({error}); choose another folder.") from error
        given = self._plan()
        changes = describe_changes(found["config"], given["config"])
        if found["version"] != given["version"]:
            changes = [f"the version of gendeg was {found['version']}, now {given['version']}", *changes]
        if not changes and found["shards"] != given["shards"]:
            changes = ["the plan was cut into other shards"]
        if changes:
            raise DatasetError(
                f"{self.path} was begun with other photos or settings: {'; '.join(changes)}. Use the same again to go "
                "on, or choose another folder."
            )


def refuse_other_files(folder: Path) -> None:
    """Refuse a folder that holds files and was not begun as a data set; hidden files do not count.

    Raises:
        DatasetError: it is such a folder.
    """
    others = [entry.name for entry in folder.iterdir() if not entry.name.startswith(".")]
    if others and not (folder / PLAN).is_file():
        raise DatasetError(
            f"{folder} holds other files ({', '.join(sorted(others)[:3])}); choose a new or an empty folder."
        )


def fingerprint(config: Mapping[str, Any]) -> str:
    """SHA-256 of library version and config: data sets of equal fingerprint hold equal rows."""
    text = json.dumps({"version": __version__, "config": config}, sort_keys=True, allow_nan=False)
    return hashlib.sha256(text.encode()).hexdigest()
