"""What the pipeline and the simulators return."""

from dataclasses import dataclass, field
from typing import Any

import numpy as np
import PIL.Image
import torch
from torch import Tensor

from gendeg.arguments import read_float
from gendeg.errors import InputError
from gendeg.imaging import to_pil
from gendeg.severity import Severity

MU_TOLERANCE, SIGMA_TOLERANCE = 0.0055, 0.00625  # a bin of mu, two bins of sigma

Images = list[PIL.Image.Image] | list[np.ndarray] | list[Tensor] | np.ndarray | Tensor


@dataclass
class GenDegOutput:
    """Degraded images with their aligned targets and severities.

    Attributes:
        images: the degraded images. `output_type="pil"`: list of 8-bit PIL images. `"np"`: float32 array
            (B, H, W, 3) in [0, 1], a list of (H, W, 3) where sizes differ. `"pt"`: float32 tensor (B, 3, H, W) in
            [0, 1], or a list. `"latent"` (pipeline only): latents of the
            degraded images, scaled.
        targets: the clean image aligned with `images[i]`, in the same form: the training target of a restorer.
        requested: the severity asked for (or drawn from a prior), arrays of shape (B,).
        achieved: the severity measured between `images` and `targets`, arrays of shape (B,).
        calibrated: per image, whether calibration met the requested mu; None where it was not asked for.
        parameters: per image, what a simulator drew (model name, angles, depths, ...); empty from the pipeline.
    """

    images: Any
    targets: Any
    requested: Severity
    achieved: Severity
    calibrated: list[bool] | None = None
    parameters: list[dict[str, Any]] = field(default_factory=list)

    def __len__(self) -> int:
        return len(self.images)

    def reached(self, mu_tolerance: float = MU_TOLERANCE, sigma_tolerance: float = SIGMA_TOLERANCE) -> list[bool]:
        """Whether each image has the severity that was requested.

        Physical models solve for it, and an image without it is the closest they can make of the photo. The generator
        comes near it, and with `calibrate=True` solves for mu.

        Args:
            mu_tolerance, sigma_tolerance: largest difference that counts as reached.

        Returns:
            One per image. A sigma that was left free (NaN) is always reached, one that was not measured never.

        Raises:
            InputError: a tolerance is not a number.
        """
        mu_tolerance = read_float("mu_tolerance", mu_tolerance)
        sigma_tolerance = read_float("sigma_tolerance", sigma_tolerance)
        requested, achieved = self.requested, self.achieved
        mu_reached = np.abs(achieved.mu - requested.mu) <= mu_tolerance
        sigma_reached = np.abs(achieved.sigma - requested.sigma) <= sigma_tolerance
        return (mu_reached & (sigma_reached | np.isnan(requested.sigma))).tolist()


OUTPUT_TYPES = ("pil", "np", "pt")


def convert_images(images: list[Tensor], output_type: str) -> Images:
    """Tensors (3, H, W) in [0, 1] as `"pil"`, `"np"` or `"pt"`; the last two are stacked where all sizes agree.

    Raises:
        InputError: an unknown `output_type`.
    """
    if output_type == "pil":
        return [to_pil(image) for image in images]
    same_size = len({image.shape for image in images}) == 1
    if output_type == "np":
        arrays = [image.permute(1, 2, 0).cpu().numpy() for image in images]
        return np.stack(arrays) if same_size else arrays
    if output_type == "pt":
        return torch.stack(images) if same_size else images
    raise InputError(f"output_type={output_type!r} is not one of {', '.join(map(repr, OUTPUT_TYPES))}.")
