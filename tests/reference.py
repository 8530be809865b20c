"""Reference inputs and outputs of the authors' programs on random weights, and the rule that makes those weights.

Only names and shapes of the weights are stored in `tests/parity`; the values follow from a seed.
"""

import json
import zlib
from pathlib import Path

import torch
from torch import Tensor

FOLDER = Path(__file__).parent / "parity"
SPEC = json.loads((FOLDER / "spec.json").read_text())
UNET = "model.diffusion_model."


def seeded_noise(name: str, shape: list[int], seed: int) -> Tensor:
    return torch.randn(shape, generator=torch.Generator().manual_seed((zlib.crc32(name.encode()) + seed) % 2**31))


def seeded_weight(name: str, shape: list[int], seed: int) -> Tensor:
    noise = seeded_noise(name, shape, seed)
    if len(shape) == 1 or name.endswith(("beta", "gamma", "temperature")):
        return 0.2 * noise + (1 if name.endswith(("weight", "temperature")) else 0)
    return noise / noise[0].numel() ** 0.5


def seeded_weights(shapes: dict[str, list[int]], seed: int) -> dict[str, Tensor]:
    return {name: seeded_weight(name, shape, seed) for name, shape in shapes.items()}


def original_generator() -> dict[str, Tensor]:
    """State dict of the tiny generator in the layout of the authors' checkpoints, raw and averaged weights."""
    state = {}
    for name, shape in SPEC["generator_shapes"].items():
        state[name] = seeded_weight(name.replace("transformer.text_model.", "transformer."), shape, 121)
    for end in ("out.2.weight", "out.2.bias"):
        state[UNET + end] *= 0.15
    for name in [name for name in state if name.startswith(UNET)]:
        plain = name.removeprefix("model.")
        noise = seeded_noise("ema" + plain, list(state[name].shape), 100)
        state["model_ema." + plain.replace(".", "")] = state[name] + 0.05 * state[name].abs().mean() * noise
    state["model_ema.decay"] = torch.tensor(0.9999)
    state["model_ema.num_updates"] = torch.tensor(1234, dtype=torch.int32)
    state["cond_stage_model.transformer.text_model.embeddings.position_ids"] = torch.arange(77)[None]
    return state


def relative_error(value: Tensor, reference: Tensor) -> float:
    """Largest difference, relative to the largest value of the reference."""
    return ((value - reference).abs().max() / reference.abs().max()).item()
