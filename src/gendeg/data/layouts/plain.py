"""Pairs in plain `input` and `target` folders, as pairs of data sets."""

import os
from pathlib import Path

from gendeg.data.layouts.patterns import SPLITS, TRAIN
from gendeg.data.pair_index import REAL, SYNTHETIC, DatasetPair
from gendeg.data.paired import INPUT, PairPaths, list_pairs
from gendeg.errors import InputError

CATEGORIES = (REAL, SYNTHETIC)


def find_plain_pairs(root: Path, category: str | None, degradation: str | None = None) -> list[DatasetPair]:
    """Find pairs of images of the same name (see `gendeg.data.paired.list_pairs`).

    The data set is called like the folder that holds `input` and `target`; a folder above the image called e.g. `test`
    names the split, which else is `train`. Each clean image is a scene.

    Args:
        root: `<root>/<degradation>/<set>/{input,target}/*`, or `<root>/{input,target}/*` with `degradation`.
        category: `"real"` or `"synthetic"`.
        degradation: of all pairs; by default the folders tell.

    Raises:
        InputError: another category, or pairs that `list_pairs` refuses.
    """
    if category not in CATEGORIES:
        raise InputError(f"Where do these pairs come from? Say {' or '.join(CATEGORIES)}; got {category!r}.")
    root = Path(os.path.abspath(root))
    return [_dataset_pair(pair, root, category) for pair in list_pairs(root, degradation)]


def _dataset_pair(pair: PairPaths, root: Path, category: str) -> DatasetPair:
    folder = next(parent for parent in pair.degraded.parents if parent.name == INPUT).parent
    words = [part.lower() for part in pair.degraded.relative_to(root).parts]
    split = next((SPLITS[word] for word in words if word in SPLITS), TRAIN)
    scene = pair.clean.relative_to(folder).with_suffix("").as_posix()
    return DatasetPair(pair.degraded, pair.clean, pair.mixture, folder.name, category, split, scene)
