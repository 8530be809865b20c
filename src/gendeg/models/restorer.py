"""What every restorer can do."""

import contextlib
import threading
import weakref
from abc import ABC, abstractmethod
from collections.abc import Iterator
from typing import Any

import torch
from diffusers import ModelMixin
from torch import Tensor
from tqdm import tqdm

from gendeg.errors import CheckpointError, InputError
from gendeg.models.image_kinds import split_batch, take_apart
from gendeg.models.means import means_over_tiles
from gendeg.models.memory import automatic_tile, is_out_of_memory
from gendeg.models.tiling import ALIGNMENT, OVERLAP, Tile, Tiling, check_tiles, map_tiles, smallest_tile

_LOCKS: "weakref.WeakKeyDictionary[Restorer, threading.Lock]" = weakref.WeakKeyDictionary()
COLOURS = 3  # channels of the images that networks are given
SWEEPS = 2  # over the tiles before the one that counts, if the network takes means over the image


class Restorer(ModelMixin, ABC):
    """Base of every restorer: a network that takes a degraded image and returns the clean one.

    A subclass writes `forward`, for images of any height and width, and is also a `diffusers.ConfigMixin`. If it
    takes means over the image, by `gendeg.models.means.ChannelMean`, then tiles see the means of the whole image.

    Attributes:
        tile_alignment: the tiles of a large image begin at multiples of so many pixels. Where the network downsamples,
            or attends within windows, that puts the same pixels together as in the whole image.
        image_channels: of the images that the network takes and gives. `AutoRestorer` refuses others than 3.
    """

    tile_alignment: int = ALIGNMENT
    image_channels: int = COLOURS

    @abstractmethod
    def forward(self, x: Tensor) -> Tensor:
        """Restored images, not clamped: (B, 3, H, W) in [0, 1] -> the same shape, any H and W."""

    @torch.no_grad()
    def restore(self, image: Any, tile: int | None = None, overlap: int = OVERLAP, progress: bool = True) -> Any:
        """Restore photos of any size, on the network's device and in its precision.

        Threads may share a network; it works for one of them at a time.

        Args:
            image: a PIL image, an array (H, W) or (H, W, C), a tensor (C, H, W), or many: a list of those of any sizes,
                an array (B, H, W, C), a tensor (B, C, H, W). Grey, with alpha, 8-bit, 16-bit, or floats in [0, 1].
            tile: longest side in pixels of the tiles that a large image is cut into; 0 takes every image whole. By
                default an image is cut only if it does not fit into memory, into the largest tiles that do (see
                `gendeg.models.memory.automatic_tile`).
            overlap: pixels that neighbouring tiles share; they blend into each other there. Tiles differ from the whole
                image where something else lies within their reach: close to their borders.
            progress: show a bar on terminals, if there is more than one image or tile.

        Returns:
            What was given, restored: the same type, shape, depth and size; PIL images upright, in their mode and with
            their alpha and metadata (the few exceptions: `gendeg.models.image_kinds.take_apart`).

        Raises:
            ImageError: not an image, or values out of range.
            InputError: tiles that cannot blend, or too large for the memory.
            CheckpointError: the network returned NaN.
        """
        check_tiles(tile, overlap, self.tile_alignment)
        images, put_together = split_batch(image)
        bar = tqdm(images, unit="image", disable=None if progress and len(images) > 1 else True)
        with _LOCKS.setdefault(self, threading.Lock()), _evaluating(self):  # its layers keep means from tile to tile
            return put_together([self._restore_one(one, tile, overlap, progress) for one in bar])

    def _restore_one(self, image: Any, tile: int | None, overlap: int, progress: bool) -> Any:
        colours, rebuild = take_apart(image)
        try:
            side = self._choose_tile(colours, overlap) if tile is None else tile
            tiling = Tiling(colours.shape[1], colours.shape[2], side, overlap, self.tile_alignment)
            restored = self._restore_tiles(colours, tiling, progress)
        except RuntimeError as error:
            if not is_out_of_memory(error):
                raise
            named = {None: "tiles chosen by free memory", 0: "the whole image at once"}
            what = named.get(tile, f"tiles of {tile} pixels")
            raise InputError(
                f"Out of memory on {self.device} with {what}. Free some memory, or give a smaller tile: with "
                f"overlap={overlap} at least {smallest_tile(overlap, self.tile_alignment)}."
            ) from error
        return rebuild(restored)

    def _choose_tile(self, colours: Tensor, overlap: int) -> int:
        with torch.inference_mode():
            return automatic_tile(self, colours.shape[-2], colours.shape[-1], overlap, self.tile_alignment)

    def _restore_tiles(self, colours: Tensor, tiling: Tiling, progress: bool) -> Tensor:
        if len(tiling) == 1:
            return self._restore_colours(colours)
        with means_over_tiles(self) as layers:
            sweeps = SWEEPS if layers else 0
            bar = tqdm(total=(sweeps + 1) * len(tiling), unit="tile", leave=False, disable=None if progress else True)

            def restore_tile(tile: Tile) -> Tensor:
                for layer in layers:
                    layer.tile = tile
                restored = self._restore_colours(colours[:, tile.rows, tile.columns])
                bar.update()
                return restored

            with bar:
                for sweep in range(sweeps):
                    for tile in tiling:
                        restore_tile(tile)
                    for layer in layers:
                        layer.end_sweep()
                        layer.collecting = sweep < sweeps - 1
                return map_tiles(restore_tile, colours, tiling)

    def _restore_colours(self, colours: Tensor) -> Tensor:
        """Float32 (3, H, W) in [0, 1] -> the same, on its device."""
        with torch.inference_mode():
            restored = self(colours[None].to(self.device, self.dtype))[0].float()
        if not torch.isfinite(restored).all():
            raise CheckpointError(
                f"{type(self).__name__} returned NaN or infinite values in {self.dtype}; use float32 or bfloat16, or "
                "check its weights."
            )
        # Outside inference mode, so that the result is an ordinary tensor.
        return restored.clamp(0, 1).to(colours.device)


@contextlib.contextmanager
def _evaluating(network: torch.nn.Module) -> Iterator[None]:
    """Evaluation mode for a while."""
    was_training = network.training
    network.eval()
    try:
        yield
    finally:
        network.train(was_training)
