"""The engine: finds the pairs of any layout in a folder."""

import os
from dataclasses import dataclass
from pathlib import Path

from gendeg.data.layouts.layout import Candidate, Images, Layout, Rule
from gendeg.data.layouts.patterns import path_name
from gendeg.data.layouts.report import LEGEND, describe_layout, describe_tree
from gendeg.data.pair_index import DatasetPair
from gendeg.degradations import parse_mixture
from gendeg.errors import ImageError, InputError
from gendeg.imaging import find_images


@dataclass(frozen=True)
class FoundPairs:
    """What a folder holds.

    Attributes:
        pairs: sorted by degraded file; all paths are absolute.
        problems: degraded images that make no pair, and why.
    """

    pairs: list[DatasetPair]
    problems: dict[Path, str]


def find_pairs(layout: Layout, root: Path) -> FoundPairs:
    """Find the pairs of a data set.

    Args:
        layout: what its folders look like.
        root: the folder it was unpacked to, or one above it, or one in it that holds degraded and clean images.

    Raises:
        InputError: no pair is there; the message draws what was expected and what was found.
        ImageError: `root` is not a folder.
    """
    root = Path(os.path.abspath(root))
    if not root.is_dir():
        raise ImageError(f"{root} is not a folder; give the one that {layout.name} was unpacked to.")
    images = _images(root)
    pairs: dict[Path, DatasetPair] = {}
    problems: dict[Path, str] = {}
    for rule in layout.rules:
        for candidate in rule.find(root, images):
            if candidate.clean is None:
                problems.setdefault(candidate.degraded, candidate.problem)
            else:
                pairs.setdefault(candidate.degraded, _pair(layout, rule, candidate, candidate.clean))
    if not pairs:
        raise InputError(_nothing_found(layout, root, problems))
    unpaired = {path: problem for path, problem in problems.items() if path not in pairs}
    return FoundPairs([pairs[path] for path in sorted(pairs)], unpaired)


def lies_in_set(layout: Layout, root: Path, pair: DatasetPair) -> bool:
    """Whether `find_pairs` looks where a pair lies, for its data set; its images may be gone."""
    return pair.dataset == layout.name and pair.degraded.is_relative_to(os.path.abspath(root))


def _images(root: Path) -> Images:
    try:
        return [(path, path_name(path)) for path in find_images(root)]
    except ImageError:  # there is none, as `_nothing_found` will tell
        return []


def _pair(layout: Layout, rule: Rule, candidate: Candidate, clean: Path) -> DatasetPair:
    return DatasetPair(
        degraded=candidate.degraded,
        clean=clean,
        mixture=parse_mixture(rule.degradation or layout.degradation),
        dataset=layout.name,
        category=rule.category or layout.category,
        split=candidate.split,
        scene=candidate.scene,
    )


def _nothing_found(layout: Layout, root: Path, problems: dict[Path, str]) -> str:
    lines = [f"No pair of {layout.name} in {root}."]
    if problems:
        path, problem = next(iter(problems.items()))
        lines.append(f"There are {len(problems)} degraded images, but e.g. of {path.relative_to(root)}: {problem}.")
    return "\n".join([*lines, "Expected:", describe_layout(layout), f"  {LEGEND}", "Found:", describe_tree(root)])
