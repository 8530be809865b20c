import pytest
import torch

from gendeg.pipelines.latents import degraded_latents, diffused_latents

MU, SIGMA = torch.tensor([0.3, 0.03, 0.0]), torch.tensor([0.4, 0.04, 0.0])


@pytest.fixture
def latents() -> tuple[torch.Tensor, torch.Tensor]:
    """Degraded and clean latents (3, 4, 8, 8)."""
    generator = torch.Generator().manual_seed(0)
    return torch.randn(3, 4, 8, 8, generator=generator), torch.randn(3, 4, 8, 8, generator=generator)


@pytest.mark.parametrize("change_scale", [None, 0.5])
def test_diffused_latents_and_back(tiny_pipeline, latents, change_scale):
    tiny_pipeline.register_to_config(change_scale=change_scale)
    diffused = diffused_latents(tiny_pipeline, *latents, MU, SIGMA)
    back = degraded_latents(tiny_pipeline, diffused, latents[1], MU, SIGMA)
    torch.testing.assert_close(back, latents[0])


def test_the_paper_scales_the_degraded_latent(tiny_pipeline, latents):
    assert torch.equal(diffused_latents(tiny_pipeline, *latents, MU, SIGMA), latents[0] * 0.7)


def test_change_is_relative_to_the_size_of_the_degradation_map(tiny_pipeline, latents):
    tiny_pipeline.register_to_config(change_scale=0.5)
    diffused = diffused_latents(tiny_pipeline, *latents, MU, SIGMA)
    sizes = [0.5, 0.05, 0.01]  # hypot(mu, sigma), and its lower bound
    for item, change, size in zip(diffused, latents[0] - latents[1], sizes, strict=True):
        torch.testing.assert_close(item, change * 0.5 / size)


def test_no_change_gives_the_clean_image_bit_for_bit(tiny_pipeline, photo, monkeypatch):
    tiny_pipeline.register_to_config(change_scale=0.5)
    prepared = tiny_pipeline.prepare_images(photo)
    no_change = lambda pipe, conditions, *_: torch.zeros_like(conditions.image_latents)  # noqa: E731
    monkeypatch.setattr("gendeg.pipelines.gendeg.denoise", no_change)
    out = tiny_pipeline(prepared, ["haze", "rain"], 0.2, 0.1, alignment="transfer", output_type="pt")
    assert torch.equal(out.images[0], prepared[0].clean)
    assert torch.equal(out.images[1], prepared[0].clean)


def test_each_photo_has_its_own_severity(tiny_pipeline, photo):
    tiny_pipeline.register_to_config(change_scale=0.5)
    call = {"sigma": 0.05, "output_type": "latent"}
    seeds = [torch.Generator().manual_seed(seed) for seed in (1, 2)]
    both = tiny_pipeline([photo, photo[:64]], "rain", [0.05, 0.3], generator=seeds, **call)
    alone = tiny_pipeline(photo[:64], "rain", 0.3, generator=torch.Generator().manual_seed(2), **call)
    torch.testing.assert_close(both.images[1], alone.images[0], atol=1e-4, rtol=0)
