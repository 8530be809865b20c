"""Recipe: a restorer, the network that takes a degraded photo and returns the clean one."""

from pathlib import Path
from typing import Any

import torch
from torch import Tensor, nn

from gendeg.errors import InputError
from gendeg.models.auto import AutoRestorer
from gendeg.models.loading import find_model
from gendeg.models.restorer import Restorer
from gendeg.models.sizes import create_restorer
from gendeg.training.crops import CLEAN
from gendeg.training.figures import Column, write_sheet
from gendeg.training.losses import PerceptualLoss, charbonnier_loss, frequency_loss, l1_loss, psnr_loss
from gendeg.training.metrics import MeanByName, load_ssim, psnr, ssim
from gendeg.training.recipe import Batch, Items, Recipe
from gendeg.training.restorer_config import RestorerConfig

SHOWN_PER_GROUP = 2


class RestorerRecipe(Recipe[RestorerConfig]):
    """Train a restorer on crops of `RestorationCrops`; its weights are averaged over time.

    Args:
        config: settings.
        restorer: the network, changed in place.

    Raises:
        InputError: gradient checkpointing of a network that has none.
        MissingExtraError: torchmetrics is not installed; its SSIM is needed at the first validation.
        CheckpointError: see `PerceptualLoss`.
    """

    tags = ("image-restoration",)

    def __init__(self, config: RestorerConfig, restorer: Restorer):
        super().__init__(config)
        load_ssim()  # before the training, rather than at the first validation
        self.title = f"{type(restorer).__name__}, an image restorer"
        self.restorer = restorer
        self.perceptual = PerceptualLoss(config.perceptual_weights) if config.perceptual_weight else None
        if config.gradient_checkpointing:
            _checkpoint_gradients(restorer)
        if config.compile:
            restorer.compile()

    def prepare(self, device: torch.device) -> None:
        """Move the network of the perceptual loss."""
        if self.perceptual:
            self.perceptual.to(device)

    def averaged(self) -> nn.Module:
        """The restorer."""
        return self.restorer

    def forward(self, batch: Batch) -> Tensor:
        """The loss of the pixels, plus what is weighted above 0."""
        config, clean = self.config, batch["clean"]
        restored = self.restorer(batch["degraded"]).float()
        loss = self._pixel_loss(restored, clean)
        if config.frequency_weight:
            loss = loss + config.frequency_weight * frequency_loss(restored, clean)
        if self.perceptual:
            loss = loss + config.perceptual_weight * self.perceptual(restored, clean)
        return loss

    def _pixel_loss(self, restored: Tensor, clean: Tensor) -> Tensor:
        if self.config.loss == "psnr":
            return psnr_loss(restored, clean, self.config.psnr_limit)
        return (charbonnier_loss if self.config.loss == "charbonnier" else l1_loss)(restored, clean)

    def evaluate(self, items: Items) -> list[Tensor]:
        """Restored images, clamped."""
        device = next(self.restorer.parameters()).device
        return [self.restorer(item["degraded"][None].to(device))[0].float().clamp(0, 1).cpu() for item in items]

    def report(self, items: Items, results: list[Any], folder: Path, step: int) -> dict[str, float]:
        """PSNR and SSIM per degradation, before and after, and a sheet: degraded, restored, target."""
        scores = MeanByName()
        shown: list[Column] = []
        for item, restored in zip(items, results, strict=True):
            name, clean, degraded = item["degradation"], item["clean"], item["degraded"]
            if name != CLEAN:
                scores.add(f"psnr before/{name}", psnr(degraded, clean))
                scores.add(f"ssim before/{name}", ssim(degraded, clean))
            scores.add(f"psnr/{name}", psnr(restored, clean))
            scores.add(f"ssim/{name}", ssim(restored, clean))
            shown.append((name, (degraded, restored, clean)))
        write_sheet(_first_of_each(shown), ["degraded", "restored", "target"], folder / f"step-{step:07d}.png")
        means = scores.means()
        return {"psnr": _mean_psnr(means)} | means

    def score(self, numbers: dict[str, float]) -> float:
        """Mean PSNR over the degradations, clean photos left out."""
        return numbers["psnr"]

    def save(self, folder: Path, items: Items) -> None:
        """Write the restorer, ready for `AutoRestorer.from_pretrained`."""
        self.restorer.save_pretrained(folder)


def _mean_psnr(means: dict[str, float]) -> float:
    values = [value for name, value in means.items() if name.startswith("psnr/") and name != f"psnr/{CLEAN}"]
    return sum(values) / len(values)


def _first_of_each(shown: list[Column]) -> list[Column]:
    """The first few columns of each degradation, those of one degradation side by side."""
    first: list[Column] = []
    for name in sorted({name for name, _ in shown}):
        first += [column for column in shown if column[0] == name][:SHOWN_PER_GROUP]
    return first


def _checkpoint_gradients(restorer: Restorer) -> None:
    if not restorer._supports_gradient_checkpointing:
        raise InputError(
            f"{type(restorer).__name__} has no gradient checkpointing; leave --gradient-checkpointing out."
        )
    restorer.enable_gradient_checkpointing()


def load_restorer(config: RestorerConfig) -> Restorer:
    """The restorer that a run starts from.

    Raises:
        InputError: not exactly one of `model` and `restorer` is set, or an unknown size.
        CheckpointError: the folder holds no restorer.
    """
    if (config.model is None) == (config.restorer is None):
        raise InputError("Give either --model (a size, e.g. nafnet-tiny) or --restorer (a trained one to go on from).")
    if config.restorer is not None:
        return AutoRestorer.from_pretrained(find_model(config.restorer))
    return create_restorer(str(config.model))
