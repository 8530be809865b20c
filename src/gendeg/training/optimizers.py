"""The optimisers that `TrainingConfig.optimizer` names."""

from typing import Any

import torch
from timm.optim import Muon

from gendeg.training.config import TrainingConfig


def make_optimizer(groups: list[dict[str, Any]], config: TrainingConfig) -> torch.optim.Optimizer:
    """AdamW (arXiv 1711.05101); or Muon (arXiv 2502.16982), which orthogonalises the steps of matrices and kernels.

    With Muon, vectors such as biases take the steps of AdamW with Nesterov momentum. Steps of both are about as long,
    so learning rates carry over.

    Args:
        groups: parameters, and the settings that are not those of `config`.
        config: see `TrainingConfig`.
    """
    betas = (config.betas[0], config.betas[1])
    if config.optimizer == "muon":
        return Muon(groups, config.learning_rate, config.weight_decay, nesterov=True, betas=betas)
    return torch.optim.AdamW(groups, config.learning_rate, betas, weight_decay=config.weight_decay, fused=True)
