"""Haze: atmospheric scattering (Koschmieder), over a procedural depth or through drifting clouds of fog."""

import math
from abc import abstractmethod
from typing import ClassVar

import torch
import torch.nn.functional as F
from torch import Tensor

from gendeg.simulators.base import Fields, Simulator, per_image, pixel_grid, size_of
from gendeg.simulators.random_fields import RandomStreams, fractal_noise, stretch

MAX_OPTICAL_DEPTH = 3.2  # the scene stays just visible
UNIFORM, CONTRASTED = 0.1, 8.0  # exponents of the thickness at spread 0 and 1


class Scattering(Simulator):
    """`degraded = clean * t + airlight * (1 - t)`, `t = exp(-beta * thickness)`.

    `strength` is the optical depth beta; `spread` the contrast of the thickness map, from nearly uniform fog to haze
    that only the thickest places show.
    """

    @abstractmethod
    def thickness(self, clean: Tensor, streams: RandomStreams) -> Tensor:
        """How much air or fog lies before each pixel: (B, 1, H, W) in (0, 1]."""

    def draw(self, clean: Tensor, streams: RandomStreams) -> Fields:
        """Airlight (grey with a slight tint) and the thickness map."""
        airlight = streams.uniform(1, low=0.72, high=0.98) + streams.uniform(3, low=-0.02, high=0.02)
        thickness = self.thickness(clean, streams).clamp(0.02, 1)
        return {"airlight": airlight, "log_thickness": thickness.log()}

    def render(self, clean: Tensor, fields: Fields, strength: Tensor, spread: Tensor) -> Tensor:
        """Attenuate the scene and add the airlight."""
        exponent = UNIFORM * (CONTRASTED / UNIFORM) ** spread
        thickness = (fields["log_thickness"] * per_image(exponent)).exp()
        transmission = (thickness * per_image(-MAX_OPTICAL_DEPTH * strength**3)).exp()
        return torch.lerp(fields["airlight"][:, :, None, None], clean, transmission)


class DepthHaze(Scattering):
    """Haze that thickens with distance.

    The depth is procedural: a ground plane up to a horizon, smooth relief, and a cue from the photo (pale, unsaturated
    regions are far: the dark channel), all made to follow the photo's edges by a guided filter.
    """

    name: ClassVar[str] = "depth"

    def thickness(self, clean: Tensor, streams: RandomStreams) -> Tensor:
        """Depth of the scene, 1 at the horizon and beyond."""
        horizon, nearness = streams.uniform(low=0.15, high=0.5), streams.uniform(low=3, high=10)
        relief_weight, cue_weight = streams.uniform(low=0.1, high=0.4), streams.uniform(low=0.1, high=0.5)
        rows, _ = pixel_grid(clean)
        below = (rows / clean.shape[-2] - per_image(horizon)).clamp_min(0) / per_image(1 - horizon)
        plane = 1 / (1 + per_image(nearness) * below)
        relief = fractal_noise(streams, size_of(clean), (2, 2), octaves=3)
        cue = stretch(clean.amin(1, keepdim=True))
        depth = plane * (1 - per_image(relief_weight) * relief) * (1 - per_image(cue_weight) * (1 - cue))
        return follow_edges(depth, clean).clamp(0.02, 1)


class PatchyHaze(Scattering):
    """Non-homogeneous haze: clouds of fog of several sizes, stretched along the horizon."""

    name: ClassVar[str] = "patchy"

    def thickness(self, clean: Tensor, streams: RandomStreams) -> Tensor:
        """Density of the fog."""
        clouds = fractal_noise(streams, size_of(clean), (3, 2), octaves=5, persistence=0.55)
        return 0.05 + 0.95 * clouds


def follow_edges(field: Tensor, clean: Tensor, cells: int = 64) -> Tensor:
    """Make a smooth field (B, 1, H, W) follow the photo's edges: a fast guided filter (He and Sun, 2015).

    The linear coefficients are computed on a picture of `cells` pixels and enlarged.
    """
    height, width = clean.shape[-2:]
    ratio = min(1.0, cells / min(height, width))
    small = (math.ceil(height * ratio), math.ceil(width * ratio))
    grey = clean.mean(1, keepdim=True)
    guide, target = F.adaptive_avg_pool2d(grey, small), F.adaptive_avg_pool2d(field, small)
    radius = max(1, min(small) // 10)

    def window_mean(values: Tensor) -> Tensor:
        return F.avg_pool2d(values, 2 * radius + 1, 1, radius, count_include_pad=False)

    guide_mean, target_mean = window_mean(guide), window_mean(target)
    variance = window_mean(guide * guide) - guide_mean**2
    slope = (window_mean(guide * target) - guide_mean * target_mean) / (variance + 1e-3)
    offset = target_mean - slope * guide_mean
    slope, offset = F.interpolate(
        torch.cat([window_mean(slope), window_mean(offset)], 1), size=(height, width), mode="bilinear"
    ).split(1, 1)
    return slope * grey + offset
