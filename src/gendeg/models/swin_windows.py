"""Swin's attention, recorded so that one graph holds for images of any size.

timm's own formulation computes the same. But where sizes are symbols it pads by `(window - size % window) % window`,
which no symbolic arithmetic simplifies, and which is nested into the sizes that all later blocks see; and its views of
one window are laid out otherwise in memory than those of several, so that a graph holds for either. Here padding rounds
up by one division, which stays one division from block to block, and windows are taken by a list of positions.
"""

import contextlib
import functools
from collections.abc import Iterator
from typing import Any

import torch
from torch import Tensor, nn

MASKED = -100.0  # added to the attention between pixels that only the cyclic shift made neighbours, as in timm


def round_up(size: int, multiple: int) -> int:
    """The next multiple; the remainder by `%` would hide from symbolic arithmetic that it is one."""
    return (size + multiple - 1) // multiple * multiple  # of positive numbers: ONNX divides towards zero


def mirror_to_multiple(image: Tensor, multiple: int) -> Tensor:
    """Pad (B, C, H, W) as `gendeg.imaging.pad_to_multiple`, for sides that are larger than the margin."""
    for dim in (2, 3):
        last = image.shape[dim] - 1
        positions = torch.arange(round_up(image.shape[dim], multiple), device=image.device)
        image = image.index_select(dim, last - (positions - last).abs())
    return image


@contextlib.contextmanager
def windows_for_all_sizes(encoder: nn.Module) -> Iterator[None]:
    """For a while, timm's Swin or Swin V2 attends by the formulation of this module; to one image at a time."""
    blocks: list[Any] = [block for block in encoder.modules() if hasattr(block, "shift_size")]
    for block in blocks:
        block._attn = functools.partial(_attend, block)
    try:
        yield
    finally:
        for block in blocks:
            del block._attn  # the method of its class is there again


def _attend(block: Any, x: Tensor) -> Tensor:
    """Attention within windows, shifted by `block.shift_size`: (1, H, W, C) -> the same shape."""
    height, width, channels = x.shape[1:]
    window, shift = block.window_size, block.shift_size
    pixels = window[0] * window[1]
    padded = [round_up(height, window[0]), round_up(width, window[1])]

    rows, columns = _positions_by_windows(padded, window, x.device)
    sources = _remainder(rows + shift[0], height) * width + _remainder(columns + shift[1], width)
    inside = ((rows < height) & (columns < width)).to(x.dtype)  # the margin is zero
    windows = x.reshape(-1, channels).index_select(0, sources) * inside[:, None]

    regions = 3 * _border_regions(rows, padded[0], window[0], shift[0])
    regions = regions + _border_regions(columns, padded[1], window[1], shift[1])
    regions = regions.reshape(-1, pixels)
    mask = MASKED * (regions[:, None] != regions[:, :, None]).to(x.dtype) if any(shift) else None

    attended = block.attn(windows.reshape(-1, pixels, channels), mask).reshape(-1, channels)
    places = _places_in_windows(block, height, width, x.device)
    return attended.index_select(0, places).reshape(1, height, width, channels)


def _positions_by_windows(size: list[int], window: tuple[int, int], device: torch.device) -> tuple[Tensor, Tensor]:
    """Row and column of every pixel, one window after the other."""
    pixels, across = window[0] * window[1], size[1] // window[1]
    order = torch.arange(size[0] * size[1], device=device)
    index, inner = order // pixels, order % pixels
    rows = index // across * window[0] + inner // window[1]
    columns = _remainder(index, across) * window[1] + inner % window[1]
    return rows, columns


def _places_in_windows(block: Any, height: int, width: int, device: torch.device) -> Tensor:
    """Where `_attend` put every pixel of the image, the shift undone."""
    window, shift = block.window_size, block.shift_size
    order = torch.arange(height * width, device=device)
    rows = _remainder(order // width - shift[0], height)
    columns = _remainder(_remainder(order, width) - shift[1], width)
    index = rows // window[0] * (round_up(width, window[1]) // window[1]) + columns // window[1]
    return (index * window[0] + rows % window[0]) * window[1] + columns % window[1]


def _border_regions(positions: Tensor, size: int, window: int, shift: int) -> Tensor:
    """2 for positions that the shift brought to the far border, 1 for others of the last window, 0 for the rest."""
    return (positions >= size - window).long() + (positions >= size - shift).long()


def _remainder(positions: Tensor, size: int) -> Tensor:
    """`positions % size`, which the ONNX exporter has no translation of where the size is a symbol."""
    return positions - positions // size * size
