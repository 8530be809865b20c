"""From noise to what is diffused: the steps of a diffusers scheduler, each with a guided prediction."""

import inspect
from collections.abc import Callable
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import torch
from diffusers.utils.torch_utils import randn_tensor
from torch import Tensor

from gendeg.errors import CheckpointError, InputError, count_of, first_line
from gendeg.pipelines.guidance import guided_prediction
from gendeg.pipelines.requests import Generator, describe_kind

if TYPE_CHECKING:
    from gendeg.pipelines.gendeg import GenDegPipeline

SCHEDULER_PARTS = ("alphas_cumprod", "init_noise_sigma", "scale_model_input", "step")
STEP_ARGUMENTS = ["model_output", "timestep", "sample"]

StepCallback = Callable[[Any, int, Any, dict[str, Any]], dict[str, Any] | None]


@dataclass(frozen=True)
class Conditions:
    """What the UNet is told about a batch of images, in every step.

    Attributes:
        image_latents: unscaled clean latents, (B, C, h, w).
        embeds: text and severity, (B, L, D).
        null_embeds: neither of both, (1, L, D); may be None where no branch of `weights` needs it.
        weights: of the branches of guidance, see `gendeg.pipelines.guidance.branch_weights`.
    """

    image_latents: Tensor
    embeds: Tensor
    null_embeds: Tensor | None
    weights: dict[str, float]


def denoise(
    pipe: "GenDegPipeline",
    conditions: Conditions,
    steps: int,
    generator: Generator,
    noise: Tensor | None,
    callback: StepCallback | None,
) -> Tensor:
    """Denoise one batch of equal size.

    Args:
        pipe: its UNet, scheduler and progress bar are used.
        conditions: what the UNet is told.
        steps: number of denoising steps.
        generator: source of the noise, where none is given, and of what the scheduler adds in each step.
        noise: initial noise of unit variance, (B, C, h, w), or None.
        callback: called after each step, see `GenDegPipeline.__call__`.

    Returns:
        What is diffused (see `gendeg.pipelines.latents`), (B, C, h, w), float32.

    Raises:
        InputError: the scheduler cannot do so many steps, or the callback returned something else than finite latents.
        CheckpointError: the UNet returned NaN.
    """
    device, scheduler = pipe._execution_device, pipe.scheduler
    try:
        scheduler.set_timesteps(steps, device=device)
    except (ValueError, ZeroDivisionError) as error:
        raise InputError(
            f"{type(scheduler).__name__} cannot do {count_of(steps, 'step')}; give another num_inference_steps. "
            f"({first_line(error)})"
        ) from error
    image_latents = conditions.image_latents.to(device, torch.float32)
    if noise is None:
        noise = randn_tensor(image_latents.shape, generator=generator, device=device, dtype=torch.float32)
    latents = noise.to(device, torch.float32) * scheduler.init_noise_sigma
    draws = "generator" in inspect.signature(scheduler.step).parameters
    step_options = {"generator": generator} if draws else {}

    def predict(inputs: Tensor, text: Tensor) -> Tensor:
        return pipe.unet(inputs.to(pipe.unet.dtype), timestep, text.to(pipe.unet.dtype)).sample.float()

    with pipe.progress_bar(total=len(scheduler.timesteps)) as progress:
        for step, timestep in enumerate(scheduler.timesteps):
            scaled = scheduler.scale_model_input(latents, timestep)
            prediction = guided_prediction(
                predict, scaled, image_latents, conditions.embeds, conditions.null_embeds, conditions.weights
            )
            latents = scheduler.step(prediction, timestep, latents, **step_options).prev_sample
            if callback is not None:
                latents = _read_returned(callback(pipe, step, timestep, {"latents": latents}), latents)
            progress.update()
    _require_finite(latents, pipe.unet.dtype)
    return latents


def check_scheduler(scheduler: Any) -> None:
    """Refuse what does not denoise as DDPM does: other arguments, or another way to scale noise and prediction.

    `alphas_cumprod` marks the schedulers of DDPM's noise schedule; those of EDM, consistency models and flow matching
    have none, and some of them would run and return something else than the UNet was trained for.

    Raises:
        InputError: not such a scheduler.
    """
    parameters = inspect.signature(scheduler.step).parameters.values() if hasattr(scheduler, "step") else ()
    needed = [one.name for one in parameters if one.default is one.empty and one.kind is one.POSITIONAL_OR_KEYWORD]
    if needed != STEP_ARGUMENTS or not all(hasattr(scheduler, part) for part in SCHEDULER_PARTS):
        raise InputError(
            f"The scheduler {type(scheduler).__name__} cannot be used; give one of DDPM's noise schedule whose step "
            "takes model_output, timestep and sample, e.g. DDIMScheduler, DDPMScheduler, DPMSolverMultistepScheduler, "
            "EulerDiscreteScheduler or UniPCMultistepScheduler."
        )


def check_callback(callback: Any) -> None:
    """Refuse what cannot be called after each step.

    Raises:
        InputError: neither None nor a function.
    """
    if callback is not None and not callable(callback):
        raise InputError(
            f"callback_on_step_end={callback!r} cannot be called; give a function of (pipe, step, timestep, tensors), "
            "or None."
        )


def _read_returned(returned: Any, latents: Tensor) -> Tensor:
    """The latents to go on with: those that the callback returned, or the present ones."""
    if returned is None:
        return latents
    changed = returned.get("latents", latents) if isinstance(returned, dict) else None
    if not isinstance(changed, Tensor) or changed.shape != latents.shape:
        raise InputError(
            f"callback_on_step_end returned {describe_kind(returned if changed is None else changed)}; return None, or "
            f"{{'latents': tensor}} with a tensor {tuple(latents.shape)}."
        )
    changed = changed.to(latents)
    if torch.isfinite(latents).all() and not torch.isfinite(changed).all():  # else they are the networks'
        raise InputError("callback_on_step_end returned latents with NaN or infinite values; return finite ones.")
    return changed


def _require_finite(latents: Tensor, dtype: torch.dtype) -> None:
    """Refuse latents that are no picture, before they are written as a black one; those of one working size."""
    broken = sum(not bool(torch.isfinite(one).all()) for one in latents)
    if broken:
        raise CheckpointError(
            f"{broken} of {len(latents)} generated latents hold NaN or infinite values. Networks in {dtype}: "
            "use float32 or bfloat16, smaller guidance scales, or check the weights."
        )
