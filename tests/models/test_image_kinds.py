import numpy as np
import PIL.Image
import pytest
import torch

from gendeg.errors import ImageError
from gendeg.models.image_kinds import split_batch, take_apart

PROFILE = b"a colour profile"


def unchanged(image):
    colours, rebuild = take_apart(image)
    assert colours.shape[0] == 3
    assert colours.dtype == torch.float32
    assert 0 <= colours.min() <= colours.max() <= 1
    return rebuild(colours)


def darkened(image):
    colours, rebuild = take_apart(image)
    return rebuild(colours * 0.5)


@pytest.fixture
def colour(photo) -> PIL.Image.Image:
    return PIL.Image.fromarray(photo)


@pytest.fixture
def alpha(photo) -> PIL.Image.Image:
    return PIL.Image.fromarray(photo[::-1, :, 0].copy())


@pytest.mark.parametrize("mode", ["RGB", "L", "LA", "RGBA"])
def test_modes_are_kept(colour, alpha, mode):
    image = colour.convert(mode)
    if mode.endswith("A"):
        image.putalpha(alpha)
    same, dark = unchanged(image), darkened(image)
    assert same.mode == dark.mode == mode
    assert np.array_equal(np.asarray(same), np.asarray(image))
    change = np.asarray(dark).astype(int) * 2 - np.asarray(image)
    if mode.endswith("A"):
        assert np.array_equal(np.asarray(dark.getchannel("A")), np.asarray(alpha))
        change = change[..., :-1]
    assert np.abs(change).max() <= 1


@pytest.mark.parametrize("dtype", ["<u2", ">u2", "<i4"])
def test_sixteen_bits_stay_sixteen(dtype):
    values = np.arange(65536).reshape(256, 256).astype(dtype)
    image = PIL.Image.fromarray(values)
    assert image.mode in ("I;16", "I;16B", "I")
    restored = unchanged(image)
    assert restored.mode == "I;16"
    assert np.array_equal(np.asarray(restored), values)


@pytest.mark.parametrize(
    ("mode", "result"), [("P", "RGB"), ("1", "L"), ("CMYK", "RGB"), ("YCbCr", "RGB"), ("LAB", "RGB"), ("F", "F")]
)
def test_other_modes(colour, mode, result):
    grey = PIL.Image.fromarray(np.float32(colour.convert("L")) / 255)
    image = grey if mode == "F" else colour.convert(mode)
    restored = unchanged(image)
    assert restored.mode == result
    assert np.allclose(np.asarray(restored), np.asarray(image.convert(result)), atol=1e-6)


def test_transparent_palette_becomes_alpha(colour, alpha):
    image = colour.quantize(16)
    image.info["transparency"] = 3
    restored = unchanged(image)
    assert restored.mode == "RGBA"
    assert np.array_equal(np.asarray(restored), np.asarray(image.convert("RGBA")))
    premultiplied = colour.copy()
    premultiplied.putalpha(alpha)
    assert unchanged(premultiplied.convert("RGBa")).mode == "RGBA"


def test_orientation_is_applied_and_metadata_kept(colour):
    exif = PIL.Image.Exif()
    exif[0x0112], exif[0x0110] = 6, "a camera"  # to be turned clockwise
    colour.info |= {"exif": exif.tobytes(), "icc_profile": PROFILE, "dpi": (300, 300), "comment": "not kept"}
    restored = unchanged(colour)
    assert restored.size == colour.size[::-1]
    assert np.array_equal(np.asarray(restored), np.rot90(np.asarray(colour), -1))
    kept = restored.getexif()
    assert kept[0x0110] == "a camera"
    assert 0x0112 not in kept
    assert restored.info["icc_profile"] == PROFILE
    assert restored.info["dpi"] == (300, 300)
    assert "comment" not in restored.info


@pytest.mark.parametrize(("mode", "kept"), [("RGB", True), ("L", True), ("P", True), ("CMYK", False)])
def test_colour_profile_fits_the_colours(colour, mode, kept):
    image = colour.convert(mode)
    image.info["icc_profile"] = PROFILE
    assert ("icc_profile" in unchanged(image).info) == kept


@pytest.mark.parametrize("dtype", ["uint8", "uint16", "float16", "float32", "float64"])
@pytest.mark.parametrize("channels", [(), (1,), (2,), (3,), (4,)])
def test_arrays_and_tensors_keep_shape_and_type(dtype, channels):
    values = np.random.default_rng(0).random((5, 7, *channels))
    array = (values * {"uint8": 255, "uint16": 65535}.get(dtype, 1)).astype(dtype)
    restored = unchanged(array)
    assert restored is not array
    assert restored.dtype == array.dtype
    assert restored.shape == array.shape
    np.testing.assert_allclose(restored, array, rtol=1e-6)
    if channels:
        tensor = torch.from_numpy(array).permute(2, 0, 1)
        same = unchanged(tensor)
        assert same.dtype == tensor.dtype
        torch.testing.assert_close(same.float(), tensor.float())
    if channels in ((2,), (4,)):
        assert np.array_equal(darkened(array)[..., -1], array[..., -1])
        assert torch.equal(darkened(tensor)[-1].float(), tensor[-1].float())


def test_bilevel_arrays_come_back_grey():
    mask = np.eye(4, dtype=bool)
    assert np.array_equal(unchanged(mask), np.eye(4) * 255)
    assert torch.equal(unchanged(torch.from_numpy(mask)[None]), torch.eye(4)[None] * 255)


def test_input_is_not_changed(photo_tensor):
    before = photo_tensor.clone()
    darkened(photo_tensor)
    assert torch.equal(photo_tensor, before)


def test_batches_come_back_as_they_came():
    for batch in ([1, 2], (1, 2), np.zeros((2, 4, 4, 3)), torch.zeros(2, 3, 4, 4)):
        images, put_together = split_batch(batch)
        assert len(images) == 2
        again = put_together(images)
        assert type(again) is (list if isinstance(batch, tuple) else type(batch))
        assert np.shape(again) == np.shape(batch)
    images, put_together = split_batch("one")
    assert put_together(images) == "one"


@pytest.mark.parametrize(
    ("image", "message"),
    [
        ("photo.png", "Not an image: str"),
        (np.zeros((4, 4, 5)), r"\(4, 4, 5\)"),
        (np.zeros(4), "shape"),
        (torch.zeros(4, 4), "shape"),
        (torch.full((3, 4, 4), 2.0), r"lie in \[0, 1\]"),
        (np.full((4, 4), np.nan), "NaN"),
        (np.zeros((4, 4), np.int64), "int64"),
        (PIL.Image.fromarray(np.full((4, 4), 70000, np.int32)), "65535"),
    ],
)
def test_what_is_no_image_is_refused(image, message):
    with pytest.raises(ImageError, match=message):
        take_apart(image)


@pytest.mark.parametrize("empty", [[], np.zeros((0, 4, 4, 3)), torch.zeros(0, 3, 4, 4)])
def test_an_empty_list_is_refused(empty):
    with pytest.raises(ImageError, match="empty list"):
        split_batch(empty)


def test_files_that_are_cut_or_closed_are_no_images(colour, tmp_path):
    colour.save(tmp_path / "photo.png")
    (tmp_path / "cut.png").write_bytes((tmp_path / "photo.png").read_bytes()[:3000])
    closed = PIL.Image.open(tmp_path / "photo.png")
    closed.close()
    with PIL.Image.open(tmp_path / "cut.png") as cut:
        for image in (cut, closed):
            with pytest.raises(ImageError, match="cannot be read"):
                take_apart(image)
