import json
from dataclasses import replace
from pathlib import Path

import pytest

from gendeg.errors import DatasetError
from gendeg.synthesis.manifest import Manifest, dataset_hash, verify_dataset
from gendeg.synthesis.shards import data_path, verdicts_path, write_shard
from gends import SHARDS, make_dataset, rows

NAME = SHARDS[1].name


def flip_a_bit(path: Path) -> None:
    content = bytearray(path.read_bytes())
    content[len(content) // 2] ^= 1
    path.write_bytes(content)


@pytest.mark.parametrize("path_of", [data_path, verdicts_path])
def test_damaged_shard_is_named_and_made_again(tmp_path: Path, path_of) -> None:
    manifest = make_dataset(tmp_path)
    path = path_of(tmp_path, NAME)
    flip_a_bit(path)
    with pytest.raises(DatasetError, match=rf"1 of 4 shards .*{path.parent.name}/{NAME}.parquet is damaged"):
        verify_dataset(tmp_path)
    path.unlink()
    with pytest.raises(DatasetError, match=rf"{NAME}.parquet is missing"):
        verify_dataset(tmp_path)
    assert make_dataset(tmp_path) == verify_dataset(tmp_path) == manifest


def test_row_that_is_lost_or_twice_is_found(tmp_path: Path) -> None:
    """A shard whose bytes are as recorded, and whose verdicts are not those of its rows."""
    manifest = make_dataset(tmp_path)
    other = replace(SHARDS[1], start=10, stop=19)
    record = write_shard(tmp_path, other, list(rows(SHARDS[1]))[:9])
    records = [replace(record, planned=10) if old.name == NAME else old for old in manifest.shards]
    replace(manifest, shards=records, hash=dataset_hash(records)).save(tmp_path)
    with pytest.raises(DatasetError, match=f"{NAME} does not decide each planned row once"):
        verify_dataset(tmp_path)


def test_manifest_that_was_changed(tmp_path: Path) -> None:
    manifest = make_dataset(tmp_path)
    replace(manifest, hash="0" * 64).save(tmp_path)
    with pytest.raises(DatasetError, match="the manifest was changed"):
        verify_dataset(tmp_path)
    values = json.loads((tmp_path / "manifest.json").read_text())
    (tmp_path / "manifest.json").write_text(json.dumps(values)[:-10])
    with pytest.raises(DatasetError, match=r"manifest.json is damaged"):
        Manifest.load(tmp_path)


def test_hash_is_of_checksums_and_names(tmp_path: Path) -> None:
    records = make_dataset(tmp_path).shards
    assert dataset_hash(records) == dataset_hash(records[::-1])
    swapped = [replace(records[0], sha256=records[1].sha256), replace(records[1], sha256=records[0].sha256)]
    assert dataset_hash(records) != dataset_hash([*swapped, *records[2:]])
