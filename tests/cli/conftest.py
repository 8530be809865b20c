"""A runner of the command line, and photos as files."""

from collections.abc import Callable
from pathlib import Path

import numpy as np
import PIL.Image
import pytest
from typer.testing import CliRunner, Result

from gendeg.cli import app


@pytest.fixture
def gendeg() -> Callable[..., Result]:
    """Run `gendeg` with some arguments."""
    return lambda *arguments: CliRunner().invoke(app, [str(argument) for argument in arguments])


@pytest.fixture
def photo_file(photo: np.ndarray, tmp_path: Path) -> Path:
    path = tmp_path / "photo.png"
    PIL.Image.fromarray(photo).save(path)
    return path


@pytest.fixture
def photo_folder(photo: np.ndarray, tmp_path: Path) -> Path:
    """Three photos, one of them in a sub-folder."""
    folder = tmp_path / "photos"
    (folder / "park").mkdir(parents=True)
    PIL.Image.fromarray(photo).save(folder / "a.png")
    PIL.Image.fromarray(photo[:40, :50]).save(folder / "b.jpg")
    PIL.Image.fromarray(photo[20:80, 30:90]).save(folder / "park" / "c.webp")
    return folder
