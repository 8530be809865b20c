import pytest
import torch
from diffusers import DDIMScheduler, DDPMScheduler, EulerAncestralDiscreteScheduler

from gendeg.errors import InputError
from gendeg.training.diffusion import (
    add_noise,
    correction_weights,
    draw_timesteps,
    min_snr_weights,
    predict_original,
    prediction_target,
)

BETAS = {"beta_start": 0.00085, "beta_end": 0.012, "beta_schedule": "scaled_linear"}


@pytest.mark.parametrize("prediction_type", ["epsilon", "v_prediction"])
def test_the_target_gives_back_the_original(prediction_type: str) -> None:
    scheduler = DDPMScheduler(prediction_type=prediction_type, **BETAS)
    original, noise = torch.randn(3, 4, 5, 5), torch.randn(3, 4, 5, 5)
    timesteps = torch.tensor([0, 354, 800])
    noisy = add_noise(scheduler, original, noise, timesteps)
    target = prediction_target(scheduler, original, noise, timesteps)
    torch.testing.assert_close(predict_original(scheduler, noisy, target, timesteps), original, atol=1e-4, rtol=1e-4)


def test_timesteps_are_uniform_or_mostly_medium() -> None:
    generator = torch.Generator().manual_seed(0)
    for share, expected in ((0, 0.4), (1, 0.603), (0.5, 0.502)):  # P(|x| < logit(0.7)) = 0.603 for normal x
        drawn = draw_timesteps(generator, 4000, 1000, share)
        assert (drawn.min() >= 0) & (drawn.max() < 1000)
        middle = ((drawn >= 300) & (drawn < 700)).float().mean().item()
        assert middle == pytest.approx(expected, abs=0.03)


def test_noise_is_that_of_ddim_whatever_the_scheduler() -> None:
    """Bit for bit, also where the scheduler counts noise in another unit and has been used for sampling."""
    original, noise, timesteps = torch.randn(1000, 2, 2, 2), torch.randn(1000, 2, 2, 2), torch.arange(1000)
    expected = DDIMScheduler(**BETAS).add_noise(original, noise, timesteps)
    euler = EulerAncestralDiscreteScheduler(**BETAS)
    euler.set_timesteps(10)
    for scheduler in (DDIMScheduler(**BETAS), euler):
        assert torch.equal(add_noise(scheduler, original, noise, timesteps), expected)


def test_velocity_agrees_with_diffusers() -> None:
    scheduler = DDIMScheduler(prediction_type="v_prediction", rescale_betas_zero_snr=True, **BETAS)
    original, noise, timesteps = torch.randn(2, 4, 3, 3), torch.randn(2, 4, 3, 3), torch.tensor([10, 999])
    expected = scheduler.get_velocity(original, noise, timesteps)
    torch.testing.assert_close(prediction_target(scheduler, original, noise, timesteps), expected)


def test_unknown_prediction_type() -> None:
    scheduler = DDPMScheduler(prediction_type="sample")
    with pytest.raises(InputError, match="sample"):
        prediction_target(scheduler, torch.zeros(1, 1, 1, 1), torch.zeros(1, 1, 1, 1), torch.tensor([0]))


def test_correction_weights_have_the_published_values() -> None:
    """Peak 0.50 at t = 354, 0.03 at t = 0, 0.07 at t = 999 for the noise schedule of Stable Diffusion."""
    weights = correction_weights(DDPMScheduler(**BETAS), torch.arange(1000))
    assert weights.argmax().item() == pytest.approx(354, abs=1)
    assert weights.max().item() == pytest.approx(0.50, abs=0.005)
    assert weights[0].item() == pytest.approx(0.03, abs=0.005)
    assert weights[999].item() == pytest.approx(0.07, abs=0.005)


def test_min_snr_weights_by_hand() -> None:
    scheduler = DDPMScheduler(**BETAS)
    abar = scheduler.alphas_cumprod[torch.tensor([50, 700])]
    snr = abar / (1 - abar)
    expected = snr.clamp(max=5) / snr
    torch.testing.assert_close(min_snr_weights(scheduler, torch.tensor([50, 700]), 5.0), expected)
    scheduler = DDPMScheduler(prediction_type="v_prediction", **BETAS)
    torch.testing.assert_close(min_snr_weights(scheduler, torch.tensor([50, 700]), 5.0), snr.clamp(max=5) / (snr + 1))
