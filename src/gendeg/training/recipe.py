"""What a training recipe tells the loop."""

from pathlib import Path
from typing import Any, Generic, TypeVar

import torch
from torch import Tensor, nn

from gendeg.training.config import TrainingConfig

Batch = dict[str, Any]
C = TypeVar("C", bound=TrainingConfig)


class Recipe(nn.Module, Generic[C]):
    """A module whose parameters are trained and whose forward pass is the loss.

    Submodules are what is trained, and what checkpoints hold. Frozen networks are kept out of them, e.g. inside a
    pipeline object.
    """

    def __init__(self, config: C):
        super().__init__()
        self.config = config

    def forward(self, batch: Batch) -> Tensor:
        """Loss (a scalar) of a batch of `TrainingPairs`."""
        raise NotImplementedError

    def move_frozen(self, device: torch.device) -> None:
        """Move networks that are not submodules to the training device."""

    def parameter_groups(self) -> list[dict[str, Any]]:
        """Parameters for the optimiser, with a learning rate (`"lr"`) where it is not the configured one."""
        return [{"params": [parameter for parameter in self.parameters() if parameter.requires_grad]}]

    def averaged(self) -> nn.Module | None:
        """The module whose weights are averaged over time (EMA); None for no average."""
        return None

    def validate(self, folder: Path, step: int) -> dict[str, float]:
        """Write pictures for this step to `folder` and return numbers to log."""
        return {}

    def save(self, folder: Path) -> None:
        """Write the trained result, ready for `from_pretrained`, with a model card."""
        raise NotImplementedError
