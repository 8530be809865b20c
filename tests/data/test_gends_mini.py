"""The packaged mini set: found without a folder, whole, small, and true to its columns."""

from collections import Counter
from typing import Any

import pytest

import gendeg
from gendeg.data.gends.locate import MINI_SET
from gendeg.degradations import Degradation
from gendeg.severity import measure_severity
from gendeg.synthesis.manifest import verify_dataset

PHOTOGRAPHERS = (
    *("NASA", "Lav Varshney", "Stefan van der Walt", "Rachel Michetti", "SpaceX", "danielbuechele", "vultilion"),
    "James S. Davis",
)


@pytest.fixture(scope="module")
def data(tmp_path_factory: pytest.TempPathFactory) -> Any:
    return gendeg.load_dataset("gends", cache_dir=str(tmp_path_factory.mktemp("mini")))


def test_about_fifty_pairs_of_all_degradations_in_both_splits(data: Any) -> None:
    counts = Counter(label for split in data.values() for label in split["degradation"])
    assert set(data) == {"train", "validation"}
    assert set(counts) == set(range(len(Degradation)))
    assert 40 <= counts.total() <= 60
    scenes = [set(split["scene_id"]) for split in data.values()]
    assert scenes[0].isdisjoint(scenes[1])


def test_severities_are_those_of_the_stored_pixels(data: Any) -> None:
    for row in (row for split in data.values() for row in split):
        assert row["degraded"].size == row["target"].size
        achieved = measure_severity(row["target"], row["degraded"])
        assert achieved.mu == pytest.approx(row["achieved_mu"], abs=1e-9)
        assert achieved.sigma == pytest.approx(row["achieved_sigma"], abs=1e-9)


def test_every_byte_is_as_it_was_written(data: Any) -> None:
    assert sum(verify_dataset(MINI_SET).rows.values()) == sum(map(len, data.values()))


def test_small_and_without_traces_of_the_run() -> None:
    files = [path for path in MINI_SET.rglob("*") if path.is_file()]
    assert sum(path.stat().st_size for path in files) <= 4_000_000
    assert not [path for path in files if path.name.startswith(".")]


def test_the_card_names_all_photographers() -> None:
    card = (MINI_SET / "README.md").read_text(encoding="utf-8")
    assert not [name for name in PHOTOGRAPHERS if name not in card]
