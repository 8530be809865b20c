"""Settings of a restorer's training."""

from dataclasses import dataclass
from typing import Literal

from gendeg.training.config import NOT_NEGATIVE, SHARE, TrainingConfig, option


@dataclass
class RestorerConfig(TrainingConfig):
    """Settings of `examples/train_restorer.py`."""

    limits = TrainingConfig.limits | {
        "clean_share": SHARE,
        "psnr_limit": (0, 200),
        "frequency_weight": NOT_NEGATIVE,
        "perceptual_weight": NOT_NEGATIVE,
    }

    model: str | None = option(None, "Network to train from random weights: nafnet, promptir, swin, nafnet-tiny, ....")
    restorer: str | None = option(None, "A restorer to go on from instead: a folder, a hub name, or nafnet-tiny.")

    clean_share: float = option(0.05, "Share of crops that are clean already, so that clean photos are left alone.")

    loss: Literal["l1", "charbonnier", "psnr"] = option("l1", "Loss of the pixels.")
    psnr_limit: float = option(80.0, "The loss psnr hardly rewards more than this, in dB.")
    frequency_weight: float = option(0.0, "Weight of the L1 loss between Fourier transforms, e.g. 0.1.")
    perceptual_weight: float = option(0.0, "Weight of the perceptual loss (LPIPS, VGG-16), e.g. 0.1.")
    perceptual_weights: str | None = option(None, "File of the VGG-16 of torchvision; by default it is downloaded.")

    gradient_checkpointing: bool = option(False, "Save memory: compute activations again in the backward pass.")
    compile: bool = option(False, "Compile the restorer with torch.compile.")
