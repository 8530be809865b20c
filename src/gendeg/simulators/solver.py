"""Find the knobs of a simulator at which the rendered images have the requested severity.

1. Keep a sample of the pixels (`Simulator.thin`), so that a rendering costs almost nothing.
2. On the sample, for several values of spread at once, bisect strength until mu is met; mu grows with strength.
3. Take the spread at which sigma is met (or comes closest), by interpolation between its neighbours.
4. Render at full resolution, measure, and take Newton steps whose slopes are measured on the sample.

A request out of reach ends at the nearest end of a knob's range. mu has precedence over sigma.
"""

from dataclasses import dataclass

import torch
from torch import Tensor

from gendeg.severity import tensor_severity
from gendeg.simulators.base import Fields, Simulator

SAMPLE_PIXELS = 1300
SPREADS = 7
BISECTIONS = 9
NEWTON_STEPS = 2
PROBE = 0.01  # half the knob difference over which slopes are measured
MAX_STEP = 0.1  # the sample is close to the full image; a longer step would leave where the slopes hold


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

    def measure(self, strength: Tensor, spread: Tensor) -> tuple[Tensor, Tensor]:
        """mu and sigma at these knobs (B,)."""
        return tensor_severity(self.reference, self.render(strength, spread))

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
        free_spread: the spread to use where sigma is free, (B,).

    Returns:
        strength and spread, each (B,) in [0, 1].
    """
    sample = problem.sample()
    if not problem.simulator.has_spread:
        sigma = torch.full_like(sigma, torch.nan)
    is_free = sigma.isnan()
    spread = free_spread if is_free.all() else free_spread.where(is_free, _find_spread(sample, mu, sigma))
    strength = _find_strength(sample, mu, spread)
    strength = strength.where(strength < 1 - 2.0**-BISECTIONS, 1.0)  # bisection stops short of the end
    for _ in range(NEWTON_STEPS):
        strength, spread = _newton_step(problem, sample, mu, sigma, strength, spread)
    return strength, spread


def _find_strength(problem: Problem, mu: Tensor, spread: Tensor) -> Tensor:
    """Bisect strength in [0, 1] for mu."""
    low, high = torch.zeros_like(mu), torch.ones_like(mu)
    for _ in range(BISECTIONS):
        middle = (low + high) / 2
        too_weak = problem.measure(middle, spread)[0] < mu
        low, high = middle.where(too_weak, low), high.where(too_weak, middle)
    return (low + high) / 2


def _find_spread(problem: Problem, mu: Tensor, sigma: Tensor) -> Tensor:
    """Meet mu at several spreads, and interpolate where sigma is met."""
    spreads = torch.linspace(0, 1, SPREADS, device=mu.device)
    trials = problem.repeat(SPREADS)
    strength = _find_strength(trials, mu.repeat_interleave(SPREADS), spreads.repeat(len(mu)))
    reached_mu, reached_sigma = trials.measure(strength, spreads.repeat(len(mu)))
    excess = reached_sigma.view(-1, SPREADS) - sigma.nan_to_num(0)[:, None]
    missed_mu = (reached_mu.view(-1, SPREADS) - mu[:, None]).abs()
    return _crossing(excess, missed_mu, spreads)


def _crossing(excess: Tensor, missed_mu: Tensor, spreads: Tensor) -> Tensor:
    """Where `excess` (B, SPREADS) changes sign; without such a place, where it is smallest. Meeting mu comes first."""
    left, right = excess[:, :-1], excess[:, 1:]
    changes = left * right <= 0
    fraction = (left / (left - right)).where(changes & (left != right), torch.zeros_like(left))
    between = torch.lerp(spreads[:-1].expand_as(left), spreads[1:].expand_as(left), fraction)
    cost_between = torch.where(changes, 0.0, 1.0) + 10 * torch.maximum(missed_mu[:, :-1], missed_mu[:, 1:])
    cost_at = excess.abs() + 10 * missed_mu
    candidates = torch.cat([between, spreads.expand_as(excess)], 1)
    best = torch.cat([cost_between, cost_at], 1).argmin(1, keepdim=True)
    return candidates.gather(1, best)[:, 0]


def _newton_step(
    problem: Problem, sample: Problem, mu: Tensor, sigma: Tensor, strength: Tensor, spread: Tensor
) -> tuple[Tensor, Tensor]:
    """Correct both knobs by what the full images miss; the slopes are measured on the sample."""
    full_mu, full_sigma = problem.measure(strength, spread)
    need_mu, need_sigma = mu - full_mu, (sigma - full_sigma).nan_to_num(0)
    mu_by_strength, sigma_by_strength = _slopes(sample, strength, spread, along_spread=False)
    mu_by_spread, sigma_by_spread = _slopes(sample, strength, spread, along_spread=True)
    mu_by_strength = mu_by_strength.clamp_min(1e-2)

    # along the curve of equal mu, d sigma / d spread is:
    slope = sigma_by_spread - sigma_by_strength * mu_by_spread / mu_by_strength
    wanted = (need_sigma - sigma_by_strength * need_mu / mu_by_strength) / slope
    has_reserve = (strength < 1) | (need_mu < 0)  # else spread must not give away mu for sigma
    wanted = wanted.where(~sigma.isnan() & (slope.abs() > 1e-3) & has_reserve, torch.zeros_like(wanted))
    new_spread = (spread + wanted.clamp(-MAX_STEP, MAX_STEP)).clamp(0, 1)
    step = (need_mu - mu_by_spread * (new_spread - spread)) / mu_by_strength
    return (strength + step.clamp(-MAX_STEP, MAX_STEP)).clamp(0, 1), new_spread


def _slopes(sample: Problem, strength: Tensor, spread: Tensor, *, along_spread: bool) -> tuple[Tensor, Tensor]:
    """Derivatives of mu and sigma by one knob, from two probes of the sample."""
    knob = spread if along_spread else strength
    low, high = (knob - PROBE).clamp_min(0), (knob + PROBE).clamp_max(1)
    probes = [(strength, low), (strength, high)] if along_spread else [(low, spread), (high, spread)]
    (low_mu, low_sigma), (high_mu, high_sigma) = (sample.measure(*probe) for probe in probes)
    return (high_mu - low_mu) / (high - low), (high_sigma - low_sigma) / (high - low)
