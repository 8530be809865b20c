"""What every restorer can do."""

from diffusers import ModelMixin
from torch import Tensor


class Restorer(ModelMixin):
    """Base of every restorer: a network that takes a degraded image and returns the clean one.

    A subclass writes `forward`, for images of any height and width, and is also a `diffusers.ConfigMixin`.
    """

    def forward(self, x: Tensor) -> Tensor:
        """Restored images, not clamped: (B, 3, H, W) in [0, 1] -> the same shape, any H and W."""
        raise NotImplementedError(f"{type(self).__name__} has no forward.")
