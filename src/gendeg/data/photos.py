"""Photos in memory, and random crops of them."""

import os
from collections.abc import Sequence
from pathlib import Path

import numpy as np
import PIL.Image
import torch
from torch import Tensor

from gendeg.data.split import SPLITS, split_of
from gendeg.errors import ImageError, InputError
from gendeg.imaging import find_images, read_image

CACHE_BYTES = 2**30


class PhotoReader:
    """Reads photos as 8-bit RGB arrays and keeps the first ones in memory.

    Args:
        cache_bytes: memory for decoded photos, by default 1 GiB: 1900 photos of 500 x 375 pixels. Each source has
            a reader of its own, in each process.
    """

    def __init__(self, cache_bytes: int = CACHE_BYTES):
        self._free_bytes = cache_bytes
        self._cache: dict[Path, np.ndarray] = {}

    def __call__(self, path: Path) -> np.ndarray:
        """The photo as uint8 array (H, W, 3).

        Raises:
            ImageError: not a readable image.
        """
        if path in self._cache:
            return self._cache[path]
        photo = np.asarray(read_image(path))
        if photo.nbytes <= self._free_bytes:
            self._cache[path] = photo
            self._free_bytes -= photo.nbytes
        return photo


def list_photos(folders: Sequence[str | os.PathLike[str]], split: str) -> list[Path]:
    """All photos below some folders that belong to a split (see `split_of`), in a fixed order.

    Raises:
        InputError: `split` is neither `"train"` nor `"validation"`, or no photo belongs to it.
        ImageError: a folder does not exist or holds no image.
    """
    if split not in SPLITS:
        raise InputError(f"split={split!r} is not one of {', '.join(SPLITS)}.")
    paths = [path for folder in folders for path in find_images(folder) if split_of(path) == split]
    if not paths:
        names = ", ".join(map(str, folders))
        raise InputError(f"No photo in {names} belongs to the {split} split; add photos (1 in 20 is for validation).")
    return paths


def random_window(rng: np.random.Generator, height: int, width: int, size: int) -> tuple[int, int, int]:
    """Choose a square window (top, left, side) of a photo, to be resized to `size` pixels.

    The side is log-uniform between `size` and the photo's short side, so that one photo shows near and far. A photo
    whose short side is below `size` gives its whole short side.
    """
    short = min(height, width)
    side = short if short <= size else round(float(size * (short / size) ** rng.random()))
    top, left = rng.integers(height - side + 1), rng.integers(width - side + 1)
    return int(top), int(left), side


def cut_window(photo: np.ndarray, window: tuple[int, int, int], size: int, flip: bool) -> Tensor:
    """A window of a uint8 photo (H, W, 3), resized to float32 (3, size, size) in [0, 1], mirrored if `flip`."""
    top, left, side = window
    crop = PIL.Image.fromarray(photo[top : top + side, left : left + side])
    if side != size:
        crop = crop.resize((size, size), PIL.Image.Resampling.BICUBIC)
    pixels = np.asarray(crop)[:, ::-1] if flip else np.asarray(crop)
    return torch.from_numpy(np.ascontiguousarray(pixels.transpose(2, 0, 1))).float() / 255


def random_crop(rng: np.random.Generator, photo: np.ndarray, size: int) -> Tensor:
    """A random square of a photo, mirrored half of the time: float32 (3, size, size) in [0, 1]."""
    return random_crops(rng, [photo], size)[0]


def random_crops(rng: np.random.Generator, photos: Sequence[np.ndarray], size: int) -> list[Tensor]:
    """The same random square of several photos of one size (see `random_crop`).

    Raises:
        ImageError: the photos differ in size.
    """
    shapes = {photo.shape for photo in photos}
    if len(shapes) > 1:
        sizes = " and ".join(f"{shape[1]} x {shape[0]}" for shape in sorted(shapes))
        raise ImageError(f"The images of a pair differ in size: {sizes} pixels. Resize or crop one of them first.")
    height, width = photos[0].shape[:2]
    window, flip = random_window(rng, height, width, size), bool(rng.random() < 0.5)
    return [cut_window(photo, window, size, flip) for photo in photos]
