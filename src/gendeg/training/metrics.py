"""Numbers of a validation."""

from torch import Tensor


def psnr(image: Tensor, reference: Tensor) -> float:
    """Peak signal-to-noise ratio in dB of one image in [0, 1]."""
    return -10 * (image - reference).square().mean().log10().item()


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
