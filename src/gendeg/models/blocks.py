"""Layers that several restorers share."""

from collections.abc import Callable

import torch
import torch.nn.functional as F
from torch import Tensor, nn


class ChannelNorm(nn.Module):
    """Layer normalisation over the channels of each pixel, (B, C, H, W)."""

    def __init__(self, channels: int, eps: float = 1e-6) -> None:
        super().__init__()
        self.weight = nn.Parameter(torch.ones(channels))
        self.bias = nn.Parameter(torch.zeros(channels))
        self.eps = eps

    def forward(self, x: Tensor) -> Tensor:
        """Same shape. Free of copies when `x` is channels_last in memory."""
        if torch.compiler.is_dynamo_compiling():
            return self._spelled_out(x)
        pixels = F.layer_norm(x.permute(0, 2, 3, 1), self.weight.shape, self.weight, self.bias, self.eps)
        return pixels.permute(0, 3, 1, 2)

    def _spelled_out(self, x: Tensor) -> Tensor:
        """The same in steps that `torch.compile` fuses; of `layer_norm` it makes code slower than what it replaces."""
        values = x.float()
        centred = values - values.mean(1, keepdim=True)
        scale = torch.rsqrt(centred.square().mean(1, keepdim=True) + self.eps)
        normalized = centred * scale * self.weight.view(-1, 1, 1) + self.bias.view(-1, 1, 1)
        return normalized.to(x.dtype)


class BlockSequence(nn.Sequential):
    """Blocks one after another, each of which may be computed again in the backward pass to save memory.

    diffusers' `enable_gradient_checkpointing` finds this class by its attribute `gradient_checkpointing`, and sets the
    function that calls a block.
    """

    gradient_checkpointing = False
    _gradient_checkpointing_func: Callable[[nn.Module, Tensor], Tensor]

    def forward(self, x: Tensor) -> Tensor:
        """What the last block returns."""
        for block in self:
            if self.gradient_checkpointing and torch.is_grad_enabled():
                x = self._gradient_checkpointing_func(block, x)
            else:
                x = block(x)
        return x
