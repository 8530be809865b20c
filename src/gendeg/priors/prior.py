"""`SeverityPrior`: from which mu and sigma of a degradation are drawn."""

import functools
import os
from collections.abc import Iterable, Mapping, Sequence
from importlib import resources
from types import MappingProxyType
from typing import Any

import numpy as np

from gendeg.arguments import is_list, read_float, read_int
from gendeg.degradations import Degradation, parse_mixture
from gendeg.errors import InputError
from gendeg.priors.files import read_prior, write_prior
from gendeg.priors.original import read_original
from gendeg.priors.sampler import MODES, Sampler, SeverityDraws
from gendeg.priors.statistics import measure_pairs, statistics_from_severities
from gendeg.priors.tables import DegradationStatistics, mu_quantiles, sigma_quantiles
from gendeg.severity import check_severity

Seed = int | np.random.Generator
RANDOM_FRACTION = 0.05  # one image in 20 (paper section 3.3)


class SeverityPrior:
    """How strong each degradation is in data sets of real and synthetic pairs (paper section 3.3).

    A draw takes a source set by weight, mu from the set's histogram, and sigma from the images in that mu bin. One
    draw in 20 is made at random instead, for variety.

    Args:
        statistics: what is known about each degradation, by name or alias.
        mode: `"paper"` redraws sigma only in a random draw, uniformly over the range of the set; `"official"`, as the
            authors' program does, redraws mu and sigma. Random sigmas stay in the feasible part of the range.
        random_fraction: share of random draws, in [0, 1].

    Raises:
        InputError: an unknown mode, a `random_fraction` outside [0, 1], or a degradation named twice.
        UnknownDegradationError: an unknown degradation.
    """

    def __init__(
        self,
        statistics: Mapping[Degradation, DegradationStatistics],
        mode: str = "paper",
        random_fraction: float = RANDOM_FRACTION,
    ):
        _check_mode(mode)
        if not 0 <= read_float("random_fraction", random_fraction) <= 1:
            raise InputError(f"random_fraction={random_fraction} is not in [0, 1].")
        if not isinstance(statistics, Mapping) or not statistics:
            raise InputError("A prior needs a mapping with the statistics of at least one degradation.")
        if not all(isinstance(known, DegradationStatistics) for known in statistics.values()):
            raise InputError("A prior needs DegradationStatistics of each degradation; from_pairs measures them.")
        self._statistics = {Degradation(name): known for name, known in statistics.items()}
        if len(self._statistics) < len(statistics):
            raise InputError(f"{', '.join(map(str, statistics))} name a degradation twice; give one of the names.")
        self.mode = mode
        self.random_fraction = random_fraction
        self._samplers = {name: Sampler(known, mode, random_fraction) for name, known in self._statistics.items()}

    @property
    def statistics(self) -> Mapping[Degradation, DegradationStatistics]:
        """What is known about each degradation, read-only: all callers of `published` share one prior."""
        return MappingProxyType(self._statistics)

    @classmethod
    def published(cls, mode: str = "paper") -> "SeverityPrior":
        """The statistics that the authors released, of the data sets they trained on.

        They pool sigma over all sets of a degradation, which the paper does not. No mu lies above 0.285.

        Args:
            mode: `"paper"` or `"official"`, see the class.

        Returns:
            One prior for all callers.

        Raises:
            InputError: an unknown mode.
        """
        _check_mode(mode)
        return cls._published(mode)

    @classmethod
    @functools.cache
    def _published(cls, mode: str) -> "SeverityPrior":
        with resources.as_file(resources.files("gendeg") / "resources" / "priors" / "published.json") as path:
            return cls(read_prior(path).statistics, mode)

    @classmethod
    def from_pairs(
        cls,
        pairs: Iterable[Any],
        *,
        weights: Mapping[str, float] | None = None,
        mode: str = "paper",
        random_fraction: float = RANDOM_FRACTION,
        resize_to_256: bool = False,
    ) -> "SeverityPrior":
        """Measure the prior of any paired data.

        Args:
            pairs: `(clean, degraded, degradation)` or `(clean, degraded, degradation, dataset)`, or mappings with
                these keys; `dataset` names the source set, by default all pairs of a degradation are one set. Images
                as `measure_severity` takes them. A mixture such as `"rain+haze"` counts for its first degradation.
                Or pairs that are measured already: the rows of an index (`gendeg.data.pair_index.read_index`), or
                mappings with `mu`, `sigma` and `degradation`; their images are not read.
            weights: how often each source set is drawn from, by name; 1 for those left out.
            mode, random_fraction: see the class. `"official"` also pools sigma over the sets of a degradation.
            resize_to_256: measure at 256 x 256 pixels as the authors do, see `measure_severity`.

        Raises:
            InputError: no pair, one that cannot be read, or `resize_to_256` for pairs that are measured already.
        """
        mu, sigma, names, datasets = measure_pairs(pairs, resize_to_256)
        return cls.from_severities(
            mu, sigma, names, datasets, weights=weights, mode=mode, random_fraction=random_fraction
        )

    @classmethod
    def from_severities(
        cls,
        mu: Any,
        sigma: Any,
        degradations: Sequence[Any],
        datasets: Sequence[str],
        *,
        weights: Mapping[str, float] | None = None,
        mode: str = "paper",
        random_fraction: float = RANDOM_FRACTION,
    ) -> "SeverityPrior":
        """The prior of severities that have been measured already.

        Args:
            mu, sigma: one number per pair, (N,). Values above their range count for the last bin.
            degradations: name of each pair's degradation, (N,).
            datasets: name of each pair's source set, (N,).
            weights, mode, random_fraction: see `from_pairs`.

        Raises:
            InputError: nothing given, different lengths, or weights for a set that does not occur.
            SeverityError: a negative value.
        """
        pooled = mode == "official"
        statistics = statistics_from_severities(mu, sigma, degradations, datasets, weights, pooled)
        return cls(statistics, mode, random_fraction)

    @classmethod
    def from_original(
        cls,
        folder: str | os.PathLike[str],
        *,
        weights: Mapping[str, float] | None = None,
        mode: str = "official",
        random_fraction: float = RANDOM_FRACTION,
    ) -> "SeverityPrior":
        """Read the JSON files that the authors released; `gendeg.priors.original` describes them.

        Args:
            folder: the folder with one sub-folder per degradation.
            weights: how often each source set is drawn from, by name. The files do not say; those left out take the
                weights of the authors' program, and 1 where it names none.
            mode, random_fraction: see the class.

        Raises:
            InputError: no such folder, files of another layout, or weights for a set that does not occur.
        """
        released = cls.published().statistics
        known = {name: {source.name: source.weight for source in released[name].sets} for name in released}
        return cls(read_original(folder, known, weights), mode, random_fraction)

    @classmethod
    def load(cls, path: str | os.PathLike[str]) -> "SeverityPrior":
        """Read a prior that `save` wrote.

        Raises:
            InputError: no such file, or not a severity prior.
        """
        content = read_prior(path)
        return cls(content.statistics, content.mode, content.random_fraction)

    def save(self, path: str | os.PathLike[str]) -> None:
        """Write the prior as JSON; the file is whole or absent."""
        write_prior(path, self.statistics, self.mode, self.random_fraction)

    @property
    def degradations(self) -> tuple[Degradation, ...]:
        """The degradations that the prior knows."""
        return tuple(self.statistics)

    def datasets(self, degradation: Any) -> tuple[str, ...]:
        """Names of the source sets of a degradation."""
        return tuple(source.name for source in self.statistics[self._known(degradation)].sets)

    def sample(self, degradation: Any, n: int, seed: Seed) -> np.ndarray:
        """Draw severities.

        Args:
            degradation: name or alias; a mixture such as `"rain+haze"` takes the prior of its first.
            n: number of draws.
            seed: an integer, or a generator that is drawn from. The first k of n draws do not depend on n.

        Returns:
            Array (n, 2): mu in [0, 0.7] and sigma in [0, 0.4], always feasible together.

        Raises:
            InputError: the prior does not know the degradation, `n` is no number of draws, or `seed` no seed.
        """
        number = read_int("n", n)
        if number < 0:
            raise InputError(f"n={number}; give the number of draws, 0 or more.")
        return self._samplers[self._known(degradation)].draw(number, _random(seed))

    def transform(self, degradation: Any, uniforms: Any) -> SeverityDraws:
        """Turn uniform numbers into severities: the draws of `sample`, from randomness of the caller's.

        Args:
            degradation: see `sample`.
            uniforms: independent numbers in [0, 1), an array (N, 4) or a list of such rows.

        Returns:
            One draw per row; it depends on this row only.

        Raises:
            InputError: the prior does not know the degradation, or not such numbers.
        """
        return self._samplers[self._known(degradation)].transform(_read_uniforms(uniforms))

    def sample_sigma(self, degradation: Any, mu: Any, seed: Seed) -> np.ndarray:
        """Draw a sigma for each given mu.

        Args:
            degradation, seed: see `sample`.
            mu: values (N,) in [0, 0.7]. One in a bin without data takes sigma from the nearest bin that has some.

        Returns:
            Feasible sigmas, (N,).
        """
        numbers = [read_float("mu", value) for value in np.atleast_1d(mu)]
        values = np.array([check_severity(number, None)[0] for number in numbers], dtype=np.float64)
        return self._samplers[self._known(degradation)].sigma_given_mu(values, _random(seed))

    def sample_mu(self, degradation: Any, sigma: Any, seed: Seed) -> np.ndarray:
        """Draw a mu for each given sigma.

        Args:
            degradation, seed: see `sample`.
            sigma: values (N,) in [0, 0.4]. One that occurs nowhere takes mu from the bins that come nearest.

        Returns:
            Feasible mus, (N,).
        """
        numbers = [read_float("sigma", value) for value in np.atleast_1d(sigma)]
        values = np.array([check_severity(None, number)[1] for number in numbers], dtype=np.float64)
        return self._samplers[self._known(degradation)].mu_given_sigma(values, _random(seed))

    def mu_quantiles(self, degradation: Any, levels: Sequence[float]) -> np.ndarray:
        """Quantiles of mu, over all sets as they are drawn.

        Args:
            degradation: name or alias.
            levels: L cumulative probabilities in [0, 1], e.g. `(0.05, 0.5, 0.95)`.

        Returns:
            Array (L,).

        Raises:
            InputError: the prior does not know the degradation, or not such levels.
        """
        return mu_quantiles(self.statistics[self._known(degradation)], _read_levels(levels))

    def sigma_quantiles(self, degradation: Any, levels: Sequence[float]) -> np.ndarray:
        """Quantiles of sigma in each mu bin, over all sets as they are drawn.

        Args:
            degradation: name or alias.
            levels: L cumulative probabilities in [0, 1], e.g. `(0.05, 0.5, 0.95)`.

        Returns:
            Array (128, L); NaN in mu bins without data.

        Raises:
            InputError: the prior does not know the degradation, or not such levels.
        """
        return sigma_quantiles(self.statistics[self._known(degradation)], _read_levels(levels))

    def _known(self, degradation: Any) -> Degradation:
        name = parse_mixture(degradation)[0]
        if name not in self.statistics:
            known = ", ".join(map(str, self.statistics))
            raise InputError(f"This prior knows {known}, not {name}; use another prior or give mu and sigma.")
        return name


def _check_mode(mode: Any) -> None:
    if mode not in MODES:
        raise InputError(f"mode={mode!r} is not one of {', '.join(map(repr, MODES))}.")


def _read_levels(levels: Any) -> list[float]:
    numbers = [read_float("level", level) for level in levels] if is_list(levels) else []
    if not numbers or not all(0 <= number <= 1 for number in numbers):
        raise InputError(f"levels={levels!r}; give a list of numbers in [0, 1], e.g. [0.05, 0.5, 0.95].")
    return numbers


def _read_uniforms(uniforms: Any) -> np.ndarray:
    try:
        numbers = np.asarray(uniforms, dtype=np.float64)
    except (TypeError, ValueError):
        raise InputError(f"uniforms={uniforms!r}; give an array (N, 4) of numbers in [0, 1).") from None
    if numbers.ndim != 2 or numbers.shape[1] != 4:
        raise InputError(f"uniforms has the shape {numbers.shape}; give an array (N, 4).")
    outside = numbers[~((numbers >= 0) & (numbers < 1))]  # NaN too
    if outside.size:
        raise InputError(f"uniforms holds {outside[0]}; give numbers in [0, 1), e.g. of numpy's Generator.random.")
    return numbers


def _random(seed: Any) -> np.random.Generator:
    if isinstance(seed, np.random.Generator):
        return seed
    number = read_int("seed", seed)
    if number < 0:
        raise InputError(f"seed={number}; give a whole number from 0, or a generator of NumPy.")
    return np.random.default_rng(number)


def given_prior(prior: SeverityPrior | None) -> SeverityPrior:
    """The prior that a caller named, or the published one.

    Raises:
        InputError: something else than a prior.
    """
    if prior is None:
        return SeverityPrior.published()
    if not isinstance(prior, SeverityPrior):
        raise InputError(f"prior={prior!r} is not a SeverityPrior; give SeverityPrior.load(file), or None.")
    return prior
