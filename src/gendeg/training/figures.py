"""Pictures of a training: contact sheets and severity scatter plots."""

from collections.abc import Sequence
from pathlib import Path

import matplotlib.pyplot as plt
import numpy as np
import torch
from torch import Tensor

from gendeg.files import whole_file
from gendeg.imaging import to_pil, write_image
from gendeg.severity import Severity


def write_sheet(rows: Sequence[Sequence[Tensor]], path: Path) -> None:
    """Write images (3, h, w) in [0, 1] of one size as a grid, a row of the picture for each row given."""
    grid = torch.cat([torch.cat([image.float().cpu() for image in row], dim=2) for row in rows], dim=1)
    write_image(to_pil(grid), path)


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
