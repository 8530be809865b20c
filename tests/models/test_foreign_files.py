"""Files that are no checkpoints, or unsafe ones, are refused by every architecture."""

import os
import pickle
import sys
import types
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
import torch

from gendeg import NAFNet, PromptIR, StructureCorrectionModule, SwinRestorer
from gendeg.checkpoints import read_state_dict
from gendeg.errors import CheckpointError, InputError

LOADERS = [
    NAFNet.from_original_checkpoint,
    PromptIR.from_original_checkpoint,
    StructureCorrectionModule.from_original_checkpoint,
    SwinRestorer.from_simmim_checkpoint,
]


class RunsCode:
    def __reduce__(self) -> Any:
        return os.mkdir, ("was_run",)


@pytest.mark.parametrize("load", LOADERS)
def test_pickled_code_is_refused_and_not_run(load: Callable[[Path], Any], tmp_path: Path, monkeypatch) -> None:
    monkeypatch.chdir(tmp_path)
    torch.save({"state_dict": {"intro.weight": torch.zeros(1)}, "extra": RunsCode()}, tmp_path / "net.pth")
    with pytest.raises(CheckpointError, match="could run code"):
        load(tmp_path / "net.pth")
    assert not (tmp_path / "was_run").exists()


@pytest.mark.parametrize("load", LOADERS)
@pytest.mark.parametrize("suffix", [".pth", ".safetensors"])
def test_truncated_files_are_refused(load: Callable[[Path], Any], suffix: str, tmp_path: Path) -> None:
    torch.save({"params": NAFNet(width=4, enc_blk_nums=[1], dec_blk_nums=[1]).state_dict()}, tmp_path / "whole.pth")
    path = tmp_path / f"cut{suffix}"
    path.write_bytes((tmp_path / "whole.pth").read_bytes()[:5000])
    with pytest.raises(CheckpointError, match=r"is it complete|is refused"):
        load(path)


@pytest.mark.parametrize("load", LOADERS)
def test_weights_of_odd_shapes_are_refused(load: Callable[[Path], Any], tmp_path: Path) -> None:
    names = ["intro.weight", "encoder_level1.0.attn.qkv.weight", "patch_embed.proj.weight"]
    torch.save({name: torch.zeros(1) for name in names}, tmp_path / "odd.pth")
    with pytest.raises(CheckpointError):
        load(tmp_path / "odd.pth")


@pytest.mark.parametrize("text", ["hello", "Rate limit", "sdkfj", "<!DOCTYPE html>", "version https://git-lfs"])
def test_text_is_no_checkpoint(text: str, tmp_path: Path) -> None:
    (tmp_path / "net.pth").write_text(text)
    with pytest.raises(CheckpointError, match=r"net\.pth is refused: it is not a checkpoint"):
        read_state_dict(tmp_path / "net.pth")


def test_an_old_file_cut_anywhere_is_refused(tmp_path: Path) -> None:
    torch.save({"params": {"weight": torch.ones(4)}}, tmp_path / "whole.pth", _use_new_zipfile_serialization=False)
    content = (tmp_path / "whole.pth").read_bytes()
    for length in range(len(content)):
        (tmp_path / "cut.pth").write_bytes(content[:length])
        with pytest.raises(CheckpointError, match=r"is it complete|is refused"):
            read_state_dict(tmp_path / "cut.pth")


@pytest.mark.filterwarnings("ignore:Initializing zero-element tensors")
def test_weights_without_channels_are_refused(tmp_path: Path) -> None:
    weights = NAFNet(width=4, enc_blk_nums=[1], dec_blk_nums=[1]).state_dict()
    torch.save(weights | {"intro.weight": torch.zeros(0, 3, 3, 3)}, tmp_path / "net.pth")
    with pytest.raises(CheckpointError, match="sizes cannot be deduced"):
        NAFNet.from_original_checkpoint(tmp_path / "net.pth")


def test_missing_file(tmp_path: Path) -> None:
    with pytest.raises(CheckpointError, match="No checkpoint file"):
        PromptIR.from_original_checkpoint(tmp_path / "missing.pth")


def test_a_configuration_beside_the_weights_is_no_obstacle(tmp_path: Path, monkeypatch) -> None:
    """Swin and SimMIM pickle a yacs node, a dict with attributes; yacs itself is not needed."""

    class CfgNode(dict):
        pass

    module = types.ModuleType("yacs.config")
    CfgNode.__module__, CfgNode.__qualname__ = "yacs.config", "CfgNode"
    module.CfgNode = CfgNode  # type: ignore[attr-defined]
    monkeypatch.setitem(sys.modules, "yacs", types.ModuleType("yacs"))
    monkeypatch.setitem(sys.modules, "yacs.config", module)
    config = CfgNode(MODEL=CfgNode(TYPE="swin"))
    config.__dict__["__immutable__"] = True
    torch.save({"model": {"weight": torch.ones(2)}, "config": config, "epoch": 800}, tmp_path / "ckpt.pth")
    assert b"yacs.config" in pickle.dumps(config)
    monkeypatch.undo()
    assert list(read_state_dict(tmp_path / "ckpt.pth")) == ["weight"]


@pytest.mark.parametrize("load", LOADERS)
def test_what_is_no_path_is_refused(load: Callable[[Any], Any]) -> None:
    with pytest.raises(InputError, match="path=5 is neither text nor a path"):
        load(5)
