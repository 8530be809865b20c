from pathlib import Path

import pytest

from gendeg.data.split import split_of
from gendeg.imaging import to_pil, write_image
from gendeg.pipelines.gendeg import GenDegPipeline


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
