"""Load a pipeline by name: packaged, a folder, or on the hub; quietly, on the wanted device."""

import re
from pathlib import Path

import diffusers
import torch
import transformers
from safetensors import SafetensorError

from gendeg.checkpoints import checkpoint
from gendeg.errors import CheckpointError, InputError
from gendeg.pipelines.gendeg import GenDegPipeline

HUB_NAME = re.compile(r"[\w.-]+/[\w.-]+")


def load_pipeline(model: str, device: str | None) -> GenDegPipeline:
    """Load a pipeline, quietly.

    Args:
        model: a folder, a name on the hub (`owner/name`), or the name of a packaged checkpoint.
        device: torch's name of it; None for CUDA where there is one, else the CPU.

    Raises:
        CheckpointError: no such pipeline.
        InputError: no such device.
    """
    for library in (diffusers, transformers):
        library.utils.logging.set_verbosity_error()
        library.utils.logging.disable_progress_bar()
    try:
        pipe = GenDegPipeline.from_pretrained(_find(model))
    except (OSError, ValueError, KeyError, TypeError, AttributeError, RuntimeError, SafetensorError) as error:
        raise CheckpointError(f"Cannot load a GenDegPipeline from {model}: {_first_line(error)}") from error
    pipe.set_progress_bar_config(disable=True)
    try:
        return pipe.to(device or ("cuda" if torch.cuda.is_available() else "cpu"))
    except (RuntimeError, AssertionError) as error:
        raise InputError(f"Cannot use device {device!r}: {_first_line(error)}") from error


def _first_line(error: Exception) -> str:
    """The first line of an error's text, or its name where it has none."""
    return (str(error).strip() or type(error).__name__).splitlines()[0]


def _find(model: str) -> str | Path:
    folder = Path(model)
    if folder.exists() and not (folder / "model_index.json").is_file():
        raise CheckpointError(
            f"{model} is not a pipeline folder: it has no model_index.json. `gendeg convert` makes one from the "
            "authors' checkpoint."
        )
    if folder.exists() or HUB_NAME.fullmatch(model):
        return model
    return checkpoint(model)
