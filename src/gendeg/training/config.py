"""Settings of a training run: a dataclass, filled from a YAML file and the command line."""

import sys
from collections.abc import Sequence
from dataclasses import asdict, dataclass, field, fields
from pathlib import Path
from typing import TypeVar

import yaml
from transformers import HfArgumentParser

from gendeg.errors import InputError

C = TypeVar("C", bound="TrainingConfig")


@dataclass
class TrainingConfig:
    """Settings that every recipe has. Each is a command-line option too: `--max-steps 100`."""

    output_dir: str = field(default="runs/training", metadata={"help": "Folder for checkpoints, pictures and the result."})
    seed: int = field(default=0, metadata={"help": "Decides the data, the noise and new weights."})

    photos: list[str] = field(default_factory=list, metadata={"help": "Folders of clean photos, degraded by the simulators."})
    pairs: list[str] = field(default_factory=list, metadata={"help": "Folders of pairs: <degradation>/<set>/{input,target}."})
    datasets: list[str] = field(default_factory=list, metadata={"help": "Data sets of pairs: names on the hub or folders."})
    pair_share: float = field(default=0.1, metadata={"help": "Share of samples from `pairs` where photos are given too."})
    dataset_share: float = field(default=0.5, metadata={"help": "Share of samples from `datasets` where others are given."})
    broad_share: float = field(default=0.25, metadata={"help": "Share of simulated severities with uniform mu up to 0.5."})
    resolution: int = field(default=256, metadata={"help": "Side of the square crops, in pixels."})
    num_workers: int = field(default=0, metadata={"help": "Processes that prepare data, per training process."})

    max_steps: int = field(default=1000, metadata={"help": "Optimiser steps."})
    batch_size: int = field(default=16, metadata={"help": "Pairs per optimiser step, over all processes."})
    gradient_accumulation_steps: int = field(default=1, metadata={"help": "Parts a batch is split into to save memory."})
    learning_rate: float = field(default=1e-4, metadata={"help": "Peak learning rate (AdamW)."})
    lr_schedule: str = field(default="constant", metadata={"help": "constant, constant_with_warmup, linear or cosine."})
    warmup_steps: int = field(default=0, metadata={"help": "Steps over which the learning rate rises from 0."})
    weight_decay: float = field(default=0.01, metadata={"help": "AdamW weight decay."})
    max_grad_norm: float = field(default=1.0, metadata={"help": "Gradients are scaled down to this norm."})
    ema_decay: float = field(default=0.9999, metadata={"help": "Decay of the averaged weights, where a recipe has them."})
    mixed_precision: str = field(default="no", metadata={"help": "no, bf16 or fp16."})

    checkpoint_every: int = field(default=500, metadata={"help": "Steps between checkpoints."})
    keep_checkpoints: int = field(default=2, metadata={"help": "Number of latest checkpoints to keep."})
    resume: bool = field(default=False, metadata={"help": "Go on from the latest checkpoint in `output_dir`."})
    validate_every: int = field(default=500, metadata={"help": "Steps between validations (and one at the end)."})
    log_every: int = field(default=20, metadata={"help": "Steps between log lines."})
    tracker: str | None = field(default=None, metadata={"help": "tensorboard, wandb, ... (what accelerate knows)."})

    push_to_hub: bool = field(default=False, metadata={"help": "Upload the result to the hub at the end."})
    hub_model_id: str | None = field(default=None, metadata={"help": "Repository, e.g. you/gendeg-streets."})

    def save(self, path: Path) -> None:
        """Write all settings as YAML, ready for `--config`."""
        path.write_text(yaml.safe_dump(asdict(self), sort_keys=False))


def parse_config(config_class: type[C], arguments: Sequence[str] | None = None) -> C:
    """Read a recipe's settings: defaults, then `--config file.yaml`, then the other command-line options.

    Args:
        config_class: dataclass of the recipe.
        arguments: command line without program name; default `sys.argv[1:]`.

    Raises:
        InputError: the YAML file is missing or has a setting that the recipe does not know.
    """
    parser = HfArgumentParser(config_class)
    parser.add_argument("--config", help="YAML file with any of these settings.")
    arguments = sys.argv[1:] if arguments is None else list(arguments)
    chosen = parser.parse_known_args(arguments)[0].config
    parser.set_defaults(**_read_settings(config_class, Path(chosen)) if chosen else {})
    config, _ = parser.parse_args_into_dataclasses(arguments)
    return config


def _read_settings(config_class: type[TrainingConfig], path: Path) -> dict[str, object]:
    if not path.is_file():
        raise InputError(f"No settings file at {path}.")
    settings = yaml.safe_load(path.read_text()) or {}
    known = [item.name for item in fields(config_class)]
    unknown = sorted(set(settings) - set(known))
    if unknown:
        raise InputError(f"{path} has unknown settings: {', '.join(unknown)}. Known: {', '.join(known)}.")
    return settings
