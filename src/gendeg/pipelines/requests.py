"""From what the caller passed to one `Request` per image: check, repeat, draw what was left out."""

import math
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import torch
from torch import Tensor

from gendeg.arguments import is_list, one_each, read_float, read_int
from gendeg.degradations import Degradation, Mixture, build_prompt, parse_mixture
from gendeg.errors import InputError
from gendeg.priors import SeverityPrior, given_prior
from gendeg.severity import Severity, check_severity

Generator = torch.Generator | list[torch.Generator] | None

DARKEST = 0.9  # share of its light that a photo can lose and still show something
MOST_UNEVEN = 1.5  # sigma / mu of low light relative to the photo's own; few simulated exposures have more


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
        InputError: an unknown degradation, an infeasible severity, or an argument of another type.
    """
    prior = given_prior(prior)
    mixtures = [parse_mixture(name) for name in one_each(degradation, count)]
    severities = [check_severity(*pair) for pair in zip(one_each(mu, count), one_each(sigma, count), strict=True)]
    descriptions, generators = one_each(prompt, count), check_generators(generator, count)
    requests = []
    for mixture, given, text, own in zip(mixtures, severities, descriptions, generators, strict=True):
        severity = _complete_severity(mixture, *given, prior, own)
        requests.append(Request(mixture, build_prompt(text, mixture), severity))
    return requests


def attainable_severity(request: Request, clean: Tensor, *, is_relative: bool = False) -> Severity:
    """What the generator is asked for: the request or, where a photo cannot have so much low light, what it can have.

    The degradation map of low light is at most the photo itself. Asked for more, a generator that was trained on such
    pairs can do nothing but brighten. In a mixture the leading degradation decides: it is the one whose severity is
    asked for.

    Args:
        request: what the image shall become.
        clean: the photo, (3, H, W) in [0, 1].
        is_relative: whether the change is diffused relative to the severity (`change_scale`). Then a sigma that hardly
            an exposure of the photo has makes the whole change too strong, so it is limited whatever mu is.
    """
    if request.mixture[0] != Degradation.LOW_LIGHT:
        return request.severity
    mu, sigma = float(request.severity.mu), float(request.severity.sigma)
    mean, deviation = clean.mean().item(), clean.std(correction=0).item()
    is_possible = mu <= DARKEST * mean
    if is_possible and not is_relative:
        return request.severity
    lost = min(mu / mean, DARKEST) if mean else 0.0  # share of the light
    most = min(MOST_UNEVEN * lost, DARKEST) * deviation
    return Severity(mu if is_possible else DARKEST * mean, min(sigma, most))


def check_generators(generator: Any, count: int) -> list[torch.Generator | None]:
    """The generator of each image.

    Raises:
        InputError: something else than generators, such as a seed, or None in a list.
    """
    if generator is None:
        return [None] * count
    generators = one_each(generator, count)
    for one in generators:
        if not isinstance(one, torch.Generator):
            raise InputError(
                f"generator={one!r} is not a torch.Generator; of a seed, e.g. 3, give "
                "torch.Generator().manual_seed(3). None can be given instead of a list, not in it."
            )
    return generators


def check_steps(steps: Any, limit: int) -> int:
    """A number of denoising steps, from 1 to `limit`.

    Raises:
        InputError: another number, or none.
    """
    number = read_int("num_inference_steps", steps)
    if not 1 <= number <= limit:
        raise InputError(
            f"num_inference_steps={number}; give at least 1, and at most {limit}, the steps of the noise schedule."
        )
    return number


def check_guidance(name: str, scale: Any) -> float:
    """A guidance scale.

    Raises:
        InputError: not a finite number.
    """
    number = read_float(name, scale)
    if not math.isfinite(number):
        raise InputError(f"{name}={number}; give a finite number, e.g. 1.5.")
    return number


def check_latents(latents: Any, shapes: Sequence[torch.Size]) -> list[Tensor]:
    """Initial latents, one per image.

    Args:
        latents: a tensor (B, C, h, w), or a list of (C, h, w).
        shapes: of the images' clean latents, which those of the initial latents must equal.

    Raises:
        InputError: not tensors, of other shapes, or with NaN or infinite values.
    """
    if not is_list(latents):
        raise InputError(f"latents={latents!r}; give a tensor (B, C, h, w), or a list of tensors (C, h, w).")
    for noise, shape in zip(latents, shapes, strict=True):
        if not isinstance(noise, Tensor) or noise.shape != shape:
            raise InputError(
                f"latents are {describe_kind(noise)} where a tensor {tuple(shape)} is needed: the shape of "
                "pipe.prepare_images(image)[i].latents."
            )
        if not torch.isfinite(noise).all():
            raise InputError("latents hold NaN or infinite values; give noise of unit variance, e.g. of torch.randn.")
    return list(latents)


def check_embeds(name: str, embeds: Any, num_tokens: int, width: int) -> None:
    """Refuse precomputed embeddings that are no tensor (n, `num_tokens`, `width`).

    Raises:
        InputError: something else.
    """
    if not isinstance(embeds, Tensor) or embeds.ndim != 3 or embeds.shape[1:] != (num_tokens, width):
        raise InputError(
            f"{name} is {describe_kind(embeds)}; give a tensor (n, {num_tokens}, {width}) as encode_prompt or "
            "null_embeds of this pipeline returns."
        )


def check_null_embeds(null_embeds: Any, embeds: Tensor) -> None:
    """Refuse `negative_prompt_embeds` that are no tensor (1, L, D) beside the `embeds` (B, L, D).

    Raises:
        InputError: something else.
    """
    check_embeds("negative_prompt_embeds", null_embeds, embeds.shape[1], embeds.shape[2])
    if len(null_embeds) != 1:
        raise InputError(f"negative_prompt_embeds holds {len(null_embeds)} embeddings; give one, for all images.")


def describe_kind(value: Any) -> str:
    """A value for a message: arrays and tensors by their type and shape."""
    return f"{type(value).__name__} {tuple(value.shape)}" if hasattr(value, "shape") else repr(value)


def _complete_severity(
    mixture: Mixture,
    mu: float | None,
    sigma: float | None,
    prior: SeverityPrior,
    generator: torch.Generator | None,
) -> Severity:
    if mu is not None and sigma is not None:
        return Severity(mu, sigma)
    device = generator.device if generator is not None else None
    seed = int(torch.randint(2**31, (1,), generator=generator, device=device).item())
    if mu is not None:
        return Severity(mu, float(prior.sample_sigma(mixture[0], [mu], seed=seed)[0]))
    if sigma is not None:
        return Severity(float(prior.sample_mu(mixture[0], [sigma], seed=seed)[0]), sigma)
    drawn_mu, drawn_sigma = prior.sample(mixture[0], 1, seed=seed)[0]
    return Severity(float(drawn_mu), float(drawn_sigma))
