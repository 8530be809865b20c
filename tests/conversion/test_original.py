import os
import sys
from collections.abc import Callable
from pathlib import Path
from types import ModuleType
from typing import Any

import pytest
import torch
import yaml
from safetensors.torch import save_file

from gendeg import GenDegPipeline
from gendeg.conversion import load_original_components
from gendeg.errors import CheckpointError
from reference import FOLDER, UNET, original_generator

AVERAGED = "model_ema.diffusion_modelout2weight"


@pytest.fixture
def load(original_files: dict[str, Any]) -> Callable[..., dict[str, Any]]:
    """Load the reference generator with some arguments replaced."""
    return lambda **changes: load_original_components(**(original_files | changes))


def save_changed(path: Path, change: Callable[[dict[str, torch.Tensor]], Any]) -> Path:
    state = original_generator()
    change(state)
    save_file(state, path)
    return path


def save_config(path: Path, section: tuple[str, ...], **changes: Any) -> Path:
    config = yaml.safe_load((FOLDER / "generate.yaml").read_text())
    target = config["model"]["params"]
    for name in section:
        target = target[name]
    target.update(changes)
    path.write_text(yaml.safe_dump(config))
    return path


def test_averaged_weights_by_default_raw_on_request(load) -> None:
    state = original_generator()
    assert torch.equal(load()["unet"].conv_out.weight, state[AVERAGED])
    assert torch.equal(load(use_ema=False)["unet"].conv_out.weight, state[UNET + "out.2.weight"])


def test_everything_is_ready_for_inference(load) -> None:
    components = load()
    for name in ("vae", "unet", "text_encoder", "conditioner", "scm"):
        assert not components[name].training
        assert components[name].dtype == torch.float32
    assert components["vae"].config.scaling_factor == 0.18215
    assert load(scm_checkpoint=None)["scm"] is None


def test_safetensors_and_half_precision(load, tmp_path: Path) -> None:
    def halve(state: dict[str, torch.Tensor]) -> None:
        state.update({name: value.half() for name, value in state.items() if value.is_floating_point()})

    components = load(checkpoint=save_changed(tmp_path / "gendeg.safetensors", halve))
    assert components["unet"].dtype == torch.float32
    torch.testing.assert_close(components["unet"].conv_out.weight, load()["unet"].conv_out.weight, atol=1e-4, rtol=1e-3)


def test_without_averaged_weights(load, tmp_path: Path) -> None:
    path = save_changed(tmp_path / "raw.safetensors", lambda state: state.pop(AVERAGED))
    with pytest.raises(CheckpointError, match=r"lacks 1 of 286 averaged.*out\.2\.weight.*use_ema=False"):
        load(checkpoint=path)
    assert load(checkpoint=path, use_ema=False)["unet"] is not None


@pytest.mark.parametrize(
    ("name", "message"),
    [
        ("stats_proj.weight", "not a GenDeg checkpoint.*stats_proj"),
        ("stats_proj.bias", r"does not fit DegradationConditioner: 1 missing: stats_proj\.bias"),
        (UNET + "time_embed.0.bias", r"UNet2DConditionModel: 1 missing: time_embedding\.linear_1\.bias"),
        ("first_stage_model.decoder.conv_in.bias", r"AutoencoderKL: 1 missing: decoder\.conv_in\.bias"),
        (
            "cond_stage_model.transformer.text_model.final_layer_norm.bias",
            r"CLIPTextModel: 1 missing: .*final_layer_norm\.bias",
        ),
    ],
)
def test_missing_weights_are_named(load, tmp_path: Path, name: str, message: str) -> None:
    with pytest.raises(CheckpointError, match=message):
        load(checkpoint=save_changed(tmp_path / "part.safetensors", lambda state: state.pop(name)))


@pytest.mark.parametrize(
    ("name", "message"),
    [
        ("stats_proj.weight", r"holds no conditioner: the weights stats_proj \(3,\)"),
        (
            "cond_stage_model.transformer.text_model.embeddings.token_embedding.weight",
            r"token_embedding\.weight \(3,\)",
        ),
        (UNET + "out.2.bias", r"UNet2DConditionModel: 1 of another shape: conv_out\.bias \(3,\) instead of \(4,\)"),
        ("first_stage_model.decoder.conv_in.bias", r"AutoencoderKL: 1 of another shape: decoder\.conv_in\.bias"),
    ],
)
def test_weights_of_another_shape_are_named(load, tmp_path: Path, name: str, message: str) -> None:
    state = original_generator()
    assert name in state
    changed = {name: torch.zeros(3)}
    torch.save({"state_dict": state | changed}, tmp_path / "gendeg.ckpt")
    with pytest.raises(CheckpointError, match=message):
        load(checkpoint=tmp_path / "gendeg.ckpt", use_ema=False)


def test_other_checkpoints_are_refused(load, original_files) -> None:
    with pytest.raises(CheckpointError, match=r"not a GenDeg checkpoint.*model\.diffusion_model\."):
        load(checkpoint=original_files["scm_checkpoint"])
    with pytest.raises(CheckpointError, match="not the checkpoint of one StructureCorrectionModule"):
        load(scm_checkpoint=original_files["checkpoint"])


class Malicious:
    def __init__(self, marker: Path) -> None:
        self.marker = marker

    def __reduce__(self) -> tuple[Any, ...]:
        return os.mkdir, (str(self.marker),)


def test_a_pickle_with_code_is_refused_and_not_run(load, tmp_path: Path) -> None:
    marker = tmp_path / "code was run"
    torch.save({"state_dict": original_generator(), "callbacks": Malicious(marker)}, tmp_path / "evil.ckpt")
    with pytest.raises(CheckpointError, match="refused"):
        load(checkpoint=tmp_path / "evil.ckpt")
    assert not marker.exists()


def test_callbacks_of_old_lightning_are_no_obstacle(load, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    module = ModuleType("pytorch_lightning.callbacks.model_checkpoint")
    callback = type("ModelCheckpoint", (), {"__module__": module.__name__})
    module.ModelCheckpoint = callback
    with monkeypatch.context() as patch:
        patch.setitem(sys.modules, "pytorch_lightning", ModuleType("pytorch_lightning"))
        patch.setitem(sys.modules, "pytorch_lightning.callbacks", ModuleType("pytorch_lightning.callbacks"))
        patch.setitem(sys.modules, module.__name__, module)
        content = {"state_dict": original_generator(), "callbacks": {callback: {"best_model_score": torch.ones(())}}}
        torch.save(content, tmp_path / "gendeg.ckpt")
    assert torch.equal(
        load(checkpoint=tmp_path / "gendeg.ckpt")["unet"].conv_out.weight, content["state_dict"][AVERAGED]
    )


@pytest.mark.parametrize("keep", [0, 1000, 0.5])
def test_truncated_files_are_refused(load, original_files, tmp_path: Path, keep: float) -> None:
    content = original_files["checkpoint"].read_bytes()
    path = tmp_path / "gendeg.ckpt"
    path.write_bytes(content[: int(keep * len(content)) if keep < 1 else int(keep)])
    with pytest.raises(CheckpointError, match=r"gendeg\.ckpt"):
        load(checkpoint=path)


def test_missing_files_are_named(load, tmp_path: Path) -> None:
    for argument in ("checkpoint", "config", "scm_checkpoint", "tokenizer", "text_encoder_config"):
        with pytest.raises(CheckpointError, match="nowhere"):
            load(**{argument: tmp_path / "nowhere"})


UNET_SECTION = ("unet_config", "params")
VAE_SECTION = ("first_stage_config", "params", "ddconfig")


@pytest.mark.parametrize(
    ("section", "changes", "message"),
    [
        ((), {"beta_schedule": "cosine"}, "beta_schedule='cosine'"),
        ((), {"linear_start": None}, "'linear_start' as float"),
        (UNET_SECTION, {"num_res_blocks": [1, 1]}, r"'num_res_blocks' as int; found \[1, 1\]"),
        (UNET_SECTION, {"model_channels": 33}, "describes no UNet2DConditionModel"),
        (UNET_SECTION, {"channel_mult": [1, 2, 2]}, "does not fit UNet2DConditionModel"),
        (VAE_SECTION, {"num_res_blocks": 2}, "does not fit AutoencoderKL"),
        (VAE_SECTION, {"ch_mult": None}, "'ch_mult' as list"),
    ],
)
def test_a_wrong_config_is_explained(load, tmp_path: Path, section, changes, message: str) -> None:
    with pytest.raises(CheckpointError, match=message):
        load(config=save_config(tmp_path / "generate.yaml", section, **changes))


@pytest.mark.parametrize("content", ["", "- 1", "model: {}", "model: [", "model:\n  params: 3"])
def test_files_that_are_no_config(load, tmp_path: Path, content: str) -> None:
    (tmp_path / "generate.yaml").write_text(content)
    with pytest.raises(CheckpointError, match=r"generate\.yaml") as error:
        load(config=tmp_path / "generate.yaml")
    assert "\n" not in str(error.value)


def test_numbers_that_yaml_reads_as_text(load, tmp_path: Path) -> None:
    config = save_config(tmp_path / "generate.yaml", (), linear_end="12e-3", parameterization="v")
    scheduler = load(config=config)["scheduler"]
    assert scheduler.config.beta_end == 0.012
    assert scheduler.config.prediction_type == "v_prediction"


def test_without_a_correction_module_the_pipeline_transfers(original_files) -> None:
    pipe = GenDegPipeline.from_original_checkpoint(**(original_files | {"scm_checkpoint": None}))
    assert pipe.config.alignment == "transfer"
