"""NAFNet: image restoration without activation functions (Chen et al., ECCV 2022, arXiv 2204.04676).

Read from leaf to root: channel norm, block, trunk (a UNet of blocks), restorer. Parameter names are the authors'.
"""

import os
from collections.abc import Sequence
from typing import Self

import torch
import torch.nn.functional as F
from diffusers import ConfigMixin, ModelMixin
from diffusers.configuration_utils import register_to_config
from torch import Tensor, nn

from gendeg.checkpoints import load_weights, read_state_dict
from gendeg.errors import CheckpointError, InputError
from gendeg.models.restorer import Restorer


class ChannelNorm(nn.Module):
    """Layer normalisation over the channels of each pixel, (B, C, H, W)."""

    def __init__(self, channels: int, eps: float = 1e-6) -> None:
        super().__init__()
        self.weight = nn.Parameter(torch.ones(channels))
        self.bias = nn.Parameter(torch.zeros(channels))
        self.eps = eps

    def forward(self, x: Tensor) -> Tensor:
        """Same shape. Free of copies when `x` is channels_last in memory."""
        pixels = F.layer_norm(x.permute(0, 2, 3, 1), self.weight.shape, self.weight, self.bias, self.eps)
        return pixels.permute(0, 3, 1, 2)


def simple_gate(x: Tensor) -> Tensor:
    """Product of the two halves of the channels: (B, 2C, H, W) -> (B, C, H, W)."""
    first, second = x.chunk(2, dim=1)
    return first * second


class NAFBlock(nn.Module):
    """A gated depthwise convolution with channel attention, then a gated pointwise one; both are residual."""

    def __init__(self, channels: int) -> None:
        super().__init__()
        self.norm1 = ChannelNorm(channels)
        self.conv1 = nn.Conv2d(channels, 2 * channels, 1)
        self.conv2 = nn.Conv2d(2 * channels, 2 * channels, 3, padding=1, groups=2 * channels)
        self.sca = nn.Sequential(nn.AdaptiveAvgPool2d(1), nn.Conv2d(channels, channels, 1))
        self.conv3 = nn.Conv2d(channels, channels, 1)
        self.beta = nn.Parameter(torch.zeros(1, channels, 1, 1))

        self.norm2 = ChannelNorm(channels)
        self.conv4 = nn.Conv2d(channels, 2 * channels, 1)
        self.conv5 = nn.Conv2d(channels, channels, 1)
        self.gamma = nn.Parameter(torch.zeros(1, channels, 1, 1))

    def forward(self, x: Tensor) -> Tensor:
        """Same shape, (B, channels, H, W)."""
        gated = simple_gate(self.conv2(self.conv1(self.norm1(x))))
        x = x + self.conv3(gated * self.sca(gated)) * self.beta
        return x + self.conv5(simple_gate(self.conv4(self.norm2(x)))) * self.gamma


class NAFTrunk(ModelMixin):
    """A UNet of NAF blocks that predicts what to add to an image. `NAFNet` and the structure correction stand on it.

    Args:
        in_channels: channels of the input.
        out_channels: channels of the residual.
        width: channels at full resolution; they double at each level.
        middle_blk_num: blocks at the lowest resolution.
        enc_blk_nums: blocks of each encoder level, from full resolution down. One downsampling follows each level.
        dec_blk_nums: blocks of each decoder level, from low resolution up; as many levels as the encoder has.

    Raises:
        InputError: encoder and decoder have different numbers of levels.
    """

    def __init__(
        self,
        in_channels: int,
        out_channels: int,
        width: int,
        middle_blk_num: int,
        enc_blk_nums: Sequence[int],
        dec_blk_nums: Sequence[int],
    ) -> None:
        super().__init__()
        if len(enc_blk_nums) != len(dec_blk_nums):
            raise InputError(
                f"enc_blk_nums={list(enc_blk_nums)} and dec_blk_nums={list(dec_blk_nums)} differ in length; the "
                "decoder needs one entry for each level of the encoder."
            )
        levels = len(enc_blk_nums)
        widths = [width * 2**level for level in range(levels + 1)]
        self.intro = nn.Conv2d(in_channels, width, 3, padding=1)
        self.encoders = nn.ModuleList(_blocks(widths[i], enc_blk_nums[i]) for i in range(levels))
        self.downs = nn.ModuleList(nn.Conv2d(widths[i], widths[i + 1], 2, stride=2) for i in range(levels))
        self.middle_blks = _blocks(widths[levels], middle_blk_num)
        self.ups = nn.ModuleList(_upsampling(widths[i + 1]) for i in reversed(range(levels)))
        self.decoders = nn.ModuleList(
            _blocks(widths[i], count) for i, count in zip(reversed(range(levels)), dec_blk_nums, strict=True)
        )
        self.ending = nn.Conv2d(width, out_channels, 3, padding=1)

    def residual(self, x: Tensor) -> Tensor:
        """What to add to the image: (B, in_channels, H, W) -> (B, out_channels, H, W), any H and W.

        Inside, the image is extended with zeros to a multiple of `2 ** levels`, and works channels_last.
        """
        height, width = x.shape[-2:]
        multiple = 2 ** len(self.downs)
        x = F.pad(x, (0, -width % multiple, 0, -height % multiple))
        x = self.intro(x.contiguous(memory_format=torch.channels_last))
        skips = []
        for encoder, down in zip(self.encoders, self.downs, strict=True):
            x = encoder(x)
            skips.append(x)
            x = down(x)
        x = self.middle_blks(x)
        for up, decoder in zip(self.ups, self.decoders, strict=True):
            x = decoder(up(x) + skips.pop())
        return self.ending(x)[..., :height, :width]


def _blocks(channels: int, count: int) -> nn.Sequential:
    return nn.Sequential(*(NAFBlock(channels) for _ in range(count)))


def _upsampling(channels: int) -> nn.Sequential:
    """Twice the size, half the channels."""
    return nn.Sequential(nn.Conv2d(channels, 2 * channels, 1, bias=False), nn.PixelShuffle(2))


class NAFNet(NAFTrunk, Restorer, ConfigMixin):
    """NAFNet as a restorer: the image plus the residual that the trunk predicts.

    The defaults are a network of width 32; the published denoiser for SIDD has `middle_blk_num=12,
    enc_blk_nums=(2, 2, 4, 8)`, the deblurrer for GoPro `middle_blk_num=1, enc_blk_nums=(1, 1, 1, 28),
    dec_blk_nums=(1, 1, 1, 1)`.

    Args:
        img_channel: channels of the image.
        width: channels at full resolution; they double at each level.
        middle_blk_num: blocks at the lowest resolution.
        enc_blk_nums: blocks of each encoder level, from full resolution down.
        dec_blk_nums: blocks of each decoder level, from low resolution up; as many levels as the encoder has.

    Raises:
        InputError: encoder and decoder have different numbers of levels.
    """

    @register_to_config
    def __init__(
        self,
        img_channel: int = 3,
        width: int = 32,
        middle_blk_num: int = 12,
        enc_blk_nums: Sequence[int] = (2, 2, 4, 8),
        dec_blk_nums: Sequence[int] = (2, 2, 2, 2),
    ) -> None:
        super().__init__(img_channel, img_channel, width, middle_blk_num, enc_blk_nums, dec_blk_nums)

    def forward(self, x: Tensor) -> Tensor:
        """Restored image, not clamped: (B, img_channel, H, W) -> the same shape, in [0, 1], any H and W."""
        return x + self.residual(x)

    @classmethod
    def from_original_checkpoint(cls, path: str | os.PathLike[str]) -> Self:
        """Load a checkpoint of the authors' program (`.pth`, or `.safetensors`). All sizes are deduced from it.

        Args:
            path: the file; wrappers (`params`, `state_dict`) and prefixes (`module.`, `net.`) are removed.

        Raises:
            CheckpointError: unreadable, unsafe, or not a NAFNet whose input and output have the same channels.
        """
        weights = read_nafnet_weights(path)
        config = {"img_channel": weights["intro.weight"].shape[1], **nafnet_sizes(weights)}
        model = cls(**config)
        load_weights(model, weights, path)
        return model.eval()


def read_nafnet_weights(path: str | os.PathLike[str]) -> dict[str, Tensor]:
    """Weights of a NAFNet inside a checkpoint, under the authors' names without prefix.

    Raises:
        CheckpointError: unreadable, unsafe, without a NAFNet, or with several.
    """
    tensors = read_state_dict(path)
    first = "intro.weight"
    prefixes = [name.removesuffix(first) for name in tensors if name == first or name.endswith(f".{first}")]
    if len(prefixes) != 1:
        found = f"several NAFNets ({', '.join(prefixes)})" if prefixes else f"no {first!r}"
        raise CheckpointError(
            f"{path} is not the checkpoint of one NAFNet: it holds {found}. Its names begin with "
            f"{', '.join(sorted(tensors)[:3])}. Give the file of the NAFNet alone."
        )
    prefix = prefixes[0]
    return {name.removeprefix(prefix): tensor for name, tensor in tensors.items() if name.startswith(prefix)}


def nafnet_sizes(weights: dict[str, Tensor]) -> dict[str, int | list[int]]:
    """Width and block counts, as `NAFNet` names them, deduced from its weights."""
    levels = _count(weights, "downs.")
    return {
        "width": weights["intro.weight"].shape[0],
        "middle_blk_num": _count(weights, "middle_blks."),
        "enc_blk_nums": [_count(weights, f"encoders.{level}.") for level in range(levels)],
        "dec_blk_nums": [_count(weights, f"decoders.{level}.") for level in range(levels)],
    }


def _count(weights: dict[str, Tensor], prefix: str) -> int:
    """Number of different entries right after `prefix`."""
    return len({name.removeprefix(prefix).split(".")[0] for name in weights if name.startswith(prefix)})
