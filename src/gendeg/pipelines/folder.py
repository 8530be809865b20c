"""What is wrong with the folder of a pipeline: what is missing or broken, by name."""

import importlib
import json
import os
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

from safetensors import SafetensorError, safe_open
from torch import nn

from gendeg.checkpoints import HUB_NAME, describe_misfits, packaged_checkpoints
from gendeg.errors import CheckpointError

INDEX = "model_index.json"
PIPELINE = "GenDegPipeline"

_REQUIRED = ("vae", "text_encoder", "tokenizer", "unet", "conditioner", "scheduler")
_CONFIGS = {"tokenizer": "tokenizer_config.json", "scheduler": "scheduler_config.json"}  # they have no weights


def check_source(source: str | os.PathLike[str]) -> None:
    """Refuse what is neither there nor a name on the hub.

    Raises:
        CheckpointError: it is neither; the message says how packaged checkpoints are named.
    """
    if not os.path.exists(source) and not HUB_NAME.fullmatch(str(source)):
        packaged = ", ".join(packaged_checkpoints()) or "none"
        raise CheckpointError(
            f"No pipeline at {source}: give a folder, or a name on the hub (owner/name). For the packaged ones "
            f"({packaged}) give gendeg.checkpoint(name)."
        )


def check_folder(folder: Path, options: Mapping[str, Any]) -> None:
    """Refuse a folder that no pipeline can be loaded from.

    Args:
        folder: it exists.
        options: what `from_pretrained` was called with: components that are not taken from the folder, and `variant`.

    Raises:
        CheckpointError: not the folder of a `GenDegPipeline`, or something in it is missing, damaged, or holds other
            weights than its configuration says.
    """
    index = _read_index(folder)
    parts = {name: where for name, where in index.items() if isinstance(where, list) and where and where[0]}
    missing = [f"{INDEX} names no {name}" for name in _REQUIRED if name not in parts and name not in options]
    taken = [name for name in parts if name not in options]
    broken = [fault for name in taken if (fault := _find_fault(folder, name))]
    if not missing and not broken:
        variant = options.get("variant")
        broken = [fault for name in taken if (fault := _find_misfit(folder / name, parts[name], variant))]
    if missing or broken:
        raise CheckpointError(
            f"The pipeline in {folder} is incomplete or damaged: {'; '.join(missing + broken)}. Copy the folder again, "
            "or write it anew with save_pretrained or `gendeg convert`."
        )


def _read_index(folder: Path) -> dict[str, Any]:
    if not (folder / INDEX).is_file() and (folder / "config.json").is_file():
        raise CheckpointError(
            f"{folder} is not the folder of a pipeline but of a single network: it has a config.json. If that is a "
            "restorer, `gendeg restore` and AutoRestorer.from_pretrained take it."
        )
    if not (folder / INDEX).is_file():
        raise CheckpointError(
            f"{folder} is not the folder of a pipeline: it has no {INDEX}. `gendeg convert` makes such a folder from "
            "the authors' checkpoint."
        )
    index = _read_json(folder / INDEX)
    if index is None:
        raise CheckpointError(f"{folder / INDEX} is damaged: it holds no JSON object. Copy the folder again.")
    if index.get("_class_name") != PIPELINE:
        raise CheckpointError(
            f"{folder} holds a {index.get('_class_name')}, not a {PIPELINE}. From Stable Diffusion, "
            "GenDegPipeline.from_stable_diffusion makes one that can be trained."
        )
    return index


def _read_json(path: Path) -> dict[str, Any] | None:
    """The JSON object in a file, if it holds one."""
    try:
        content = json.loads(path.read_text(encoding="utf-8"))
    except (OSError, ValueError):
        return None
    return content if isinstance(content, dict) else None


def _find_fault(folder: Path, name: str) -> str | None:
    """What is wrong with the files of a component, if anything is."""
    if not (folder / name).is_dir():
        return f"the folder {name}/ is missing"
    config = _CONFIGS.get(name, "config.json")
    if not (folder / name / config).is_file():
        return f"{name}/{config} is missing"
    if _read_json(folder / name / config) is None:
        return f"{name}/{config} is damaged"
    return None if name in _CONFIGS else _find_fault_of_weights(folder / name)


def _find_fault_of_weights(folder: Path) -> str | None:
    files = sorted(folder.glob("*.safetensors"))
    if not files and not any(folder.glob("*.bin")):
        return f"{folder.name}/ has no weights (*.safetensors)"
    for file in files:
        try:
            with safe_open(file, "pt"):
                pass
        except (SafetensorError, OSError):
            return f"{folder.name}/{file.name} is truncated or damaged"
    return None


def _find_misfit(folder: Path, where: Sequence[str], variant: str | None) -> str | None:
    """How the weights of a component differ from what its configuration says, if they do.

    diffusers leaves missing weights without values, transformers fills them with random ones, and both only log it. So
    they are asked for their report first, on a device where no weights are read.

    Args:
        folder: of the component.
        where: module and name of its class.
        variant: of the weights' files, where the component has it.
    """
    network_class = getattr(importlib.import_module(where[0]), where[1])
    if not issubclass(network_class, nn.Module):
        return None
    has_variant = variant is not None and any(folder.glob(f"*.{variant}*"))
    _, report = network_class.from_pretrained(
        folder,
        output_loading_info=True,
        ignore_mismatched_sizes=True,
        device_map={"": "meta"},
        variant=variant if has_variant else None,
    )
    misfits = describe_misfits(report)
    return f"the weights in {folder.name}/ do not fit its config.json ({misfits})" if misfits else None
