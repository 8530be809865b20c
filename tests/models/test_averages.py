import pytest
import torch
import torch.nn.functional as F
from torch import nn

from gendeg import NAFNet
from gendeg.models import restorer as restorer_module
from gendeg.models.averages import ChannelMean, WindowMean, window_weights
from gendeg.models.restorer import Restorer

SIZE = (300, 420)


class Balancing(Restorer):
    """Multiplies the image by averages of it, as NAFNet does its channels."""

    def __init__(self, mean) -> None:
        super().__init__()
        self.mean = mean
        self.scale = nn.Parameter(torch.ones(()))

    def forward(self, x):
        return self.scale * x * self.mean.spread(self.mean(x), *x.shape[-2:])


@pytest.fixture
def gradient():
    """An image (3, 300, 420) that is dark on the left and bright on the right: no two tiles have alike means."""
    torch.manual_seed(0)
    return torch.rand(3, *SIZE) * torch.linspace(0, 1, SIZE[1])


def local_nafnet(window) -> NAFNet:
    torch.manual_seed(0)
    net = NAFNet(width=8, middle_blk_num=1, enc_blk_nums=[1, 1], dec_blk_nums=[1, 1], tlc_window=window).eval()
    with torch.no_grad():
        for name, parameter in net.named_parameters():
            if name.endswith(("beta", "gamma")):
                parameter.normal_(std=0.3)
    return net


@pytest.mark.parametrize("mean", [ChannelMean(), WindowMean(128, 32), WindowMean(100, 16), WindowMean(600, 32)])
@pytest.mark.parametrize("overlap", [0, 20, 64])
def test_averages_of_the_image_are_exact_in_tiles(gradient, mean, overlap):
    network = Balancing(mean).eval()
    whole = network.restore(gradient, tile=0)
    torch.testing.assert_close(network.restore(gradient, tile=192, overlap=overlap), whole, atol=1e-5, rtol=0)


def test_tiles_by_their_own_averages_would_differ(gradient, monkeypatch):
    monkeypatch.setattr(restorer_module, "SWEEPS", 0)
    network = Balancing(ChannelMean()).eval()
    difference = network.restore(gradient, tile=192) - network.restore(gradient, tile=0)
    assert difference.abs().mean() > 0.02


@pytest.mark.parametrize("window", [None, 128])
def test_tiles_of_nafnet_agree_with_the_whole(gradient, monkeypatch, window):
    network = local_nafnet(window)
    whole, tiled = network.restore(gradient, tile=0), network.restore(gradient, tile=192)
    assert (tiled - whole).abs().mean() < 0.2 / 255
    monkeypatch.setattr(restorer_module, "SWEEPS", 0)
    assert (network.restore(gradient, tile=192) - whole).abs().mean() > 2 * (tiled - whole).abs().mean()


def test_half_precision_collects_exactly(gradient):
    network = Balancing(ChannelMean()).eval().bfloat16()
    whole = network.restore(gradient, tile=0)
    assert (network.restore(gradient, tile=192) - whole).abs().max() < 0.01


def test_the_network_is_left_as_it_was(gradient, monkeypatch):
    network = local_nafnet(window=64)
    before = network.restore(gradient[..., :200], tile=0)
    network.restore(gradient, tile=192)
    assert torch.equal(network.restore(gradient[..., :200], tile=0), before)

    def fail(x):
        raise RuntimeError("no more")

    with monkeypatch.context() as patch:
        patch.setattr(network.ending, "forward", fail)
        with pytest.raises(RuntimeError, match="no more"):
            network.restore(gradient, tile=192)
    assert torch.equal(network.restore(gradient[..., :200], tile=0), before)


@torch.no_grad()
@pytest.mark.parametrize("size", [(9, 12), (4, 12), (9, 3)])
def test_window_means_of_single_pixels(size):
    image = torch.rand(2, 3, *size)
    means = WindowMean(5, cell=1).eval()(image)[..., 1:-1, 1:-1]
    assert means.shape == image.shape
    window = (min(5, size[0]), min(5, size[1]))
    inside = F.avg_pool2d(image, window, stride=1)
    top, left = (size[0] - inside.shape[2]) // 2, (size[1] - inside.shape[3]) // 2
    torch.testing.assert_close(means[..., top : top + inside.shape[2], left : left + inside.shape[3]], inside)
    torch.testing.assert_close(means[..., 0, 0], inside[..., 0, 0])
    torch.testing.assert_close(means[..., -1, -1], inside[..., -1, -1])


@torch.no_grad()
def test_cells_come_close_to_single_pixels():
    image = F.interpolate(torch.rand(1, 3, 6, 8), (181, 240), mode="bicubic")
    exact, mean = WindowMean(96, cell=1).eval(), WindowMean(96, cell=16).eval()
    difference = mean.spread(mean(image), 181, 240) - exact.spread(exact(image), 181, 240)
    assert difference.abs().mean() < 0.04 * image.std()
    assert difference.abs().max() < 0.3 * image.std()


@pytest.mark.parametrize(("length", "cell", "window"), [(96, 32, 64), (100, 32, 50), (31, 32, 8), (64, 16, 500)])
def test_weights_of_a_window_add_up_to_one(length, cell, window):
    weights = window_weights(length, cell, window)
    assert weights.shape == (-(-length // cell),) * 2
    assert (weights >= 0).all()
    torch.testing.assert_close(weights.sum(dim=1), torch.ones(len(weights)))
