"""Find the knobs of a simulator at which the rendered images have the requested severity.

1. Keep a sample of the pixels (`Simulator.thin`), so that a rendering costs almost nothing.
2. On the sample, for several values of spread at once, bisect strength until mu is met; mu grows with strength.
3. Take the spread at which sigma is met (or comes closest), by interpolation between its neighbours. Where sigma is
   free, take the spread that was drawn (or the closest at which mu can be met).
4. Render all pixels and measure; what the sample missed is added to what is aimed at, and 2 and 3 are repeated nearby.

A request out of reach ends at the nearest end of a knob's range. mu has precedence over sigma.
"""

from dataclasses import dataclass

import torch
from torch import Tensor

from gendeg.simulators.base import Fields, Simulator

SAMPLE_PIXELS = 1300
BISECTIONS = 11
CORRECTIONS = 2
FIRST_SPREADS, LATER_SPREADS = 7, 3  # how many are tried at once: over [0, 1], then around the spread found
NEIGHBOURHOOD = 0.12
MU_WEIGHT, MU_TOLERANCE = 100.0, 1e-3  # sigma decides among the spreads at which mu is met this well


@dataclass
class Problem:
    """Images to degrade with one simulator, and the images that the severity is measured against."""

    simulator: Simulator
    clean: Tensor
    fields: Fields
    reference: Tensor

    def render(self, strength: Tensor, spread: Tensor) -> Tensor:
        """Degrade at these knobs (B,)."""
        return self.simulator.render(self.clean, self.fields, strength, spread).clamp(0, 1)

    def difference(self, strength: Tensor, spread: Tensor) -> Tensor:
        """The degradation map at these knobs (B,): one row of values for each image."""
        return (self.render(strength, spread) - self.reference).abs().flatten(1)

    def measure(self, strength: Tensor, spread: Tensor) -> tuple[Tensor, Tensor]:
        """The severity mu, sigma at these knobs (B,); by moments, which is quicker than `Tensor.std`."""
        difference = self.difference(strength, spread)
        mu = difference.mean(1)
        return mu, (difference.square().mean(1) - mu**2).clamp_min(0).sqrt()

    def sample(self) -> "Problem":
        """The same on a regular sample of about `SAMPLE_PIXELS` pixels."""
        height, width = self.clean.shape[-2:]
        stride = max(1, int((height * width / SAMPLE_PIXELS) ** 0.5))
        clean, fields = self.simulator.thin(self.clean, self.fields, stride)
        reference, _ = self.simulator.thin(self.reference, {}, stride)
        return Problem(self.simulator, clean, fields, reference)

    def repeat(self, times: int) -> "Problem":
        """Every image `times` times in a row."""
        fields = {key: value.repeat_interleave(times, 0) for key, value in self.fields.items()}
        return Problem(
            self.simulator,
            self.clean.repeat_interleave(times, 0),
            fields,
            self.reference.repeat_interleave(times, 0),
        )


def solve(problem: Problem, mu: Tensor, sigma: Tensor, free_spread: Tensor) -> tuple[Tensor, Tensor]:
    """Find strength and spread for each image.

    Args:
        problem: what to render.
        mu, sigma: the request, (B,); NaN in sigma leaves it free.
        free_spread: the spread preferred where sigma is free, (B,).

    Returns:
        strength and spread, each (B,) in [0, 1].
    """
    sample = problem.sample()
    aim_mu, aim_sigma = mu, sigma
    trials = torch.linspace(0, 1, FIRST_SPREADS, device=mu.device).expand(len(mu), -1)
    spread = free_spread
    for remaining in reversed(range(CORRECTIONS + 1)):
        if problem.simulator.has_spread:
            spread = _find_spread(sample, aim_mu, aim_sigma, free_spread, trials)
        strength = _find_strength(sample, aim_mu, spread)
        if remaining:
            reached_mu, reached_sigma = problem.measure(strength, spread)
            aim_mu, aim_sigma = aim_mu + mu - reached_mu, aim_sigma + sigma - reached_sigma
            around = torch.linspace(-NEIGHBOURHOOD, NEIGHBOURHOOD, LATER_SPREADS, device=mu.device)
            trials = (spread[:, None] + around).clamp(0, 1)
    return strength, spread


def _find_strength(problem: Problem, mu: Tensor, spread: Tensor) -> Tensor:
    """Bisect strength in [0, 1] for mu."""
    low, high = torch.zeros_like(mu), torch.ones_like(mu)
    for _ in range(BISECTIONS):
        middle = (low + high) / 2
        too_weak = problem.difference(middle, spread).mean(1) < mu
        low, high = middle.where(too_weak, low), high.where(too_weak, middle)
    return (low + high) / 2


def _find_spread(problem: Problem, mu: Tensor, sigma: Tensor, free_spread: Tensor, trials: Tensor) -> Tensor:
    """Meet mu at each of the spreads `trials` (B, K), rising; interpolate where sigma or the free spread is met."""
    count = trials.shape[1]
    repeated = problem.repeat(count)
    strength = _find_strength(repeated, mu.repeat_interleave(count), trials.flatten())
    reached_mu, reached_sigma = repeated.measure(strength, trials.flatten())
    excess = (reached_sigma.view(-1, count) - sigma[:, None]).where(
        ~sigma.isnan()[:, None], trials - free_spread[:, None]
    )
    missed_mu = (reached_mu.view(-1, count) - mu[:, None]).abs()
    return _crossing(excess, missed_mu, trials)


def _crossing(excess: Tensor, missed_mu: Tensor, trials: Tensor) -> Tensor:
    """Where `excess` changes sign; without such a place, where it is smallest. Meeting mu comes first. All (B, K)."""
    left, right = excess[:, :-1], excess[:, 1:]
    changes = left * right <= 0
    fraction = (left / (left - right)).where(changes & (left != right), torch.zeros_like(left))
    between = torch.lerp(trials[:, :-1], trials[:, 1:], fraction)
    missed = MU_WEIGHT * (missed_mu - MU_TOLERANCE).clamp_min(0)
    cost_between = torch.where(changes, 0.0, 1.0) + torch.maximum(missed[:, :-1], missed[:, 1:])
    cost_at = excess.abs() + missed
    candidates = torch.cat([between, trials], 1)
    best = torch.cat([cost_between, cost_at], 1).argmin(1, keepdim=True)
    return candidates.gather(1, best)[:, 0]
