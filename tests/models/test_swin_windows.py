import pytest
import torch

from gendeg.imaging import pad_to_multiple
from gendeg.models.swin_windows import mirror_to_multiple, windows_for_all_sizes


def features(net, image):
    return net.encoder.forward_intermediates(image, intermediates_only=True)


@torch.no_grad()
@pytest.mark.parametrize("encoder", ["swin_tiny_patch4_window7_224", "swinv2_tiny_window8_256"])
@pytest.mark.parametrize("window", [4, 7])
def test_agrees_with_timm(tiny_swin, encoder, window):
    net = tiny_swin(encoder, window)
    for size in [(64, 96), (32, 64), (160, 32)]:
        image = torch.randn(1, 3, *size)
        expected = features(net, image)
        with windows_for_all_sizes(net.encoder):
            torch.testing.assert_close(features(net, image), expected)


@torch.no_grad()
def test_shifts_matter(tiny_swin):
    net = tiny_swin("swin_tiny_patch4_window7_224", 4)
    image = torch.randn(1, 3, 64, 64)
    with windows_for_all_sizes(net.encoder):
        shifted = features(net, image)[0]
        net.encoder.layers[0].blocks[1].shift_size = (0, 0)
        assert (features(net, image)[0] - shifted).abs().max() > 0.01


def test_timm_attends_again_afterwards(tiny_swin):
    net = tiny_swin("swin_tiny_patch4_window7_224", 4)
    block = net.encoder.layers[0].blocks[0]
    with windows_for_all_sizes(net.encoder):
        assert "_attn" in vars(block)
    assert "_attn" not in vars(block)


@pytest.mark.parametrize("size", [(64, 32), (33, 50), (17, 95)])
def test_mirrors_as_the_padding_of_images(size):
    image = torch.rand(2, 3, *size)
    assert torch.equal(mirror_to_multiple(image, 32), pad_to_multiple(image, 32))
