"""What a training recipe tells the loop."""

from abc import ABC, abstractmethod
from pathlib import Path
from typing import Any, Generic, TypeVar

import torch
from torch import Tensor, nn

from gendeg.training.config import TrainingConfig

Batch = dict[str, Any]
Items = list[dict[str, Any]]
C = TypeVar("C", bound=TrainingConfig)


class Recipe(nn.Module, ABC, Generic[C]):
    """A module whose parameters are trained and whose forward pass is the loss.

    Submodules are what is trained, and what checkpoints hold. Frozen networks are kept out of them, e.g. inside a
    pipeline object. `title` heads the model card, `tags` are its tags on the hub.
    """

    title = "A network trained with gendeg"
    tags: tuple[str, ...] = ("image-degradation", "diffusion")

    def __init__(self, config: C):
        super().__init__()
        self.config = config

    @abstractmethod
    def forward(self, batch: Batch) -> Tensor:
        """Loss (a scalar) of a batch of training pairs."""

    def prepare(self, device: torch.device) -> None:
        """Get ready for the training device, where submodules already are: move the networks that are not."""

    def parameter_groups(self) -> list[dict[str, Any]]:
        """Parameters for the optimiser, with a learning rate (`"lr"`) where it is not the configured one."""
        return [{"params": [parameter for parameter in self.parameters() if parameter.requires_grad]}]

    def averaged(self) -> nn.Module | None:
        """The module whose weights are averaged over time (EMA); None for no average."""
        return None

    @abstractmethod
    def evaluate(self, items: Items) -> list[Any]:
        """Run the networks on held-out items, and return a result for each, on the CPU.

        Processes share the items, so a result must not depend on the items beside it.
        """

    @abstractmethod
    def report(self, items: Items, results: list[Any], folder: Path, step: int) -> dict[str, float]:
        """Write pictures for this step to `folder`, and return numbers, from all held-out items and their results.

        A number called `measure/group` stands in the model card's table, in the row of its group.
        """

    def validate(self, items: Items, folder: Path, step: int) -> dict[str, float]:
        """`evaluate` and `report` in one process."""
        return self.report(items, self.evaluate(items), folder, step)

    def score(self, numbers: dict[str, float]) -> float | None:
        """How good a validation's numbers are (higher is better): the best result is kept. None keeps the last only."""
        return None

    @abstractmethod
    def save(self, folder: Path, items: Items) -> None:
        """Write the trained result, ready for `from_pretrained`; `items` are the held-out ones."""
