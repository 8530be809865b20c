"""Images as the bytes of a file, to be embedded in a data set."""

import io

import PIL.Image

from gendeg.errors import InputError

PNG, WEBP, JPEG = "png", "webp", "jpeg"
IMAGE_FORMATS = (PNG, WEBP, JPEG)
_SETTINGS = {
    PNG: {"compress_level": 6},
    WEBP: {"lossless": True, "quality": 50, "method": 4, "exact": True},  # quality is the effort here
    JPEG: {"quality": 95, "subsampling": 0},
}


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


def decode_image(data: bytes) -> PIL.Image.Image:
    """The RGB image in the bytes of a file."""
    with PIL.Image.open(io.BytesIO(data)) as image:
        return image.convert("RGB")
