"""Rain: streaks of falling drops at many depths, alone or with the veil of the rain too far away to be resolved."""

import math
from typing import ClassVar, NamedTuple

import torch
from torch import Tensor

from gendeg.simulators.base import Fields, Simulator, per_image, pixel_grid, scale_of, size_of
from gendeg.simulators.particles import between, canvas_size, fit, layer_of, opacity_of, splat
from gendeg.simulators.random_fields import RandomStreams, fractal_noise

STREAKS = 3600  # in a square picture
NEAR_SHARE = 4  # one streak in so many is near the camera
SHORTEST, LONGEST = 16, 40  # pixels of a 256 x 256 picture
FAINT, BRIGHT = 0.03, 2.0  # optical thickness of a streak at spread 0 and 1


class RainStreaks(Simulator):
    """Thin bright streaks; near ones are longer, wider and fewer.

    `strength` is the number of streaks, `spread` their opacity: many faint ones, or few bright ones.
    """

    name: ClassVar[str] = "streaks"

    def draw(self, clean: Tensor, streams: RandomStreams) -> Fields:
        """Direction, length, and every streak's place, depth and brightness."""
        angle = streams.uniform(low=-28, high=28)
        length = streams.uniform(low=SHORTEST, high=LONGEST)
        return {
            "angle_degrees": angle,
            "length": length,
            "brightness": streams.uniform(low=0.85, high=1.0),
            "streaks": fit(draw_streaks(canvas_size(clean), streams, angle, length), clean),
        }

    def render(self, clean: Tensor, fields: Fields, strength: Tensor, spread: Tensor) -> Tensor:
        """Blend the streaks in as light: a streak never darkens."""
        cover = opacity_of(fields["streaks"], strength, FAINT * (BRIGHT / FAINT) ** spread)
        return clean + cover * per_image(fields["brightness"]) * (1 - clean)


class VeiledRain(RainStreaks):
    """Streaks in front of a pale veil that far rain and spray lay over the scene; `spread` 0 is mostly veil."""

    name: ClassVar[str] = "veiled"

    def draw(self, clean: Tensor, streams: RandomStreams) -> Fields:
        """Adds the veil: its light and its uneven density, thicker towards the ground."""
        rows, _ = pixel_grid(clean)
        gusts = fractal_noise(streams, size_of(clean), (2, 2), octaves=3)
        veil = 0.5 + 0.3 * gusts + 0.2 * rows / clean.shape[-2]
        return super().draw(clean, streams) | {"veil": veil, "veil_light": streams.uniform(low=0.7, high=0.9)}

    def render(self, clean: Tensor, fields: Fields, strength: Tensor, spread: Tensor) -> Tensor:
        """Veil first, then streaks in front of it."""
        density = per_image(strength**2 * (1.2 - spread)) * fields["veil"]
        veiled = torch.lerp(clean, per_image(fields["veil_light"]).maximum(clean), density.clamp_max(1))
        return super().render(veiled, fields, strength, spread)


def draw_streaks(size: tuple[int, int], streams: RandomStreams, angle: Tensor, length: Tensor) -> Tensor:
    """Draw antialiased streaks into layers (B, LAYERS, H, W).

    `angle` is measured from the vertical in degrees, `length` in pixels of a picture of 256 pixels.
    """
    count = max(64, round(STREAKS * max(size) / min(size)))
    layer = layer_of(count, streams.device)
    is_near = torch.arange(count, device=streams.device) % NEAR_SHARE == 0
    draws = streams.uniform(count, 6)
    slope = torch.tan(torch.deg2rad(angle[:, None] + 3 * (draws[..., 5] - 0.5)))
    near = _Depth(length=(0.4, 0.8), radius=(0.7, 1.1), peak=(0.7, 1.3))
    far = _Depth(length=(0.2, 0.45), radius=(0.5, 0.7), peak=(0.35, 1.0))
    return sum(
        (
            _splat_streaks(draws[:, chosen], depth, slope[:, chosen], length, layer[chosen], size)
            for chosen, depth in ((is_near, near), (~is_near, far))
        ),
        start=torch.zeros((), device=streams.device),
    )


class _Depth(NamedTuple):
    """Ranges of the streaks at one distance: half length relative to the picture's, radius in pixels, brightness."""

    length: tuple[float, float]
    radius: tuple[float, float]
    peak: tuple[float, float]


def _splat_streaks(
    draws: Tensor, depth: _Depth, slope: Tensor, length: Tensor, layer: Tensor, size: tuple[int, int]
) -> Tensor:
    """Sample each streak on every row it crosses, at the few columns beside its axis.

    `draws` (B, N, 6) are uniform numbers, `slope` (B, N) columns per row, `length` (B,), `layer` (N,).
    """
    height, width = size
    unit = scale_of(size)
    half_length = unit * length[:, None] * between(depth.length, draws[..., 2])
    radius = between(depth.radius, draws[..., 3]) * max(unit, 0.75)
    peak = between(depth.peak, draws[..., 4])

    reach, margin = math.ceil(LONGEST * unit * depth.length[1]), math.ceil(2 * depth.radius[1] * max(unit, 0.75) - 0.5)
    down = torch.arange(-reach, reach + 1, device=draws.device)
    across = torch.arange(-margin, margin + 1, device=draws.device)
    row = ((draws[..., 0] * height).long()[..., None] + down) % height
    axis = ((draws[..., 1] * width)[..., None] + slope[..., None] * down) % width
    nearest = axis.round()
    along = down * (1 + slope**2).sqrt()[..., None] / half_length[..., None]
    fade = (1 - along**2).clamp_min(0) * peak[..., None]

    padded = width + 2 * margin + 1
    pixel = (row * padded + nearest.long() + margin)[..., None] + across
    inverse = (1 / (radius**2 * 4 * (1 + slope**2)))[..., None, None]
    profile = (1 - ((nearest - axis)[..., None] + across) ** 2 * inverse).clamp_min(0) ** 2
    layers = splat(pixel, profile * fade[..., None], layer, (height, padded))
    return layers[..., margin : margin + width]
