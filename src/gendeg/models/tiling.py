"""Large images in overlapping tiles that blend into each other without seams."""

import math
from collections.abc import Callable
from numbers import Integral

import torch
from torch import Tensor
from tqdm import tqdm

from gendeg.errors import InputError

ALIGNMENT = 32  # tiles begin at multiples of it, so that a network's downsampling falls on the same pixels as untiled


def check_tiles(tile: int | None, overlap: int) -> None:
    """Refuse tiles that cannot blend.

    Raises:
        InputError: not whole numbers, negative, or tiles too small for their overlap.
    """
    if not _is_whole(overlap) or overlap < 0:
        raise InputError(f"overlap={overlap!r}; give a number of pixels, 0 or more, e.g. 32.")
    smallest = smallest_tile(overlap)
    if tile is not None and (not _is_whole(tile) or (tile != 0 and tile < smallest)):
        raise InputError(
            f"tile={tile!r} with overlap={overlap}; give None to choose by free memory, 0 for the whole image at once, "
            f"or the side of a tile in pixels, at least 2 * overlap + {ALIGNMENT} = {smallest}."
        )


def smallest_tile(overlap: int) -> int:
    """Side in pixels of the smallest tiles that can share `overlap` pixels."""
    return 2 * overlap + ALIGNMENT


def _is_whole(number: object) -> bool:
    return isinstance(number, Integral) and not isinstance(number, bool)


def map_tiles(
    network: Callable[[Tensor], Tensor], image: Tensor, tile: int, overlap: int, progress: bool = False
) -> Tensor:
    """What the network makes of an image, worked out tile by tile.

    The weights of a tile rise and fall as a raised cosine where it meets its neighbours, and add up to one everywhere:
    what the tiles agree on is kept exactly.

    Args:
        network: (C, h, w) -> the same shape.
        image: (C, H, W).
        tile: longest side of a tile in pixels; 0 for the whole image. Tiles that need not be so large are smaller.
        overlap: pixels that neighbouring tiles share, at least.
        progress: show a bar, on terminals.
    """
    height, width = image.shape[-2:]
    rows, columns = cut(height, tile or height, overlap), cut(width, tile or width, overlap)
    if len(rows) == len(columns) == 1:
        return network(image)
    row_weights = blending_weights(rows, overlap)
    column_weights = [weights.to(image.device) for weights in blending_weights(columns, overlap)]
    result = image.new_zeros(image.shape)
    with tqdm(total=len(rows) * len(columns), unit="tile", leave=False, disable=None if progress else True) as bar:
        for row, row_weight in zip(rows, row_weights, strict=True):
            strip = image.new_zeros(image.shape[0], row.stop - row.start, width)
            for column, weight in zip(columns, column_weights, strict=True):
                strip[..., column] += network(image[:, row, column]) * weight
                bar.update()
            result[:, row] += strip.mul_(row_weight[:, None].to(image.device))
    return result


def cut(length: int, tile: int, overlap: int) -> list[slice]:
    """Cut a side into the fewest pieces of at most `tile` pixels that share `overlap` or more.

    They are of about equal length, and begin at multiples of `ALIGNMENT`.
    """
    if length <= tile:
        return [slice(0, length)]
    longest_step = _round_down(tile - overlap)
    pieces = math.ceil((length - overlap) / longest_step)
    step = _round_up(math.ceil((length - overlap) / pieces))
    pieces = math.ceil((length - overlap) / step)
    last = _round_up(length - overlap - step)  # so that the last piece is not a narrow rest
    starts = [min(index * step, last) for index in range(pieces)]
    return [slice(start, min(start + step + overlap, length)) for start in starts]


def _round_up(length: int) -> int:
    return math.ceil(length / ALIGNMENT) * ALIGNMENT


def _round_down(length: int) -> int:
    return length // ALIGNMENT * ALIGNMENT


def blending_weights(pieces: list[slice], overlap: int) -> list[Tensor]:
    """Weights of each piece's pixels (length,); those of all pieces add up to one at each pixel."""
    ramp = torch.sin((torch.arange(overlap) + 0.5) / overlap * math.pi / 2).square()
    total = torch.zeros(pieces[-1].stop)
    weights = []
    for index, piece in enumerate(pieces):
        weight = torch.ones(piece.stop - piece.start)
        if index > 0:
            weight[:overlap] *= ramp
        if index < len(pieces) - 1:
            weight[len(weight) - overlap :] *= ramp.flip(0)
        total[piece] += weight
        weights.append(weight)
    return [weight / total[piece] for weight, piece in zip(weights, pieces, strict=True)]
