import sys

import pytest
import torch

from gendeg import AutoRestorer
from gendeg.errors import CheckpointError, MissingExtraError
from gendeg.models.third_party import ThirdPartyRestorer


@pytest.fixture(scope="module")
def swinir():
    """A real SwinIR that denoises colour images, of tiny size with random weights."""
    from spandrel.architectures.SwinIR import SwinIR

    torch.manual_seed(0)
    return SwinIR(
        img_size=16, window_size=8, embed_dim=8, depths=[2, 2], num_heads=[2, 2], mlp_ratio=2, upscale=1, upsampler=""
    ).eval()


@pytest.fixture
def swinir_file(swinir, tmp_path):
    torch.save({"params": swinir.state_dict()}, tmp_path / "swinir.pth")
    return tmp_path / "swinir.pth"


def test_agrees_with_the_network_of_the_third_party(swinir, swinir_file, photo_tensor):
    restorer = AutoRestorer.from_pretrained(swinir_file)
    assert isinstance(restorer, ThirdPartyRestorer)
    assert restorer.architecture == "SwinIR"
    image = photo_tensor[:, :32, :48]
    with torch.no_grad():
        expected = swinir(image[None])[0].clamp(0, 1)
    torch.testing.assert_close(restorer.restore(image), expected, atol=1e-6, rtol=0)


def test_any_size_and_tiles(swinir_file):
    restorer = AutoRestorer.from_pretrained(swinir_file)
    image = torch.rand(3, 43, 70)
    whole, tiled = restorer.restore(image), restorer.restore(image, tile=48, overlap=8)
    assert whole.shape == tiled.shape == image.shape
    assert (whole - tiled).abs().mean() < 0.01
    batch = torch.rand(2, 3, 9, 8)
    assert restorer(batch).shape == batch.shape


def test_is_not_saved(swinir_file, tmp_path):
    with pytest.raises(CheckpointError, match="SwinIR has no folder format"):
        AutoRestorer.from_pretrained(swinir_file).save_pretrained(tmp_path / "out")
    assert not (tmp_path / "out").exists()


def test_mprnet(tmp_path, photo_tensor):
    extra = pytest.importorskip(
        "spandrel_extra_arches.architectures.MPRNet",
        reason="spandrel_extra_arches, whose networks are not all free for commercial use, is in no extra",
    )
    net = extra.MPRNet(n_feat=8, scale_unetfeats=4, scale_orsnetfeats=4)
    torch.save({"state_dict": net.state_dict()}, tmp_path / "mprnet.pth")
    restorer = AutoRestorer.from_pretrained(tmp_path / "mprnet.pth")
    assert restorer.architecture == "MPRNet"
    assert restorer.restore(photo_tensor[:, :33, :40]).shape == (3, 33, 40)


def test_super_resolution_is_no_restoration(tmp_path):
    from spandrel.architectures.SwinIR import SwinIR

    net = SwinIR(
        img_size=16, window_size=8, embed_dim=8, depths=[2], num_heads=[2], upscale=2, upsampler="pixelshuffle"
    )
    torch.save(net.state_dict(), tmp_path / "sr.pth")
    with pytest.raises(CheckpointError, match=r"scale 2 for SR; restorers go from 3 to 3 channels with scale 1"):
        AutoRestorer.from_pretrained(tmp_path / "sr.pth")


def test_unknown_and_incomplete_files_are_refused(swinir, tmp_path):
    torch.save({"body.weight": torch.zeros(2)}, tmp_path / "other.pth")
    with pytest.raises(CheckpointError, match=r"no architecture .* body\.weight"):
        AutoRestorer.from_pretrained(tmp_path / "other.pth")
    weights = {name: tensor for name, tensor in swinir.state_dict().items() if name != "conv_last.weight"}
    torch.save(weights, tmp_path / "incomplete.pth")
    with pytest.raises(CheckpointError, match="incomplete"):
        AutoRestorer.from_pretrained(tmp_path / "incomplete.pth")


def test_without_spandrel_the_extra_is_named(swinir_file, monkeypatch):
    monkeypatch.setitem(sys.modules, "spandrel", None)
    with pytest.raises(MissingExtraError, match=r"gendeg\[spandrel\]"):
        AutoRestorer.from_pretrained(swinir_file)
