import pytest
import torch

from gendeg.degradations import Degradation
from gendeg.pipelines.requests import MOST_UNEVEN, Request, attainable_severity
from gendeg.severity import Severity, measure_severity

DARK = torch.rand(3, 40, 40, generator=torch.Generator().manual_seed(0)) * 0.2


def test_a_photo_loses_no_more_light_than_it_has() -> None:
    severity = attainable_severity(Request((Degradation.LOW_LIGHT,), "", Severity(0.4, 0.2)), DARK)
    darkest = measure_severity(DARK, DARK * 0.1)
    assert severity.mu == pytest.approx(darkest.mu)
    assert severity.sigma == pytest.approx(darkest.sigma)


def test_what_a_photo_can_lose_is_asked_for_as_it_is() -> None:
    assert attainable_severity(Request((Degradation.LOW_LIGHT,), "", Severity(0.05, 0.2)), DARK) == Severity(0.05, 0.2)


def test_low_light_that_leads_a_mixture_takes_no_more_light_than_there_is() -> None:
    severity = attainable_severity(
        Request((Degradation.LOW_LIGHT, Degradation.MOTION_BLUR), "", Severity(0.4, 0.2)), DARK
    )
    assert severity == attainable_severity(Request((Degradation.LOW_LIGHT,), "", Severity(0.4, 0.2)), DARK)


@pytest.mark.parametrize("mixture", [(Degradation.HAZE,), (Degradation.HAZE, Degradation.LOW_LIGHT)])
def test_other_degradations_may_brighten(mixture: tuple[Degradation, ...]) -> None:
    assert attainable_severity(Request(mixture, "", Severity(0.4, 0.2)), DARK) == Severity(0.4, 0.2)


@pytest.mark.parametrize(("mu", "sigma"), [(0.0, 0.0), (0.2, 0.1)])
@pytest.mark.parametrize("is_relative", [False, True])
def test_a_black_photo_has_nothing_to_lose(mu: float, sigma: float, is_relative: bool) -> None:
    request, black = Request((Degradation.LOW_LIGHT,), "", Severity(mu, sigma)), torch.zeros(3, 16, 16)
    assert attainable_severity(request, black, is_relative=is_relative) == Severity(0, 0)


def test_a_little_more_low_light_is_never_asked_for_with_less_sigma() -> None:
    severities = [Severity(float(mu), 0.3) for mu in torch.linspace(0.01, 0.2, 50)]
    asked = [
        attainable_severity(Request((Degradation.LOW_LIGHT,), "", severity), DARK, is_relative=True).sigma
        for severity in severities
    ]
    assert asked == sorted(asked)
    assert asked[-1] == pytest.approx(0.9 * float(DARK.std(correction=0)))


@pytest.mark.parametrize(
    ("sigma", "asked"), [(0.02, 0.02), (0.2, 0.05 * MOST_UNEVEN * float(DARK.std(correction=0) / DARK.mean()))]
)
def test_a_relative_change_is_asked_for_no_sigma_that_an_exposure_has_not(sigma: float, asked: float) -> None:
    request = Request((Degradation.LOW_LIGHT,), "", Severity(0.05, sigma))
    severity = attainable_severity(request, DARK, is_relative=True)
    assert severity.mu == 0.05
    assert severity.sigma == pytest.approx(asked)


def test_snow_may_have_any_sigma() -> None:
    request = Request((Degradation.SNOW,), "", Severity(0.05, 0.2))
    assert attainable_severity(request, DARK, is_relative=True) == request.severity
