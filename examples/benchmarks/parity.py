"""Does the library compute what the authors' programs compute?

python examples/benchmarks/parity.py path/to/parity

The folder holds inputs and outputs of the authors' programs on random weights, and those weights in the authors'
layout. Everything goes through the public API. Prints the relative error (largest difference over largest value) of
each part, and ends with an error if one exceeds 1e-4.
"""

import json
import tempfile
import zlib
from collections.abc import Iterator
from pathlib import Path
from typing import Annotated, Any

import torch
import typer
from common import format_table
from safetensors.torch import load_file, save_file
from torch import Tensor

from gendeg import GenDegPipeline, NAFNet, PromptIR, Severity, StructureCorrectionModule

TOLERANCE = 1e-4


def relative_error(value: Tensor, reference: Tensor) -> float:
    """Largest difference, relative to the largest value of the reference."""
    return ((value - reference).abs().max() / reference.abs().max()).item()


def seeded_weight(name: str, shape: list[int], seed: int) -> Tensor:
    """The weight that the references were computed with, where it is not stored."""
    noise = torch.randn(shape, generator=torch.Generator().manual_seed((zlib.crc32(name.encode()) + seed) % 2**31))
    if len(shape) == 1 or name.endswith(("beta", "gamma", "temperature")):
        return 0.2 * noise + (1 if name.endswith(("weight", "temperature")) else 0)
    return noise / noise[0].numel() ** 0.5


@torch.no_grad()
def restoration_errors(folder: Path, spec: dict[str, Any]) -> Iterator[tuple[str, float]]:
    """NAFNet and PromptIR, from seeded weights, and the Structure Correction Module, from the authors' checkpoint."""
    for network, seed in ((NAFNet, 100), (PromptIR, 111)):
        key = network.__name__.lower()
        with tempfile.TemporaryDirectory() as temporary:
            path = Path(temporary) / "weights.safetensors"
            shapes = spec[key]["shapes"]
            save_file({name: seeded_weight(name, shape, seed) for name, shape in shapes.items()}, path)
            net = network.from_original_checkpoint(path)
        reference = load_file(folder / f"{key}.safetensors")
        yield network.__name__, relative_error(net(reference["input"]), reference["output"])

    scm = StructureCorrectionModule.from_original_checkpoint(folder / "scm_original.ckpt")
    reference = load_file(folder / "scm.safetensors")
    yield "SCM", relative_error(scm(reference["clean"], reference["degraded"]), reference["output"])


@torch.no_grad()
def generator_errors(
    pipe: GenDegPipeline, prompts: list[str], reference: dict[str, Tensor]
) -> Iterator[tuple[str, float]]:
    """Conditioning network, UNet and autoencoder of a converted generator."""
    severities = list(Severity(reference["mu"].numpy(), reference["sigma"].numpy()))
    embeds = pipe.condition(pipe.encode_prompt(prompts), severities)
    yield "conditioner", relative_error(embeds, reference["prompt_embeds"])
    null_embeds = pipe.null_embeds()
    expected = reference["negative_prompt_embeds"]
    yield "conditioner, null", relative_error(null_embeds.expand(len(expected), -1, -1), expected)
    noise = pipe.unet(reference["unet_in"], reference["unet_t"], reference["prompt_embeds"]).sample
    yield "UNet", relative_error(noise, reference["unet_out"])
    encoded = pipe.vae.encode(reference["image"]).latent_dist.mode()
    yield "VAE encoder", relative_error(encoded, reference["image_latents"])
    decoded = pipe.vae.decode(reference["decode_in"] / pipe.vae.config.scaling_factor).sample
    yield "VAE decoder", relative_error(decoded, reference["decode_out"])


def sampling_errors(
    pipe: GenDegPipeline, prompts: list[str], reference: dict[str, Tensor], seed: int, steps: int
) -> Iterator[tuple[str, float]]:
    """Latents and images after some Euler-ancestral steps with text guidance 7.5 and image guidance 1.5."""
    trace: list[Tensor] = []
    output = pipe(
        reference["image"] / 2 + 0.5,
        "haze",  # not used: the prompts are given complete, and nothing is aligned
        mu=reference["mu"].tolist(),
        sigma=reference["sigma"].tolist(),
        prompt_embeds=pipe.encode_prompt(prompts),
        alignment="none",
        num_inference_steps=steps,
        guidance_scale=7.5,
        image_guidance_scale=1.5,
        generator=torch.Generator().manual_seed(seed),
        output_type="pt",
        callback_on_step_end=lambda pipe, step, timestep, tensors: trace.append(tensors["latents"]),
    )
    yield f"latents, {steps} steps", relative_error(trace[-1], reference[f"latents_{steps}"])
    images = torch.stack(list(output.images)) * 2 - 1
    yield f"images, {steps} steps", relative_error(images, reference[f"image_{steps}"])


def main(folder: Annotated[Path, typer.Argument(help="Folder of reference files of the authors' programs.")]) -> None:
    """Measure every part and print a table."""
    spec = json.loads((folder / "spec.json").read_text())
    reference = load_file(folder / "gendeg_reference.safetensors")
    pipe = GenDegPipeline.from_original_checkpoint(
        folder / "gendeg_original.ckpt",
        folder / "generate.yaml",
        scm_checkpoint=folder / "scm_original.ckpt",
        tokenizer=folder / "tokenizer",
        text_encoder_config=folder / "text_encoder_config.json",
    )
    pipe.set_progress_bar_config(disable=True)
    errors = [*generator_errors(pipe, spec["prompts"], reference), *restoration_errors(folder, spec)]
    for steps in (10, 25):
        errors += sampling_errors(pipe, spec["prompts"], reference, spec["sampler_seed"], steps)
    print(format_table(["part", "relative error"], [[part, f"{error:.1e}"] for part, error in errors]))
    if max(error for _, error in errors) > TOLERANCE:
        raise typer.Exit(1)


if __name__ == "__main__":
    typer.run(main)
