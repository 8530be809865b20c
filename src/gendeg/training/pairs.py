"""Endless training pairs: item i is a pure function of (seed, i), whatever process or worker makes it."""

import functools
import logging
from abc import ABC, abstractmethod
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Any, Protocol, TypeVar

import numpy as np
import torch
from torch import Tensor
from torch.utils.data import Dataset

from gendeg.data.hub import PairDataset
from gendeg.data.paired import PairPaths
from gendeg.data.photos import PhotoReader, list_photos, random_crop, random_crops
from gendeg.degradations import Degradation, Mixture, build_prompt
from gendeg.errors import ImageError, InputError, warn_once
from gendeg.priors import SeverityPrior
from gendeg.severity import tensor_severity
from gendeg.simulators import parse_simulation, simulate_batch
from gendeg.simulators.color import linear_to_srgb, srgb_to_linear

Rng = np.random.Generator
S = TypeVar("S")

logger = logging.getLogger(__name__)

_CANVAS, _CROP = 0, 1  # streams of random numbers
_DRAWS = 20  # where all these meet unusable images there is hardly another

EXPOSURES = (0.08, 0.6)  # of darkened photos, relative to the photo's own

MIXTURES: tuple[Mixture, ...] = ((Degradation.RAIN, Degradation.HAZE), (Degradation.SNOW, Degradation.HAZE))
DESCRIPTIONS = tuple(
    f"a photo of {scene}"
    for scene in (
        "a street", "a building", "a house", "a person", "two people", "an animal", "a bird", "a flower", "a tree",
        "a forest", "a mountain", "a river", "the sea", "a beach", "a field", "a car", "a boat", "a room", "a city",
    )
)  # fmt: skip


@dataclass
class Pair:
    """A clean and a degraded crop, float32 (3, size, size) in [0, 1], with what degrades it and a scene description."""

    clean: Tensor
    degraded: Tensor
    mixture: Mixture
    description: str | None = None


class PairSource(Protocol):
    """Anything that draws pairs of crops, with all its randomness from `rng`."""

    def draw(self, rng: Rng, size: int) -> Pair:
        """Draw a pair of square crops of `size` pixels."""


def skip_unusable(draw: Callable[[S, Rng, int], Pair]) -> Callable[[S, Rng, int], Pair]:
    """Let a source draw again where it meets an image that cannot be used; each process logs its name once."""

    @functools.wraps(draw)
    def draw_usable(source: S, rng: Rng, size: int) -> Pair:
        for _ in range(_DRAWS - 1):
            try:
                return draw(source, rng, size)
            except ImageError as error:
                warn_once(logger, f"Left out of training: {error}")
        return draw(source, rng, size)

    return draw_usable


class SimulatedPairs:
    """Crops of clean photos, degraded by the simulators at severities from the published prior.

    Args:
        folders: folders of clean photos.
        split: `"train"` or `"validation"` (see `gendeg.data.split`).
        broad_share: share of requests whose mu is uniform in [0.01, 0.5] instead, with the sigma that comes with it, so
            that every severity is seen; the published prior ends at mu = 0.284.
        dark_share: share of photos that are darkened first. Few photos are dark, and a network that has hardly seen one
            takes it for a photo in low light.
        mixture_share: share of pairs with two degradations at once (rain or snow in haze).
        degradations: what to simulate; by default all six. One that stands here twice is drawn twice as often;
            `"raindrop/drops"` is one of its models alone, which is not in mixtures.

    Raises:
        InputError: no degradation, or one without such a model.
        UnknownDegradationError: one is none.
    """

    def __init__(
        self,
        folders: Sequence[str],
        split: str = "train",
        *,
        broad_share: float = 0.25,
        dark_share: float = 0.0,
        mixture_share: float = 0.04,
        degradations: Sequence[str] = tuple(Degradation),
    ):
        self.photos = list_photos(folders, split)
        if not degradations:
            raise InputError(f"Name at least one degradation to simulate: {', '.join(Degradation)}.")
        self.simulations = [parse_simulation(name) for name in degradations]
        whole = {degradation for degradation, model in self.simulations if model is None}
        self.mixtures = [mixture for mixture in MIXTURES if whole.issuperset(mixture)]
        self.broad_share = broad_share
        self.dark_share = dark_share
        self.mixture_share = mixture_share
        self.read = PhotoReader()
        self.prior = SeverityPrior.published()

    @skip_unusable
    def draw(self, rng: Rng, size: int) -> Pair:
        """Draw a photo, a degradation and a severity, and simulate it on a crop."""
        clean = random_crop(rng, self.read(self.photos[rng.integers(len(self.photos))]), size)
        if rng.random() < self.dark_share:
            clean = _darken(rng, clean)
        mixture, model = self._draw_simulation(rng)
        mu, sigma = self._draw_severity(rng, mixture[0])
        return Pair(clean, _simulate(rng, clean, mixture, model, mu, sigma), mixture)

    def _draw_simulation(self, rng: Rng) -> tuple[Mixture, str | None]:
        if rng.random() < self.mixture_share and self.mixtures:
            return self.mixtures[rng.integers(len(self.mixtures))], None
        degradation, model = self.simulations[rng.integers(len(self.simulations))]
        return (degradation,), model

    def _draw_severity(self, rng: Rng, degradation: Degradation) -> tuple[float, float]:
        if rng.random() < self.broad_share:
            return rng.uniform(0.01, 0.5), np.nan
        mu, sigma = self.prior.sample(degradation, 1, seed=int(rng.integers(2**31)))[0]
        return float(mu), float(sigma)


def _darken(rng: Rng, clean: Tensor) -> Tensor:
    """The photo at a shorter exposure, without the noise of one."""
    exposure = float(np.exp(rng.uniform(*np.log(EXPOSURES))))
    return linear_to_srgb(exposure * srgb_to_linear(clean))


def _simulate(rng: Rng, clean: Tensor, mixture: Mixture, model: str | None, mu: float, sigma: float) -> Tensor:
    generator = torch.Generator().manual_seed(int(rng.integers(2**63)))
    severity = torch.tensor([mu]), torch.tensor([sigma])
    return simulate_batch(clean[None], mixture, *severity, model=model, generator=generator).images[0]


class FilePairs:
    """Crops of pairs of image files.

    Args:
        pairs: the files, at least one pair.
        balanced: draw the degradation first, so that each is as frequent, however many pairs it has.
    """

    def __init__(self, pairs: Sequence[PairPaths], *, balanced: bool = False):
        self.pairs = pairs
        self.groups = _groups([pair.mixture for pair in self.pairs], balanced)
        self.read = PhotoReader()

    @skip_unusable
    def draw(self, rng: Rng, size: int) -> Pair:
        """Draw a pair and cut the same window out of both images."""
        paths = self.pairs[_draw_from(rng, self.groups)]
        images = [self.read(paths.clean), self.read(paths.degraded)]
        if images[0].shape != images[1].shape:
            raise ImageError(f"{paths.degraded} and {paths.clean} differ in size.")
        clean, degraded = random_crops(rng, images, size)
        return Pair(clean, degraded, paths.mixture)


class DatasetPairs:
    """Crops of the pairs of a `datasets` data set (see `gendeg.data.hub.PairDataset`).

    Args:
        name: name on the hub, or folder.
        split: `"train"` or `"validation"`.
        balanced: draw the degradation first, so that each is as frequent, however many rows it has.
    """

    def __init__(self, name: str, split: str = "train", *, balanced: bool = False):
        self.rows = PairDataset(name, split)
        self.groups = _groups(self.rows.mixtures(), True) if balanced else [range(len(self.rows))]

    @skip_unusable
    def draw(self, rng: Rng, size: int) -> Pair:
        """Draw a row and cut the same window out of both images."""
        clean, degraded, mixture, caption = self.rows[_draw_from(rng, self.groups)]
        crops = random_crops(rng, [clean, degraded], size)
        return Pair(crops[0], crops[1], mixture, caption)


def _groups(names: Sequence[Any], balanced: bool) -> list[Sequence[int]]:
    """Indices of pairs, all together or, if `balanced`, by what degrades them."""
    if not balanced:
        return [range(len(names))]
    groups: dict[Any, list[int]] = {}
    for index, name in enumerate(names):
        groups.setdefault(name, []).append(index)
    return list(groups.values())


def _draw_from(rng: Rng, groups: Sequence[Sequence[int]]) -> int:
    group = groups[int(rng.integers(len(groups)))] if len(groups) > 1 else groups[0]
    return group[int(rng.integers(len(group)))]


class MixedPairs:
    """Pairs from several sources.

    Args:
        sources: where pairs come from, with the weight of each.

    Raises:
        InputError: no source, a weight below 0, or none above 0.
    """

    def __init__(self, sources: Sequence[tuple[PairSource, float]]):
        weights = np.array([weight for _, weight in sources], dtype=np.float64)
        if not len(weights) or (weights < 0).any() or weights.sum() == 0:
            raise InputError(f"Sources of pairs need weights >= 0, one of them above 0; got {weights.tolist()}.")
        self.sources = [source for source, _ in sources]
        self.probabilities = weights / weights.sum()

    def draw(self, rng: Rng, size: int) -> Pair:
        """Draw a source, and a pair from it."""
        return self.sources[rng.choice(len(self.sources), p=self.probabilities)].draw(rng, size)


class CanvasCrops(Dataset[dict[str, Any]], ABC):
    """Crops of pairs, with a virtual index: item `i` depends on `seed` and `i` alone.

    So a run resumes by starting at another index, and any number of processes and workers makes the same global
    batches.

    Degradations have a size: flakes, streaks, drops, depth and blur scale with the picture that a simulator is given.
    So a pair is drawn as a square canvas whose side is uniform between `size` and `canvas`, about as large as the
    photos of later use, and crops are cut out of it, several of one canvas, since simulating costs more than cropping.

    Args:
        source: where pairs come from.
        size: side of the square crops, in pixels.
        canvas: largest side of the canvas, in pixels; by default `size`, else larger.
        crops_per_pair: crops from one canvas; they have neighbouring indices.
        seed: another seed is another data set.
        length: number of items that the data set claims to have.

    Raises:
        InputError: no crop from a canvas.
    """

    def __init__(
        self,
        source: PairSource,
        size: int,
        canvas: int | None = None,
        *,
        crops_per_pair: int = 1,
        seed: int = 0,
        length: int = 2**31,
    ):
        if crops_per_pair < 1:
            raise InputError(f"crops_per_pair={crops_per_pair}; give at least 1.")
        self.source = source
        self.size = size
        self.canvas = canvas or size
        self.crops_per_pair = crops_per_pair
        self.seed = seed
        self.length = length
        self._latest: tuple[int, Pair] | None = None

    def __len__(self) -> int:
        return self.length

    def __getitem__(self, index: int) -> dict[str, Any]:
        pair = self.draw_canvas(index // self.crops_per_pair)
        return {**self.cut(np.random.default_rng([self.seed, index, _CROP]), pair), "index": index}

    def draw_canvas(self, number: int) -> Pair:
        """Pair `number`; the latest one is remembered, for its other crops."""
        if self._latest is None or self._latest[0] != number:
            rng = np.random.default_rng([self.seed, number, _CANVAS])
            side = int(rng.integers(self.size, self.canvas, endpoint=True))
            self._latest = (number, self.source.draw(rng, side))
        return self._latest[1]

    @abstractmethod
    def cut(self, rng: Rng, pair: Pair) -> dict[str, Any]:
        """An item, but for its index, out of a canvas."""


def same_square(rng: Rng, images: Sequence[Tensor], size: int) -> list[Tensor]:
    """A random square of `size` pixels, the same of several images (C, H, W) of one size."""
    height, width = images[0].shape[-2:]
    top, left = rng.integers(height - size + 1), rng.integers(width - size + 1)
    return [image[:, top : top + size, left : left + size].contiguous() for image in images]


class TrainingPairs(CanvasCrops):
    """What generators, autoencoders and structure correction train on.

    Items hold `clean` and `degraded`, float32 (3, size, size) in [0, 1]; `mu` and `sigma`, measured on the crop;
    `prompt`; `degradation`, e.g. `"haze"` or `"rain+haze"`; and `index`.
    """

    def cut(self, rng: Rng, pair: Pair) -> dict[str, Any]:
        """A crop as it lies in the canvas: rain falls downwards."""
        clean, degraded = same_square(rng, [pair.clean, pair.degraded], self.size)
        description = pair.description or _draw_description(rng)
        mu, sigma = tensor_severity(clean[None], degraded[None])
        return {
            "clean": clean,
            "degraded": degraded,
            "mu": mu[0],
            "sigma": sigma[0],
            "prompt": build_prompt(description, pair.mixture),
            "degradation": "+".join(pair.mixture),
        }


def _draw_description(rng: Rng) -> str | None:
    # Photos without captions mostly get the degradation's phrase alone; some get a plain description that says little,
    # so that the generator also accepts prompts with one.
    return DESCRIPTIONS[rng.integers(len(DESCRIPTIONS))] if rng.random() < 0.25 else None
