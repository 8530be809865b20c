"""A picture of a severity prior."""

from collections.abc import Sequence
from typing import Any

import numpy as np
from matplotlib.axes import Axes
from matplotlib.figure import Figure

from gendeg.degradations import Degradation, parse_mixture
from gendeg.priors.prior import SeverityPrior
from gendeg.priors.sampler import max_sigma
from gendeg.severity import MU_BIN_WIDTH, NUM_BINS

SET_COLORS = ("#4477aa", "#ee6677", "#228833", "#ccbb44", "#66ccee", "#aa3377", "#bbbbbb")  # colour-blind safe (Tol)
BAND_COLOR = "#4477aa"
LEVELS = (0.05, 0.25, 0.5, 0.75, 0.95)
ROW_HEIGHT = 2.5  # inches


def plot_prior(prior: SeverityPrior, degradations: Sequence[Any] | None = None) -> Figure:
    """Draw a prior: for each degradation the mu histogram, stacked by source set, and sigma given mu.

    Args:
        prior: the prior.
        degradations: which ones, in this order; None for all that the prior knows.

    Returns:
        A matplotlib figure with one row per degradation; `figure.savefig("prior.png")` writes it.
    """
    names = [parse_mixture(name)[0] for name in degradations] if degradations else list(prior.degradations)
    figure = Figure(figsize=(11, ROW_HEIGHT * len(names) + 0.5), dpi=150, layout="constrained")
    axes = figure.subplots(len(names), 2, squeeze=False, width_ratios=(1.25, 1))
    for (left, right), name in zip(axes, names, strict=True):
        _plot_mu(left, prior, name)
        _plot_sigma(right, prior, name)
        right.set_xlim(left.get_xlim())
        for axis in (left, right):
            axis.spines[["top", "right"]].set_visible(False)
            axis.grid(axis="y", color="#e6e6e6", linewidth=0.8)
            axis.set_axisbelow(True)
    for axis in axes[-1]:
        axis.set_xlabel("mu, mean of the degradation map")
    axes[0, 0].set_title("how often mu occurs, by source set", fontsize=10, color="#555555", loc="left")
    axes[0, 1].set_title("sigma given mu: median, 25-75 %, 5-95 %", fontsize=10, color="#555555", loc="left")
    axes[0, 1].legend(fontsize=8, frameon=False, loc="lower right")
    return figure


def _plot_mu(axis: Axes, prior: SeverityPrior, name: Degradation) -> None:
    """Histogram of mu as it is drawn: percent per bin, the sets stacked, the heaviest at the bottom."""
    known = prior.statistics[name]
    percent = known.mu_probability * 100  # (S, 128)
    edges = np.arange(NUM_BINS + 1) * MU_BIN_WIDTH
    order = np.argsort(-percent.sum(axis=1), kind="stable")
    bottom = np.zeros(NUM_BINS)
    for color_index, index in enumerate(order):
        top = bottom + percent[index]
        share = percent[index].sum()
        axis.stairs(
            top,
            edges,
            baseline=bottom,
            fill=True,
            color=SET_COLORS[color_index % len(SET_COLORS)],
            label=f"{known.sets[index].name}  {share:.3g} %",
            linewidth=0,
        )
        bottom = top
    last = np.flatnonzero(bottom)[-1] + 1
    mean = np.average(np.arange(NUM_BINS), weights=bottom)
    axis.set_xlim(0, min(last * 1.04, NUM_BINS) * MU_BIN_WIDTH)
    axis.set_ylim(0, bottom.max() * 1.08)
    axis.set_ylabel(str(name).replace("_", " "), fontsize=13, fontweight="bold")
    axis.yaxis.set_major_formatter(lambda value, _: f"{value:g} %")
    axis.legend(
        fontsize=8,
        frameon=False,
        loc="upper right" if mean < last / 2 else "upper left",
        handlelength=1,
        handleheight=1,
    )


def _plot_sigma(axis: Axes, prior: SeverityPrior, name: Degradation) -> None:
    """Bands of sigma over mu, and the bound that no degradation map passes."""
    quantiles = prior.sigma_quantiles(name, LEVELS)
    mu = (np.arange(NUM_BINS) + 0.5) * MU_BIN_WIDTH
    bounds = np.linspace(0, 1, 200) ** 2 * mu[-1]
    axis.fill_between(mu, quantiles[:, 0], quantiles[:, 4], color=BAND_COLOR, alpha=0.2, linewidth=0)
    axis.fill_between(mu, quantiles[:, 1], quantiles[:, 3], color=BAND_COLOR, alpha=0.4, linewidth=0)
    axis.plot(mu, quantiles[:, 2], color=BAND_COLOR, linewidth=2, solid_capstyle="round")
    axis.plot(
        bounds, max_sigma(bounds), color="#999999", linewidth=1, linestyle=(0, (4, 3)), label="largest possible sigma"
    )
    axis.set_ylim(0, np.nanmax(quantiles) * 1.15)
    axis.set_ylabel("sigma")
