"""The generator as an engine of the command line."""

from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import PIL.Image
import torch

from gendeg import GenDegOutput
from gendeg.cli.options import open_prior
from gendeg.cli.run import Engine
from gendeg.errors import ImageError
from gendeg.models.memory import is_out_of_memory
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

    def prepare(photo: PIL.Image.Image) -> Any:
        with _photos_fail_alone():
            return pipe.prepare_images(photo, resolution)

    def degrade(prepared: Any, degradation: str, seed: int) -> GenDegOutput:
        generator = torch.Generator().manual_seed(seed)
        with _photos_fail_alone():
            return pipe(prepared, degradation, generator=generator, prior=severity_prior, **call)

    return Engine(prepare, degrade)


@contextmanager
def _photos_fail_alone() -> Iterator[None]:
    """A photo too large for the memory is an error of that photo; the others of a folder go on."""
    try:
        yield
    except RuntimeError as error:
        if not is_out_of_memory(error):
            raise
        raise ImageError("Out of memory; give a smaller --resolution, or a smaller photo.") from error
