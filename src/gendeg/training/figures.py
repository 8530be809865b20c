"""Pictures of a training: contact sheets and severity scatter plots."""

from collections.abc import Sequence
from pathlib import Path

import torch
from torch import Tensor

from gendeg.imaging import to_pil, write_image


def write_sheet(rows: Sequence[Sequence[Tensor]], path: Path) -> None:
    """Write images (3, h, w) in [0, 1] of one size as a grid, a row of the picture for each row given."""
    grid = torch.cat([torch.cat([image.float().cpu() for image in row], dim=2) for row in rows], dim=1)
    write_image(to_pil(grid), path)
