from pathlib import Path

import pytest
import torch
from diffusers import AutoencoderKL, PNDMScheduler, UNet2DConditionModel
from safetensors.torch import load_file, save_file
from transformers import CLIPTextConfig, CLIPTextModel

from gendeg import GenDegPipeline
from gendeg.conversion import load_stable_diffusion_components, widen_unet
from gendeg.conversion.text import load_tokenizer
from gendeg.errors import CheckpointError, InputError
from reference import FOLDER

TEXT_DIM = 16


def small_unet(in_channels: int = 4, text_dim: int = TEXT_DIM) -> UNet2DConditionModel:
    torch.manual_seed(0)
    return UNet2DConditionModel(
        sample_size=8,
        in_channels=in_channels,
        block_out_channels=(32, 32),
        layers_per_block=1,
        down_block_types=("CrossAttnDownBlock2D", "DownBlock2D"),
        up_block_types=("UpBlock2D", "CrossAttnUpBlock2D"),
        cross_attention_dim=text_dim,
        attention_head_dim=2,
    ).eval()


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    """A tiny Stable Diffusion 1.x in diffusers' layout."""
    small_unet().save_pretrained(tmp_path / "unet")
    AutoencoderKL(sample_size=16, norm_num_groups=8, block_out_channels=(8,)).save_pretrained(tmp_path / "vae")
    text_config = CLIPTextConfig(
        vocab_size=520,
        hidden_size=TEXT_DIM,
        intermediate_size=16,
        num_hidden_layers=1,
        num_attention_heads=2,
        bos_token_id=518,
        eos_token_id=519,
        pad_token_id=519,
    )
    CLIPTextModel(text_config).save_pretrained(tmp_path / "text_encoder")
    load_tokenizer(FOLDER / "tokenizer").save_pretrained(tmp_path / "tokenizer")
    scheduler = PNDMScheduler(beta_start=0.00085, beta_end=0.012, beta_schedule="scaled_linear", steps_offset=1)
    scheduler.save_pretrained(tmp_path / "scheduler")
    return tmp_path


@torch.no_grad()
def test_new_channels_change_nothing_at_first() -> None:
    unet = small_unet()
    widened = widen_unet(unet)
    noisy, clean, text = torch.randn(1, 4, 8, 8), torch.randn(1, 4, 8, 8), torch.randn(1, 5, TEXT_DIM)
    expected = unet(noisy, 10, text).sample
    torch.testing.assert_close(widened(torch.cat([noisy, clean], 1), 10, text).sample, expected)
    assert widened.config.in_channels == 8
    assert unet.config.in_channels == 4
    assert (widened.conv_in.weight[:, 4:] == 0).all()


def test_the_dtype_is_kept() -> None:
    assert widen_unet(small_unet().to(torch.bfloat16)).dtype == torch.bfloat16


def test_a_wider_unet_is_refused() -> None:
    with pytest.raises(InputError, match="9 input channels"):
        widen_unet(small_unet(in_channels=9))


def test_components(folder: Path) -> None:
    components = load_stable_diffusion_components(folder)
    assert components["unet"].config.in_channels == 8
    assert components["conditioner"].config.text_dim == TEXT_DIM
    assert components["conditioner"].config.num_tokens == 77
    assert components["scm"] is None
    assert components["scheduler"].config.beta_schedule == "scaled_linear"
    assert components["scheduler"].config.timestep_spacing == "linspace"


def test_the_pipeline_runs_from_the_start(folder: Path, photo) -> None:
    pipe = GenDegPipeline.from_stable_diffusion(folder)
    pipe.set_progress_bar_config(disable=True)
    output = pipe(photo[:16, :24], "haze", mu=0.1, sigma=0.05, num_inference_steps=2, output_type="np")
    assert output.images[0].shape == (16, 24, 3)


@pytest.mark.parametrize("part", ["unet", "text_encoder", "tokenizer", "scheduler"])
def test_an_incomplete_folder_is_refused(folder: Path, part: str) -> None:
    (folder / part).rename(folder / "elsewhere")
    with pytest.raises(CheckpointError, match=part):
        load_stable_diffusion_components(folder)


@pytest.mark.parametrize("part", ["unet", "vae", "text_encoder"])
def test_missing_weights_are_refused(folder: Path, part: str) -> None:
    path = next((folder / part).glob("*.safetensors"))
    weights = load_file(path)
    name = min(weights)
    del weights[name]
    save_file(weights, path, metadata={"format": "pt"})
    with pytest.raises(CheckpointError, match=f"weights in the folder {part} of .* 1 missing: {name}"):
        GenDegPipeline.from_stable_diffusion(folder)


def test_another_architecture_is_refused(folder: Path) -> None:
    small_unet(text_dim=24).save_pretrained(folder / "unet")
    with pytest.raises(CheckpointError, match="16 wide and its UNet takes 24"):
        load_stable_diffusion_components(folder)


def test_a_name_out_of_reach_is_refused() -> None:
    with pytest.raises(CheckpointError, match="nobody/nothing could not be loaded"):
        load_stable_diffusion_components("nobody/nothing")
