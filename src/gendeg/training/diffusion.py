"""Arithmetic of the forward diffusion process: `x_t = sqrt(abar_t) * x_0 + sqrt(1 - abar_t) * noise`."""

from typing import Any

import torch
from torch import Tensor

from gendeg.errors import InputError


def noise_levels(scheduler: Any, timesteps: Tensor) -> tuple[Tensor, Tensor]:
    """`sqrt(abar_t)` and `sqrt(1 - abar_t)` of each timestep, (B, 1, 1, 1)."""
    abar = scheduler.alphas_cumprod.to(timesteps.device)[timesteps].view(-1, 1, 1, 1)
    return abar.sqrt(), (1 - abar).sqrt()


def draw_timesteps(generator: torch.Generator, count: int, levels: int, mid_noise_share: float = 0.0) -> Tensor:
    """Timesteps (count,) of `levels`: uniform or, with probability `mid_noise_share`, logit-normal (arXiv 2403.03206).

    Of the latter 60 % lie in the middle 40 %, where flakes, streaks and drops take shape.
    """
    settings: Any = {"generator": generator, "device": generator.device}
    uniform = torch.randint(levels, (count,), **settings)
    medium = (torch.randn(count, **settings).sigmoid() * levels).long().clamp(max=levels - 1)
    return torch.where(torch.rand(count, **settings) < mid_noise_share, medium, uniform)


def add_noise(scheduler: Any, original: Tensor, noise: Tensor, timesteps: Tensor) -> Tensor:
    """The noisy `x_t`, as the UNet reads it.

    Not `scheduler.add_noise`: that of the Euler schedulers, which count noise in another unit, gives
    `x_0 + sigma * noise`, and knows only the timesteps that were set for sampling.
    """
    signal, deviation = noise_levels(scheduler, timesteps)
    return signal * original + deviation * noise


def prediction_target(scheduler: Any, original: Tensor, noise: Tensor, timesteps: Tensor) -> Tensor:
    """What the UNet shall predict: the noise, or `v = sqrt(abar_t) * noise - sqrt(1 - abar_t) * x_0`.

    Raises:
        InputError: the scheduler predicts something else.
    """
    if scheduler.config.prediction_type == "epsilon":
        return noise
    signal, deviation = noise_levels(scheduler, timesteps)
    if scheduler.config.prediction_type == "v_prediction":
        return signal * noise - deviation * original
    raise InputError(
        f"prediction_type={scheduler.config.prediction_type!r} of the scheduler is not supported; use 'epsilon' or "
        "'v_prediction'."
    )


def predict_original(scheduler: Any, noisy: Tensor, prediction: Tensor, timesteps: Tensor) -> Tensor:
    """One-step estimate of `x_0` (paper section 3.3, for the noise; likewise for v)."""
    signal, deviation = noise_levels(scheduler, timesteps)
    if scheduler.config.prediction_type == "epsilon":
        return (noisy - deviation * prediction) / signal
    return signal * noisy - deviation * prediction


def min_snr_weights(scheduler: Any, timesteps: Tensor, gamma: float) -> Tensor:
    """Weights (B,) of Min-SNR (arXiv 2303.09556): the loss on `x_0`, capped at a signal-to-noise ratio of `gamma`."""
    abar = scheduler.alphas_cumprod.to(timesteps.device)[timesteps].double()
    capped = torch.minimum(abar, gamma * (1 - abar))  # (1 - abar) * min(SNR, gamma)
    if scheduler.config.prediction_type == "epsilon":
        return (capped / abar).float()
    return capped.float()  # min(SNR, gamma) / (SNR + 1)


def correction_weights(scheduler: Any, timesteps: Tensor) -> Tensor:
    """Weights (B,) of the structure correction loss: `sqrt(abar_{t-1}) * sqrt(1 - abar_t)`, with `abar_{-1} = 1`."""
    abar = scheduler.alphas_cumprod.to(timesteps.device)
    previous = torch.cat([abar.new_ones(1), abar])[timesteps]
    return previous.sqrt() * (1 - abar[timesteps]).sqrt()
