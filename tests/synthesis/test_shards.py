import errno
import os
from dataclasses import replace
from pathlib import Path

import pyarrow.parquet as pq
import pytest
from datasets import Dataset

from gendeg.errors import DatasetError, InputError
from gendeg.synthesis import shards
from gendeg.synthesis.shards import Shard, cut_shards, data_path, read_record, verdicts_path, write_shard
from gends import SHARDS, picture, rows, run

SHARD = SHARDS[0]


def files(folder: Path) -> dict[str, bytes]:
    return {str(path.relative_to(folder)): path.read_bytes() for path in folder.rglob("*") if path.is_file()}


def test_shards_cover_each_planned_row_once() -> None:
    cut = cut_shards({"train": 25, "validation": 7, "empty": 0}, 10)
    assert [shard.name for shard in cut] == [
        "train-00000-of-00003",
        "train-00001-of-00003",
        "train-00002-of-00003",
        "validation-00000-of-00001",
    ]
    assert [n for shard in cut if shard.split == "train" for n in range(shard.start, shard.stop)] == list(range(25))
    with pytest.raises(InputError, match="rows_per_shard=0"):
        cut_shards({"train": 5}, 0)


def test_round_trip(tmp_path: Path) -> None:
    record = write_shard(tmp_path, SHARD, rows(SHARD))
    assert (record.planned, record.rows) == (10, 9)
    data = Dataset.from_parquet(str(data_path(tmp_path, SHARD.name)), cache_dir=str(tmp_path / "cache"))
    assert data["row"] == [0, 1, 2, 3, 4, 5, 6, 7, 9]
    row = data[6]
    assert list(row["target"].get_flattened_data()) == list(picture(1).get_flattened_data())
    assert data.features["degradation"].int2str(row["degradation"]) == row["mixture"] == "rain"
    assert (row["mu"], row["sigma"], row["seed"], row["origin"]) == (0.1, 0.05, 6, "generated")
    assert row["achieved_mu"] == 6 / 255
    assert (data[0]["origin"], data[0]["mu"], data[0]["seed"]) == ("existing", None, None)


def test_every_attempt_is_recorded_with_its_reason(tmp_path: Path) -> None:
    write_shard(tmp_path, SHARD, rows(SHARD))
    table = pq.read_table(verdicts_path(tmp_path, SHARD.name)).to_pylist()
    assert [row["row"] for row in table] == [0, 1, 2, 3, 4, 5, 6, 7, 7, 8, 9]
    assert [(r["row"], r["verdict"], r["reason"]) for r in table if r["verdict"] != "accepted"] == [
        (7, "retried", "too weak: mu 0.0010 below 0.01"),
        (8, "rejected", "flat image"),
    ]
    assert "degraded" not in table[0]


def test_target_of_a_scene_is_stored_once(tmp_path: Path) -> None:
    target = os.urandom(100_000)
    given = [replace(row, target=target) for row in rows(Shard("train", 0, 1, 0, 7))]
    record = write_shard(tmp_path, Shard("train", 0, 1, 0, 7), given)
    assert record.size < 2 * len(target)


def test_equal_rows_give_equal_bytes_in_any_order_of_writing(tmp_path: Path) -> None:
    for shard in SHARDS:
        write_shard(tmp_path / "a", shard, rows(shard))
    for shard in reversed(SHARDS):
        write_shard(tmp_path / "b", shard, list(rows(shard)))
    assert files(tmp_path / "a") == files(tmp_path / "b")


@pytest.mark.parametrize(
    ("change", "message"),
    [
        (lambda all_rows: all_rows[1:], "got row 1, expected 0"),
        (lambda all_rows: all_rows[:-1], "rows 9 to 9 are missing"),
        (lambda all_rows: [all_rows[0], *all_rows], "got row 0, expected 1"),
        (lambda all_rows: [*all_rows, replace(all_rows[-1], row=10)], "got row 10, expected 10 of 10"),
        (lambda all_rows: [replace(all_rows[0], target=None)], "row 0 is accepted and lacks an image"),
    ],
)
def test_rows_that_are_not_the_plans_are_refused(tmp_path: Path, change, message: str) -> None:
    with pytest.raises(DatasetError, match=message):
        write_shard(tmp_path, SHARD, change(list(rows(SHARD))))
    assert not files(tmp_path)


def test_error_on_the_way_leaves_nothing(tmp_path: Path) -> None:
    def broken():
        yield from list(rows(SHARD))[:5]
        raise RuntimeError("out of memory")

    with pytest.raises(RuntimeError, match="out of memory"):
        write_shard(tmp_path, SHARD, broken())
    assert not files(tmp_path)
    assert read_record(tmp_path, SHARD) is None


@pytest.mark.parametrize("renames", [0, 1, 2])
def test_crash_before_any_of_the_renames(tmp_path: Path, monkeypatch: pytest.MonkeyPatch, renames: int) -> None:
    whole = write_shard(tmp_path / "whole", SHARD, rows(SHARD))
    done = []

    def crashing(source, target, replace=os.replace):
        if len(done) == renames:
            raise KeyboardInterrupt
        done.append(target)
        replace(source, target)

    with monkeypatch.context() as patch:
        patch.setattr(os, "replace", crashing)
        with pytest.raises(KeyboardInterrupt):
            write_shard(tmp_path / "crashed", SHARD, rows(SHARD))
    assert read_record(tmp_path / "crashed", SHARD) is None
    assert write_shard(tmp_path / "crashed", SHARD, rows(SHARD)) == whole
    assert files(tmp_path / "crashed") == files(tmp_path / "whole")


def test_disk_full(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    write_shard(tmp_path, SHARDS[1], rows(SHARDS[1]))
    before = files(tmp_path)

    def full(*_: object) -> None:
        raise OSError(errno.ENOSPC, os.strerror(errno.ENOSPC))

    monkeypatch.setattr(shards.pq.ParquetWriter, "write_table", full)
    with pytest.raises(DatasetError, match=r"No space left on device.*Finished shards are intact"):
        write_shard(tmp_path, SHARD, rows(SHARD))
    assert files(tmp_path) == before


def test_file_too_large_for_the_system(tmp_path: Path) -> None:
    program = """
        import resource, sys
        from pathlib import Path
        from gends import SHARDS, rows
        from gendeg.errors import DatasetError
        from gendeg.synthesis.shards import write_shard
        resource.setrlimit(resource.RLIMIT_FSIZE, (2000, 2000))
        try:
            write_shard(sys.argv[1], SHARDS[0], rows(SHARDS[0]))
        except DatasetError as error:
            print(error)
    """
    output = run(program, tmp_path)
    assert "train-00000-of-00003 was not written" in output
    assert "File too large" in output
    assert not files(tmp_path)
