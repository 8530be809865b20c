import pytest
import torch

from gendeg.degradations import Degradation
from gendeg.pipelines.requests import Request, attainable_severity
from gendeg.severity import Severity

DARK = torch.rand(3, 40, 40, generator=torch.Generator().manual_seed(0)) * 0.2


@pytest.mark.parametrize("mu", [0.05, 0.4])
def test_a_photo_loses_no_more_light_than_it_has(mu: float) -> None:
    severity = attainable_severity(Request((Degradation.LOW_LIGHT,), "", Severity(mu, 0.2)), DARK)
    if mu < DARK.mean():
        assert severity == Severity(mu, 0.2)
    else:
        assert severity.mu == pytest.approx(0.9 * DARK.mean().item())
        assert severity.sigma == pytest.approx(DARK.std().item())


@pytest.mark.parametrize("mixture", [(Degradation.HAZE,), (Degradation.LOW_LIGHT, Degradation.HAZE)])
def test_other_degradations_may_brighten(mixture: tuple[Degradation, ...]) -> None:
    assert attainable_severity(Request(mixture, "", Severity(0.4, 0.2)), DARK) == Severity(0.4, 0.2)


def test_a_black_photo_has_nothing_to_lose() -> None:
    severity = attainable_severity(Request((Degradation.LOW_LIGHT,), "", Severity(0.2, 0.1)), torch.zeros(3, 16, 16))
    assert severity == Severity(0, 0)
