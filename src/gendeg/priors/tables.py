"""The statistics behind a prior: mu of each source set, and sigma given the mu bin."""

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np

from gendeg.arguments import read_float
from gendeg.errors import InputError
from gendeg.severity import MU_BIN_WIDTH, NUM_BINS, SIGMA_BIN_WIDTH, SIGMA_RANGE

Knots = tuple[Sequence[float], Sequence[float]]


@dataclass(frozen=True)
class SourceSet:
    """Severity of one source data set with one degradation.

    Attributes:
        name: name of the data set.
        weight: how often it is drawn from, relative to the other sets of the degradation.
        pairs: number of image pairs behind the statistics.
        mu_probability: probability of each mu bin, (128,), sums to 1.
        sigma_range: lowest and highest sigma of the set.

    Raises:
        InputError: the numbers are no such statistics.
    """

    name: str
    weight: float
    pairs: int
    mu_probability: np.ndarray
    sigma_range: tuple[float, float]

    def __post_init__(self) -> None:
        low, high = self.sigma_range
        if not (self.weight >= 0 and np.isfinite(self.weight) and self.pairs >= 1):
            raise InputError(f"Set {self.name!r}: weight {self.weight} and pairs {self.pairs} must be positive.")
        if not (self.mu_probability.shape == (NUM_BINS,) and (self.mu_probability >= 0).all()):
            raise InputError(f"Set {self.name!r}: mu_probability needs {NUM_BINS} numbers, none negative.")
        if abs(self.mu_probability.sum() - 1) > 1e-6:
            raise InputError(f"Set {self.name!r}: mu_probability sums to {self.mu_probability.sum():.6f}, not to 1.")
        if not SIGMA_RANGE[0] <= low <= high <= SIGMA_RANGE[1]:
            raise InputError(f"Set {self.name!r}: sigma_range ({low}, {high}) is not an interval in {SIGMA_RANGE}.")

    @property
    def mu_range(self) -> tuple[float, float]:
        """Lower edge of the first and upper edge of the last mu bin that the set occupies."""
        return occupied_range(self.mu_probability, MU_BIN_WIDTH)


def read_weights(weights: Any) -> dict[str, float]:
    """The sampling weight of each set that is named, as text and float; none for None.

    Raises:
        InputError: no mapping to numbers.
    """
    if weights is None:
        return {}
    if not isinstance(weights, Mapping):
        raise InputError(
            f"weights={weights!r}; give a mapping from the names of sets to numbers, e.g. {{'RESIDE': 2}}."
        )
    return {str(name): read_float(f"weight of {name}", weight) for name, weight in weights.items()}


def check_weights(weights: Mapping[str, float], names: Iterable[str]) -> None:
    """Refuse weights for sets that do not occur.

    Raises:
        InputError: there are some.
    """
    given = set(names)
    unknown = sorted(set(weights) - given)
    if unknown:
        raise InputError(f"Weights for {', '.join(unknown)}, but the pairs come from {', '.join(sorted(given))}.")


def occupied_range(counts: np.ndarray, width: float) -> tuple[float, float]:
    """Lower edge of the first and upper edge of the last bin that is not empty; bins of `width` start at 0."""
    first, last = np.flatnonzero(counts)[[0, -1]]
    return float(first * width), float((last + 1) * width)


class SigmaTable:
    """Distribution of sigma in each mu bin, as a cumulative distribution that is linear between knots.

    Quantiles are such knots, and so are the bin edges of a histogram (which is uniform inside a bin).

    Args:
        rows: for each mu bin that holds data its knots: sigma values, ascending, and the probability of a sigma
            below each, from 0 to 1.

    Raises:
        InputError: knots that are no cumulative distribution of values in [0, 0.4].
    """

    def __init__(self, rows: Mapping[int, Knots]):
        length = max((len(sigma) for sigma, _ in rows.values()), default=2)
        self.sigma = np.zeros((NUM_BINS, length))  # (mu bins, knots)
        self.cumulative = np.tile(np.linspace(0, 1, length), (NUM_BINS, 1))
        self.occupied = np.zeros(NUM_BINS, dtype=bool)
        for mu_bin, (sigma, cumulative) in rows.items():
            _check_knots(mu_bin, sigma, cumulative)
            padding = (0, length - len(sigma))
            self.sigma[mu_bin] = np.pad(np.asarray(sigma, dtype=np.float64), padding, mode="edge")
            self.cumulative[mu_bin] = np.pad(np.asarray(cumulative, dtype=np.float64), padding, mode="edge")
            self.occupied[mu_bin] = True

    @classmethod
    def from_counts(cls, counts: np.ndarray) -> "SigmaTable":
        """From a histogram: number of images per mu bin and sigma bin, (128, 128)."""
        edges = np.arange(NUM_BINS + 1) * SIGMA_BIN_WIDTH
        rows: dict[int, Knots] = {}
        for mu_bin in np.flatnonzero(counts.sum(axis=1)):
            first, last = np.flatnonzero(counts[mu_bin])[[0, -1]]
            below = np.concatenate([[0], counts[mu_bin, first : last + 1].cumsum()])
            rows[int(mu_bin)] = (edges[first : last + 2].tolist(), (below / below[-1]).tolist())
        return cls(rows)

    def rows(self) -> dict[int, Knots]:
        """The knots of every occupied mu bin, without padding: `SigmaTable(table.rows())` is the same table."""
        rows: dict[int, Knots] = {}
        for mu_bin in np.flatnonzero(self.occupied):
            length = int(np.searchsorted(self.cumulative[mu_bin], 1.0)) + 1
            rows[int(mu_bin)] = (self.sigma[mu_bin, :length].tolist(), self.cumulative[mu_bin, :length].tolist())
        return rows

    def density(self, sigma: np.ndarray) -> np.ndarray:
        """Probability density of each sigma (N,) in each mu bin: (N, 128), 0 in bins without data."""
        density = np.zeros((len(sigma), NUM_BINS))
        for mu_bin in np.flatnonzero(self.occupied):
            knots = self.sigma[mu_bin]
            slopes = _slopes(knots, self.cumulative[mu_bin])
            density[:, mu_bin] = np.concatenate([[0], slopes, [0]])[np.searchsorted(knots, sigma, side="right")]
        return density

    def distance(self, sigma: np.ndarray) -> np.ndarray:
        """How far each sigma (N,) lies outside the values of each mu bin: (N, 128), infinite in bins without data."""
        low, high = self.sigma.min(axis=1), self.sigma.max(axis=1)
        outside = np.maximum(low - sigma[:, None], sigma[:, None] - high).clip(min=0)
        return np.where(self.occupied, outside, np.inf)


def _check_knots(mu_bin: int, sigma: Sequence[float], cumulative: Sequence[float]) -> None:
    if not 0 <= mu_bin < NUM_BINS:
        raise InputError(f"Mu bin {mu_bin} is not in [0, {NUM_BINS - 1}].")
    if len(sigma) != len(cumulative) or len(sigma) < 2:
        raise InputError(
            f"Mu bin {mu_bin}: {len(sigma)} sigmas, {len(cumulative)} probabilities; give 2 or more of each."
        )
    ascending = (np.diff(sigma) >= 0).all() and (np.diff(cumulative) >= 0).all()
    if not (ascending and cumulative[0] == 0 and cumulative[-1] == 1):
        raise InputError(f"Mu bin {mu_bin}: sigma must ascend, and its cumulative probability must ascend from 0 to 1.")
    if not SIGMA_RANGE[0] <= sigma[0] <= sigma[-1] <= SIGMA_RANGE[1]:
        raise InputError(f"Mu bin {mu_bin}: sigma runs from {sigma[0]} to {sigma[-1]}, outside {SIGMA_RANGE}.")


def _slopes(knots: np.ndarray, cumulative: np.ndarray) -> np.ndarray:
    """Density between neighbouring knots; 0 between equal ones, which `searchsorted` never lands on."""
    widths = np.diff(knots)
    return np.divide(np.diff(cumulative), widths, out=np.zeros_like(widths), where=widths > 0)


@dataclass(frozen=True)
class DegradationStatistics:
    """Everything a prior knows about one degradation.

    Attributes:
        sets: its source sets.
        tables: sigma given mu, one table per set in the same order, or a single one for all sets together.

    Raises:
        InputError: no set, all weights zero, or a mu bin that can be drawn but has no sigmas.
    """

    sets: tuple[SourceSet, ...]
    tables: tuple[SigmaTable, ...]

    def __post_init__(self) -> None:
        if not self.sets or sum(source.weight for source in self.sets) <= 0:
            raise InputError("A prior needs at least one source set of positive weight.")
        if len(self.tables) not in (1, len(self.sets)):
            raise InputError(f"{len(self.tables)} sigma tables for {len(self.sets)} sets; give one, or one per set.")
        for source, table in zip(self.sets, self.tables_by_set, strict=True):
            empty = np.flatnonzero((source.mu_probability > 0) & ~table.occupied)
            if len(empty):
                raise InputError(f"Set {source.name!r} has images in mu bin {empty[0]}, but no sigma is given there.")

    @property
    def tables_by_set(self) -> tuple[SigmaTable, ...]:
        """One table per set."""
        return self.tables if len(self.tables) == len(self.sets) else self.tables * len(self.sets)

    @property
    def set_probability(self) -> np.ndarray:
        """Probability of drawing each set, (S,)."""
        weights = np.array([source.weight for source in self.sets])
        return weights / weights.sum()

    @property
    def mu_probability(self) -> np.ndarray:
        """Probability of each set together with each mu bin, (S, 128), sums to 1."""
        return self.set_probability[:, None] * np.stack([source.mu_probability for source in self.sets])


def mu_quantiles(known: DegradationStatistics, levels: Sequence[float]) -> np.ndarray:
    """Quantiles (L,) of mu over all sets as they are drawn."""
    below = np.concatenate([[0], known.mu_probability.sum(axis=0).cumsum()])
    return np.interp(levels, below, np.arange(NUM_BINS + 1) * MU_BIN_WIDTH)


def sigma_quantiles(known: DegradationStatistics, levels: Sequence[float]) -> np.ndarray:
    """Quantiles (128, L) of sigma in each mu bin, over all sets as they are drawn; NaN in bins without data."""
    quantiles = np.full((NUM_BINS, len(levels)), np.nan)
    probability = known.mu_probability  # (S, 128)
    for mu_bin in np.flatnonzero(probability.sum(axis=0)):
        parts = [(table, weight) for table, weight in zip(known.tables_by_set, probability[:, mu_bin], strict=True)]
        sigma = np.unique([table.sigma[mu_bin] for table, weight in parts if weight])
        below = sum(weight * np.interp(sigma, table.sigma[mu_bin], table.cumulative[mu_bin]) for table, weight in parts)
        quantiles[mu_bin] = np.interp(levels, below / probability[:, mu_bin].sum(), sigma)
    return quantiles
