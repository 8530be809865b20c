"""Averages over the whole image, in networks that are given it in tiles.

NAFNet multiplies its channels by what it makes of their means over the image. Given tiles, it would take the means of
each tile, and no two tiles would be restored alike. So `Restorer.restore` goes over the tiles several times: in each
sweep the layers of this module collect what they find in the tiles, and in the next they answer with the averages of
the whole image:

    sweep   a layer answers with              and collects
    1       the averages of each tile         those of the image: exact where no other average was used before
    2       what was collected in sweep 1     those of the image, closer
    last    what was collected before         nothing: the restored tiles are kept

A network of your own takes part if its layers are `ChannelMean`, `WindowMean`, or an `ImageAverage` of yours.
"""

import contextlib
from abc import ABC, abstractmethod
from collections.abc import Iterator

import torch
import torch.nn.functional as F
from torch import Tensor, nn

from gendeg.models.tiling import Tile


class ImageAverage(nn.Module, ABC):
    """Base of layers that average over the image.

    Attributes:
        tile: where in an image the input lies; None: it is a whole image, and nothing is collected.
        collecting: whether the input is counted in.
    """

    def __init__(self) -> None:
        super().__init__()
        self.tile: Tile | None = None
        self.collecting = True

    @abstractmethod
    def end_sweep(self) -> None:
        """From now on answer with what was collected, and collect anew."""

    @abstractmethod
    def forget(self) -> None:
        """Take inputs for whole images again."""

    def spread(self, averages: Tensor, height: int, width: int) -> Tensor:
        """Averages, or what further layers made of them, in a shape that multiplies (B, C, height, width)."""
        return averages


class ChannelMean(ImageAverage):
    """Mean of each channel over the image.

    Args:
        reduction: how many times smaller than the image the input is, along a side.
    """

    _collected: list[tuple[Tensor, int]]  # sum over the pixels that a tile owns, and their number
    _shared: Tensor | None

    def __init__(self, reduction: int = 1) -> None:
        super().__init__()
        self.reduction = reduction
        self.forget()

    def forward(self, x: Tensor) -> Tensor:
        """(B, C, H, W) -> (B, C, 1, 1)."""
        if self.tile is not None and self.collecting:
            rows, columns = self.tile.own(self.reduction)
            own = x[..., rows, columns]
            total = own.sum(dim=(2, 3), keepdim=True, dtype=torch.float32)
            self._collected.append((total, own.shape[2] * own.shape[3]))
        return F.adaptive_avg_pool2d(x, 1) if self._shared is None else self._shared.to(x.dtype)

    def end_sweep(self) -> None:
        """See `ImageAverage`."""
        if self._collected:
            totals, counts = zip(*self._collected, strict=True)
            self._shared = torch.stack(totals).sum(dim=0) / sum(counts)
        self._collected = []

    def forget(self) -> None:
        """See `ImageAverage`."""
        self.tile, self.collecting = None, True
        self._collected = []
        self._shared = None


class WindowMean(ImageAverage):
    """Mean of each channel over a window around each place: the test-time local converter.

    A network trained on crops has seen means over crops. The window gives it the same statistics on a large photo (Chu
    et al., ECCV 2022, arXiv 2112.04491). In training the mean is that of the image, i.e. of the crop.

    Means over such windows hardly change from pixel to pixel. They are worked out for the centres of cells, from the
    means of cells; `spread` interpolates between them, after the layers that follow have had fewer places to work on.

    Args:
        window: side of the window in pixels of the input. Windows that would leave the image are moved inside.
        cell: side of a cell in pixels of the input.
        reduction: see `ChannelMean`.
    """

    _collected: Tensor | None  # means of the cells of the image
    _shared: Tensor | None  # means over their windows
    _extent: tuple[int, int]  # (height, width) of the input if it were the whole image, known after the last tile

    def __init__(self, window: int, cell: int, reduction: int = 1) -> None:
        super().__init__()
        self.window = window
        self.cell = cell
        self.reduction = reduction
        self.forget()

    def forward(self, x: Tensor) -> Tensor:
        """(B, C, H, W) -> (B, C, 1 + rows + 1, 1 + columns + 1): a mean for each cell, and for those next to the input.

        (B, C, 1, 1) in training, and if the window covers the whole image.
        """
        height, width = x.shape[-2:]
        if self.training or (self.tile is None and self.window >= max(height, width)):
            return F.adaptive_avg_pool2d(x, 1)
        cells = F.avg_pool2d(x, self.cell, ceil_mode=True, count_include_pad=False)
        if self.tile is not None and self.collecting:
            self._collect(cells.float(), self.tile, height, width)
        if self.tile is None or self._shared is None:
            return self._windows(cells.float(), height, width).to(x.dtype)
        rows, columns = self.tile.start(self.cell * self.reduction)
        return self._shared[..., rows : rows + cells.shape[2] + 2, columns : columns + cells.shape[3] + 2].to(x.dtype)

    def spread(self, averages: Tensor, height: int, width: int) -> Tensor:
        """Interpolate between the cells: (B, C, height, width); what holds for the whole image stays (B, C, 1, 1)."""
        if averages.shape[-2:] == (1, 1):
            return averages
        cells = averages.contiguous(memory_format=torch.channels_last)
        pixels = F.interpolate(cells, scale_factor=self.cell, mode="bilinear", align_corners=False)
        return pixels[..., self.cell : self.cell + height, self.cell : self.cell + width]

    def _windows(self, cells: Tensor, height: int, width: int) -> Tensor:
        """Means over windows from means of cells, with a margin that repeats the outermost."""
        rows = window_weights(height, self.cell, self.window).to(cells.device)
        columns = window_weights(width, self.cell, self.window).to(cells.device)
        return F.pad(rows @ cells @ columns.T, (1, 1, 1, 1), mode="replicate")

    def _collect(self, cells: Tensor, tile: Tile, height: int, width: int) -> None:
        side = self.cell * self.reduction  # of a cell, in pixels of the image
        if self._collected is None:
            self._collected = cells.new_zeros(*cells.shape[:2], *(-(-length // side) for length in tile.image))
        rows, columns = tile.own(side)
        top, left = tile.start(side)
        own = cells[..., rows, columns]
        top_of_own, left_of_own = top + rows.start, left + columns.start
        self._collected[..., top_of_own : top_of_own + own.shape[2], left_of_own : left_of_own + own.shape[3]] = own
        self._extent = (top * self.cell + height, left * self.cell + width)

    def end_sweep(self) -> None:
        """See `ImageAverage`."""
        if self._collected is not None:
            self._shared = self._windows(self._collected, *self._extent)
        self._collected = None

    def forget(self) -> None:
        """See `ImageAverage`."""
        self.tile, self.collecting = None, True
        self._collected = None
        self._shared = None
        self._extent = (0, 0)


def window_weights(length: int, cell: int, window: int) -> Tensor:
    """What each cell contributes to the mean over the window around each cell: (cells, cells), rows add up to one."""
    window = min(window, length)
    edges = torch.arange(0, length + cell, cell).clamp_max(length)
    starts = ((edges[1:] + edges[:-1]) / 2 - window / 2).clamp(0, length - window)[:, None]
    common = torch.minimum(starts + window, edges[1:]) - torch.maximum(starts, edges[:-1])
    return common.clamp_min(0) / window


@contextlib.contextmanager
def averages_over_tiles(network: nn.Module) -> Iterator[list[ImageAverage]]:
    """The layers of a network that average over the image; in the end they take inputs for whole images again."""
    layers = [module for module in network.modules() if isinstance(module, ImageAverage)]
    try:
        yield layers
    finally:
        for layer in layers:
            layer.forget()
