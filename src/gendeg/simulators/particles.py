"""Many small things before the scene: where they lie, and how ever more of them appear.

Particles are drawn into a few layers, each with twice as many as the one before. Turning the strength up shows one layer
after another, so the number of visible particles grows smoothly although all of them are drawn once.
"""

import torch
from torch import Tensor

LAYERS = 8


def layer_of(count: int, device: torch.device) -> Tensor:
    """Layer index of each of `count` particles, (N,): layer k holds twice as many as layer k - 1."""
    position = (torch.arange(count, device=device) + 0.5) / count
    return torch.log2(1 + position * (2**LAYERS - 1)).long().clamp(0, LAYERS - 1)


def visible_density(layers: Tensor, strength: Tensor) -> Tensor:
    """Sum of the layers (B, LAYERS, H, W) that `strength` (B,) shows: (B, 1, H, W).

    At strength `k / LAYERS` the first k layers are there; in between the next one fades in.
    """
    index = torch.arange(LAYERS, device=layers.device)
    weights = (strength[:, None] * LAYERS - index).clamp(0, 1)
    return torch.einsum("bk,bkhw->bhw", weights, layers)[:, None]


def splat(rows: Tensor, columns: Tensor, weights: Tensor, layer: Tensor, size: tuple[int, int]) -> Tensor:
    """Add particles onto the pixel grid of their layers.

    Args:
        rows, columns: integer pixel positions (B, N, S) of the S samples of each particle; those outside are dropped.
        weights: what is added there, (B, N, S).
        layer: layer of each particle, (N,).
        size: height and width.

    Returns:
        (B, LAYERS, H, W).
    """
    height, width = size
    inside = (rows >= 0) & (rows < height) & (columns >= 0) & (columns < width)
    pixel = rows.clamp(0, height - 1) * width + columns.clamp(0, width - 1)
    index = layer[None, :, None] * (height * width) + pixel
    canvas = torch.zeros(len(rows), LAYERS * height * width, device=weights.device)
    canvas.scatter_add_(1, index.flatten(1), (weights * inside).flatten(1))
    return canvas.view(len(rows), LAYERS, height, width)
