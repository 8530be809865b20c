"""Snow: falling flakes of many sizes and depths, alone or with the veil of distant snowfall."""

from typing import ClassVar, NamedTuple

import torch
from torch import Tensor

from gendeg.simulators.base import Fields, Simulator, per_image, scale_of, size_of
from gendeg.simulators.particles import between, canvas_size, fit, layer_of, opacity_of, splat
from gendeg.simulators.random_fields import RandomStreams, fractal_noise

FLAKES = 7000  # in a square picture
NEAR_SHARE = 8  # one flake in so many is near the camera: large and out of focus
SMALLEST, LARGEST = 0.7, 1.3  # relative size of the flakes of a picture
FAINT, BRIGHT = 0.05, 3.0  # optical thickness of a flake at spread 0 and 1


class SnowFlakes(Simulator):
    """White flakes; near ones are large and blurred by defocus and fall, far ones small and crisp.

    `strength` is the number of flakes, `spread` their opacity.
    """

    name: ClassVar[str] = "flakes"

    def draw(self, clean: Tensor, streams: RandomStreams) -> Fields:
        """Direction and speed of fall, and every flake's place, size and softness."""
        angle = streams.uniform(low=-40, high=40)
        size = streams.uniform(low=SMALLEST, high=LARGEST)
        fall = streams.uniform(low=0.9, high=1.6)
        motion = torch.stack([torch.deg2rad(angle), size, fall], 1)
        return {
            "angle_degrees": angle,
            "flake_size": size,
            "fall": fall,
            "brightness": streams.uniform(low=0.88, high=1.0),
            "flakes": fit(draw_flakes(canvas_size(clean), streams, motion), clean),
        }

    def render(self, clean: Tensor, fields: Fields, strength: Tensor, spread: Tensor) -> Tensor:
        """Blend the flakes in as light."""
        cover = opacity_of(fields["flakes"], strength, FAINT * (BRIGHT / FAINT) ** spread)
        return clean + cover * per_image(fields["brightness"]) * (1 - clean)


class VeiledSnow(SnowFlakes):
    """Flakes in front of a white, uneven veil of distant snowfall; `spread` 0 is mostly veil."""

    name: ClassVar[str] = "veiled"

    def draw(self, clean: Tensor, streams: RandomStreams) -> Fields:
        """Adds the veil's light and density."""
        drifts = fractal_noise(streams, size_of(clean), (3, 3), octaves=4)
        return super().draw(clean, streams) | {
            "veil": 0.5 + 0.5 * drifts,
            "veil_light": streams.uniform(low=0.8, high=0.98),
        }

    def render(self, clean: Tensor, fields: Fields, strength: Tensor, spread: Tensor) -> Tensor:
        """Veil first, then flakes in front of it."""
        density = per_image(strength**2 * (1.2 - spread)) * fields["veil"]
        veiled = torch.lerp(clean, per_image(fields["veil_light"]).maximum(clean), density.clamp_max(1))
        return super().render(veiled, fields, strength, spread)


def draw_flakes(size: tuple[int, int], streams: RandomStreams, motion: Tensor) -> Tensor:
    """Draw flakes into layers (B, LAYERS, H, W): small crisp ones and fewer large soft ones.

    `motion` (B, 3) holds the angle of the fall in radians, the relative size of the flakes, and their stretch.
    """
    count = max(64, round(FLAKES * max(size) / min(size)))
    layer = layer_of(count, streams.device)
    is_near = torch.arange(count, device=streams.device) % NEAR_SHARE == 0
    draws = streams.uniform(count, 7)
    near = _Depth(radius=(1.4, 4.2), edge=(1.2, 4.5), peak=(0.4, 0.9))
    far = _Depth(radius=(0.5, 1.5), edge=(0.8, 1.4), peak=(0.5, 1.1))
    return sum(
        (
            _splat_flakes(draws[:, chosen], depth, motion, layer[chosen], size)
            for chosen, depth in ((is_near, near), (~is_near, far))
        ),
        start=torch.zeros((), device=streams.device),
    )


class _Depth(NamedTuple):
    """Ranges of the flakes at one distance: radius and width of the soft edge in pixels, brightness."""

    radius: tuple[float, float]
    edge: tuple[float, float]
    peak: tuple[float, float]


def _splat_flakes(draws: Tensor, depth: _Depth, motion: Tensor, layer: Tensor, size: tuple[int, int]) -> Tensor:
    """Draw flakes as soft ellipses of all orientations, stretched along their fall.

    `draws` (B, N, 7) are uniform numbers, `motion` (B, 3) as in `draw_flakes`, `layer` (N,).
    """
    height, width = size
    unit = max(scale_of(size), 0.75)
    angle, relative_size, fall = motion[:, :, None].unbind(1)
    radius = between(depth.radius, draws[..., 2] ** 3) * relative_size * unit
    edge = between(depth.edge, draws[..., 3]) * unit
    peak = between(depth.peak, draws[..., 4])
    tilt = angle + 1.2 * (draws[..., 5] - 0.5)
    flatness = fall * (0.7 + 0.6 * draws[..., 6])

    reach = round(unit * (1.3 * LARGEST * depth.radius[1] + depth.edge[1] / 2))
    offsets = torch.arange(-reach, reach + 1, device=draws.device)
    centre_row, centre_column = draws[..., 0] * height, draws[..., 1] * width
    row = centre_row.long()[..., None] + offsets
    column = centre_column.long()[..., None] + offsets
    pixel = (row % height * width)[..., :, None] + (column % width)[..., None, :]
    down = (row - centre_row[..., None])[..., :, None]
    right = (column - centre_column[..., None])[..., None, :]
    along = down * tilt.cos()[..., None, None] + right * tilt.sin()[..., None, None]
    across = right * tilt.cos()[..., None, None] - down * tilt.sin()[..., None, None]
    distance = torch.sqrt(along**2 / flatness[..., None, None] + across**2 * flatness[..., None, None])
    cover = ((radius[..., None, None] - distance) / edge[..., None, None] + 0.5).clamp(0, 1)
    return splat(pixel, cover * peak[..., None, None], layer, (height, width))
