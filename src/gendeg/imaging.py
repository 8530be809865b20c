"""Images in, images out: PIL, array and tensor, files, value ranges, padding."""

import math
import os
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import numpy as np
import PIL.Image
import PIL.ImageOps
import torch
import torch.nn.functional as F
from torch import Tensor

from gendeg.errors import ImageError
from gendeg.files import whole_file

Image = PIL.Image.Image | np.ndarray | Tensor | Sequence[Any]

IMAGE_SUFFIXES = {".png", ".jpg", ".jpeg", ".webp", ".bmp", ".tif", ".tiff"}

# Modes that a format holds without dropping alpha or depth; TIFF, which is not named, holds all.
_HOLDS = {
    ".png": {"1", "L", "LA", "P", "RGB", "RGBA", "I;16", "I;16B"},
    ".jpg": {"L", "RGB"},
    ".jpeg": {"L", "RGB"},
    ".webp": {"L", "RGB", "RGBA"},
    ".bmp": {"1", "L", "P", "RGB"},
}


KEPT_INFO = ("exif", "icc_profile", "xmp", "dpi")  # what a file says about an image, and a copy of it should say too


def open_image(path: str | os.PathLike[str]) -> PIL.Image.Image:
    """Read an image file as it is: its mode, its orientation, its metadata. Of several frames, the first.

    Raises:
        ImageError: the file does not exist, is not an image, or is broken.
    """
    try:
        with PIL.Image.open(path) as image:
            image.load()
            return image
    except FileNotFoundError:
        raise ImageError(f"No such image: {path}.") from None
    except PIL.UnidentifiedImageError as error:
        raise ImageError(f"Cannot read {path}: it is not an image, or not a complete one.") from error
    except (OSError, SyntaxError, ValueError, PIL.Image.DecompressionBombError) as error:
        raise ImageError(f"Cannot read {path} as an image: {error}. Is it complete?") from error


def read_image(path: str | os.PathLike[str]) -> PIL.Image.Image:
    """Open an image file as upright 8-bit RGB.

    The EXIF orientation is applied. Grey, palette, CMYK and 16-bit images are converted; a transparent image is laid
    on white.

    Raises:
        ImageError: the file does not exist, is not an image, is broken, or its values are out of range.
    """
    image = open_image(path)
    try:
        return to_rgb(image)
    except (OSError, ValueError) as error:
        raise ImageError(f"Cannot use {path}: {error}") from error


def write_image(image: PIL.Image.Image, path: str | os.PathLike[str]) -> None:
    """Write an image so that the file is either whole or absent: under a temporary name first, then renamed.

    What `image.info` says in `exif`, `icc_profile`, `xmp` and `dpi` is written too, as far as the format can hold it.

    Raises:
        ImageError: the file name's ending names no image format, or one that cannot hold this image.
        InputError: the file cannot be written.
    """
    path = Path(path)
    if path.suffix.lower() not in IMAGE_SUFFIXES:
        raise ImageError(f"{path.name}: unknown image format; use one of {', '.join(sorted(IMAGE_SUFFIXES))}.")
    _check_format(image, path)
    kept = {key: image.info[key] for key in KEPT_INFO if key in image.info}
    with whole_file(path) as temporary:
        try:
            image.save(temporary, quality=95, **kept)  # the quality is read by the lossy formats only
        except ValueError as error:  # e.g. more pixels than the format allows
            raise ImageError(f"Cannot write {path}: {error}. Use another format.") from error


def _check_format(image: PIL.Image.Image, path: Path) -> None:
    """Refuse what Pillow would refuse, or would write with fewer bits or without alpha."""
    holds = _HOLDS.get(path.suffix.lower())
    if holds is not None and image.mode not in holds:
        others = ".tif" if path.suffix.lower() == ".png" else ".png or .tif"
        raise ImageError(
            f"A {path.suffix} file cannot hold an image of mode {image.mode} without loss; write it as {others}."
        )


def find_images(folder: str | os.PathLike[str]) -> list[Path]:
    """All image files below a folder, sorted; hidden files and folders in it are left out.

    Raises:
        ImageError: not a folder, or no image in it.
    """
    root = Path(folder)
    if not root.is_dir():
        raise ImageError(f"{folder} is not a folder.")
    files = (path for path in root.rglob("*") if path.suffix.lower() in IMAGE_SUFFIXES and path.is_file())
    paths = sorted(path for path in files if not _is_hidden(path.relative_to(root)))
    if not paths:
        raise ImageError(f"No images in {folder}; looked for {', '.join(sorted(IMAGE_SUFFIXES))}.")
    return paths


def _is_hidden(path: Path) -> bool:
    return any(part.startswith(".") for part in path.parts)


def to_rgb(image: PIL.Image.Image) -> PIL.Image.Image:
    """Turn any PIL image into upright 8-bit RGB (see `read_image`).

    Raises:
        ImageError: a float image (mode `F`) has NaN or values outside [0, 1], an integer one (mode `I`) outside
            [0, 65535], or Pillow cannot convert the image.
    """
    try:
        return _convert(image)
    except ImageError:
        raise
    except (OSError, SyntaxError, ValueError) as error:  # a mode such as La; a file that is broken beyond its header
        raise ImageError(f"Cannot turn this image of mode {image.mode} into RGB: {error}.") from error


def _convert(image: PIL.Image.Image) -> PIL.Image.Image:
    image = PIL.ImageOps.exif_transpose(image)
    if image.mode.startswith("I"):  # 16-bit grey, also as 32-bit integers, which PIL would clip at 255
        image = _grey(_sixteen_bit(np.asarray(image)) / 65535)
    if image.mode == "F":
        image = _grey(unit_range(torch.from_numpy(np.array(image))).numpy())
    if image.has_transparency_data:
        image = image.convert("RGBA")
        white = PIL.Image.new("RGBA", image.size, "white")
        image = PIL.Image.alpha_composite(white, image)
    return image.convert("RGB")


def _grey(values: np.ndarray) -> PIL.Image.Image:
    """Values (H, W) in [0, 1] as 8-bit grey image, rounded."""
    return PIL.Image.fromarray((values * 255).round().astype(np.uint8))


def _sixteen_bit(values: np.ndarray) -> np.ndarray:
    low, high = values.min(), values.max()
    if low < 0 or high > 65535:
        raise ImageError(f"Integer grey images lie in [0, 65535]; this one spans [{low}, {high}]. Rescale it.")
    return values


def to_batch(images: Image) -> tuple[list[Tensor], bool]:
    """Read one image or many.

    Args:
        images: a PIL image, an array (H, W), (H, W, 1), (H, W, 3) or (H, W, 4), a tensor (3, H, W) or (1, H, W), or
            many: a list of those, an array (B, H, W, C), a tensor (B, C, H, W). Values are uint8 in [0, 255], uint16
            in [0, 65535], bool, or floats in [0, 1].

    Returns:
        The images as float32 tensors (3, H, W) in [0, 1], and whether a single image was given.

    Raises:
        ImageError: not images, an empty list, other types of values, NaN, or floats outside [0, 1].
    """
    if isinstance(images, (list, tuple)) or (isinstance(images, (np.ndarray, Tensor)) and images.ndim == 4):
        if len(images) == 0:
            raise ImageError("Got an empty list of images; give at least one.")
        return [to_tensor(image) for image in images], False
    return [to_tensor(images)], True


def to_tensor(image: Any) -> Tensor:
    """One image as float32 tensor (3, H, W) in [0, 1]; accepts what `to_batch` accepts for one image."""
    if isinstance(image, PIL.Image.Image):
        if 0 in image.size:
            raise ImageError(f"An image has some pixels; this one is {image.size[0]} x {image.size[1]}.")
        return torch.from_numpy(np.array(to_rgb(image))).permute(2, 0, 1).float() / 255
    if isinstance(image, np.ndarray):
        if image.ndim not in (2, 3):
            raise ImageError(f"An image array has shape (H, W) or (H, W, 3); got {image.shape}.")
        pixels = image if image.ndim == 3 else image[..., None]
        _check_pixels(image, pixels.shape[2])
        return _three_channels(unit_range(torch.from_numpy(_writable(pixels)).permute(2, 0, 1)))
    if isinstance(image, Tensor):
        if image.ndim != 3:
            raise ImageError(f"An image tensor has shape (3, H, W); got {tuple(image.shape)}.")
        _check_pixels(image, image.shape[0])
        if image.layout != torch.strided:
            raise ImageError(f"An image tensor is dense; this one is {image.layout}. Give image.to_dense().")
        return _three_channels(unit_range(image.detach()))
    raise ImageError(
        f"Not an image: {type(image).__name__}. Give a PIL image (of a file: PIL.Image.open(path)), an array (H, W, 3) "
        "or a tensor (3, H, W)."
    )


def _check_pixels(image: np.ndarray | Tensor, channels: int) -> None:
    shape, dtype = tuple(image.shape), str(image.dtype).removeprefix("torch.")
    if channels not in (1, 3, 4) or 0 in shape:
        raise ImageError(f"An image has 1 (grey), 3 (RGB) or 4 (RGBA) channels and some pixels; got shape {shape}.")
    if dtype not in ("uint8", "uint16", "bool") and "float" not in dtype:
        raise ImageError(f"Pixels are uint8, uint16, bool or float; got {dtype}. Convert them, e.g. to uint8.")


def _writable(pixels: np.ndarray) -> np.ndarray:
    """A copy that torch can share: contiguous, writable, of a type it knows."""
    return pixels.astype(np.float32) if pixels.dtype.kind == "f" else np.array(pixels, order="C")


def unit_range(tensor: Tensor) -> Tensor:
    """Pixels as float32 in [0, 1]; whole numbers are divided by the largest of their type.

    Raises:
        ImageError: floats that are NaN or outside [0, 1].
    """
    if tensor.dtype == torch.bool:
        return tensor.float()
    if not tensor.is_floating_point():
        return tensor.float() / torch.iinfo(tensor.dtype).max
    tensor = tensor.float()
    low, high = torch.stack(tensor.aminmax()).tolist()  # both are NaN if one value is
    if not (math.isfinite(low) and math.isfinite(high)):
        raise ImageError("The image has NaN or infinite values; replace them first.")
    if low < -1e-3 or high > 1 + 1e-3:
        raise ImageError(
            f"Float images lie in [0, 1]; this one spans [{low:.3g}, {high:.3g}]. Rescale it, or pass uint8."
        )
    return tensor.clamp(0, 1)


def _three_channels(tensor: Tensor) -> Tensor:
    if tensor.shape[0] == 4:  # lay transparent pixels on white
        return tensor[:3] * tensor[3:] + (1 - tensor[3:])
    return tensor.expand(3, -1, -1).contiguous()


def to_pil(image: Tensor) -> PIL.Image.Image:
    """A tensor (3, H, W) in [0, 1] as 8-bit PIL image, rounded."""
    array = (image.detach().clamp(0, 1) * 255).round().to(torch.uint8).permute(1, 2, 0).cpu().numpy()
    return PIL.Image.fromarray(array)


def resize(image: Tensor, size: tuple[int, int]) -> Tensor:
    """Resize (3, H, W) or (B, 3, H, W) to (height, width): bicubic, antialiased, clamped to [0, 1]."""
    batch = image if image.ndim == 4 else image[None]
    if tuple(batch.shape[-2:]) == tuple(size):
        return image
    resized = F.interpolate(batch, size=size, mode="bicubic", antialias=True, align_corners=False).clamp(0, 1)
    return resized if image.ndim == 4 else resized[0]


def resize_lanczos(image: Tensor, size: tuple[int, int]) -> Tensor:
    """Resize a tensor (3, H, W) in [0, 1] to (height, width) as PIL does: Lanczos, on 8-bit values."""
    resized = to_pil(image).resize((size[1], size[0]), PIL.Image.Resampling.LANCZOS)
    return to_tensor(resized)


def pad_to_multiple(images: Tensor, multiple: int) -> Tensor:
    """Pad (B, C, H, W) at the right and bottom, so that both sides are multiples of `multiple`.

    The picture is mirrored into the margin; where it is smaller than the margin its edge is repeated.
    """
    height, width = images.shape[-2:]
    bottom, right = -height % multiple, -width % multiple
    mode = "reflect" if bottom < height and right < width else "replicate"
    fits = not torch.compiler.is_exporting() and not bottom and not right  # an exported graph is for all sizes
    return images if fits else F.pad(images, (0, right, 0, bottom), mode=mode)
