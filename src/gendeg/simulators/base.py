"""What every physical degradation model is: random fields drawn once, then a cheap rendering with two knobs."""

from abc import ABC, abstractmethod
from typing import ClassVar

import torch
from torch import Tensor

from gendeg.simulators.random_fields import RandomStreams

Fields = dict[str, Tensor]
"""What a model drew for a batch. A tensor (B, C, H, W) is a map over the image's pixels; every other shape,
(B,) or (B, ...), holds numbers of the whole image and is reported in the output's `parameters`."""


class Simulator(ABC):
    """A physical model of one degradation.

    `draw` makes every random choice; `render` is then a pure function of two knobs in [0, 1], so that a solver can turn
    them until the requested severity is met. The mean of the degradation map grows with `strength`, from 0 at 0.
    `spread` moves its standard deviation at equal mean (depth contrast, few bright or many faint streaks, ...).

    Attributes:
        name: how the model is called within its degradation.
        has_spread: whether `spread` changes anything; a model without it has the sigma that its mu implies.
    """

    name: ClassVar[str]
    has_spread: ClassVar[bool] = True

    @abstractmethod
    def draw(self, clean: Tensor, streams: RandomStreams) -> Fields:
        """Draw all random fields for the images `clean` (B, 3, H, W) in [0, 1]."""

    @abstractmethod
    def render(self, clean: Tensor, fields: Fields, strength: Tensor, spread: Tensor) -> Tensor:
        """Degrade `clean` (B, 3, H, W), `strength` and `spread` (B,) in [0, 1]; returns the same shape in [0, 1]."""

    def thin(self, clean: Tensor, fields: Fields, stride: int) -> tuple[Tensor, Fields]:
        """Keep every `stride`-th pixel of the images and maps: a small sample on which severity is estimated."""
        thinned = {key: _thin(value, stride) if value.ndim == 4 else value for key, value in fields.items()}
        return _thin(clean, stride), thinned


def per_image(values: Tensor) -> Tensor:
    """Shape (B,) as (B, 1, 1, 1), to broadcast over an image."""
    return values[:, None, None, None]


def pixel_grid(clean: Tensor) -> tuple[Tensor, Tensor]:
    """Row and column index of every pixel, in pixels: (1, 1, H, 1) and (1, 1, 1, W)."""
    height, width = clean.shape[-2:]
    rows = torch.arange(height, device=clean.device, dtype=clean.dtype)
    columns = torch.arange(width, device=clean.device, dtype=clean.dtype)
    return rows[None, None, :, None], columns[None, None, None, :]


def size_of(clean: Tensor) -> tuple[int, int]:
    """Height and width of images (B, C, H, W)."""
    return clean.shape[-2], clean.shape[-1]


def scale_of(size: tuple[int, int]) -> float:
    """Size of a picture relative to a short side of 256 pixels; drops, streaks and flakes scale with it."""
    return min(size) / 256


def every(side: int, stride: int) -> slice:
    """Every `stride`-th of `side` pixels, at least one."""
    return slice(min(stride // 2, side - 1), None, stride)


def _thin(maps: Tensor, stride: int) -> Tensor:
    height, width = maps.shape[-2:]
    return maps[..., every(height, stride), every(width, stride)].contiguous()
