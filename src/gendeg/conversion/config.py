"""The authors' YAML, read as configurations of diffusers models."""

import os
from pathlib import Path
from typing import Any

import yaml

from gendeg.arguments import check_path
from gendeg.errors import CheckpointError, first_line

SAMPLING_SIZE = 512  # the authors train at 256 and sample at 512; the YAML's `image_size` is not used by their program


def read_model_params(path: str | os.PathLike[str]) -> dict[str, Any]:
    """The `model.params` section of the authors' YAML.

    Raises:
        CheckpointError: no such file, not YAML, or without that section.
    """
    check_path("config", path)
    try:
        content = yaml.safe_load(Path(path).read_text(encoding="utf-8"))
    except (OSError, UnicodeDecodeError, yaml.YAMLError) as error:
        raise CheckpointError(
            f"{path} cannot be read as the authors' YAML configuration. ({first_line(error)})"
        ) from error
    params = _section(_section(content, "model"), "params")
    if not isinstance(params, dict):
        raise CheckpointError(
            f"{path} has no 'model: params:' section. Give the YAML that the authors' program was run with, such as "
            "its generate.yaml."
        )
    return params


def _section(content: Any, name: str) -> Any:
    return content.get(name) if isinstance(content, dict) else None


def unet_config(params: dict[str, Any]) -> dict[str, Any]:
    """Arguments of diffusers' `UNet2DConditionModel`.

    Raises:
        CheckpointError: an entry is missing or of the wrong type.
    """
    unet = _params(params, "unet_config")
    channels = [_get(unet, "model_channels", int) * multiple for multiple in _get(unet, "channel_mult", list)]
    attends = [2**level in _get(unet, "attention_resolutions", list) for level in range(len(channels))]
    depth = unet.get("transformer_depth", 1)
    return {
        "sample_size": SAMPLING_SIZE // vae_factor(params),
        "in_channels": _get(unet, "in_channels", int),
        "out_channels": _get(unet, "out_channels", int),
        "block_out_channels": channels,
        "layers_per_block": _get(unet, "num_res_blocks", int),
        "down_block_types": ["CrossAttnDownBlock2D" if attend else "DownBlock2D" for attend in attends],
        "up_block_types": ["CrossAttnUpBlock2D" if attend else "UpBlock2D" for attend in reversed(attends)],
        "cross_attention_dim": _get(unet, "context_dim", int),
        "transformer_layers_per_block": depth,
        "attention_head_dim": _heads(unet, channels),  # diffusers' name for the NUMBER of heads
        "use_linear_projection": bool(unet.get("use_linear_in_transformer", False)),
    }


def _heads(unet: dict[str, Any], channels: list[int]) -> int | list[int]:
    """Attention heads: one number for all levels, or one per level where LDM fixes the channels of a head."""
    head_channels = unet.get("num_head_channels", -1)
    if head_channels == -1:
        return _get(unet, "num_heads", int)
    return [count // head_channels for count in channels]


def vae_config(params: dict[str, Any]) -> dict[str, Any]:
    """Arguments of diffusers' `AutoencoderKL`.

    Raises:
        CheckpointError: an entry is missing or of the wrong type.
    """
    vae = _params(params, "first_stage_config", "ddconfig")
    multiples = _get(vae, "ch_mult", list)
    attention_sizes = _get(vae, "attn_resolutions", list)
    attends = [_get(vae, "resolution", int) // 2**level in attention_sizes for level in range(len(multiples))]
    return {
        "sample_size": SAMPLING_SIZE,
        "in_channels": _get(vae, "in_channels", int),
        "out_channels": _get(vae, "out_ch", int),
        "latent_channels": _get(vae, "z_channels", int),
        "block_out_channels": [_get(vae, "ch", int) * multiple for multiple in multiples],
        "layers_per_block": _get(vae, "num_res_blocks", int),
        "down_block_types": ["AttnDownEncoderBlock2D" if attend else "DownEncoderBlock2D" for attend in attends],
        "up_block_types": ["AttnUpDecoderBlock2D" if attend else "UpDecoderBlock2D" for attend in reversed(attends)],
        "scaling_factor": _get_float(params, "scale_factor"),
    }


def vae_factor(params: dict[str, Any]) -> int:
    """Pixels per latent along one side."""
    return int(2 ** (len(_get(_params(params, "first_stage_config", "ddconfig"), "ch_mult", list)) - 1))


def scheduler_config(params: dict[str, Any]) -> dict[str, Any]:
    """Arguments of diffusers' `EulerAncestralDiscreteScheduler` that sample as the authors do (k-diffusion).

    LDM's schedule named "linear" is linear in the square root of beta, which diffusers calls "scaled_linear".

    Raises:
        CheckpointError: an entry is missing, of the wrong type, or names a schedule that GenDeg does not use.
    """
    schedule, target = params.get("beta_schedule", "linear"), params.get("parameterization", "eps")
    predictions = {"eps": "epsilon", "v": "v_prediction"}
    if schedule != "linear" or target not in predictions:
        raise CheckpointError(
            f"The configuration asks for beta_schedule={schedule!r}, parameterization={target!r}; supported are "
            "'linear' with 'eps' or 'v'."
        )
    return {
        "num_train_timesteps": _get(params, "timesteps", int),
        "beta_start": _get_float(params, "linear_start"),
        "beta_end": _get_float(params, "linear_end"),
        "beta_schedule": "scaled_linear",
        "prediction_type": predictions[target],
        "timestep_spacing": "linspace",
        "steps_offset": 0,
    }


def _params(params: dict[str, Any], *names: str) -> dict[str, Any]:
    """The section `names[0].params.names[1]...`, with a clear message where it is missing."""
    section = _get(_get(params, names[0], dict), "params", dict)
    for name in names[1:]:
        section = _get(section, name, dict)
    return section


def _get(section: dict[str, Any], name: str, kind: type) -> Any:
    """One entry, checked."""
    value = section.get(name)
    if not isinstance(value, kind):
        raise _bad_entry(name, kind, value)
    return value


def _get_float(section: dict[str, Any], name: str) -> float:
    value = section.get(name)
    try:
        return float(value)  # type: ignore[arg-type]  # PyYAML reads 1e-4 as a string
    except (TypeError, ValueError) as error:
        raise _bad_entry(name, float, value) from error


def _bad_entry(name: str, kind: type, value: Any) -> CheckpointError:
    return CheckpointError(
        f"The authors' YAML must give {name!r} as {kind.__name__}; found {value!r}. Give the configuration that "
        "belongs to the checkpoint."
    )
