"""Images as the bytes of a file, to be embedded in a data set."""

import io

import PIL.ExifTags
import PIL.Image

from gendeg.errors import InputError

PNG, WEBP, JPEG = "png", "webp", "jpeg"
IMAGE_FORMATS = (PNG, WEBP, JPEG)
_SETTINGS = {
    PNG: {"compress_level": 6},
    WEBP: {"lossless": True, "quality": 50, "method": 4, "exact": True},  # quality is the effort here
    JPEG: {"quality": 95, "subsampling": 0},
}
_UPRIGHT = 1  # EXIF orientation
_PNG_DEPTH = 24  # where a PNG file says how many bits a channel has


def encode_image(image: PIL.Image.Image, image_format: str = PNG) -> bytes:
    """An 8-bit RGB image as the bytes of a file; equal images give equal bytes.

    Args:
        image: RGB image.
        image_format: `"png"` or `"webp"`, which lose nothing, or `"jpeg"` (quality 95, colour at full resolution),
            which changes the severity slightly.

    Raises:
        InputError: another format.
    """
    if image_format not in _SETTINGS:
        raise InputError(f"Unknown image format {image_format!r}; accepted: {', '.join(IMAGE_FORMATS)}.")
    buffer = io.BytesIO()
    image.save(buffer, format=image_format, **_SETTINGS[image_format])
    return buffer.getvalue()


def is_plain_file(data: bytes) -> bool:
    """Whether every reader sees the same in an image file: a PNG, WebP or JPEG of one upright 8-bit RGB image.

    Raises:
        PIL.UnidentifiedImageError: not an image.
    """
    with PIL.Image.open(io.BytesIO(data)) as image:
        deep = image.format == "PNG" and data[_PNG_DEPTH] != 8
        still = getattr(image, "n_frames", 1) == 1
        upright = image.getexif().get(PIL.ExifTags.Base.Orientation, _UPRIGHT) == _UPRIGHT
        opaque = image.mode == "RGB" and "transparency" not in image.info
        return (image.format or "").lower() in IMAGE_FORMATS and opaque and upright and still and not deep


def decode_image(data: bytes) -> PIL.Image.Image:
    """The RGB image in the bytes of a file."""
    with PIL.Image.open(io.BytesIO(data)) as image:
        return image.convert("RGB")
