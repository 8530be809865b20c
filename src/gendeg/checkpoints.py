"""Checkpoints: the packaged ones by name, and safe reading of foreign files."""

import os
import pickle
import re
import struct
import warnings
from collections import OrderedDict
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Any, TypeVar

import torch
from safetensors import SafetensorError
from safetensors.torch import load_file
from torch import Tensor, nn

from gendeg.arguments import check_path
from gendeg.errors import CheckpointError, first_line

HUB_NAME = re.compile(r"\w[\w.-]*/[\w.-]+")  # owner/name on the Hugging Face hub

Model = TypeVar("Model", bound=nn.Module)

_FOLDER = Path(__file__).parent / "resources" / "checkpoints"
# Lightning before 1.5 stores the states of callbacks beside the weights, under the callback's class.
_LIGHTNING_CLASS = "pytorch_lightning.callbacks.model_checkpoint.ModelCheckpoint"
# Swin and SimMIM store their configuration, a mapping, beside the weights.
_YACS_CLASS = "yacs.config.CfgNode"
_WRAPPERS = ("state_dict", "params_ema", "params", "model")  # where Lightning, BasicSR and Swin keep the weights


class _Inert:
    """Stands in for a class that a checkpoint names, so that the class need not be imported, nor trusted."""


def describe_source(source: str | os.PathLike[str]) -> str:
    """The name for a message; where nothing here has it, it was looked up on the hub, perhaps by mistake."""
    return str(source) if os.path.exists(source) else f"{source} (no folder here, so looked up on the hub)"


def packaged_checkpoints() -> list[str]:
    """Names of the checkpoints that come with this installation."""
    if not _FOLDER.is_dir():  # a source tree without trained weights
        return []
    return sorted(path.name for path in _FOLDER.iterdir() if path.is_dir() and not path.name.startswith("_"))


def checkpoint(name: str) -> Path:
    """Folder of a packaged checkpoint, to be given to `from_pretrained`. No network is used.

    Args:
        name: e.g. `"gendeg-tiny"`.

    Raises:
        CheckpointError: no packaged checkpoint has this name.
    """
    names = packaged_checkpoints()
    if name not in names:
        raise CheckpointError(
            f"No packaged checkpoint {name!r}. Packaged: {', '.join(names) or 'none'}. If a folder or file was meant, "
            "there is none of this name."
        )
    return _FOLDER / name


def read_state_dict(path: str | os.PathLike[str]) -> dict[str, Tensor]:
    """Read the tensors of a foreign checkpoint: safetensors, or a pickle that holds nothing but plain data.

    Args:
        path: `.safetensors`, or what `torch.save` wrote (`.ckpt`, `.pth`, `.pt`, `.bin`). Wrappers such as
            `{"state_dict": ...}`, `{"params": ...}` are opened.

    Raises:
        InputError: not a file's name at all.
        CheckpointError: no such file, not a checkpoint, truncated, without tensors or with sparse ones, TorchScript, or
            a pickle that carries code.
    """
    check_path("path", path)
    path = Path(path)
    if not os.path.isfile(path):  # unlike that of pathlib, it takes names of any length
        raise CheckpointError(f"No checkpoint file at {path}.")
    try:
        if path.suffix.lower() == ".safetensors":
            return load_file(path)
        content = _unpickle(path)
    except pickle.UnpicklingError as error:
        raise CheckpointError(
            f"{path} is refused: it is not a checkpoint, or its pickle holds more than tensors and plain data and "
            "could run code when loaded. Ask its author for a safetensors file."
        ) from error
    except (SafetensorError, RuntimeError, EOFError, OSError, ValueError) as error:
        if "TorchScript" in str(error):  # torch would have the caller run its code
            raise CheckpointError(
                f"{path} is a TorchScript program, not a checkpoint; give the file of the network's weights."
            ) from error
        reason = first_line(error)
        raise CheckpointError(f"{path} cannot be read as a checkpoint; is it complete? ({reason})") from error
    for wrapper in _WRAPPERS:
        inner = content.get(wrapper) if isinstance(content, dict) else None
        if inner and isinstance(inner, dict):
            content = inner
    entries = content.items() if isinstance(content, dict) else ()
    tensors = {name: value for name, value in entries if isinstance(name, str) and isinstance(value, Tensor)}
    if not tensors:
        raise CheckpointError(f"{path} holds no named tensors, so it is not a model checkpoint.")
    sparse = [name for name, tensor in tensors.items() if tensor.layout != torch.strided]
    if sparse:
        raise CheckpointError(f"{path} holds sparse tensors ({_first(sparse)}); networks here take dense ones.")
    return tensors


def _unpickle(path: Path) -> Any:
    with torch.serialization.safe_globals([(_Inert, _LIGHTNING_CLASS), (OrderedDict, _YACS_CLASS)]):
        try:
            with warnings.catch_warnings():  # of TorchScript, which torch refuses
                warnings.filterwarnings("ignore", "'torch.load' received a zip file", UserWarning)
                return torch.load(path, map_location="cpu", weights_only=True)
        # Text and damaged files are read as if they were a pickle's commands, with an error of any of these kinds.
        except (LookupError, AssertionError, AttributeError, TypeError, struct.error) as error:
            raise pickle.UnpicklingError(str(error)) from error


def read_network(path: str | os.PathLike[str], first: str, network: str) -> dict[str, Tensor]:
    """Weights of a network inside a foreign checkpoint, under its own names without prefix.

    Args:
        path: see `read_state_dict`.
        first: a name that such a network always has; what stands before it in the file is the prefix.
        network: what the network is called in messages.

    Raises:
        InputError: not the name of a file at all.
        CheckpointError: unreadable, unsafe, without such a network, or with several.
    """
    tensors = read_state_dict(path)
    prefixes = [name.removesuffix(first) for name in tensors if name == first or name.endswith(f".{first}")]
    if len(prefixes) != 1:
        found = f"several ({', '.join(prefixes)})" if prefixes else f"no {first!r}"
        raise CheckpointError(
            f"{path} is not the checkpoint of one {network}: it holds {found}. Its names begin with "
            f"{', '.join(sorted(tensors)[:3])}. Give the file of the {network} alone."
        )
    prefix = prefixes[0]
    return {name.removeprefix(prefix): tensor for name, tensor in tensors.items() if name.startswith(prefix)}


def model_from_checkpoint(
    model_class: type[Model],
    path: str | os.PathLike[str],
    first: str,
    deduce_sizes: Callable[[Mapping[str, Tensor]], dict[str, Any]],
    **options: Any,
) -> Model:
    """Build the model that a foreign checkpoint belongs to, in evaluation mode.

    Args:
        model_class: called with the deduced sizes and the options.
        path: see `read_state_dict`.
        first: a name that the checkpoint of such a model always has, see `read_network`.
        deduce_sizes: the model's arguments, from its weights; may fail on other weights, with a `KeyError`, or a
            `ValueError` that says why.
        options: arguments of the model that weights do not tell.

    Raises:
        InputError: not the name of a file at all.
        CheckpointError: unreadable, unsafe, or of another model.
    """
    weights = read_network(path, first, model_class.__name__)
    try:
        model = model_class(**deduce_sizes(weights), **options)
    except (KeyError, IndexError, ValueError) as error:
        raise CheckpointError(
            f"{path} is not the checkpoint of a {model_class.__name__}: its sizes cannot be deduced ({error})."
        ) from error
    load_weights(model, weights, path)
    return model.eval()


def count_entries(weights: Mapping[str, Tensor], prefix: str) -> int:
    """Number of different entries right after a prefix, e.g. of blocks after `"encoder."`."""
    return len({name.removeprefix(prefix).split(".")[0] for name in weights if name.startswith(prefix)})


def load_weights(model: nn.Module, weights: Mapping[str, Tensor], source: str | os.PathLike[str]) -> None:
    """Copy weights into a model; names and shapes must be exactly the model's.

    Args:
        model: receives the weights, keeping its own dtype and device.
        weights: tensors by parameter name.
        source: where they come from, for the message.

    Raises:
        CheckpointError: names are missing, unknown, or of another shape. The model is unchanged then.
    """
    expected = model.state_dict()
    report = {
        "missing_keys": [name for name in expected if name not in weights],
        "unexpected_keys": [name for name in weights if name not in expected],
        "mismatched_keys": [
            (name, weights[name].shape, tensor.shape)
            for name, tensor in expected.items()
            if name in weights and weights[name].shape != tensor.shape
        ],
    }
    found = describe_misfits(report)
    if found:
        raise CheckpointError(
            f"{source} does not fit {type(model).__name__}: {found}. Check that it is the checkpoint (and the "
            "configuration) of this model."
        )
    model.load_state_dict(weights)


def describe_misfits(report: Mapping[str, Any]) -> str:
    """What is wrong with the weights of a network, by name; empty where they are exactly the network's.

    Args:
        report: what the `from_pretrained` of diffusers and transformers returns as loading info: names under
            `missing_keys` and `unexpected_keys`, (name, shape, the network's shape) under `mismatched_keys`. Both
            libraries load such weights, or what is there of them, and only log it.
    """
    problems = {
        "missing": sorted(report["missing_keys"]),
        "unknown": sorted(report["unexpected_keys"]),
        "of another shape": [
            f"{name} {tuple(given)} instead of {tuple(expected)}"
            for name, given, expected in sorted(report["mismatched_keys"])
        ],
    }
    return "; ".join(f"{len(names)} {what}: {_first(names)}" for what, names in problems.items() if names)


def _first(names: list[str], limit: int = 3) -> str:
    return ", ".join(names[:limit]) + (", ..." if len(names) > limit else "")
