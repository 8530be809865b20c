"""Structure Correction Module: put back the structure that the autoencoder bent (paper section 3.3)."""

import os
from collections.abc import Sequence
from typing import Self

import torch
from diffusers import ConfigMixin, ModelMixin
from diffusers.configuration_utils import register_to_config
from torch import Tensor

from gendeg.checkpoints import model_from_checkpoint
from gendeg.errors import InputError
from gendeg.models.nafnet import FIRST_WEIGHT, NAFTrunk, nafnet_sizes


# ModelMixin is named again because diffusers looks for it in the module that defines a pipeline's component.
class StructureCorrectionModule(NAFTrunk, ModelMixin, ConfigMixin):
    """A NAFNet that sees the clean and the generated image and corrects the generated one.

    `scm(clean, generated) = generated + residual(concat(clean, generated))`. The defaults are the published network
    of 115 984 643 parameters.

    Args:
        width: channels at full resolution; they double at each level.
        middle_blk_num: blocks at the lowest resolution.
        enc_blk_nums: blocks of each encoder level, from full resolution down.
        dec_blk_nums: blocks of each decoder level, from low resolution up; as many levels as the encoder has.

    Raises:
        InputError: not positive numbers (blocks may be none), or encoder and decoder have different numbers of levels.
    """

    @register_to_config
    def __init__(
        self,
        width: int = 64,
        middle_blk_num: int = 12,
        enc_blk_nums: Sequence[int] = (2, 2, 4, 8),
        dec_blk_nums: Sequence[int] = (2, 2, 2, 2),
    ) -> None:
        super().__init__(6, 3, width, middle_blk_num, enc_blk_nums, dec_blk_nums)

    def forward(self, clean: Tensor, generated: Tensor) -> Tensor:
        """Correct generated images.

        Args:
            clean: clean images (B, 3, H, W) in [-1, 1], any H and W.
            generated: the images generated from them, same shape and range.

        Returns:
            Corrected images, same shape; about [-1, 1], not clamped.

        Raises:
            InputError: other or different shapes.
        """
        shapes = [tuple(images.shape) if isinstance(images, Tensor) else images for images in (clean, generated)]
        if shapes[0] != shapes[1] or not isinstance(clean, Tensor) or clean.ndim != 4 or clean.shape[1] != 3:
            raise InputError(
                f"Got clean {shapes[0]} and generated {shapes[1]}; give two tensors (B, 3, H, W) of the same shape, in "
                "[-1, 1]."
            )
        return self.correct(torch.cat([clean, generated], dim=1))

    @classmethod
    def from_original_checkpoint(cls, path: str | os.PathLike[str]) -> Self:
        """Load a checkpoint of the authors' program (`nafnet_sd.ckpt`). All sizes are deduced from it.

        Args:
            path: the file; wrappers (`state_dict`) and prefixes (`module.`, `net.`) are removed.

        Raises:
            InputError: not the name of a file at all.
            CheckpointError: unreadable, unsafe, or not a NAFNet from 6 to 3 channels.
        """
        return model_from_checkpoint(cls, path, FIRST_WEIGHT, nafnet_sizes)
