"""The pictures of a data set's card: histograms of severity, and a contact sheet."""

from pathlib import Path

import PIL.Image
import PIL.ImageDraw
import PIL.ImageFont
import pyarrow.parquet as pq
from matplotlib.figure import Figure

from gendeg.data.gends.images import decode_image
from gendeg.degradations import Degradation
from gendeg.synthesis.shards import data_path
from gendeg.synthesis.statistics import EXAMPLES, Statistics

THUMBNAIL = 192  # pixels, the longer side
GAP = 6
LABEL = 24  # pixels above each line, for the name of its degradation
_REQUESTED, _ACHIEVED = "#999999", "#2a6fbb"

Pair = tuple[PIL.Image.Image, PIL.Image.Image]


def draw_histograms(statistics: Statistics) -> Figure:
    """Requested (line) and achieved (filled) mu and sigma of each degradation that the data set has."""
    names = [name for name in Degradation if statistics.count(name)]
    figure = Figure(figsize=(10, 2 * max(len(names), 1)), layout="constrained")
    axes = figure.subplots(max(len(names), 1), 2, squeeze=False)
    for name, row in zip(names, axes, strict=False):
        for column, (axis, symbol) in enumerate(zip(row, ("mu", "sigma"), strict=True)):
            requested, achieved = (statistics.severity[name][:, column + shift] for shift in (0, 2))
            finite = achieved[achieved == achieved]
            top = max([0.05, *finite, *requested[requested == requested]])
            axis.hist(finite, bins=40, range=(0, top), color=_ACHIEVED, alpha=0.6, label="achieved")
            axis.hist(requested, bins=40, range=(0, top), histtype="step", color=_REQUESTED, label="requested")
            axis.set_xlabel(symbol)
            axis.yaxis.get_major_locator().set_params(integer=True)
        row[0].set_ylabel(f"{name.replace('_', ' ')}\npairs", fontweight="bold")
    if names:
        axes[0, 0].legend(frameon=False)
    return figure


def draw_contact_sheet(pairs: dict[Degradation, list[Pair]]) -> PIL.Image.Image:
    """One line for each degradation, under its name: target, degraded, target, degraded, ..."""
    heights = [LABEL + GAP + max(picture.height for picture in line) for line in map(_thumbnails, pairs.values())]
    sheet = PIL.Image.new("RGB", (2 * EXAMPLES * (THUMBNAIL + GAP) + GAP, max(sum(heights), 1)), "white")
    pen, font = PIL.ImageDraw.Draw(sheet), PIL.ImageFont.load_default(16)
    for name, line, top in zip(pairs, pairs.values(), _tops(heights), strict=True):
        pen.text((GAP, top + 2), name.replace("_", " "), fill="black", font=font)
        for column, picture in enumerate(_thumbnails(line)):
            sheet.paste(picture, (GAP + column * (THUMBNAIL + GAP), top + LABEL))
    return sheet


def _thumbnails(pairs: list[Pair]) -> list[PIL.Image.Image]:
    """All pictures of a line, small."""
    pictures = [image.copy() for pair in pairs for image in pair]
    for picture in pictures:
        picture.thumbnail((THUMBNAIL, THUMBNAIL))
    return pictures


def _tops(heights: list[int]) -> list[int]:
    """Where each line begins, from the top."""
    return [sum(heights[:line]) for line in range(len(heights))]


def example_pairs(folder: Path, statistics: Statistics) -> dict[Degradation, list[Pair]]:
    """Target and degraded image of the first few rows of each degradation, generated ones first."""
    pairs = {}
    for name in Degradation:
        rows = [row for origin in ("generated", "existing") for row in statistics.examples.get((name, origin), [])]
        if rows:
            pairs[name] = [_read_pair(folder, shard, number) for shard, number in rows[:EXAMPLES]]
    return pairs


def _read_pair(folder: Path, shard: str, number: int) -> Pair:
    """One row, by its number; the other row groups of the shard are skipped."""
    table = pq.read_table(data_path(folder, shard), columns=["target", "degraded"], filters=[("row", "==", number)])
    row = table.to_pylist()[0]
    return decode_image(row["target"]["bytes"]), decode_image(row["degraded"]["bytes"])
