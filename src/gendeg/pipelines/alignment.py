"""Make a generated image and its target agree (paper section 3.3, and our `transfer`).

An autoencoder does not return the photo it was given: fine structure is lost. A pair whose degraded half has been
through the autoencoder and whose clean half has not would teach a restorer to undo the autoencoder.
"""

from collections.abc import Callable

import torch.nn.functional as F
from torch import Tensor

from gendeg.degradations import Mixture
from gendeg.errors import InputError
from gendeg.imaging import resize
from gendeg.pipelines.prepared import PreparedImage

ALIGNMENTS = ("transfer", "paper", "scm", "target", "none")

DETAIL_RADIUS = 1  # detail is what differs from the mean of 3 x 3 pixels: the scale at which autoencoders lose most
WINDOW_RADIUS = 4
EPSILON = 3e-6  # variance below which a window counts as flat; flat windows have gain 1

Correct = Callable[[Tensor, Tensor], Tensor]


def choose_alignment(alignment: str, default: str, mixture: Mixture, has_scm: bool) -> str:
    """Resolve `"auto"` and `"paper"` to the rule for this image: `"transfer"`, `"scm"`, `"target"` or `"none"`.

    Raises:
        InputError: an unknown rule, or one that needs the Structure Correction Module where the pipeline has none.
    """
    rule = default if alignment == "auto" else alignment
    if rule not in ALIGNMENTS:
        raise InputError(f"alignment={rule!r} is not one of 'auto', {', '.join(map(repr, ALIGNMENTS))}.")
    if rule == "paper":
        rule = mixture[0].paper_alignment
    if rule == "scm" and not has_scm:
        raise InputError(
            f"Alignment of {mixture[0]} by 'scm' needs a Structure Correction Module and this pipeline has none: "
            "add one with pipe.register_modules(scm=...), or use alignment='transfer'."
        )
    return rule


def align(rule: str, photo: PreparedImage, generated: Tensor, correct: Correct | None) -> tuple[Tensor, Tensor]:
    """Align a generated image with its target and bring both to the photo's own size.

    Args:
        rule: what `choose_alignment` returned.
        photo: the clean photo.
        generated: `D(z)` at the working resolution, (3, h, w) in [0, 1].
        correct: applies the Structure Correction Module: (clean, generated) -> corrected, all (3, h, w) in [0, 1].

    Returns:
        The degraded image and its target, both (3, H, W) in [0, 1].
    """
    own_size = (photo.clean.shape[-2], photo.clean.shape[-1])
    if rule == "transfer":
        return transfer_detail(photo.clean, photo.reconstruction, generated), photo.clean
    if rule == "scm" and correct is not None:
        corrected = correct(photo.working, generated)
        same_size = photo.working.shape == photo.clean.shape
        # at a smaller working resolution, detail above it is given back the same way as the autoencoder's loss
        return corrected if same_size else transfer_detail(photo.clean, photo.working, corrected), photo.clean
    target = resize(photo.reconstruction, own_size) if rule == "target" else photo.clean
    return resize(generated, own_size), target


def transfer_detail(clean: Tensor, reconstruction: Tensor, generated: Tensor) -> Tensor:
    """Give the generated image back the detail its autoencoder lost, as far as the degradation left it.

    `degraded = D(z) + g * (clean - D(E(clean)))`, where the local gain g says how much of the finest detail of
    `D(E(clean))` is left in `D(z)` (see `detail_gain`): it follows the transmission of haze and the dimming of low
    light, goes to 0 where blur removed the detail, and is near 1 beside a streak. Written as the clean image plus
    changes, so that `D(z) = D(E(clean))` gives the clean image bit for bit.

    Args:
        clean: the photo, (3, H, W) in [0, 1].
        reconstruction: `D(E(clean))` at the working resolution, (3, h, w) in [0, 1].
        generated: `D(z)`, (3, h, w) in [0, 1].

    Returns:
        The degraded image at the photo's own size, (3, H, W) in [0, 1].
    """
    size = (clean.shape[-2], clean.shape[-1])
    loss = 1 - detail_gain(reconstruction, generated)
    degraded = _enlarge(reconstruction, size).sub_(clean).mul_(_enlarge(loss, size)).add_(clean)
    return degraded.add_(_enlarge(generated - reconstruction, size)).clamp_(0, 1)


def detail_gain(reconstruction: Tensor, generated: Tensor) -> Tensor:
    """How much of the finest detail of `reconstruction` is left in `generated`: (1, h, w) in [0, 1].

    The regression slope of one image's detail on the other's, over the colours and a small window; then averaged over
    the window, as a guided filter does with its slopes.
    """
    detail = reconstruction - _window_mean(reconstruction, DETAIL_RADIUS)
    detail_left = generated - _window_mean(generated, DETAIL_RADIUS)
    variance = _window_mean(detail.square().mean(0, keepdim=True), WINDOW_RADIUS)
    covariance = _window_mean((detail * detail_left).mean(0, keepdim=True), WINDOW_RADIUS)
    gain = ((covariance + EPSILON) / (variance + EPSILON)).clamp(0, 1)
    return _window_mean(gain, WINDOW_RADIUS)


def _window_mean(image: Tensor, radius: int) -> Tensor:
    radius = min(radius, image.shape[-1] - 1, image.shape[-2] - 1)
    padded = F.pad(image[None], (radius,) * 4, mode="reflect")
    return F.avg_pool2d(padded, 2 * radius + 1, stride=1)[0]


def _enlarge(image: Tensor, size: tuple[int, int]) -> Tensor:
    """Resize without clamping (differences are signed); always a new tensor."""
    if tuple(image.shape[-2:]) == size:
        return image.clone()
    return F.interpolate(image[None], size=size, mode="bicubic", align_corners=False)[0]
