"""What every physical model has in common: severity, determinism, sizes, and the public call."""

import math

import numpy as np
import PIL.Image
import pytest
import torch

import gendeg
from gendeg.errors import ImageError, InputError, SeverityError, UnknownDegradationError
from gendeg.severity import measure_severity
from gendeg.simulators import SIMULATORS, model_names, simulate, simulate_batch

MODELS = [(degradation, name) for degradation in SIMULATORS for name in model_names(degradation)]
SMALL_MU = {"haze": 0.1, "rain": 0.04, "snow": 0.05, "motion_blur": 0.02, "low_light": 0.12, "raindrop": 0.015}


def run(clean, degradation, mu, sigma=math.nan, *, model=None, seed=0):
    count = len(clean)
    generators = [torch.Generator().manual_seed(seed + i) for i in range(count)]
    return simulate_batch(
        clean, degradation, torch.full((count,), mu), torch.full((count,), sigma), model=model, generator=generators
    )


@pytest.fixture
def photos(photo_tensor):
    return torch.stack([photo_tensor, photo_tensor.flip(-1)])


def test_two_models_or_more_for_each_degradation():
    assert set(SIMULATORS) == set(gendeg.Degradation)
    assert all(len(models) >= 2 for models in SIMULATORS.values())


@pytest.mark.parametrize(("degradation", "model"), MODELS)
def test_requested_mu_is_achieved(photos, degradation, model):
    batch = run(photos, degradation, SMALL_MU[degradation], model=model)
    assert batch.images.shape == photos.shape
    assert 0 <= batch.images.min() <= batch.images.max() <= 1
    torch.testing.assert_close(batch.mu, torch.full((2,), SMALL_MU[degradation]), atol=0.0055, rtol=0)
    measured = measure_severity(photos, batch.images)
    np.testing.assert_allclose(batch.mu, measured.mu, atol=1e-5)
    np.testing.assert_allclose(batch.sigma, measured.sigma, atol=1e-5)


@pytest.mark.parametrize(("degradation", "model"), MODELS)
def test_mu_grows_with_the_request(photo_tensor, degradation, model):
    requests = torch.linspace(0.2, 1.6, 6) * SMALL_MU[degradation]
    generators = [torch.Generator().manual_seed(3) for _ in requests]
    clean = photo_tensor.expand(len(requests), -1, -1, -1)
    free = torch.full_like(requests, torch.nan)
    batch = simulate_batch(clean, degradation, requests, free, model=model, generator=generators)
    assert (batch.mu.diff() > 0).all()


@pytest.mark.parametrize(("degradation", "model"), MODELS)
def test_an_image_is_the_same_in_every_batch(photos, degradation, model):
    together = run(photos, degradation, SMALL_MU[degradation], model=model)
    alone = run(photos[1:], degradation, SMALL_MU[degradation], model=model, seed=1)
    torch.testing.assert_close(together.images[1:], alone.images, atol=1e-5, rtol=0)
    assert together.parameters[1].keys() == alone.parameters[0].keys()


@pytest.mark.parametrize("size", [(33, 47), (8, 8), (5, 90), (1, 1)])
@pytest.mark.parametrize("degradation", list(gendeg.Degradation))
def test_any_size(degradation, size):
    clean = torch.rand(1, 3, *size, generator=torch.Generator().manual_seed(0))
    for model in model_names(degradation):
        batch = run(clean, degradation, 0.03, 0.04, model=model)
        assert batch.images.shape == clean.shape
        assert batch.images.isfinite().all()


@pytest.mark.parametrize(("degradation", "model"), [pair for pair in MODELS if pair[0] != "motion_blur"])
def test_sigma_moves_towards_the_request(photos, degradation, model):
    low = run(photos, degradation, SMALL_MU[degradation], 0.0, model=model)
    high = run(photos, degradation, SMALL_MU[degradation], 0.3, model=model)
    assert (high.sigma > low.sigma).all()
    middle = run(photos[:1], degradation, SMALL_MU[degradation], float(low.sigma[0] + high.sigma[0]) / 2, model=model)
    assert middle.sigma.item() == pytest.approx(float(low.sigma[0] + high.sigma[0]) / 2, abs=0.00625)


@pytest.mark.parametrize("model", model_names("motion_blur"))
def test_a_request_out_of_reach_gives_the_closest_and_says_so(model):
    flat = torch.full((1, 3, 40, 40), 0.5)
    batch = run(flat, "motion_blur", 0.1, model=model)
    assert batch.mu.item() < 1e-4
    torch.testing.assert_close(batch.images, flat, atol=1e-4, rtol=0)


def test_the_caller_learns_which_requests_were_not_reached(photo):
    flat = np.full((40, 40, 3), 128, np.uint8)
    output = simulate([photo, flat], "motion_blur", 0.02)
    assert output.reached() == [True, False]
    assert output.reached(mu_tolerance=0.05) == [True, True]
    assert simulate(photo, "haze", 0.1, 0.29).reached() == [False]


def test_simulate_keeps_sizes_and_reports(photo):
    images = [photo, PIL.Image.fromarray(photo[:40, :70])]
    output = simulate(images, ["fog", "rain"], [0.1, 0.03], [0.06, None], seed=[5, 6])
    assert [image.size for image in output.images] == [(120, 96), (70, 40)]
    assert [image.size for image in output.targets] == [(120, 96), (70, 40)]
    np.testing.assert_array_equal(np.asarray(output.targets[0]), photo)
    np.testing.assert_allclose(output.requested.mu, [0.1, 0.03])
    assert math.isnan(output.requested.sigma[1])
    np.testing.assert_allclose(output.achieved.mu, [0.1, 0.03], atol=0.0055)
    assert output.parameters[0]["model"] in model_names("haze")
    assert output.parameters[1]["model"] in model_names("rain")


def test_simulate_depends_on_the_seed_only(photo):
    first = simulate([photo, photo], "snow", 0.05, seed=7, output_type="pt").images
    again = simulate(photo, "snow", 0.05, seed=8, output_type="pt").images
    torch.testing.assert_close(first[1:], again, atol=1e-5, rtol=0)
    assert (first[0] - first[1]).abs().max() > 0.1


def test_simulate_draws_the_severity_from_the_prior(photo):
    output = simulate([photo] * 2, "haze", seed=1)
    expected = [gendeg.SeverityPrior.published().sample("haze", 1, seed)[0] for seed in (1, 2)]
    np.testing.assert_allclose(np.stack([output.requested.mu, output.requested.sigma], 1), expected)


def test_one_photo_with_lists_gives_a_result_for_each_entry(photo):
    output = simulate(photo, ["haze", "rain"], torch.tensor([0.1, 0.03]), seed=4, output_type="pt")
    alone = [
        simulate(photo, "haze", 0.1, seed=4, output_type="pt"),
        simulate(photo, "rain", 0.03, seed=5, output_type="pt"),
    ]
    torch.testing.assert_close(output.images, torch.cat([one.images for one in alone]), atol=1e-5, rtol=0)


@pytest.mark.parametrize("kind", [np.int64, torch.tensor, np.array])
def test_seed_of_any_library(photo, kind):
    output = simulate(photo, "rain", np.float32(0.0625), seed=kind(3), output_type="np")
    assert np.array_equal(output.images, simulate(photo, "rain", 0.0625, seed=3, output_type="np").images)
    many = simulate(
        [photo] * 2, "rain", 0.0625, seed=kind([3, 3]) if kind is not np.int64 else [3, kind(3)], output_type="np"
    )
    np.testing.assert_allclose(many.images[1:], output.images, atol=1e-5)


def test_grey_image(photo):
    output = simulate(photo[..., 0], "rain", 0.03, output_type="np")
    assert output.images.shape == (1, 96, 120, 3)


def test_mixture(photo):
    output = simulate(photo, "rain+haze", 0.15)
    assert output.achieved.mu[0] == pytest.approx(0.15, abs=0.0055)
    assert [part["degradation"] for part in output.parameters[0]["parts"]] == ["haze", "rain"]
    named = simulate(photo, "rain+haze", 0.15, model="veiled+patchy")
    assert [part["model"] for part in named.parameters[0]["parts"]] == ["patchy", "veiled"]


@pytest.mark.parametrize(
    ("arguments", "options", "error", "message"),
    [
        (("hazze", 0.1), {}, UnknownDegradationError, "haze"),
        (("haze", 0.1), {"model": "thick"}, InputError, "'depth', 'patchy'"),
        (("rain+haze", 0.1), {"model": "veiled"}, InputError, "2 degradations"),
        ((["haze", "rain"], [0.1] * 3), {}, InputError, "1 image, 2 of degradation, 3 of mu"),
        (("haze", [0.1, 0.2]), {"seed": [1]}, InputError, "2 of mu, 1 of seed"),
        (("haze", 0.1), {"seed": None}, InputError, "seed=None is not a whole number"),
        (("haze", 0.1), {"seed": 1.5}, InputError, "seed=1.5 is not a whole number"),
        (("haze", 0.1), {"seed": -1}, InputError, "seed=-1; give whole numbers from 0"),
        (("haze", 0.1), {"seed": 2**63}, InputError, "from 0 to"),
        (("haze", 0.1), {"prior": "published"}, InputError, "prior='published' is not a SeverityPrior"),
        (("haze", 0.1), {"model": 3}, InputError, "model=3 is not the name"),
        ((None, 0.1), {}, UnknownDegradationError, "None is not the name"),
        (("haze", "0.1"), {}, SeverityError, "not a number"),
        (("haze", 0.9), {}, SeverityError, "0.7"),
        (("haze", math.nan), {}, SeverityError, "mu=nan"),
        (("haze", 0.01, 0.3), {}, SeverityError, "infeasible"),
        (("haze", 0.1), {"output_type": "jpeg"}, InputError, "'pil'"),
    ],
)
def test_bad_requests(photo, arguments, options, error, message):
    with pytest.raises(error, match=message):
        simulate(photo, *arguments, **options)


def test_bad_batches(photos):
    two, generator = torch.full((2,), 0.1), torch.Generator()
    with pytest.raises(ImageError, match=r"\(B, 3, H, W\)"):
        simulate_batch(photos[0], "haze", two, two, generator=generator)
    with pytest.raises(InputError, match=r"shape \(2,\)"):
        simulate_batch(photos, "haze", two[:1], two, generator=generator)
    with pytest.raises(InputError, match="NaN"):
        simulate_batch(photos, "haze", two * torch.nan, two, generator=generator)
    with pytest.raises(InputError, match="1 generators for 2 images"):
        simulate_batch(photos, "haze", two, two, generator=[generator])


@pytest.mark.parametrize(
    ("changes", "error", "message"),
    [
        ({"clean": None}, ImageError, "dense float tensor .*; got a NoneType"),
        ({"clean": torch.zeros(2, 3, 8, 8, dtype=torch.uint8)}, ImageError, "torch.uint8"),
        ({"clean": torch.zeros(2, 3, 8, 8).to_sparse()}, ImageError, "dense"),
        ({"clean": torch.full((2, 3, 8, 8), torch.nan)}, ImageError, "NaN"),
        ({"clean": torch.full((2, 3, 8, 8), 2.0)}, ImageError, r"\[0, 1\]"),
        ({"mu": 0.1}, InputError, r"tensors of shape \(2,\).* got a float and \(2,\)"),
        ({"sigma": None}, InputError, "a NoneType"),
        ({"mu": torch.tensor([0.1, 0.71])}, SeverityError, "mu=0.70"),
        ({"sigma": torch.tensor([0.1, 0.5])}, SeverityError, "sigma=0.5"),
        ({"generator": None}, InputError, "generator=None; give a torch.Generator"),
        ({"generator": 3}, InputError, "generator=3; give"),
        ({"generator": [1, 2]}, InputError, r"generator=\[1, 2\]; give"),
    ],
)
def test_batches_of_other_things(photos, changes, error, message):
    two = torch.full((2,), 0.1)
    arguments = {"clean": photos, "mu": two, "sigma": two, "generator": torch.Generator()} | changes
    with pytest.raises(error, match=message):
        simulate_batch(arguments.pop("clean"), "haze", **arguments)


@pytest.mark.parametrize("dtype", [torch.float64, torch.float16, torch.bfloat16])
def test_floats_of_any_precision_are_simulated_in_single(photos, dtype):
    found, expected = run(photos.to(dtype), "haze", 0.1), run(photos.to(dtype).float(), "haze", 0.1)
    assert found.images.dtype == torch.float32
    assert torch.equal(found.images, expected.images)


def test_a_photo_that_requires_grad(photos):
    output = simulate(photos[0].clone().requires_grad_(), "haze", 0.1, output_type="np")
    assert output.images.shape[-1] == 3


def test_one_generator_serves_a_batch(photos):
    two = torch.full((2,), 0.1)
    first, second = (
        simulate_batch(photos, "haze", two, two, generator=torch.Generator().manual_seed(1)).images for _ in range(2)
    )
    torch.testing.assert_close(first, second)
