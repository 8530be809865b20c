"""A Stable Diffusion checkpoint as the start of a generator's training (paper section 3.2)."""

import os
from typing import Any

import torch
from diffusers import AutoencoderKL, EulerAncestralDiscreteScheduler, UNet2DConditionModel
from safetensors import SafetensorError
from transformers import CLIPTextModel

from gendeg.arguments import check_path
from gendeg.checkpoints import describe_misfits
from gendeg.conversion.text import load_tokenizer
from gendeg.errors import CheckpointError, InputError
from gendeg.models.conditioning import DegradationConditioner


def widen_unet(unet: UNet2DConditionModel, in_channels: int = 8) -> UNet2DConditionModel:
    """Give a UNet more input channels, whose weights are zero, so that at first they change nothing.

    Args:
        unet: a text-to-image UNet; it is not changed.
        in_channels: noisy latent and clean-image latent together.

    Returns:
        A new UNet in the dtype and on the device of `unet`.

    Raises:
        InputError: `unet` has more input channels already.
    """
    present = unet.config.in_channels
    if present > in_channels:
        raise InputError(
            f"The UNet has {present} input channels, more than {in_channels}; start from a text-to-image model."
        )
    weights = dict(unet.state_dict())
    kernel = weights["conv_in.weight"]  # (out, in, 3, 3)
    zeros = torch.zeros_like(kernel[:, :1]).expand(-1, in_channels - present, -1, -1)
    weights["conv_in.weight"] = torch.cat([kernel, zeros], dim=1)
    widened = UNet2DConditionModel.from_config({**unet.config, "in_channels": in_channels})
    widened.load_state_dict(weights)
    return widened.to(unet.device, unet.dtype).eval()


def load_stable_diffusion_components(name_or_path: str | os.PathLike[str]) -> dict[str, Any]:
    """Components of a `GenDegPipeline` that is still to be trained, from a Stable Diffusion 1.x in diffusers' layout.

    Args:
        name_or_path: hub name, e.g. `"stable-diffusion-v1-5/stable-diffusion-v1-5"`, or a folder.

    Returns:
        `vae`, `unet` (widened to twice the latent channels, the new ones zero), `text_encoder`, `tokenizer`,
        `conditioner` (fresh), `scheduler`, `scm` (None).

    Raises:
        CheckpointError: not reachable, not such a model, or weights of one are missing.
        InputError: its UNet has more than twice the latent channels.
    """
    check_path("name_or_path", name_or_path)
    try:
        vae = _load_network(AutoencoderKL, name_or_path, "vae")
        unet = _load_network(UNet2DConditionModel, name_or_path, "unet")
        text_encoder = _load_network(CLIPTextModel, name_or_path, "text_encoder")
        scheduler = EulerAncestralDiscreteScheduler.from_pretrained(
            name_or_path, subfolder="scheduler", timestep_spacing="linspace", steps_offset=0
        )
    except (OSError, ValueError, TypeError, SafetensorError) as error:
        raise CheckpointError(
            f"{name_or_path} could not be loaded as Stable Diffusion 1.x in diffusers' layout (folders vae, unet, "
            f"text_encoder, tokenizer, scheduler). Give such a folder, or a hub name with network access. ({error})"
        ) from error
    text = text_encoder.config
    if text.hidden_size != unet.config.cross_attention_dim:
        raise CheckpointError(
            f"{name_or_path} is not Stable Diffusion 1.x: its text encoder is {text.hidden_size} wide and its UNet "
            f"takes {unet.config.cross_attention_dim}."
        )
    return {
        "vae": vae,
        "unet": widen_unet(unet, 2 * vae.config.latent_channels),
        "text_encoder": text_encoder,
        "tokenizer": load_tokenizer(name_or_path, subfolder="tokenizer"),
        "conditioner": DegradationConditioner(text.hidden_size, text.max_position_embeddings),
        "scheduler": scheduler,
        "scm": None,
    }


def _load_network(network_class: Any, name_or_path: str | os.PathLike[str], part: str) -> Any:
    network, report = network_class.from_pretrained(
        name_or_path, subfolder=part, output_loading_info=True, ignore_mismatched_sizes=True
    )
    misfits = describe_misfits(report)
    if misfits:
        raise CheckpointError(
            f"The weights in the folder {part} of {name_or_path} do not fit its configuration: {misfits}. Fetch the "
            "folder again."
        )
    return network
