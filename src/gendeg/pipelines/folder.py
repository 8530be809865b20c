"""What is wrong with the folder of a pipeline: what is missing or broken, by name."""

import json
from collections.abc import Container, Mapping
from pathlib import Path
from typing import Any

from safetensors import SafetensorError, safe_open
from torch import nn

from gendeg.errors import CheckpointError

INDEX = "model_index.json"
PIPELINE = "GenDegPipeline"

_REQUIRED = ("vae", "text_encoder", "tokenizer", "unet", "conditioner", "scheduler")
_CONFIGS = {"tokenizer": "tokenizer_config.json", "scheduler": "scheduler_config.json"}  # they have no weights


def check_folder(folder: Path, given: Container[str] = ()) -> None:
    """Refuse a folder that no pipeline can be loaded from.

    Args:
        folder: it exists.
        given: components that are not taken from it.

    Raises:
        CheckpointError: not the folder of a `GenDegPipeline`, or something in it is missing or damaged.
    """
    index = _read_index(folder)
    names = [name for name, where in index.items() if isinstance(where, list) and where and where[0]]
    missing = [f"{INDEX} names no {name}" for name in _REQUIRED if name not in names and name not in given]
    broken = [fault for name in names if name not in given and (fault := _find_fault(folder, name))]
    if missing or broken:
        raise CheckpointError(
            f"The pipeline in {folder} is incomplete or damaged: {'; '.join(missing + broken)}. Copy the folder again, "
            "or write it anew with save_pretrained or `gendeg convert`."
        )


def check_weights(source: object, components: Mapping[str, Any]) -> None:
    """Refuse networks that were loaded without some of their weights, which diffusers then leaves without values.

    Raises:
        CheckpointError: a weight is missing.
    """
    networks = {name: part for name, part in components.items() if isinstance(part, nn.Module)}
    missing = [
        f"{name}/ lacks the weights {key}"
        for name, network in networks.items()
        for key, parameter in network.named_parameters()
        if parameter.is_meta
    ]
    if missing:
        more = f" and {len(missing) - 1} more" if len(missing) > 1 else ""
        raise CheckpointError(f"The pipeline in {source} is incomplete: {missing[0]}{more}. Copy the folder again.")


def _read_index(folder: Path) -> dict[str, Any]:
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
