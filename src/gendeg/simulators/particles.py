"""Many small things before the scene: where they lie, and how ever more of them appear.

Particles are drawn into a few layers, each with twice as many as the one before. Turning the strength up shows one
layer after another, so the number of visible particles grows smoothly although all of them are drawn once. A particle
that leaves the picture on one side comes in on the other: every part of the picture gets equally many.
"""

import torch
import torch.nn.functional as F
from torch import Tensor

from gendeg.simulators.base import size_of

LAYERS = 8
LARGEST_CANVAS = 512  # short side; a larger picture gets its particles enlarged from that


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


def opacity_of(layers: Tensor, strength: Tensor, thickness: Tensor) -> Tensor:
    """How much of the light behind the particles they replace: (B, 1, H, W) in [0, 1).

    Where particles lie before one another their optical thickness adds up: `1 - exp(-thickness * density)`, with
    `thickness` (B,) that of one particle of density 1.
    """
    return 1 - torch.exp(-thickness[:, None, None, None] * visible_density(layers, strength))


def canvas_size(clean: Tensor) -> tuple[int, int]:
    """The size at which the particles for images (B, 3, H, W) are drawn."""
    height, width = size_of(clean)
    ratio = min(1.0, LARGEST_CANVAS / min(height, width))
    return round(height * ratio), round(width * ratio)


def fit(layers: Tensor, clean: Tensor) -> Tensor:
    """Bring drawn layers to the size of the images."""
    if layers.shape[-2:] == clean.shape[-2:]:
        return layers
    return F.interpolate(layers, size=size_of(clean), mode="bilinear", align_corners=False)


def between(bounds: tuple[float, float], share: Tensor) -> Tensor:
    """Numbers in [0, 1] stretched to span `bounds`."""
    return bounds[0] + (bounds[1] - bounds[0]) * share


def splat(pixel: Tensor, weight: Tensor, layer: Tensor, size: tuple[int, int]) -> Tensor:
    """Add particles onto the pixel grid of their layers.

    Args:
        pixel: flat index `row * W + column` of the samples of each particle, (B, N, ...).
        weight: what is added there, same shape.
        layer: layer of each particle, (N,).
        size: H and W.

    Returns:
        (B, LAYERS, H, W).
    """
    height, width = size
    offset = (layer * (height * width)).view(1, -1, *[1] * (pixel.ndim - 2))
    canvas = torch.zeros(len(pixel), LAYERS * height * width, device=weight.device)
    canvas.scatter_add_(1, (pixel + offset).flatten(1), weight.flatten(1))
    return canvas.view(len(pixel), LAYERS, height, width)
