"""Severity of a degradation: mean (mu) and standard deviation (sigma) of the degradation map."""

from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any

import numpy as np
import torch
from torch import Tensor

from gendeg.arguments import read_float
from gendeg.errors import ImageError, InputError, SeverityError
from gendeg.imaging import Image, resize_lanczos, to_batch

NUM_BINS = 128
NULL_BIN = NUM_BINS  # "no severity given": the bin after the last one
MU_RANGE = (0.0, 0.7)
SIGMA_RANGE = (0.0, 0.4)
MU_BIN_WIDTH = MU_RANGE[1] / NUM_BINS
SIGMA_BIN_WIDTH = SIGMA_RANGE[1] / NUM_BINS

# How far numbers may miss a bound by rounding: six printed digits are off by up to 5e-7, float32 by less. For a pair
# the slack is on the variance: at small mu the bound on sigma is steep, and 5e-7 of mu move it by far more than 5e-7.
_ROUNDING = 1e-6

Value = float | np.ndarray


@dataclass(frozen=True)
class Severity:
    """Mean and standard deviation of a degradation map `|degraded - clean|`, images in [0, 1] (paper section 3.1).

    Holds one image's severity (two floats) or a batch's (two float64 arrays of shape (B,)). A batch has a length,
    iterates over its images, and `severity[i]` is the severity of image i.

    Attributes:
        mu: mean over all pixels and channels, in [0, 1].
        sigma: population standard deviation over the same values, in [0, 0.5].
    """

    mu: Value
    sigma: Value

    def __len__(self) -> int:
        return len(np.atleast_1d(self.mu))

    def __getitem__(self, index: int) -> "Severity":
        return Severity(float(np.atleast_1d(self.mu)[index]), float(np.atleast_1d(self.sigma)[index]))

    def __iter__(self) -> Iterator["Severity"]:
        if np.ndim(self.mu) == 0:  # mu, sigma = measure_severity(...)
            raise TypeError("The severity of one image cannot be unpacked; take its .mu and .sigma.")
        return (self[index] for index in range(len(self)))

    def __str__(self) -> str:
        ones = [self[index] for index in range(len(self))]
        return "; ".join(f"mu={one.mu:.4f}, sigma={one.sigma:.4f}" for one in ones)


def measure_severity(clean: Image, degraded: Image, *, resize_to_256: bool = False) -> Severity:
    """Measure how strongly `degraded` differs from `clean`.

    Args:
        clean, degraded: the same picture as PIL image, array (H, W, 3) or tensor (3, H, W), or as batches: a list
            of those, an array (B, H, W, 3), a tensor (B, 3, H, W). uint8, or float in [0, 1].
        resize_to_256: resize both to 256 x 256 first (Lanczos, aspect ratio lost), as the authors' program does.
            The default measures at the images' own size.

    Returns:
        One `Severity`: floats for a single image, arrays of shape (B,) for a batch.

    Raises:
        ImageError: not images, different numbers of them, or different sizes.
    """
    clean_images, single = to_batch(clean)
    degraded_images, _ = to_batch(degraded)
    if len(clean_images) != len(degraded_images):
        raise ImageError(
            f"Got {len(clean_images)} clean and {len(degraded_images)} degraded images; give as many of each."
        )
    pairs = [_measure_pair(a, b, resize_to_256) for a, b in zip(clean_images, degraded_images, strict=True)]
    mu, sigma = np.array(pairs, dtype=np.float64).reshape(-1, 2).T
    return Severity(float(mu[0]), float(sigma[0])) if single else Severity(mu, sigma)


def _measure_pair(clean: Tensor, degraded: Tensor, resize_to_256: bool) -> tuple[float, float]:
    if clean.shape != degraded.shape:
        raise ImageError(
            f"The clean image is {tuple(clean.shape)} and the degraded one {tuple(degraded.shape)} (channels, height, "
            "width); severity compares pixel by pixel: resize one of them first."
        )
    if resize_to_256:
        clean, degraded = resize_lanczos(clean, (256, 256)), resize_lanczos(degraded, (256, 256))
    difference = (degraded.to(clean.device) - clean).abs().double()
    return difference.mean().item(), difference.std(correction=0).item()


def tensor_severity(clean: Tensor, degraded: Tensor) -> tuple[Tensor, Tensor]:
    """Severity of a batch (B, 3, H, W) in [0, 1] without leaving its device: mu and sigma, two tensors (B,)."""
    difference = (degraded - clean).abs().flatten(1).float()
    return difference.mean(1), difference.std(1, correction=0)


def check_severity(mu: Any, sigma: Any) -> tuple[float | None, float | None]:
    """Refuse a request that no degradation map can meet.

    Args:
        mu: requested mean in [0, 0.7], a number of Python, NumPy or torch; None for "not requested".
        sigma: requested standard deviation in [0, 0.4], or None.

    Returns:
        Both as Python numbers, or None.

    Raises:
        SeverityError: not a number, outside its range, or `sigma^2 > mu * (1 - mu)`, which no values in [0, 1] reach.
            What rounding makes of a feasible pair, e.g. to six printed digits, is accepted.
    """
    mu, sigma = _in_range("mu", mu, MU_RANGE), _in_range("sigma", sigma, SIGMA_RANGE)
    if mu is not None and sigma is not None and sigma**2 > mu * (1 - mu) + _ROUNDING:
        raise SeverityError(
            f"mu={mu:g} and sigma={sigma:g} are infeasible together: values in [0, 1] with mean {mu:g} have a standard "
            f"deviation of at most sqrt(mu * (1 - mu)) = {(mu * (1 - mu)) ** 0.5:.4f}. Lower sigma or raise mu."
        )
    return mu, sigma


def _in_range(name: str, value: Any, bounds: tuple[float, float]) -> float | None:
    if value is None:
        return None
    try:
        number = read_float(name, value)
    except InputError as error:
        raise SeverityError(f"{error} Give one in [{bounds[0]:g}, {bounds[1]:g}].") from None
    if not bounds[0] - _ROUNDING <= number <= bounds[1] + _ROUNDING:  # NaN is not
        raise SeverityError(f"{name}={number} is not in [{bounds[0]:g}, {bounds[1]:g}]; give a number in that range.")
    return min(max(number, bounds[0]), bounds[1])


def severity_bins(values: Any, bounds: tuple[float, float], num_bins: int = NUM_BINS) -> np.ndarray:
    """Index of the uniform bin of each value, `floor(value / width)`, at most `num_bins - 1`.

    Edges are compared as numbers rather than divided, as the authors' program does: edge k is exactly in bin k.

    Args:
        values: numbers >= 0, any shape. NaN stands for "not given" and becomes the null bin `num_bins`.
        bounds: `MU_RANGE` or `SIGMA_RANGE`; bins start at `bounds[0]`, which is 0.
        num_bins: bins without the null bin.

    Returns:
        int64 array of the same shape, in [0, num_bins].

    Raises:
        SeverityError: a value below 0.
    """
    values = np.asarray(values, dtype=np.float64)
    if (values < bounds[0]).any():
        raise SeverityError(f"Severity values start at {bounds[0]:g}; got {np.nanmin(values):g}.")
    bins = np.minimum(np.digitize(values, np.linspace(*bounds, num_bins + 1)) - 1, num_bins - 1)
    return np.where(np.isnan(values), num_bins, bins)


def severity_one_hot(mu: Any, sigma: Any, num_bins: int = NUM_BINS) -> Tensor:
    """One-hot encode severities as the conditioning network reads them.

    Args:
        mu, sigma: values (B,); NaN stands for "not given" (the null bin).
        num_bins: bins without the null bin.

    Returns:
        float32 tensor (B, 2, num_bins + 1): row 0 is mu, row 1 is sigma.
    """
    bins = np.stack([severity_bins(mu, MU_RANGE, num_bins), severity_bins(sigma, SIGMA_RANGE, num_bins)], axis=-1)
    return torch.nn.functional.one_hot(torch.from_numpy(bins), num_bins + 1).float()
