"""Vectorised draws from the statistics of one degradation."""

from dataclasses import dataclass

import numpy as np

from gendeg.priors.tables import DegradationStatistics
from gendeg.severity import MU_BIN_WIDTH, MU_RANGE, NUM_BINS, severity_bins

MODES = ("paper", "official")


@dataclass(frozen=True)
class SeverityDraws:
    """Severities with the set they were drawn from.

    Attributes:
        mu, sigma: feasible severities, (N,).
        source: index of each draw's source set, (N,), in the order of `SeverityPrior.datasets`.
        at_random: whether it is one of the random draws, (N,).
    """

    mu: np.ndarray
    sigma: np.ndarray
    source: np.ndarray
    at_random: np.ndarray


class Sampler:
    """Draws mu and sigma of one degradation (paper section 3.3).

    Args:
        statistics: what is known about the degradation.
        mode: what a random draw redraws: `"paper"` sigma, `"official"` mu and sigma.
        random_fraction: share of random draws, in [0, 1].
    """

    def __init__(self, statistics: DegradationStatistics, mode: str, random_fraction: float):
        self._redraw_mu = mode == "official"
        self._random_fraction = random_fraction
        self._cell_probability = statistics.mu_probability  # (S, 128): a cell is a mu bin of one set
        self._cell_edges = _cumulative(self._cell_probability.ravel())
        self._mu_ranges = np.array([source.mu_range for source in statistics.sets])  # (S, 2)
        self._sigma_ranges = np.array([source.sigma_range for source in statistics.sets])
        self._tables = statistics.tables
        self._sigma_given_mu = InverseCDF(statistics)

    def draw(self, n: int, rng: np.random.Generator) -> np.ndarray:
        """`n` feasible pairs, (n, 2) float64: mu and sigma."""
        draws = self.transform(rng.random((n, 4)))
        return np.stack([draws.mu, draws.sigma], axis=1)

    def transform(self, uniforms: np.ndarray) -> SeverityDraws:
        """One draw for each row of four uniform numbers in [0, 1), (N, 4)."""
        u_cell, u_sigma, u_random, u_mu = np.ascontiguousarray(uniforms.T)
        cell = np.searchsorted(self._cell_edges, u_cell, side="right") - 1
        source, mu_bin = np.divmod(cell, NUM_BINS)
        # where u fell inside its cell is uniform too, and places mu inside the bin
        low, high = self._cell_edges[cell], self._cell_edges[cell + 1]
        inside = (u_cell - low) / (high - low)
        mu = (mu_bin + inside) * MU_BIN_WIDTH
        sigma = np.minimum(self._sigma_given_mu(source, mu_bin, u_sigma), max_sigma(mu))
        is_random = u_random < self._random_fraction
        at_random = np.flatnonzero(is_random)
        if self._redraw_mu:
            mu[at_random] = _between(self._mu_ranges[source[at_random]], u_mu[at_random])
        sigma[at_random] = self._random_sigma(source[at_random], mu[at_random], u_sigma[at_random])
        return SeverityDraws(mu, sigma, source, is_random)

    def _random_sigma(self, source: np.ndarray, mu: np.ndarray, u: np.ndarray) -> np.ndarray:
        """Uniform over the part of the set's sigma range that is feasible with mu."""
        return _between(np.minimum(self._sigma_ranges[source], max_sigma(mu)[:, None]), u)

    def sigma_given_mu(self, mu: np.ndarray, rng: np.random.Generator) -> np.ndarray:
        """A feasible sigma for each mu (N,), from the mu bin or the nearest one with data."""
        occupied = np.flatnonzero(self._cell_probability.sum(axis=0))
        mu_bin = occupied[np.abs(severity_bins(mu, MU_RANGE)[:, None] - occupied).argmin(axis=1)]
        source = _choose(self._cell_probability[:, mu_bin].T, rng)
        return np.minimum(self._sigma_given_mu(source, mu_bin, rng.random(len(mu))), max_sigma(mu))

    def mu_given_sigma(self, sigma: np.ndarray, rng: np.random.Generator) -> np.ndarray:
        """A feasible mu for each sigma (N,), by Bayes' rule; a sigma that no set has takes the nearest bins."""
        sets = len(self._cell_probability)
        tables = self._tables if len(self._tables) == sets else self._tables * sets
        density = np.stack([table.density(sigma) for table in tables], axis=1)  # (N, S, 128)
        posterior = (density * self._cell_probability).reshape(len(sigma), self._cell_probability.size)
        distance = np.stack([table.distance(sigma) for table in tables], axis=1)
        distance = np.where(self._cell_probability > 0, distance, np.inf).reshape(posterior.shape)
        nearest = (distance == distance.min(axis=1, keepdims=True)) * self._cell_probability.ravel()
        unseen = posterior.sum(axis=1) == 0
        cell = _choose(np.where(unseen[:, None], nearest, posterior), rng)
        mu = (cell % NUM_BINS + rng.random(len(sigma))) * MU_BIN_WIDTH
        return np.maximum(mu, min_mu(sigma))


class InverseCDF:
    """Sigma at a cumulative probability, for any mix of sets and mu bins at once."""

    def __init__(self, statistics: DegradationStatistics):
        self._knots = max(table.sigma.shape[1] for table in statistics.tables)
        self._pooled = len(statistics.tables) == 1
        pads = [((0, 0), (0, self._knots - table.sigma.shape[1])) for table in statistics.tables]
        tables = list(zip(statistics.tables, pads, strict=True))
        sigma = np.concatenate([np.pad(table.sigma, pad, mode="edge") for table, pad in tables])
        cumulative = np.concatenate([np.pad(table.cumulative, pad, mode="edge") for table, pad in tables])
        # Row r covers [r, r + 1], so one sorted array holds all rows and one search finds row and knot
        self._positions = (cumulative + np.arange(len(cumulative))[:, None]).ravel()
        self._values = sigma.ravel()

    def __call__(self, source: np.ndarray, mu_bin: np.ndarray, u: np.ndarray) -> np.ndarray:
        """Sigma (N,) of set and mu bin (N,) at cumulative probabilities (N,) in [0, 1)."""
        row = mu_bin if self._pooled else source * NUM_BINS + mu_bin
        position = row + u
        left = np.searchsorted(self._positions, position, side="right") - 1
        left = np.minimum(left, (row + 1) * self._knots - 2)  # row + u may round up to the next row
        start, end = self._positions[left], self._positions[left + 1]
        fraction = np.divide(position - start, end - start, out=np.zeros_like(position), where=end > start)
        return self._values[left] + fraction * (self._values[left + 1] - self._values[left])


def max_sigma(mu: np.ndarray) -> np.ndarray:
    """The largest feasible sigma, `sqrt(mu * (1 - mu))`, a hair less so that its square never exceeds the bound."""
    return np.sqrt(mu * (1 - mu)) * (1 - 1e-12)


def min_mu(sigma: np.ndarray) -> np.ndarray:
    """The smallest feasible mu: the lower root of `mu * (1 - mu) = sigma^2`, a hair more."""
    return (1 - np.sqrt(1 - 4 * sigma**2)) / 2 + 1e-12


def _cumulative(probabilities: np.ndarray) -> np.ndarray:
    """Edges from 0 to exactly 1, one more than probabilities."""
    edges = np.concatenate([[0], probabilities.cumsum()])
    return edges / edges[-1]


def _between(ranges: np.ndarray, u: np.ndarray) -> np.ndarray:
    return ranges[:, 0] + u * (ranges[:, 1] - ranges[:, 0])


def _choose(weights: np.ndarray, rng: np.random.Generator) -> np.ndarray:
    """One column index per row of (N, C), with probability proportional to its weights."""
    edges = weights.cumsum(axis=1)
    u = rng.random(len(weights)) * edges[:, -1]
    return (u[:, None] >= edges).sum(axis=1).clip(max=weights.shape[1] - 1)
