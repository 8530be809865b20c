from pathlib import Path

import pytest
import torch
from safetensors.torch import load_file

from gendeg import StructureCorrectionModule
from gendeg.errors import CheckpointError, InputError
from reference import FOLDER, SPEC, relative_error, seeded_weights


@torch.no_grad()
def test_agrees_with_the_authors_program(tmp_path: Path) -> None:
    torch.save({"state_dict": seeded_weights(SPEC["scm"]["shapes"], seed=107)}, tmp_path / "nafnet_sd.ckpt")
    scm = StructureCorrectionModule.from_original_checkpoint(tmp_path / "nafnet_sd.ckpt")
    reference = load_file(FOLDER / "scm.safetensors")
    assert relative_error(scm(reference["clean"], reference["degraded"]), reference["output"]) < 1e-5


def test_default_size_is_the_published_one() -> None:
    with torch.device("meta"):
        scm = StructureCorrectionModule()
    assert sum(parameter.numel() for parameter in scm.parameters()) == 115_984_643
    assert {name: list(tensor.shape) for name, tensor in scm.state_dict().items()} == SPEC["scm_full"]["shapes"]


@torch.no_grad()
def test_without_a_residual_the_generated_image_is_kept() -> None:
    scm = StructureCorrectionModule(width=4, middle_blk_num=1, enc_blk_nums=[1], dec_blk_nums=[1])
    scm.ending.weight.zero_()
    scm.ending.bias.zero_()
    clean, generated = torch.rand(2, 1, 3, 9, 11)
    assert torch.equal(scm(clean, generated), generated)


@torch.no_grad()
def test_survives_saving(tmp_path: Path) -> None:
    scm = StructureCorrectionModule(width=4, middle_blk_num=0, enc_blk_nums=[1, 1], dec_blk_nums=[0, 1])
    scm.save_pretrained(tmp_path)
    clean, generated = torch.rand(2, 1, 3, 9, 11)
    assert torch.equal(StructureCorrectionModule.from_pretrained(tmp_path)(clean, generated), scm(clean, generated))


@pytest.mark.parametrize("shape", [(1, 3, 8, 9), (3, 8, 8), (1, 1, 8, 8)])
def test_other_shapes_are_refused(shape: tuple[int, ...]) -> None:
    scm = StructureCorrectionModule(width=4, middle_blk_num=0, enc_blk_nums=[1], dec_blk_nums=[1])
    with pytest.raises(InputError, match=r"\(B, 3, H, W\)"):
        scm(torch.zeros(1, 3, 8, 8), torch.zeros(shape))
    with pytest.raises(InputError, match="Got clean None and generated None"):
        scm(None, None)


def test_impossible_sizes_are_refused() -> None:
    with pytest.raises(InputError, match="width=0"):
        StructureCorrectionModule(width=0)


def test_a_restorer_is_not_a_correction_module(tmp_path: Path) -> None:
    torch.save(seeded_weights(SPEC["nafnet"]["shapes"], seed=100), tmp_path / "NAFNet.pth")
    with pytest.raises(CheckpointError, match=r"intro\.weight \(16, 3, 3, 3\) instead of \(16, 6, 3, 3\)"):
        StructureCorrectionModule.from_original_checkpoint(tmp_path / "NAFNet.pth")
