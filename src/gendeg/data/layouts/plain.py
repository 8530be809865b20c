"""Pairs in plain `input` and `target` folders, as pairs of data sets."""

import os
from collections.abc import Sequence
from pathlib import Path

from gendeg.data.layouts.finding import FoundPairs
from gendeg.data.layouts.patterns import SPLITS, TRAIN
from gendeg.data.pair_index import INDEX, REAL, SYNTHETIC, DatasetPair, list_indexed_pairs
from gendeg.data.paired import INPUT, TARGET, PairPaths, list_pairs, match_images
from gendeg.errors import InputError

FOLDERS = "folders"  # what stands for them where the name of a data set is asked for
CATEGORIES = (REAL, SYNTHETIC)
DESCRIPTION = f"""{FOLDERS}: pairs of your own; --category says whether they are {REAL} or {SYNTHETIC}.
  <degradation>/<set>/{INPUT}/<image>
      clean: <degradation>/<set>/{TARGET}/<image>
  {INPUT}/<image>  with --degradation
      clean: {TARGET}/<image>
  Folders called train, val or test on the way say the split, which else is train."""


def find_plain_pairs(root: Path, category: str | None, degradation: str | None = None) -> FoundPairs:
    """Find pairs of images of the same name (see `gendeg.data.paired.list_pairs`), and images without a target.

    The data set is called like the folder that holds `input` and `target`; a folder above the image called e.g. `test`,
    `root` included, names the split, which else is `train`. Each clean image is a scene.

    Args:
        root: `<root>/<degradation>/<set>/{input,target}/*`, or `<root>/{input,target}/*` with `degradation`.
        category: `"real"` or `"synthetic"`.
        degradation: of all pairs; by default the folders tell.

    Raises:
        InputError: another category, no pair, or folders that `list_pairs` refuses.
    """
    root = Path(os.path.abspath(root))
    pairs, without_target = match_images(root, degradation)
    if not pairs:
        raise InputError(f"None of the {len(without_target)} images in {root} has a target, e.g. {without_target[0]}.")
    if category not in CATEGORIES:
        raise InputError(
            f"Where do the {len(pairs)} pairs in {root} come from? Give the category (--category), "
            f"{' or '.join(CATEGORIES)}; got {category!r}."
        )
    problems = dict.fromkeys(without_target, f"no clean image of this name in {TARGET}/")
    return FoundPairs([_dataset_pair(pair, root, category) for pair in pairs], problems)


def lies_in_folders(root: Path, pair: DatasetPair) -> bool:
    """Whether `find_plain_pairs` looks where a pair lies, and calls its set the same; its images may be gone."""
    root = Path(os.path.abspath(root))
    if not pair.degraded.is_relative_to(root) or INPUT not in pair.degraded.parent.parts:
        return False
    return _dataset_name(_set_folder(pair)) == pair.dataset


def list_training_pairs(path: Path) -> Sequence[DatasetPair]:
    """The pairs to train with: of an index, of the folder of one, or of a folder of pairs.

    Those of the published split `train`, so that no program trains on what another one tests with. Of a folder each
    image must have its target; `gendeg prepare` makes an index of those that have.

    Args:
        path: an index, or the folder of one; or a folder of pairs, see `gendeg.data.paired.list_pairs`.

    Raises:
        InputError: no such pairs.
    """
    if not path.is_dir() or (path / INDEX).is_file():
        return list_indexed_pairs(path, TRAIN)
    root = Path(os.path.abspath(path))
    named = [_dataset_pair(pair, root, REAL) for pair in list_pairs(root)]  # no one asks for the category
    pairs = [pair for pair in named if pair.split == TRAIN]
    if not pairs:
        raise InputError(f"{path} has no training pairs: all lie in folders that name another split, e.g. test.")
    return pairs


def _dataset_pair(pair: PairPaths, root: Path, category: str) -> DatasetPair:
    folder = _set_folder(pair)
    names = [root.name, *pair.degraded.relative_to(root).parts[:-1]]
    split = next((SPLITS[name.lower()] for name in names if name.lower() in SPLITS), TRAIN)
    scene = pair.clean.relative_to(folder).as_posix()
    return DatasetPair(pair.degraded, pair.clean, pair.mixture, _dataset_name(folder), category, split, scene)


def _set_folder(pair: PairPaths) -> Path:
    """The folder that holds `input` and `target`."""
    return next(parent for parent in pair.degraded.parents if parent.name == INPUT).parent


def _dataset_name(folder: Path) -> str:
    return next((above.name for above in (folder, *folder.parents) if above.name.lower() not in SPLITS), "")
