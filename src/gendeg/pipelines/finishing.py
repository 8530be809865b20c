"""From latents to the output: decode, align, calibrate, measure."""

from collections.abc import Sequence
from typing import TYPE_CHECKING, Any

import numpy as np
from torch import Tensor

from gendeg.output import GenDegOutput, convert_images
from gendeg.pipelines.alignment import align
from gendeg.pipelines.calibration import calibrate as calibrate_mean
from gendeg.pipelines.latents import decode_mode
from gendeg.pipelines.prepared import PreparedImage
from gendeg.severity import Severity, measure_severity

if TYPE_CHECKING:
    from gendeg.pipelines.gendeg import GenDegPipeline


def finish(
    pipe: "GenDegPipeline",
    photos: Sequence[PreparedImage],
    severities: Sequence[Severity],
    rules: Sequence[str],
    latents: Sequence[Tensor],
    calibrate: bool,
    output_type: str,
) -> GenDegOutput:
    """The output of a call that asked for images.

    Args:
        pipe: its autoencoder and Structure Correction Module are used.
        photos: the clean photos.
        severities: what was asked for.
        rules: how each image is aligned, see `gendeg.pipelines.alignment.choose_alignment`.
        latents: unscaled latents of the degraded images, (C, h, w) each.
        calibrate: scale the degradation map so that mu is met.
        output_type: `"pil"`, `"np"` or `"pt"`.
    """

    def correct(clean: Tensor, generated: Tensor) -> Tensor:
        """Apply the Structure Correction Module, which works in [-1, 1], to images (3, h, w) in [0, 1]."""
        pair = [(image[None] * 2 - 1).to(pipe._execution_device, pipe.scm.dtype) for image in (clean, generated)]
        return (pipe.scm(*pair)[0].float().cpu() / 2 + 0.5).clamp(0, 1)

    images, targets, calibrated = [], [], []
    for photo, severity, rule, own in zip(photos, severities, rules, latents, strict=True):
        degraded, target = align(rule, photo, _decode(pipe.vae, photo, own), correct)
        if calibrate:
            degraded, met = calibrate_mean(target, degraded, float(severity.mu))
            calibrated.append(met)
        images.append(degraded)
        targets.append(target)
    degraded_images, target_images = convert_images(images, output_type), convert_images(targets, output_type)
    return GenDegOutput(
        degraded_images,
        target_images,
        _stack(severities),
        measure_severity(target_images, degraded_images),
        calibrated if calibrate else None,
    )


def finish_latents(
    pipe: "GenDegPipeline", photos: Sequence[PreparedImage], severities: Sequence[Severity], latents: Sequence[Tensor]
) -> GenDegOutput:
    """The output of a call that asked for `"latent"`: scaled degraded and unscaled clean latents, nothing measured."""
    unknown = np.full(len(photos), np.nan)
    scaled = [own * pipe.vae.config.scaling_factor for own in latents]
    return GenDegOutput(scaled, [photo.latents for photo in photos], _stack(severities), Severity(unknown, unknown))


def _decode(vae: Any, photo: PreparedImage, latents: Tensor) -> Tensor:
    """`D(z)` at the working resolution, (3, h, w) in [0, 1], on the CPU."""
    decoded = decode_mode(vae, latents[None])[0]
    return decoded[:, : photo.working.shape[-2], : photo.working.shape[-1]].float().cpu()


def _stack(severities: Sequence[Severity]) -> Severity:
    """Severities of single images as one of a batch."""
    mu, sigma = np.array([(one.mu, one.sigma) for one in severities], dtype=np.float64).T
    return Severity(mu, sigma)
