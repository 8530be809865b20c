"""Shared fixtures: real photos, and a real pipeline of tiny size with random weights."""

import os
from pathlib import Path

os.environ.setdefault("HF_HUB_OFFLINE", "1")

import numpy as np
import pytest
import skimage.data
import torch
from diffusers import AutoencoderTiny, DDIMScheduler, UNet2DConditionModel
from transformers import CLIPTextConfig, CLIPTextModel, CLIPTokenizer

from gendeg import DegradationConditioner, GenDegPipeline, NAFNet, StructureCorrectionModule
from gendeg.degradations import Degradation

torch.set_num_threads(1)  # on tiny tensors, threads only wait for each other

TEXT_DIM, TEXT_LENGTH, LATENT_CHANNELS = 16, 16, 4


@pytest.fixture(scope="session")
def photo() -> np.ndarray:
    """A real photo, uint8 (96, 120, 3)."""
    return np.ascontiguousarray(skimage.data.astronaut()[40:232:2, 130:370:2])


@pytest.fixture(scope="session")
def photo_tensor(photo: np.ndarray) -> torch.Tensor:
    return torch.from_numpy(photo).permute(2, 0, 1).float() / 255


def build_tiny_pipeline() -> GenDegPipeline:
    torch.manual_seed(0)
    phrases = [member.phrase for member in Degradation]
    tokenizer = CLIPTokenizer().train_new_from_iterator(phrases, vocab_size=300, show_progress=False)
    tokenizer.model_max_length = TEXT_LENGTH
    text_config = CLIPTextConfig(
        vocab_size=len(tokenizer),
        hidden_size=TEXT_DIM,
        intermediate_size=32,
        num_hidden_layers=1,
        num_attention_heads=2,
        max_position_embeddings=TEXT_LENGTH,
        bos_token_id=tokenizer.bos_token_id,
        eos_token_id=tokenizer.eos_token_id,
        pad_token_id=tokenizer.pad_token_id,
    )
    unet = UNet2DConditionModel(
        sample_size=16,
        in_channels=2 * LATENT_CHANNELS,
        out_channels=LATENT_CHANNELS,
        block_out_channels=(16, 32),
        layers_per_block=1,
        down_block_types=("DownBlock2D", "CrossAttnDownBlock2D"),
        up_block_types=("CrossAttnUpBlock2D", "UpBlock2D"),
        cross_attention_dim=TEXT_DIM,
        attention_head_dim=2,
        norm_num_groups=8,
    )
    pipe = GenDegPipeline(
        vae=AutoencoderTiny(
            encoder_block_out_channels=(16, 16, 16),
            decoder_block_out_channels=(16, 16, 16),
            num_encoder_blocks=(1, 1, 1),
            num_decoder_blocks=(1, 1, 1),
            latent_channels=LATENT_CHANNELS,
            scaling_factor=0.7,
        ),
        text_encoder=CLIPTextModel(text_config).eval(),
        tokenizer=tokenizer,
        unet=unet.eval(),
        conditioner=DegradationConditioner(TEXT_DIM, TEXT_LENGTH),
        scheduler=DDIMScheduler(
            prediction_type="v_prediction", rescale_betas_zero_snr=True, timestep_spacing="trailing"
        ),
        scm=StructureCorrectionModule(width=8, enc_blk_nums=[1], middle_blk_num=1, dec_blk_nums=[1]),
        alignment="transfer",
        num_inference_steps=2,
        guidance_scale=1.0,
        image_guidance_scale=1.0,
    )
    pipe.set_progress_bar_config(disable=True)
    return pipe


@pytest.fixture
def tiny_pipeline() -> GenDegPipeline:
    """A fresh pipeline; tests may change it."""
    return build_tiny_pipeline()


@pytest.fixture(scope="session")
def tiny_pipeline_folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The same pipeline, saved."""
    folder = tmp_path_factory.mktemp("pipeline")
    build_tiny_pipeline().save_pretrained(folder)
    return folder


def build_tiny_restorer() -> NAFNet:
    torch.manual_seed(0)
    net = NAFNet(width=4, middle_blk_num=1, enc_blk_nums=[1, 1], dec_blk_nums=[1, 1]).eval()
    with torch.no_grad():
        for name, parameter in net.named_parameters():
            if name.endswith(("beta", "gamma")):  # zero in a fresh network, whose blocks then do nothing
                parameter.normal_(std=0.2)
        net.ending.weight *= 0.2
    return net


@pytest.fixture
def tiny_restorer() -> NAFNet:
    """A fresh restorer that changes an image a little; tests may change it."""
    return build_tiny_restorer()


@pytest.fixture(scope="session")
def tiny_restorer_folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The same restorer, saved."""
    folder = tmp_path_factory.mktemp("restorer")
    build_tiny_restorer().save_pretrained(folder)
    return folder
