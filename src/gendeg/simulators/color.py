"""sRGB and linear light (IEC 61966-2-1)."""

from torch import Tensor


def srgb_to_linear(image: Tensor) -> Tensor:
    """Values in [0, 1] as displayed -> proportional to the light, in [0, 1]."""
    return ((image + 0.055) / 1.055).pow(2.4).where(image > 0.04045, image / 12.92)


def linear_to_srgb(light: Tensor) -> Tensor:
    """Proportional to the light, clamped to [0, 1] -> values in [0, 1] as displayed."""
    light = light.clamp(0, 1)
    return (1.055 * light.pow(1 / 2.4) - 0.055).where(light > 0.0031308, 12.92 * light)
