"""Snow: falling flakes of many sizes and depths, alone or with the veil of distant snowfall."""

import math
from typing import ClassVar

import torch
from torch import Tensor

from gendeg.simulators.base import Fields, Simulator, per_image, scale_of
from gendeg.simulators.particles import layer_of, splat, visible_density
from gendeg.simulators.random_fields import RandomStreams, fractal_noise

FLAKES = 5000  # per 256 x 256 pixels
LARGE_SHARE = 8  # one flake in so many is near the camera: large and out of focus
FAINT, BRIGHT = 0.12, 1.0  # opacity of the flakes at spread 0 and 1


class SnowFlakes(Simulator):
    """White flakes; near ones are large and blurred by defocus and fall, far ones small and crisp.

    `strength` is the number of flakes, `spread` their opacity.
    """

    name: ClassVar[str] = "flakes"

    def draw(self, clean: Tensor, streams: RandomStreams) -> Fields:
        """Direction and speed of fall, and every flake's place, size and softness."""
        angle = streams.uniform(low=-40, high=40)
        size = streams.uniform(low=0.7, high=1.3)
        fall = streams.uniform(low=1.0, high=2.2)
        flakes = draw_flakes(clean, streams, angle, size, fall)
        return {"angle_degrees": angle, "flake_size": size, "fall": fall, "flakes": flakes,
                "brightness": streams.uniform(low=0.88, high=1.0)}

    def render(self, clean: Tensor, fields: Fields, strength: Tensor, spread: Tensor) -> Tensor:
        """Blend the flakes in as light."""
        opacity = FAINT * (BRIGHT / FAINT) ** spread
        cover = visible_density(fields["flakes"], strength).clamp_max(1) * per_image(opacity * fields["brightness"])
        return clean + cover * (1 - clean)


class VeiledSnow(SnowFlakes):
    """Flakes in front of a white, uneven veil of distant snowfall; `spread` 0 is mostly veil."""

    name: ClassVar[str] = "veiled"

    def draw(self, clean: Tensor, streams: RandomStreams) -> Fields:
        """Adds the veil's light and density."""
        drifts = fractal_noise(streams, tuple(clean.shape[-2:]), (3, 3), octaves=4)
        return super().draw(clean, streams) | {
            "veil": 0.5 + 0.5 * drifts, "veil_light": streams.uniform(low=0.8, high=0.98)}

    def render(self, clean: Tensor, fields: Fields, strength: Tensor, spread: Tensor) -> Tensor:
        """Veil first, then flakes in front of it."""
        density = per_image(strength**2 * (1.4 - spread)) * fields["veil"]
        veiled = torch.lerp(clean, per_image(fields["veil_light"]).maximum(clean), density.clamp_max(1))
        return super().render(veiled, fields, strength, spread)


def draw_flakes(clean: Tensor, streams: RandomStreams, angle: Tensor, size: Tensor, fall: Tensor) -> Tensor:
    """Draw flakes into layers (B, LAYERS, H, W): small crisp ones and a few large soft ones."""
    height, width = clean.shape[-2:]
    unit = scale_of(clean)
    count = max(64, round(FLAKES * height * width / (256 * unit) ** 2))
    layer = layer_of(count, clean.device)
    direction = torch.deg2rad(angle)
    is_large = torch.arange(count, device=clean.device) % LARGE_SHARE == 0
    draws = streams.uniform(count, 7)
    canvas = torch.zeros(())
    for large, low, high in ((False, 0.5, 1.4), (True, 1.4, 4.5)):
        chosen = is_large == large
        flake = draws[:, chosen]
        radius = (low + (high - low) * flake[..., 2] ** 3) * size[:, None] * max(unit, 0.75)
        reach = math.ceil(1.5 * high * max(unit, 0.75))
        canvas = canvas + _splat_flakes(flake, radius, reach, direction, fall, layer[chosen], (height, width))
    return canvas


def _splat_flakes(
    flake: Tensor, radius: Tensor, reach: int, direction: Tensor, fall: Tensor, layer: Tensor, size: tuple[int, int]
) -> Tensor:
    """Draw flakes (B, N, 7 random numbers each) as soft, slightly irregular ellipses stretched along the fall."""
    height, width = size
    offsets = torch.arange(-reach, reach + 1, device=flake.device)
    centre_row = flake[..., 0] * (height + 2 * reach) - reach
    centre_column = flake[..., 1] * (width + 2 * reach) - reach
    row = centre_row.round().long()[..., None] + offsets.repeat_interleave(len(offsets))
    column = centre_column.round().long()[..., None] + offsets.repeat(len(offsets))
    down, right = row - centre_row[..., None], column - centre_column[..., None]
    sine, cosine = torch.sin(direction)[:, None, None], torch.cos(direction)[:, None, None]
    stretch = 1 + (fall[:, None, None] - 1) * flake[..., 3, None]
    along = (down * cosine + right * sine) / stretch
    across = right * cosine - down * sine
    theta = torch.atan2(across, along)
    lobes = 1 + 0.25 * torch.cos(3 * theta + 6.28 * flake[..., 4, None])
    distance = torch.sqrt(along**2 + across**2) / (radius[..., None] * lobes)
    sharpness = 2.0 + 4.0 * flake[..., 5, None]
    weight = torch.exp(-(distance**sharpness)) * (0.45 + 0.55 * flake[..., 6, None])
    return splat(row, column, weight, layer, size)
