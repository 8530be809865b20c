import pytest
import torch

from gendeg import Degradation
from gendeg.errors import InputError
from gendeg.pipelines.alignment import align, choose_alignment, detail_gain, transfer_detail
from gendeg.pipelines.prepared import PreparedImage


def blur(image: torch.Tensor, radius: int = 2) -> torch.Tensor:
    padded = torch.nn.functional.pad(image[None], (radius,) * 4, mode="reflect")
    return torch.nn.functional.avg_pool2d(padded, 2 * radius + 1, stride=1)[0]


@pytest.mark.parametrize("size", [(96, 120), (37, 51)], ids=["same size", "working size is smaller"])
def test_transfer_returns_the_clean_image_bit_for_bit_when_nothing_was_degraded(photo_tensor, size):
    reconstruction = torch.rand(3, *size, generator=torch.Generator().manual_seed(0))
    degraded = transfer_detail(photo_tensor, reconstruction, reconstruction.clone())
    assert torch.equal(degraded, photo_tensor)


def test_transfer_gives_back_what_the_autoencoder_lost(photo_tensor):
    reconstruction = blur(photo_tensor, 1)
    hazy = 0.4 * photo_tensor + 0.5
    from_autoencoder = 0.4 * reconstruction + 0.5
    before = (from_autoencoder - hazy).square().mean()
    after = (transfer_detail(photo_tensor, reconstruction, from_autoencoder) - hazy).square().mean()
    assert after < 0.01 * before


def test_gain_is_the_transmission_of_haze_and_zero_where_detail_is_gone(photo_tensor):
    textured = photo_tensor + 0.1 * torch.rand(photo_tensor.shape, generator=torch.Generator().manual_seed(0))
    assert detail_gain(textured, 0.3 * textured + 0.6).median().item() == pytest.approx(0.3, abs=0.01)
    assert detail_gain(textured, torch.full_like(textured, 0.5)).median() < 0.02


def test_paper_rule_depends_on_the_degradation():
    rules = {name: choose_alignment("paper", "transfer", (name,), has_scm=True) for name in Degradation}
    by_scm = {name for name, rule in rules.items() if rule == "scm"}
    assert by_scm == {Degradation.HAZE, Degradation.MOTION_BLUR, Degradation.RAINDROP}
    assert {rules[name] for name in set(Degradation) - by_scm} == {"target"}


def test_auto_reads_the_default():
    assert choose_alignment("auto", "none", (Degradation.HAZE,), has_scm=False) == "none"


@pytest.mark.parametrize(("alignment", "message"), [("sharpen", "'transfer'"), ("scm", "Structure Correction Module")])
def test_unusable_rules_are_refused(alignment, message):
    with pytest.raises(InputError, match=message):
        choose_alignment(alignment, "paper", (Degradation.HAZE,), has_scm=False)


@pytest.mark.parametrize("rule", ["transfer", "scm", "target", "none"])
def test_every_rule_keeps_the_size_of_the_photo(photo_tensor, rule):
    working = torch.nn.functional.interpolate(photo_tensor[None], (48, 60))[0]
    photo = PreparedImage(photo_tensor, working, torch.zeros(4, 12, 15), working * 0.9)
    degraded, target = align(rule, photo, working * 0.5, lambda clean, generated: generated)
    assert degraded.shape == target.shape == photo_tensor.shape
    assert torch.equal(target, photo_tensor) == (rule != "target")
