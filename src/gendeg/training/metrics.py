"""Numbers of a validation."""

from collections.abc import Callable
from typing import Any

from torch import Tensor

from gendeg.errors import MissingExtraError


def psnr(image: Tensor, reference: Tensor) -> float:
    """Peak signal-to-noise ratio in dB of one image in [0, 1]; at most 100, which stands for equal images."""
    return -10 * (image - reference).square().mean().clamp_min(1e-10).log10().item()


def ssim(image: Tensor, reference: Tensor) -> float:
    """Structural similarity of one image (3, H, W) in [0, 1]: torchmetrics, Gaussian window of 11 pixels.

    Raises:
        MissingExtraError: torchmetrics is not installed.
    """
    return float(load_ssim()(image[None], reference[None], data_range=1.0))


def load_ssim() -> Callable[..., Any]:
    """The function of torchmetrics.

    Raises:
        MissingExtraError: torchmetrics is not installed.
    """
    try:
        from torchmetrics.functional.image import structural_similarity_index_measure
    except ImportError as error:
        raise MissingExtraError('SSIM needs torchmetrics: pip install "gendeg[training]".') from error
    return structural_similarity_index_measure


class MeanByName:
    """Averages of numbers that belong to names."""

    def __init__(self) -> None:
        self._values: dict[str, list[float]] = {}

    def add(self, name: str, value: float) -> None:
        """Count one more value."""
        self._values.setdefault(name, []).append(value)

    def means(self) -> dict[str, float]:
        """The mean of each name, sorted by name."""
        return {name: sum(values) / len(values) for name, values in sorted(self._values.items())}
