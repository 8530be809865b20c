"""A photo made ready for the generator: its working resolution and its clean latents."""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import torch
from torch import Tensor

from gendeg.arguments import read_int
from gendeg.errors import ImageError, InputError
from gendeg.imaging import Image, pad_to_multiple, resize, to_batch
from gendeg.pipelines.latents import decode_mode, encode_mode, spatial_factor

if TYPE_CHECKING:
    from gendeg.pipelines.gendeg import GenDegPipeline

MIN_SIDE = 16  # below this no scene is left to degrade
MIN_WORKING_SIDE = 32  # a very wide panorama keeps at least this many rows


@dataclass
class PreparedImage:
    """A clean photo with everything the generator needs of it, reusable for any number of calls.

    Images are on the CPU, latents on the device of the generator.

    Attributes:
        clean: the photo at its own size, (3, H, W) in [0, 1].
        working: the photo at the working resolution, (3, h, w) in [0, 1].
        latents: unscaled clean latents of the padded working photo, (C, h', w').
        reconstruction: `D(E(working))`, (3, h, w) in [0, 1]: what the autoencoder makes of the clean photo.
    """

    clean: Tensor
    working: Tensor
    latents: Tensor
    reconstruction: Tensor


Photos = Image | PreparedImage | Sequence[PreparedImage]


def prepare_photos(pipe: "GenDegPipeline", image: Photos, resolution: int | None) -> list[PreparedImage]:
    """Encode photos by the autoencoder of a `GenDegPipeline`; prepared ones, as a list, are returned as they are.

    Args:
        pipe: the pipeline.
        image: what a call of the pipeline accepts.
        resolution: short side in pixels to work at; None works at the photo's own size, up to the generator's native
            area. Prepared photos have theirs already.

    Raises:
        ImageError: not images, or too small.
        InputError: `resolution` is not a whole number of at least 32, or given with prepared photos; or the
            autoencoder cannot be tiled as it is asked to.
    """
    if isinstance(image, PreparedImage):
        image = [image]
    if isinstance(image, (list, tuple)) and image and all(isinstance(photo, PreparedImage) for photo in image):
        if resolution is not None:
            raise InputError(
                f"resolution={resolution!r} cannot be given with prepared photos, whose resolution is set; give it to "
                "prepare_images, with the photos themselves."
            )
        return list(image)
    factor = spatial_factor(pipe.vae)
    multiple = factor * 2 ** (len(pipe.unet.config.block_out_channels) - 1)
    native_area = (pipe.unet.config.sample_size * factor) ** 2
    photos = []
    for clean in to_batch(image)[0]:
        size = working_size(clean.shape[-2], clean.shape[-1], native_area, resolution)
        photos.append(_prepare(pipe.vae, clean, size, multiple, pipe._execution_device))
    return photos


def _prepare(vae: Any, clean: Tensor, size: tuple[int, int], multiple: int, device: torch.device) -> PreparedImage:
    """Encode a photo (3, H, W) in [0, 1] at a working `size` (height, width), padded to a `multiple` of pixels."""
    clean = clean.cpu()  # alignment works there, where a large photo fits
    working = resize(clean, size)
    padded = pad_to_multiple(working[None].to(device), multiple)
    latents = encode_mode(vae, padded)
    reconstruction = decode_mode(vae, latents)[..., : size[0], : size[1]]
    return PreparedImage(clean, working, latents[0], reconstruction[0].float().cpu())


def group_by_size(photos: Sequence[PreparedImage]) -> list[list[int]]:
    """Indices of photos whose latents have the same shape, in order of first appearance."""
    groups: dict[torch.Size, list[int]] = {}
    for index, photo in enumerate(photos):
        groups.setdefault(photo.latents.shape, []).append(index)
    return list(groups.values())


def working_size(height: int, width: int, native_area: int, resolution: int | None) -> tuple[int, int]:
    """Choose the size (height, width) to work at; the aspect ratio is kept.

    Args:
        height, width: the photo's own size in pixels.
        native_area: pixels the generator was trained for. A larger photo is worked on at this area.
        resolution: the short side to work at instead, in pixels.

    Raises:
        ImageError: the photo has a side below 16 pixels.
        InputError: `resolution` is not a whole number of at least 32.
    """
    if min(height, width) < MIN_SIDE:
        raise ImageError(f"The image is {width} x {height} pixels; give one with at least {MIN_SIDE} on each side.")
    if resolution is not None and read_int("resolution", resolution) < MIN_WORKING_SIDE:
        raise InputError(
            f"resolution={resolution} is too small; give a short side of at least {MIN_WORKING_SIDE} pixels."
        )
    if resolution is not None:
        scale = resolution / min(height, width)
    else:
        scale = min(1.0, (native_area / (height * width)) ** 0.5)
        scale = max(scale, min(1.0, MIN_WORKING_SIDE / min(height, width)))
    return round(height * scale), round(width * scale)
