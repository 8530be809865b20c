"""Means over the image, in networks that may be given it in tiles.

NAFNet multiplies its channels by what it makes of their means over the image. Given tiles, it would take the means of
each tile, and no two tiles would be restored alike. So `Restorer.restore` goes over the tiles several times: in each
sweep the layers `ChannelMean` collect what they find in the tiles, and in the next they answer with the means of the
whole image:

    sweep   a layer answers with             and collects
    1       the means of each tile           those of the image: exact where no other mean was used before
    2 ...   what the last sweep collected    those of the image, closer
    last    what was collected before        nothing: the restored tiles are kept

A network of your own takes part if it has such layers.
"""

import contextlib
from collections.abc import Iterator

import torch
import torch.nn.functional as F
from torch import Tensor, nn

from gendeg.models.tiling import Tile


class ChannelMean(nn.Module):
    """Mean of each channel over the image, also if that comes in tiles.

    Args:
        reduction: how many times smaller than the image the input is, along a side.

    Attributes:
        tile: where in an image the input lies; None: it is a whole image, and nothing is collected.
        collecting: whether the input is counted in.
    """

    _collected: list[tuple[Tensor, int]]  # sum over the pixels that a tile owns, and their number
    _shared: Tensor | None  # what was collected before

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
        """From now on answer with what was collected, and collect anew."""
        if self._collected:
            totals, counts = zip(*self._collected, strict=True)
            self._shared = torch.stack(totals).sum(dim=0) / sum(counts)
        self._collected = []

    def forget(self) -> None:
        """Take inputs for whole images again."""
        self.tile: Tile | None = None
        self.collecting = True
        self._collected = []
        self._shared = None


class WindowMean(nn.Module):
    """Mean of each channel over a window around each pixel: the test-time local converter.

    A network trained on crops has seen means over crops. The window gives it the same statistics on a large photo (Chu
    et al., ECCV 2022, arXiv 2112.04491). In training the mean is that of the image, i.e. of the crop.

    Args:
        window: side in pixels of the input. Windows that would leave it give way to the nearest ones that do not.
    """

    def __init__(self, window: int) -> None:
        super().__init__()
        self.window = window

    def forward(self, x: Tensor) -> Tensor:
        """(B, C, H, W) -> the same shape; (B, C, 1, 1) in training, and where the window covers the image."""
        height, width = x.shape[-2:]
        if self.training or self.window >= max(height, width):
            return F.adaptive_avg_pool2d(x, 1)
        means = x.float()  # running sums in half precision would be far off
        for dim in (2, 3):
            means = _running_mean(means, min(self.window, x.shape[dim]), dim)
        rows, columns = height - means.shape[2], width - means.shape[3]
        margins = (columns // 2, columns - columns // 2, rows // 2, rows - rows // 2)
        return F.pad(means, margins, mode="replicate").to(x.dtype)


def _running_mean(x: Tensor, window: int, dim: int) -> Tensor:
    """Means over all windows that lie inside, as differences of sums up to each pixel; `window - 1` fewer entries."""
    count = x.shape[dim] - window
    sums = x.cumsum(dim)
    first = sums.narrow(dim, window - 1, 1)
    rest = sums.narrow(dim, window, count) - sums.narrow(dim, 0, count)
    return torch.cat([first, rest], dim) / window


@contextlib.contextmanager
def means_over_tiles(network: nn.Module) -> Iterator[list[ChannelMean]]:
    """The layers of a network that take means over the image; in the end they take inputs for whole images again."""
    layers = [module for module in network.modules() if isinstance(module, ChannelMean)]
    try:
        yield layers
    finally:
        for layer in layers:
            layer.forget()
