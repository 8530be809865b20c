"""Settings of a restorer's training."""

from dataclasses import dataclass
from typing import Literal

from gendeg.degradations import Degradation
from gendeg.errors import InputError
from gendeg.training.config import TrainingConfig, option


@dataclass
class RestorerConfig(TrainingConfig):
    """Settings of `examples/train_restorer.py`."""

    model: str | None = option(None, "Network to train from random weights: nafnet, promptir, swin, nafnet-tiny, ....")
    restorer: str | None = option(None, "Folder or hub name of a restorer to go on from instead.")

    degradations: list[str] = option(
        [name.value for name in Degradation], "What is simulated on photos; name one twice to see more."
    )
    balanced: bool = option(False, "Whether each entry of `data` shows its degradations equally often.")
    canvas: int = option(0, "Largest side at which pairs are degraded before they are cropped; 0 is the resolution.")
    crops_per_pair: int = option(1, "Crops from one canvas: simulating costs more than cropping.")
    clean_share: float = option(0.05, "Share of crops that are clean already, so that clean photos are left alone.")

    loss: Literal["l1", "charbonnier", "psnr"] = option("l1", "Loss of the pixels.")
    psnr_limit: float = option(80.0, "The loss psnr hardly rewards more than this, in dB.")
    frequency_weight: float = option(0.0, "Weight of the L1 loss between Fourier transforms, e.g. 0.1.")
    perceptual_weight: float = option(0.0, "Weight of the perceptual loss (LPIPS, VGG-16), e.g. 0.1.")
    perceptual_weights: str | None = option(None, "File of the VGG-16 of torchvision; by default it is downloaded.")

    gradient_checkpointing: bool = option(False, "Save memory: compute activations again in the backward pass.")
    compile: bool = option(False, "Compile the restorer with torch.compile.")

    @property
    def canvas_side(self) -> int:
        """Largest side of the canvas, in pixels.

        Raises:
            InputError: the canvas is smaller than the crops.
        """
        if self.canvas and self.canvas < self.resolution:
            raise InputError(
                f"canvas={self.canvas} is smaller than resolution={self.resolution}, the crops cut out of it; give a "
                "larger one, or 0 to degrade the crops themselves."
            )
        return self.canvas or self.resolution
