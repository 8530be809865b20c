"""Put together the untrained `gendeg-tiny`: stock components of small size around a trained autoencoder.

python examples/create_tiny_pipeline.py --autoencoder runs/gendeg-tiny/autoencoder --output runs/gendeg-tiny/untrained
"""

from pathlib import Path
from typing import Annotated

import torch
import typer
from diffusers import AutoencoderTiny, DDIMScheduler, UNet2DConditionModel
from transformers import CLIPTextConfig, CLIPTextModel, CLIPTokenizer

from gendeg import Degradation, DegradationConditioner, GenDegPipeline
from gendeg.degradations import degradation_phrase

TEXT_DIM = 64
TEXT_LENGTH = 77
VOCABULARY = 1000

# What the tokenizer is trained on: the phrases, and everyday words of scene descriptions.
SCENES = """
a photo of a street with parked cars and people walking on the sidewalk in a big city at night
a view of a mountain lake with trees and a wooden bridge under a cloudy blue sky
a man and a woman riding bicycles down a country road near a green field with cows and horses
a white dog and a black cat sitting on a red couch in a living room next to a window
a tall stone building with a clock tower and large windows beside a river with boats
a group of children playing with a ball on the grass in front of a brick house with a garden
a close up of yellow flowers and leaves with a bird standing on a branch
a train on the tracks at a station, a bus, a truck and a motorcycle at an intersection with traffic lights
a plate of food with fruit, bread and vegetables on a table in a kitchen
a beach with waves, sand, rocks and a small ship on the ocean at sunset
""".strip().splitlines()


def list_phrases() -> list[str]:
    """The phrase of each degradation and of each mixture of two."""
    mixtures = [(a,) for a in Degradation] + [(a, b) for a in Degradation for b in Degradation if a != b]
    return [degradation_phrase(mixture) for mixture in mixtures]


def create_tokenizer() -> CLIPTokenizer:
    """A CLIP tokenizer with a small vocabulary of its own; too long a text loses its beginning, not its phrase."""
    corpus = SCENES + list_phrases()
    tokenizer = CLIPTokenizer().train_new_from_iterator(corpus, vocab_size=VOCABULARY, show_progress=False)
    tokenizer.model_max_length = TEXT_LENGTH
    tokenizer.truncation_side = "left"
    return tokenizer


def create_text_encoder(tokenizer: CLIPTokenizer) -> CLIPTextModel:
    """A two-layer CLIP text encoder; it is trained together with the generator."""
    config = CLIPTextConfig(
        vocab_size=len(tokenizer),
        hidden_size=TEXT_DIM,
        intermediate_size=4 * TEXT_DIM,
        projection_dim=TEXT_DIM,
        num_hidden_layers=2,
        num_attention_heads=4,
        max_position_embeddings=TEXT_LENGTH,
        bos_token_id=tokenizer.bos_token_id,
        eos_token_id=tokenizer.eos_token_id,
        pad_token_id=tokenizer.pad_token_id,
    )
    return CLIPTextModel(config).eval()


def create_unet(latent_channels: int) -> UNet2DConditionModel:
    """About 10.7 M parameters; severity and text enter from half the latent resolution down."""
    return UNet2DConditionModel(
        sample_size=64,
        in_channels=2 * latent_channels,
        out_channels=latent_channels,
        block_out_channels=(64, 128, 192),
        layers_per_block=1,
        down_block_types=("DownBlock2D", "CrossAttnDownBlock2D", "CrossAttnDownBlock2D"),
        up_block_types=("CrossAttnUpBlock2D", "CrossAttnUpBlock2D", "UpBlock2D"),
        cross_attention_dim=TEXT_DIM,
        attention_head_dim=4,
        norm_num_groups=16,
    )


def create_scheduler() -> DDIMScheduler:
    """v-prediction with zero terminal signal, so that few steps from pure noise suffice (arXiv 2305.08891)."""
    return DDIMScheduler(
        beta_start=0.00085,
        beta_end=0.012,
        beta_schedule="scaled_linear",
        clip_sample=False,
        set_alpha_to_one=True,
        prediction_type="v_prediction",
        rescale_betas_zero_snr=True,
        timestep_spacing="trailing",
    )


def main(
    autoencoder: Annotated[Path, typer.Option(help="Folder of a trained AutoencoderTiny.")],
    output: Annotated[Path, typer.Option(help="Folder to write the pipeline to.")],
    seed: Annotated[int, typer.Option(help="Seed of the random weights.")] = 0,
) -> None:
    """Create the untrained pipeline."""
    torch.manual_seed(seed)
    vae = AutoencoderTiny.from_pretrained(autoencoder)
    tokenizer = create_tokenizer()
    pipe = GenDegPipeline(
        vae=vae,
        text_encoder=create_text_encoder(tokenizer),
        tokenizer=tokenizer,
        unet=create_unet(vae.config.latent_channels),
        conditioner=DegradationConditioner(TEXT_DIM, TEXT_LENGTH, severity_init="smooth"),
        scheduler=create_scheduler(),
        alignment="transfer",
        num_inference_steps=8,
        guidance_scale=1.0,
        image_guidance_scale=1.0,
    )
    pipe.save_pretrained(output)
    parameters = sum(parameter.numel() for parameter in pipe.unet.parameters())
    print(f"Untrained pipeline with {parameters / 1e6:.1f} M UNet parameters: {output}")


if __name__ == "__main__":
    typer.run(main)
