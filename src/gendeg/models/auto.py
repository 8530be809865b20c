"""AutoRestorer: the right class for a restorer's folder, hub name, foreign file, or configuration."""

import importlib
import os
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import torch
from diffusers import ConfigMixin
from safetensors import SafetensorError

from gendeg.arguments import check_path
from gendeg.checkpoints import HUB_NAME, describe_misfits, describe_source, packaged_checkpoints, read_state_dict
from gendeg.errors import CheckpointError, InputError, first_line
from gendeg.models.restorer import COLOURS, Restorer
from gendeg.models.sizes import create_restorer

CONFIG = "config.json"
PIPELINE_CONFIG = "model_index.json"

_MODULES = {
    "NAFNet": "gendeg.models.nafnet",
    "PromptIR": "gendeg.models.promptir",
    "SwinRestorer": "gendeg.models.swin",
}
# Endings of names that all weights of an architecture have and those of others have not.
_LAYOUTS = {
    "NAFNet": ("intro.weight", "sca.1.weight"),
    "PromptIR": ("patch_embed.proj.weight", "encoder_level1.0.attn.qkv.weight"),  # Restormer too
}

_registered: dict[str, type[Restorer]] = {}


class AutoRestorer:
    """Makes restorers; has no instances of its own.

    Example: `AutoRestorer.from_pretrained(gendeg.checkpoint("nafnet-tiny")).restore(photo)`.
    """

    @classmethod
    def from_pretrained(cls, source: str | os.PathLike[str], **kwargs: Any) -> Restorer:
        """Load a restorer, in evaluation mode.

        Args:
            source: a folder that `save_pretrained` wrote, a name on the hub (`owner/name`), or a foreign checkpoint
                file, which goes to `from_original_checkpoint`.
            kwargs: of the `from_pretrained` of the restorer's class, e.g. `dtype` (or its name, `"float16"`),
                `revision`, `tlc_window`; for a file, of its `from_original_checkpoint`.

        Raises:
            InputError: not the name of a folder, file or repository at all; no `dtype`; `output_loading_info`.
            CheckpointError: nothing there, broken, unsafe, of an unknown class, or not from 3 to 3 channels.
            MissingExtraError: a third party's file, and the extra that reads it is not installed.
        """
        check_path("source", source)
        kwargs = _read_arguments(kwargs)
        if os.path.isfile(source):  # unlike those of pathlib, these take names of any length
            return cls.from_original_checkpoint(source, **kwargs)
        if os.path.isdir(source):
            _check_folder(Path(source))
        elif not HUB_NAME.fullmatch(str(source)):
            packaged = ", ".join(packaged_checkpoints()) or "none"
            raise CheckpointError(
                f"No restorer at {source}: give a folder, a checkpoint file, or a name on the hub (owner/name). For "
                f"the packaged ones ({packaged}) give gendeg.checkpoint(name); AutoRestorer.from_config makes new ones."
            )
        try:
            restorer_class = _find_class(ConfigReader.load_config(source, **kwargs), source)
            restorer, report = restorer_class.from_pretrained(source, output_loading_info=True, **kwargs)
        except (OSError, ValueError, KeyError, TypeError, RuntimeError, SafetensorError) as error:
            message = f"Cannot load a restorer from {describe_source(source)}: {first_line(error)}"
            raise CheckpointError(message) from error
        misfits = describe_misfits(report)
        if misfits:
            raise CheckpointError(f"The weights in {source} do not fit its {CONFIG}: {misfits}.")
        return _check_channels(restorer, source).eval()

    @classmethod
    def from_config(cls, config: str | Mapping[str, Any]) -> Restorer:
        """A fresh restorer with random weights.

        Args:
            config: a name such as `"nafnet-width32"` (see `gendeg.models.sizes`), or the content of a `config.json`.

        Raises:
            InputError: unknown name, neither a name nor a mapping, or sizes that the class refuses.
            CheckpointError: unknown class, or not from 3 to 3 channels.
        """
        if not isinstance(config, (str, Mapping)):
            raise InputError(f"config={config!r}; give the name of a restorer, or the content of a config.json.")
        if isinstance(config, str):
            return create_restorer(config)
        source = "This configuration"
        return _check_channels(_find_class(config, source).from_config(dict(config)), source)

    @classmethod
    def from_original_checkpoint(cls, path: str | os.PathLike[str], **kwargs: Any) -> Restorer:
        """Load the checkpoint file of another program: the architecture is recognised by the names of its weights.

        NAFNet and PromptIR (and Restormer, which is a PromptIR without prompts) become gendeg's own; for other networks
        see `gendeg.models.third_party`.

        Args:
            path: `.pth`, `.ckpt`, `.pt`, `.bin`, `.safetensors`.
            kwargs: of the class's `from_original_checkpoint`.

        Raises:
            InputError: not the name of a file at all.
            CheckpointError: unreadable, unsafe, of no known architecture, or not from 3 to 3 channels.
            MissingExtraError: a third party's network, and the extra that reads it is not installed.
        """
        name = recognise(list(read_state_dict(path)))
        if name is not None:
            return _check_channels(_known_class(name).from_original_checkpoint(path, **kwargs), path)
        from gendeg.models.third_party import ThirdPartyRestorer

        return ThirdPartyRestorer.from_original_checkpoint(path, **kwargs)

    @classmethod
    def register(cls, restorer_class: type[Restorer]) -> type[Restorer]:
        """Make a class of your own known by its name; may decorate the class.

        Raises:
            InputError: not a subclass of `Restorer` and `diffusers.ConfigMixin`, or a name that is taken.
        """
        is_restorer = isinstance(restorer_class, type) and issubclass(restorer_class, Restorer)
        if not is_restorer or not issubclass(restorer_class, ConfigMixin):
            raise InputError(f"{restorer_class!r} must be a subclass of Restorer and diffusers.ConfigMixin.")
        name = restorer_class.__name__
        if name in _MODULES or _registered.get(name, restorer_class) is not restorer_class:
            raise InputError(f"There is a restorer {name} already; choose another name.")
        _registered[name] = restorer_class
        return restorer_class


class ConfigReader(ConfigMixin):
    """Reads a `config.json` from a folder or the hub before the class it belongs to is known."""

    config_name = CONFIG


def known_restorers() -> list[str]:
    """Names of the classes that `AutoRestorer` knows."""
    return sorted([*_MODULES, *_registered])


def recognise(names: list[str]) -> str | None:
    """Class of the restorer whose checkpoint has weights of these names; None for none of ours."""
    for restorer, endings in _LAYOUTS.items():
        if all(any(name == ending or name.endswith(f".{ending}") for name in names) for ending in endings):
            return restorer
    return None


def _read_arguments(kwargs: Mapping[str, Any]) -> dict[str, Any]:
    """Arguments for diffusers, which would take float32, and only log it, where `dtype` is a name."""
    if "output_loading_info" in kwargs:
        raise InputError("output_loading_info is not taken: weights that do not fit are always an error here.")
    dtypes = {key: _read_dtype(key, kwargs[key]) for key in ("torch_dtype", "dtype") if kwargs.get(key) is not None}
    return {**kwargs, **dtypes}


def _read_dtype(name: str, value: Any) -> torch.dtype:
    dtype = getattr(torch, value, None) if isinstance(value, str) else value
    if not isinstance(dtype, torch.dtype):
        raise InputError(f"{name}={value!r} is no dtype of torch; give e.g. torch.bfloat16 or 'bfloat16'.")
    return dtype


def _check_folder(folder: Path) -> None:
    if (folder / PIPELINE_CONFIG).is_file():
        raise CheckpointError(
            f"{folder} is not the folder of a restorer but of a generator, a pipeline: it has a {PIPELINE_CONFIG}. "
            "`gendeg degrade` and GenDegPipeline.from_pretrained take it."
        )
    if not (folder / CONFIG).is_file():
        raise CheckpointError(
            f"{folder} is not the folder of a restorer: it has no {CONFIG}. `gendeg convert` makes one from the "
            "authors' files."
        )


def _check_channels(restorer: Restorer, source: object) -> Restorer:
    """The restorer, if it is one of colour images."""
    channels = restorer.image_channels
    if channels != COLOURS:
        raise CheckpointError(
            f"{source} is a {type(restorer).__name__} from {channels} to {channels} channels; restorers go from "
            f"{COLOURS} to {COLOURS} channels, and take grey images as three equal ones."
        )
    return restorer


def _find_class(config: Any, source: object) -> type[Any]:
    if not isinstance(config, Mapping):
        raise CheckpointError(f"{source} describes no restorer: its {CONFIG} holds no JSON object.")
    name = config.get("_class_name")
    if name not in known_restorers():
        raise CheckpointError(
            f"{source} describes {f'a {name}' if name else 'no class'}, which is not a known restorer. Known: "
            f"{', '.join(known_restorers())}; AutoRestorer.register adds your own."
        )
    return _known_class(name)


def _known_class(name: str) -> type[Any]:
    if name in _registered:
        return _registered[name]
    return getattr(importlib.import_module(_MODULES[name]), name)
