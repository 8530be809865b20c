"""Random numbers and smooth random fields, drawn for each image of a batch from its own generator."""

from collections.abc import Sequence

import torch
import torch.nn.functional as F
from torch import Tensor


class RandomStreams:
    """One random generator per image, so that what an image gets does not depend on its batch.

    Numbers are drawn on the generator's device, the CPU as a rule, and moved: a seed means the same on every device.
    """

    def __init__(self, generators: Sequence[torch.Generator], device: torch.device) -> None:
        self.generators = list(generators)
        self.device = device

    def __len__(self) -> int:
        return len(self.generators)

    def select(self, indices: Sequence[int]) -> "RandomStreams":
        """The streams of some of the images."""
        return RandomStreams([self.generators[i] for i in indices], self.device)

    def uniform(self, *shape: int, low: float = 0.0, high: float = 1.0) -> Tensor:
        """Uniform numbers in [low, high): (B, *shape)."""
        draws = torch.stack([torch.rand(shape, generator=g, device=g.device) for g in self.generators])
        return (draws * (high - low) + low).to(self.device)

    def normal(self, *shape: int) -> Tensor:
        """Standard normal numbers: (B, *shape)."""
        return torch.stack([torch.randn(shape, generator=g, device=g.device) for g in self.generators]).to(self.device)

    def choice(self, count: int) -> list[int]:
        """One of `count` alternatives for each image."""
        return [int(torch.randint(count, (), generator=g, device=g.device)) for g in self.generators]


def fractal_noise(
    streams: RandomStreams, size: tuple[int, int], cells: tuple[int, int], octaves: int, persistence: float = 0.5
) -> Tensor:
    """Smooth random field: value noise, each octave twice as fine and `persistence` times as strong.

    Args:
        streams: where the numbers come from.
        size: height and width of the field.
        cells: rows and columns of the coarsest octave's grid.
        octaves: how many octaves are added.
        persistence: ratio of the amplitudes of consecutive octaves.

    Returns:
        (B, 1, H, W), stretched to span [0, 1] exactly.
    """
    grid = (cells[0] + 1, cells[1] + 1)
    field = streams.uniform(1, *grid)
    for octave in range(1, octaves):
        grid = (2 * grid[0], 2 * grid[1])
        finer = streams.uniform(1, *grid)
        field = _upsample(field, grid) + persistence**octave * finer
    return stretch(_upsample(field, size))


def stretch(field: Tensor) -> Tensor:
    """Scale each image's field (B, 1, H, W) to span [0, 1]; a constant field becomes 0."""
    low, high = field.amin((-2, -1), keepdim=True), field.amax((-2, -1), keepdim=True)
    return (field - low) / (high - low).clamp_min(1e-6)


def _upsample(field: Tensor, size: tuple[int, int]) -> Tensor:
    return F.interpolate(field, size=size, mode="bicubic", align_corners=False)
