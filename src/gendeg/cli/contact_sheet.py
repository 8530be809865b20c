"""The picture that `gendeg demo` makes."""

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
import PIL.Image
from matplotlib.axes import Axes
from matplotlib.figure import Figure

from gendeg.severity import Severity

COLUMNS = 4
CELL_WIDTH = 4.6  # inches
CAPTION_HEIGHT = 0.62
MARGIN = 0.35
DPI = 110
INK, PALE = "#222222", "#777777"


@dataclass(frozen=True)
class Sample:
    """One degraded picture.

    Attributes:
        degradation: its name.
        strength: "mild" or "strong".
        image: the picture.
        requested, achieved: its severity.
    """

    degradation: str
    strength: str
    image: PIL.Image.Image
    requested: Severity
    achieved: Severity

    @property
    def file_name(self) -> str:
        """File name of the picture, e.g. `haze_mild.png`."""
        return f"{self.degradation}_{self.strength}.png"


def draw_contact_sheet(clean: PIL.Image.Image, samples: Sequence[Sample], credit: str | None = None) -> Figure:
    """The clean photo with an explanation, and below it all samples with requested and achieved severity.

    Args:
        clean: the clean photo.
        samples: degraded versions of it, four to a row.
        credit: a line about the photo's origin.

    Returns:
        A matplotlib figure.
    """
    rows = -(-len(samples) // COLUMNS)
    picture_height = CELL_WIDTH * float(np.clip(clean.height / clean.width, 0.5, 1.6))
    cell_height = picture_height + CAPTION_HEIGHT
    width = COLUMNS * CELL_WIDTH + (COLUMNS + 1) * MARGIN
    height = (rows + 1) * cell_height + 2 * MARGIN
    figure = Figure(figsize=(width, height), dpi=DPI, facecolor="white")

    def add_cell(row: int, column: int) -> Axes:
        left = MARGIN + column * (CELL_WIDTH + MARGIN)
        bottom = height - MARGIN - row * cell_height - picture_height
        return figure.add_axes((left / width, bottom / height, CELL_WIDTH / width, picture_height / height))

    _draw_picture(add_cell(0, 0), clean, "clean", "")
    _draw_heading(figure, (2 * MARGIN + CELL_WIDTH + MARGIN) / width, 1 - MARGIN / height, 1 / height, credit)
    for index, sample in enumerate(samples):
        cell = add_cell(1 + index // COLUMNS, index % COLUMNS)
        title = f"{sample.degradation.replace('_', ' ')}, {sample.strength}"
        _draw_picture(cell, sample.image, title, _caption(sample))
    return figure


def _draw_heading(figure: Figure, left: float, top: float, inch: float, credit: str | None) -> None:
    figure.text(left, top, "One photo, six degradations", fontsize=34, fontweight="bold", color=INK, va="top")
    lines = [
        "Each at two severities, a mild and a strong one of the data sets that restorers are trained on.",
        "Under each picture: the severity that was asked for → the one that was measured.",
        "mu is the mean and sigma the standard deviation of |degraded - clean|, images in [0, 1].",
    ]
    figure.text(left, top - 0.85 * inch, "\n".join(lines), fontsize=16, color=INK, va="top", linespacing=1.7)
    if credit:
        figure.text(left, top - 2.25 * inch, credit, fontsize=12, color=PALE, va="top")


def _draw_picture(cell: Axes, image: PIL.Image.Image, title: str, caption: str) -> None:
    cell.imshow(image, interpolation="lanczos")
    cell.set_anchor("N")
    cell.axis("off")
    cell.annotate(title, (0, 0), (0, -6), "axes fraction", "offset points", va="top", size=17, weight="bold", color=INK)
    cell.annotate(caption, (1, 0), (0, -8), "axes fraction", "offset points", va="top", ha="right", size=12, color=PALE)


def _caption(sample: Sample) -> str:
    asked, got = sample.requested, sample.achieved
    return f"mu  {asked.mu:.3f} → {got.mu:.3f}\nsigma  {asked.sigma:.3f} → {got.sigma:.3f}"
