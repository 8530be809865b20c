from dataclasses import replace
from pathlib import Path

import pyarrow as pa
import pyarrow.parquet as pq
import pytest

from gendeg.data.pair_index import IndexedPair, list_indexed_pairs, read_index, write_index
from gendeg.degradations import Degradation
from gendeg.errors import InputError


@pytest.fixture
def pair(tmp_path: Path) -> IndexedPair:
    return IndexedPair(
        degraded=tmp_path / "sets" / "rainy" / "1.png",
        clean=tmp_path / "sets" / "clean" / "1.jpg",
        mixture=(Degradation.RAIN, Degradation.HAZE),
        dataset="ORD",
        category="synthetic",
        split="train",
        scene="1",
        mu=0.125,
        sigma=0.0625,
    )


def test_round_trip(tmp_path: Path, pair: IndexedPair) -> None:
    pairs = [pair, replace(pair, split="test", mu=0.3)]
    write_index(pairs, tmp_path / "pairs.parquet")
    assert read_index(tmp_path / "pairs.parquet") == pairs
    assert read_index(tmp_path) == pairs
    assert list_indexed_pairs(tmp_path, "test") == pairs[1:]
    assert list_indexed_pairs(tmp_path) == pairs


def test_columns(tmp_path: Path, pair: IndexedPair) -> None:
    outside = tmp_path / "elsewhere" / "1.jpg"
    write_index([replace(pair, clean=outside)], tmp_path / "sets" / "pairs.parquet")
    assert pq.read_table(tmp_path / "sets" / "pairs.parquet").to_pylist() == [
        {
            "degraded": "rainy/1.png",
            "target": outside.as_posix(),
            "dataset": "ORD",
            "degradation": "rain+haze",
            "category": "synthetic",
            "split": "train",
            "scene": "1",
            "mu": 0.125,
            "sigma": 0.0625,
        }
    ]


def test_an_index_moves_with_its_images(tmp_path: Path, pair: IndexedPair) -> None:
    write_index([pair], tmp_path / "sets" / "pairs.parquet")
    (tmp_path / "sets").rename(tmp_path / "moved")
    assert read_index(tmp_path / "moved")[0].clean == tmp_path / "moved" / "clean" / "1.jpg"


def test_relative_paths(tmp_path: Path, pair: IndexedPair, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)
    write_index([replace(pair, degraded=Path("a/1.png"), clean=Path("b/1.png"))], "pairs.parquet")
    assert pq.read_table("pairs.parquet")["degraded"].to_pylist() == ["a/1.png"]


def test_an_index_of_nothing_is_an_index(tmp_path: Path) -> None:
    write_index([], tmp_path / "pairs.parquet")
    assert read_index(tmp_path) == []
    with pytest.raises(InputError, match="its splits are: none"):
        list_indexed_pairs(tmp_path, "train")


def test_what_is_no_index(tmp_path: Path, pair: IndexedPair) -> None:
    path = tmp_path / "pairs.parquet"
    with pytest.raises(InputError, match="gendeg prepare"):
        read_index(path)
    path.write_text("no parquet")
    with pytest.raises(InputError, match="is not an index of pairs"):
        read_index(path)
    pq.write_table(pa.table({"degraded": ["a.png"], "mu": [0.1]}), path)
    with pytest.raises(InputError, match=r"lacks target, dataset, .*; it has degraded, mu"):
        read_index(path)


@pytest.mark.parametrize(
    ("column", "value", "message"),
    [
        ("degradation", "smoke", "Unknown degradation 'smoke'"),
        ("scene", None, "no value for scene"),
        ("mu", "a", "row 1"),
    ],
)
def test_a_broken_row_is_named(tmp_path: Path, pair: IndexedPair, column: str, value: object, message: str) -> None:
    path = tmp_path / "pairs.parquet"
    write_index([pair, pair], path)
    columns = pq.read_table(path).to_pydict()
    columns[column] = [str(columns[column][0]), value] if value != "smoke" else [columns[column][0], value]
    pq.write_table(pa.table(columns), path)
    with pytest.raises(InputError, match=message) as error:
        read_index(path)
    assert "row 1" in str(error.value)


def test_a_split_that_is_not_there(tmp_path: Path, pair: IndexedPair) -> None:
    write_index([pair], tmp_path / "pairs.parquet")
    with pytest.raises(InputError, match="no pair of the split 'test'; its splits are: train"):
        list_indexed_pairs(tmp_path, "test")


def test_unwritable(tmp_path: Path, pair: IndexedPair) -> None:
    (tmp_path / "file").write_text("")
    with pytest.raises(InputError, match="Cannot write"):
        write_index([pair], tmp_path / "file" / "pairs.parquet")
