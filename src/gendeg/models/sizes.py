"""Restorers by name: the published sizes, and tiny ones."""

from typing import Any

from gendeg.errors import InputError
from gendeg.models.nafnet import NAFNet
from gendeg.models.restorer import Restorer

SIZES: dict[str, tuple[type[Restorer], dict[str, Any]]] = {
    "nafnet-width32": (NAFNet, {"width": 32}),
    "nafnet-width64": (NAFNet, {"width": 64}),
    # 2.9 million parameters; most blocks sit at low resolution, where they cost little time and hold many parameters
    "nafnet-tiny": (NAFNet, {"width": 16, "middle_blk_num": 4, "enc_blk_nums": (1, 1, 2, 4), "dec_blk_nums": (1,) * 4}),
}


def create_restorer(name: str) -> Restorer:
    """A fresh restorer with random weights. Nothing is downloaded.

    Args:
        name: one of `SIZES`: `"nafnet-width32"`, `"nafnet-width64"` (the published denoisers), `"nafnet-tiny"`.

    Raises:
        InputError: no restorer has this name.
    """
    if name not in SIZES:
        raise InputError(f"No restorer is named {name!r}. Known: {', '.join(SIZES)}.")
    restorer, config = SIZES[name]
    return restorer(**config)
