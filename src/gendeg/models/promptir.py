"""PromptIR: prompts for all-in-one blind restoration (Potlapalli et al., NeurIPS 2023, arXiv 2306.13090).

A Restormer (Zamir et al., CVPR 2022, arXiv 2111.09881) whose decoder mixes in learned prompts, weighted by the image.
Read from leaf to root: norm, attention, feed-forward, block, prompt, resizing, restorer. Parameter names are the
authors'. Inside, images are channels_last in memory: the norms, and the products of the attention, then need no copies.
"""

import math
import os
from collections import OrderedDict
from collections.abc import Mapping, Sequence
from functools import partial
from typing import Any, Self

import torch
import torch.nn.functional as F
from diffusers import ConfigMixin, ModelMixin
from diffusers.configuration_utils import register_to_config
from torch import Tensor, nn

from gendeg.arguments import read_count, read_counts, read_float
from gendeg.checkpoints import count_entries, model_from_checkpoint
from gendeg.errors import InputError
from gendeg.imaging import pad_to_multiple
from gendeg.models.blocks import BlockSequence, ChannelNorm
from gendeg.models.restorer import Restorer

ALIGNMENT = 16  # channels; convolutions over other numbers of channels are up to twice as slow


class ScaleNorm(nn.Module):
    """Divide each pixel (B, C, H, W) by the standard deviation of its channels; their mean is not removed."""

    def __init__(self, channels: int, eps: float = 1e-5) -> None:
        super().__init__()
        self.weight = nn.Parameter(torch.ones(channels))
        self.eps = eps

    def forward(self, x: Tensor) -> Tensor:
        """Same shape."""
        variance = x.var(dim=1, keepdim=True, correction=0)
        return x * torch.rsqrt(variance + self.eps) * self.weight[:, None, None]


NORMS: dict[str, type[ChannelNorm] | type[ScaleNorm]] = {"WithBias": ChannelNorm, "BiasFree": ScaleNorm}


class TransposedAttention(nn.Module):
    """Self-attention between channels instead of pixels, so that its cost grows linearly with the number of pixels.

    Restormer section 3.1. Each channel of queries and keys has unit length over the image; each head has a learned
    temperature.
    """

    def __init__(self, channels: int, heads: int, bias: bool) -> None:
        super().__init__()
        if channels % heads:
            raise InputError(f"{heads} heads do not divide {channels} channels; choose numbers that do.")
        self.temperature = nn.Parameter(torch.ones(heads, 1, 1))
        self.qkv = nn.Conv2d(channels, 3 * channels, 1, bias=bias)
        self.qkv_dwconv = nn.Conv2d(3 * channels, 3 * channels, 3, padding=1, groups=3 * channels, bias=bias)
        self.project_out = nn.Conv2d(channels, channels, 1, bias=bias)

    def forward(self, x: Tensor) -> Tensor:
        """Same shape, (B, channels, H, W)."""
        height, width = x.shape[-2:]
        pixels = self.qkv_dwconv(self.qkv(x)).permute(0, 2, 3, 1).flatten(1, 2)  # (B, H * W, 3 * channels)
        query, key, value = pixels.chunk(3, dim=2)
        attention = self.attention(query, key)  # (B, heads, c, c) for c channels a head

        # project(attention @ value) = (project @ attention) @ value: with the small matrices multiplied first, the
        # pixels are visited once
        projection = self.project_out.weight.flatten(1).unflatten(1, attention.shape[1:3])  # (channels, heads, c)
        mixing = torch.einsum("ohc,bhcd->bohd", projection, attention).flatten(2)  # (B, channels, channels)
        mixed = value @ mixing.transpose(1, 2)
        if self.project_out.bias is not None:
            mixed = mixed + self.project_out.bias
        return mixed.unflatten(1, (height, width)).permute(0, 3, 1, 2)

    def attention(self, query: Tensor, key: Tensor) -> Tensor:
        """How much each channel of a head attends to the others: 2 x (B, H * W, channels) -> (B, heads, c, c)."""
        heads = len(self.temperature)
        query, key = (unit_length(x).unflatten(2, (heads, -1)).transpose(1, 2) for x in (query, key))
        similarity = query.transpose(2, 3) @ key  # both (B, heads, H * W, c)
        return (similarity * self.temperature).softmax(dim=-1)


def unit_length(x: Tensor) -> Tensor:
    """Scale each channel of (B, H * W, channels) to unit length, as `F.normalize` does, which is slow on this axis."""
    squares = x.float().square().sum(dim=1, keepdim=True)
    # not below 1e-6, which half precision still holds; for black images the length is 0
    return x / squares.clamp_min(1e-12).sqrt().to(x.dtype)


class GatedFeedForward(nn.Module):
    """A depthwise convolution of which one half gates the other (Restormer section 3.2)."""

    def __init__(self, channels: int, expansion: float, bias: bool) -> None:
        super().__init__()
        hidden = int(channels * expansion)
        self.project_in = nn.Conv2d(channels, 2 * hidden, 1, bias=bias)
        self.dwconv = nn.Conv2d(2 * hidden, 2 * hidden, 3, padding=1, groups=2 * hidden, bias=bias)
        self.project_out = nn.Conv2d(hidden, channels, 1, bias=bias)

    def forward(self, x: Tensor) -> Tensor:
        """Same shape, (B, channels, H, W)."""
        extra = -self.project_out.in_channels % ALIGNMENT  # channels that stay zero
        x = F.conv2d(x, *_pad_halves(self.project_in, extra))
        weight, bias = _pad_halves(self.dwconv, extra)
        gate, features = F.conv2d(x, weight, bias, padding=1, groups=len(weight)).chunk(2, dim=1)
        weight = F.pad(self.project_out.weight, (0, 0, 0, 0, 0, extra))
        return F.conv2d(F.gelu(gate) * features, weight, self.project_out.bias)


def _pad_halves(conv: nn.Conv2d, extra: int) -> tuple[Tensor, Tensor | None]:
    """Weight and bias of a convolution, with output channels that are zero appended to both halves."""

    def pad(parameter: Tensor) -> Tensor:
        halves = parameter.unflatten(0, (2, -1))
        return F.pad(halves, (0, 0) * (parameter.ndim - 1) + (0, extra)).flatten(0, 1)

    return pad(conv.weight), None if conv.bias is None else pad(conv.bias)


class TransformerBlock(nn.Module):
    """Transposed attention, then a gated feed-forward; both see normalised pixels and are residual."""

    def __init__(self, channels: int, heads: int, expansion: float, bias: bool, norm: str) -> None:
        super().__init__()
        self.norm1 = _norm(channels, norm)
        self.attn = TransposedAttention(channels, heads, bias)
        self.norm2 = _norm(channels, norm)
        self.ffn = GatedFeedForward(channels, expansion, bias)

    def forward(self, x: Tensor) -> Tensor:
        """Same shape, (B, channels, H, W)."""
        x = x + self.attn(self.norm1(x))
        return x + self.ffn(self.norm2(x))


def _norm(channels: int, norm: str) -> nn.Sequential:
    if norm not in NORMS:
        raise InputError(f"Unknown layer_norm_type {norm!r}; give one of {', '.join(NORMS)}.")
    return _named("body", NORMS[norm](channels, eps=1e-5))


def _named(name: str, module: nn.Module) -> nn.Sequential:
    """A module one level deeper, where the authors' names have it."""
    return nn.Sequential(OrderedDict([(name, module)]))


class PromptBlock(nn.Module):
    """Learned prompts, mixed by weights that depend on the image and stretched to its size (PromptIR section 3.1).

    Args:
        channels: of the features that choose the prompt.
        prompt_dim, prompt_len, prompt_size: channels, number, and side in pixels of the prompts.
    """

    def __init__(self, channels: int, prompt_dim: int, prompt_len: int, prompt_size: int) -> None:
        super().__init__()
        self.prompt_param = nn.Parameter(torch.rand(1, prompt_len, prompt_dim, prompt_size, prompt_size))
        self.linear_layer = nn.Linear(channels, prompt_len)
        self.conv3x3 = nn.Conv2d(prompt_dim, prompt_dim, 3, padding=1, bias=False)

    def forward(self, x: Tensor) -> Tensor:
        """The features with the prompt appended: (B, channels, H, W) -> (B, channels + prompt_dim, H, W)."""
        weights = self.linear_layer(x.mean(dim=(2, 3))).softmax(dim=1)
        prompt = torch.einsum("bn,nchw->bchw", weights, self.prompt_param[0])
        prompt = prompt.contiguous(memory_format=torch.channels_last)
        prompt = F.interpolate(prompt, x.shape[-2:], mode="bilinear", align_corners=False)
        return torch.cat([x, self.conv3x3(prompt)], dim=1)


def _downsampling(channels: int) -> nn.Sequential:
    """Half the size, twice the channels."""
    conv = nn.Conv2d(channels, channels // 2, 3, padding=1, bias=False)
    return _named("body", nn.Sequential(conv, nn.PixelUnshuffle(2)))


def _upsampling(channels: int) -> nn.Sequential:
    """Twice the size, half the channels."""
    conv = nn.Conv2d(channels, 2 * channels, 3, padding=1, bias=False)
    return _named("body", nn.Sequential(conv, nn.PixelShuffle(2)))


class PromptIR(Restorer, ModelMixin, ConfigMixin):
    """PromptIR. The defaults are the published network of 35 592 263 parameters.

    Args:
        inp_channels: channels of the image.
        dim: channels at full resolution; they double at each of the three lower levels.
        num_blocks: blocks of the three encoder levels, which are also those of the decoder levels, and of the lowest.
        num_refinement_blocks: blocks after the decoder, at full resolution.
        heads: attention heads of the four levels.
        ffn_expansion_factor: channels inside a feed-forward layer, as a multiple of those outside.
        bias: whether the convolutions have one.
        layer_norm_type: `"WithBias"`, or `"BiasFree"`: without bias and without removing the mean.
        decoder: whether the decoder has prompts; without them the network is a Restormer, which the three options
            below do not concern.
        prompt_dims: channels of the prompts of the three decoder levels, from full resolution down.
        prompt_len: number of prompts of each level.
        prompt_sizes: side in pixels of the prompts of each level; they are stretched to the size of the features.

    Raises:
        InputError: numbers that are not positive, a `dim` that is not even, a list of another length, heads that do
            not divide the channels, an unknown `layer_norm_type`.
    """

    _supports_gradient_checkpointing = True

    @register_to_config
    def __init__(
        self,
        inp_channels: int = 3,
        dim: int = 48,
        num_blocks: Sequence[int] = (4, 6, 6, 8),
        num_refinement_blocks: int = 4,
        heads: Sequence[int] = (1, 2, 4, 8),
        ffn_expansion_factor: float = 2.66,
        bias: bool = False,
        layer_norm_type: str = "WithBias",
        decoder: bool = True,
        prompt_dims: Sequence[int] = (64, 128, 320),
        prompt_len: int = 5,
        prompt_sizes: Sequence[int] = (64, 32, 16),
    ) -> None:
        super().__init__()
        read_counts("num_blocks", num_blocks, least=0)
        read_count("num_refinement_blocks", num_refinement_blocks, least=0)
        for name, number in {"inp_channels": inp_channels, "dim": dim, "prompt_len": prompt_len}.items():
            read_count(name, number)
        for name, numbers in {"heads": heads, "prompt_dims": prompt_dims, "prompt_sizes": prompt_sizes}.items():
            read_counts(name, numbers)
        if dim % 2 or not 1 <= dim * read_float("ffn_expansion_factor", ffn_expansion_factor) < math.inf:
            raise InputError(
                f"dim={dim}, ffn_expansion_factor={ffn_expansion_factor}; give an even dim, which times the factor is "
                "at least 1."
            )
        if not len(num_blocks) == len(heads) == 4 or not len(prompt_dims) == len(prompt_sizes) == 3:
            raise InputError(
                f"Got num_blocks={list(num_blocks)}, heads={list(heads)}, prompt_dims={list(prompt_dims)}, "
                f"prompt_sizes={list(prompt_sizes)}; give four blocks and heads, three prompt_dims and prompt_sizes."
            )
        pointwise = partial(nn.Conv2d, kernel_size=1, bias=bias)
        block = partial(TransformerBlock, expansion=ffn_expansion_factor, bias=bias, norm=layer_norm_type)

        def blocks(channels: int, heads: int, count: int) -> BlockSequence:
            return BlockSequence(*(block(channels, heads) for _ in range(count)))

        def prompt_mixing(level: int, channels: int, out_channels: int) -> list[nn.Module]:
            """Append the prompt, let it interact with the features, reduce the channels (PromptIR section 3.2)."""
            if not decoder:
                return [nn.Identity(), nn.Identity(), nn.Identity()]
            prompt_dim, size = prompt_dims[level], prompt_sizes[level]
            both = channels + prompt_dim
            prompt = PromptBlock(channels, prompt_dim, prompt_len, size)
            return [prompt, block(both, heads[2]), pointwise(both, out_channels)]

        self.patch_embed = _named("proj", nn.Conv2d(inp_channels, dim, 3, padding=1, bias=False))
        self.encoder_level1 = blocks(dim, heads[0], num_blocks[0])
        self.down1_2 = _downsampling(dim)
        self.encoder_level2 = blocks(2 * dim, heads[1], num_blocks[1])
        self.down2_3 = _downsampling(2 * dim)
        self.encoder_level3 = blocks(4 * dim, heads[2], num_blocks[2])
        self.down3_4 = _downsampling(4 * dim)
        self.latent = blocks(8 * dim, heads[3], num_blocks[3])

        latent_dim = 4 * dim if decoder else 8 * dim  # mixing in the prompt halves it
        self.prompt3, self.noise_level3, self.reduce_noise_level3 = prompt_mixing(2, 8 * dim, 4 * dim)
        self.up4_3 = _upsampling(latent_dim)
        self.reduce_chan_level3 = pointwise(latent_dim // 2 + 4 * dim, 4 * dim)
        self.decoder_level3 = blocks(4 * dim, heads[2], num_blocks[2])
        self.prompt2, self.noise_level2, self.reduce_noise_level2 = prompt_mixing(1, 4 * dim, 4 * dim)
        self.up3_2 = _upsampling(4 * dim)
        self.reduce_chan_level2 = pointwise(4 * dim, 2 * dim)
        self.decoder_level2 = blocks(2 * dim, heads[1], num_blocks[1])
        self.prompt1, self.noise_level1, self.reduce_noise_level1 = prompt_mixing(0, 2 * dim, 2 * dim)
        self.up2_1 = _upsampling(2 * dim)
        self.decoder_level1 = blocks(2 * dim, heads[0], num_blocks[0])
        self.refinement = blocks(2 * dim, heads[0], num_refinement_blocks)
        self.output = nn.Conv2d(2 * dim, inp_channels, 3, padding=1, bias=bias)
        self.image_channels = inp_channels  # see `Restorer`
        if decoder:
            self._add_unused_layers(dim, prompt_dims, bias)

    def _add_unused_layers(self, dim: int, prompt_dims: Sequence[int], bias: bool) -> None:
        """Layers that the authors' checkpoints hold and their program never calls; they are kept, and not trained."""
        reduced_dims = (prompt_dims[0], prompt_dims[1], 256)
        for level, (prompt_dim, reduced) in enumerate(zip(prompt_dims, reduced_dims, strict=True), start=1):
            width = dim * 2 ** (level - 1)
            reduce = nn.Conv2d(prompt_dim, reduced, 1, bias=bias)
            self.add_module(f"chnl_reduce{level}", reduce.requires_grad_(False))
            reduce_both = nn.Conv2d(width + reduced, width, 1, bias=bias)
            self.add_module(f"reduce_noise_channel_{level}", reduce_both.requires_grad_(False))

    def forward(self, x: Tensor) -> Tensor:
        """Restored image, not clamped: (B, inp_channels, H, W) -> the same shape, in [0, 1], any H and W.

        Inside, the image is mirrored at its right and lower edge to a multiple of 8.
        """
        height, width = x.shape[-2:]
        image = pad_to_multiple(x, 8).contiguous(memory_format=torch.channels_last)
        level1 = self.encoder_level1(self.patch_embed(image))
        level2 = self.encoder_level2(self.down1_2(level1))
        level3 = self.encoder_level3(self.down2_3(level2))
        level4 = self.latent(self.down3_4(level3))

        level4 = self.reduce_noise_level3(self.noise_level3(self.prompt3(level4)))
        level3 = self.reduce_chan_level3(torch.cat([self.up4_3(level4), level3], dim=1))
        level3 = self.decoder_level3(level3)
        level3 = self.reduce_noise_level2(self.noise_level2(self.prompt2(level3)))
        level2 = self.reduce_chan_level2(torch.cat([self.up3_2(level3), level2], dim=1))
        level2 = self.decoder_level2(level2)
        level2 = self.reduce_noise_level1(self.noise_level1(self.prompt1(level2)))
        level1 = self.decoder_level1(torch.cat([self.up2_1(level2), level1], dim=1))
        return (self.output(self.refinement(level1)) + image)[..., :height, :width]

    @classmethod
    def from_original_checkpoint(cls, path: str | os.PathLike[str]) -> Self:
        """Load a checkpoint of the authors' program (`.ckpt`, `.pth`, `.safetensors`). All sizes are deduced from it.

        A Restormer of the same layout loads too, as a network with `decoder=False`.

        Args:
            path: the file; wrappers (`params`, `state_dict`) and prefixes (`module.`, `net.`) are removed.

        Raises:
            InputError: not the name of a file at all.
            CheckpointError: unreadable, unsafe, or not a PromptIR.
        """
        return model_from_checkpoint(cls, path, "encoder_level1.0.attn.qkv.weight", promptir_sizes)


def promptir_sizes(weights: Mapping[str, Tensor]) -> dict[str, Any]:
    """The arguments of a `PromptIR`, deduced from its weights.

    Raises:
        KeyError: a name that every PromptIR has is missing.
    """
    levels = ("encoder_level1", "encoder_level2", "encoder_level3", "latent")
    sizes: dict[str, Any] = {
        "inp_channels": weights["patch_embed.proj.weight"].shape[1],
        "dim": weights["patch_embed.proj.weight"].shape[0],
        "num_blocks": [count_entries(weights, f"{level}.") for level in levels],
        "num_refinement_blocks": count_entries(weights, "refinement."),
        "heads": [len(weights[f"{level}.0.attn.temperature"]) for level in levels],
        "ffn_expansion_factor": _expansion_factor(weights),
        "bias": "output.bias" in weights,
        "layer_norm_type": "WithBias" if "latent.0.norm1.body.bias" in weights else "BiasFree",
        "decoder": "prompt1.prompt_param" in weights,
    }
    if sizes["decoder"]:
        prompts = [weights[f"prompt{level}.prompt_param"] for level in (1, 2, 3)]  # (1, number, channels, side, side)
        sizes["prompt_len"] = prompts[0].shape[1]
        sizes["prompt_dims"] = [prompt.shape[2] for prompt in prompts]
        sizes["prompt_sizes"] = [prompt.shape[3] for prompt in prompts]
    return sizes


def _expansion_factor(weights: Mapping[str, Tensor]) -> float:
    """The roundest factor that gives the feed-forward layers of every block their channels, `int(channels * factor)`.

    One layer alone leaves an interval of factors; the layers of different widths narrow it down.
    """
    shapes = [tensor.shape for name, tensor in weights.items() if name.endswith("ffn.project_out.weight")]
    low = max(hidden / channels for channels, hidden, *_ in shapes)
    high = min((hidden + 1) / channels for channels, hidden, *_ in shapes)
    for digits in range(16):
        factor = math.ceil(low * 10**digits) / 10**digits
        if factor < high:
            return factor
    return low
