"""Scale the degradation map so that the requested mean is met."""

from torch import Tensor

MAX_SCALE = 3.0  # beyond this the picture is no longer the one that was generated
TOLERANCE = 1e-4
MAX_ITERATIONS = 30


def calibrate(target: Tensor, degraded: Tensor, mu: float) -> tuple[Tensor, bool]:
    """Find `a` such that `target + a * (degraded - target)`, clipped to [0, 1], has the mean difference `mu`.

    The mean grows with `a`, so bisection finds it. `a` stays within [1/3, 3].

    Args:
        target, degraded: (3, H, W) in [0, 1].
        mu: requested mean of the degradation map.

    Returns:
        The scaled degraded image, and whether `mu` was met within 1e-4. Where it could not be, the image is scaled by
        the bound nearest to it.
    """
    difference = degraded - target
    low, high = 1 / MAX_SCALE, MAX_SCALE
    if _mean_at(target, difference, low) > mu + TOLERANCE:
        return _scaled(target, difference, low), False
    if _mean_at(target, difference, high) < mu - TOLERANCE:
        return _scaled(target, difference, high), False
    for _ in range(MAX_ITERATIONS):
        scale = (low + high) / 2
        mean = _mean_at(target, difference, scale)
        if abs(mean - mu) <= TOLERANCE:
            break
        low, high = (scale, high) if mean < mu else (low, scale)
    return _scaled(target, difference, scale), True


def _scaled(target: Tensor, difference: Tensor, scale: float) -> Tensor:
    return difference.mul(scale).add_(target).clamp_(0, 1)


def _mean_at(target: Tensor, difference: Tensor, scale: float) -> float:
    return _scaled(target, difference, scale).sub_(target).abs_().mean().item()
