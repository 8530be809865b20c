"""Pictures of a training: contact sheets and severity scatter plots."""

from collections.abc import Sequence
from pathlib import Path

import matplotlib.pyplot as plt
import numpy as np
import PIL.Image
import PIL.ImageDraw
import torch
from torch import Tensor

from gendeg.files import whole_file
from gendeg.imaging import to_pil, write_image
from gendeg.severity import Severity

Column = tuple[str, Sequence[Tensor]]  # its name, and its images from top to bottom

FONT_SIZE = 12  # pixels
HEADER, MARGIN = 20, 100  # pixels for the names of the columns, above, and of the rows, on the left


def write_sheet(columns: Sequence[Column], rows: Sequence[str], path: Path) -> None:
    """Write images as a grid with the names of its columns and rows.

    Args:
        columns: the name of each, and its images (3, h, w) in [0, 1]; all are of one size.
        rows: what each image of a column is.
        path: the picture to write.
    """
    grid = torch.cat([torch.cat([image.float().cpu() for image in images], dim=1) for _, images in columns], dim=2)
    pictures = to_pil(grid)
    sheet = PIL.Image.new("RGB", (MARGIN + pictures.width, HEADER + pictures.height), "white")
    sheet.paste(pictures, (MARGIN, HEADER))
    draw = PIL.ImageDraw.Draw(sheet)
    for index, (name, _) in enumerate(columns):
        left = MARGIN + index * pictures.width // len(columns)
        draw.text((left + 2, HEADER / 2), name, "black", anchor="lm", font_size=FONT_SIZE)
    for index, name in enumerate(rows):
        middle = HEADER + (index + 0.5) * pictures.height / len(rows)
        draw.text((MARGIN - 6, middle), name, "black", anchor="rm", font_size=FONT_SIZE)
    write_image(sheet, path)


def severity_report(requested: Severity, achieved: Severity, names: Sequence[str], path: Path) -> dict[str, float]:
    """Plot achieved against requested severity, coloured by degradation, and sum it up.

    Args:
        requested, achieved: severities of n images.
        names: degradation of each image.
        path: the figure to write (PNG).

    Returns:
        Correlation and mean absolute error of mu and sigma.
    """
    figure, axes = plt.subplots(1, 2, figsize=(9, 4.5), layout="constrained")
    numbers = {}
    for axis, name in zip(axes, ("mu", "sigma"), strict=True):
        wanted, got = np.asarray(getattr(requested, name)), np.asarray(getattr(achieved, name))
        for degradation in sorted(set(names)):
            chosen = [one == degradation for one in names]
            axis.scatter(wanted[chosen], got[chosen], s=14, label=degradation)
        axis.axline((0, 0), slope=1, color="grey", linewidth=0.8)
        axis.set(xlabel=f"requested {name}", ylabel=f"achieved {name}")
        numbers[f"{name} correlation"] = float(np.corrcoef(wanted, got)[0, 1])
        numbers[f"{name} error"] = float(np.abs(wanted - got).mean())
    axes[0].legend(fontsize=7)
    with whole_file(path) as temporary:
        figure.savefig(temporary)
    plt.close(figure)
    return numbers
