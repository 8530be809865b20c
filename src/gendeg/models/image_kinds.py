"""Colours out of any kind of image, and restored colours back into the same kind.

A network works on three channels in [0, 1]. What else an image has, i.e. its type, depth, alpha, colour profile and
metadata, waits here meanwhile:

    image ─ take_apart ─▶ colours ─ network ─▶ restored colours ─ rebuild ─▶ image of the same kind
"""

from collections.abc import Callable
from typing import Any

import numpy as np
import PIL.Image
import PIL.ImageOps
import torch
from torch import Tensor

from gendeg.errors import ImageError
from gendeg.imaging import KEPT_INFO, to_tensor

Rebuild = Callable[[Tensor], Any]

_LUMA = (0.299, 0.587, 0.114)  # ITU-R BT.601, as Pillow turns colour into grey


def split_batch(images: Any) -> tuple[list[Any], Callable[[list[Any]], Any]]:
    """One image or many, as a list.

    Args:
        images: an image, or many: a list of images of any sizes and kinds, an array (B, H, W, C), a tensor
            (B, C, H, W).

    Returns:
        The images, and a function that puts as many results together the way the images came.

    Raises:
        ImageError: an empty list.
    """
    many = isinstance(images, (list, tuple)) or (isinstance(images, (np.ndarray, Tensor)) and images.ndim == 4)
    if many and len(images) == 0:
        raise ImageError("Got an empty list of images; give at least one.")
    if not many:
        return [images], lambda results: results[0]
    if isinstance(images, np.ndarray):
        return list(images), np.stack
    if isinstance(images, Tensor):
        return list(images), torch.stack
    return list(images), list


def take_apart(image: Any) -> tuple[Tensor, Rebuild]:
    """Separate the colours of one image from the rest.

    Args:
        image: a PIL image of any mode; an array (H, W) or (H, W, C); a tensor (C, H, W). The channels of arrays and
            tensors are grey, grey and alpha, RGB, or RGBA; the values uint8, uint16, bool, or floats in [0, 1].

    Returns:
        The colours, float32 (3, H, W) in [0, 1], and a function that makes an image of the same kind from restored
        ones (which it overwrites). Grey images are restored as three equal channels and averaged by luma; alpha is
        passed on untouched.

        PIL images are turned upright first. Their mode is kept but for these: `P` comes back as RGB or RGBA, `1` as
        `L`, `I` and other 16-bit modes as `I;16`, images whose transparency is one colour with an alpha channel,
        premultiplied ones as plain RGBA or LA, CMYK, YCbCr, HSV and LAB as RGB without their colour profile. EXIF
        (without the orientation), colour profile, XMP and resolution stay in `image.info`. A bool array comes back as
        uint8.

    Raises:
        ImageError: not an image, a PIL image that is broken or closed, other shapes or types of values, NaN, values out
            of range.
    """
    if isinstance(image, PIL.Image.Image):
        return _take_pil_apart(image)
    if isinstance(image, np.ndarray):
        return _take_pixels_apart(image)
    return _take_tensor_apart(image)


def _take_pil_apart(image: PIL.Image.Image) -> tuple[Tensor, Rebuild]:
    try:
        upright = PIL.ImageOps.exif_transpose(image)  # reads the pixels, which PIL does not when it opens a file
    except (OSError, SyntaxError, ValueError) as error:
        raise ImageError(f"The pixels of {image} cannot be read: {error}. Is its file complete and open?") from error
    info: dict[Any, Any] = {key: upright.info[key] for key in KEPT_INFO if key in upright.info}
    plain = _simplify(upright)
    if upright.mode not in ("1", "P", "PA") and plain.mode[:1] != upright.mode[:1]:
        info.pop("icc_profile", None)  # it describes the colours of CMYK, not those of RGB
    colours, rebuild_array = _take_pixels_apart(_to_array(plain))

    def rebuild(restored: Tensor) -> PIL.Image.Image:
        result = PIL.Image.fromarray(rebuild_array(restored))
        result.info = info
        return result

    return colours, rebuild


def _simplify(image: PIL.Image.Image) -> PIL.Image.Image:
    """The image in mode L, LA, RGB, RGBA, F, or one of 16 bits."""
    if image.mode == "F" or image.mode.startswith("I"):
        return image
    mode = ("L" if image.mode in ("1", "L", "LA", "La") else "RGB") + ("A" if image.has_transparency_data else "")
    return image if image.mode == mode else image.convert(mode)


def _to_array(image: PIL.Image.Image) -> np.ndarray:
    array = np.array(image)
    if not image.mode.startswith("I"):
        return array
    if array.min() < 0 or array.max() > 65535:
        raise ImageError(
            f"Integer grey images lie in [0, 65535]; this one spans [{array.min()}, {array.max()}]. Rescale it."
        )
    return array.astype(np.uint16)


def _take_pixels_apart(array: np.ndarray) -> tuple[Tensor, Rebuild]:
    channels = _colour_channels(array.shape[2]) if array.ndim == 3 else 1
    colours = to_tensor(array[..., :channels] if array.ndim == 3 else array)

    def rebuild(restored: Tensor) -> np.ndarray:
        result = array.astype(np.uint8) * 255 if array.dtype == bool else array.copy()
        pixels = result if result.ndim == 3 else result[..., None]
        pixels[..., :channels] = _scale(restored, channels, _full_scale(result.dtype)).permute(1, 2, 0).numpy()
        return result

    return colours, rebuild


def _take_tensor_apart(tensor: Any) -> tuple[Tensor, Rebuild]:
    is_image = isinstance(tensor, Tensor) and tensor.ndim == 3
    channels = _colour_channels(tensor.shape[0]) if is_image else 0
    colours = to_tensor(tensor[:channels] if is_image else tensor)  # which tells what is wrong with other things

    def rebuild(restored: Tensor) -> Tensor:
        result = tensor.to(torch.uint8) * 255 if tensor.dtype == torch.bool else tensor.detach().clone()
        result[:channels] = _scale(restored, channels, _full_scale(result.dtype)).to(result.dtype)
        return result

    return colours, rebuild


def _colour_channels(channels: int) -> int:
    """How many of the channels are colours; the rest is alpha."""
    return {2: 1, 4: 3}.get(channels, channels)


def _full_scale(dtype: Any) -> int:
    """What white is in a type of values."""
    return {"uint8": 255, "uint16": 65535}.get(str(dtype).removeprefix("torch."), 1)


def _scale(colours: Tensor, channels: int, full_scale: int) -> Tensor:
    """Colours (3, H, W) in [0, 1] as values of an image with 1 or 3 channels, rounded to whole ones if not floats."""
    values = colours if channels == 3 else _luma(colours)
    return values if full_scale == 1 else values.mul_(full_scale).round_()


def _luma(colours: Tensor) -> Tensor:
    return sum(weight * channel for weight, channel in zip(_LUMA, colours, strict=True))[None]
