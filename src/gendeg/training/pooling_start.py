"""A starting point for small autoencoders: average pooling, written into the weights.

`AutoencoderTiny` has no normalisation, and from random weights it spends its first thousand steps on finding the
colours: 19 dB after 100 steps, against 25 dB before the first step when it starts as average pooling and enlarging.
"""

import torch
from diffusers import AutoencoderTiny
from diffusers.models.autoencoders.vae import AutoencoderTinyBlock, DecoderTiny, EncoderTiny
from torch import Tensor, nn

COLORS = 3


@torch.no_grad()
def start_as_pooling(vae: AutoencoderTiny) -> None:
    """Make the first three feature channels carry red, green and blue, and the first three latents their local means.

    All other weights stay random. Latents 0 to 2 become `2 * mean - 1` over a square of `factor` pixels.
    """
    *inner, to_latents = _convolutions(vae.encoder)
    for convolution in inner:
        _pass_colors(convolution)
    _pass_colors(to_latents, gain=2, bias=-1)
    from_latents, *inner = _convolutions(vae.decoder)
    _pass_colors(from_latents, gain=0.5, bias=0.5)
    for convolution in inner:
        _pass_colors(convolution)
    for block in (*vae.encoder.layers, *vae.decoder.layers):
        if isinstance(block, AutoencoderTinyBlock):
            block.conv[-1].weight[:COLORS] = 0  # the block's skip connection passes the colours on
            block.conv[-1].bias[:COLORS] = 0


def _convolutions(coder: EncoderTiny | DecoderTiny) -> list[nn.Conv2d]:
    return [layer for layer in coder.layers if isinstance(layer, nn.Conv2d)]


def _pass_colors(convolution: nn.Conv2d, gain: float = 1, bias: float = 0) -> None:
    kernel = _mean_of_two() if convolution.stride == (2, 2) else _identity()
    convolution.weight[:COLORS] = 0
    for color in range(COLORS):
        convolution.weight[color, color] = gain * kernel
    if convolution.bias is not None:
        convolution.bias[:COLORS] = bias


def _identity() -> Tensor:
    kernel = torch.zeros(3, 3)
    kernel[1, 1] = 1
    return kernel


def _mean_of_two() -> Tensor:
    """With stride 2 and a padding of 1 the pooled square is the kernel's lower right."""
    kernel = torch.zeros(3, 3)
    kernel[1:, 1:] = 0.25
    return kernel
