import pytest
import torch
from diffusers.optimization import get_scheduler

from gendeg.training.config import TrainingConfig
from gendeg.training.schedule import learning_rate_factor, make_schedule


@pytest.mark.parametrize("name", ["constant", "constant_with_warmup", "linear", "cosine"])
def test_agrees_with_diffusers_bit_for_bit(name: str) -> None:
    config = TrainingConfig(lr_schedule=name, warmup_steps=7, max_steps=43, learning_rate=3e-4)
    rates = []
    for make in (
        lambda optimizer: make_schedule(optimizer, config),
        lambda optimizer: get_scheduler(name, optimizer, num_warmup_steps=7, num_training_steps=43),
    ):
        optimizer = torch.optim.SGD([torch.nn.Parameter(torch.zeros(1))], lr=3e-4)
        schedule = make(optimizer)
        rates.append([])
        for _ in range(50):
            rates[-1].append(optimizer.param_groups[0]["lr"])
            optimizer.step()
            schedule.step()
    assert rates[0] == rates[1]


@pytest.mark.parametrize("name", ["linear", "cosine"])
def test_ends_at_the_final_learning_rate(name: str) -> None:
    config = TrainingConfig(lr_schedule=name, warmup_steps=10, max_steps=100, learning_rate=1e-3)
    config.final_learning_rate = 1e-6
    factors = [learning_rate_factor(config, step) for step in range(101)]
    assert factors[10] == max(factors) == 1
    assert factors[55] == pytest.approx(0.5, abs=0.01)
    assert factors[100] == min(factors[10:]) == pytest.approx(1e-3)
