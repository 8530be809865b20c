"""Folders of paired images: a degraded `input` and its clean `target`."""

import os
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

import PIL.Image

from gendeg.data.split import split_of
from gendeg.degradations import Mixture, parse_mixture
from gendeg.errors import ImageError, InputError, UnknownDegradationError
from gendeg.imaging import find_images, read_image

INPUT, TARGET = "input", "target"


@dataclass(frozen=True)
class PairPaths:
    """Files of one pair.

    Attributes:
        degraded, clean: the two image files.
        mixture: what degrades the first.
    """

    degraded: Path
    clean: Path
    mixture: Mixture


def list_pairs(folder: str | os.PathLike[str], degradation: str | None = None) -> list[PairPaths]:
    """Find pairs of images of the same name, in the same sub-folder if there are any.

    Args:
        folder: `<folder>/<degradation>/<set>/{input,target}/*`, where `<set>` may be left out; a mixture's folder is
            called e.g. `rain+haze`. Or `<folder>/{input,target}/*` together with `degradation`.
        degradation: name of the degradation of all pairs; by default the folder above `input` and `target` whose
            name is a degradation tells.

    Returns:
        Pairs sorted by path. Suffixes may differ between input and target.

    Raises:
        InputError: no such folder, no `input` folder in it, an input without target, images that differ in suffix
            only, or a folder that names no degradation.
        ImageError: an `input` or `target` folder without images.
    """
    pairs, without_target = match_images(folder, degradation)
    if without_target:
        raise InputError(
            f"{len(without_target)} of {len(pairs) + len(without_target)} images in {folder} have no target, e.g. "
            f"{without_target[0]}."
        )
    return pairs


def match_images(folder: str | os.PathLike[str], degradation: str | None = None) -> tuple[list[PairPaths], list[Path]]:
    """Find pairs as `list_pairs` does, and the degraded images that have no target.

    Raises:
        InputError: as `list_pairs`, but for missing targets.
        ImageError: an `input` or `target` folder without images.
    """
    root = Path(folder)
    if not root.is_dir():
        raise InputError(f"There is no folder {root}.")
    inputs = sorted(path for path in root.rglob(INPUT) if path.is_dir())
    if not inputs:
        raise InputError(
            f"{root} has no folder called 'input'. Pairs lie in <degradation>/<set>/input and .../target, or in input/ "
            "and target/ directly."
        )
    pairs: list[PairPaths] = []
    without_target: list[Path] = []
    for path in inputs:
        mixture = parse_mixture(degradation) if degradation else _mixture_from_path(path, root)
        targets = _by_name(path.parent / TARGET)
        for name, image in _by_name(path).items():
            if name in targets:
                pairs.append(PairPaths(image, targets[name], mixture))
            else:
                without_target.append(image)
    return pairs, without_target


def _by_name(folder: Path) -> dict[Path, Path]:
    """Image files by their path below the folder, without suffix."""
    images = find_images(folder)
    named = {path.relative_to(folder).with_suffix(""): path for path in images}
    if len(named) < len(images):
        raise InputError(f"{folder} has images that differ in suffix only; rename them, so that pairs are unique.")
    return named


def _mixture_from_path(inputs: Path, root: Path) -> Mixture:
    for name in reversed([root.name, *inputs.relative_to(root).parts[:-1]]):
        try:
            return parse_mixture(name)
        except UnknownDegradationError:
            continue
    raise InputError(f"No folder on the way to {inputs} is named after a degradation; give the degradation.")


def split_pairs(pairs: list[PairPaths], split: str) -> list[PairPaths]:
    """The pairs whose clean image belongs to a split (see `gendeg.data.split.split_of`)."""
    return [pair for pair in pairs if split_of(pair.clean) == split]


def read_pair(
    pair: PairPaths, read: Callable[[Path], PIL.Image.Image] = read_image
) -> tuple[PIL.Image.Image, PIL.Image.Image]:
    """Read the clean and the degraded image of a pair.

    Args:
        pair: their files.
        read: reads one of them.

    Raises:
        ImageError: one is broken, or they differ in size.
    """
    clean, degraded = read(pair.clean), read(pair.degraded)
    if clean.size != degraded.size:
        raise ImageError(f"{pair.degraded} is {degraded.size}, its target {clean.size} (width, height).")
    return clean, degraded
