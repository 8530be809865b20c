"""Simulate one degradation, or a mixture, on a batch of images of one size."""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import torch
from torch import Tensor

from gendeg.degradations import Degradation, parse_mixture
from gendeg.errors import ImageError, InputError, count_of
from gendeg.imaging import unit_range
from gendeg.severity import check_severity, tensor_severity
from gendeg.simulators.base import Fields
from gendeg.simulators.random_fields import RandomStreams
from gendeg.simulators.registry import SIMULATORS, find_model
from gendeg.simulators.solver import Problem, solve

# The order in which nature and the camera apply the parts of a mixture.
_PHYSICAL_ORDER = ("haze", "snow", "rain", "raindrop", "motion_blur", "low_light")


@dataclass
class SimulatedBatch:
    """Degraded images and what was drawn for them.

    Attributes:
        images: (B, 3, H, W) in [0, 1].
        mu, sigma: the achieved severity, (B,).
        parameters: per image, the model's name, its knobs and everything it drew as plain numbers. Of a mixture:
            `{"parts": [...]}`, in the order of application.
    """

    images: Tensor
    mu: Tensor
    sigma: Tensor
    parameters: list[dict[str, Any]]


def simulate_batch(
    clean: Tensor,
    degradation: str | Degradation | Sequence[str],
    mu: Tensor,
    sigma: Tensor,
    *,
    model: str | None = None,
    generator: torch.Generator | Sequence[torch.Generator],
) -> SimulatedBatch:
    """Degrade a batch with the physical models so that each image has its requested severity.

    The result that comes closest is returned where a request is out of reach: a flat picture cannot be blurred to
    mu = 0.1, and a model has sigma only within a range at given mu. The achieved severity says so. mu has precedence.

    Args:
        clean: (B, 3, H, W) in [0, 1], floats of any precision; everything is computed on its device in float32.
        degradation: one of the six, or a mixture such as `"rain+haze"`: its parts are applied in their physical order
            and share mu equally; the last one applied is solved so that the whole has the requested severity.
        mu, sigma: the request, (B,), in [0, 0.7] and [0, 0.4]. NaN in sigma leaves it free: the model's second knob is
            then drawn at random.
        model: name of the model (see `model_names`), of a mixture `"streaks+depth"`; None draws one for each image.
        generator: one for the batch, or one for each image: an image then gets the same whatever its batch.

    Returns:
        The degraded images, their achieved severity, and what was drawn.

    Raises:
        UnknownDegradationError: an unknown degradation.
        InputError: an unknown model, tensors whose lengths differ, NaN in mu, or no or another number of generators.
        SeverityError: mu or sigma out of range.
        ImageError: `clean` is not a batch of colour images, has NaN, or values outside [0, 1].
    """
    parts = parse_mixture(degradation)
    names = _model_names(parts, model)
    _check(clean, mu, sigma)
    clean = unit_range(clean)
    mu, sigma = mu.to(clean.device, torch.float32), sigma.to(clean.device, torch.float32)
    streams = RandomStreams(_generators(generator, len(clean)), clean.device)

    order = sorted(range(len(parts)), key=lambda index: _PHYSICAL_ORDER.index(parts[index]))
    degraded, drawn = clean, []
    for position, index in enumerate(order):
        is_last = position == len(order) - 1
        part_mu = mu if is_last else mu / len(parts)
        part_sigma = sigma if is_last else torch.full_like(sigma, torch.nan)
        reference = clean if is_last else degraded
        degraded, parameters = _apply(degraded, reference, parts[index], names[index], part_mu, part_sigma, streams)
        drawn.append(parameters)
    achieved_mu, achieved_sigma = tensor_severity(clean, degraded)
    per_image = [list(one) for one in zip(*drawn, strict=True)]
    return SimulatedBatch(
        degraded, achieved_mu, achieved_sigma, [one[0] if len(one) == 1 else {"parts": one} for one in per_image]
    )


def _apply(
    base: Tensor,
    reference: Tensor,
    degradation: Degradation,
    name: str | None,
    mu: Tensor,
    sigma: Tensor,
    streams: RandomStreams,
) -> tuple[Tensor, list[dict[str, Any]]]:
    """Degrade `base` so that it differs from `reference` as requested; images of one model are solved together."""
    names = list(SIMULATORS[degradation])
    chosen = [names[pick] for pick in streams.choice(len(names))] if name is None else [name] * len(base)
    degraded = torch.empty_like(base)
    parameters: list[dict[str, Any]] = [{} for _ in chosen]
    for current in dict.fromkeys(chosen):
        indices = [i for i, one in enumerate(chosen) if one == current]
        some = streams.select(indices)
        images, drawn = _apply_model(
            base[indices], reference[indices], degradation, current, mu[indices], sigma[indices], some
        )
        degraded[indices] = images
        for i, one in zip(indices, drawn, strict=True):
            parameters[i] = one
    return degraded, parameters


def _apply_model(
    base: Tensor,
    reference: Tensor,
    degradation: Degradation,
    name: str,
    mu: Tensor,
    sigma: Tensor,
    streams: RandomStreams,
) -> tuple[Tensor, list[dict[str, Any]]]:
    simulator = find_model(degradation, name)()
    free_spread = streams.uniform()
    problem = Problem(simulator, base, simulator.draw(base, streams), reference)
    strength, spread = solve(problem, mu, sigma, free_spread)
    images = problem.render(strength, spread)
    knobs = {"strength": strength, "spread": spread} if simulator.has_spread else {"strength": strength}
    numbers = _numbers(problem.fields | knobs, len(base))
    return images, [{"degradation": str(degradation), "model": name} | one for one in numbers]


def _numbers(fields: Fields, count: int) -> list[dict[str, Any]]:
    """What was drawn for each image, without the maps."""
    plain = {key: value.tolist() for key, value in fields.items() if value.ndim < 4}
    return [{key: values[i] for key, values in plain.items()} for i in range(count)]


def _model_names(parts: Sequence[Degradation], model: str | None) -> list[str | None]:
    if model is None:
        return [None] * len(parts)
    if not isinstance(model, str):
        raise InputError(f"model={model!r} is not the name of a model; see gendeg.simulators.model_names.")
    names = model.split("+")
    if len(names) != len(parts):
        raise InputError(
            f"model={model!r} names {count_of(len(names), 'model')} for {count_of(len(parts), 'degradation')}; give "
            "one for each, joined by '+' in the same order."
        )
    for degradation, name in zip(parts, names, strict=True):
        find_model(degradation, name)
    return list(names)


def _check(clean: Any, mu: Any, sigma: Any) -> None:
    if not _is_batch(clean):
        raise ImageError(f"clean is a dense float tensor (B, 3, H, W) in [0, 1]; got {_describe(clean)}.")
    if not all(isinstance(values, Tensor) and values.shape == (len(clean),) for values in (mu, sigma)):
        raise InputError(
            f"mu and sigma are tensors of shape ({len(clean)},), one number for each image; got {_describe(mu)} and "
            f"{_describe(sigma)}."
        )
    if mu.isnan().any():
        raise InputError("mu has NaN; only sigma may be left free. Draw mu from a SeverityPrior, or give a number.")
    for one in mu.tolist():
        check_severity(one, None)
    for one in sigma[~sigma.isnan()].tolist():  # each alone: of an infeasible pair the closest result is returned
        check_severity(None, one)


def _is_batch(clean: Any) -> bool:
    if not (isinstance(clean, Tensor) and clean.layout == torch.strided and clean.is_floating_point()):
        return False
    return clean.ndim == 4 and clean.shape[1] == 3 and 0 not in clean.shape


def _describe(value: Any) -> str:
    return f"{tuple(value.shape)}, {value.dtype}" if isinstance(value, Tensor) else f"a {type(value).__name__}"


def _generators(generator: Any, count: int) -> list[torch.Generator]:
    if isinstance(generator, torch.Generator):
        seeds = torch.randint(2**62, (count,), generator=generator, device=generator.device).tolist()
        return [torch.Generator(generator.device).manual_seed(seed) for seed in seeds]
    if not isinstance(generator, Sequence) or not all(isinstance(one, torch.Generator) for one in generator):
        raise InputError(f"generator={generator!r}; give a torch.Generator, or a list with one for each image.")
    if len(generator) != count:
        raise InputError(f"Got {len(generator)} generators for {count} images; give one, or one for each image.")
    return list(generator)
