import warnings

import numpy as np
import PIL.Image
import pytest
import torch

from gendeg.errors import ImageError, SeverityError
from gendeg.severity import (
    MU_BIN_WIDTH,
    MU_RANGE,
    NULL_BIN,
    NUM_BINS,
    SIGMA_RANGE,
    Severity,
    check_severity,
    measure_severity,
    severity_bins,
    severity_one_hot,
    tensor_severity,
)


@pytest.fixture
def pair():
    rng = np.random.default_rng(0)
    return rng.integers(0, 256, (2, 20, 30, 3), dtype=np.uint8)


def test_measure_by_hand():
    clean = np.zeros((1, 2, 3))
    degraded = np.array([[[0.1, 0.2, 0.3], [0.4, 0.5, 0.6]]])
    severity = measure_severity(clean, degraded)
    assert severity.mu == pytest.approx(0.35)
    assert severity.sigma == pytest.approx(np.std([0.1, 0.2, 0.3, 0.4, 0.5, 0.6]))
    assert isinstance(severity.mu, float)


def test_measure_every_form(pair):
    clean, degraded = pair
    difference = np.abs(clean / 255 - degraded / 255)
    expected = pytest.approx((difference.mean(), difference.std()), rel=1e-5)
    forms = [PIL.Image.fromarray, lambda a: a, lambda a: a / 255, lambda a: torch.from_numpy(a).permute(2, 0, 1)]
    for form in forms:
        severity = measure_severity(form(clean), form(degraded))
        assert (severity.mu, severity.sigma) == expected
    mixed = measure_severity(PIL.Image.fromarray(clean), degraded / 255)
    assert (mixed.mu, mixed.sigma) == expected


def test_measure_warns_of_nothing(pair):
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        measure_severity(*(np.asarray(PIL.Image.fromarray(image)) for image in pair))


def test_measure_batches(pair):
    clean, degraded = pair
    batch = measure_severity([clean, clean[:5]], [degraded, degraded[:5]])
    assert batch.mu.shape == batch.sigma.shape == (2,)
    assert len(batch) == 2
    assert batch[0] == measure_severity(clean, degraded)
    assert [one.mu for one in batch] == list(batch.mu)
    assert len(measure_severity(clean[None], degraded[None])) == 1


def test_resize_to_256_is_the_authors_rule(pair):
    clean, degraded = (PIL.Image.fromarray(image) for image in pair)
    small = [np.asarray(i.resize((256, 256), PIL.Image.Resampling.LANCZOS)) / 255 for i in (clean, degraded)]
    difference = np.abs(small[0] - small[1])
    severity = measure_severity(clean, degraded, resize_to_256=True)
    assert (severity.mu, severity.sigma) == pytest.approx((difference.mean(), difference.std()), rel=1e-5)


@pytest.mark.skipif(not torch.cuda.is_available(), reason="needs a GPU")
def test_images_on_different_devices(pair):
    clean, degraded = (torch.from_numpy(image).permute(2, 0, 1) for image in pair)
    expected = measure_severity(clean, degraded)
    assert measure_severity(clean.cuda(), degraded).mu == pytest.approx(expected.mu)
    assert measure_severity(clean, degraded.cuda()).mu == pytest.approx(expected.mu)


def test_tensor_severity_agrees(pair):
    clean, degraded = (torch.from_numpy(image).permute(2, 0, 1)[None] / 255 for image in pair)
    mu, sigma = tensor_severity(clean, degraded)
    expected = measure_severity(clean, degraded)
    assert (mu.item(), sigma.item()) == pytest.approx((expected.mu[0], expected.sigma[0]), rel=1e-5)


def test_measure_refuses(pair):
    clean, degraded = pair
    with pytest.raises(ImageError, match="resize one"):
        measure_severity(clean, degraded[:5])
    with pytest.raises(ImageError, match="as many"):
        measure_severity([clean, clean], [degraded])
    with pytest.raises(ImageError, match="NaN"):
        measure_severity(clean, np.full(degraded.shape, np.nan))


def test_any_map_is_feasible():
    rng = np.random.default_rng(1)
    for _ in range(20):
        severity = measure_severity(np.zeros((8, 8, 3)), rng.beta(*rng.uniform(0.05, 2, 2), (8, 8, 3)))
        assert severity.sigma**2 <= severity.mu * (1 - severity.mu) + 1e-7


@pytest.mark.parametrize(
    "pair",
    [(0.2, 0.08), (None, None), (0.0, 0.0), (0.7, 0.4), (0.5, None), (None, 0.4), (0.2, 0.4), (0.000284, 0.016851)],
)
def test_feasible_requests(pair):
    check_severity(*pair)


def test_the_largest_feasible_sigma_is_accepted_however_it_is_rounded():
    mu = np.concatenate([np.linspace(0, 0.2, 2000), np.geomspace(1e-9, 0.01, 500)])
    for one, bound in zip(mu, np.sqrt(mu * (1 - mu)), strict=True):
        check_severity(one, bound)
        check_severity(np.float32(one), np.float32(bound))
        check_severity(round(one, 6), round(bound, 6))


def test_measured_severities_are_accepted():
    rng = np.random.default_rng(3)
    for share in np.linspace(0, 0.15, 50):
        clean, degraded = torch.zeros(1, 3, 16, 16), torch.from_numpy(rng.random((1, 3, 16, 16)) < share).float()
        severity = measure_severity(clean, degraded)[0]
        check_severity(severity.mu, severity.sigma)
        check_severity(*torch.cat(tensor_severity(clean, degraded)))


def test_a_bound_in_single_precision():
    assert check_severity(np.float32(0.7), np.float32(0.4)) == (pytest.approx(0.7), 0.4)


@pytest.mark.parametrize("kind", [np.float32, np.array, torch.tensor])
def test_numbers_of_any_library(kind):
    pair = check_severity(kind(0.25), kind(0.125))
    assert pair == (0.25, 0.125)
    assert all(type(value) is float for value in pair)


@pytest.mark.parametrize(
    ("mu", "sigma", "message"),
    [
        (-0.01, None, r"mu=-0.01 is not in \[0, 0.7\]"),
        (0.71, 0.1, "mu=0.71"),
        (0.2, 0.41, r"sigma=0.41 is not in \[0, 0.4\]"),
        (float("nan"), None, "mu=nan"),
        (0.2, float("nan"), "sigma=nan"),
        (float("inf"), None, "mu=inf"),
        (0.05, 0.3, r"mu=0.05 and sigma=0.3 are infeasible.*0.2179"),
        (0.0, 0.01, "infeasible"),
        ("0.2", None, "mu='0.2' is not a number"),
        (0.2, [0.1], r"sigma=\[0.1\] is not a number. Give one in \[0, 0.4\]"),
        (np.array([0.2]), None, "not a number"),
        (torch.tensor([0.2, 0.3]), None, "not a number"),
        (1j, None, "not a number"),
        (10**400, None, r"mu is too large for a floating-point number. Give one in \[0, 0.7\]"),
        (0.2, 0.40001, "sigma=0.40001"),
        (0.1, 0.3001, "infeasible"),
    ],
)
def test_requests_that_are_refused(mu, sigma, message):
    with pytest.raises(SeverityError, match=message):
        check_severity(mu, sigma)


@pytest.mark.parametrize("bounds", [MU_RANGE, SIGMA_RANGE])
def test_bins_are_those_of_the_authors(bounds):
    edges = np.linspace(*bounds, NUM_BINS + 1)
    values = np.concatenate([edges, np.nextafter(edges[1:], 0), np.random.default_rng(0).uniform(0, 1, 10_000)])
    expected = np.minimum(np.digitize(values, edges) - 1, NUM_BINS - 1)
    assert (severity_bins(values, bounds) == expected).all()
    assert (severity_bins(edges[:-1], bounds) == np.arange(NUM_BINS)).all()


def test_bins_at_the_ends():
    assert severity_bins([0, 0.7, 0.9, 1, float("nan")], MU_RANGE).tolist() == [0, 127, 127, 127, NULL_BIN]
    assert severity_bins(0.2, MU_RANGE) == 36
    assert severity_bins([[0.08]], SIGMA_RANGE).tolist() == [[25]]
    assert severity_bins(3 * MU_BIN_WIDTH, MU_RANGE) == 3
    with pytest.raises(SeverityError, match="start at 0"):
        severity_bins([0.1, -1e-9], MU_RANGE)


def test_one_hot():
    one_hot = severity_one_hot([0.2, float("nan")], [0.08, float("nan")])
    assert (one_hot.shape, one_hot.dtype) == ((2, 2, 129), torch.float32)
    assert one_hot.argmax(-1).tolist() == [[36, 25], [128, 128]]
    assert (one_hot.sum(-1) == 1).all()


def test_severity_prints_itself():
    assert str(Severity(0.2, 0.08)) == "mu=0.2000, sigma=0.0800"
    assert str(Severity(np.array([0.2, 0.1]), np.array([0.08, 0.1]))).count(";") == 1
