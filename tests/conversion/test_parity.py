"""The converted generator computes what the authors' program computes."""

from pathlib import Path

import pytest
import torch

from gendeg import GenDegPipeline, Severity
from reference import SPEC, relative_error

TOLERANCE = 1e-4


def test_tokens(converted, reference) -> None:
    tokens = converted.tokenizer([*SPEC["prompts"], ""], padding="max_length", max_length=77, return_tensors="pt")
    assert torch.equal(tokens.input_ids, torch.cat([reference["input_ids"], reference["null_input_ids"]]))


def test_conditioning(converted, reference) -> None:
    severities = list(Severity(reference["mu"].numpy(), reference["sigma"].numpy()))
    embeds = converted.condition(converted.encode_prompt(SPEC["prompts"]), severities)
    null_embeds = converted.null_embeds()
    assert relative_error(embeds, reference["prompt_embeds"]) < TOLERANCE
    assert relative_error(null_embeds.expand(2, -1, -1), reference["negative_prompt_embeds"]) < TOLERANCE


@torch.no_grad()
def test_unet(converted, reference) -> None:
    noise = converted.unet(reference["unet_in"], reference["unet_t"], reference["prompt_embeds"]).sample
    assert relative_error(noise, reference["unet_out"]) < TOLERANCE


@torch.no_grad()
def test_autoencoder(converted, reference) -> None:
    vae = converted.vae
    assert relative_error(vae.encode(reference["image"]).latent_dist.mode(), reference["image_latents"]) < TOLERANCE
    decoded = vae.decode(reference["decode_in"] / vae.config.scaling_factor).sample
    assert relative_error(decoded, reference["decode_out"]) < TOLERANCE


@pytest.mark.parametrize("steps", [10, 25])
def test_sampling(converted, reference, steps: int) -> None:
    latents = []
    images = converted(
        reference["image"] / 2 + 0.5,
        ["haze", "raindrop"],
        mu=reference["mu"].tolist(),
        sigma=reference["sigma"].tolist(),
        prompt=SPEC["prompts"],
        num_inference_steps=steps,
        alignment="none",
        generator=torch.Generator().manual_seed(SPEC["sampler_seed"]),
        output_type="pt",
        callback_on_step_end=lambda pipe, step, timestep, tensors: latents.append(tensors["latents"]),
    ).images
    assert relative_error(latents[-1], reference[f"latents_{steps}"]) < TOLERANCE
    assert relative_error(torch.stack(list(images)) * 2 - 1, reference[f"image_{steps}"]) < TOLERANCE


@torch.no_grad()
def test_saved_pipeline_is_the_same(converted, reference, tmp_path: Path) -> None:
    converted.save_pretrained(tmp_path)
    loaded = GenDegPipeline.from_pretrained(tmp_path)
    inputs = reference["unet_in"], reference["unet_t"], reference["prompt_embeds"]
    assert torch.equal(loaded.unet(*inputs).sample, converted.unet(*inputs).sample)
    assert torch.equal(loaded.encode_prompt(["a street"]), converted.encode_prompt(["a street"]))
    assert loaded.scheduler.config.beta_schedule == "scaled_linear"
    assert type(loaded.scm).__name__ == "StructureCorrectionModule"
