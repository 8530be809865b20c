import numpy as np
import PIL.Image
import pytest

from gendeg import Severity, SeverityPrior
from gendeg.degradations import Degradation
from gendeg.errors import InputError
from gendeg.synthesis.filter import Thresholds, default_thresholds, judge, judge_light

HAZE = Thresholds(0.02, 0.4)


@pytest.fixture
def picture(photo):
    return PIL.Image.fromarray(photo)


@pytest.mark.parametrize(
    ("mu", "reason"),
    [(0.1, ""), (0.02, ""), (0.4, ""), (0.0005, "unchanged"), (0.019, "too weak"), (0.41, "too strong")],
)
def test_reasons_follow_the_measured_mean(picture, mu, reason):
    assert judge(picture, Severity(mu, 0.05), HAZE).startswith(reason)
    assert bool(judge(picture, Severity(mu, 0.05), HAZE)) == bool(reason)


def test_flat_pictures_are_rejected_whatever_their_severity(picture):
    assert judge(PIL.Image.new("RGB", (40, 30), (3, 120, 250)), Severity(0.1, 0.05), HAZE).startswith("flat")
    dim = PIL.Image.fromarray((np.asarray(picture) // 40).astype(np.uint8))  # very dark, but a scene
    assert judge(dim, Severity(0.3, 0.05), HAZE) == ""


def test_low_light_must_not_brighten(picture):
    brighter = picture.point(lambda value: min(value + 20, 255))
    assert judge_light(brighter, picture, (Degradation.LOW_LIGHT,)).startswith("brighter: by 0.0")
    assert judge_light(picture.point(lambda value: value // 2), picture, (Degradation.LOW_LIGHT,)) == ""
    assert judge_light(brighter, picture, (Degradation.HAZE,)) == ""


def test_defaults_pass_what_the_prior_draws():
    prior = SeverityPrior.published()
    thresholds = default_thresholds(prior, Degradation)
    for name, limits in thresholds.items():
        mu = prior.sample(name, 4000, seed=0)[:, 0]
        assert ((mu >= limits.low) & (mu <= limits.high)).mean() > 0.985
        assert 0 < limits.low < limits.high < 0.7


@pytest.mark.parametrize(("low", "high"), [(-0.1, 0.2), (0.3, 0.2), (0.2, 0.2), (float("nan"), 0.2)])
def test_thresholds_in_order(low, high):
    with pytest.raises(InputError, match="Thresholds"):
        Thresholds(low, high)
