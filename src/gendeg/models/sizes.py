"""Restorers by name: the published sizes, and tiny ones."""

from typing import Any

from gendeg.errors import InputError
from gendeg.models.nafnet import NAFNet
from gendeg.models.promptir import PromptIR
from gendeg.models.restorer import Restorer
from gendeg.models.swin import SwinRestorer

SIZES: dict[str, tuple[type[Restorer], dict[str, Any]]] = {
    "nafnet-width32": (NAFNet, {"width": 32}),
    "nafnet-width64": (NAFNet, {"width": 64}),
    "promptir": (PromptIR, {}),
    "swin-b": (SwinRestorer, {}),
    # 2.9 million parameters; most blocks sit at low resolution, where they cost little time and hold many parameters
    "nafnet-tiny": (NAFNet, {"width": 16, "middle_blk_num": 4, "enc_blk_nums": (1, 1, 2, 4), "dec_blk_nums": (1,) * 4}),
    "promptir-tiny": (
        PromptIR,
        {
            "dim": 8,
            "num_blocks": (1, 1, 1, 1),
            "num_refinement_blocks": 1,
            "prompt_dims": (8, 16, 32),
            "prompt_sizes": (16, 8, 4),
        },
    ),
    "swin-tiny": (
        SwinRestorer,
        {
            "encoder_name": "swin_tiny_patch4_window7_224",
            "encoder_options": {
                "embed_dim": 16,
                "depths": (2, 2, 2, 2),
                "num_heads": (1, 2, 4, 8),
                "window_size": 4,
                "img_size": 128,
            },
            "decoder_widths": (64, 32, 16, 16, 8),
        },
    ),
}


ALIASES = {"nafnet": "nafnet-width32", "swin": "swin-b"}  # an architecture stands for the size that the paper trains


def create_restorer(name: str) -> Restorer:
    """A fresh restorer with random weights. Nothing is downloaded.

    Args:
        name: one of `SIZES`: `"nafnet-width32"` and `"nafnet-width64"` (the published denoisers), `"promptir"`,
            `"swin-b"`, and `"nafnet-tiny"`, `"promptir-tiny"`, `"swin-tiny"`. `"nafnet"` is `"nafnet-width32"`,
            `"swin"` is `"swin-b"`.

    Raises:
        InputError: no restorer has this name.
    """
    size = ALIASES.get(name, name)
    if size not in SIZES:
        raise InputError(f"No restorer is named {name!r}. Known: {', '.join([*SIZES, *ALIASES])}.")
    restorer, config = SIZES[size]
    return restorer(**config)
