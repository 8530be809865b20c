"""The course of the learning rate."""

import math

from torch.optim import Optimizer
from torch.optim.lr_scheduler import LambdaLR

from gendeg.training.config import TrainingConfig


def make_schedule(optimizer: Optimizer, config: TrainingConfig) -> LambdaLR:
    """A scheduler that multiplies each group's learning rate by `learning_rate_factor`."""
    return LambdaLR(optimizer, lambda step: learning_rate_factor(config, step))


def learning_rate_factor(config: TrainingConfig, step: int) -> float:
    """Learning rate after `step` optimiser steps, relative to its peak.

    `constant` is always 1. The others rise linearly over `warmup_steps`; then `linear` and `cosine` (half a period,
    arXiv 1608.03983) fall until `max_steps` to `final_learning_rate`.
    """
    if config.lr_schedule == "constant":
        return 1.0
    if step < config.warmup_steps:
        return step / config.warmup_steps
    if config.lr_schedule == "constant_with_warmup":
        return 1.0
    span = max(1, config.max_steps - config.warmup_steps)
    remaining = max(0.0, (config.max_steps - step) / span)
    if config.lr_schedule == "cosine":
        remaining = max(0.0, 0.5 * (1 + math.cos(math.pi * ((step - config.warmup_steps) / span))))
    final = config.final_learning_rate / config.learning_rate
    return final + (1 - final) * remaining
