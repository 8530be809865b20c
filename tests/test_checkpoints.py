from pathlib import Path

import pytest
import torch

import gendeg.checkpoints
from gendeg.checkpoints import checkpoint, packaged_checkpoints, read_state_dict
from gendeg.errors import CheckpointError


def test_packaged_checkpoints(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(gendeg.checkpoints, "_FOLDER", tmp_path)
    for name in ("small", "large", "__pycache__"):
        (tmp_path / name).mkdir()
    assert packaged_checkpoints() == ["large", "small"]
    assert checkpoint("small") == tmp_path / "small"
    with pytest.raises(CheckpointError, match=r"No packaged checkpoint 'tiny'\. Packaged: large, small"):
        checkpoint("tiny")


def test_installation_without_checkpoints(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(gendeg.checkpoints, "_FOLDER", tmp_path / "missing")
    assert packaged_checkpoints() == []
    with pytest.raises(CheckpointError, match="Packaged: none"):
        checkpoint("gendeg-tiny")


def test_a_file_without_named_tensors(tmp_path: Path) -> None:
    torch.save({"state_dict": {1: torch.ones(2)}}, tmp_path / "numbers.pt")
    with pytest.raises(CheckpointError, match="holds no named tensors"):
        read_state_dict(tmp_path / "numbers.pt")


def test_an_empty_file_is_told_in_words(tmp_path: Path) -> None:
    (tmp_path / "empty.ckpt").write_bytes(b"")
    with pytest.raises(CheckpointError, match=r"is it complete\? \(\w+"):
        read_state_dict(tmp_path / "empty.ckpt")
