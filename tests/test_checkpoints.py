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


@pytest.mark.filterwarnings("ignore:`torch.jit")
def test_a_torchscript_program_is_told_from_a_checkpoint(tmp_path: Path) -> None:
    torch.jit.save(torch.jit.trace(torch.nn.Linear(2, 2), torch.ones(2)), tmp_path / "program.pt")
    with pytest.raises(CheckpointError, match="is a TorchScript program") as error:
        read_state_dict(tmp_path / "program.pt")
    assert "weights_only" not in str(error.value)


def test_an_empty_wrapper_is_not_opened(tmp_path: Path) -> None:
    torch.save({"model": {"weight": torch.ones(2)}, "params": {}}, tmp_path / "net.pth")
    assert list(read_state_dict(tmp_path / "net.pth")) == ["weight"]


@pytest.mark.filterwarnings("ignore:Validating sparse tensor")
def test_sparse_tensors_are_refused(tmp_path: Path) -> None:
    torch.save({"weight": torch.eye(3).to_sparse()}, tmp_path / "net.pth")
    with pytest.raises(CheckpointError, match=r"holds sparse tensors \(weight\)"):
        read_state_dict(tmp_path / "net.pth")


@pytest.mark.filterwarnings("ignore:__array__ implementation:DeprecationWarning")  # of diffusers
def test_the_packaged_generator_reads_the_phrase_whatever_stands_before_it(photo_tensor: torch.Tensor) -> None:
    """Unknown words were once taken for another degradation: low light came out brighter than the photo."""
    pipe = gendeg.GenDegPipeline.from_pretrained(checkpoint("gendeg-tiny"))
    long = "there is a large airplane that is parked on the runway at the airport with people walking around it " * 3
    prompts = [None, "a Chinese palace under a blue sky", "an orange dahlia", long]
    generators = [torch.Generator().manual_seed(0) for _ in prompts]
    images = pipe(photo_tensor, "low_light", 0.1, 0.05, prompts, generator=generators, output_type="pt").images
    for image in images:
        assert (image - photo_tensor).mean() < -0.07
        assert (image - images[0]).abs().mean() < 0.02
    for degradation in gendeg.Degradation:
        generators = [torch.Generator().manual_seed(0) for _ in range(2)]
        request = (photo_tensor, degradation, 0.05, 0.06, [None, "an orange dahlia"])
        alone, described = pipe(*request, generator=generators, output_type="pt").images
        assert (described - alone).abs().mean() < 0.02
