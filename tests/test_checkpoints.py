from pathlib import Path

import pytest

import gendeg.checkpoints
from gendeg.checkpoints import checkpoint, packaged_checkpoints
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
