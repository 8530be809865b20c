import re
from pathlib import Path
from typing import Any

import pytest
import torch
from safetensors.torch import save_file
from torch import Tensor

from gendeg import NAFNet, SwinRestorer
from gendeg.errors import CheckpointError, InputError

V1, V2 = "swin_tiny_patch4_window7_224", "swinv2_tiny_window8_256"
SIZES: dict[str, Any] = {"embed_dim": 8, "depths": [1, 1, 2, 2], "num_heads": [1, 2, 2, 4]}
WINDOWS: dict[str, Any] = {"window_size": 2, "img_size": 64}
WIDTHS = (16, 12, 8, 8, 4)


def build(name: str, **options: Any) -> SwinRestorer:
    torch.manual_seed(0)
    return SwinRestorer(name, SIZES | WINDOWS | options, WIDTHS).eval()


@pytest.fixture(params=[V1, V2])
def small(request: pytest.FixtureRequest) -> SwinRestorer:
    return build(request.param)


def as_the_authors_store_it(encoder: torch.nn.Module) -> dict[str, Tensor]:
    """Merging of patches at the end of a stage instead of the beginning of the next; tables stored beside weights."""
    state = {
        re.sub(r"layers\.(\d)\.downsample", lambda m: f"layers.{int(m[1]) - 1}.downsample", name): tensor
        for name, tensor in encoder.state_dict().items()
    }
    for name, module in encoder.named_modules():
        if hasattr(module, "relative_position_index"):
            state[f"{name}.relative_position_index"] = module.relative_position_index
        if hasattr(module, "relative_coords_table"):
            state[f"{name}.relative_coords_table"] = module.relative_coords_table
        if hasattr(module, "attn_mask"):
            state[f"{name}.attn_mask"] = torch.zeros(4, 4, 4)
    return state


def save_simmim(encoder: torch.nn.Module, path: Path) -> None:
    state = {f"encoder.{name}": tensor for name, tensor in as_the_authors_store_it(encoder).items()}
    state |= {"encoder.mask_token": torch.zeros(1, 1, 8), "decoder.0.weight": torch.zeros(8, 8, 1, 1)}
    torch.save({"model": state, "epoch": 800, "lr_scheduler": {}}, path)


@torch.no_grad()
@pytest.mark.parametrize("size", [(1, 1), (32, 32), (45, 70)])
def test_any_size_is_accepted_and_kept(small: SwinRestorer, size: tuple[int, int]) -> None:
    image = torch.rand(2, 3, *size)
    restored = small(image)
    assert restored.shape == image.shape
    assert (restored - image).abs().max() > 1e-4


@torch.no_grad()
def test_what_is_predicted_is_added_to_the_image(small: SwinRestorer) -> None:
    small.ending.weight.zero_()
    small.ending.bias.fill_(0.25)
    image = torch.rand(1, 3, 33, 30)
    assert torch.equal(small(image), image + 0.25)


@torch.no_grad()
def test_survives_saving_in_half_precision_without_a_network(small: SwinRestorer, tmp_path: Path) -> None:
    image = torch.rand(1, 3, 40, 40)
    exact = small(image)
    small.to(torch.bfloat16).save_pretrained(tmp_path)
    loaded = SwinRestorer.from_pretrained(tmp_path, dtype=torch.bfloat16)
    assert torch.equal(loaded(image.bfloat16()), small(image.bfloat16()))
    assert (loaded(image.bfloat16()) - exact).abs().mean() < 0.02


@pytest.mark.parametrize("checkpointing", [False, True])
def test_all_parameters_learn(small: SwinRestorer, checkpointing: bool) -> None:
    if checkpointing:
        small.enable_gradient_checkpointing()
        assert all(stage.grad_checkpointing for stage in small.encoder.layers)
    small.train()(torch.rand(1, 3, 64, 64)).square().sum().backward()
    assert all(parameter.grad is not None for parameter in small.parameters())


@torch.no_grad()
def test_windows_are_shifted_in_every_stage(small: SwinRestorer) -> None:
    assert small.encoder.layers[3].blocks[1].shift_size == (1, 1)


@torch.no_grad()
def test_simmim_checkpoint(small: SwinRestorer, tmp_path: Path) -> None:
    save_simmim(small.encoder, tmp_path / "simmim.pth")
    loaded = SwinRestorer.from_simmim_checkpoint(tmp_path / "simmim.pth", decoder_widths=WIDTHS).eval()
    loaded.decoder.load_state_dict(small.decoder.state_dict())
    loaded.ending.load_state_dict(small.ending.state_dict())
    image = torch.rand(1, 3, 70, 64)
    assert torch.equal(loaded(image), small(image))
    loaded.save_pretrained(tmp_path / "restorer")
    assert torch.equal(SwinRestorer.from_pretrained(tmp_path / "restorer")(image), loaded(image))


def test_simmim_checkpoint_for_other_windows(small: SwinRestorer, tmp_path: Path) -> None:
    save_simmim(small.encoder, tmp_path / "simmim.pth")
    loaded = SwinRestorer.from_simmim_checkpoint(tmp_path / "simmim.pth", window_size=3, decoder_widths=WIDTHS)
    assert all(stage.blocks[0].window_size == (3, 3) for stage in loaded.encoder.layers)
    old, new = small.encoder.layers[1].blocks[0].attn, loaded.encoder.layers[1].blocks[0].attn
    assert torch.equal(new.proj.weight, old.proj.weight)
    if hasattr(new, "relative_position_bias_table"):
        assert new.relative_position_bias_table.shape == (25, 2)
        centres = new.relative_position_bias_table[12], old.relative_position_bias_table[4]
        torch.testing.assert_close(*centres, rtol=0.1, atol=2e-3)


@pytest.mark.parametrize("layout", ["timm", "authors"])
def test_encoder_from_a_file(small: SwinRestorer, tmp_path: Path, layout: str) -> None:
    encoder = small.encoder
    state = encoder.state_dict() if layout == "timm" else as_the_authors_store_it(encoder)
    torch.save({"model": state | {"head.weight": torch.zeros(10, 64)}}, tmp_path / "swin.pth")
    config = {"encoder_options": SIZES | WINDOWS, "decoder_widths": WIDTHS}
    loaded = SwinRestorer.with_pretrained_encoder(small.config.encoder_name, tmp_path / "swin.pth", **config)
    for name, tensor in encoder.state_dict().items():
        assert torch.equal(loaded.encoder.state_dict()[name], tensor)


def test_file_of_another_encoder(tmp_path: Path) -> None:
    save_simmim(build(V1).encoder, tmp_path / "simmim.pth")
    with pytest.raises(CheckpointError, match="instead of"):
        SwinRestorer.with_pretrained_encoder(V1, tmp_path / "simmim.pth", encoder_options=WINDOWS | {"embed_dim": 16})
    with pytest.raises(CheckpointError, match="does not fit the encoder"):
        SwinRestorer.with_pretrained_encoder(
            V1, tmp_path / "simmim.pth", encoder_options=WINDOWS | SIZES | {"depths": [1, 1, 1, 1]}
        )


def test_download_without_a_network_says_what_to_do(monkeypatch: pytest.MonkeyPatch) -> None:
    import timm

    def offline(*args: Any, pretrained: bool, **kwargs: Any) -> Any:
        if pretrained:
            raise OSError("offline")
        return create(*args, **kwargs)

    create = timm.create_model
    monkeypatch.setattr(timm, "create_model", offline)
    with pytest.raises(CheckpointError, match=r"from timm/swin_tiny_patch4_window7_224.*give the file as `weights`"):
        SwinRestorer.with_pretrained_encoder(V1, encoder_options=None, decoder_widths=WIDTHS)


@pytest.mark.parametrize(
    ("name", "options", "message"),
    [
        ("resnet50", {}, r"no Swin named 'resnet50'\. Known: swin_base"),
        (V1, {"patch_size": 8}, r"reduce the image by \[8, 16, 32, 64\]"),
        (V1, {"depths": [1, 1], "num_heads": [1, 1]}, r"four stages"),
        (V1, {"colour": "red"}, "timm refuses.*colour"),
        (V2, {"window_size": 0}, "timm refuses"),
        (V1, {"embed_dim": -8}, "timm refuses"),
        (V1, {"pretrained": True}, "'pretrained', but the class does not download"),
        (V1, {"in_chans": 1}, "in_chans=1; images have 3 channels"),
        (None, {}, "no Swin named None"),
    ],
)
def test_impossible_encoders_are_refused(name: str, options: dict[str, Any], message: str) -> None:
    with pytest.raises(InputError, match=message):
        SwinRestorer(name, SIZES | WINDOWS | options, WIDTHS)


def test_five_widths_are_needed() -> None:
    with pytest.raises(InputError, match="give five"):
        SwinRestorer(V1, SIZES | WINDOWS, (8, 8))
    with pytest.raises(InputError, match=r"decoder_widths\[4\]=0"):
        SwinRestorer(V1, SIZES | WINDOWS, (8, 8, 8, 8, 0))
    with pytest.raises(InputError, match="encoder_options='small'; give a dictionary"):
        SwinRestorer(V1, "small")


def test_other_checkpoints_are_refused(tmp_path: Path) -> None:
    save_file(NAFNet(width=4, enc_blk_nums=[1], dec_blk_nums=[1]).state_dict(), tmp_path / "net.safetensors")
    with pytest.raises(CheckpointError, match="not the checkpoint of one Swin"):
        SwinRestorer.from_simmim_checkpoint(tmp_path / "net.safetensors")
    save_file({"patch_embed.proj.weight": torch.zeros(8, 3, 4, 4)}, tmp_path / "net.safetensors")
    with pytest.raises(CheckpointError, match=r"not a SimMIM checkpoint"):
        SwinRestorer.from_simmim_checkpoint(tmp_path / "net.safetensors")
