import pytest
import torch
from torch import nn

from gendeg.training.config import TrainingConfig
from gendeg.training.optimizers import make_optimizer


@pytest.mark.parametrize("name", ["adamw", "muon"])
def test_groups_keep_their_own_learning_rate(name: str) -> None:
    groups = [{"params": [nn.Parameter(torch.zeros(2, 2))]}, {"params": [nn.Parameter(torch.zeros(2))], "lr": 0.5}]
    config = TrainingConfig(optimizer=name, learning_rate=0.1, betas=[0.8, 0.9], weight_decay=0.3)
    first, second = make_optimizer(groups, config).param_groups
    assert (first["lr"], second["lr"]) == (0.1, 0.5)
    for group in (first, second):
        assert (group["betas"], group["weight_decay"]) == ((0.8, 0.9), 0.3)


def test_a_step_of_muon_moves_all_directions_of_a_matrix_equally() -> None:
    weight = nn.Parameter(torch.zeros(4, 4))
    optimizer = make_optimizer([{"params": [weight]}], TrainingConfig(optimizer="muon", learning_rate=1.0))
    weight.grad = torch.diag(torch.tensor([8.0, 4.0, 2.0, 1.0]))
    optimizer.step()
    moved = torch.linalg.svdvals(weight.detach())
    assert moved.max() < 2 * moved.min()


@pytest.mark.parametrize("name", ["adamw", "muon"])
def test_steps_are_about_as_long_as_the_learning_rate(name: str) -> None:
    weight = nn.Parameter(torch.zeros(32, 16, 3, 3))
    config = TrainingConfig(optimizer=name, learning_rate=0.01)
    optimizer = make_optimizer([{"params": [weight]}], config)
    weight.grad = torch.randn(weight.shape, generator=torch.Generator().manual_seed(0))
    optimizer.step()
    assert 0.1 < weight.detach().square().mean().sqrt().item() / config.learning_rate < 2
