"""Every kind of `data`: what it is recognised as, what is held out, and how the entries are mixed."""

from pathlib import Path

import datasets
import numpy as np
import PIL.Image
import pytest

from gendeg.data.pair_index import INDEX, IndexedPair, write_index
from gendeg.data.split import split_of
from gendeg.errors import InputError
from gendeg.training.config import TrainingConfig
from gendeg.training.crops import restoration_items
from gendeg.training.entries import open_entry
from gendeg.training.pairs import DatasetPairs, FilePairs
from gendeg.training.restorer_config import RestorerConfig
from gendeg.training.sources import mixed_pairs

COUNT = 60
FIRST_SCENE, LAST_SCENE = 30, 49  # scene44 is held out


def write_images(folder: Path, degradation: str = "low_light") -> list[tuple[Path, Path]]:
    """Pairs `<degradation>/set/{input,target}`, the inputs at a quarter of the brightness."""
    inputs = [folder / degradation / "set" / "input" / f"{number}.png" for number in range(COUNT)]
    pairs = [(path, path.parents[1] / "target" / path.name) for path in inputs]
    for pair in pairs:
        for path, value in zip(pair, (40, 160), strict=True):
            path.parent.mkdir(parents=True, exist_ok=True)
            PIL.Image.fromarray(np.full((20, 24, 3), value, np.uint8)).save(path)
    return pairs


@pytest.fixture(scope="module")
def pairs_folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("data") / "existing"
    write_images(folder)
    return folder


@pytest.fixture(scope="module")
def index_folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """An index of three pairs to a scene; the last scene is published as test."""
    folder = tmp_path_factory.mktemp("data") / "indexed"
    rows = []
    for number, (degraded, clean) in enumerate(write_images(folder, "haze")):
        scene = FIRST_SCENE + number // 3
        split = "test" if scene == LAST_SCENE else "train"
        rows.append(IndexedPair(degraded, clean, ("haze",), "mine", "real", split, f"scene{scene}", 0.47, 0.0))
    write_index(rows, folder / INDEX)
    return folder


@pytest.fixture(scope="module")
def gends_folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A data set as parquet shards below `data/`, as GenDS has them."""
    folder = tmp_path_factory.mktemp("data") / "gends"
    (folder / "data").mkdir(parents=True)
    image = PIL.Image.fromarray(np.full((20, 24, 3), 160, np.uint8))
    dark = image.point(lambda value: value // 4)
    columns = {"degraded": [dark] * COUNT, "target": [image] * COUNT, "degradation": ["rain"] * COUNT}
    kinds = {"degraded": datasets.Image(), "target": datasets.Image(), "degradation": datasets.Value("string")}
    rows = datasets.Dataset.from_dict(columns, features=datasets.Features(kinds))
    rows.to_parquet(folder / "data" / "train-part.parquet")
    return folder


def test_a_folder_of_pairs(pairs_folder: Path) -> None:
    train, held_out = (open_entry(str(pairs_folder), split) for split in ("train", "validation"))
    assert isinstance(train, FilePairs)
    assert len(train.pairs) + len(held_out.pairs) == COUNT
    pair = train.draw(np.random.default_rng(0), 16)
    assert pair.mixture == ("low_light",)
    assert (pair.clean.mean().item(), pair.degraded.mean().item()) == pytest.approx((160 / 255, 40 / 255))


@pytest.mark.parametrize("name", ["", INDEX])
def test_an_index_holds_out_scenes_and_leaves_the_published_test_pairs_alone(index_folder: Path, name: str) -> None:
    parts = {split: open_entry(str(index_folder / name), split) for split in ("train", "validation")}
    scenes = {split: {pair.scene for pair in source.pairs} for split, source in parts.items()}
    assert all(split_of(scene) == split for split, names in scenes.items() for scene in names)
    assert scenes["train"] | scenes["validation"] == {f"scene{number}" for number in range(FIRST_SCENE, LAST_SCENE)}
    assert parts["train"].draw(np.random.default_rng(0), 16).mixture == ("haze",)


def test_a_data_set(gends_folder: Path) -> None:
    source = open_entry(str(gends_folder))
    assert isinstance(source, DatasetPairs)
    assert source.draw(np.random.default_rng(0), 16).mixture == ("rain",)


@pytest.mark.parametrize(
    ("name", "what"), [("photos", "nothing that is known"), ("missing", "not there"), ("notes.txt", "nothing that")]
)
def test_what_is_none_of_these_is_answered_with_what_is_accepted(tmp_path: Path, name: str, what: str) -> None:
    (tmp_path / "photos").mkdir()
    PIL.Image.new("RGB", (8, 8)).save(tmp_path / "photos" / "a.png")
    (tmp_path / "notes.txt").write_text("pairs")
    with pytest.raises(InputError, match=rf"{name} is {what}.*Accepted: a data set.*{INDEX}.*--photos"):
        open_entry(str(tmp_path / name))


def test_photos_with_metadata_are_no_pairs(tmp_path: Path) -> None:
    PIL.Image.new("RGB", (8, 8)).save(tmp_path / "a.png")
    (tmp_path / "metadata.jsonl").write_text('{"file_name": "a.png", "degradation": "haze"}\n')
    with pytest.raises(InputError, match=r"a folder of photos, not of pairs: .*metadata.jsonl .*Accepted: .*--photos"):
        open_entry(str(tmp_path))


def test_a_description_that_speaks_of_the_column_is_no_column(tmp_path: Path) -> None:
    (tmp_path / "metadata.jsonl").write_text('{"file_name": "a.png", "text": "no degraded_file_name here"}\n')
    with pytest.raises(InputError, match=r"a folder of photos, not of pairs: .*metadata.jsonl"):
        open_entry(str(tmp_path))
    (tmp_path / "metadata.jsonl").write_text("{broken")
    with pytest.raises(InputError, match=r"Cannot read .*metadata.jsonl"):
        open_entry(str(tmp_path))


def test_a_text_called_metadata_describes_no_photos(tmp_path: Path) -> None:
    (tmp_path / "metadata.txt").write_text("degraded_file_name")
    with pytest.raises(InputError, match="nothing that is known"):
        open_entry(str(tmp_path))


@pytest.mark.parametrize("suffix", ["csv", "parquet"])
def test_metadata_in_other_tables(tmp_path: Path, suffix: str) -> None:
    for part, value in (("bad", 40), ("good", 160)):
        PIL.Image.new("RGB", (20, 24), (value,) * 3).save(tmp_path / f"{part}.png")
    row = {"degraded_file_name": ["bad.png"], "clean_file_name": ["good.png"], "degradation": ["rain"]}
    getattr(datasets.Dataset.from_dict(row), f"to_{suffix}")(tmp_path / f"metadata.{suffix}")
    pair = open_entry(str(tmp_path)).draw(np.random.default_rng(0), 16)
    assert pair.degraded.mean().item() == pytest.approx(40 / 255)


def test_a_folder_whose_metadata_names_pairs(tmp_path: Path) -> None:
    for part, value in (("bad", 40), ("good", 160)):
        PIL.Image.new("RGB", (20, 24), (value,) * 3).save(tmp_path / f"{part}.png")
    row = '{"degraded_file_name": "bad.png", "clean_file_name": "good.png", "degradation": "rain"}\n'
    (tmp_path / "metadata.jsonl").write_text(row)
    pair = open_entry(str(tmp_path)).draw(np.random.default_rng(0), 16)
    assert (pair.clean.mean().item(), pair.degraded.mean().item()) == pytest.approx((160 / 255, 40 / 255))


def test_an_index_without_the_columns_and_a_split_without_pairs(tmp_path: Path) -> None:
    datasets.Dataset.from_dict({"a": [1]}).to_parquet(tmp_path / "other.parquet")
    with pytest.raises(InputError, match="not an index of pairs"):
        open_entry(str(tmp_path / "other.parquet"))
    for part in ("input", "target"):
        (tmp_path / "haze" / part).mkdir(parents=True)
        PIL.Image.new("RGB", (8, 8)).save(tmp_path / "haze" / part / "0.png")
    with pytest.raises(InputError, match=r"None of the 1 pairs in .* belongs to the validation split"):
        open_entry(str(tmp_path), "validation")


def shares(config: TrainingConfig) -> dict[str, float]:
    """Of 400 samples, the share of each degradation."""
    rng, mixed = np.random.default_rng(0), mixed_pairs(config)
    drawn = ["+".join(mixed.draw(rng, 8).mixture) for _ in range(400)]
    return {name: drawn.count(name) / len(drawn) for name in set(drawn)}


def test_entries_are_mixed_by_weight_and_photos_get_the_rest(
    photo_folder: Path, pairs_folder: Path, index_folder: Path
) -> None:
    data = [str(pairs_folder), str(index_folder)]
    equal = shares(TrainingConfig(data=data))
    assert equal == pytest.approx({"low_light": 0.5, "haze": 0.5}, abs=0.08)
    config = TrainingConfig(
        data=data, data_weights=[2, 6], data_share=0.8, photos=[str(photo_folder)], degradations=["snow"]
    )
    assert shares(config) == pytest.approx({"low_light": 0.2, "haze": 0.6, "snow": 0.2}, abs=0.08)


@pytest.mark.parametrize(
    ("settings", "message"),
    [
        ({"data_weights": [1, 2]}, r"data_weights has 2 numbers \(1, 2\), data has 1 entries"),
        ({"data_weights": [-1]}, "not all 0; got -1"),
        ({"data_weights": [0]}, "not all 0; got 0"),
        ({"data_share": 1.5}, "data_share=1.5"),
    ],
)
def test_impossible_shares(pairs_folder: Path, settings: dict, message: str) -> None:
    with pytest.raises(InputError, match=message):
        mixed_pairs(TrainingConfig(data=[str(pairs_folder)], **settings))


def test_each_entry_has_its_own_held_out_pairs(pairs_folder: Path, index_folder: Path) -> None:
    config = RestorerConfig(data=[str(pairs_folder), str(index_folder)], resolution=16, validation_count=4)
    names = [item["degradation"] for item in restoration_items(config)]
    assert names == ["low_light (existing)", "haze (indexed)"] * 2
