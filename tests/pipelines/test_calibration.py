import pytest
import torch

from gendeg.pipelines.calibration import calibrate


def test_mean_is_met_despite_clipping(photo_tensor):
    degraded = (photo_tensor + 0.3).clamp(0, 1)
    scaled, met = calibrate(photo_tensor, degraded, 0.2)
    assert met
    assert (scaled - photo_tensor).abs().mean().item() == pytest.approx(0.2, abs=2e-4)


@pytest.mark.parametrize("mu", [0.6, 0.001])
def test_scale_is_bounded_and_says_so(photo_tensor, mu):
    degraded = photo_tensor * 0.9
    scaled, met = calibrate(photo_tensor, degraded, mu)
    ratio = (scaled - photo_tensor).abs().mean() / (degraded - photo_tensor).abs().mean()
    assert not met
    assert ratio.item() == pytest.approx(3 if mu > 0.1 else 1 / 3, rel=1e-3)


def test_unchanged_image_cannot_be_calibrated(photo_tensor):
    scaled, met = calibrate(photo_tensor, photo_tensor, 0.1)
    assert not met
    assert torch.equal(scaled, photo_tensor)
