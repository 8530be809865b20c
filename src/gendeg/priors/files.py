"""Priors as JSON files."""

import json
import os
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np

from gendeg.arguments import check_path
from gendeg.degradations import Degradation
from gendeg.errors import InputError
from gendeg.files import whole_file
from gendeg.priors.tables import DegradationStatistics, SigmaTable, SourceSet
from gendeg.severity import MU_RANGE, NUM_BINS, SIGMA_RANGE

FORMAT = {"format": "gendeg severity prior", "version": 1}
BINS = {"num_bins": NUM_BINS, "mu_range": list(MU_RANGE), "sigma_range": list(SIGMA_RANGE)}


@dataclass(frozen=True)
class PriorContent:
    """What a prior file says."""

    statistics: dict[Degradation, DegradationStatistics]
    mode: str
    random_fraction: float


def write_prior(
    path: str | os.PathLike[str],
    statistics: Mapping[Degradation, DegradationStatistics],
    mode: str,
    random_fraction: float,
) -> None:
    """Write a prior; the file is whole or absent.

    Raises:
        InputError: the file cannot be written.
    """
    content = {
        **FORMAT,
        **BINS,
        "mode": mode,
        "random_fraction": random_fraction,
        "degradations": {str(name): _encode(known) for name, known in statistics.items()},
    }
    check_path("path", path)
    with whole_file(Path(path)) as temporary:
        temporary.write_text(json.dumps(content, separators=(",", ":")) + "\n", encoding="utf-8")


def _encode(known: DegradationStatistics) -> dict[str, Any]:
    sets = [
        {
            "name": source.name,
            "weight": source.weight,
            "pairs": source.pairs,
            "sigma_range": list(source.sigma_range),
            "mu_probability": {int(i): source.mu_probability[i] for i in np.flatnonzero(source.mu_probability)},
        }
        for source in known.sets
    ]
    tables = [
        {mu_bin: {"sigma": list(sigma), "cumulative": list(below)} for mu_bin, (sigma, below) in table.rows().items()}
        for table in known.tables
    ]
    return {"sets": sets, "sigma_given_mu": tables}


def read_prior(path: str | os.PathLike[str]) -> PriorContent:
    """Read a prior file.

    Raises:
        InputError: no such file, or not a severity prior; the message says what is wrong.
    """
    check_path("path", path)
    try:
        content = json.loads(Path(path).read_text(encoding="utf-8"))
    except FileNotFoundError:
        raise InputError(f"No prior file at {path}.") from None
    except (OSError, ValueError, RecursionError) as error:
        raise InputError(f"{path} is not a severity prior: {error}. `gendeg prior measure` writes one.") from error
    header = FORMAT | BINS
    given = {key: content.get(key) for key in header} if isinstance(content, dict) else {}
    if given != header:
        raise InputError(f"{path} is not a severity prior that this version reads: expected {header}, got {given}.")
    try:
        statistics = {Degradation(name): _decode(known) for name, known in content["degradations"].items()}
        return PriorContent(statistics, str(content["mode"]), float(content["random_fraction"]))
    except (LookupError, TypeError, AttributeError, ValueError, OverflowError) as error:  # InputError is a ValueError
        raise InputError(f"{path} is a broken severity prior: {type(error).__name__}: {error}") from error


def _decode(known: dict[str, Any]) -> DegradationStatistics:
    sets = [
        SourceSet(
            name=str(source["name"]),
            weight=float(source["weight"]),
            pairs=int(source["pairs"]),
            mu_probability=_dense(source["mu_probability"]),
            sigma_range=(float(source["sigma_range"][0]), float(source["sigma_range"][1])),
        )
        for source in known["sets"]
    ]
    tables = [
        SigmaTable({int(mu_bin): (row["sigma"], row["cumulative"]) for mu_bin, row in table.items()})
        for table in known["sigma_given_mu"]
    ]
    return DegradationStatistics(tuple(sets), tuple(tables))


def _dense(probability: dict[str, float]) -> np.ndarray:
    dense = np.zeros(NUM_BINS)
    for mu_bin, value in probability.items():
        if not 0 <= int(mu_bin) < NUM_BINS:
            raise InputError(f"mu bin {mu_bin} is not in [0, {NUM_BINS - 1}].")
        dense[int(mu_bin)] = value
    return dense
