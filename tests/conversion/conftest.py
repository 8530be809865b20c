"""The reference generator as the authors' files, and converted."""

from pathlib import Path
from typing import Any

import pytest
import torch
from safetensors.torch import load_file

from gendeg import GenDegPipeline
from reference import FOLDER, SPEC, original_generator, seeded_weights


@pytest.fixture(scope="session")
def original_files(tmp_path_factory: pytest.TempPathFactory) -> dict[str, Any]:
    """Arguments of `from_original_checkpoint`."""
    folder = tmp_path_factory.mktemp("original")
    state = original_generator()
    torch.save({"state_dict": state, "global_step": 1234, "epoch": 3}, folder / "gendeg.ckpt")
    torch.save({"state_dict": seeded_weights(SPEC["scm"]["shapes"], seed=107)}, folder / "nafnet_sd.ckpt")
    return {
        "checkpoint": folder / "gendeg.ckpt",
        "config": FOLDER / "generate.yaml",
        "scm_checkpoint": folder / "nafnet_sd.ckpt",
        "tokenizer": FOLDER / "tokenizer",
        "text_encoder_config": FOLDER / "text_encoder_config.json",
    }


@pytest.fixture(scope="session")
def converted(original_files: dict[str, Path]) -> GenDegPipeline:
    pipe = GenDegPipeline.from_original_checkpoint(**original_files)
    pipe.set_progress_bar_config(disable=True)
    return pipe


@pytest.fixture(scope="session")
def reference() -> dict[str, torch.Tensor]:
    return load_file(FOLDER / "gendeg_reference.safetensors")
