"""The paper's Swin restorer: a pretrained Swin encoder and a light convolutional decoder (supplement of the paper).

Swin (Liu et al., ICCV 2021, arXiv 2103.14030) and Swin V2 (Liu et al., CVPR 2022, arXiv 2111.09883) come from timm; the
paper starts from a Swin-B pretrained by SimMIM (Xie et al., CVPR 2022, arXiv 2111.09886).
"""

import math
import os
from collections.abc import Mapping, Sequence
from typing import Any, Self

import torch
from diffusers import ConfigMixin, ModelMixin
from diffusers.configuration_utils import register_to_config
from torch import Tensor, nn

from gendeg.arguments import read_counts
from gendeg.checkpoints import count_entries, load_weights, read_network
from gendeg.errors import CheckpointError, InputError, first_line
from gendeg.imaging import pad_to_multiple
from gendeg.models.restorer import COLOURS, Restorer
from gendeg.models.swin_windows import mirror_to_multiple

FIRST_WEIGHT = "patch_embed.proj.weight"  # every Swin has it
DOWNLOAD_ERRORS = (OSError, RuntimeError, ValueError)
REDUCTIONS = [4, 8, 16, 32]  # how much smaller than the image the features of the four stages are


class DecoderBlock(nn.Sequential):
    """Conv3x3, ReLU, transposed convolution, ReLU: (B, channels, H, W) -> (B, out_channels, 2H, 2W).

    The transposed convolution has kernel and stride 2, so that no two of its outputs overlap unevenly.
    """

    def __init__(self, channels: int, out_channels: int) -> None:
        super().__init__(
            nn.Conv2d(channels, out_channels, 3, padding=1),
            nn.ReLU(),
            nn.ConvTranspose2d(out_channels, out_channels, 2, stride=2),
            nn.ReLU(),
        )


class SwinRestorer(Restorer, ModelMixin, ConfigMixin):
    """Swin encoder of timm, and a decoder of five blocks that is given the encoder's features on its way up.

    The encoder is built from its name alone; nothing is downloaded. Pretrained weights come with
    `with_pretrained_encoder` or `from_simmim_checkpoint`, and are then saved with the restorer.

    The last convolution predicts what to ADD to the image, as in NAFNet and PromptIR: the features of the encoder begin
    at a quarter of the resolution, so that without the image the decoder would have to invent its finest detail again.

    Args:
        encoder_name: a Swin or Swin V2 of timm with four stages and patches of 4.
        encoder_options: arguments of timm's class that replace those of the name, e.g. `window_size`, `embed_dim`.
            Not `pretrained`, which would download, nor `in_chans`: images have three channels.
        decoder_widths: channels that each decoder block puts out, from low resolution up. Not published; the default
            halves them each time the resolution doubles, as the encoder doubles them, and leaves the decoder a tenth
            of the parameters of Swin-B.

    Raises:
        InputError: no such encoder in timm, not of four stages with patches of 4, options that timm refuses, or not
            five positive widths.
    """

    _supports_gradient_checkpointing = True
    encoder: Any  # timm has no common type for its encoders

    @register_to_config
    def __init__(
        self,
        encoder_name: str = "swin_base_patch4_window7_224",
        encoder_options: dict[str, Any] | None = None,
        decoder_widths: Sequence[int] = (512, 256, 128, 64, 32),
    ) -> None:
        super().__init__()
        if len(read_counts("decoder_widths", decoder_widths)) != 5:
            raise InputError(f"decoder_widths={list(decoder_widths)}; give five, one for each decoder block.")
        if encoder_options is not None and not isinstance(encoder_options, Mapping):
            raise InputError(f"encoder_options={encoder_options!r}; give a dictionary, e.g. {{'window_size': 8}}.")
        _check_options(encoder_options or {})
        self.encoder = _build_encoder(encoder_name, **(encoder_options or {}))
        mean, std = (torch.tensor(self.encoder.pretrained_cfg[name])[:, None, None] for name in ("mean", "std"))
        self.register_buffer("mean", mean, persistent=False)
        self.register_buffer("std", std, persistent=False)

        stages = [info["num_chs"] for info in self.encoder.feature_info]
        skips = [0, *reversed(stages[:-1]), 0]  # channels concatenated before each block
        inputs = [channels + skip for channels, skip in zip([stages[-1], *decoder_widths], skips, strict=False)]
        self.decoder = nn.ModuleList(
            DecoderBlock(channels, out_channels) for channels, out_channels in zip(inputs, decoder_widths, strict=True)
        )
        self.ending = nn.Conv2d(decoder_widths[-1], 3, 3, padding=1)
        windows = [side for stage in self.encoder.layers for side in stage.blocks[0].window_size]
        self.tile_alignment = math.lcm(*(side * REDUCTIONS[-1] for side in windows))  # see `Restorer`

    def forward(self, x: Tensor) -> Tensor:
        """Restored image, not clamped: (B, 3, H, W) -> the same shape, in [0, 1], any H and W.

        Inside, the image is mirrored at its right and lower edge to a multiple of 32.
        """
        height, width = x.shape[-2:]
        pad = mirror_to_multiple if torch.compiler.is_exporting() else pad_to_multiple
        image = pad(x, REDUCTIONS[-1])
        normalized = (image - self.mean) / self.std
        *skips, features = self.encoder.forward_intermediates(normalized, norm=True, intermediates_only=True)
        features = self.decoder[0](features)
        for block, skip in zip(self.decoder[1:4], reversed(skips), strict=True):
            features = block(torch.cat([features, skip], dim=1))
        features = self.decoder[4](features)
        return (image + self.ending(features))[..., :height, :width]

    def _set_gradient_checkpointing(self, enable: bool = True, gradient_checkpointing_func: Any = None) -> None:
        """Called by diffusers; timm brings its own checkpointing function."""
        self.encoder.set_grad_checkpointing(enable)

    @classmethod
    def from_pretrained(cls, pretrained_model_name_or_path: str | os.PathLike[str], **kwargs: Any) -> Self:
        """Load a saved restorer: a folder, or a repository of the Hugging Face hub.

        Args:
            pretrained_model_name_or_path: the folder or repository.
            kwargs: see `diffusers.ModelMixin.from_pretrained`. `low_cpu_mem_usage` must stay off: timm computes tables
                while it builds the encoder, which must therefore have memory.
        """
        return super().from_pretrained(pretrained_model_name_or_path, **{"low_cpu_mem_usage": False, **kwargs})

    @classmethod
    def with_pretrained_encoder(
        cls,
        encoder_name: str = "swin_base_patch4_window7_224",
        weights: str | os.PathLike[str] | None = None,
        **config: Any,
    ) -> Self:
        """A restorer whose encoder is pretrained for classification; the decoder is random.

        Args:
            encoder_name: see the class; with a tag such as in `"swin_base_patch4_window7_224.ms_in22k"` for certain
                weights of several.
            weights: file of the encoder's weights, as timm or the authors of Swin publish them; without, timm downloads
                them.
            config: further arguments of the class.

        Raises:
            InputError: see the class.
            CheckpointError: the file cannot be read or does not fit; nothing could be downloaded.
        """
        model = cls(encoder_name, **config)
        if weights is None:
            model.encoder = _download_encoder(encoder_name, config.get("encoder_options"))
        else:
            _load_encoder(model.encoder, read_network(weights, FIRST_WEIGHT, "Swin"), weights)
        return model

    @classmethod
    def from_simmim_checkpoint(
        cls, path: str | os.PathLike[str], window_size: int | None = None, **config: Any
    ) -> Self:
        """A restorer whose encoder was pretrained by SimMIM, and of the size of the file; the decoder is random.

        Args:
            path: a checkpoint of the SimMIM program, of pretraining or fine-tuning, with Swin or Swin V2.
            window_size: side of the attention windows, where it shall differ from that of pretraining; the tables of
                relative positions are then resized.
            config: further arguments of the class, e.g. `decoder_widths`.

        Raises:
            InputError: not the name of a file at all, or see the class.
            CheckpointError: unreadable, unsafe, or without a Swin encoder.
        """
        weights = read_network(path, FIRST_WEIGHT, "Swin")
        try:
            encoder_name, options = swin_sizes(weights)
        except (KeyError, IndexError) as error:
            raise CheckpointError(f"{path} is not a SimMIM checkpoint of Swin or Swin V2: no {error}.") from error
        if window_size is not None:
            options |= {"window_size": window_size, "img_size": REDUCTIONS[-1] * window_size}
        model = cls(encoder_name, options, **config)
        _load_encoder(model.encoder, weights, path)
        return model


def swin_sizes(weights: Mapping[str, Tensor]) -> tuple[str, dict[str, Any]]:
    """A name and the arguments of timm's Swin or Swin V2, deduced from weights under the names of its authors.

    Raises:
        KeyError: a name that every Swin has is missing.
    """
    stages = range(count_entries(weights, "layers."))
    attention = [f"layers.{stage}.blocks.0.attn" for stage in stages]
    second_version = f"{attention[0]}.logit_scale" in weights
    if second_version:
        heads = [len(weights[f"{name}.logit_scale"]) for name in attention]
        spans = [weights[f"{name}.relative_coords_table"].shape[1] for name in attention]
    else:
        tables = [weights[f"{name}.relative_position_bias_table"] for name in attention]
        heads = [table.shape[1] for table in tables]
        spans = [math.isqrt(table.shape[0]) for table in tables]
    windows = [(span + 1) // 2 for span in spans]  # a window of w pixels has relative positions from 1 - w to w - 1
    patches = weights[FIRST_WEIGHT]
    options = {
        "embed_dim": patches.shape[0],
        "patch_size": patches.shape[-1],
        "depths": [count_entries(weights, f"layers.{stage}.blocks.") for stage in stages],
        "num_heads": heads,
        "window_size": windows,
        "mlp_ratio": len(weights["layers.0.blocks.0.mlp.fc1.weight"]) / patches.shape[0],
        "qkv_bias": f"{attention[0]}.{'q_bias' if second_version else 'qkv.bias'}" in weights,
        "img_size": REDUCTIONS[-1] * max(windows),  # the smallest for which timm keeps all windows whole
    }
    return "swinv2_base_window8_256" if second_version else "swin_base_patch4_window7_224", options


def _check_options(options: Mapping[str, Any]) -> None:
    if "pretrained" in options:
        raise InputError(
            "encoder_options has 'pretrained', but the class does not download; SwinRestorer.with_pretrained_encoder "
            "does."
        )
    if options.get("in_chans", COLOURS) != COLOURS:
        raise InputError(f"encoder_options has in_chans={options['in_chans']!r}; images have {COLOURS} channels.")


def _build_encoder(name: str, pretrained: bool = False, **options: Any) -> nn.Module:
    """A Swin of timm that takes images of any size, multiples of 32.

    Made for one size, timm does not shift the windows of a stage that one window covers. Here they are always shifted,
    since other images may be larger.
    """
    import timm

    known = timm.list_models(["swin_*", "swinv2_*"], exclude_filters="swinv2_cr_*")
    if not isinstance(name, str) or name.split(".")[0] not in known:
        raise InputError(f"timm has no Swin named {name!r}. Known: {', '.join(known)}.")
    # of a download, which the caller explains, ValueError and RuntimeError say more than of the options
    refusals = (TypeError, AssertionError, ZeroDivisionError, IndexError) + (() if pretrained else DOWNLOAD_ERRORS)
    try:
        encoder = timm.create_model(
            name, pretrained=pretrained, num_classes=0, global_pool="", dynamic_img_size=True, **options
        )
    except refusals as error:
        raise InputError(f"timm refuses encoder_options={options} for {name}: {first_line(error)}") from error
    reductions = [info["reduction"] for info in encoder.feature_info]
    if reductions != REDUCTIONS:
        raise InputError(
            f"The stages of {name} with {options} reduce the image by {reductions}; the decoder needs four stages that "
            f"reduce it by {REDUCTIONS}."
        )
    windows = [stage.blocks[0].window_size for stage in encoder.layers]
    encoder.set_input_size(window_size=windows, always_partition=True)
    return encoder


def _download_encoder(name: str, options: Mapping[str, Any] | None) -> nn.Module:
    import timm

    try:
        return _build_encoder(name, pretrained=True, **(options or {}))
    except DOWNLOAD_ERRORS as error:
        source = timm.get_pretrained_cfg(name)
        raise CheckpointError(
            f"The weights of {name} could not be downloaded from {source.hf_hub_id or source.url} ({error}). Fetch "
            "them on a machine with a network and give the file as `weights`."
        ) from error


def _load_encoder(encoder: nn.Module, weights: Mapping[str, Tensor], path: str | os.PathLike[str]) -> None:
    """Load weights under the authors' names or timm's; those of a classifier and of masked patches are left out."""
    from timm.models import swin_transformer, swin_transformer_v2

    second_version = isinstance(encoder, swin_transformer_v2.SwinTransformerV2)
    timm_module = swin_transformer_v2 if second_version else swin_transformer
    kept = {name: tensor for name, tensor in weights.items() if not name.startswith(("head.", "mask_token"))}
    try:
        renamed = timm_module.checkpoint_filter_fn(kept, encoder)
    except AttributeError as error:  # more layers than the encoder has
        raise CheckpointError(f"{path} does not fit the encoder: {error}. Check its name and options.") from error
    load_weights(encoder, renamed, path)
