"""Large images in overlapping tiles that blend into each other without seams."""

import math
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from numbers import Integral

import torch
from torch import Tensor

from gendeg.errors import InputError

ALIGNMENT = 32  # tiles begin at multiples of it, so that a network's downsampling falls on the same pixels as untiled
OVERLAP = 64  # pixels that neighbouring tiles share by default


@dataclass(frozen=True)
class Tile:
    """Where a tile lies in an image.

    Attributes:
        rows, columns: of the image, pixels.
        own_rows, own_columns: the part of them that no other tile owns.
    """

    rows: slice
    columns: slice
    own_rows: slice
    own_columns: slice

    def own(self, unit: int) -> tuple[slice, slice]:
        """Rows and columns that the tile owns, counted from its corner, in units of so many pixels."""
        return _inside(self.own_rows, self.rows, unit), _inside(self.own_columns, self.columns, unit)


def _inside(part: slice, whole: slice, unit: int) -> slice:
    """The last unit may reach beyond the image."""
    stop = None if part.stop == whole.stop else (part.stop - whole.start) // unit
    return slice((part.start - whole.start) // unit, stop)


class Tiling:
    """Cuts an image into tiles; iterating yields them, row by row.

    Args:
        height, width: of the image, pixels.
        tile: longest side of a tile in pixels; 0 for the whole image. Tiles that need not be so large are smaller.
        overlap: pixels that neighbouring tiles share, at least.
        alignment: tiles, and what they own, begin at multiples of so many pixels.
    """

    def __init__(self, height: int, width: int, tile: int, overlap: int, alignment: int = ALIGNMENT) -> None:
        self.overlap = overlap
        self.alignment = alignment
        self.rows = cut(height, tile or height, overlap, alignment)
        self.columns = cut(width, tile or width, overlap, alignment)

    def __len__(self) -> int:
        return len(self.rows) * len(self.columns)

    def __iter__(self) -> Iterator[Tile]:
        owned_rows, owned_columns = self._owned(self.rows), self._owned(self.columns)
        for rows, own_rows in zip(self.rows, owned_rows, strict=True):
            for columns, own_columns in zip(self.columns, owned_columns, strict=True):
                yield Tile(rows, columns, own_rows, own_columns)

    def _owned(self, pieces: list[slice]) -> list[slice]:
        margin = self.overlap // 2 // self.alignment * self.alignment
        starts = [0, *(piece.start + margin for piece in pieces[1:])]
        return [slice(start, stop) for start, stop in zip(starts, [*starts[1:], pieces[-1].stop], strict=True)]


def check_tiles(tile: int | None, overlap: int, alignment: int = ALIGNMENT) -> None:
    """Refuse tiles that cannot blend.

    Args:
        tile, overlap, alignment: see `Tiling`; `tile` may be None.

    Raises:
        InputError: not whole numbers, negative, or tiles too small for their overlap.
    """
    if not _is_whole(overlap) or overlap < 0:
        raise InputError(f"overlap={overlap!r}; give a number of pixels, 0 or more, e.g. {OVERLAP}.")
    smallest = smallest_tile(overlap, alignment)
    if tile is not None and (not _is_whole(tile) or (tile != 0 and tile < smallest)):
        raise InputError(
            f"tile={tile!r} with overlap={overlap}; give None to choose by free memory, 0 for the whole image at once, "
            f"or the side of a tile in pixels, at least 2 * overlap + {alignment} = {smallest}."
        )


def smallest_tile(overlap: int, alignment: int = ALIGNMENT) -> int:
    """Side in pixels of the smallest tiles that can share `overlap` pixels."""
    return 2 * overlap + alignment


def _is_whole(number: object) -> bool:
    return isinstance(number, Integral) and not isinstance(number, bool)


def map_tiles(network: Callable[[Tile], Tensor], image: Tensor, tiling: Tiling) -> Tensor:
    """What the network makes of an image, worked out tile by tile.

    The weights of a tile rise and fall as a raised cosine where it meets its neighbours, and add up to one everywhere:
    what the tiles agree on is kept exactly.

    Args:
        network: makes (C, h, w) of a tile.
        image: (C, H, W); the result is like it.
        tiling: of the image.
    """
    row_weights, column_weights = (
        [weights.to(image.device) for weights in blending_weights(pieces, tiling.overlap)]
        for pieces in (tiling.rows, tiling.columns)
    )
    result = torch.zeros_like(image)
    for index, tile in enumerate(tiling):
        row, column = divmod(index, len(tiling.columns))
        weighted = network(tile) * column_weights[column] * row_weights[row][:, None]
        result[:, tile.rows, tile.columns] += weighted
    return result


def cut(length: int, tile: int, overlap: int, alignment: int = ALIGNMENT) -> list[slice]:
    """Cut a side into the fewest pieces of at most `tile` pixels that share `overlap` or more.

    They are of about equal length, and begin at multiples of `alignment`.
    """
    if length <= tile:
        return [slice(0, length)]
    longest_step = (tile - overlap) // alignment * alignment
    pieces = math.ceil((length - overlap) / longest_step)
    step = _round_up(math.ceil((length - overlap) / pieces), alignment)
    pieces = math.ceil((length - overlap) / step)
    last = _round_up(length - overlap - step, alignment)  # so that the last piece is not a narrow rest
    starts = [min(index * step, last) for index in range(pieces)]
    return [slice(start, min(start + step + overlap, length)) for start in starts]


def _round_up(length: int, multiple: int) -> int:
    return math.ceil(length / multiple) * multiple


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
