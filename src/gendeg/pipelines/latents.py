"""Images to latents and back, by the rules of GenDeg: which latent is scaled, which is not (METHOD: paper section 3.2).

The clean image conditions the UNet as the autoencoder's mode, NOT scaled; the degraded latent that is
diffused IS multiplied by the autoencoder's `scaling_factor`. Works for `AutoencoderKL` and `AutoencoderTiny`.
"""

from typing import Any

from torch import Tensor

from gendeg.errors import InputError


def encode_mode(vae: Any, images: Tensor) -> Tensor:
    """Unscaled latents (B, C, h, w) of images (B, 3, H, W) in [0, 1]: the posterior's mode.

    Raises:
        InputError: `vae.enable_tiling()` was called on an autoencoder that diffusers cannot tile.
    """
    _check_tiling(vae)
    encoded = vae.encode((images * 2 - 1).to(vae.dtype))
    return encoded.latent_dist.mode() if hasattr(encoded, "latent_dist") else encoded.latents


def encode_scaled(vae: Any, images: Tensor) -> Tensor:
    """Latents of degraded images as the diffusion process sees them: the mode times `scaling_factor`."""
    return encode_mode(vae, images) * vae.config.scaling_factor


def decode_mode(vae: Any, latents: Tensor) -> Tensor:
    """Images (B, 3, H, W) in [0, 1] from unscaled latents (B, C, h, w)."""
    return (vae.decode(latents.to(vae.dtype)).sample / 2 + 0.5).clamp(0, 1)


def decode_scaled(vae: Any, latents: Tensor) -> Tensor:
    """Images (B, 3, H, W) in [0, 1] from latents of the diffusion process."""
    return decode_mode(vae, latents / vae.config.scaling_factor)


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
