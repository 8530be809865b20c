"""Rain: streaks of falling drops at many depths, alone or with the veil of the rain too far away to be resolved."""

import math
from typing import ClassVar

import torch
from torch import Tensor

from gendeg.simulators.base import Fields, Simulator, per_image, pixel_grid, scale_of
from gendeg.simulators.particles import layer_of, splat, visible_density
from gendeg.simulators.random_fields import RandomStreams, fractal_noise

STREAKS = 3000  # per 256 x 256 pixels
SHORTEST, LONGEST = 12, 34  # pixels of a 256 x 256 picture
FAINT, BRIGHT = 0.08, 1.0  # opacity of the streaks at spread 0 and 1


class RainStreaks(Simulator):
    """Thin bright streaks; near ones are longer, wider and fewer.

    `strength` is the number of streaks, `spread` their opacity: many faint ones, or few bright ones.
    """

    name: ClassVar[str] = "streaks"

    def draw(self, clean: Tensor, streams: RandomStreams) -> Fields:
        """Direction, length, and every streak's place, depth and brightness."""
        angle = streams.uniform(low=-28, high=28)
        length = streams.uniform(low=SHORTEST, high=LONGEST) * scale_of(clean)
        streaks = draw_streaks(clean, streams, angle, length)
        return {"angle_degrees": angle, "length_pixels": length, "streaks": streaks,
                "brightness": streams.uniform(low=0.85, high=1.0)}

    def render(self, clean: Tensor, fields: Fields, strength: Tensor, spread: Tensor) -> Tensor:
        """Blend the streaks in as light: a streak never darkens."""
        opacity = FAINT * (BRIGHT / FAINT) ** spread
        cover = visible_density(fields["streaks"], strength).clamp_max(1) * per_image(opacity * fields["brightness"])
        return clean + cover * (1 - clean)


class VeiledRain(RainStreaks):
    """Streaks in front of a pale veil that far rain and spray lay over the scene; `spread` 0 is mostly veil."""

    name: ClassVar[str] = "veiled"

    def draw(self, clean: Tensor, streams: RandomStreams) -> Fields:
        """Adds the veil: its light and its uneven density, thicker towards the ground."""
        rows, _ = pixel_grid(clean)
        gusts = fractal_noise(streams, tuple(clean.shape[-2:]), (2, 2), octaves=3)
        veil = 0.5 + 0.3 * gusts + 0.2 * rows / clean.shape[-2]
        return super().draw(clean, streams) | {"veil": veil, "veil_light": streams.uniform(low=0.7, high=0.9)}

    def render(self, clean: Tensor, fields: Fields, strength: Tensor, spread: Tensor) -> Tensor:
        """Veil first, then streaks in front of it."""
        density = per_image(strength**2 * (1.4 - spread)) * fields["veil"]
        veiled = torch.lerp(clean, per_image(fields["veil_light"]).maximum(clean), density.clamp_max(1))
        return super().render(veiled, fields, strength, spread)


def draw_streaks(clean: Tensor, streams: RandomStreams, angle: Tensor, length: Tensor) -> Tensor:
    """Draw antialiased streaks into layers (B, LAYERS, H, W); `angle` from the vertical in degrees, `length` in pixels.

    A streak is sampled on every row it crosses, at the few columns beside its axis.
    """
    height, width = clean.shape[-2:]
    unit = scale_of(clean)
    count = max(64, round(STREAKS * height * width / (256 * unit) ** 2))
    draws = streams.uniform(count, 6)
    nearness = draws[..., 2] ** 3  # most streaks are far
    half_length = length[:, None] * (0.25 + 0.4 * nearness + 0.2 * draws[..., 3])
    radius = (0.42 + 0.5 * nearness) * max(unit, 0.75)
    peak = (0.5 + 0.9 * draws[..., 4]) * (0.7 + 0.3 * nearness)
    slope = torch.tan(torch.deg2rad(angle[:, None] + 3 * (draws[..., 5] - 0.5)))
    cosine = 1 / torch.sqrt(1 + slope**2)

    reach = math.ceil(0.85 * LONGEST * unit)
    down = torch.arange(-reach, reach + 1, device=clean.device)
    across = torch.arange(-math.ceil(2 * unit), math.ceil(2 * unit) + 1, device=clean.device)
    row = (draws[..., 0] * (height + 2 * reach) - reach).round().long()[..., None] + down
    axis = (draws[..., 1] * (1.6 * width) - 0.3 * width)[..., None] + slope[..., None] * down
    column = axis.round().long()[..., None] + across
    distance = (column - axis[..., None]) * cosine[..., None, None]
    profile = torch.exp(-0.5 * (distance / radius[..., None, None]) ** 2)
    along = (down * cosine.reciprocal()[..., None] / half_length[..., None]).abs()
    fade = (1 - along**2).clamp_min(0) * peak[..., None]
    samples = (profile * fade[..., None]).flatten(2)
    rows = row[..., None].expand_as(column).flatten(2)
    return splat(rows, column.flatten(2), samples, layer_of(count, clean.device), (height, width))
