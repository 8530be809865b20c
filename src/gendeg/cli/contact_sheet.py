"""The pictures that `gendeg demo` makes."""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
import PIL.Image
from matplotlib.axes import Axes
from matplotlib.figure import Figure

from gendeg.severity import Severity

DPI = 110
MARGIN, NARROW = 0.35, 0.08  # inches, as all lengths: between groups of columns, and inside them
CAPTION_HEIGHT = 0.62
INK, PALE = "#222222", "#777777"


@dataclass(frozen=True)
class Sample:
    """One degraded picture.

    Attributes:
        degradation: its name.
        strength: "mild" or "strong".
        image: the picture.
        target: the clean picture aligned with it.
        requested, achieved: its severity.
    """

    degradation: str
    strength: str
    image: PIL.Image.Image
    target: PIL.Image.Image
    requested: Severity
    achieved: Severity

    @property
    def name(self) -> str:
        """E.g. `haze_mild`."""
        return f"{self.degradation}_{self.strength}"

    @property
    def title(self) -> str:
        """E.g. `low light, mild`."""
        return f"{self.degradation.replace('_', ' ')}, {self.strength}"


@dataclass(frozen=True)
class Restoration:
    """What a restorer made of a degraded picture.

    Attributes:
        sample: the degraded picture.
        image: the restored one.
        psnr_before, psnr: of the degraded and of the restored picture against the target, in dB.
    """

    sample: Sample
    image: PIL.Image.Image
    psnr_before: float
    psnr: float


@dataclass(frozen=True)
class _Grid:
    """Places of equal pictures on a figure, each with its caption below.

    Attributes:
        columns, rows: how many there are.
        cell_width, picture_height: of one picture.
        top: height that is left free above the first row.
        group: number of columns that stand close together.
    """

    columns: int
    rows: int
    cell_width: float
    picture_height: float
    top: float = 0.0
    group: int = 1

    @property
    def width(self) -> float:
        return self._left(self.columns - 1) + self.cell_width + MARGIN

    @property
    def height(self) -> float:
        return self.top + self.rows * (self.picture_height + CAPTION_HEIGHT) + 2 * MARGIN

    def figure(self) -> Figure:
        return Figure(figsize=(self.width, self.height), dpi=DPI, facecolor="white")

    def add_cell(self, figure: Figure, row: int, column: int) -> Axes:
        below = self.top + MARGIN + row * (self.picture_height + CAPTION_HEIGHT) + self.picture_height
        left, bottom = self._left(column) / self.width, 1 - below / self.height
        return figure.add_axes((left, bottom, self.cell_width / self.width, self.picture_height / self.height))

    def add_text(self, figure: Figure, left: float, top: float, text: str, size: float, **style: Any) -> None:
        x, y = left / self.width, 1 - top / self.height
        figure.text(x, y, text, va="top", fontsize=size, linespacing=1.7, **({"color": INK} | style))

    def _left(self, column: int) -> float:
        groups = column // self.group
        return MARGIN + column * self.cell_width + groups * MARGIN + (column - groups) * NARROW


def draw_contact_sheet(
    clean: PIL.Image.Image, samples: Sequence[Sample], maker: str, note: str, credit: str | None = None
) -> Figure:
    """The clean photo with an explanation, and below it all samples with requested and achieved severity.

    Args:
        clean: the clean photo.
        samples: degraded versions of it, four to a row.
        maker: what degraded it.
        note: a line about the severities that were asked for.
        credit: a line about the photo's origin.

    Returns:
        A matplotlib figure.
    """
    columns, width = 4, 4.6
    grid = _Grid(columns, 1 + -(-len(samples) // columns), width, width * _shape(clean))
    figure = grid.figure()
    _draw_picture(grid.add_cell(figure, 0, 0), clean, "clean", "")
    lines = [
        note,
        "Under each picture: the severity that was asked for → the one that was measured.",
        "mu is the mean and sigma the standard deviation of |degraded - clean|, images in [0, 1].",
    ]
    left = width + 3 * MARGIN
    grid.add_text(figure, left, MARGIN, f"Six degradations by {maker}", 34, fontweight="bold")
    grid.add_text(figure, left, MARGIN + 0.85, "\n".join(lines), 16)
    grid.add_text(figure, left, MARGIN + 2.25, credit or "", 12, color=PALE)
    for index, sample in enumerate(samples):
        cell = grid.add_cell(figure, 1 + index // columns, index % columns)
        _draw_picture(cell, sample.image, sample.title, _severities(sample))
    return figure


def draw_restored_sheet(restorations: Sequence[Restoration], restorer: str, credit: str | None = None) -> Figure:
    """Degraded, restored and target side by side, two of these triples to a row, with their PSNR.

    Args:
        restorations: what to show, at least one.
        restorer: its name.
        credit: a line about the photo's origin.

    Returns:
        A matplotlib figure.
    """
    triples, width = 2, 3.4
    shape = _shape(restorations[0].image)
    grid = _Grid(3 * triples, -(-len(restorations) // triples), width, width * shape, top=2.5, group=3)
    figure = grid.figure()
    before, after = (np.mean([getattr(one, name) for one in restorations]) for name in ("psnr_before", "psnr"))
    lines = [
        f"By {restorer}, a network that is not told what is wrong with the photo.",
        "Under the pictures: their PSNR against the target. Higher is better; 6 dB are half the error.",
        f"On average {before:.1f} dB before and {after:.1f} dB after.",
    ]
    grid.add_text(figure, MARGIN, MARGIN, "Degraded, restored, target", 34, fontweight="bold")
    grid.add_text(figure, MARGIN, MARGIN + 0.85, "\n".join(lines), 16)
    grid.add_text(figure, MARGIN, MARGIN + 2.1, credit or "", 12, color=PALE)
    for index, one in enumerate(restorations):
        pictures = [
            (one.sample.image, one.sample.title, f"{one.psnr_before:.1f} dB"),
            (one.image, "restored", f"{one.psnr:.1f} dB"),
            (one.sample.target, "target", ""),
        ]
        for place, (image, title, caption) in enumerate(pictures):
            cell = grid.add_cell(figure, index // triples, 3 * (index % triples) + place)
            _draw_picture(cell, image, title, caption, sizes=(15, 15))
    return figure


def _shape(image: PIL.Image.Image) -> float:
    """Height of a picture's place, relative to its width; long photos stay smaller than their place."""
    return float(np.clip(image.height / image.width, 0.5, 1.6))


def _draw_picture(
    cell: Axes, image: PIL.Image.Image, title: str, caption: str, sizes: tuple[float, float] = (17, 12)
) -> None:
    """A picture with its title below on the left and its caption on the right, in these font sizes."""
    cell.imshow(image, interpolation="lanczos")
    cell.set_anchor("N")
    cell.axis("off")
    left: dict[str, Any] = {"va": "top", "weight": "bold", "size": sizes[0], "color": INK}
    right: dict[str, Any] = {"va": "top", "ha": "right", "size": sizes[1], "color": PALE}
    cell.annotate(title, (0, 0), (0, -6), "axes fraction", "offset points", **left)
    cell.annotate(caption, (1, 0), (-10, -8), "axes fraction", "offset points", **right)


def _severities(sample: Sample) -> str:
    asked, got = sample.requested, sample.achieved
    return f"mu  {asked.mu:.3f} → {got.mu:.3f}\nsigma  {asked.sigma:.3f} → {got.sigma:.3f}"
