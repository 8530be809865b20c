"""The generator as an engine of the command line."""

from pathlib import Path
from typing import Any

import torch

from gendeg import GenDegOutput
from gendeg.cli.options import open_prior
from gendeg.cli.run import Engine
from gendeg.pipelines.loading import load_pipeline


def load_engine(
    model: str, device: str | None, prior: Path | None, resolution: int | None, call: dict[str, Any]
) -> Engine:
    """Load a pipeline.

    Args:
        model: see `load_pipeline`.
        device: see `load_pipeline`.
        prior: file of a severity prior; None for the published one.
        resolution: short side in pixels to work at.
        call: further arguments of each call of the pipeline.
    """
    severity_prior = open_prior(prior)
    pipe = load_pipeline(model, device)

    def degrade(prepared: Any, degradation: str, seed: int) -> GenDegOutput:
        generator = torch.Generator().manual_seed(seed)
        return pipe(prepared, degradation, generator=generator, prior=severity_prior, **call)

    return Engine(lambda photo: pipe.prepare_images(photo, resolution), degrade)
