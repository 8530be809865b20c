"""Scenes and photos for the data set factory."""

import hashlib
from collections.abc import Callable, Sequence
from pathlib import Path

import numpy as np
import PIL.Image
import pytest

from gendeg.synthesis.scenes import Scene


@pytest.fixture
def make_scenes() -> Callable[..., list[Scene]]:
    """`make_scenes(n)`: n scenes that look different; `existing` and `caption` are those of all."""

    def make(count: int, existing: Sequence[str] = (), caption: str | None = None) -> list[Scene]:
        ids = sorted(hashlib.sha256(str(index).encode()).hexdigest()[:16] for index in range(count))
        return [Scene(id_, f"{id_}.png", "photos", tuple(existing), caption, id_) for id_ in ids]

    return make


@pytest.fixture
def small_photos(photo: np.ndarray, tmp_path: Path) -> Path:
    """Five different photos of 32 x 40 pixels."""
    folder = tmp_path / "photos"
    folder.mkdir()
    for index in range(5):
        PIL.Image.fromarray(np.roll(photo, 17 * index, axis=1)[20 + 8 * index :][:32, 30:70]).save(
            folder / f"{index}.png"
        )
    return folder
