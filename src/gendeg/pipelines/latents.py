"""Images to latents and back, and what is diffused. Works for `AutoencoderKL` and `AutoencoderTiny`.

The clean image conditions the UNet as the autoencoder's mode, NOT scaled. What is diffused is, in the paper (section
3.2), the degraded latent times the autoencoder's `scaling_factor`. A pipeline with a `change_scale` diffuses the change
instead (ours): the degraded latent minus the clean one, divided by the size of the degradation map that is asked for.
Then nothing has to be learnt to leave a place as it is, and mild degradations are learnt as well as strong ones.
"""

from typing import TYPE_CHECKING, Any

import torch
from torch import Tensor

from gendeg.errors import InputError

if TYPE_CHECKING:
    from gendeg.pipelines.gendeg import GenDegPipeline

MIN_SIZE = 0.01  # a weaker degradation map counts as this large, so that its latent change is not blown up


def encode_mode(vae: Any, images: Tensor) -> Tensor:
    """Unscaled latents (B, C, h, w) of images (B, 3, H, W) in [0, 1]: the posterior's mode.

    Raises:
        InputError: `vae.enable_tiling()` was called on an autoencoder that diffusers cannot tile.
    """
    _check_tiling(vae)
    encoded = vae.encode((images * 2 - 1).to(vae.dtype))
    return encoded.latent_dist.mode() if hasattr(encoded, "latent_dist") else encoded.latents


def diffused_latents(pipe: "GenDegPipeline", degraded: Tensor, clean: Tensor, mu: Tensor, sigma: Tensor) -> Tensor:
    """What a pipeline diffuses, (B, C, h, w) of about unit variance.

    `scaling_factor * degraded`, or with a `change_scale` `change_scale * (degraded - clean) / sqrt(mu^2 + sigma^2)`,
    where the root is the root mean square of the degradation map.

    Args:
        pipe: its autoencoder and settings are used.
        degraded, clean: unscaled latents (B, C, h, w).
        mu, sigma: severity of the degraded images, (B,).
    """
    if pipe.config.change_scale is None:
        return degraded * pipe.vae.config.scaling_factor
    return (degraded - clean) * (pipe.config.change_scale / _map_size(mu, sigma).to(degraded))


def degraded_latents(pipe: "GenDegPipeline", diffused: Tensor, clean: Tensor, mu: Tensor, sigma: Tensor) -> Tensor:
    """Unscaled degraded latents (B, C, h, w): the inverse of `diffused_latents`."""
    if pipe.config.change_scale is None:
        return diffused / pipe.vae.config.scaling_factor
    return clean + diffused * (_map_size(mu, sigma).to(diffused) / pipe.config.change_scale)


def _map_size(mu: Tensor, sigma: Tensor) -> Tensor:
    return torch.hypot(mu, sigma).clamp(min=MIN_SIZE).view(-1, 1, 1, 1)


def decode_mode(vae: Any, latents: Tensor) -> Tensor:
    """Images (B, 3, H, W) in [0, 1] from unscaled latents (B, C, h, w)."""
    return (vae.decode(latents.to(vae.dtype)).sample / 2 + 0.5).clamp(0, 1)


def _check_tiling(vae: Any) -> None:
    """Diffusers tiles every `AutoencoderTiny` as if it had 4 latent channels and 8 pixels per latent."""
    tiles = getattr(vae, "use_tiling", False) and hasattr(vae, "spatial_scale_factor")
    if tiles and (spatial_factor(vae), vae.config.latent_channels) != (vae.spatial_scale_factor, 4):
        raise InputError(
            f"This {type(vae).__name__} has {vae.config.latent_channels} latent channels and {spatial_factor(vae)} "
            f"pixels per latent; diffusers can only tile one with 4 and {vae.spatial_scale_factor}. Call "
            "`pipe.vae.disable_tiling()`, and lower `resolution` where memory is short."
        )


def spatial_factor(vae: Any) -> int:
    """Pixels per latent along one side."""
    return int(2 ** (len(vae.config.block_out_channels) - 1))
