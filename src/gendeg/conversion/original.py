"""Checkpoints of the authors' program (Lightning, in the layout of latent diffusion) as diffusers components."""

import os
from typing import Any

from diffusers import AutoencoderKL, EulerAncestralDiscreteScheduler, UNet2DConditionModel
from torch import Tensor

from gendeg.checkpoints import load_weights, read_state_dict
from gendeg.conversion.config import read_model_params, scheduler_config, unet_config, vae_config
from gendeg.conversion.names import UNET_LEAVES, VAE_LEAVES, rename, unet_modules, vae_modules
from gendeg.conversion.text import build_text_encoder, check_vocabulary, load_tokenizer
from gendeg.errors import CheckpointError
from gendeg.models.conditioning import DegradationConditioner
from gendeg.models.scm import StructureCorrectionModule

_UNET, _VAE, _TEXT = "model.diffusion_model.", "first_stage_model.", "cond_stage_model.transformer."
_CONDITIONER = ("stats_proj.", "cc_projection.")


def load_original_components(
    checkpoint: str | os.PathLike[str],
    config: str | os.PathLike[str],
    *,
    scm_checkpoint: str | os.PathLike[str] | None = None,
    tokenizer: Any = None,
    text_encoder_config: Any = None,
    use_ema: bool = True,
) -> dict[str, Any]:
    """Read the authors' files into the components of a `GenDegPipeline`, float32 on the CPU.

    Args:
        checkpoint: the generator's Lightning checkpoint (`.ckpt`), or the same names as `.safetensors`.
        config: the authors' YAML that belongs to it.
        scm_checkpoint: the Structure Correction Module's checkpoint; None for none.
        tokenizer: a `CLIPTokenizer`, a folder with its files, a hub name; None fetches CLIP-L's from the hub.
        text_encoder_config: a `CLIPTextConfig`, a dict or a JSON file; None deduces the sizes from the weights, with
            64 channels per attention head and quick_gelu.
        use_ema: take the UNet's averaged weights, with which the authors sample; False takes the raw ones.

    Returns:
        `vae`, `unet`, `text_encoder`, `tokenizer`, `conditioner`, `scheduler`, `scm` (or None).

    Raises:
        CheckpointError: a file is missing, broken, unsafe, of another model or does not fit the YAML; the averaged
            weights are wanted and not there; the tokenizer cannot be reached.
    """
    params = read_model_params(config)
    scheduler = EulerAncestralDiscreteScheduler(**scheduler_config(params))
    tokenizer = load_tokenizer(tokenizer)
    tensors = read_state_dict(checkpoint)
    _check_layout(tensors, checkpoint)
    text_encoder = build_text_encoder(_part(tensors, _TEXT), text_encoder_config, checkpoint)
    check_vocabulary(tokenizer, text_encoder)
    return {
        "vae": _build_vae(_part(tensors, _VAE), vae_config(params), checkpoint),
        "unet": _build_unet(_unet_weights(tensors, use_ema, checkpoint), unet_config(params), checkpoint),
        "text_encoder": text_encoder,
        "tokenizer": tokenizer,
        "conditioner": _build_conditioner(tensors, checkpoint),
        "scheduler": scheduler,
        "scm": None if scm_checkpoint is None else StructureCorrectionModule.from_original_checkpoint(scm_checkpoint),
    }


def _check_layout(tensors: dict[str, Tensor], source: str | os.PathLike[str]) -> None:
    missing = [
        prefix
        for prefix in (_UNET, _VAE, _TEXT, *(part + "weight" for part in _CONDITIONER))
        if not any(name.startswith(prefix) for name in tensors)
    ]
    if missing:
        raise CheckpointError(
            f"{source} is not a GenDeg checkpoint of the authors' program: it has no weights under "
            f"{', '.join(missing)}. Its names begin with {', '.join(sorted(tensors)[:3])}."
        )


def _part(tensors: dict[str, Tensor], prefix: str) -> dict[str, Tensor]:
    return {name.removeprefix(prefix): tensor for name, tensor in tensors.items() if name.startswith(prefix)}


def _unet_weights(tensors: dict[str, Tensor], use_ema: bool, source: str | os.PathLike[str]) -> dict[str, Tensor]:
    """Weights of the UNet by LDM name: raw, or averaged. LDM removes the dots from the averaged ones' names."""
    raw = _part(tensors, _UNET)
    if not use_ema:
        return raw
    averaged = {name: tensors.get("model_ema.diffusion_model" + name.replace(".", "")) for name in raw}
    missing = [name for name, tensor in averaged.items() if tensor is None]
    if missing:
        raise CheckpointError(
            f"{source} lacks {len(missing)} of {len(raw)} averaged (EMA) UNet weights, e.g. of {missing[0]}. Pass "
            "use_ema=False to take the raw weights."
        )
    return {name: tensor for name, tensor in averaged.items() if tensor is not None}


def _build_unet(
    weights: dict[str, Tensor], config: dict[str, Any], source: str | os.PathLike[str]
) -> UNet2DConditionModel:
    modules = unet_modules(len(config["block_out_channels"]), config["layers_per_block"])
    renamed = {rename(name, modules, UNET_LEAVES): tensor for name, tensor in weights.items()}
    return _build(UNet2DConditionModel, config, renamed, source)


def _build_vae(weights: dict[str, Tensor], config: dict[str, Any], source: str | os.PathLike[str]) -> AutoencoderKL:
    modules = vae_modules(len(config["block_out_channels"]), config["layers_per_block"])
    renamed = {
        rename(name, modules, VAE_LEAVES): tensor
        for name, tensor in weights.items()
        if not name.startswith("loss.")  # the discriminator it was trained with
    }
    linear = {name: _as_linear(name, tensor) for name, tensor in renamed.items()}
    return _build(AutoencoderKL, config, linear, source)


def _build(model_class: Any, config: dict[str, Any], weights: dict[str, Tensor], source: str | os.PathLike[str]) -> Any:
    try:
        model = model_class(**config)
    except (TypeError, ValueError) as error:
        raise CheckpointError(f"The authors' YAML describes no {model_class.__name__}. ({error})") from error
    load_weights(model, weights, source)
    return model.eval()


def _as_linear(name: str, tensor: Tensor) -> Tensor:
    """LDM writes the projections of attention as 1x1 convolutions, diffusers as linear layers."""
    is_projection = ".attentions." in name and name.endswith(".weight") and tensor.ndim > 2
    return tensor.flatten(1) if is_projection else tensor


def _build_conditioner(tensors: dict[str, Tensor], source: str | os.PathLike[str]) -> DegradationConditioner:
    weights = {name: tensor for name, tensor in tensors.items() if name.startswith(_CONDITIONER)}
    severity, prompt = (weights[f"{part}weight"] for part in _CONDITIONER)
    if severity.ndim != 2 or prompt.ndim != 2:
        raise CheckpointError(
            f"{source} holds no conditioner: the weights stats_proj {tuple(severity.shape)} and cc_projection "
            f"{tuple(prompt.shape)} are not those of linear layers."
        )
    num_tokens, bins = severity.shape
    conditioner = DegradationConditioner(len(prompt), num_tokens, bins - 1)
    load_weights(conditioner, weights, source)
    return conditioner.eval()
