import json

import numpy as np
import PIL.Image
import pytest
import torch
from diffusers import (
    AutoencoderKL,
    CMStochasticIterativeScheduler,
    CogVideoXDPMScheduler,
    DDIMScheduler,
    DDPMScheduler,
    DDPMWuerstchenScheduler,
    DPMSolverMultistepScheduler,
    EDMDPMSolverMultistepScheduler,
    EDMEulerScheduler,
    EulerAncestralDiscreteScheduler,
    EulerDiscreteScheduler,
    FlowMatchEulerDiscreteScheduler,
    HeunDiscreteScheduler,
    IPNDMScheduler,
    KarrasVeScheduler,
    LCMScheduler,
    PNDMScheduler,
    RePaintScheduler,
    ScoreSdeVeScheduler,
    UniPCMultistepScheduler,
)
from diffusers.models.attention_processor import SlicedAttnProcessor
from diffusers.models.unets.unet_2d_condition import UNet2DConditionOutput

import gendeg
from gendeg import Degradation, GenDegPipeline
from gendeg.errors import CheckpointError, ImageError, InputError, SeverityError, UnknownDegradationError
from gendeg.pipelines.requests import MOST_UNEVEN


def seeded(seed: int) -> torch.Generator:
    return torch.Generator().manual_seed(seed)


def test_output_states_request_and_measurement(tiny_pipeline, photo):
    out = tiny_pipeline(photo, "haze", mu=0.2, sigma=0.08, generator=seeded(0))
    assert [image.size for image in out.images] == [(120, 96)]
    assert (out.requested.mu.tolist(), out.requested.sigma.tolist()) == ([0.2], [0.08])
    measured = gendeg.measure_severity(out.targets[0], out.images[0])
    assert out.achieved.mu.item() == pytest.approx(measured.mu)
    assert np.array_equal(np.asarray(out.targets[0]), photo)


def test_same_generator_gives_the_same_image(tiny_pipeline, photo):
    first, second = (tiny_pipeline(photo, "rain", generator=seeded(3), output_type="pt") for _ in range(2))
    assert torch.equal(first.images, second.images)
    assert first.requested.mu == second.requested.mu


def test_with_a_list_of_generators_a_sample_does_not_depend_on_its_batch(tiny_pipeline, photo):
    photos = [photo, photo[:64, :64], photo]
    together = tiny_pipeline(
        photos, ["haze", "rain", "snow"], generator=[seeded(i) for i in range(3)], output_type="pt"
    )
    for i, name in enumerate(["haze", "rain", "snow"]):
        alone = tiny_pipeline(photos[i], name, generator=[seeded(i)], output_type="pt")
        assert alone.requested[0] == together.requested[i]
        torch.testing.assert_close(alone.images[0], together.images[i], atol=1e-5, rtol=0)


def test_a_stochastic_sampler_draws_from_each_samples_generator(tiny_pipeline, photo):
    """As above, with the sampler of the packaged checkpoint, which adds noise in each step."""
    tiny_pipeline.scheduler = DPMSolverMultistepScheduler.from_config(
        tiny_pipeline.scheduler.config, algorithm_type="sde-dpmsolver++"
    )
    call = {"mu": 0.1, "sigma": 0.05, "num_inference_steps": 4, "output_type": "pt"}
    together = tiny_pipeline([photo] * 2, ["haze", "rain"], generator=[seeded(0), seeded(1)], **call)
    alone = tiny_pipeline(photo, "rain", generator=[seeded(1)], **call)
    torch.testing.assert_close(alone.images[0], together.images[1], atol=1e-5, rtol=0)
    noise = torch.randn(tiny_pipeline.prepare_images(photo)[0].latents.shape, generator=seeded(1))
    one, other = (tiny_pipeline(photo, "rain", latents=noise[None], generator=seeded(i), **call) for i in range(2))
    assert not torch.equal(one.images, other.images)


def test_generators_as_a_tuple(tiny_pipeline, photo):
    generators = tuple(seeded(i) for i in range(2))
    out = tiny_pipeline([photo] * 2, "haze", 0.1, 0.05, generator=generators, output_type="pt")
    again = tiny_pipeline([photo] * 2, "haze", 0.1, 0.05, generator=[seeded(0), seeded(1)], output_type="pt")
    assert torch.equal(out.images, again.images)


def test_one_photo_with_many_degradations_is_encoded_once(tiny_pipeline, photo, monkeypatch):
    calls = []
    encode = tiny_pipeline.vae.encode
    monkeypatch.setattr(tiny_pipeline.vae, "encode", lambda x: calls.append(len(x)) or encode(x))
    out = tiny_pipeline(photo, [str(name) for name in gendeg.Degradation], mu=0.1, sigma=0.05)
    assert len(out) == 6
    assert calls == [1]


def test_prepared_photo_and_embeddings_give_the_same_result(tiny_pipeline, photo):
    prepared = tiny_pipeline.prepare_images(photo)
    embeds = tiny_pipeline.encode_prompt(["a street, in hazy conditions"])
    plain = tiny_pipeline(photo, "haze", 0.2, 0.1, "a street", generator=seeded(0), output_type="pt")
    reused = tiny_pipeline(prepared, "haze", 0.2, 0.1, prompt_embeds=embeds, generator=seeded(0), output_type="pt")
    assert torch.equal(plain.images, reused.images)


def test_one_photo_with_many_embeddings_gives_as_many_results(tiny_pipeline, photo):
    embeds = tiny_pipeline.encode_prompt(["a street, in hazy conditions", "a lake, in hazy conditions"])
    call = {"degradation": "haze", "mu": 0.2, "sigma": 0.1, "output_type": "pt"}
    both = tiny_pipeline(photo, prompt_embeds=embeds, generator=[seeded(0), seeded(0)], **call)
    assert len(tiny_pipeline(photo, prompt_embeds=embeds, **call)) == 2
    for own, result in zip(embeds, both.images, strict=True):
        alone = tiny_pipeline(photo, prompt_embeds=own[None], generator=seeded(0), **call)
        torch.testing.assert_close(result, alone.images[0], atol=1e-5, rtol=0)
    assert len(tiny_pipeline([photo, photo], prompt_embeds=embeds[:1], **call)) == 2


def test_number_of_embeddings(tiny_pipeline, photo):
    embeds = tiny_pipeline.encode_prompt(["a street", "a lake"])
    with pytest.raises(InputError, match="3 images, 2 of prompt_embeds"):
        tiny_pipeline([photo] * 3, "haze", 0.2, 0.1, prompt_embeds=embeds)
    with pytest.raises(InputError, match="holds 2 prompts for 1 image; give one"):
        tiny_pipeline.condition(embeds, [gendeg.Severity(0.2, 0.1)])


def test_a_resolution_does_not_go_with_prepared_photos(tiny_pipeline, photo):
    prepared = tiny_pipeline.prepare_images(photo)
    for given in (prepared, prepared[0]):
        with pytest.raises(InputError, match="resolution=48 cannot be given with prepared photos"):
            tiny_pipeline(given, "haze", 0.2, 0.1, resolution=48)
        with pytest.raises(InputError, match="resolution=48"):
            tiny_pipeline.prepare_images(given, 48)


@pytest.mark.parametrize(("scale", "encoded"), [(1.0, ["in hazy"]), (2.0, ["in hazy", ""])])
def test_empty_text_is_encoded_for_guidance_only(tiny_pipeline, photo, monkeypatch, scale, encoded):
    prompts = []
    encode = tiny_pipeline.encode_prompt
    monkeypatch.setattr(tiny_pipeline, "encode_prompt", lambda texts: prompts.extend(texts) or encode(texts))
    tiny_pipeline(photo, "haze", 0.1, 0.05, "in hazy conditions", guidance_scale=scale)
    assert [prompt[:7] for prompt in prompts] == encoded


@pytest.mark.parametrize("size", [(16, 16), (33, 47), (20, 400), (300, 210)])
def test_any_size_is_kept(tiny_pipeline, size):
    image = np.random.default_rng(0).integers(0, 256, (*size, 3), dtype=np.uint8)
    out = tiny_pipeline(image, "snow", output_type="np")
    assert out.images[0].shape == out.targets[0].shape == (*size, 3)


@pytest.mark.parametrize("alignment", ["transfer", "paper", "scm", "target", "none"])
@pytest.mark.parametrize("degradation", ["haze", "rain"])
def test_alignments(tiny_pipeline, photo, alignment, degradation):
    out = tiny_pipeline(photo, degradation, mu=0.1, sigma=0.1, alignment=alignment, output_type="pt")
    assert out.images.shape == out.targets.shape == (1, 3, 96, 120)
    untouched = torch.equal(out.targets[0], torch.from_numpy(photo).permute(2, 0, 1) / 255)
    assert untouched != (alignment == "target" or (alignment, degradation) == ("paper", "rain"))


def test_resolution_sets_the_short_side_to_work_at(tiny_pipeline, photo):
    assert tiny_pipeline.prepare_images(photo, 48)[0].working.shape == (3, 48, 60)
    # native area is 64 x 64
    height, width = tiny_pipeline.prepare_images(photo)[0].working.shape[1:]
    assert height * width == pytest.approx(64 * 64, rel=0.05)
    assert tiny_pipeline.prepare_images(photo[:40, :50])[0].working.shape == (3, 40, 50)


def test_calibration_meets_mu_or_says_that_it_did_not(tiny_pipeline, photo):
    plain = tiny_pipeline(photo, "haze", mu=0.1, sigma=0.01, generator=seeded(0)).achieved.mu.item()
    mu = [0.7 * plain, plain, 1.3 * plain, 0.7]  # three within reach of scaling, one far above it
    generators = [seeded(0) for _ in mu]
    out = tiny_pipeline(photo, "haze", mu=mu, sigma=0.01, calibrate=True, generator=generators)
    errors = np.abs(out.achieved.mu - out.requested.mu)
    assert out.calibrated == [True, True, True, False]
    assert (errors[:3] <= 0.0025).all()
    assert errors[3] > 0.0055


def test_low_light_of_a_dark_photo_asks_for_what_it_can_lose(tiny_pipeline, photo_tensor):
    dark = photo_tensor * 0.2
    seen = []
    condition = tiny_pipeline.condition
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(tiny_pipeline, "condition", lambda embeds, asked: seen.extend(asked) or condition(embeds, asked))
        output = tiny_pipeline(dark, ["low light", "haze"], 0.4, 0.1, generator=seeded(0), num_inference_steps=1)
    assert [float(one.mu) for one in seen] == pytest.approx([0.9 * dark.mean().item(), 0.4], abs=1e-3)
    assert output.requested.mu.tolist() == pytest.approx([0.4, 0.4])
    assert not output.reached()[0]


@pytest.mark.parametrize("change_scale", [None, 0.35])
def test_a_relative_change_has_no_more_sigma_than_an_exposure(tiny_pipeline, photo_tensor, change_scale):
    tiny_pipeline.register_to_config(change_scale=change_scale)
    most = MOST_UNEVEN * 0.05 * photo_tensor.std(correction=0).item() / photo_tensor.mean().item()
    sigmas = [0.2, most]
    generators = [seeded(0) for _ in sigmas]
    images = tiny_pipeline(photo_tensor, "low light", 0.05, sigmas, generator=generators, output_type="pt").images
    assert torch.equal(images[0], images[1]) == (change_scale is not None)


def test_left_out_severity_is_drawn_from_the_prior(tiny_pipeline, photo):
    out = tiny_pipeline([photo] * 8, "low_light", generator=seeded(1))
    assert len(set(out.requested.mu)) == 8
    fixed = tiny_pipeline([photo] * 4, "low_light", mu=0.1, generator=seeded(1))
    assert set(fixed.requested.mu) == {0.1}
    assert len(set(fixed.requested.sigma)) == 4
    assert (out.requested.sigma**2 <= out.requested.mu * (1 - out.requested.mu)).all()


@pytest.mark.parametrize(
    "scheduler",
    [
        DDIMScheduler,
        DDPMScheduler,
        DPMSolverMultistepScheduler,
        EulerAncestralDiscreteScheduler,
        EulerDiscreteScheduler,
        HeunDiscreteScheduler,
        LCMScheduler,
        UniPCMultistepScheduler,
    ],
)
@pytest.mark.parametrize("prediction_type", ["epsilon", "v_prediction"])
def test_other_schedulers(tiny_pipeline, photo, scheduler, prediction_type):
    tiny_pipeline.scheduler = scheduler(prediction_type=prediction_type)
    out = tiny_pipeline(
        photo, "rain", num_inference_steps=3, guidance_scale=3.0, image_guidance_scale=1.5, output_type="np"
    )
    assert np.isfinite(out.images).all()


@pytest.mark.parametrize(
    "scheduler",
    [
        CMStochasticIterativeScheduler,
        CogVideoXDPMScheduler,
        DDPMWuerstchenScheduler,
        EDMDPMSolverMultistepScheduler,
        EDMEulerScheduler,
        FlowMatchEulerDiscreteScheduler,
        IPNDMScheduler,
        KarrasVeScheduler,
        RePaintScheduler,
        ScoreSdeVeScheduler,
    ],
)
def test_schedulers_of_another_kind_are_refused(tiny_pipeline, photo, scheduler):
    tiny_pipeline.scheduler = scheduler()
    with pytest.raises(InputError, match=f"{scheduler.__name__} cannot be used; give one of .* e.g. DDIMScheduler"):
        tiny_pipeline(photo, "rain", 0.1, 0.05)


class PerfectDenoiser(torch.nn.Module):
    """In place of the UNet: knows the latent and predicts exactly the noise (or the velocity) on top of it."""

    device, dtype = torch.device("cpu"), torch.float32

    def __init__(self, config, scheduler, latent):
        super().__init__()
        self.config, self.scheduler, self.latent = config, scheduler, latent

    def forward(self, inputs, timestep, embeds):
        signal = self.scheduler.alphas_cumprod[int(timestep)] ** 0.5
        noise_level = (1 - signal**2) ** 0.5
        noise = (inputs[:, : len(self.latent)] - signal * self.latent) / noise_level
        is_velocity = self.scheduler.config.prediction_type == "v_prediction"
        return UNet2DConditionOutput(signal * noise - noise_level * self.latent if is_velocity else noise)


@pytest.mark.parametrize("scheduler", [DDIMScheduler, EulerAncestralDiscreteScheduler, DPMSolverMultistepScheduler])
@pytest.mark.parametrize("prediction_type", ["epsilon", "v_prediction"])
def test_a_perfect_denoiser_gives_back_its_latent(tiny_pipeline, photo, scheduler, prediction_type):
    tiny_pipeline.scheduler = scheduler(prediction_type=prediction_type, timestep_spacing="trailing")
    prepared = tiny_pipeline.prepare_images(photo)
    latent = torch.rand(prepared[0].latents.shape, generator=seeded(1)) * 2 - 1
    tiny_pipeline.unet = PerfectDenoiser(tiny_pipeline.unet.config, tiny_pipeline.scheduler, latent)
    out = tiny_pipeline(
        prepared,
        "rain",
        0.1,
        0.05,
        num_inference_steps=4,
        guidance_scale=3.0,
        image_guidance_scale=1.5,
        generator=seeded(2),
        output_type="latent",
    )
    torch.testing.assert_close(out.images[0], latent, atol=1e-3, rtol=0)


def test_attention_slicing_changes_nothing(tiny_pipeline, photo):
    call = {"mu": 0.1, "sigma": 0.05, "guidance_scale": 2.0, "output_type": "pt"}
    plain = tiny_pipeline(photo, "rain", generator=seeded(0), **call)
    tiny_pipeline.enable_attention_slicing()
    kinds = {type(processor) for processor in tiny_pipeline.unet.attn_processors.values()}
    assert kinds == {SlicedAttnProcessor}
    sliced = tiny_pipeline(photo, "rain", generator=seeded(0), **call)
    torch.testing.assert_close(sliced.images, plain.images, atol=1e-5, rtol=0)


def large_autoencoder():
    """An `AutoencoderKL` without norms and attention, so that tiles agree with the whole but for their seams."""
    torch.manual_seed(1)
    vae = AutoencoderKL(
        down_block_types=("DownEncoderBlock2D",) * 3,
        up_block_types=("UpDecoderBlock2D",) * 3,
        block_out_channels=(8, 8, 8),
        latent_channels=4,
        norm_num_groups=4,
        sample_size=64,
        mid_block_add_attention=False,
    )
    for block in vae.modules():
        for name, _ in [named for named in block.named_children() if isinstance(named[1], torch.nn.GroupNorm)]:
            setattr(block, name, torch.nn.Identity())
    return vae.eval()


def test_autoencoder_slicing_and_tiling(tiny_pipeline, photo):
    tiny_pipeline.vae = large_autoencoder()
    prepared = [tiny_pipeline.prepare_images(photo, 96)[0]]
    tiny_pipeline.vae.enable_slicing()
    prepared.append(tiny_pipeline.prepare_images(photo, 96)[0])
    tiny_pipeline.vae.enable_tiling()
    prepared.append(tiny_pipeline.prepare_images(photo, 96)[0])
    plain, sliced, tiled = prepared
    torch.testing.assert_close(sliced.latents, plain.latents, atol=1e-5, rtol=0)
    torch.testing.assert_close(sliced.reconstruction, plain.reconstruction, atol=1e-5, rtol=0)
    assert not torch.equal(tiled.latents, plain.latents)
    assert (tiled.reconstruction - plain.reconstruction).abs().mean() < 0.02
    out = tiny_pipeline(tiled, "rain", 0.1, 0.05, output_type="pt")
    assert out.images.shape == (1, 3, 96, 120)


def test_tiling_that_diffusers_cannot_do_is_refused(tiny_pipeline, photo):
    tiny_pipeline.vae.enable_tiling()  # factor 4, where diffusers assumes 8
    with pytest.raises(InputError, match="disable_tiling"):
        tiny_pipeline(photo, "rain", 0.1, 0.05)
    tiny_pipeline.vae.disable_tiling()
    assert tiny_pipeline(photo, "rain", 0.1, 0.05).images


def test_null_embeddings_are_reusable(tiny_pipeline, photo, monkeypatch):
    call = {"mu": 0.1, "sigma": 0.05, "guidance_scale": 2.0, "output_type": "pt"}
    plain = tiny_pipeline(photo, "rain", generator=seeded(0), **call)
    embeds = {"prompt_embeds": tiny_pipeline.encode_prompt([Degradation.RAIN.phrase])}
    embeds["negative_prompt_embeds"] = tiny_pipeline.null_embeds()
    monkeypatch.setattr(tiny_pipeline.text_encoder, "forward", None)  # not called again
    again = tiny_pipeline(photo, "rain", generator=seeded(0), **embeds, **call)
    assert torch.equal(again.images, plain.images)


@pytest.mark.parametrize("dtype", [torch.bfloat16, torch.float16])
def test_half_precision(tiny_pipeline, photo, dtype):
    call = {"mu": 0.1, "sigma": 0.1, "guidance_scale": 2.0, "output_type": "pt", "alignment": "scm"}
    full = tiny_pipeline(photo, "rain", generator=seeded(0), **call)
    half = tiny_pipeline.to(dtype)(photo, "rain", generator=seeded(0), **call)
    assert half.images.dtype == torch.float32
    assert (half.images - full.images).abs().mean() < 0.02


def test_callback_sees_and_changes_latents(tiny_pipeline, photo):
    seen = []

    def zero(pipe, step, timestep, tensors):
        seen.append(step)
        return {"latents": torch.zeros_like(tensors["latents"])}

    out = tiny_pipeline(photo, "rain", num_inference_steps=3, callback_on_step_end=zero, output_type="latent")
    assert seen == [0, 1, 2]
    assert not out.images[0].any()
    assert np.isnan(out.achieved.mu).all()


def test_nan_that_a_callback_hands_back_is_not_blamed_on_it(tiny_pipeline, photo):
    torch.nn.init.constant_(tiny_pipeline.unet.conv_out.bias, float("nan"))
    with pytest.raises(CheckpointError, match="hold NaN"):
        tiny_pipeline(photo, "rain", 0.1, 0.05, callback_on_step_end=lambda pipe, step, timestep, tensors: tensors)


def test_given_noise_replaces_the_generator(tiny_pipeline, photo):
    shape = tiny_pipeline.prepare_images(photo)[0].latents.shape
    noise = torch.randn(1, *shape, generator=seeded(5))
    first, second = (
        tiny_pipeline(photo, "rain", 0.1, 0.1, latents=noise, generator=seeded(i), output_type="pt") for i in range(2)
    )
    assert torch.equal(first.images, second.images)


@pytest.mark.parametrize("kind", [np.float64, torch.tensor, np.array])
def test_a_number_of_any_library(tiny_pipeline, photo, kind):
    out = tiny_pipeline(
        photo, "haze", kind(0.25), kind(0.125), num_inference_steps=np.int64(1), resolution=np.int64(32)
    )
    assert out.requested == gendeg.Severity(np.array([0.25]), np.array([0.125]))


def test_severities_as_tensors(tiny_pipeline, photo):
    out = tiny_pipeline(photo, "haze", torch.tensor([0.125, 0.25]), torch.tensor(0.125))
    assert out.requested.mu.tolist() == [0.125, 0.25]
    assert out.requested.sigma.tolist() == [0.125, 0.125]


def test_a_scheduler_says_which_steps_it_cannot_do(tiny_pipeline, photo):
    tiny_pipeline.scheduler = LCMScheduler(original_inference_steps=5)
    with pytest.raises(InputError, match="LCMScheduler cannot do 7 steps"):
        tiny_pipeline(photo, "haze", num_inference_steps=7)


@pytest.mark.parametrize("steps", [1, 2])
def test_a_scheduler_that_needs_more_steps_asks_for_another_number(tiny_pipeline, photo, steps):
    tiny_pipeline.scheduler = PNDMScheduler()
    with pytest.raises(InputError, match=rf"PNDMScheduler cannot do {steps} steps?; give another num_inference_steps"):
        tiny_pipeline(photo, "haze", num_inference_steps=steps)


def test_severities_as_arrays(tiny_pipeline, photo):
    draws = gendeg.SeverityPrior.published().sample("haze", 2, seed=0)
    out = tiny_pipeline(photo, "haze", draws[:, 0], draws[:, 1])
    assert out.requested.mu.tolist() == draws[:, 0].tolist()


@pytest.mark.skipif(not torch.cuda.is_available(), reason="needs a GPU")
def test_photo_and_pipeline_on_the_gpu(tiny_pipeline, photo_tensor):
    out = tiny_pipeline.to("cuda")(photo_tensor.cuda(), "haze", mu=0.1, sigma=0.05, output_type="np")
    assert np.array_equal(out.targets[0], photo_tensor.permute(1, 2, 0).numpy())


@pytest.mark.skipif(not torch.cuda.is_available(), reason="needs a GPU")
@pytest.mark.parametrize(
    ("dtype", "offload", "tolerance"),
    [
        (torch.float32, False, 0.01),
        (torch.float32, True, 0.01),
        (torch.float16, False, 0.02),
        (torch.bfloat16, False, 0.1),
    ],
)
def test_the_gpu_draws_what_the_cpu_draws(tiny_pipeline, photo, dtype, offload, tolerance):
    def draw():
        return tiny_pipeline(
            photo, "rain", mu=0.1, sigma=0.05, generator=torch.Generator().manual_seed(0), output_type="pt"
        )

    expected = draw().images[0]
    tiny_pipeline.to(dtype=dtype)
    if offload:
        tiny_pipeline.enable_model_cpu_offload()
    else:
        tiny_pipeline.to("cuda")
    torch.testing.assert_close(draw().images[0].cpu(), expected, atol=tolerance, rtol=0)


def test_mixture(tiny_pipeline, photo):
    mixed, single, reversed_order = (
        tiny_pipeline(photo, name, mu=0.1, sigma=0.1, generator=seeded(0), output_type="pt", alignment="none").images
        for name in ("rain+haze", "rain", "haze+rain")
    )
    assert not torch.equal(mixed, single)
    assert not torch.equal(mixed, reversed_order)


def test_saved_pipeline_is_the_same(tiny_pipeline, photo, tmp_path):
    tiny_pipeline.save_pretrained(tmp_path)
    loaded = GenDegPipeline.from_pretrained(tmp_path)
    loaded.set_progress_bar_config(disable=True)
    index = json.loads((tmp_path / "model_index.json").read_text())
    assert index["conditioner"] == ["gendeg.models.conditioning", "DegradationConditioner"]
    assert index["scm"] == ["gendeg.models.scm", "StructureCorrectionModule"]
    assert loaded.config.alignment == "transfer"
    first, second = (
        pipe(photo, "haze", 0.2, 0.1, generator=seeded(0), output_type="pt") for pipe in (tiny_pipeline, loaded)
    )
    assert torch.equal(first.images, second.images)


def test_pipeline_without_correction_module(tiny_pipeline, photo, tmp_path):
    tiny_pipeline.register_modules(scm=None)
    tiny_pipeline.save_pretrained(tmp_path)
    loaded = GenDegPipeline.from_pretrained(tmp_path)
    loaded.set_progress_bar_config(disable=True)
    loaded(photo, "haze")
    with pytest.raises(InputError, match="Structure Correction Module"):
        loaded(photo, "haze", alignment="scm")


@pytest.mark.parametrize(
    ("arguments", "error", "message"),
    [
        ({"degradation": "hase"}, UnknownDegradationError, "haze"),
        ({"mu": 0.9}, SeverityError, r"\[0, 0.7\]"),
        ({"mu": float("nan")}, SeverityError, "nan"),
        ({"mu": 0.01, "sigma": 0.3}, SeverityError, "infeasible"),
        (
            {"degradation": ["haze", "rain"], "mu": [0.1] * 3},
            InputError,
            "1 image, 2 of degradation, 3 of mu. Give one",
        ),
        ({"generator": [torch.Generator()] * 2, "mu": torch.tensor([0.1] * 3)}, InputError, "3 of mu, 2 of generator"),
        ({"degradation": []}, InputError, "0 of degradation"),
        ({"degradation": None}, UnknownDegradationError, "None is not the name"),
        ({"mu": "0.2"}, SeverityError, "'0.2' is not a number"),
        ({"prompt": 5}, InputError, "prompt=5 is not text"),
        ({"prompt": ["a street", b"a"], "degradation": ["haze"] * 2}, InputError, "prompt=b'a' is not text"),
        ({"generator": 3}, InputError, r"give torch.Generator\(\).manual_seed\(3\)"),
        ({"generator": [3, 4]}, InputError, "generator=3 is not"),
        ({"generator": [torch.Generator(), None]}, InputError, "generator=None is not .* not in it"),
        ({"degradation": {"rain", "haze"}}, InputError, "is a set"),
        ({"prior": "published"}, InputError, "prior='published' is not a SeverityPrior"),
        ({"guidance_scale": "7"}, InputError, "guidance_scale='7' is not a number"),
        ({"num_inference_steps": 2.5}, InputError, "num_inference_steps=2.5 is not a whole number"),
        ({"num_inference_steps": 5000}, InputError, "at most 1000"),
        ({"resolution": "large"}, InputError, "resolution='large' is not a whole number"),
        ({"latents": 3}, InputError, "latents"),
        ({"latents": np.zeros((1, 4, 12, 16))}, InputError, r"latents are ndarray \(4, 12, 16\) where a tensor"),
        ({"prompt_embeds": "a street"}, InputError, r"'a street'; give a tensor \(n, 16, 16\)"),
        ({"negative_prompt_embeds": torch.zeros(1, 2, 3)}, InputError, r"is Tensor \(1, 2, 3\); give a tensor"),
        ({"latents": torch.zeros(1, 4, 3, 3)}, InputError, "prepare_images"),
        ({"latents": torch.full((1, 4, 16, 18), float("nan"))}, InputError, "latents hold NaN or infinite values"),
        ({"image": np.zeros((0, 32, 32, 3), np.uint8)}, ImageError, "empty"),
        ({"alignment": "best"}, InputError, "'transfer'"),
        ({"output_type": "jpg"}, InputError, "'pil'"),
        ({"num_inference_steps": 0}, InputError, "at least 1"),
        ({"resolution": 8}, InputError, "32"),
        ({"image": np.zeros((1, 1, 3), np.uint8)}, ImageError, "16"),
        ({"image": "photo.jpg"}, ImageError, "str"),
        ({"image": np.full((32, 32, 3), np.nan)}, ImageError, "NaN"),
        ({"image": []}, ImageError, "empty"),
        ({"callback_on_step_end": 5}, InputError, "callback_on_step_end=5 cannot be called"),
        ({"callback_on_step_end": lambda *_: 5}, InputError, "callback_on_step_end returned 5; return None"),
        ({"callback_on_step_end": lambda *_: {"latents": torch.zeros(3)}}, InputError, r"returned Tensor \(3,\)"),
        (
            {"callback_on_step_end": lambda *call: {"latents": call[3]["latents"] * float("nan")}},
            InputError,
            "callback_on_step_end returned latents with NaN",
        ),
    ],
)
def test_bad_input(tiny_pipeline, photo, arguments, error, message):
    with pytest.raises(error, match=message):
        tiny_pipeline(**{"image": photo, "degradation": "haze", **arguments})


@pytest.mark.parametrize("prompts", [5, None, [], ["a street", 5]])
def test_prompts_that_are_no_texts(tiny_pipeline, prompts):
    with pytest.raises(InputError, match="give a list of texts, at least one"):
        tiny_pipeline.encode_prompt(prompts)


def test_a_single_prompt(tiny_pipeline):
    assert torch.equal(tiny_pipeline.encode_prompt("a street"), tiny_pipeline.encode_prompt(["a street"]))


def test_any_pil_mode(tiny_pipeline, photo):
    image = PIL.Image.fromarray(photo)
    out = tiny_pipeline([image.convert(mode) for mode in ("RGB", "L", "P", "CMYK", "RGBA", "I;16")], "haze")
    assert all(result.mode == "RGB" for result in out.images)


def test_nan_of_the_networks_is_not_written_as_a_picture(tiny_pipeline, photo):
    torch.nn.init.constant_(tiny_pipeline.unet.conv_out.bias, float("nan"))
    with pytest.raises(CheckpointError, match=r"1 of 1 generated latents hold NaN"):
        tiny_pipeline(photo, "rain", 0.1, 0.05)


@pytest.mark.parametrize("scale", ["guidance_scale", "image_guidance_scale"])
def test_guidance_that_is_not_a_number_is_refused(tiny_pipeline, photo, scale):
    with pytest.raises(InputError, match="finite"):
        tiny_pipeline(photo, "rain", 0.1, 0.05, **{scale: float("nan")})


def test_a_tokenizer_may_keep_less_than_the_unet_reads(tiny_pipeline):
    prompts = ["a, in hazy conditions", "a b c d e f g h, in hazy conditions"]
    whole = tiny_pipeline.encode_prompt(prompts)
    tiny_pipeline.tokenizer.model_max_length = 8
    kept = tiny_pipeline.encode_prompt(prompts)
    assert kept.shape == whole.shape
    assert torch.equal(kept[0], whole[0])
    assert not torch.equal(kept[1], whole[1])
