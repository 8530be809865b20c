from collections.abc import Iterator
from itertools import count
from pathlib import Path

import PIL.Image
import pytest
import skimage.data
from accelerate.state import AcceleratorState, GradientState

from gendeg.data.split import split_of


@pytest.fixture(autouse=True)
def _fresh_accelerator() -> Iterator[None]:
    """Accelerate keeps its settings in a process-wide state."""
    yield
    AcceleratorState._reset_state(True)
    GradientState._reset_state()


@pytest.fixture(scope="session")
def photo_folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Three training photos and one for validation, 64 to 128 pixels."""
    folder = tmp_path_factory.mktemp("photos")
    numbers = count()
    for split, source in (
        ("train", skimage.data.astronaut()),
        ("train", skimage.data.coffee()),
        ("train", skimage.data.rocket()),
        ("validation", skimage.data.chelsea()),
    ):
        name = next(f"photo{number}" for number in numbers if split_of(f"photo{number}") == split)
        PIL.Image.fromarray(source[:256:2, :200:2]).save(folder / f"{name}.png")
    return folder
