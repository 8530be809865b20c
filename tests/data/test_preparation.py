import json
import os
from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path

import numpy as np
import PIL.Image
import pytest

from gendeg.data import measuring
from gendeg.data.layouts import find_layout, find_pairs, find_plain_pairs
from gendeg.data.layouts.plain import list_training_pairs
from gendeg.data.measuring import SeverityLog, measure_pairs
from gendeg.data.pair_index import DatasetPair, IndexedPair, read_index, write_index
from gendeg.data.preparation import prepare_index
from gendeg.errors import ImageError, InputError
from gendeg.priors import SeverityPrior


def write_grey(path: Path, value: int, size: tuple[int, int] = (8, 8)) -> None:
    path.parent.mkdir(parents=True, exist_ok=True)
    PIL.Image.new("RGB", size, (value, value, value)).save(path)


@pytest.fixture
def root(tmp_path: Path) -> Path:
    """LOLv1 with four training pairs, whose mu are 10, 20, 30 and 40 steps of grey, and a test pair."""
    for number in (1, 2, 3, 4):
        write_grey(tmp_path / f"lol/our485/low/{number}.png", 100 - 10 * number)
        write_grey(tmp_path / f"lol/our485/high/{number}.png", 100)
    write_grey(tmp_path / "lol/eval15/low/5.png", 0)
    write_grey(tmp_path / "lol/eval15/high/5.png", 255)
    return tmp_path / "lol"


@pytest.fixture
def pairs(root: Path) -> list[DatasetPair]:
    return find_pairs(find_layout("LOLv1"), root).pairs


@pytest.fixture
def measured(monkeypatch: pytest.MonkeyPatch) -> list[int]:
    """How often severity has been measured: the list grows by one each time."""
    calls: list[int] = []
    measure = measuring.measure_severity
    monkeypatch.setattr(measuring, "measure_severity", lambda *images: calls.append(1) or measure(*images))
    return calls


@pytest.mark.parametrize("workers", [1, 3])
def test_measures_every_pair_in_order(pairs: list[DatasetPair], workers: int) -> None:
    results = list(measure_pairs(pairs, workers))
    assert [replace(result, mu=0, sigma=0) for result in results] == [
        IndexedPair(**vars(pair), mu=0, sigma=0) for pair in pairs
    ]
    assert [result.mu for result in results] == pytest.approx([1, *(10 * n / 255 for n in (1, 2, 3, 4))], abs=1e-6)
    assert [result.sigma for result in results] == pytest.approx([0] * 5, abs=1e-6)


def test_more_pairs_than_a_batch(pairs: list[DatasetPair], monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(measuring, "_BATCH", 2)
    assert [result.degraded for result in measure_pairs(pairs, 2)] == [pair.degraded for pair in pairs]


def test_pairs_that_cannot_be_used_are_told(root: Path, pairs: list[DatasetPair], tmp_path: Path) -> None:
    write_grey(root / "our485/low/1.png", 0, (8, 9))
    (root / "our485/high/2.png").write_text("broken")
    prepared = prepare_index(pairs, tmp_path / "pairs.parquet")
    assert [Path(row.degraded).stem for row in prepared.pairs] == ["5", "3", "4"]
    size, broken = map(str, prepared.failures)
    assert "our485/low/1.png is (8, 9), its target (8, 8)" in size
    assert "Cannot read" in broken
    assert read_index(tmp_path) == prepared.pairs


def test_not_one_usable_pair(root: Path, pairs: list[DatasetPair], tmp_path: Path) -> None:
    for pair in pairs:
        pair.clean.write_text("broken")
    with pytest.raises(ImageError, match=r"None of the 5 pairs can be used:\n  Cannot read"):
        prepare_index(pairs, tmp_path / "pairs.parquet")
    assert not list(tmp_path.glob("*.parquet"))


def test_a_second_run_measures_what_is_new(
    root: Path, pairs: list[DatasetPair], tmp_path: Path, measured: list[int]
) -> None:
    index = tmp_path / "pairs.parquet"
    assert prepare_index(pairs[:3], index).measured == 3
    again = prepare_index(pairs, index)
    assert (again.measured, len(again.pairs), len(measured)) == (2, 5, 5)
    write_grey(root / "our485/high/4.png", 200)  # newer than the index
    later = index.stat().st_mtime + 10
    os.utime(root / "our485/high/4.png", (later, later))
    assert prepare_index(pairs, index).measured == 1
    assert read_index(index)[-1].mu == pytest.approx(140 / 255, abs=1e-6)
    assert prepare_index(pairs, index, overwrite=True).measured == 5
    assert read_index(index) == list(measure_pairs(pairs, 1))


def test_rows_about_other_pairs_stay(pairs: list[DatasetPair], tmp_path: Path) -> None:
    index = tmp_path / "pairs.parquet"
    other = IndexedPair(**vars(replace(pairs[0], dataset="Other", degraded=tmp_path / "a.png")), mu=0.5, sigma=0.1)
    write_index([other], index)
    prepare_index(pairs[:2], index)
    prepare_index(pairs[2:], index)
    assert [(row.dataset, row.degraded.stem) for row in read_index(index)] == [
        ("LOLv1", stem) for stem in ("5", "1", "2", "3", "4")
    ] + [("Other", "a")]


def is_of_lol(row: DatasetPair) -> bool:
    return row.dataset == "LOLv1"


def test_rows_of_deleted_images_leave_the_index(pairs: list[DatasetPair], tmp_path: Path) -> None:
    index = tmp_path / "pairs.parquet"
    other = replace(pairs[0], dataset="Other", degraded=tmp_path / "on a disk that is not there.png")
    prepare_index(pairs, index)
    write_index([*read_index(index), IndexedPair(**vars(other), mu=0.5, sigma=0.1)], index)
    pairs[1].degraded.unlink()
    pairs[2].clean.unlink()
    assert prepare_index([pairs[0], *pairs[3:]], index, looked_for=is_of_lol).gone == 2
    kept = [(row.dataset, row.degraded.stem) for row in read_index(index)]
    assert kept == [("LOLv1", "5"), ("LOLv1", "3"), ("LOLv1", "4"), ("Other", other.degraded.stem)]
    assert prepare_index(pairs[:1], index, looked_for=is_of_lol).gone == 0


def test_rows_that_nobody_looked_for_stay_though_another_of_their_set_has_changed(
    pairs: list[DatasetPair], tmp_path: Path
) -> None:
    """Set B: B/1 is away, B/2 is newer than the index; preparing set A measures B/2 again and leaves B/1 alone."""
    index = tmp_path / "pairs.parquet"
    away, changed = (replace(pair, dataset="B") for pair in pairs[:2])
    prepare_index([away, changed, *pairs[2:]], index)
    away.degraded.unlink()
    later = index.stat().st_mtime + 10
    os.utime(changed.degraded, (later, later))
    prepared = prepare_index(pairs[2:], index, looked_for=is_of_lol)
    assert (prepared.measured, prepared.gone) == (1, 0)
    assert [row.degraded for row in read_index(index) if row.dataset == "B"] == [away.degraded, changed.degraded]


def test_rows_of_deleted_images_leave_though_no_pair_can_be_used(pairs: list[DatasetPair], tmp_path: Path) -> None:
    index = tmp_path / "pairs.parquet"
    prepare_index(pairs[:2], index)
    pairs[0].clean.write_text("broken")
    later = index.stat().st_mtime + 10
    os.utime(pairs[0].clean, (later, later))
    pairs[1].degraded.unlink()
    with pytest.raises(ImageError, match="None of the 1 pairs"):
        prepare_index(pairs[:1], index, looked_for=is_of_lol)
    assert [row.degraded for row in read_index(index)] == [pairs[0].degraded]


def test_rows_that_another_run_adds_meanwhile_stay(pairs: list[DatasetPair], tmp_path: Path) -> None:
    index = tmp_path / "pairs.parquet"
    other = IndexedPair(**vars(replace(pairs[0], dataset="Other", degraded=tmp_path / "a.png")), mu=0.5, sigma=0.1)
    prepare_index(pairs[:1], index, advance=lambda: write_index([other], index))
    assert [row.dataset for row in read_index(index)] == ["LOLv1", "Other"]


def test_an_interrupted_run_goes_on(
    pairs: list[DatasetPair], tmp_path: Path, measured: list[int], monkeypatch: pytest.MonkeyPatch
) -> None:
    index = tmp_path / "pairs.parquet"
    write_index([IndexedPair(**vars(pairs[0]), mu=1, sigma=0)], index)
    before = index.read_bytes()
    steps: Iterator[int] = iter(range(100))

    def interrupt() -> None:
        if next(steps) == 2:  # the first pair is known, the second and third are measured
            raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt):
        prepare_index(pairs, index, advance=interrupt)
    assert index.read_bytes() == before
    assert len(SeverityLog(index).read()) == 2
    with SeverityLog(index).path.open("a") as file:  # killed while a line was written
        file.write(json.dumps([str(pairs[3].degraded), str(pairs[3].clean), 0.5, 0.5])[:-8])
    measured.clear()
    assert prepare_index(pairs, index).measured == len(measured) == 2
    assert [row.mu for row in read_index(index)] == pytest.approx([1, *(10 * n / 255 for n in (1, 2, 3, 4))], abs=1e-6)
    assert not SeverityLog(index).path.exists()


def test_another_file_is_not_overwritten(pairs: list[DatasetPair], tmp_path: Path, measured: list[int]) -> None:
    (tmp_path / "notes.txt").write_text("mine")
    with pytest.raises(InputError, match="is not an index of pairs"):
        prepare_index(pairs, tmp_path / "notes.txt")
    assert (tmp_path / "notes.txt").read_text() == "mine"
    assert not measured


def test_relative_index(root: Path, pairs: list[DatasetPair], monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(root)
    prepare_index(pairs, Path("pairs.parquet"))
    assert prepare_index(pairs, Path("pairs.parquet")).measured == 0
    assert prepare_index(pairs, Path("../lol/pairs.parquet")).measured == 0


def test_plain_folders(tmp_path: Path) -> None:
    for place in ("haze/mine/input/park/1", "haze/mine/target/park/1", "haze/test/input/2", "haze/test/target/2"):
        write_grey(tmp_path / f"{place}.png", 0)
    rows = [
        (pair.dataset, str(pair.mixture[0]), pair.category, pair.split, pair.scene)
        for pair in find_plain_pairs(tmp_path, "real").pairs
    ]
    assert rows == [
        ("mine", "haze", "real", "train", "target/park/1.png"),
        ("haze", "haze", "real", "test", "target/2.png"),
    ]
    assert [pair.split for pair in find_plain_pairs(tmp_path / "haze/test", "real", "haze").pairs] == ["test"]
    with pytest.raises(InputError, match=r"--category\), real or synthetic; got None"):
        find_plain_pairs(tmp_path, None)
    with pytest.raises(InputError, match="There is no folder"):
        find_plain_pairs(tmp_path / "nowhere", None)


def test_plain_images_without_a_target_are_told(tmp_path: Path) -> None:
    for place in ("haze/mine/input/1", "haze/mine/target/1", "haze/mine/input/2"):
        write_grey(tmp_path / f"{place}.png", 0)
    found = find_plain_pairs(tmp_path, "real")
    assert [pair.degraded.name for pair in found.pairs] == ["1.png"]
    assert found.problems == {tmp_path / "haze/mine/input/2.png": "no clean image of this name in target/"}
    with pytest.raises(InputError, match=r"1 of 2 images in .* have no target"):  # training asks for whole folders
        list_training_pairs(tmp_path)
    (tmp_path / "haze/mine/input/1.png").unlink()
    with pytest.raises(InputError, match=r"None of the 1 images in .* has a target, e.g. .*2.png"):
        find_plain_pairs(tmp_path, "real")


def test_training_pairs_leave_test_folders_alone(tmp_path: Path) -> None:
    for place in (
        "haze/mine/train/input/1",
        "haze/mine/train/target/1",
        "haze/mine/test/input/2",
        "haze/mine/test/target/2",
    ):
        write_grey(tmp_path / f"{place}.png", 0)
    assert [(pair.dataset, pair.degraded.name) for pair in list_training_pairs(tmp_path)] == [("mine", "1.png")]
    (tmp_path / "haze").rename(tmp_path / "test").joinpath("mine").rename(tmp_path / "test" / "haze")
    with pytest.raises(InputError, match="no training pairs"):
        list_training_pairs(tmp_path / "test")


def test_changed_images_of_other_pairs_are_measured_again(pairs: list[DatasetPair], tmp_path: Path) -> None:
    """An index that is written for some pairs is newer than the images of all others, changed or not."""
    index = tmp_path / "pairs.parquet"
    first, *others = sorted(pairs, key=lambda pair: pair.split == "test")
    prepare_index([first], index)
    write_grey(first.degraded, 0)
    later = index.stat().st_mtime + 10
    os.utime(first.degraded, (later, later))
    assert prepare_index(others, index).measured == len(pairs)
    mu = {row.degraded: row.mu for row in read_index(index)}
    assert mu[first.degraded] == pytest.approx(100 / 255)
    assert len(mu) == len(pairs)


def test_a_prior_takes_the_severities_of_an_index(
    pairs: list[DatasetPair], tmp_path: Path, measured: list[int]
) -> None:
    from gendeg.imaging import read_image

    prepare_index(pairs, tmp_path / "pairs.parquet")
    rows = read_index(tmp_path)
    prior = SeverityPrior.from_pairs(rows)
    images = [(read_image(pair.clean), read_image(pair.degraded), pair.mixture, pair.dataset) for pair in pairs]
    expected = SeverityPrior.from_pairs(images)
    assert prior.datasets("low_light") == ("LOLv1",)
    assert np.array_equal(prior.sample("low_light", 50, 0), expected.sample("low_light", 50, 0))
    for row in rows:
        row.clean.unlink()  # images are not needed
    table = [{"degradation": "low_light", "dataset": row.dataset, "mu": row.mu, "sigma": row.sigma} for row in rows]
    again = SeverityPrior.from_pairs(table)
    assert np.array_equal(again.sample("low_light", 50, 0), prior.sample("low_light", 50, 0))
    with pytest.raises(InputError, match="resize_to_256"):
        SeverityPrior.from_pairs(rows, resize_to_256=True)
