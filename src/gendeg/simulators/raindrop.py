"""Raindrops on a window or lens: lenses that show the scene upside down, soft ones out of focus, water running down."""

import math
from abc import abstractmethod
from typing import ClassVar

import torch
import torch.nn.functional as F
from torch import Tensor

from gendeg.simulators.base import Fields, Simulator, per_image, pixel_grid, scale_of, size_of
from gendeg.simulators.random_fields import RandomStreams

FAINT, STRONG = 0.1, 1.0  # opacity of the water at spread 0 and 1
FADE = 0.03  # share of the water that is just appearing


class WaterOnGlass(Simulator):
    """Water shows the scene refracted; it appears piece by piece.

    `strength` is how much of the glass is wet, `spread` how clearly water differs from the scene behind: thin films
    out of focus, or thick drops.
    """

    @abstractmethod
    def draw(self, clean: Tensor, streams: RandomStreams) -> Fields:
        """Maps of the water, in L layers, the topmost first.

        `order` (B, L, H, W): when a pixel becomes wet, in [0, 1]; `cover` (B, L, H, W): how much of it is water;
        `view` (B, 3 L, H, W): what the water shows there.
        """

    def render(self, clean: Tensor, fields: Fields, strength: Tensor, spread: Tensor) -> Tensor:
        """Lay the water that `strength` shows over the scene."""
        opacity = FAINT * (STRONG / FAINT) ** spread
        wet = ((per_image(strength) * (1 + FADE) - fields["order"]) / FADE).clamp(0, 1)
        weight = fields["cover"] * wet * per_image(opacity)
        for view, cover in reversed(list(zip(fields["view"].split(3, 1), weight.split(1, 1), strict=True))):
            clean = torch.lerp(clean, view, cover)
        return clean


class RefractingDrops(WaterOnGlass):
    """Drops of many sizes, each a fisheye lens that shows a wide view of the scene upside down, with a dark rim."""

    name: ClassVar[str] = "drops"
    DROPS = 320  # in a square picture
    RADII = ((2.5, 6.0), (6.0, 13.0), (12.0, 24.0))  # pixels of a 256 x 256 picture: 3/4, 3/16 and 1/16 of the drops
    DETAIL = 3.0  # pixels of such a picture over which what a drop shows is blurred
    LAYERS = 2  # drops that one pixel can show: the lower ones where those above them fade
    VIEW_POSITION = 0.5  # centre of what a drop shows: 0 the middle of the picture, 1 what is behind it
    OPTICS: ClassVar[dict[str, tuple[float, float]]] = {
        "field_of_view": (0.5, 0.9),  # of the picture's side
        "softness": (0.1, 0.6),  # share of the radius over which a drop ends
        "rim": (0.3, 0.8),  # its darkness
        "gain": (0.9, 1.8),  # brightness of the view: it is wide, and the sky is in it
        "glare": (0.2, 1.2),  # light of the reflex
    }

    def draw(self, clean: Tensor, streams: RandomStreams) -> Fields:
        """The drops, and the focus, field of view and light of the picture."""
        drops, kind = self._draw_drops(clean, streams)
        optics = {name: streams.uniform(low=low, high=high) for name, (low, high) in self.OPTICS.items()}
        height, width = size_of(clean)
        pixel, claim = self._claims(drops, kind, clean)
        owner = torch.full((len(clean) * height * width,), -1, device=clean.device)  # above every drop
        layers = []
        for _ in range(self.LAYERS):
            below = claim.where(claim > owner[pixel], len(kind))
            owner = torch.full_like(owner, len(kind)).scatter_reduce_(0, pixel, below, "amin")
            layers.append(self._look(clean, drops, owner.view(-1, 1, height, width), optics))
        return {key: torch.cat([layer[key] for layer in layers], 1) for key in layers[0]} | optics

    def _draw_drops(self, clean: Tensor, streams: RandomStreams) -> tuple[Fields, Tensor]:
        """Place, size and shape of N drops, (B, N) or (B, N, 4), and which of `RADII` each has, (N,)."""
        height, width = size_of(clean)
        unit = scale_of((height, width))
        count = max(16, round(self.DROPS * height * width / min(height, width) ** 2))
        draws = streams.uniform(count, 8)
        number = torch.arange(count, device=clean.device)
        kind = torch.where(number % 16 == 0, 2, (number % 4 == 0).long())
        smallest, largest = torch.tensor(self.RADII, device=clean.device)[kind].T * unit
        drops = {
            "row": draws[..., 0] * height,
            "column": draws[..., 1] * width,
            "radius": (smallest + (largest - smallest) * draws[..., 2] ** 2).clamp_min(0.8),
            "elongation": 1 + 0.35 * draws[..., 3],
            "ripples": 0.16 * (draws[..., 4:] - 0.5),
        }
        return drops, kind

    def _claims(self, drops: Fields, kind: Tensor, clean: Tensor) -> tuple[Tensor, Tensor]:
        """Pixels that drops cover, counted through the batch, and the number of the drop on each: (K,)."""
        pixels, claims = [], []
        height, width = size_of(clean)
        unit = scale_of((height, width))
        first = torch.arange(len(clean), device=clean.device)[:, None, None, None] * height * width
        for group, (_, radius) in enumerate(self.RADII):
            numbers = (kind == group).nonzero()[:, 0]
            # ripples add up to .23 of a radius, elongation .35
            reach = math.ceil(1.24 * 1.35 * max(0.8, radius * unit))
            members = {key: value[:, numbers] for key, value in drops.items()}
            pixel, is_covered = _near_pixels(members, reach, (height, width))
            pixels.append((first + pixel)[is_covered])
            claims.append(numbers[:, None, None].expand_as(is_covered)[is_covered])
        return torch.cat(pixels), torch.cat(claims)

    def _look(self, clean: Tensor, drops: Fields, owner: Tensor, optics: Fields) -> Fields:
        """What each pixel's drop shows."""
        height, width = clean.shape[-2:]
        count = drops["row"].shape[1]
        nearest = owner.clamp_max(count - 1).flatten(1)
        own = {key: _of_owner(value, nearest, owner.shape) for key, value in drops.items()}
        rows, columns = pixel_grid(clean)
        right, down, distance = _inside_drop(rows, columns, own)
        compression = per_image(optics["field_of_view"]) * (0.6 + 0.4 * distance**2)
        look_right = self.VIEW_POSITION * (2 * own["column"] / width - 1) - right * compression
        look_down = self.VIEW_POSITION * (2 * own["row"] / height - 1) - down * compression
        detail = max(1.0, self.DETAIL * scale_of(size_of(clean)))
        small = F.adaptive_avg_pool2d(clean, (max(1, round(height / detail)), max(1, round(width / detail))))
        grid = torch.stack([look_right[:, 0], look_down[:, 0]], -1)
        view = F.grid_sample(small, grid, padding_mode="reflection", align_corners=False)
        highlight = torch.exp(-((right + 0.3) ** 2 + (down + 0.35) ** 2) / 0.03)
        view = view * per_image(optics["gain"]) * (1 - per_image(optics["rim"]) * distance.clamp_max(1) ** 4)
        edge = ((1 - distance) / per_image(optics["softness"])).clamp(0, 1)
        return {
            "order": ((owner + 1) / count).sqrt(),
            "cover": edge * edge * (3 - 2 * edge) * (owner < count),
            "view": (view + per_image(optics["glare"]) * highlight).clamp(0, 1),
        }


class DefocusedDrops(RefractingDrops):
    """Flat drops on the lens while the camera looks far: large, soft and bright, a blurred view of what is behind them.

    As far out of focus as those of the Raindrop data set (Qian et al., CVPR 2018), whose view is wider: what drops show
    here stands near them, so that a network can learn it from crops.
    """

    name: ClassVar[str] = "defocused"
    DROPS = 80
    RADII = ((9.0, 16.0), (16.0, 26.0), (24.0, 40.0))
    DETAIL = 12.0
    LAYERS = 3
    VIEW_POSITION = 1.0
    OPTICS: ClassVar[dict[str, tuple[float, float]]] = RefractingDrops.OPTICS | {
        "field_of_view": (0.1, 0.25),
        "softness": (0.4, 0.8),
        "rim": (0.2, 0.5),
        "gain": (1.15, 1.7),
        "glare": (0.0, 0.15),
    }


class Rivulets(WaterOnGlass):
    """Water running down in winding, beaded trails, which bend the light sideways."""

    name: ClassVar[str] = "rivulets"
    TRAILS = 70

    def draw(self, clean: Tensor, streams: RandomStreams) -> Fields:
        """Course and width of the trails, row by row."""
        height, width = clean.shape[-2:]
        unit = scale_of(size_of(clean))
        draws = streams.uniform(self.TRAILS, 8)[..., None]
        rows = torch.arange(height, device=clean.device)
        start, length = draws[..., 0, :] * 1.2 * height - 0.5 * height, (0.3 + 0.7 * draws[..., 1, :]) * height
        along = (rows - start) / length  # 0 at the top of the trail, 1 at its head
        wave = 2 * math.pi * (rows / (unit * (60 + 90 * draws[..., 2, :])) + draws[..., 3, :])
        swing = unit * (1 + 6 * draws[..., 7, :] ** 2)
        axis = draws[..., 4, :] * width + swing * (wave.sin() + 0.4 * (2.3 * wave).sin())
        bead = 0.75 + 0.25 * torch.sin(2 * math.pi * (rows / (unit * (14 + 20 * draws[..., 2, :])) + draws[..., 5, :]))
        head = (1 - ((along - 0.94) / 0.06).clamp(-1, 1) ** 2).sqrt()
        tail = 0.55 * bead * along.clamp(0, 1).sqrt() * (along < 0.94)
        widest = unit * (3.5 + 8.5 * draws[..., 6, :] ** 2)
        half_width = widest * torch.maximum(head, tail) * ((along > 0) & (along < 1))
        return self._look(clean, streams, axis, half_width)

    def _look(self, clean: Tensor, streams: RandomStreams, axis: Tensor, half_width: Tensor) -> Fields:
        """What each pixel's trail shows; `axis` and `half_width` are (B, TRAILS, H), in pixels."""
        height, width = clean.shape[-2:]
        unit = scale_of(size_of(clean))
        field_of_view, rim = streams.uniform(low=0.15, high=0.6), streams.uniform(low=0.3, high=0.7)
        reach = math.ceil(12 * unit)
        across = torch.arange(-reach, reach + 1, device=clean.device)
        column = axis.round().long()[..., None] + across
        is_water = (column - axis[..., None]).abs() < half_width[..., None]
        is_water &= (column >= 0) & (column < width)
        trail = torch.arange(self.TRAILS, device=clean.device)[None, :, None, None].where(is_water, self.TRAILS)
        pixel = torch.arange(height, device=clean.device)[:, None] * width + column.clamp(0, width - 1)
        owner = torch.full((len(clean), height * width), self.TRAILS, device=clean.device)
        owner.scatter_reduce_(1, pixel.flatten(1), trail.flatten(1), "amin")
        owner = owner.view(-1, 1, height, width)

        rows, columns = pixel_grid(clean)
        lookup = (owner.clamp_max(self.TRAILS - 1) * height + rows.long()).flatten(1)
        own_axis = axis.flatten(1).gather(1, lookup).view(owner.shape)
        own_width = half_width.flatten(1).gather(1, lookup).view(owner.shape).clamp_min(0.5)
        side = ((columns - own_axis) / own_width).clamp(-1, 1)
        look_right = (2 * own_axis + 1) / width - 1 - side * per_image(field_of_view)
        look_down = (rows + 6 * unit * side**2 + 0.5) / height * 2 - 1
        small = F.adaptive_avg_pool2d(clean, (max(1, height // 2), max(1, width // 2)))
        grid = torch.stack([look_right[:, 0], look_down[:, 0]], -1)
        view = F.grid_sample(small, grid, padding_mode="reflection", align_corners=False)
        highlight = 0.25 * torch.exp(-((side + 0.45) ** 2) / 0.02)
        view = view * (1.15 - per_image(rim) * side.abs() ** 3) + highlight
        edge = ((1 - side.abs()) / 0.4).clamp(0, 1)
        return {
            "order": (owner + rows / height) / self.TRAILS,
            "cover": edge * edge * (3 - 2 * edge) * (owner < self.TRAILS),
            "view": view.clamp(0, 1),
            "field_of_view": field_of_view,
            "rim": rim,
        }


def _of_owner(values: Tensor, owner: Tensor, shape: torch.Size) -> Tensor:
    """A property of drops (B, N) or (B, N, K) looked up for every pixel: (B, 1, H, W) or (B, 1, H, W, K)."""
    index = owner if values.ndim == 2 else owner[..., None].expand(-1, -1, values.shape[2])
    return values.gather(1, index).view(*shape, *values.shape[2:])


def _near_pixels(drops: Fields, reach: int, size: tuple[int, int]) -> tuple[Tensor, Tensor]:
    """Pixels within `reach` of each drop, and whether it covers them: (B, N, 2 reach + 1, 2 reach + 1)."""
    height, width = size
    offsets = torch.arange(-reach, reach + 1, device=drops["row"].device)
    row = drops["row"].long()[..., None, None] + offsets[:, None]
    column = drops["column"].long()[..., None, None] + offsets
    _, _, distance = _inside_drop(row, column, {key: value[:, :, None, None] for key, value in drops.items()})
    inside = (row >= 0) & (row < height) & (column >= 0) & (column < width)
    return row.clamp(0, height - 1) * width + column.clamp(0, width - 1), (distance < 1) & inside


def _inside_drop(rows: Tensor, columns: Tensor, drops: Fields) -> tuple[Tensor, Tensor, Tensor]:
    """Where pixels lie within a drop: right and down in units of its radius, and distance, 1 at the rim.

    The rim is a circle with ripples: small multiples of the cosine and sine of twice and three times the angle.
    """
    right = (columns - drops["column"]) / drops["radius"]
    down = (rows - drops["row"]) / (drops["radius"] * drops["elongation"])
    radius = torch.sqrt(right**2 + down**2).clamp_min(1e-6)
    cosine, sine = right / radius, down / radius
    cosine_two, sine_two = cosine**2 - sine**2, 2 * cosine * sine
    waves = (cosine_two, sine_two, cosine * cosine_two - sine * sine_two, cosine * sine_two + sine * cosine_two)
    ripples = sum(wave * drops["ripples"][..., k] for k, wave in enumerate(waves))
    return right, down, radius / (1 + ripples)
