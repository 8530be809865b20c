"""Every layout of UNet and autoencoder that the authors' YAML can ask for, there and back.

A diffusers model is written under LDM names by `ldm_unet` and `ldm_vae` below and must come back as it was.
"""

import re
from typing import Any

import pytest
import torch
from diffusers import AutoencoderKL, UNet2DConditionModel
from diffusers.loaders.single_file_utils import convert_ldm_unet_checkpoint, convert_ldm_vae_checkpoint
from torch import Tensor

from gendeg.conversion.config import unet_config, vae_config
from gendeg.conversion.original import _build_unet, _build_vae

VAE = {
    "ch": 32,
    "ch_mult": [1, 2],
    "num_res_blocks": 1,
    "z_channels": 4,
    "in_channels": 3,
    "out_ch": 3,
    "resolution": 32,
    "attn_resolutions": [],
}
UNET = {
    "in_channels": 8,
    "out_channels": 4,
    "model_channels": 32,
    "attention_resolutions": [2, 1],
    "num_res_blocks": 1,
    "channel_mult": [1, 2],
    "num_heads": 4,
    "context_dim": 24,
}
UNETS = {
    "stable_diffusion_1": {
        "attention_resolutions": [4, 2, 1],
        "num_res_blocks": 2,
        "channel_mult": [1, 2, 4, 4],
        "num_heads": 8,
    },
    "stable_diffusion_2": {
        "num_heads": -1,
        "num_head_channels": 16,
        "use_linear_in_transformer": True,
        "channel_mult": [1, 2, 2],
        "attention_resolutions": [4, 2, 1],
    },
    "attention_at_the_bottom": {"channel_mult": [1, 1, 2], "attention_resolutions": [4], "transformer_depth": 2},
    "attention_at_the_top": {"attention_resolutions": [1], "transformer_depth": [1, 3], "num_res_blocks": 3},
    "one_level": {"channel_mult": [2], "attention_resolutions": [1]},
}
VAES = {
    "stable_diffusion": {"ch_mult": [1, 2, 4, 4], "num_res_blocks": 2},
    "attention_in_a_level": {"ch_mult": [1, 1, 2], "attn_resolutions": [16]},
    "one_level": {"ch_mult": [1], "num_res_blocks": 3, "z_channels": 3},
}
UNET_NAMES = [
    (r"^time_embedding\.linear_1", "time_embed.0"),
    (r"^time_embedding\.linear_2", "time_embed.2"),
    (r"^conv_in", "input_blocks.0.0"),
    (r"^conv_norm_out", "out.0"),
    (r"^conv_out", "out.2"),
    (r"^mid_block\.resnets\.0", "middle_block.0"),
    (r"^mid_block\.attentions\.0", "middle_block.1"),
    (r"^mid_block\.resnets\.1", "middle_block.2"),
]
RESNET_NAMES = [
    ("norm1", "in_layers.0"),
    ("conv1", "in_layers.2"),
    ("time_emb_proj", "emb_layers.1"),
    ("norm2", "out_layers.0"),
    ("conv2", "out_layers.3"),
    ("conv_shortcut", "skip_connection"),
]
ATTENTION_NAMES = [("group_norm", "norm"), ("to_q", "q"), ("to_k", "k"), ("to_v", "v"), ("to_out.0", "proj_out")]


def params(unet: dict[str, Any], vae: dict[str, Any]) -> dict[str, Any]:
    return {
        "scale_factor": 0.3,
        "unet_config": {"params": UNET | unet},
        "first_stage_config": {"params": {"ddconfig": VAE | vae}},
    }


def ldm_unet(state: dict[str, Tensor], layers: int) -> dict[str, Tensor]:
    def block(match: re.Match[str]) -> str:
        side, level, kind, index = match["side"], int(match["level"]), match["kind"], int(match["index"])
        if kind == "downsamplers":
            return f"input_blocks.{(level + 1) * (layers + 1)}.0.op"
        if kind == "upsamplers":
            part = 2 if f"up_blocks.{level}.attentions.0.norm.weight" in state else 1
            return f"output_blocks.{(level + 1) * (layers + 1) - 1}.{part}.conv"
        group, offset = ("input", 1) if side == "down" else ("output", 0)
        part = 0 if kind == "resnets" else 1
        return f"{group}_blocks.{level * (layers + 1) + index + offset}.{part}"

    pattern = re.compile(r"^(?P<side>down|up)_blocks\.(?P<level>\d+)\.(?P<kind>\w+)\.(?P<index>\d+)(?:\.conv(?=\.))?")
    renamed = {}
    for name, tensor in state.items():
        new = pattern.sub(block, name)
        for old, ldm in UNET_NAMES:
            new = re.sub(old, ldm, new)
        if ".resnets." in name:
            for diffusers, ldm in RESNET_NAMES:
                new = new.replace(f".{diffusers}.", f".{ldm}.")
        renamed[new] = tensor
    return renamed


def ldm_vae(state: dict[str, Tensor], levels: int) -> dict[str, Tensor]:
    renamed = {}
    for name, tensor in state.items():
        new = re.sub(r"down_blocks\.(\d+)", r"down.\1", name)
        new = re.sub(r"up_blocks\.(\d+)", lambda match: f"up.{levels - 1 - int(match[1])}", new)
        new = re.sub(r"mid_block\.resnets\.(\d)", lambda match: f"mid.block_{int(match[1]) + 1}", new)
        new = new.replace("mid_block.attentions.0", "mid.attn_1").replace(".resnets.", ".block.")
        new = new.replace(".attentions.", ".attn.").replace("downsamplers.0", "downsample")
        new = new.replace("upsamplers.0", "upsample").replace("conv_shortcut", "nin_shortcut")
        new = new.replace("conv_norm_out", "norm_out")
        if ".attentions." in name:
            for diffusers, ldm in ATTENTION_NAMES:
                new = new.replace(f".{diffusers}.", f".{ldm}.")
            tensor = tensor[:, :, None, None] if name.endswith(".weight") and tensor.ndim == 2 else tensor
        renamed[new] = tensor
    return renamed


def random_model(model: torch.nn.Module) -> torch.nn.Module:
    """Nothing left at a constant initialisation, so that a mix-up shows."""
    generator = torch.Generator().manual_seed(0)
    with torch.no_grad():
        for parameter in model.parameters():
            parameter.add_(0.1 * torch.randn(parameter.shape, generator=generator))
    return model.eval()


@torch.no_grad()
@pytest.mark.parametrize("name", UNETS)
def test_unet(name: str) -> None:
    config = unet_config(params(UNETS[name], {}))
    source = random_model(UNet2DConditionModel(**config))
    ldm = ldm_unet(source.state_dict(), config["layers_per_block"])
    unet = _build_unet(ldm, config, name)
    size = 2 ** len(config["block_out_channels"])
    inputs = torch.randn(1, 8, size, size), torch.tensor([500]), torch.randn(1, 5, 24)
    assert torch.equal(unet(*inputs).sample, source(*inputs).sample)

    theirs = convert_ldm_unet_checkpoint({f"model.diffusion_model.{key}": value for key, value in ldm.items()}, config)
    assert theirs.keys() == source.state_dict().keys()
    assert all(torch.equal(theirs[key], value) for key, value in source.state_dict().items())


@torch.no_grad()
@pytest.mark.parametrize("name", VAES)
def test_autoencoder(name: str) -> None:
    config = vae_config(params({}, VAES[name]))
    source = random_model(AutoencoderKL(**config))
    ldm = ldm_vae(source.state_dict(), len(config["block_out_channels"]))
    vae = _build_vae(ldm | {"loss.logvar": torch.zeros(())}, config, name)
    image = torch.rand(1, 3, 16, 16) * 2 - 1
    assert torch.equal(vae.encode(image).latent_dist.mode(), source.encode(image).latent_dist.mode())
    assert torch.equal(vae(image).sample, source(image).sample)

    if not VAES[name].get("attn_resolutions"):  # diffusers' own converter knows no attention inside a level
        theirs = convert_ldm_vae_checkpoint({f"first_stage_model.{key}": value for key, value in ldm.items()}, config)
        assert theirs.keys() == source.state_dict().keys()


def test_attention_of_early_diffusers_files() -> None:
    config = vae_config(params({}, {}))
    source = AutoencoderKL(**config)
    ldm = ldm_vae(source.state_dict(), 2)
    old = {"q": "query", "k": "key", "v": "value", "proj_out": "proj_attn"}
    renamed = {}
    for name, tensor in ldm.items():
        for new_name, old_name in old.items():
            name = name.replace(f"attn_1.{new_name}.", f"attn_1.{old_name}.")
        renamed[name] = tensor.flatten(1) if "attn_1" in name and tensor.ndim == 4 else tensor
    vae = _build_vae(renamed, config, "old")
    assert all(torch.equal(vae.state_dict()[name], tensor) for name, tensor in source.state_dict().items())


@pytest.mark.parametrize(
    ("settings", "heads"),
    [
        ({"num_heads": 8}, 8),
        ({"num_head_channels": 16, "num_heads": -1}, [2, 4]),
        ({"num_head_channels": 32}, [1, 2]),
    ],
)
def test_heads(settings: dict[str, int], heads: Any) -> None:
    assert unet_config(params(settings, {}))["attention_head_dim"] == heads


def test_stable_diffusion_size() -> None:
    stable_diffusion = UNETS["stable_diffusion_1"] | {"model_channels": 320, "context_dim": 768}
    config = unet_config(params(stable_diffusion, VAES["stable_diffusion"]))
    assert config["sample_size"] == 64  # 512 pixels, at which the authors sample
    with torch.device("meta"):
        unet = UNet2DConditionModel(**config)
    assert sum(parameter.numel() for parameter in unet.parameters()) == 859_532_484
