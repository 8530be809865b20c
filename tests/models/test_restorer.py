import numpy as np
import PIL.Image
import pytest
import torch

from gendeg.errors import CheckpointError, ImageError, InputError
from gendeg.models import memory


@torch.no_grad()
def test_float_tensor_is_what_the_network_makes_of_it(tiny_restorer, photo_tensor):
    restored = tiny_restorer.restore(photo_tensor)
    assert torch.equal(restored, tiny_restorer(photo_tensor[None])[0].clamp(0, 1))
    assert (restored - photo_tensor).abs().mean() > 1e-3
    assert not restored.is_inference()
    assert not restored.requires_grad


def test_pil_array_and_tensor_agree(tiny_restorer, photo):
    array = tiny_restorer.restore(photo)
    assert array.dtype == np.uint8
    assert np.array_equal(np.asarray(tiny_restorer.restore(PIL.Image.fromarray(photo))), array)
    tensor = tiny_restorer.restore(torch.from_numpy(photo).permute(2, 0, 1))
    assert np.array_equal(tensor.permute(1, 2, 0).numpy(), array)
    grey = tiny_restorer.restore(photo[..., 0])
    same = tiny_restorer.restore(PIL.Image.fromarray(photo[..., 0]))
    assert same.mode == "L"
    assert np.array_equal(np.asarray(same), grey)


def test_sixteen_bit_precision(tiny_restorer, photo_tensor):
    exact = tiny_restorer.restore(photo_tensor[:1])
    sixteen = (photo_tensor[0] * 65535).round().numpy().astype(np.uint16)
    restored = tiny_restorer.restore(PIL.Image.fromarray(sixteen))
    assert np.abs(np.asarray(restored) / 65535 - exact[0].numpy()).max() < 2 / 65535


def test_lists_of_mixed_sizes_and_kinds(tiny_restorer, photo, capsys):
    images = [photo, PIL.Image.fromarray(photo[:31, :17]), torch.rand(3, 9, 8)]
    restored = tiny_restorer.restore(images)
    assert [type(image) for image in restored] == [np.ndarray, PIL.Image.Image, torch.Tensor]
    assert restored[1].size == (17, 31)
    assert np.array_equal(restored[0], tiny_restorer.restore(photo))
    batch = torch.rand(2, 3, 9, 8)
    assert torch.equal(tiny_restorer.restore(batch), torch.stack(tiny_restorer.restore(list(batch))))
    assert capsys.readouterr() == ("", "")


def test_half_precision(tiny_restorer, photo_tensor):
    exact = tiny_restorer.restore(photo_tensor)
    restored = tiny_restorer.to(torch.bfloat16).restore(photo_tensor)
    assert restored.dtype == torch.float32
    assert 0 < (restored - exact).abs().mean() < 0.01
    assert tiny_restorer.restore(photo_tensor.half()).dtype == torch.float16


def test_tiles_come_close_to_the_whole(tiny_restorer):
    image = torch.rand(3, 300, 420)
    whole, tiled = tiny_restorer.restore(image, tile=0), tiny_restorer.restore(image, tile=192)
    assert 0 < (whole - tiled).abs().mean() < 0.2 / 255


def test_a_tile_may_be_a_number_of_numpy(tiny_restorer):
    image = torch.rand(3, 180, 180)
    assert torch.equal(tiny_restorer.restore(image, tile=np.int64(160)), tiny_restorer.restore(image, tile=160))


def test_tiles_are_chosen_by_memory(tiny_restorer, monkeypatch):
    image = torch.rand(3, 300, 420)
    assert torch.equal(tiny_restorer.restore(image), tiny_restorer.restore(image, tile=0))
    monkeypatch.setattr(memory, "usable_bytes", lambda device: 1)
    assert torch.equal(tiny_restorer.restore(image), tiny_restorer.restore(image, tile=160))


def test_training_mode_is_left_as_it_was(tiny_restorer, photo_tensor):
    tiny_restorer.train()
    restored = tiny_restorer.restore(photo_tensor)
    assert tiny_restorer.training
    assert torch.equal(restored, tiny_restorer.eval().restore(photo_tensor))
    with pytest.raises(ImageError):
        tiny_restorer.train().restore("photo.png")
    assert tiny_restorer.training


def test_nan_is_not_passed_off_as_an_image(tiny_restorer, photo):
    with torch.no_grad():
        tiny_restorer.intro.weight.fill_(torch.nan)
    with pytest.raises(CheckpointError, match=r"NAFNet returned NaN .* in torch\.float32"):
        tiny_restorer.restore(photo)


@pytest.mark.parametrize(
    "error", [torch.OutOfMemoryError("full"), RuntimeError("DefaultCPUAllocator: can't allocate memory")]
)
@pytest.mark.parametrize(
    ("tile", "what"),
    [(None, "tiles chosen by free memory"), (0, "the whole image at once"), (160, "tiles of 160 pixels")],
)
def test_want_of_memory_is_told(tiny_restorer, monkeypatch, error, tile, what):
    def fail(x):
        raise error

    monkeypatch.setattr(tiny_restorer, "forward", fail)
    with pytest.raises(InputError, match=f"Out of memory on cpu with {what}.* at least 160"):
        tiny_restorer.restore(torch.rand(3, 300, 300), tile=tile)


def test_other_failures_of_a_network_are_its_own(tiny_restorer, monkeypatch):
    def fail(x):
        raise RuntimeError("shapes do not fit")

    monkeypatch.setattr(tiny_restorer, "forward", fail)
    with pytest.raises(RuntimeError, match=r"^shapes do not fit$"):
        tiny_restorer.restore(torch.rand(3, 300, 300))


def test_bad_tiles_are_refused(tiny_restorer, photo):
    with pytest.raises(InputError, match=r"tile=64 with overlap=64; .* = 160"):
        tiny_restorer.restore(photo, tile=64)


def test_survives_saving(tiny_restorer, tiny_restorer_folder, photo):
    loaded = type(tiny_restorer).from_pretrained(tiny_restorer_folder)
    assert np.array_equal(loaded.restore(photo), tiny_restorer.restore(photo))
