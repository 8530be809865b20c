"""NAFNet: image restoration without activation functions (Chen et al., ECCV 2022, arXiv 2204.04676).

Read from leaf to root: gate, block, trunk (a UNet of blocks), restorer. Parameter names are the authors'.
"""

import os
from collections.abc import Mapping, Sequence
from typing import Any, Self

import torch
import torch.nn.functional as F
from diffusers import ConfigMixin, ModelMixin
from diffusers.configuration_utils import register_to_config
from torch import Tensor, nn

from gendeg.arguments import read_count, read_counts
from gendeg.checkpoints import count_entries, model_from_checkpoint
from gendeg.errors import InputError
from gendeg.models.blocks import BlockSequence, ChannelNorm
from gendeg.models.means import ChannelMean, WindowMean
from gendeg.models.restorer import Restorer
from gendeg.models.tiling import ALIGNMENT

FIRST_WEIGHT = "intro.weight"  # every NAFNet has it


def simple_gate(x: Tensor) -> Tensor:
    """Product of the two halves of the channels: (B, 2C, H, W) -> (B, C, H, W)."""
    first, second = x.chunk(2, dim=1)
    return first * second


class NAFBlock(nn.Module):
    """A gated depthwise convolution with channel attention, then a gated pointwise one; both are residual.

    Args:
        channels: of input and output.
        mean: of each channel, for the channel attention.
    """

    def __init__(self, channels: int, mean: nn.Module) -> None:
        super().__init__()
        self.norm1 = ChannelNorm(channels)
        self.conv1 = nn.Conv2d(channels, 2 * channels, 1)
        self.conv2 = nn.Conv2d(2 * channels, 2 * channels, 3, padding=1, groups=2 * channels)
        self.sca = nn.Sequential(mean, nn.Conv2d(channels, channels, 1))
        self.conv3 = nn.Conv2d(channels, channels, 1)
        self.beta = nn.Parameter(torch.zeros(1, channels, 1, 1))

        self.norm2 = ChannelNorm(channels)
        self.conv4 = nn.Conv2d(channels, 2 * channels, 1)
        self.conv5 = nn.Conv2d(channels, channels, 1)
        self.gamma = nn.Parameter(torch.zeros(1, channels, 1, 1))

    def forward(self, x: Tensor) -> Tensor:
        """Same shape, (B, channels, H, W)."""
        gated = simple_gate(self.conv2(self.conv1(self.norm1(x))))
        x = torch.addcmul(x, self.conv3(gated * self.sca(gated)), self.beta)
        return torch.addcmul(x, self.conv5(simple_gate(self.conv4(self.norm2(x)))), self.gamma)


class NAFTrunk(ModelMixin):
    """A UNet of NAF blocks that predicts what to add to an image. `NAFNet` and the structure correction stand on it.

    Args:
        in_channels: channels of the input.
        out_channels: channels of the residual.
        width: channels at full resolution; they double at each level.
        middle_blk_num: blocks at the lowest resolution.
        enc_blk_nums: blocks of each encoder level, from full resolution down. One downsampling follows each level.
        dec_blk_nums: blocks of each decoder level, from low resolution up; as many levels as the encoder has.
        window: over which the channel attention takes means at inference, in pixels of the image, see `WindowMean`;
            None for the whole image.

    Raises:
        InputError: not positive numbers (blocks may be none), or encoder and decoder have different numbers of levels.
    """

    _supports_gradient_checkpointing = True

    def __init__(
        self,
        in_channels: int,
        out_channels: int,
        width: int,
        middle_blk_num: int,
        enc_blk_nums: Sequence[int],
        dec_blk_nums: Sequence[int],
        window: int | None = None,
    ) -> None:
        super().__init__()
        read_count("width", width)
        read_count("middle_blk_num", middle_blk_num, least=0)
        read_counts("enc_blk_nums", enc_blk_nums, least=0)
        read_counts("dec_blk_nums", dec_blk_nums, least=0)
        if len(enc_blk_nums) != len(dec_blk_nums):
            raise InputError(
                f"enc_blk_nums={list(enc_blk_nums)} and dec_blk_nums={list(dec_blk_nums)} differ in length; the "
                "decoder needs one entry for each level of the encoder."
            )
        levels = len(enc_blk_nums)
        widths = [width * 2**level for level in range(levels + 1)]
        self.tile_alignment = max(ALIGNMENT, 2**levels)  # see `Restorer`

        def mean(reduction: int) -> nn.Module:
            return ChannelMean(reduction) if window is None else WindowMean(max(window // reduction, 1))

        def blocks(level: int, count: int) -> BlockSequence:
            return BlockSequence(*(NAFBlock(widths[level], mean(2**level)) for _ in range(count)))

        self.intro = nn.Conv2d(in_channels, width, 3, padding=1)
        self.encoders = nn.ModuleList(blocks(i, enc_blk_nums[i]) for i in range(levels))
        self.downs = nn.ModuleList(nn.Conv2d(widths[i], widths[i + 1], 2, stride=2) for i in range(levels))
        self.middle_blks = blocks(levels, middle_blk_num)
        self.ups = nn.ModuleList(_upsampling(widths[i + 1]) for i in reversed(range(levels)))
        self.decoders = nn.ModuleList(
            blocks(i, count) for i, count in zip(reversed(range(levels)), dec_blk_nums, strict=True)
        )
        self.ending = nn.Conv2d(width, out_channels, 3, padding=1)

    def correct(self, x: Tensor) -> Tensor:
        """The last `out_channels` channels, and what is to add to them.

        Inside, the image is extended with zeros to a multiple of `2 ** levels`, and works channels_last.

        Args:
            x: (B, in_channels, H, W), any H and W.

        Returns:
            (B, out_channels, H, W).
        """
        height, width = x.shape[-2:]
        multiple = 2 ** len(self.downs)
        # Not `-side % multiple`: with four levels torch.export takes one image's remainder for that of all. Positive
        # numbers only, since the integer division of ONNX truncates.
        right, bottom = ((side + multiple - 1) // multiple * multiple - side for side in (width, height))
        padded = F.pad(x, (0, right, 0, bottom))
        x = self.intro(padded.contiguous(memory_format=torch.channels_last))
        skips = []
        for encoder, down in zip(self.encoders, self.downs, strict=True):
            x = encoder(x)
            skips.append(x)
            x = down(x)
        x = self.middle_blks(x)
        for up, decoder in zip(self.ups, self.decoders, strict=True):
            x = decoder(up(x) + skips.pop())
        corrected = padded[:, -self.ending.out_channels :] + self.ending(x)
        return corrected[..., :height, :width]


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
        tlc_window: at inference, the channel attention takes its means over windows of this many pixels instead of
            over the whole image: the authors' test-time local converter, who take 1.5 times the side of the training
            crops (384). May be given to `from_pretrained` too.

    Raises:
        InputError: not positive numbers (blocks may be none), or encoder and decoder have different numbers of levels.
    """

    @register_to_config
    def __init__(
        self,
        img_channel: int = 3,
        width: int = 32,
        middle_blk_num: int = 12,
        enc_blk_nums: Sequence[int] = (2, 2, 4, 8),
        dec_blk_nums: Sequence[int] = (2, 2, 2, 2),
        tlc_window: int | None = None,
    ) -> None:
        read_count("img_channel", img_channel)
        if tlc_window is not None:
            read_count("tlc_window", tlc_window)
        super().__init__(img_channel, img_channel, width, middle_blk_num, enc_blk_nums, dec_blk_nums, tlc_window)
        self.image_channels = img_channel  # see `Restorer`

    def forward(self, x: Tensor) -> Tensor:
        """Restored image, not clamped: (B, img_channel, H, W) -> the same shape, in [0, 1], any H and W."""
        return self.correct(x)

    @classmethod
    def from_original_checkpoint(cls, path: str | os.PathLike[str], tlc_window: int | None = None) -> Self:
        """Load a checkpoint of the authors' program (`.pth`, or `.safetensors`). All sizes are deduced from it.

        Args:
            path: the file; wrappers (`params`, `state_dict`) and prefixes (`module.`, `net.`) are removed.
            tlc_window: see the class.

        Raises:
            InputError: not the name of a file at all.
            CheckpointError: unreadable, unsafe, or not a NAFNet whose input and output have the same channels.
        """
        return model_from_checkpoint(cls, path, FIRST_WEIGHT, _restorer_sizes, tlc_window=tlc_window)


def nafnet_sizes(weights: Mapping[str, Tensor]) -> dict[str, Any]:
    """Width and block counts, as `NAFNet` names them, deduced from its weights."""
    levels = count_entries(weights, "downs.")
    return {
        "width": weights[FIRST_WEIGHT].shape[0],
        "middle_blk_num": count_entries(weights, "middle_blks."),
        "enc_blk_nums": [count_entries(weights, f"encoders.{level}.") for level in range(levels)],
        "dec_blk_nums": [count_entries(weights, f"decoders.{level}.") for level in range(levels)],
    }


def _restorer_sizes(weights: Mapping[str, Tensor]) -> dict[str, Any]:
    channels, out_channels = weights[FIRST_WEIGHT].shape[1], weights["ending.weight"].shape[0]
    if (channels, out_channels) == (6, 3):
        raise ValueError(
            "from 6 to 3 channels it is a structure correction, for `gendeg convert --scm` and "
            "StructureCorrectionModule.from_original_checkpoint"
        )
    return {"img_channel": channels, **nafnet_sizes(weights)}
