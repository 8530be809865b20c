"""What turns a clean photo into its degraded images: the generator, or the physical simulators."""

import hashlib
import json
from abc import ABC, abstractmethod
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import PIL.Image
import torch
from torch import Tensor, nn

from gendeg import simulators
from gendeg.errors import CheckpointError, InputError
from gendeg.output import GenDegOutput
from gendeg.pipelines.alignment import choose_alignment
from gendeg.pipelines.gendeg import GenDegPipeline
from gendeg.pipelines.loading import load_pipeline
from gendeg.pipelines.prepared import PreparedImage
from gendeg.simulators import simulate
from gendeg.synthesis.config import files_digest
from gendeg.synthesis.plan import PlannedRow

PRECISIONS = ("float32", "bfloat16", "float16")
_NOT_SETTINGS = ("transformers_version",)  # a note in a network's config


@dataclass(frozen=True)
class Made:
    """One image as a backend made it.

    Attributes:
        degraded, target: tensors (3, H, W) in [0, 1].
        alignment: how they were aligned.
        model: name of the checkpoint, or of the physical model.
    """

    degraded: Tensor
    target: Tensor
    alignment: str
    model: str


class Backend(ABC):
    """Makes the degraded images of one photo, several at a time.

    The images of a call are a function of the photo, the rows and the seeds.
    """

    @abstractmethod
    def prepare(self, photo: PIL.Image.Image, rows: Sequence[PlannedRow]) -> Any:
        """What all images of a photo share; `make` takes it as often as needed."""

    @abstractmethod
    def make(self, prepared: Any, rows: Sequence[PlannedRow], seeds: Sequence[int]) -> list[Made | None]:
        """Make one image for each row; None where the result is not a number."""

    @abstractmethod
    def to_json(self) -> dict[str, Any]:
        """Everything that decides the images, as JSON values."""


@dataclass(frozen=True)
class BackendConfig:
    """Which backend, and its settings. Made into a `Backend` by `load_backend`, in every process anew.

    Attributes:
        name: `"pipeline"` or `"simulator"`.
        checkpoint: of the pipeline: packaged name, folder, or name on the hub.
        alignment, calibrate, resolution: see `GenDegPipeline`.
        num_inference_steps, guidance_scale, image_guidance_scale: see `GenDegPipeline`; None takes the checkpoint's.
        precision: `"float32"`, `"bfloat16"` or `"float16"`, of the pipeline's networks.
        device: torch's name of it; None for CUDA where there is one.
    """

    name: str = "pipeline"
    checkpoint: str = "gendeg-tiny"
    alignment: str = "auto"
    calibrate: bool = False
    resolution: int | None = None
    num_inference_steps: int | None = None
    guidance_scale: float | None = None
    image_guidance_scale: float | None = None
    precision: str = "float32"
    device: str | None = None


def load_backend(config: BackendConfig) -> Backend:
    """Load a backend.

    Raises:
        InputError: an unknown backend, precision or device.
        CheckpointError: no such checkpoint.
    """
    if config.name == "simulator":
        return SimulatorBackend()
    if config.name != "pipeline":
        raise InputError(f"backend={config.name!r} is neither 'pipeline' nor 'simulator'.")
    precision = parse_precision(config.precision)
    return PipelineBackend(load_pipeline(config.checkpoint, config.device).to(precision), config)


def parse_precision(name: str) -> torch.dtype:
    """The type of a network's weights by its name, one of `PRECISIONS`.

    Raises:
        InputError: none of them.
    """
    if name not in PRECISIONS:
        raise InputError(f"precision={name!r} is not one of {', '.join(map(repr, PRECISIONS))}.")
    return getattr(torch, name)


@dataclass(frozen=True)
class PreparedScene:
    """A photo's latents, and the text embeddings (L, D) of each prompt of its rows."""

    photo: PreparedImage
    embeds: dict[str, Tensor]


class PipelineBackend(Backend):
    """The generator.

    Args:
        pipe: the pipeline.
        config: arguments of its calls, and the checkpoint's name.
    """

    def __init__(self, pipe: GenDegPipeline, config: BackendConfig):
        self.pipe = pipe
        self.config = config

    def prepare(self, photo: PIL.Image.Image, rows: Sequence[PlannedRow]) -> PreparedScene:
        """Encode the photo and the prompts of its rows, once for all degradations and attempts."""
        prompts = list(dict.fromkeys(row.prompt for row in rows))
        embeds = dict(zip(prompts, self.pipe.encode_prompt(prompts), strict=True))
        return PreparedScene(self.pipe.prepare_images(photo, self.config.resolution)[0], embeds)

    def make(self, prepared: PreparedScene, rows: Sequence[PlannedRow], seeds: Sequence[int]) -> list[Made | None]:
        """Denoise the rows together; where one of them is not a number, each by itself."""
        try:
            output = self._call(prepared, rows, seeds)
        except CheckpointError:  # NaN in one image ends the call for all
            alone = [([row], [seed]) for row, seed in zip(rows, seeds, strict=True)]
            return [self._make_alone(prepared, *one) for one in alone] if len(rows) > 1 else [None]
        return [
            Made(degraded, target, self._rule(row), self.config.checkpoint)
            for row, degraded, target in zip(rows, output.images, output.targets, strict=True)
        ]

    def _make_alone(self, prepared: PreparedScene, row: Sequence[PlannedRow], seed: Sequence[int]) -> Made | None:
        return self.make(prepared, row, seed)[0]

    def _call(self, prepared: PreparedScene, rows: Sequence[PlannedRow], seeds: Sequence[int]) -> GenDegOutput:
        return self.pipe(
            [prepared.photo] * len(rows),
            [row.mixture for row in rows],
            [row.mu for row in rows],
            [row.sigma for row in rows],
            [row.prompt for row in rows],
            prompt_embeds=torch.stack([prepared.embeds[row.prompt] for row in rows]),
            generator=[torch.Generator().manual_seed(seed) for seed in seeds],
            alignment=self.config.alignment,
            calibrate=self.config.calibrate,
            num_inference_steps=self.config.num_inference_steps,
            guidance_scale=self.config.guidance_scale,
            image_guidance_scale=self.config.image_guidance_scale,
            output_type="pt",
        )

    def _rule(self, row: PlannedRow) -> str:
        default = self.pipe.config.alignment
        return choose_alignment(self.config.alignment, default, row.mixture, self.pipe.scm is not None)

    def to_json(self) -> dict[str, Any]:
        """The settings, with defaults resolved, and a checksum of the weights."""
        defaults = self.pipe.config
        return {
            "backend": "pipeline",
            "checkpoint": self.config.checkpoint,
            "weights_sha256": pipeline_digest(self.pipe),
            "change_scale": defaults.change_scale,
            "alignment": defaults.alignment if self.config.alignment == "auto" else self.config.alignment,
            "calibrate": self.config.calibrate,
            "resolution": self.config.resolution,
            "num_inference_steps": _default(self.config.num_inference_steps, defaults.num_inference_steps),
            "guidance_scale": _default(self.config.guidance_scale, defaults.guidance_scale),
            "image_guidance_scale": _default(self.config.image_guidance_scale, defaults.image_guidance_scale),
            "precision": self.config.precision,
        }


class SimulatorBackend(Backend):
    """The physical models; which one of a degradation is drawn for each row."""

    def prepare(self, photo: PIL.Image.Image, rows: Sequence[PlannedRow]) -> PIL.Image.Image:
        """Nothing to prepare."""
        return photo

    def make(self, prepared: PIL.Image.Image, rows: Sequence[PlannedRow], seeds: Sequence[int]) -> list[Made | None]:
        """Simulate each row; the target is the photo itself."""
        return [self._make_one(prepared, row, seed) for row, seed in zip(rows, seeds, strict=True)]

    def _make_one(self, photo: PIL.Image.Image, row: PlannedRow, seed: int) -> Made:
        mixture = "+".join(row.mixture)
        output = simulate(photo, mixture, row.mu, row.sigma, seed=seed, output_type="pt")
        parts = output.parameters[0].get("parts", output.parameters)
        return Made(output.images[0], output.targets[0], "none", "+".join(part["model"] for part in parts))

    def to_json(self) -> dict[str, Any]:
        """The name, and a checksum of the models' program, which to them is what weights are to the generator."""
        return {"backend": "simulator", "simulators_sha256": simulators_digest()}


def pipeline_digest(pipe: GenDegPipeline) -> str:
    """SHA-256 over all weights of a pipeline and the settings of its networks and scheduler."""
    digest = hashlib.sha256()
    for name, component in sorted(pipe.components.items()):
        config = getattr(component, "config", {})
        settings = config.to_dict() if hasattr(config, "to_dict") else dict(config)
        own = {key: value for key, value in settings.items() if not key.startswith("_") and key not in _NOT_SETTINGS}
        digest.update(json.dumps([name, type(component).__name__, own], sort_keys=True, default=str).encode())
        if isinstance(component, nn.Module):
            for key, tensor in sorted(component.state_dict().items()):
                digest.update(key.encode())
                digest.update(tensor.detach().cpu().contiguous().reshape(-1).view(torch.uint8).numpy())
    return digest.hexdigest()


def simulators_digest() -> str:
    """SHA-256 over the program text of the physical models."""
    return files_digest(sorted(Path(simulators.__file__).parent.glob("*.py")))


def _default(value: Any, default: Any) -> Any:
    return default if value is None else value
