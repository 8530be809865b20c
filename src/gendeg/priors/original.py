"""The authors' prior files: a folder of JSON histograms.

    <folder>/haze/Mu_RESIDE.json           [{"Mu min", "Mu max", "Count", "Dataset"}, ...]         128 bins
    <folder>/haze/Sigma_RESIDE.json        [{"Sigma min", "Sigma max", "Count", "Dataset"}, ...]   128 bins
    <folder>/haze/Mu-Sigma-_RESIDE.json    [{"Mu range": "0.005 - 0.011", "Count": [sigma bins], "Dataset"}, ...]
    <folder>/low-light/..., motion blur/..., rain/..., raindrop/..., snow/...

The release repeats one `Mu-Sigma` table, pooled over the degradation, for each set of it. Files that carry a table of
their own for each set are read just the same.
"""

import json
import os
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import numpy as np

from gendeg.arguments import check_path
from gendeg.degradations import Degradation
from gendeg.errors import InputError, UnknownDegradationError
from gendeg.priors.tables import (
    DegradationStatistics,
    SigmaTable,
    SourceSet,
    check_weights,
    occupied_range,
    read_weights,
)
from gendeg.severity import NUM_BINS, SIGMA_BIN_WIDTH

Weights = Mapping[str, float]
_PREFIXES = ("Mu_", "Sigma_", "Mu-Sigma")


def read_original(
    folder: str | os.PathLike[str], known_weights: Mapping[Degradation, Weights], weights: Weights | None
) -> dict[Degradation, DegradationStatistics]:
    """Read the authors' folder.

    Args:
        folder: has one sub-folder per degradation; others are left alone.
        known_weights: sampling weight of each set, by degradation and name.
        weights: likewise by name alone, goes before `known_weights`; a set named in neither weighs 1.

    Raises:
        InputError: no folder of a degradation, files of another layout, or weights that are no numbers or for a set
            that does not occur.
    """
    check_path("folder", folder)
    weights = read_weights(weights)
    root = Path(folder)
    if not root.is_dir():
        raise InputError(f"{folder} is not a folder.")
    statistics = {}
    for path in sorted(root.iterdir()):
        name = _degradation_of(path)
        if name is not None:
            statistics[name] = _read_degradation(path, {**known_weights.get(name, {}), **weights})
    if not statistics:
        raise InputError(f"{folder} has no sub-folder named after a degradation, e.g. 'haze' or 'motion blur'.")
    check_weights(weights, {source.name for known in statistics.values() for source in known.sets})
    return statistics


def _degradation_of(path: Path) -> Degradation | None:
    try:
        return Degradation(path.name) if path.is_dir() else None
    except UnknownDegradationError:
        return None


def _read_degradation(folder: Path, weights: Weights) -> DegradationStatistics:
    mu, sigma, joint = (_read_files(folder, prefix) for prefix in _PREFIXES)
    if not mu or not mu.keys() == sigma.keys() == joint.keys():
        raise InputError(
            f"{folder} needs Mu_, Sigma_ and Mu-Sigma- files of the same sets; {_describe(mu, sigma, joint)}"
        )
    sets, tables = [], []
    for name in sorted(mu):
        counts, sigma_counts = _counts(folder, name, mu[name]), _counts(folder, name, sigma[name])
        if not counts.sum() or not sigma_counts.sum():
            raise InputError(f"{folder}: the histograms of {name} are empty.")
        sets.append(
            SourceSet(
                name=name,
                weight=weights.get(name, 1.0),
                pairs=int(counts.sum()),
                mu_probability=counts / counts.sum(),
                sigma_range=occupied_range(sigma_counts, SIGMA_BIN_WIDTH),
            )
        )
        tables.append(_joint_counts(folder, name, joint[name]))
    if all(np.array_equal(tables[0], table) for table in tables):
        tables = tables[:1]
    return DegradationStatistics(tuple(sets), tuple(SigmaTable.from_counts(table) for table in tables))


def _read_files(folder: Path, prefix: str) -> dict[str, Any]:
    """Content of the files of one kind, by data set."""
    contents = {}
    for path in [path for path in sorted(folder.glob("*.json")) if path.name.startswith(prefix)]:
        try:
            content = json.loads(path.read_text(encoding="utf-8"))
            contents[str(content[0]["Dataset"])] = content
        except (OSError, ValueError, LookupError, TypeError, RecursionError) as error:
            raise InputError(f"{path} is not a histogram of the authors' release: {error}") from error
    return contents


def _counts(folder: Path, name: str, bins: Any) -> np.ndarray:
    try:
        counts = np.array([entry["Count"] for entry in bins], dtype=np.float64)
    except (TypeError, KeyError, ValueError, OverflowError) as error:
        raise InputError(f"{folder}: a histogram of {name} has no counts: {error}") from error
    if counts.shape != (NUM_BINS,):
        raise InputError(f"{folder}: a histogram of {name} has {len(counts)} bins; {NUM_BINS} counts are expected.")
    if not np.isfinite(counts.sum()):  # a null is read as NaN
        raise InputError(f"{folder}: a histogram of {name} has a count that is null, NaN or infinite; give numbers.")
    if (counts < 0).any():
        raise InputError(f"{folder}: a histogram of {name} has the count {counts.min():g}; counts are at least 0.")
    return counts


def _joint_counts(folder: Path, name: str, rows: Any) -> np.ndarray:
    """Counts of sigma bins in each mu bin, (128, 128)."""
    if len(rows) != NUM_BINS or not all(isinstance(row, dict) and "Count" in row for row in rows):
        raise InputError(
            f"{folder}: the table of {name} needs {NUM_BINS} rows, each with the counts of its sigma bins."
        )
    return np.stack([_counts(folder, name, row["Count"]) for row in rows])


def _describe(*kinds: dict[str, Any]) -> str:
    found = [f"{prefix}: {', '.join(kind) or 'none'}" for prefix, kind in zip(_PREFIXES, kinds, strict=True)]
    return "found " + "; ".join(found)
