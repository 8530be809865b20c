from pathlib import Path

import numpy as np
import PIL.Image
import pytest
import torch

from gendeg.data.photos import PhotoReader, list_photos, random_crops, random_window
from gendeg.data.split import split_of
from gendeg.errors import ImageError, InputError


def test_one_photo_in_twenty_is_held_out_by_name_alone() -> None:
    names = [f"img_{number:05d}" for number in range(20_000)]
    held_out = [name for name in names if split_of(f"{name}.jpg") == "validation"]
    assert len(held_out) == pytest.approx(1000, abs=120)
    assert all(split_of(Path("elsewhere") / f"{name}.png") == "validation" for name in held_out)


def test_splits_share_no_photo(tmp_path: Path) -> None:
    for number in range(60):
        PIL.Image.new("RGB", (8, 8)).save(tmp_path / f"{number}.png")
    train, validation = (list_photos([str(tmp_path)], split) for split in ("train", "validation"))
    assert not set(train) & set(validation)
    assert len(train) + len(validation) == 60
    with pytest.raises(InputError, match="test"):
        list_photos([str(tmp_path)], "test")
    with pytest.raises(ImageError, match="not a folder"):
        list_photos([str(tmp_path / "nowhere")], "train")


def test_no_photo_held_out(tmp_path: Path) -> None:
    name = next(f"{number}.png" for number in range(50) if split_of(str(number)) == "train")
    PIL.Image.new("RGB", (8, 8)).save(tmp_path / name)
    with pytest.raises(InputError, match="validation split"):
        list_photos([str(tmp_path)], "validation")


def test_windows_lie_inside_and_vary_in_size() -> None:
    rng = np.random.default_rng(0)
    windows = [random_window(rng, 60, 100, 20) for _ in range(200)]
    assert all(top + side <= 60 and left + side <= 100 for top, left, side in windows)
    sides = [side for _, _, side in windows]
    assert min(sides) < 24 < 50 < max(sides)
    assert random_window(rng, 10, 15, 20)[2] == 10


def test_images_of_a_pair_get_the_same_crop() -> None:
    photo = np.random.default_rng(0).integers(256, size=(40, 50, 3), dtype=np.uint8)
    for seed in range(5):
        first, second = random_crops(np.random.default_rng(seed), [photo, photo], 16)
        assert torch.equal(first, second)
        assert first.shape == (3, 16, 16)
        assert 0 <= first.min() <= first.max() <= 1
    with pytest.raises(ImageError, match="50 x 40 and 50 x 41"):
        random_crops(np.random.default_rng(0), [photo, np.zeros((41, 50, 3), np.uint8)], 16)


def test_reader_keeps_photos_in_bounded_memory(tmp_path: Path) -> None:
    paths = [tmp_path / f"{number}.png" for number in range(3)]
    for path in paths:
        PIL.Image.new("RGB", (4, 4), "red").save(path)
    read = PhotoReader(cache_bytes=2 * 48)
    photos = [read(path) for path in paths]
    assert read(paths[0]) is photos[0]
    assert read(paths[2]) is not photos[2]
