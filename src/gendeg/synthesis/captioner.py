"""BLIP-2 (Li et al., 2023), which describes clean photos for their prompts (paper section 3.3)."""

import functools
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import PIL.Image
import torch

from gendeg.checkpoints import HUB_NAME, describe_source
from gendeg.errors import CheckpointError, InputError, first_line
from gendeg.models.loading import quiet_libraries, to_device
from gendeg.synthesis.backends import parse_precision
from gendeg.synthesis.config import files_digest

PUBLISHED = "Salesforce/blip2-opt-2.7b"
NUM_BEAMS = 5  # as BLIP-2's authors caption
MAX_NEW_TOKENS = 30  # the generator's text encoder reads 77, the degradation's phrase included


@dataclass(frozen=True)
class CaptionerConfig:
    """Which BLIP-2, and where it works. Made into a `Captioner` once there is a photo to describe.

    Attributes:
        name: name on the hub, or a folder that `save_pretrained` or `hf download` wrote.
        precision: `"float32"`, `"bfloat16"` or `"float16"`.
        device: torch's name of it; None for CUDA where there is one.

    Raises:
        InputError: an unknown precision, or a name that is neither a folder nor one on the hub.
    """

    name: str = PUBLISHED
    precision: str = "float32"
    device: str | None = None

    def __post_init__(self) -> None:
        parse_precision(self.precision)
        if not Path(self.name).is_dir() and not HUB_NAME.fullmatch(self.name):
            raise InputError(
                f"There is no folder {self.name} with a captioner; give the folder of a BLIP-2, or its name on the "
                f"hub, e.g. {PUBLISHED}."
            )

    @functools.cached_property
    def identity(self) -> str:
        """What tells this captioner from others: its name on the hub; a folder's name and checksum of its files."""
        folder = Path(self.name)
        if not folder.is_dir():
            return self.name
        files = sorted(path for path in folder.iterdir() if path.is_file() and not path.name.startswith("."))
        return f"{folder.resolve().name} {files_digest(files)[:16]}"


class Captioner:
    """BLIP-2, loaded.

    Args:
        config: which one, and where it works.

    Raises:
        CheckpointError: it is out of reach, broken, or another model.
        InputError: no such device.
    """

    def __init__(self, config: CaptionerConfig):
        quiet_libraries()
        try:
            self._processor, model = _load(config.name, parse_precision(config.precision))
        except (OSError, ValueError, KeyError, TypeError, AttributeError, RuntimeError, ImportError) as error:
            raise CheckpointError(
                f"Cannot load the captioner {describe_source(config.name)}: {first_line(error)}\n"
                "It is a BLIP-2 of transformers. Download one where there is a network, e.g. "
                f"`hf download {PUBLISHED} --local-dir blip2` (https://huggingface.co/{PUBLISHED}), and give its "
                "folder: --captions blip2/"
            ) from error
        self._model = to_device(model, config.device)

    @torch.no_grad()
    def __call__(self, photos: Sequence[PIL.Image.Image]) -> list[str]:
        """Describe photos (RGB, of any sizes) together: one sentence each, by beam search."""
        inputs = self._processor(images=list(photos), return_tensors="pt")
        tokens = self._model.generate(
            pixel_values=inputs["pixel_values"].to(self._model.device, self._model.dtype),
            num_beams=NUM_BEAMS,
            max_new_tokens=MAX_NEW_TOKENS,
            do_sample=False,
        )
        texts = self._processor.batch_decode(tokens, skip_special_tokens=True)
        return [" ".join(text.split()) for text in texts]


def _load(name: str, dtype: torch.dtype) -> tuple[Any, Any]:
    """Processor and network."""
    from transformers import AutoConfig, Blip2ForConditionalGeneration, Blip2Processor  # slow

    kind = AutoConfig.from_pretrained(name).model_type
    if kind != "blip-2":
        raise ValueError(f"It is a model of type {kind!r}, not 'blip-2'.")
    processor = Blip2Processor.from_pretrained(name)
    return processor, Blip2ForConditionalGeneration.from_pretrained(name, dtype=dtype).eval()
