"""From measured severities to the statistics of a prior."""

from collections.abc import Iterable, Mapping, Sequence
from typing import Any, Protocol, runtime_checkable

import numpy as np

from gendeg.arguments import read_float
from gendeg.degradations import Degradation, parse_mixture
from gendeg.errors import InputError
from gendeg.priors.tables import (
    DegradationStatistics,
    SigmaTable,
    SourceSet,
    check_weights,
    occupied_range,
    read_weights,
)
from gendeg.severity import MU_RANGE, NUM_BINS, SIGMA_BIN_WIDTH, SIGMA_RANGE, measure_severity, severity_bins

ONE_SET = "pairs"  # name of the source set where none is given

Row = tuple[float, float, Any, str]


@runtime_checkable
class MeasuredPair(Protocol):
    """A pair whose severity is known, such as a row of an index (`gendeg.data.pair_index.IndexedPair`)."""

    @property
    def mixture(self) -> Any:
        """What degrades it."""

    @property
    def dataset(self) -> str:
        """Its source set."""

    @property
    def mu(self) -> float:
        """Its mu."""

    @property
    def sigma(self) -> float:
        """Its sigma."""


def measure_pairs(pairs: Iterable[Any], resize_to_256: bool) -> tuple[list[float], list[float], list[Any], list[str]]:
    """mu, sigma, degradation and source set of each pair; see `SeverityPrior.from_pairs` for what a pair may be.

    Raises:
        InputError: an item that is no pair, or `resize_to_256` for one whose severity is known.
    """
    if not isinstance(pairs, Iterable):
        raise InputError(f"pairs={pairs!r}; give an iterable of pairs, e.g. [(clean, degraded, 'haze'), ...].")
    rows = []
    for index, pair in enumerate(pairs):
        known = _known_severity(index, pair)
        if known and resize_to_256:
            raise InputError(f"Pair {index} comes with its mu and sigma; resize_to_256 is for pairs of images.")
        rows.append(known or _measure(index, pair, resize_to_256))
    mu, sigma, degradations, datasets = map(list, zip(*rows, strict=True)) if rows else ([], [], [], [])
    return mu, sigma, degradations, datasets


def _known_severity(index: int, pair: Any) -> Row | None:
    if isinstance(pair, MeasuredPair):
        return float(pair.mu), float(pair.sigma), pair.mixture, pair.dataset
    if isinstance(pair, Mapping) and {"degradation", "mu", "sigma"} <= pair.keys():
        mu, sigma = (read_float(f"{name} of pair {index}", pair[name]) for name in ("mu", "sigma"))
        return mu, sigma, pair["degradation"], str(pair.get("dataset", ONE_SET))
    return None


def _measure(index: int, pair: Any, resize_to_256: bool) -> Row:
    clean, degraded, degradation, dataset = _unpack(index, pair)
    severity = measure_severity(clean, degraded, resize_to_256=resize_to_256)
    if len(severity) > 1:
        raise InputError(f"Pair {index} is a batch of {len(severity)} images; give a pair for each of them.")
    return float(severity[0].mu), float(severity[0].sigma), degradation, dataset


def _unpack(index: int, pair: Any) -> tuple[Any, Any, Any, str]:
    if isinstance(pair, Mapping) and {"clean", "degraded", "degradation"} <= pair.keys():
        return pair["clean"], pair["degraded"], pair["degradation"], str(pair.get("dataset", ONE_SET))
    if isinstance(pair, tuple) and len(pair) == 3:
        return *pair, ONE_SET
    if isinstance(pair, tuple) and len(pair) == 4:
        return pair
    raise InputError(
        f"Pair {index} is a {type(pair).__name__}; give (clean, degraded, degradation), with the data set's name as "
        "fourth if there are several, or a mapping with these keys."
    )


def statistics_from_severities(
    mu: Any,
    sigma: Any,
    degradations: Sequence[Any],
    datasets: Sequence[Any],
    weights: Mapping[str, float] | None,
    pooled: bool,
) -> dict[Degradation, DegradationStatistics]:
    """Histograms of measured severities; see `SeverityPrior.from_severities`.

    Args:
        mu, sigma, degradations, datasets: one entry per pair, (N,). Names of sets are taken as text.
        weights: sampling weight of each source set, by name; 1 for those left out.
        pooled: sigma given mu over all sets of a degradation, instead of one table per set.
    """
    mu, sigma = _numbers("mu", mu), _numbers("sigma", sigma)
    for what, given in {"degradations": degradations, "datasets": datasets}.items():
        if isinstance(given, str) or not hasattr(given, "__len__"):
            raise InputError(f"{what}={given!r}; give a list with one name for each pair.")
    if not len(mu) == len(sigma) == len(degradations) == len(datasets) or not len(mu):
        raise InputError(
            f"Got {len(mu)} mu, {len(sigma)} sigma, {len(degradations)} degradations and {len(datasets)} sets; "
            "give one of each per pair, for at least one pair."
        )
    datasets, weights = [str(name) for name in datasets], read_weights(weights)
    check_weights(weights, datasets)
    if np.isnan(mu).any() or np.isnan(sigma).any():
        raise InputError("mu and sigma must be numbers, not NaN.")
    names = np.array([parse_mixture(name)[0] for name in degradations], dtype=object)
    sources = np.array(datasets, dtype=object)
    statistics = {}
    for name in [member for member in Degradation if member in names]:
        counts = {
            source: _count(mu[chosen], sigma[chosen])
            for source in sorted(set(sources[names == name]))
            for chosen in [(names == name) & (sources == source)]
        }
        statistics[name] = DegradationStatistics(
            tuple(source_from_counts(source, weights.get(source, 1.0), count) for source, count in counts.items()),
            tables_from_counts(list(counts.values()), pooled),
        )
    return statistics


def _numbers(name: str, values: Any) -> np.ndarray:
    try:
        numbers = np.asarray(values, dtype=np.float64)
    except (TypeError, ValueError, OverflowError) as error:
        raise InputError(f"{name} must be numbers, one for each pair: {error}.") from error
    if numbers.ndim != 1:
        raise InputError(f"{name} must be numbers (N,), one for each pair; got the shape {numbers.shape}.")
    return numbers


def _count(mu: np.ndarray, sigma: np.ndarray) -> np.ndarray:
    """Joint histogram (128, 128) of mu and sigma bins."""
    counts = np.zeros((NUM_BINS, NUM_BINS), dtype=np.int64)
    np.add.at(counts, (severity_bins(mu, MU_RANGE), severity_bins(sigma, SIGMA_RANGE)), 1)
    return counts


def source_from_counts(name: str, weight: float, counts: np.ndarray) -> SourceSet:
    """Statistics of one set from its joint histogram, (128, 128)."""
    sigma_range = occupied_range(counts.sum(axis=0), SIGMA_BIN_WIDTH)
    return SourceSet(name, weight, int(counts.sum()), counts.sum(axis=1) / counts.sum(), sigma_range)


def tables_from_counts(counts: Sequence[np.ndarray], pooled: bool) -> tuple[SigmaTable, ...]:
    """One sigma table per joint histogram, or a single one of their sum."""
    if pooled:
        return (SigmaTable.from_counts(np.sum(counts, axis=0)),)
    return tuple(SigmaTable.from_counts(count) for count in counts)
