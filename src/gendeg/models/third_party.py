"""Restorers of third parties (SwinIR, Uformer, MPRNet, ...) behind the same `restore`, read by spandrel.

spandrel deduces architecture and sizes from the weights. The architectures whose licences exclude commercial use come
with the separate package `spandrel_extra_arches`, and are known where it is installed.
"""

import importlib.util
import os
from typing import Any, NoReturn, Self

import torch
from torch import Tensor

from gendeg.checkpoints import read_state_dict
from gendeg.errors import CheckpointError, MissingExtraError, first_line
from gendeg.models.restorer import Restorer


class ThirdPartyRestorer(Restorer):
    """A network that spandrel has read, for inference alone: it has no configuration, so it is not saved.

    Args:
        descriptor: spandrel's `ImageModelDescriptor` of a network from RGB to RGB that keeps the size.
    """

    def __init__(self, descriptor: Any) -> None:
        super().__init__()
        self.network = descriptor.model
        self._descriptor = descriptor
        self.architecture = descriptor.architecture.name

    def forward(self, x: Tensor) -> Tensor:
        """Restored images in [0, 1]: (B, 3, H, W) -> the same shape, any H and W. spandrel takes one at a time."""
        return torch.cat([self._descriptor(image[None]) for image in x])

    @classmethod
    def from_original_checkpoint(cls, path: str | os.PathLike[str]) -> Self:
        """Load a checkpoint file; nothing in it is run.

        Raises:
            InputError: not the name of a file at all.
            CheckpointError: unreadable, unsafe, of no architecture that spandrel knows, or not a restorer of colour
                images.
            MissingExtraError: spandrel is not installed.
        """
        weights = read_state_dict(path)
        spandrel = _import_spandrel(path)
        try:
            descriptor = spandrel.ModelLoader().load_from_state_dict(weights)
        except spandrel.UnsupportedModelError as error:
            raise CheckpointError(
                f"{path} is of no architecture that gendeg or spandrel knows; its names begin with "
                f"{', '.join(sorted(weights)[:3])}. `pip install spandrel_extra_arches` adds MPRNet and others, under "
                "licences that exclude commercial use."
            ) from error
        except (RuntimeError, KeyError, ValueError, IndexError) as error:
            raise CheckpointError(f"{path} is incomplete, or an unknown variant: {first_line(error)}") from error
        _check_purpose(descriptor, path)
        return cls(descriptor).eval()

    def save_pretrained(self, *args: Any, **kwargs: Any) -> NoReturn:
        """Not possible.

        Raises:
            CheckpointError: always.
        """
        raise CheckpointError(
            f"A third party's {self.architecture} has no folder format; keep its file and load it with "
            "AutoRestorer.from_pretrained(file)."
        )


def _import_spandrel(path: str | os.PathLike[str]) -> Any:
    try:
        import spandrel
    except ImportError as error:
        raise MissingExtraError(
            f"{path} is neither a NAFNet nor a PromptIR; other restorers need spandrel: pip install 'gendeg[spandrel]'."
        ) from error
    if importlib.util.find_spec("spandrel_extra_arches"):
        import spandrel_extra_arches

        spandrel_extra_arches.install(ignore_duplicates=True)
    return spandrel


def _check_purpose(descriptor: Any, path: str | os.PathLike[str]) -> None:
    channels = (descriptor.input_channels, descriptor.output_channels)
    if descriptor.scale != 1 or channels != (3, 3) or descriptor.purpose == "Inpainting":
        raise CheckpointError(
            f"{path} is a {descriptor.architecture.name} from {channels[0]} to {channels[1]} channels with scale "
            f"{descriptor.scale} for {descriptor.purpose}; restorers go from 3 to 3 channels with scale 1."
        )
