"""Settings of a training run: a dataclass, filled from a YAML file and the command line."""

import math
import sys
from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass, field, fields
from pathlib import Path
from typing import Any, ClassVar, Literal, NoReturn, TypeVar

import yaml
from transformers import HfArgumentParser

from gendeg.degradations import Degradation
from gendeg.errors import InputError
from gendeg.files import whole_file

C = TypeVar("C", bound="TrainingConfig")

Limits = tuple[float, float]

SHARE: Limits = (0, 1)
COUNT: Limits = (1, math.inf)
NOT_NEGATIVE: Limits = (0, math.inf)
LARGEST_SEED = 2**32 - 1  # that NumPy takes for its global state

_NO_PART_OF_RESULT = {
    "output_dir", "resume", "num_workers", "checkpoint_every", "keep_checkpoints", "log_every", "tracker",
    "push_to_hub", "hub_model_id",
}  # fmt: skip


def option(default: Any, description: str) -> Any:
    """A dataclass field with a default and a line for `--help`."""
    if isinstance(default, list):
        return field(default_factory=default.copy, metadata={"help": description})
    return field(default=default, metadata={"help": description})


@dataclass
class TrainingConfig:
    """Settings that every recipe has. Each is a command-line option too: `--max-steps 100`."""

    limits: ClassVar[dict[str, Limits]] = {
        "seed": (0, LARGEST_SEED),
        "data_share": SHARE,
        "broad_share": SHARE,
        "dark_share": SHARE,
        "resolution": COUNT,
        "canvas": NOT_NEGATIVE,
        "crops_per_pair": COUNT,
        "num_workers": NOT_NEGATIVE,
        "max_steps": COUNT,
        "batch_size": COUNT,
        "gradient_accumulation_steps": COUNT,
        "learning_rate": NOT_NEGATIVE,
        "warmup_steps": NOT_NEGATIVE,
        "weight_decay": NOT_NEGATIVE,
        "max_grad_norm": (1e-12, math.inf),
        "ema_decay": SHARE,
        "checkpoint_every": COUNT,
        "keep_checkpoints": COUNT,
        "validate_every": COUNT,
        "validation_count": COUNT,
        "log_every": COUNT,
    }

    output_dir: str = option("runs/training", "Folder for checkpoints, validation pictures and the result.")
    seed: int = option(0, "Decides the data, the noise and new weights.")

    photos: list[str] = option([], "Folders of clean photos, degraded by the simulators.")
    data: list[str] = option(
        [],
        "Pairs, of any of these kinds: data sets such as GenDS (folder or hub name); folders "
        "<degradation>/<set>/{input,target}; indices pairs.parquet of gendeg prepare.",
    )
    data_share: float = option(0.5, "Share of samples that come from `data`, where there are photos too.")
    data_weights: list[float] = option([], "How often each entry of `data` is drawn; equally often by default.")
    balanced: bool = option(False, "Whether each entry of `data` shows its degradations equally often.")
    degradations: list[str] = option(
        [name.value for name in Degradation],
        "What is simulated on photos; name one twice to see more, raindrop/drops for one model, without mixtures.",
    )
    broad_share: float = option(0.25, "Share of simulated severities with mu uniform up to 0.5, beyond the prior.")
    dark_share: float = option(0.0, "Share of photos that are darkened before they are degraded: few are dark.")
    resolution: int = option(256, "Side of the square crops, in pixels.")
    canvas: int = option(0, "Largest side at which pairs are degraded before they are cropped; 0 is the resolution.")
    crops_per_pair: int = option(1, "Crops from one canvas: simulating costs more than cropping.")
    num_workers: int = option(0, "Processes that prepare data, per training process.")

    max_steps: int = option(1000, "Optimiser steps.")
    batch_size: int = option(16, "Pairs per optimiser step, over all processes.")
    gradient_accumulation_steps: int = option(1, "Parts that a batch is split into to save memory.")
    optimizer: Literal["adamw", "muon"] = option("adamw", "Muon learns more in a step, which takes longer.")
    learning_rate: float = option(1e-4, "Peak learning rate.")
    final_learning_rate: float = option(0.0, "Where the schedules linear and cosine end.")
    lr_schedule: Literal["constant", "constant_with_warmup", "linear", "cosine"] = option("constant", "Its course.")
    warmup_steps: int = option(0, "Steps over which the learning rate rises from 0.")
    betas: list[float] = option([0.9, 0.999], "Decay of AdamW's two running means; Muon's own, of matrices, is 0.95.")
    weight_decay: float = option(0.01, "Weights shrink by this times the learning rate in a step.")
    max_grad_norm: float = option(1.0, "Larger gradients are scaled down to this norm.")
    ema_decay: float = option(0.9999, "Decay of the averaged weights, where a recipe has them.")
    mixed_precision: Literal["no", "bf16", "fp16"] = option("no", "Precision of the forward pass.")

    checkpoint_every: int = option(500, "Steps between checkpoints.")
    keep_checkpoints: int = option(2, "Number of latest checkpoints to keep.")
    resume: bool = option(False, "Go on from the latest checkpoint in `output_dir`.")
    validate_every: int = option(500, "Steps between validations; there is one at the end too.")
    validation_count: int = option(48, "Held-out pairs to validate on.")
    log_every: int = option(20, "Steps between log lines.")
    tracker: str | None = option(None, "Where numbers are logged: tensorboard, wandb, ... (what accelerate knows).")

    push_to_hub: bool = option(False, "Upload the result to the hub at the end.")
    hub_model_id: str | None = option(None, "Its repository there, e.g. you/gendeg-streets.")

    @property
    def canvas_side(self) -> int:
        """Largest side of the canvas, in pixels.

        Raises:
            InputError: the canvas is smaller than the crops.
        """
        if self.canvas and self.canvas < self.resolution:
            raise InputError(
                f"canvas={self.canvas} is smaller than resolution={self.resolution}, the crops cut out of it; give a "
                "larger one, or 0 to degrade the crops themselves."
            )
        return self.canvas or self.resolution

    def check_limits(self) -> None:
        """Refuse numbers out of their range.

        Raises:
            InputError: one is.
        """
        for name, (least, most) in self.limits.items():
            value = getattr(self, name)
            if value is not None and not (least <= value <= most and math.isfinite(value)):
                upwards = "upwards" if most == math.inf else f"to {most}"
                raise InputError(f"{name}={value} is out of range; give a number from {least} {upwards}.")

    def changes_since(self, former: Mapping[str, Any]) -> list[str]:
        """What may decide the result and differs from the settings of an earlier start: `["max_steps 8 -> 16"]`."""
        settings = {name: value for name, value in asdict(self).items() if name not in _NO_PART_OF_RESULT}
        changed = [name for name, value in settings.items() if former.get(name, value) != value]
        return [f"{name} {former[name]} -> {settings[name]}" for name in changed]

    def save(self, path: Path) -> None:
        """Write all settings as YAML, ready for `--config`."""
        with whole_file(path) as temporary:
            temporary.write_text(yaml.safe_dump(asdict(self), sort_keys=False), encoding="utf-8")


def parse_config(config_class: type[C], arguments: Sequence[str] | None = None) -> C:
    """Read a recipe's settings: defaults, then `--config file.yaml`, then the other command-line options.

    Args:
        config_class: dataclass of the recipe.
        arguments: command line without program name; default `sys.argv[1:]`.

    Raises:
        InputError: the YAML file is missing or broken; or a setting, there or on the command line, is unknown, of the
            wrong type, none of the choices, or out of range.
    """
    parser = _Parser(config_class)
    parser.add_argument("--config", help="YAML file with any of these settings.")
    arguments = sys.argv[1:] if arguments is None else list(arguments)
    chosen = parser.parse_known_args(arguments)[0].config
    if chosen:
        parser.set_defaults(**_checked_settings(parser, config_class, Path(chosen)))
    config, _, unknown = parser.parse_args_into_dataclasses(arguments, return_remaining_strings=True)
    if unknown:
        raise InputError(f"Unknown options: {' '.join(unknown)}. --help lists the known ones.")
    config.check_limits()
    return config


class _Parser(HfArgumentParser):
    """Raises what others write to stderr."""

    def error(self, message: str) -> NoReturn:
        raise InputError(f"{message[:1].upper()}{message[1:]}. See --help.")


def _checked_settings(parser: _Parser, config_class: type[TrainingConfig], path: Path) -> dict[str, Any]:
    """The settings in a YAML file, as the parser reads them on a command line."""
    settings = read_settings(config_class, path)
    defaults = asdict(config_class())
    given = {name: value for name, value in settings.items() if value != defaults[name]}
    words = []
    for name, value in given.items():
        if value is None:
            raise InputError(f"{path}: {name} has no value.")
        words += [f"--{name}", *map(str, value)] if isinstance(value, list) else [f"--{name}={value}"]
    try:
        parsed = parser.parse_args(words)
    except InputError as error:
        raise InputError(f"{path}: {error}") from error
    return settings | {name: getattr(parsed, name) for name in given}


def read_settings(config_class: type[TrainingConfig], path: Path) -> dict[str, Any]:
    """The settings in a YAML file.

    Raises:
        InputError: the file is missing or broken, or has a setting that the recipe does not know.
    """
    if not path.is_file():
        raise InputError(f"No settings file at {path}.")
    try:
        settings = yaml.safe_load(path.read_text(encoding="utf-8")) or {}
    except (UnicodeDecodeError, yaml.YAMLError) as error:
        raise InputError(f"{path} is not YAML: {error}") from error
    if not isinstance(settings, dict):
        raise InputError(f"{path} holds no settings; give lines such as `max_steps: 1000`.")
    known = [item.name for item in fields(config_class)]
    unknown = sorted(set(settings) - set(known))
    if unknown:
        known_names = ", ".join(known)
        raise InputError(f"{path} has unknown settings: {', '.join(unknown)}. Known: {known_names}.")
    lists = [name for name, value in asdict(config_class()).items() if isinstance(value, list)]
    for name, value in settings.items():
        if name in lists and not isinstance(value, list):
            raise InputError(f"{path}: {name} is a list; write `{name}: [{value}]`.")
        if name not in lists and isinstance(value, (list, dict)):
            raise InputError(f"{path}: {name} is one value; got {value}.")
    return settings
