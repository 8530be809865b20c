from pathlib import Path

import datasets
import numpy as np
import PIL.Image
import pytest
import torch

from gendeg import measure_severity
from gendeg.data.hub import PairDataset
from gendeg.data.photos import PhotoReader
from gendeg.degradations import Degradation
from gendeg.errors import ImageError, InputError
from gendeg.simulators.color import linear_to_srgb, srgb_to_linear
from gendeg.training.config import TrainingConfig
from gendeg.training.entries import open_entry
from gendeg.training.loading import IndexBatches, make_loader
from gendeg.training.pairs import EXPOSURES, DatasetPairs, MixedPairs, Pair, SimulatedPairs, TrainingPairs
from gendeg.training.sources import training_pairs, validation_items

TEXT = datasets.Value("string")


@pytest.fixture(scope="module")
def pairs(photo_folder: Path) -> TrainingPairs:
    return TrainingPairs(SimulatedPairs([str(photo_folder)]), size=32, seed=3)


def test_an_item_depends_on_seed_and_index_alone(pairs: TrainingPairs, photo_folder: Path) -> None:
    again = TrainingPairs(SimulatedPairs([str(photo_folder)]), size=32, seed=3)
    for index in (5, 0, 1_000_000_000):
        first, second = pairs[index], again[index]
        assert torch.equal(first["degraded"], second["degraded"])
        assert first["prompt"] == second["prompt"]
    assert not torch.equal(pairs[0]["clean"], pairs[1]["clean"])
    other = TrainingPairs(again.source, size=32, seed=4)
    assert not torch.equal(pairs[0]["clean"], other[0]["clean"])


def test_labels_are_measured_on_the_crop(pairs: TrainingPairs) -> None:
    for index in range(6):
        item = pairs[index]
        severity = measure_severity(item["clean"], item["degraded"])
        assert item["mu"].item() == pytest.approx(severity.mu, abs=1e-6)
        assert item["sigma"].item() == pytest.approx(severity.sigma, abs=1e-6)


def test_covers_all_degradations_and_prompts_with_and_without_description(pairs: TrainingPairs) -> None:
    items = [pairs[index] for index in range(60)]
    assert set(Degradation) <= {item["degradation"] for item in items}
    described = sum(item["prompt"].startswith("a photo of") for item in items)
    assert 3 < described < 30
    assert max(item["mu"].item() for item in items) > 0.3  # beyond the published prior


def test_darkened_photos_are_the_photos_at_a_shorter_exposure(photo_folder: Path) -> None:
    plain, dark = (
        TrainingPairs(SimulatedPairs([str(photo_folder)], dark_share=share), size=32, seed=3) for share in (0, 1)
    )
    for index in range(6):
        item, darker = plain[index]["clean"], dark[index]["clean"]
        assert darker.dtype == torch.float32
        exposure = srgb_to_linear(darker).sum() / srgb_to_linear(item).sum()
        assert EXPOSURES[0] - 1e-3 < exposure < EXPOSURES[1] + 1e-3
        torch.testing.assert_close(linear_to_srgb(exposure * srgb_to_linear(item)), darker, atol=1e-4, rtol=0)


def test_crops_of_a_larger_canvas(photo_folder: Path) -> None:
    source = SimulatedPairs([str(photo_folder)])
    pairs = TrainingPairs(source, 16, 48, crops_per_pair=2, seed=3)
    items = [pairs[index] for index in range(16)]
    assert all(item["degraded"].shape == (3, 16, 16) for item in items)
    assert len({pairs.draw_canvas(number).clean.shape for number in range(8)}) > 4
    for index, item in enumerate(items):
        canvas = pairs.draw_canvas(index // 2)
        windows = canvas.clean.unfold(1, 16, 1).unfold(2, 16, 1)
        same = (windows == item["clean"][:, None, None]).all(dim=(0, 3, 4))
        assert same.any()  # neither turned nor mirrored: rain falls downwards
        assert item["degradation"] == "+".join(canvas.mixture)


def test_workers_make_the_same_batches(pairs: TrainingPairs) -> None:
    alone, worked = (list(make_loader(pairs, IndexBatches(0, 2, 3), workers)) for workers in (0, 1))
    for a, b in zip(alone, worked, strict=True):
        assert torch.equal(a["degraded"], b["degraded"])


def test_sources_are_drawn_by_weight() -> None:
    class Constant:
        def __init__(self, value: float):
            self.value = value

        def draw(self, rng: np.random.Generator, size: int) -> Pair:
            return Pair(torch.zeros(3, size, size), torch.full((3, size, size), self.value), (Degradation.HAZE,))

    pairs = TrainingPairs(MixedPairs([(Constant(0.25), 0.2), (Constant(0.5), 0.8)]), size=4)
    share = np.mean([pairs[index]["mu"].item() == 0.5 for index in range(400)])
    assert share == pytest.approx(0.8, abs=0.06)
    with pytest.raises(InputError, match="weights"):
        MixedPairs([])


def test_unreadable_photos_are_named_once_and_left_out(
    photo_folder: Path, tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    for path in photo_folder.iterdir():
        (tmp_path / path.name).write_bytes(path.read_bytes())
    source = SimulatedPairs([str(tmp_path)])
    good = source.photos[0]
    source.photos[1:] = [tmp_path / "broken.png"] * len(source.photos)
    (tmp_path / "broken.png").write_bytes(good.read_bytes()[:100])
    items = [TrainingPairs(source, 16)[index] for index in range(12)]
    assert all(item["clean"].isfinite().all() for item in items)
    assert caplog.text.count("Left out of training") == 1
    assert "broken.png" in caplog.text
    good.write_bytes(b"")
    source.read = PhotoReader()
    with pytest.raises(ImageError):
        TrainingPairs(source, 16)[0]


def test_pairs_of_different_sizes_are_named_and_left_out(tmp_path: Path, caplog: pytest.LogCaptureFixture) -> None:
    write_pairs(tmp_path, 60)
    source = open_entry(str(tmp_path))
    wrong = source.pairs[0].degraded
    PIL.Image.new("RGB", (50, 41)).save(wrong)
    rng = np.random.default_rng(0)
    assert all(source.draw(rng, 16).clean.shape == (3, 16, 16) for _ in range(300))
    assert caplog.text.count(str(wrong)) == 1


def test_unreadable_rows_of_a_data_set_are_named(tmp_path: Path) -> None:
    image = PIL.Image.new("RGB", (20, 20), "gray")
    rows = {"clean": [image] * 60, "degraded": [image] * 59 + [{"bytes": b"broken", "path": None}]}
    features = datasets.Features({"clean": datasets.Image(), "degraded": datasets.Image(), "degradation": TEXT})
    datasets.Dataset.from_dict(rows | {"degradation": ["haze"] * 60}, features=features).save_to_disk(tmp_path)
    pairs = PairDataset(str(tmp_path), "train")
    last = pairs.numbers.index(59)
    with pytest.raises(ImageError, match=r"Row 59 of .* cannot be read"):
        pairs[last]


def test_validation_shows_what_is_trained_on(photo_folder: Path) -> None:
    config = TrainingConfig(photos=[str(photo_folder)], degradations=["snow", "snow"], resolution=16, canvas=24)
    assert {item["degradation"] for item in validation_items(config)} <= {"snow", "snow+haze"}
    pairs = training_pairs(TrainingConfig(photos=[str(photo_folder)], resolution=16, canvas=24, crops_per_pair=3))
    assert (pairs.canvas, pairs.crops_per_pair) == (24, 3)
    with pytest.raises(InputError, match="crops_per_pair=0"):
        training_pairs(TrainingConfig(photos=[str(photo_folder)], crops_per_pair=0))


def test_one_model_of_a_degradation_alone(photo_folder: Path) -> None:
    """Two models draw different water on the same photo."""
    drops = SimulatedPairs([str(photo_folder)], degradations=["raindrop/drops"])
    pair = drops.draw(np.random.default_rng(5), 32)
    assert pair.mixture == (Degradation.RAINDROP,)
    assert {drops._draw_simulation(np.random.default_rng(seed)) for seed in range(9)} == {(pair.mixture, "drops")}
    rivulets = SimulatedPairs([str(photo_folder)], degradations=["raindrop/rivulets"])
    other = rivulets.draw(np.random.default_rng(5), 32)
    torch.testing.assert_close(other.clean, pair.clean)
    assert not torch.allclose(other.degraded, pair.degraded)
    with pytest.raises(InputError, match="raindrop has no model 'hail'; its models are 'drops', 'rivulets'"):
        SimulatedPairs([str(photo_folder)], degradations=["raindrop/hail"])


def test_mixtures_need_both_degradations_with_all_their_models(photo_folder: Path) -> None:
    assert SimulatedPairs([str(photo_folder)], degradations=["rain", "haze"]).mixtures
    assert not SimulatedPairs([str(photo_folder)], degradations=["rain", "snow"]).mixtures
    assert not SimulatedPairs([str(photo_folder)], degradations=["rain", "haze/depth"]).mixtures


def write_pairs(root: Path, count: int) -> None:
    for part in ("input", "target"):
        folder = root / "low_light" / "set" / part
        folder.mkdir(parents=True)
        for number in range(count):
            value = 40 if part == "input" else 200
            PIL.Image.fromarray(np.full((40, 50, 3), value, np.uint8)).save(folder / f"{number}.png")


def test_settings_mix_photos_and_folders(photo_folder: Path, tmp_path: Path) -> None:
    write_pairs(tmp_path, 60)
    config = TrainingConfig(photos=[str(photo_folder)], data=[str(tmp_path)], data_share=0.5, resolution=16)
    mixed = training_pairs(config)
    real = [mixed[index]["mu"].item() == pytest.approx(160 / 255) for index in range(40)]
    assert 8 < sum(real) < 32


def test_validation_items_are_fixed_and_held_out(photo_folder: Path, tmp_path: Path) -> None:
    write_pairs(tmp_path, 60)
    config = TrainingConfig(data=[str(tmp_path)], resolution=16, validation_count=3, seed=1)
    other = TrainingConfig(photos=[], data=[str(tmp_path)], resolution=16, validation_count=3, seed=2)
    for a, b in zip(validation_items(config), validation_items(other), strict=True):
        assert torch.equal(a["clean"], b["clean"])
        assert a["degradation"] == "low_light"


def test_no_source() -> None:
    with pytest.raises(InputError, match=r"--photos .* or --data"):
        training_pairs(TrainingConfig())


def test_pairs_from_a_data_set(photo_folder: Path, tmp_path: Path) -> None:
    images = [PIL.Image.open(path) for path in sorted(photo_folder.iterdir())] * 12
    rows = {
        "clean": images,
        "degraded": [image.point(lambda value: value // 2) for image in images],
        "degradation": ["low light"] * len(images),
        "caption": ["a photo"] * len(images),
    }
    saved = datasets.Dataset.from_dict(rows)
    saved.save_to_disk(tmp_path / "rows")
    datasets.DatasetDict({"test": saved.select([0]), "train": saved}).save_to_disk(tmp_path / "splits")
    datasets.DatasetDict({"validation": saved.select([0]), "train": saved}).save_to_disk(tmp_path / "held_out")
    pairs, of_splits = (
        training_pairs(TrainingConfig(data=[str(tmp_path / name)], resolution=16)) for name in ("rows", "splits")
    )
    assert len(DatasetPairs(str(tmp_path / "held_out")).rows) == len(images)
    assert len(DatasetPairs(str(tmp_path / "held_out"), "validation").rows) == 1
    item = pairs[0]
    assert torch.equal(of_splits[0]["clean"], item["clean"])
    assert item["degradation"] == "low_light"
    assert item["prompt"] == "a photo, in low-light conditions"
    assert item["degraded"].mean().item() == pytest.approx(item["clean"].mean().item() / 2, abs=0.01)
    datasets.Dataset.from_dict({"image": images}).save_to_disk(tmp_path / "other")
    with pytest.raises(InputError, match="degraded, degradation, clean or target"):
        training_pairs(TrainingConfig(data=[str(tmp_path / "other")]))
