import torch
from torch import nn

from gendeg.models import memory
from gendeg.models.memory import automatic_tile, peak_bytes

MIB = 2**20


class Widening(nn.Module):
    """Holds 3 + 8 channels at most, then 3 + 8 + 3."""

    def __init__(self) -> None:
        super().__init__()
        self.wide, self.narrow = nn.Conv2d(3, 8, 1), nn.Conv2d(8, 3, 1)

    def forward(self, x):
        return self.narrow(self.wide(x))


@torch.inference_mode()
def test_peak_counts_what_lives_at_the_same_time():
    image = torch.zeros(1, 3, 64, 64)
    assert peak_bytes(Widening(), image) == (3 + 8 + 3) * image[0, 0].nbytes
    assert peak_bytes(nn.Sequential(*(Widening() for _ in range(9))), image) == (3 + 3 + 8 + 3) * image[0, 0].nbytes
    assert peak_bytes(nn.Identity(), image) == image.nbytes


@torch.inference_mode()
def test_peak_follows_size_and_precision(tiny_restorer):
    small = peak_bytes(tiny_restorer, torch.zeros(1, 3, 64, 64))
    assert 15 < peak_bytes(tiny_restorer, torch.zeros(1, 3, 256, 256)) / small < 17
    half = tiny_restorer.to(torch.bfloat16)
    assert 1.8 < small / peak_bytes(half, torch.zeros(1, 3, 64, 64, dtype=torch.bfloat16)) < 2.2


@torch.inference_mode()
def test_image_is_cut_if_it_does_not_fit(tiny_restorer, monkeypatch):
    def tile(height, width, mib, overlap=32):
        monkeypatch.setattr(memory, "usable_bytes", lambda device: mib * MIB)
        return automatic_tile(tiny_restorer, height, width, overlap)

    assert tile(3000, 4000, mib=100_000) == 0
    assert tile(250, 250, mib=1) == 0
    large, small = tile(3000, 4000, mib=800), tile(3000, 4000, mib=200)
    assert large % 32 == small % 32 == 0
    assert 1.9 < large / small < 2.1
    assert tile(small, small, mib=200) == 0
    assert tile(3000, 4000, mib=0.1) == 96
    assert tile(3000, 4000, mib=0.1, overlap=0) == 32


def test_a_share_of_the_free_memory_is_used():
    assert 0 < memory.usable_bytes(torch.device("cpu")) <= 512 * MIB
