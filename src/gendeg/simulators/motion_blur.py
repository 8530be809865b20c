"""Motion blur: light gathered along a path during the exposure, by the camera or by something that moves."""

import math
from abc import abstractmethod
from typing import ClassVar

import torch
import torch.nn.functional as F
from torch import Tensor

from gendeg.simulators.base import Fields, Simulator, every, per_image, size_of
from gendeg.simulators.color import linear_to_srgb, srgb_to_linear
from gendeg.simulators.random_fields import RandomStreams, fractal_noise

MOMENTS = 49  # points of time at which the exposure is sampled, at least
SAMPLED_MOMENTS = 24  # of which a thinned picture looks at about so many
LONGEST = 0.25  # extent of the longest path, relative to the short side


class PathBlur(Simulator):
    """The mean, in linear light, of the picture moved along a path. `strength` is the length of the path.

    The blur of a given picture along a given path has one sigma for each mu: `spread` does nothing.
    """

    has_spread: ClassVar[bool] = False

    @abstractmethod
    def path(self, streams: RandomStreams) -> Tensor:
        """The path (B, MOMENTS, 2) as (down, right), of any extent."""

    def moving(self, light: Tensor, streams: RandomStreams) -> Tensor:
        """What moves: the light (B, 3, H, W), or with a fourth channel the opacity of the object it belongs to."""
        return light

    def draw(self, clean: Tensor, streams: RandomStreams) -> Fields:
        """The path, centred so that the picture stays in place, and the moving light with a mirrored margin."""
        longest = math.ceil(LONGEST * min(size_of(clean)))  # pixels; no gaps wider than about one
        path = F.interpolate(
            self.path(streams).transpose(1, 2), size=max(MOMENTS, longest), mode="linear", align_corners=True
        ).transpose(1, 2)
        path = path - (path.amax(1, keepdim=True) + path.amin(1, keepdim=True)) / 2
        radius = path.norm(dim=2).amax(1)[:, None, None].clamp_min(1e-6)
        light = srgb_to_linear(clean)
        margin = _margin(clean)
        source = F.pad(self.moving(light, streams), (margin,) * 4, mode="reflect")
        size = [_round_up(side, 16) for side in source.shape[-2:]]
        return {
            "path": path / radius,
            "longest_radius": torch.full((len(clean),), max(0.0, margin - 1.0), device=clean.device),
            "light": light,
            "source": source,
            "spectrum": torch.fft.rfft2(source, s=size),
        }

    def render(self, clean: Tensor, fields: Fields, strength: Tensor, spread: Tensor) -> Tensor:
        """Gather the moving light along the path; where an object moved, the still scene shows through."""
        path = fields["path"] * (fields["longest_radius"] * strength**2)[:, None, None]
        gather = _gather_at if "positions" in fields else _gather_everywhere
        gathered = gather(clean, fields, path)
        light, opacity = gathered[:, :3], gathered[:, 3:]
        still = (1 - opacity) * fields["light"] if opacity.shape[1] else 0
        return linear_to_srgb(light + still)

    def thin(self, clean: Tensor, fields: Fields, stride: int) -> tuple[Tensor, Fields]:
        """Keep few pixels, for each of which costs many look-ups, and the whole moving light they gather from."""
        stride *= 2
        kept = {key: fields[key] for key in ("path", "longest_radius", "source") if key in fields}
        maps = {"light": fields["light"]} if "light" in fields else {}
        thinned, maps = super().thin(clean, maps, stride)
        rows, columns = (torch.arange(side, device=clean.device)[every(side, stride)] for side in clean.shape[-2:])
        positions = torch.cartesian_prod(rows, columns).float() + _margin(clean)
        return thinned, kept | maps | {"positions": positions.expand(len(clean), -1, -1)}


class LinearBlur(PathBlur):
    """A straight or slightly bent path at constant speed, in any direction."""

    name: ClassVar[str] = "linear"

    def path(self, streams: RandomStreams) -> Tensor:
        """A parabola of small curvature in any direction."""
        return _bent_line(streams, bend=0.25)


class PanningBlur(PathBlur):
    """The camera pans, or looks out of a vehicle: a nearly straight and horizontal path."""

    name: ClassVar[str] = "pan"

    def path(self, streams: RandomStreams) -> Tensor:
        """A nearly straight line, whose ends are at most 10 degrees off the horizontal one."""
        return _bent_line(streams, bend=0.1, steepest=math.radians(10))


class CameraShake(PathBlur):
    """A trembling hand: an irregular path that turns and lingers."""

    name: ClassVar[str] = "shake"
    TURNS = 9

    def path(self, streams: RandomStreams) -> Tensor:
        """A random walk with inertia, made smooth."""
        drift, tremor = streams.normal(2, 1), streams.normal(2, self.TURNS)
        steps = (0.6 * drift + tremor).cumsum(2)
        return F.interpolate(steps, size=MOMENTS, mode="linear", align_corners=True).transpose(1, 2)


class MovingObject(PathBlur):
    """One region of the picture moves in a line before a still background, with a soft outline."""

    name: ClassVar[str] = "object"

    def path(self, streams: RandomStreams) -> Tensor:
        """A nearly straight line."""
        return _bent_line(streams, bend=0.1)

    def moving(self, light: Tensor, streams: RandomStreams) -> Tensor:
        """The light of a region that covers 25 to 70 % of the picture, and its opacity."""
        relief = fractal_noise(streams, size_of(light), (2, 2), octaves=3)
        share = streams.uniform(low=0.25, high=0.7)
        ranked = relief[..., ::4, ::4].flatten(1).sort(1).values
        level = ranked.gather(1, ((1 - share) * ranked.shape[1]).long()[:, None])
        opacity = torch.sigmoid((relief - per_image(level[:, 0])) * 40)
        return torch.cat([light * opacity, opacity], 1)


def _bent_line(streams: RandomStreams, bend: float, steepest: float = math.pi) -> Tensor:
    direction, curvature = streams.uniform(low=-steepest, high=steepest), streams.uniform(low=-bend, high=bend)
    time = torch.linspace(-1, 1, MOMENTS, device=streams.device)
    heading = torch.stack([direction.sin(), direction.cos()], 1)[:, None]
    normal = torch.stack([direction.cos(), -direction.sin()], 1)[:, None]
    return heading * time[None, :, None] + normal * (curvature[:, None] * time**2)[..., None]


def _gather_everywhere(clean: Tensor, fields: Fields, path: Tensor) -> Tensor:
    """The mean of the moved pictures at every pixel: convolution with the path, by FFT."""
    height, width = clean.shape[-2:]
    margin = _margin(clean)
    spectrum = fields["spectrum"]
    size = [_round_up(side + 2 * margin, 16) for side in (height, width)]
    kernel = torch.fft.rfft2(_path_kernel(path, size))
    moved = torch.fft.irfft2(spectrum * kernel[:, None], s=size)
    return moved[..., margin : margin + height, margin : margin + width]


def _path_kernel(path: Tensor, size: list[int]) -> Tensor:
    """The path as weights on the pixel grid (B, *size), origin at [0, 0], negative positions wrapped; sums to 1."""
    floor = path.floor()
    fraction = path - floor
    kernel = torch.zeros(len(path), size[0] * size[1], device=path.device)
    for down in (0, 1):  # the four pixels around each point share its weight
        for right in (0, 1):
            row = (floor[..., 0].long() + down) % size[0]
            column = (floor[..., 1].long() + right) % size[1]
            weight = (1 - (fraction[..., 0] - down).abs()) * (1 - (fraction[..., 1] - right).abs())
            kernel.scatter_add_(1, row * size[1] + column, weight / path.shape[1])
    return kernel.view(len(path), *size)


def _gather_at(clean: Tensor, fields: Fields, path: Tensor) -> Tensor:
    """The same mean, over fewer moments, at the pixels of a thinned picture only."""
    height, width = fields["source"].shape[-2:]
    path = path[:, :: path.shape[1] // SAMPLED_MOMENTS]
    points = fields["positions"][:, None] - path[:, :, None]  # (B, moments, pixels, 2)
    extent = torch.tensor([height - 1, width - 1], device=path.device).clamp_min(1)
    grid = (2 * points / extent - 1).flip(-1)
    moved = F.grid_sample(fields["source"], grid, align_corners=True)
    return moved.mean(2).unflatten(-1, clean.shape[-2:])


def _margin(clean: Tensor) -> int:
    """Width of the mirrored margin: the reach of the longest path, less than the picture itself."""
    side = min(clean.shape[-2:])
    return min(math.ceil(LONGEST / 2 * side) + 1, side - 1)


def _round_up(side: int, multiple: int) -> int:
    """A size with small prime factors, of which the FFT is quick."""
    return -(-side // multiple) * multiple
