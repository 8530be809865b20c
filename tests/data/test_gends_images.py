import io

import numpy as np
import PIL.Image
import pytest

from gendeg.data.gends.images import IMAGE_FORMATS, decode_image, encode_image
from gendeg.errors import InputError


@pytest.fixture
def image() -> PIL.Image.Image:
    """A smooth picture with noise."""
    y, x = np.mgrid[:40, :56]
    noise = np.random.default_rng(0).normal(0, 3, (40, 56, 3))
    values = np.stack([2 * x + y, 3 * y, 120 + x - y], axis=-1) + noise
    return PIL.Image.fromarray(values.clip(0, 255).astype(np.uint8))


@pytest.mark.parametrize("image_format", IMAGE_FORMATS)
def test_equal_images_give_equal_bytes_of_the_format(image: PIL.Image.Image, image_format: str) -> None:
    data = encode_image(image, image_format)
    assert encode_image(image.copy(), image_format) == data
    assert PIL.Image.open(io.BytesIO(data)).format == image_format.upper()


@pytest.mark.parametrize("image_format", ["png", "webp"])
def test_nothing_is_lost(image: PIL.Image.Image, image_format: str) -> None:
    assert np.array_equal(np.asarray(decode_image(encode_image(image, image_format))), np.asarray(image))


def test_jpeg_loses_little(image: PIL.Image.Image) -> None:
    decoded = np.asarray(decode_image(encode_image(image, "jpeg"))).astype(float)
    assert 0 < np.abs(decoded - np.asarray(image)).mean() < 3


def test_unknown_format(image: PIL.Image.Image) -> None:
    with pytest.raises(InputError, match="Unknown image format 'tiff'; accepted: png, webp, jpeg"):
        encode_image(image, "tiff")
