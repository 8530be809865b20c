"""Find a model by name, load it quietly, move it to a device."""

import os
from pathlib import Path
from typing import TypeVar

import diffusers
import torch
import transformers

from gendeg.checkpoints import HUB_NAME, checkpoint
from gendeg.errors import InputError, first_line

Movable = TypeVar("Movable", torch.nn.Module, diffusers.DiffusionPipeline)


def quiet_libraries() -> None:
    """No progress bars and warnings of the libraries that read checkpoints; errors stay."""
    for library in (diffusers, transformers):
        library.utils.logging.set_verbosity_error()
        library.utils.logging.disable_progress_bar()


def find_model(model: str) -> str | Path:
    """What `from_pretrained` takes: a path or hub name as it is, else the folder of the packaged checkpoint.

    Raises:
        CheckpointError: no packaged checkpoint has this name.
    """
    return model if os.path.exists(model) or HUB_NAME.fullmatch(model) else checkpoint(model)


def to_device(model: Movable, device: str | None) -> Movable:
    """Move a model.

    Args:
        model: a network or a pipeline.
        device: torch's name of it; None for CUDA where there is one, else the CPU.

    Raises:
        InputError: no such device, or it cannot take the model.
    """
    if device is not None:
        _check_device(device)
    try:
        return model.to(device or ("cuda" if torch.cuda.is_available() else "cpu"))
    except RuntimeError as error:
        raise InputError(f"Cannot use device {device!r}: {first_line(error)}") from error


def _check_device(device: str) -> None:
    accelerator = torch.accelerator.current_accelerator(check_available=True)
    here = ["cpu"]
    if accelerator is not None:
        here += [accelerator.type, *(f"{accelerator.type}:{i}" for i in range(torch.accelerator.device_count()))]
    if device not in here:
        raise InputError(
            f"Cannot use device {device!r}. Devices are cpu, cuda, cuda:1, ... and mps; this machine has "
            f"{', '.join(here)}."
        )
