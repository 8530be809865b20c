"""From what the caller passed to one `Request` per image: broadcast, check, draw what was left out."""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
import torch

from gendeg.degradations import Mixture, build_prompt, parse_mixture
from gendeg.errors import InputError
from gendeg.priors import SeverityPrior
from gendeg.severity import Severity, check_severity

Generator = torch.Generator | list[torch.Generator] | None


@dataclass(frozen=True)
class Request:
    """What one image shall become."""

    mixture: Mixture
    prompt: str
    severity: Severity


def build_requests(
    count: int,
    degradation: Any,
    mu: float | Sequence[float | None] | None,
    sigma: float | Sequence[float | None] | None,
    prompt: str | Sequence[str | None] | None,
    prior: SeverityPrior | None,
    generator: Generator,
) -> list[Request]:
    """One request per image.

    Args:
        count: number of images.
        degradation, mu, sigma, prompt: one value for all images, or a list with one per image.
        prior: draws the mu or sigma that is None; None for the published prior.
        generator: source of those draws; a list has one per image.

    Raises:
        InputError: a list whose length is not `count`, an unknown degradation, an infeasible severity.
    """
    mixtures = [parse_mixture(name) for name in per_image("degradation", degradation, count)]
    mus, sigmas = per_image("mu", mu, count), per_image("sigma", sigma, count)
    descriptions = per_image("prompt", prompt, count)
    generators = per_image("generator", generator, count)
    requests = []
    for mixture, mu_i, sigma_i, text, generator_i in zip(mixtures, mus, sigmas, descriptions, generators, strict=True):
        check_severity(mu_i, sigma_i)
        severity = _complete_severity(mixture, mu_i, sigma_i, prior, generator_i)
        requests.append(Request(mixture, build_prompt(text, mixture), severity))
    return requests


def per_image(name: str, value: Any, count: int) -> list[Any]:
    """Repeat one value for every image, or check that a list has one per image.

    Raises:
        InputError: the list has another length.
    """
    if not is_list(value):
        return [value] * count
    if len(value) != count:
        raise InputError(f"{name} has {len(value)} entries for {count} images; give one value, or one per image.")
    return list(value)


def is_list(value: Any) -> bool:
    """Whether a value is one per image: a list, a tuple, or an array such as `SeverityPrior.sample` returns."""
    return isinstance(value, (list, tuple)) or (isinstance(value, np.ndarray) and value.ndim > 0)


def _complete_severity(
    mixture: Mixture,
    mu: float | None,
    sigma: float | None,
    prior: SeverityPrior | None,
    generator: torch.Generator | None,
) -> Severity:
    if mu is not None and sigma is not None:
        return Severity(float(mu), float(sigma))
    prior = prior or SeverityPrior.published()
    device = generator.device if generator is not None else None
    seed = int(torch.randint(2**31, (1,), generator=generator, device=device).item())
    if mu is not None:
        return Severity(float(mu), float(prior.sample_sigma(mixture[0], [mu], seed=seed)[0]))
    if sigma is not None:
        return Severity(float(prior.sample_mu(mixture[0], [sigma], seed=seed)[0]), float(sigma))
    drawn_mu, drawn_sigma = prior.sample(mixture[0], 1, seed=seed)[0]
    return Severity(float(drawn_mu), float(drawn_sigma))
