"""Raindrops on a window or lens: small lenses that show the scene upside down, and water running down."""

import math
from abc import abstractmethod
from typing import ClassVar

import torch
import torch.nn.functional as F
from torch import Tensor

from gendeg.simulators.base import Fields, Simulator, per_image, pixel_grid, scale_of
from gendeg.simulators.random_fields import RandomStreams

FAINT, STRONG = 0.25, 1.0  # opacity of the water at spread 0 and 1
FADE = 0.03  # share of the water that is just appearing


class WaterOnGlass(Simulator):
    """Water shows the scene refracted; it appears piece by piece.

    `strength` is how much of the glass is wet, `spread` how clearly water differs from the scene behind: thin films
    out of focus, or thick drops.
    """

    @abstractmethod
    def draw(self, clean: Tensor, streams: RandomStreams) -> Fields:
        """Maps (B, ., H, W) of the water.

        `order`: when a pixel becomes wet, in [0, 1]; `cover`: how much of the pixel is water; `view`: what the water
        shows there.
        """

    def render(self, clean: Tensor, fields: Fields, strength: Tensor, spread: Tensor) -> Tensor:
        """Lay the water that `strength` shows over the scene."""
        opacity = FAINT * (STRONG / FAINT) ** spread
        wet = ((per_image(strength) * (1 + FADE) - fields["order"]) / FADE).clamp(0, 1)
        return torch.lerp(clean, fields["view"], fields["cover"] * wet * per_image(opacity))


class RefractingDrops(WaterOnGlass):
    """Drops of many sizes, each a fisheye lens that shows a wide view of the scene upside down, with a dark rim."""

    name: ClassVar[str] = "drops"
    DROPS = 320
    LARGE_SHARE = 4

    def draw(self, clean: Tensor, streams: RandomStreams) -> Fields:
        """Place, size and shape of the drops; focus, field of view and light of the picture."""
        height, width = clean.shape[-2:]
        unit = scale_of(clean)
        count = max(self.LARGE_SHARE, round(self.DROPS * height * width / (256 * unit) ** 2))
        draws = streams.uniform(count, 7)
        is_large = torch.arange(count, device=clean.device) % self.LARGE_SHARE == 0
        radius = unit * torch.where(is_large, 5 + 10 * draws[..., 2] ** 2, 1.6 + 3 * draws[..., 2])
        drops = {
            "row": draws[..., 0] * height,
            "column": draws[..., 1] * width,
            "radius": radius.clamp_min(0.8),
            "elongation": 1 + 0.35 * draws[..., 3],
            "phase_two": 2 * math.pi * draws[..., 4],
            "phase_three": 2 * math.pi * draws[..., 5],
        }
        owner = torch.full((len(clean), height * width), count, device=clean.device)
        for group in (is_large, ~is_large):
            _claim_pixels(owner, {key: value[:, group] for key, value in drops.items()}, group.nonzero()[:, 0], clean)
        return self._look(clean, streams, drops, owner.view(-1, 1, height, width))

    def _look(self, clean: Tensor, streams: RandomStreams, drops: Fields, owner: Tensor) -> Fields:
        """What each pixel's drop shows."""
        height, width = clean.shape[-2:]
        softness = streams.uniform(low=0.15, high=0.8)
        field_of_view = streams.uniform(low=0.5, high=0.9)
        rim, gain = streams.uniform(low=0.3, high=0.8), streams.uniform(low=0.95, high=1.35)
        glare = streams.uniform(low=0.2, high=1.2)
        count = drops["row"].shape[1]
        nearest = owner.clamp_max(count - 1).flatten(1)
        own = {key: value.gather(1, nearest).view(owner.shape) for key, value in drops.items()}
        rows, columns = pixel_grid(clean)
        right, down, distance = _inside_drop(rows, columns, own)
        compression = per_image(field_of_view) * (0.6 + 0.4 * distance**2)
        look_right = 0.5 * (2 * own["column"] / width - 1) - right * compression
        look_down = 0.5 * (2 * own["row"] / height - 1) - down * compression
        small = F.adaptive_avg_pool2d(clean, (max(1, height // 3), max(1, width // 3)))
        grid = torch.stack([look_right[:, 0], look_down[:, 0]], -1)
        view = F.grid_sample(small, grid, padding_mode="reflection", align_corners=False)
        highlight = torch.exp(-((right + 0.3) ** 2 + (down + 0.35) ** 2) / 0.03)
        view = view * per_image(gain) * (1 - per_image(rim) * distance.clamp_max(1) ** 4) + per_image(glare) * highlight
        edge = ((1 - distance) / per_image(softness)).clamp(0, 1)
        return {
            "order": ((owner + 1) / count).sqrt(),
            "cover": edge * edge * (3 - 2 * edge) * (owner < count),
            "view": view.clamp(0, 1),
            "softness": softness,
            "field_of_view": field_of_view,
            "rim": rim,
            "gain": gain,
            "glare": glare,
        }


class Rivulets(WaterOnGlass):
    """Water running down in winding, beaded trails, which bend the light sideways."""

    name: ClassVar[str] = "rivulets"
    TRAILS = 60

    def draw(self, clean: Tensor, streams: RandomStreams) -> Fields:
        """Course and width of the trails, row by row."""
        height, width = clean.shape[-2:]
        unit = scale_of(clean)
        draws = streams.uniform(self.TRAILS, 8)[..., None]
        rows = torch.arange(height, device=clean.device)
        start, length = draws[..., 0, :] * 1.2 * height - 0.5 * height, (0.3 + 0.7 * draws[..., 1, :]) * height
        along = (rows - start) / length  # 0 at the top of the trail, 1 at its head
        wave = 2 * math.pi * (rows / (unit * (50 + 60 * draws[..., 2, :])) + draws[..., 3, :])
        axis = draws[..., 4, :] * width + unit * 5 * (wave.sin() + 0.5 * (2.3 * wave).sin())
        bead = 0.75 + 0.25 * torch.sin(2 * math.pi * (rows / (unit * 17) + draws[..., 5, :]))
        head = (1 - ((along - 0.94) / 0.06).clamp(-1, 1) ** 2).sqrt()
        tail = 0.55 * bead * along.clamp(0, 1).sqrt() * (along < 0.94)
        half_width = unit * (2.5 + 5 * draws[..., 6, :] ** 2) * torch.maximum(head, tail) * ((along > 0) & (along < 1))
        return self._look(clean, streams, axis, half_width)

    def _look(self, clean: Tensor, streams: RandomStreams, axis: Tensor, half_width: Tensor) -> Fields:
        """What each pixel's trail shows; `axis` and `half_width` are (B, TRAILS, H), in pixels."""
        height, width = clean.shape[-2:]
        unit = scale_of(clean)
        bending, rim = streams.uniform(low=3, high=7), streams.uniform(low=0.3, high=0.7)
        reach = math.ceil(float(half_width.max()))
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
        look_right = (own_axis - side * own_width * per_image(bending) + 0.5) / width * 2 - 1
        look_down = (rows + 6 * unit * side**2 + 0.5) / height * 2 - 1
        small = F.adaptive_avg_pool2d(clean, (max(1, height // 2), max(1, width // 2)))
        grid = torch.stack([look_right[:, 0], look_down[:, 0]], -1)
        view = F.grid_sample(small, grid, padding_mode="reflection", align_corners=False)
        highlight = 0.3 * torch.exp(-((side + 0.45) ** 2) / 0.02)
        view = view * (1.1 - per_image(rim) * side.abs() ** 3) + highlight
        edge = ((1 - side.abs()) / 0.4).clamp(0, 1)
        return {
            "order": (owner + rows / height) / self.TRAILS,
            "cover": edge * edge * (3 - 2 * edge) * (owner < self.TRAILS),
            "view": view.clamp(0, 1),
            "bending": bending,
            "rim": rim,
        }


def _claim_pixels(owner: Tensor, drops: Fields, numbers: Tensor, clean: Tensor) -> None:
    """Enter into `owner` (B, H * W) the lowest number of a drop that covers each pixel."""
    height, width = clean.shape[-2:]
    reach = math.ceil(float((drops["radius"] * drops["elongation"]).max()) * 1.2)
    offsets = torch.arange(-reach, reach + 1, device=clean.device)
    row = drops["row"].long()[..., None] + offsets.repeat_interleave(len(offsets))
    column = drops["column"].long()[..., None] + offsets.repeat(len(offsets))
    _, _, distance = _inside_drop(row, column, {key: value[..., None] for key, value in drops.items()})
    covered = (distance < 1) & (row >= 0) & (row < height) & (column >= 0) & (column < width)
    claim = numbers[:, None].where(covered, int(owner.max()))
    pixel = row.clamp(0, height - 1) * width + column.clamp(0, width - 1)
    owner.scatter_reduce_(1, pixel.flatten(1), claim.flatten(1), "amin")


def _inside_drop(rows: Tensor, columns: Tensor, drops: Fields) -> tuple[Tensor, Tensor, Tensor]:
    """Position of pixels within a drop: right and down in units of its radius, and distance (1 at the irregular rim)."""
    right = (columns - drops["column"]) / drops["radius"]
    down = (rows - drops["row"]) / (drops["radius"] * drops["elongation"])
    theta = torch.atan2(down, right)
    rim = 1 + 0.1 * torch.cos(2 * theta + drops["phase_two"]) + 0.06 * torch.cos(3 * theta + drops["phase_three"])
    return right, down, torch.sqrt(right**2 + down**2) / rim
