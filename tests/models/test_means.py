from concurrent.futures import ThreadPoolExecutor

import pytest
import torch
import torch.nn.functional as F
from torch import nn

from gendeg import NAFNet
from gendeg.models import restorer as restorer_module
from gendeg.models.means import ChannelMean, WindowMean
from gendeg.models.restorer import Restorer

SIZE = (300, 420)


class Balancing(Restorer):
    """Multiplies the image by means of it, as NAFNet does its channels."""

    def __init__(self) -> None:
        super().__init__()
        self.mean = ChannelMean()
        self.scale = nn.Parameter(torch.ones(()))

    def forward(self, x):
        return self.scale * x * self.mean(x)


@pytest.fixture
def gradient():
    """An image (3, 300, 420) that is dark on the left and bright on the right: no two tiles have alike means."""
    torch.manual_seed(0)
    return torch.rand(3, *SIZE) * torch.linspace(0, 1, SIZE[1])


@pytest.fixture
def nafnet() -> NAFNet:
    torch.manual_seed(0)
    net = NAFNet(width=8, middle_blk_num=1, enc_blk_nums=[1, 1], dec_blk_nums=[1, 1]).eval()
    with torch.no_grad():
        for name, parameter in net.named_parameters():
            if name.endswith(("beta", "gamma")):
                parameter.normal_(std=0.3)
    return net


@pytest.mark.parametrize("overlap", [0, 20, 64])
def test_means_of_the_image_are_exact_in_tiles(gradient, overlap):
    network = Balancing().eval()
    whole = network.restore(gradient, tile=0)
    torch.testing.assert_close(network.restore(gradient, tile=192, overlap=overlap), whole, atol=1e-5, rtol=0)


def test_tiles_by_their_own_means_would_differ(gradient, monkeypatch):
    monkeypatch.setattr(restorer_module, "SWEEPS", 0)
    network = Balancing().eval()
    difference = network.restore(gradient, tile=192) - network.restore(gradient, tile=0)
    assert difference.abs().mean() > 0.02


def test_tiles_of_nafnet_agree_with_the_whole(gradient, nafnet, monkeypatch):
    whole, tiled = nafnet.restore(gradient, tile=0), nafnet.restore(gradient, tile=192)
    assert (tiled - whole).abs().mean() < 0.2 / 255
    monkeypatch.setattr(restorer_module, "SWEEPS", 0)
    assert (nafnet.restore(gradient, tile=192) - whole).abs().mean() > 4 * (tiled - whole).abs().mean()


def test_half_precision_collects_in_full(gradient):
    network = Balancing().eval().bfloat16()
    whole = network.restore(gradient, tile=0)
    step = 2**-8  # of bfloat16 below 1
    assert (network.restore(gradient, tile=192) - whole).abs().max() <= step


def test_threads_may_share_a_network(gradient, nafnet):
    images = [gradient, gradient.flip(2), gradient * 0.5]
    alone = [nafnet.restore(image, tile=192) for image in images]
    with ThreadPoolExecutor(3) as threads:
        together = list(threads.map(lambda image: nafnet.restore(image, tile=192), images))
    assert all(torch.equal(a, b) for a, b in zip(alone, together, strict=True))


def test_the_network_is_left_as_it_was(gradient, nafnet, monkeypatch):
    before = nafnet.restore(gradient[..., :200], tile=0)
    nafnet.restore(gradient, tile=192)
    assert torch.equal(nafnet.restore(gradient[..., :200], tile=0), before)

    def fail(x):
        raise RuntimeError("no more")

    with monkeypatch.context() as patch:
        patch.setattr(nafnet.ending, "forward", fail)
        with pytest.raises(RuntimeError, match="no more"):
            nafnet.restore(gradient, tile=192)
    assert torch.equal(nafnet.restore(gradient[..., :200], tile=0), before)


@torch.no_grad()
@pytest.mark.parametrize("size", [(9, 12), (4, 12), (9, 3)])
def test_means_over_windows(size):
    image = torch.rand(2, 3, *size)
    means = WindowMean(5).eval()(image)
    window = (min(5, size[0]), min(5, size[1]))
    inside = F.avg_pool2d(image, window, stride=1)
    top, left = (size[0] - inside.shape[2]) // 2, (size[1] - inside.shape[3]) // 2
    torch.testing.assert_close(means[..., top : top + inside.shape[2], left : left + inside.shape[3]], inside)
    torch.testing.assert_close(means[..., 0, 0], inside[..., 0, 0])
    torch.testing.assert_close(means[..., -1, -1], inside[..., -1, -1])
