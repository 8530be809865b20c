"""The filter: which generated images enter the data set, by what was measured on them.

The paper filters on the measured mean of the degradation map, with thresholds per degradation that it does not state
(section 3.3). The defaults here come from the severity prior: an image passes whose mu is at least half of the prior's
1 % quantile and at most 1.5 times its 99 % quantile. Requests are drawn from the prior, so what fails is an image that
went far from its request: one in which nothing happened, or one that the generator destroyed.
"""

from collections.abc import Iterable
from dataclasses import dataclass

import numpy as np
import PIL.Image

from gendeg.degradations import Degradation, Mixture
from gendeg.errors import InputError
from gendeg.priors import SeverityPrior
from gendeg.severity import MU_RANGE, Severity

QUANTILES = (0.01, 0.99)
MARGINS = (0.5, 1.5)
FLAT = 1.0 / 255  # standard deviation over the pixels of every channel: nothing is left of the scene
UNCHANGED = 0.25 / 255  # mean difference: three of four values are the same, the others differ by one step


@dataclass(frozen=True)
class Thresholds:
    """Lowest and highest mean of the degradation map that pass.

    Raises:
        InputError: not `0 <= low < high`.
    """

    low: float
    high: float

    def __post_init__(self) -> None:
        if not 0 <= self.low < self.high:
            raise InputError(f"Thresholds {self.low:g}, {self.high:g}: the first is at least 0 and below the second.")


def default_thresholds(prior: SeverityPrior, degradations: Iterable[Degradation]) -> dict[Degradation, Thresholds]:
    """Thresholds from the quantiles of a prior's mu."""
    thresholds = {}
    for name in degradations:
        low, high = prior.mu_quantiles(name, QUANTILES) * MARGINS
        thresholds[name] = Thresholds(round(float(low), 4), round(float(min(high, MU_RANGE[1])), 4))
    return thresholds


def judge(image: PIL.Image.Image, achieved: Severity, thresholds: Thresholds) -> str:
    """The reason to reject an image, or an empty text.

    Args:
        image: the degraded image.
        achieved: severity measured between target and image.
        thresholds: of its degradation.

    Returns:
        `"flat: ..."`, `"unchanged: ..."`, `"too weak: ..."`, `"too strong: ..."`, with the numbers, or `""`.
    """
    mu, spread = float(achieved.mu), flatness(image)
    if spread < FLAT:
        return f"flat: standard deviation {spread:.5f}"
    if reason := judge_existing(achieved):
        return reason
    if mu < thresholds.low:
        return f"too weak: mu {mu:.4f} below {thresholds.low:g}"
    if mu > thresholds.high:
        return f"too strong: mu {mu:.4f} above {thresholds.high:g}"
    return ""


def judge_existing(achieved: Severity) -> str:
    """The reason to reject an existing pair: nothing happened to it. How strong and how flat it is, is its own affair.

    Returns:
        `"unchanged: ..."`, with the number, or `""`.
    """
    mu = float(achieved.mu)
    return f"unchanged: mu {mu:.5f}" if mu < UNCHANGED else ""


def judge_light(image: PIL.Image.Image, target: PIL.Image.Image, mixture: Mixture) -> str:
    """The reason to reject low light that is brighter than the photo, which a generator may make of a dark one.

    Returns:
        `"brighter: ..."`, with the number, or `""`.
    """
    gain = float(np.asarray(image).mean() - np.asarray(target).mean()) / 255
    return f"brighter: by {gain:.4f}" if mixture == (Degradation.LOW_LIGHT,) and gain > 0 else ""


def flatness(image: PIL.Image.Image) -> float:
    """Standard deviation over the pixels, of the channel that varies most, in [0, 0.5]."""
    return float(np.asarray(image.convert("RGB")).std(axis=(0, 1)).max() / 255)
