from pathlib import Path

import datasets
import numpy as np
import PIL.Image
import pytest
import torch

from gendeg.degradations import Degradation
from gendeg.errors import InputError
from gendeg.training.crops import RestorationCrops, random_views, restoration_crops, restoration_items
from gendeg.training.entries import open_entry
from gendeg.training.loading import IndexBatches, make_loader
from gendeg.training.pairs import DatasetPairs, Pair, SimulatedPairs
from gendeg.training.restorer import load_restorer
from gendeg.training.restorer_config import RestorerConfig


class Ramp:
    """Pairs whose pixels say where they are: red the row, green the column, blue the number of the pair."""

    def __init__(self) -> None:
        self.sides: list[int] = []

    def draw(self, rng: np.random.Generator, size: int) -> Pair:
        self.sides.append(size)
        rows, columns = torch.meshgrid(torch.arange(size) / 64, torch.arange(size) / 64, indexing="ij")
        clean = torch.stack([rows, columns, torch.full((size, size), rng.random())])
        return Pair(clean, clean / 2, (Degradation.HAZE,))


def test_an_item_depends_on_seed_and_index_alone(photo_folder: Path) -> None:
    def crops(seed: int = 3) -> RestorationCrops:
        source = SimulatedPairs([str(photo_folder)])
        return RestorationCrops(source, 24, 40, crops_per_pair=2, clean_share=0.3, seed=seed)

    forth, back = crops(), crops()
    items = {index: forth[index] for index in (0, 1, 6, 7, 10**9)}
    for index in reversed(items):
        assert torch.equal(back[index]["degraded"], items[index]["degraded"])
        assert items[index]["clean"].shape == (3, 24, 24)
    assert not torch.equal(crops(4)[0]["clean"], items[0]["clean"])


def test_neighbouring_crops_share_a_canvas_of_random_size() -> None:
    source = Ramp()
    crops = RestorationCrops(source, 16, 32, crops_per_pair=4)
    items = [crops[index] for index in range(80)]
    numbers = [item["clean"][2].unique().item() for item in items]
    assert all(len(set(numbers[start : start + 4])) == 1 for start in range(0, 80, 4))
    assert len(set(numbers)) == len(source.sides) == 20
    assert min(source.sides) < 20
    assert 28 < max(source.sides) <= 32


def test_clean_crops_have_their_share() -> None:
    crops = RestorationCrops(Ramp(), 8, 8, clean_share=0.25)
    items = [crops[index] for index in range(400)]
    clean = [item for item in items if item["degradation"] == "clean"]
    assert len(clean) == pytest.approx(100, abs=30)
    assert all(torch.equal(item["clean"], item["degraded"]) for item in clean)
    others = [item for item in items if item["degradation"] == "haze"]
    assert all(torch.equal(item["clean"] / 2, item["degraded"]) for item in others)


def test_views_are_the_eight_symmetries_of_a_square_and_the_same_for_both_images() -> None:
    image = torch.arange(9.0).reshape(1, 3, 3)
    rng = np.random.default_rng(0)
    views = [random_views(rng, [image, image + 1], 3) for _ in range(100)]
    assert len({tuple(view.flatten().tolist()) for view, _ in views}) == 8
    assert all(torch.equal(first + 1, second) for first, second in views)


def test_workers_make_the_same_batches(photo_folder: Path) -> None:
    crops = RestorationCrops(SimulatedPairs([str(photo_folder)]), 16, 24, crops_per_pair=2)
    alone, worked = (list(make_loader(crops, IndexBatches(0, 2, 4), workers)) for workers in (0, 1))
    for a, b in zip(alone, worked, strict=True):
        assert torch.equal(a["degraded"], b["degraded"])


def test_chosen_degradations_alone_are_simulated(photo_folder: Path) -> None:
    source = SimulatedPairs([str(photo_folder)], mixture_share=0.5, degradations=["rain", "fog", "haze"])
    rng = np.random.default_rng(0)
    drawn = [source._draw_simulation(rng)[0] for _ in range(300)]
    assert set(drawn) == {("rain",), ("haze",), ("rain", "haze")}
    assert drawn.count(("haze",)) > 1.4 * drawn.count(("rain",))


def test_held_out_items_cover_every_source(photo_folder: Path, tmp_path: Path) -> None:
    settings = {
        "photos": [str(photo_folder)],
        "data": [str(write_pairs(tmp_path / "pairs"))],
        "resolution": 24,
        "canvas": 32,
    }
    config = RestorerConfig(**settings, validation_count=16)
    items = restoration_items(config)
    names = [item["degradation"] for item in items]
    assert names[:7] == names[8:15] == [*Degradation, "clean"]
    assert {names[7], names[15]} <= {"low_light (pairs)", "snow (pairs)"}
    assert items[0]["clean"].shape == (3, 32, 32)
    again = restoration_items(RestorerConfig(**settings, validation_count=16, seed=5))
    assert all(torch.equal(a["degraded"], b["degraded"]) for a, b in zip(items, again, strict=True))


def write_pairs(root: Path) -> Path:
    """Sixty pairs of low light, ten of snow; at least one of each is held out."""
    for degradation, count in (("low_light", 60), ("snow", 10)):
        for number in range(count):
            for part, value in (("input", 40), ("target", 200)):
                folder = root / degradation / "set" / part
                folder.mkdir(parents=True, exist_ok=True)
                PIL.Image.fromarray(np.full((40, 50, 3), value, np.uint8)).save(folder / f"{number}.png")
    return root


def test_balanced_pairs_show_each_degradation_equally_often(tmp_path: Path) -> None:
    write_pairs(tmp_path)
    rng = np.random.default_rng(0)
    for balanced, expected in ((True, 100), (False, 29)):
        source = open_entry(str(tmp_path), balanced=balanced)
        snow = sum(source.draw(rng, 8).mixture == ("snow",) for _ in range(200))
        assert snow == pytest.approx(expected, abs=25)


def test_columns_of_gends(tmp_path: Path) -> None:
    names = [name.value for name in Degradation]
    count = 60
    image = PIL.Image.fromarray(np.full((20, 20, 3), 200, np.uint8))
    dark = image.point(lambda value: value // 2)
    rows = {
        "degraded": [dark] * count,
        "target": [image] * count,
        "degradation": [names.index("rain")] * 50 + [names.index("low_light")] * 10,
        "mixture": ["rain+haze"] * 50 + [""] * 10,
        "scene_id": [f"{number // 5 + 35}" for number in range(count)],  # 37 and 40 are held out
    }
    kinds = {"degradation": datasets.ClassLabel(names=names), "degraded": datasets.Image(), "target": datasets.Image()}
    texts = {"mixture": datasets.Value("string"), "scene_id": datasets.Value("string")}
    datasets.Dataset.from_dict(rows, features=datasets.Features(kinds | texts)).save_to_disk(tmp_path)
    source = DatasetPairs(str(tmp_path), balanced=True)
    rng = np.random.default_rng(0)
    pairs = [source.draw(rng, 16) for _ in range(60)]
    assert {pair.mixture for pair in pairs} == {("rain", "haze"), ("low_light",)}
    assert sum(pair.mixture == ("low_light",) for pair in pairs) == pytest.approx(30, abs=14)
    assert pairs[0].clean.mean() == pytest.approx(200 / 255)
    assert pairs[0].degraded.mean() == pytest.approx(100 / 255)
    held_out = DatasetPairs(str(tmp_path), "validation").rows
    assert held_out.numbers == [*range(10, 15), *range(25, 30)]
    assert set(source.rows.numbers).isdisjoint(held_out.numbers)


def test_settings_that_contradict_each_other(photo_folder: Path) -> None:
    with pytest.raises(InputError, match="canvas=20 is smaller than resolution=24"):
        restoration_crops(RestorerConfig(photos=[str(photo_folder)], resolution=24, canvas=20))
    with pytest.raises(InputError, match=r"at least one degradation.*haze"):
        restoration_crops(RestorerConfig(photos=[str(photo_folder)], degradations=[]))
    with pytest.raises(InputError, match="either --model"):
        load_restorer(RestorerConfig())
    with pytest.raises(InputError, match="--photos"):
        restoration_crops(RestorerConfig())


def test_a_run_starts_from_a_size_or_from_a_folder(tmp_path: Path) -> None:
    tiny = load_restorer(RestorerConfig(model="nafnet-tiny"))
    assert type(load_restorer(RestorerConfig(restorer="nafnet-tiny"))) is type(tiny)  # the packaged one
    tiny.save_pretrained(tmp_path)
    again = load_restorer(RestorerConfig(restorer=str(tmp_path)))
    assert torch.equal(again.intro.weight, tiny.intro.weight)
