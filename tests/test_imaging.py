import warnings

import numpy as np
import PIL.Image
import pytest
import torch

from gendeg.errors import ImageError, InputError
from gendeg.imaging import (
    find_images,
    pad_to_multiple,
    read_image,
    resize,
    resize_lanczos,
    to_batch,
    to_pil,
    to_rgb,
    to_tensor,
    write_image,
)

ORIENTATION = 0x112


@pytest.fixture
def pixels():
    """Random uint8 image (6, 9, 3)."""
    return np.random.default_rng(0).integers(0, 256, (6, 9, 3), dtype=np.uint8)


def save(path, image, **options):
    image.save(path, **options)
    return read_image(path)


def test_lossless_round_trip(tmp_path, pixels):
    write_image(PIL.Image.fromarray(pixels), tmp_path / "new" / "image.png")
    assert (np.asarray(read_image(tmp_path / "new" / "image.png")) == pixels).all()
    assert [path.name for path in (tmp_path / "new").iterdir()] == ["image.png"]


@pytest.mark.parametrize("suffix", [".png", ".jpg", ".JPEG", ".webp", ".bmp", ".tif"])
def test_every_format_is_written_and_read(tmp_path, pixels, suffix):
    write_image(PIL.Image.fromarray(pixels), tmp_path / f"image{suffix}")
    assert read_image(tmp_path / f"image{suffix}").size == (9, 6)


def test_exif_rotation_is_applied(tmp_path, pixels):
    exif = PIL.Image.Exif()
    exif[ORIENTATION] = 6  # the camera was held upright: show turned by 90 degrees clockwise
    image = save(tmp_path / "image.png", PIL.Image.fromarray(pixels), exif=exif)
    assert (np.asarray(image) == np.rot90(pixels, k=-1)).all()


def test_grey(tmp_path, pixels):
    grey = pixels[..., 0]
    assert (np.asarray(save(tmp_path / "image.png", PIL.Image.fromarray(grey))) == grey[..., None]).all()


def test_sixteen_bit_keeps_its_range(tmp_path):
    grey = np.linspace(0, 65535, 256).reshape(16, 16).round().astype(np.uint16)
    image = save(tmp_path / "image.png", PIL.Image.fromarray(grey))
    assert (np.asarray(image)[..., 0] == np.arange(256).reshape(16, 16)).all()
    assert (np.asarray(save(tmp_path / "image.tif", PIL.Image.fromarray(grey))) == np.asarray(image)).all()


def test_palette_and_black_and_white(tmp_path, pixels):
    palette = PIL.Image.fromarray(pixels).quantize(16)
    assert (np.asarray(save(tmp_path / "image.png", palette)) == np.asarray(palette.convert("RGB"))).all()
    bits = PIL.Image.fromarray(pixels).convert("1")
    assert set(np.unique(np.asarray(save(tmp_path / "bits.png", bits)))) == {0, 255}


def test_cmyk(tmp_path):
    image = save(tmp_path / "image.jpg", PIL.Image.new("CMYK", (8, 8), (0, 255, 255, 0)), quality=100)
    red, green, blue = np.asarray(image)[4, 4]
    assert red > 240
    assert green < 15
    assert blue < 15


@pytest.mark.parametrize("mode", ["RGBA", "LA", "PA"])
def test_transparent_pixels_become_white(tmp_path, mode):
    image = PIL.Image.new("RGBA", (4, 4), (0, 0, 0, 255))
    image.putpixel((1, 2), (0, 0, 0, 0))
    found = np.asarray(to_rgb(image.convert(mode)))
    assert (found[2, 1] == 255).all()
    assert (found[0, 0] == 0).all()


def test_float_image():
    image = PIL.Image.fromarray(np.array([[0, 0.25], [0.5, 1]], dtype=np.float32))
    assert np.asarray(to_rgb(image))[..., 0].tolist() == [[0, 64], [128, 255]]


@pytest.mark.parametrize(
    ("pixel", "dtype", "message"),
    [
        (2.0, np.float32, r"\[0, 1\]"),
        (-1.0, np.float32, r"\[0, 1\]"),
        (np.nan, np.float32, "NaN"),
        (70_000, np.int32, r"\[0, 65535\]"),
        (-1, np.int32, r"\[0, 65535\]"),
    ],
)
def test_grey_values_out_of_range_are_refused(tmp_path, pixel, dtype, message):
    image = PIL.Image.fromarray(np.array([[0, 1], [0, pixel]], dtype=dtype))
    with pytest.raises(ImageError, match=message):
        to_rgb(image)
    with pytest.raises(ImageError, match=rf"grey\.tif.*{message}"):
        save(tmp_path / "grey.tif", image)


def test_modes_that_pillow_cannot_convert_are_refused():
    image = PIL.Image.new("La", (4, 4))
    for use in (to_rgb, to_tensor, to_batch):
        with pytest.raises(ImageError, match="mode La into RGB"):
            use(image)


def test_a_file_that_is_broken_beyond_its_header(tmp_path, pixels):
    PIL.Image.fromarray(pixels.repeat(20, 0).repeat(20, 1)).save(tmp_path / "image.png")
    (tmp_path / "image.png").write_bytes((tmp_path / "image.png").read_bytes()[:200])
    with PIL.Image.open(tmp_path / "image.png") as image, pytest.raises(ImageError, match="mode RGB into RGB"):
        to_tensor(image)


@pytest.mark.parametrize("content", [b"", b"not an image", None])
def test_broken_files(tmp_path, pixels, content):
    PIL.Image.fromarray(pixels).save(tmp_path / "good.png")
    (tmp_path / "bad.png").write_bytes((tmp_path / "good.png").read_bytes()[:60] if content is None else content)
    with pytest.raises(ImageError, match=r"bad\.png"):
        read_image(tmp_path / "bad.png")


def test_a_picture_without_pixels():
    with pytest.raises(ImageError, match="0 x 5"):
        to_tensor(PIL.Image.new("RGB", (0, 5)))


@pytest.mark.parametrize(("suffix", "others"), [("png", ".tif"), ("jpg", ".png or .tif")])
def test_formats_that_cannot_hold_an_image_are_told_from_those_that_can(tmp_path, suffix, others):
    with pytest.raises(ImageError, match=f"mode F without loss; write it as {others}"):
        write_image(PIL.Image.new("F", (4, 4)), tmp_path / f"image.{suffix}")


def test_a_picture_too_large_for_its_format(tmp_path):
    with pytest.raises((ImageError, InputError), match=r"Cannot write .*image\.webp"):
        write_image(PIL.Image.new("RGB", (20_000, 1)), tmp_path / "image.webp")
    assert not list(tmp_path.iterdir())


def test_missing_file_folder_and_bad_output_names(tmp_path, pixels):
    with pytest.raises(ImageError, match="No such image"):
        read_image(tmp_path / "missing.png")
    with pytest.raises(ImageError, match="Cannot read"):
        read_image(tmp_path)
    image = PIL.Image.fromarray(pixels)
    for name in ("image", "image.xyz"):
        with pytest.raises(ImageError, match="unknown image format"):
            write_image(image, tmp_path / name)
    (tmp_path / "file").touch()
    with pytest.raises(InputError, match="Cannot write"):
        write_image(image, tmp_path / "file" / "image.png")
    assert [path.name for path in tmp_path.iterdir()] == ["file"]


def test_find_images(tmp_path, pixels):
    for name in ("b.png", "sub/a.JPG", ".hidden.png", ".hidden/c.png", "sub/.thumbnails/d.png", "notes.txt"):
        (tmp_path / name).parent.mkdir(exist_ok=True, parents=True)
        (tmp_path / name).touch()
    (tmp_path / "folder.png").mkdir()
    assert find_images(tmp_path) == [tmp_path / "b.png", tmp_path / "sub" / "a.JPG"]
    assert find_images(tmp_path / ".hidden") == [tmp_path / ".hidden" / "c.png"]
    with pytest.raises(ImageError, match="No images"):
        find_images(tmp_path / "folder.png")
    with pytest.raises(ImageError, match="not a folder"):
        find_images(tmp_path / "missing")


def test_every_form_of_an_image_is_the_same_tensor(pixels):
    expected = torch.from_numpy(pixels).permute(2, 0, 1) / 255
    forms = [
        PIL.Image.fromarray(pixels),
        pixels,
        pixels.astype(np.uint16) * 257,
        pixels / 255,
        (pixels / 255).astype(np.float32),
        torch.from_numpy(pixels).permute(2, 0, 1),
        expected,
        expected.double(),
    ]
    for form in forms:
        tensor = to_tensor(form)
        assert (tensor.shape, tensor.dtype) == ((3, 6, 9), torch.float32)
        assert torch.allclose(tensor, expected, atol=1e-6)
    assert (np.asarray(to_pil(expected)) == pixels).all()


def test_grey_and_alpha_arrays(pixels):
    grey = pixels[..., 0]
    assert torch.equal(to_tensor(grey), to_tensor(np.repeat(grey[..., None], 3, axis=-1)))
    assert torch.equal(to_tensor(grey[..., None]), to_tensor(grey))
    assert to_tensor(grey > 100).unique().tolist() == [0, 1]
    clear = np.concatenate([pixels, np.zeros((6, 9, 1), dtype=np.uint8)], axis=-1)
    assert (to_tensor(clear) == 1).all()


def test_views_and_read_only_arrays_give_no_warning(pixels):
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        assert torch.equal(to_tensor(np.asarray(PIL.Image.fromarray(pixels))), to_tensor(pixels))
        assert torch.equal(to_tensor(pixels[:, ::-1]), to_tensor(pixels).flip(-1))
    tensor = to_tensor(pixels / 255)
    tensor.zero_()
    assert pixels.any()


def test_a_tensor_that_requires_grad_is_detached():
    image = torch.rand(3, 4, 4, requires_grad=True)
    assert not to_tensor(image).requires_grad
    assert torch.equal(to_tensor(image), image)


def test_input_is_never_changed(pixels):
    image = torch.rand(3, 4, 4)
    before = image.clone()
    to_tensor(image).zero_()
    assert torch.equal(image, before)


def test_batches(pixels):
    images, single = to_batch(pixels)
    assert single
    assert len(images) == 1
    for batch in ([pixels, pixels[:3]], np.stack([pixels, pixels]), torch.rand(2, 3, 5, 5), (pixels, pixels)):
        images, single = to_batch(batch)
        assert not single
        assert len(images) == 2


@pytest.mark.parametrize(
    ("image", "message"),
    [
        ("photo.png", "Not an image: str"),
        (None, "Not an image: NoneType"),
        ([], "empty list"),
        (np.zeros(5), "shape"),
        (np.zeros((0, 4, 3)), "some pixels"),
        (np.zeros((4, 4, 2)), "channels"),
        (np.zeros((4, 4, 5)), "channels"),
        (np.zeros((2, 2, 4, 4, 3)), "shape"),
        (torch.zeros(4, 4), "shape"),
        (torch.zeros(5, 4, 3), "channels"),
        (np.full((4, 4, 3), np.nan), "NaN"),
        (np.full((4, 4, 3), np.inf), "NaN or infinite"),
        (np.full((4, 4, 3), 200.0), r"\[0, 1\]"),
        (np.full((4, 4, 3), -1.0), r"\[0, 1\]"),
        (np.full((4, 4, 3), 200), "int64"),
        (torch.full((3, 4, 4), 200), "int64"),
        (np.full((4, 4, 3), 1j), "complex128"),
        (np.full((4, 4, 3), "a"), "<U1"),
        (torch.zeros(3, 4, 4).to_sparse(), "dense; this one is torch.sparse_coo"),
        (torch.full((3, 4, 4), torch.nan), "NaN"),
        (torch.full((3, 4, 4), 1.1).half(), r"\[0, 1\]"),
    ],
)
def test_what_is_no_image_is_refused(image, message):
    with pytest.raises(ImageError, match=message):
        to_batch(image)


def test_resize():
    image = torch.rand(3, 8, 12)
    assert resize(image, (8, 12)) is image
    assert resize(image, (4, 6)).shape == (3, 4, 6)
    assert resize(image[None], (16, 24)).shape == (1, 3, 16, 24)
    assert torch.allclose(resize(torch.full((3, 9, 9), 0.3), (5, 7)), torch.tensor(0.3))


def test_resize_lanczos_is_that_of_pil(pixels):
    expected = PIL.Image.fromarray(pixels).resize((256, 256), PIL.Image.Resampling.LANCZOS)
    assert torch.equal(resize_lanczos(to_tensor(pixels), (256, 256)), to_tensor(expected))


@pytest.mark.parametrize(
    ("size", "padded"), [((5, 9), (8, 16)), ((8, 16), (8, 16)), ((1, 1), (8, 8)), ((3, 17), (8, 24))]
)
def test_padding(size, padded):
    image = torch.rand(2, 3, *size)
    result = pad_to_multiple(image, 8)
    assert result.shape[-2:] == padded
    assert torch.equal(result[..., : size[0], : size[1]], image)
