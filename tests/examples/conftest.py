from collections.abc import Iterator
from pathlib import Path

import pytest
import torch

from gendeg.data.split import split_of
from gendeg.imaging import to_pil, write_image
from gendeg.pipelines.gendeg import GenDegPipeline


@pytest.fixture(autouse=True)
def one_thread() -> Iterator[None]:
    """Benchmarks set the number of threads; other tests count on one, as last bits depend on it."""
    yield
    torch.set_num_threads(1)


@pytest.fixture
def model_folder(tiny_pipeline: GenDegPipeline, tmp_path: Path) -> Path:
    """The tiny pipeline on disk."""
    tiny_pipeline.save_pretrained(tmp_path / "model")
    return tmp_path / "model"


@pytest.fixture
def photo_folder(photo_tensor, tmp_path: Path) -> Path:
    """Two photos of each split."""
    names = [f"photo{i}" for i in range(100)]
    for split in ("train", "validation"):
        for name in [name for name in names if split_of(name) == split][:2]:
            write_image(to_pil(photo_tensor.roll(int(name[5:]), -1)), tmp_path / "photos" / f"{name}.png")
    return tmp_path / "photos"


@pytest.fixture
def pair_folder(tmp_path: Path) -> Path:
    """Two pairs of the validation split, darker by 0.4, and one of the training split."""
    names = [f"pair{i}" for i in range(100)]
    held_out = [name for name in names if split_of(name) == "validation"][:2]
    for name in [*held_out, next(name for name in names if split_of(name) == "train")]:
        for part, value in (("input", 0.2), ("target", 0.6)):
            image = to_pil(torch.full((3, 48, 64), value))
            write_image(image, tmp_path / "pairs" / "low_light" / "set" / part / f"{name}.png")
    return tmp_path / "pairs"
