"""Simulate degradations on any images: photos of different sizes, each with its own request."""

from collections.abc import Sequence
from typing import Any

import numpy as np
import torch
from torch import Tensor

from gendeg.arguments import count_results, is_list, one_each, read_int
from gendeg.degradations import Degradation, Mixture, parse_mixture
from gendeg.errors import InputError
from gendeg.imaging import Image, to_batch
from gendeg.output import OUTPUT_TYPES, GenDegOutput, convert_images
from gendeg.priors import SeverityPrior, given_prior
from gendeg.severity import Severity, check_severity
from gendeg.simulators.batch import SimulatedBatch, simulate_batch

LARGEST_SEED = 2**63 - 1  # that torch takes everywhere
MOST_PIXELS = 64 * 256 * 256  # of images simulated at once: bounds the memory


def simulate(
    image: Image,
    degradation: str | Degradation | Sequence[str | Degradation],
    mu: float | Sequence[float] | None = None,
    sigma: float | Sequence[float] | None = None,
    *,
    model: str | None = None,
    prior: SeverityPrior | None = None,
    seed: int | Sequence[int] = 0,
    output_type: str = "pil",
) -> GenDegOutput:
    """Degrade photos by physical models, to a requested severity.

    Each sample depends on its image, its request and its seed only, not on the images beside it. One image with lists
    gives one result for each entry.

    Args:
        image: one image or many, of any sizes (see `gendeg.imaging.to_batch`).
        degradation: one of the six, or a mixture such as `"rain+haze"` (see `simulate_batch`); or a list of those, one
            for each image.
        mu: mean of the degradation map, in [0, 0.7], or one for each image; None draws mu, and sigma if it is None too,
            from the prior of the (leading) degradation.
        sigma: standard deviation of the degradation map, in [0, 0.4], or one for each image; None with mu given leaves
            it to the model.
        model: name of the physical model (see `gendeg.simulators.model_names`); None draws one for each image.
        prior: draws severities left out; None for the published one.
        seed: an integer, of which image i takes `seed + i`; or one for each image.
        output_type: `"pil"`, `"np"` or `"pt"`.

    Returns:
        The degraded images; the clean ones as targets; the requested severity (NaN where sigma was left free) and the
        achieved one; `parameters`: what was drawn. A request out of reach, such as strong blur of a flat photo, gives
        the closest result the model has; `output.reached()` says for which images that is so.

    Raises:
        ImageError: not images.
        UnknownDegradationError: an unknown degradation.
        SeverityError: mu or sigma out of range, or infeasible together.
        InputError: an unknown model or output type, a prior or seed that is none, or lists whose lengths differ.
    """
    if output_type not in OUTPUT_TYPES:
        raise InputError(f"output_type={output_type!r} is not one of {', '.join(map(repr, OUTPUT_TYPES))}.")
    images, _ = to_batch(image)
    count = count_results(len(images), degradation=degradation, mu=mu, sigma=sigma, seed=seed)
    images = images if len(images) == count else images * count
    seeds = _seeds(seed, count)
    mixtures = [parse_mixture(one) for one in one_each(degradation, count)]
    requests = _requests(mixtures, one_each(mu, count), one_each(sigma, count), given_prior(prior), seeds)

    degraded: list[Tensor] = [image.new_empty(0) for image in images]
    achieved = np.zeros((count, 2))
    parameters: list[dict[str, Any]] = [{} for _ in images]
    for indices in _groups(images, mixtures):
        group, group_seeds = [images[i] for i in indices], [seeds[i] for i in indices]
        batch = _simulate_group(group, mixtures[indices[0]], requests[indices], model, group_seeds)
        for position, i in enumerate(indices):
            degraded[i], parameters[i] = batch.images[position], batch.parameters[position]
            achieved[i] = batch.mu[position].item(), batch.sigma[position].item()
    return GenDegOutput(
        images=convert_images(degraded, output_type),
        targets=convert_images(images, output_type),
        requested=Severity(requests[:, 0], requests[:, 1]),
        achieved=Severity(achieved[:, 0], achieved[:, 1]),
        parameters=parameters,
    )


def _simulate_group(
    images: list[Tensor], mixture: Mixture, requests: np.ndarray, model: str | None, seeds: list[int]
) -> SimulatedBatch:
    clean = torch.stack(images)
    mu, sigma = torch.from_numpy(requests).to(clean.device, torch.float32).T
    generators = [torch.Generator().manual_seed(seed) for seed in seeds]
    return simulate_batch(clean, mixture, mu, sigma, model=model, generator=generators)


def _requests(
    mixtures: list[Mixture], mu: list[Any], sigma: list[Any], prior: SeverityPrior, seeds: list[int]
) -> np.ndarray:
    """Requested mu and sigma of each image (B, 2), drawn from the prior where not given; NaN for a free sigma."""
    requests = np.full((len(mixtures), 2), np.nan)
    for i, mixture in enumerate(mixtures):
        own_mu, own_sigma = check_severity(mu[i], sigma[i])
        if own_mu is None:
            requests[i] = _drawn(mixture, own_sigma, prior, seeds[i])
        else:
            requests[i] = own_mu, float("nan") if own_sigma is None else own_sigma
    return requests


def _drawn(mixture: Mixture, sigma: float | None, prior: SeverityPrior, seed: int) -> tuple[float, float]:
    if sigma is not None:
        return prior.sample_mu(mixture[0], [sigma], seed)[0], sigma
    mu, drawn_sigma = prior.sample(mixture[0], 1, seed)[0]
    return mu, drawn_sigma


def _seeds(seed: Any, count: int) -> list[int]:
    """The seed of each image."""
    seeds = [read_int("seed", one) for one in one_each(seed, count)]
    if not is_list(seed):
        seeds = [first + i for i, first in enumerate(seeds)]
    if min(seeds) < 0 or max(seeds) > LARGEST_SEED:
        raise InputError(f"seed={seed!r}; give whole numbers from 0 to {LARGEST_SEED}.")
    return seeds


def _groups(images: list[Tensor], mixtures: list[Mixture]) -> list[list[int]]:
    """Indices of images that can be simulated together: same size, same degradation, not too many pixels."""
    together: dict[Any, list[int]] = {}
    for i, (image, mixture) in enumerate(zip(images, mixtures, strict=True)):
        together.setdefault((image.shape, image.device, mixture), []).append(i)
    groups = []
    for (shape, *_), indices in together.items():
        size = max(1, MOST_PIXELS // (shape[1] * shape[2]))
        groups += [indices[start : start + size] for start in range(0, len(indices), size)]
    return groups
