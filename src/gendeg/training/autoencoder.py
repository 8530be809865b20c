"""Recipe: a small autoencoder whose latents the generator of degradations lives in."""

from dataclasses import dataclass
from pathlib import Path
from typing import Any

import torch
import torch.nn.functional as F
from diffusers import AutoencoderTiny
from torch import Tensor

from gendeg.pipelines.latents import decode_mode, encode_mode
from gendeg.training.config import COUNT, NOT_NEGATIVE, TrainingConfig, option
from gendeg.training.figures import write_sheet
from gendeg.training.loading import item_generator
from gendeg.training.metrics import MeanByName, psnr
from gendeg.training.pooling_start import start_as_pooling
from gendeg.training.recipe import Batch, Items, Recipe

LATENT_LIMIT = 3.0  # the decoder of AutoencoderTiny squashes latents to +-3


@dataclass
class AutoencoderConfig(TrainingConfig):
    """Settings of `examples/train_autoencoder.py`."""

    limits = TrainingConfig.limits | {
        "channels": COUNT,
        "latent_channels": COUNT,
        "gradient_weight": NOT_NEGATIVE,
        "structure_weight": NOT_NEGATIVE,
        "latent_noise": NOT_NEGATIVE,
    }

    channels: int = option(48, "Feature channels of encoder and decoder.")
    latent_channels: int = option(8, "Channels of the latents.")
    encoder_blocks: list[int] = option([0, 2, 3], "Residual blocks per scale.")
    decoder_blocks: list[int] = option([3, 2, 1], "Residual blocks per scale.")
    gradient_weight: float = option(1.0, "Weight of the L1 loss between image gradients.")
    structure_weight: float = option(1.0, "Extra weight of streaks and flakes, see `loss`.")
    latent_noise: float = option(0.03, "Noise on the latents, which smooths the decoder.")


class AutoencoderRecipe(Recipe[AutoencoderConfig]):
    """Train `AutoencoderTiny` on both images of each pair.

    The loss is L1 of the pixels plus L1 of the horizontal and vertical differences. Thin bright structures such as
    streaks and flakes cover few pixels, so an unweighted loss sacrifices them: pixels that the degradation
    changed weigh more, `1 + structure_weight * min(|degraded - clean| / mean, 5)`.
    """

    title = "Small autoencoder for degraded and clean photos (AutoencoderTiny)"

    def __init__(self, config: AutoencoderConfig):
        super().__init__(config)
        channels = (config.channels,) * len(config.encoder_blocks)
        self.vae = AutoencoderTiny(
            encoder_block_out_channels=channels,
            decoder_block_out_channels=channels,
            num_encoder_blocks=tuple(config.encoder_blocks),
            num_decoder_blocks=tuple(config.decoder_blocks),
            latent_channels=config.latent_channels,
        )
        start_as_pooling(self.vae)

    def forward(self, batch: Batch) -> Tensor:
        """Reconstruction loss of the clean and the degraded images."""
        clean, degraded = batch["clean"], batch["degraded"]
        images = torch.cat([clean, degraded]).contiguous(memory_format=torch.channels_last)
        latents = encode_mode(self.vae, images).float()
        noise = torch.stack([self._noise(int(i), latents) for i in batch["index"]]).repeat(2, 1, 1, 1)
        decoded = self.vae.decode(latents + noise.to(latents)).sample.float() / 2 + 0.5
        weight = self._structure_weight(clean, degraded)
        error = decoded - images
        loss = (weight * error.abs()).mean()
        for axis in (-1, -2):
            difference = error.diff(dim=axis).abs()
            shared_weight = weight.narrow(axis, 1, difference.shape[axis])
            loss = loss + self.config.gradient_weight * (shared_weight * difference).mean()
        return loss + 0.1 * F.relu(latents.abs() - LATENT_LIMIT).mean()

    def _noise(self, index: int, latents: Tensor) -> Tensor:
        generator = item_generator(self.config.seed, index)
        return self.config.latent_noise * torch.randn(latents.shape[1:], generator=generator)

    def _structure_weight(self, clean: Tensor, degraded: Tensor) -> Tensor:
        change = (degraded - clean).abs().mean(1, keepdim=True)
        relative = (change / (change.mean(dim=(1, 2, 3), keepdim=True) + 1e-3)).clamp(max=5)
        return 1 + self.config.structure_weight * torch.cat([torch.zeros_like(relative), relative])

    def evaluate(self, items: Items) -> list[tuple[Tensor, Tensor]]:
        """Reconstructions of the clean and the degraded image."""
        return [(self.reconstruct(item["clean"]), self.reconstruct(item["degraded"])) for item in items]

    def report(self, items: Items, results: list[Any], folder: Path, step: int) -> dict[str, float]:
        """PSNR of held-out photos, clean and per degradation, and a sheet of images above reconstructions."""
        scores, shown = MeanByName(), {}
        for item, reconstructions in zip(items, results, strict=True):
            names, images = ("clean", item["degradation"]), (item["clean"], item["degraded"])
            for name, image, decoded in zip(names, images, reconstructions, strict=True):
                scores.add(f"psnr/{name}", psnr(decoded, image))
                shown[name] = (image, decoded)
        write_sheet(list(shown.items()), ["image", "reconstruction"], folder / f"step-{step:07d}.png")
        return scores.means()

    def reconstruct(self, image: Tensor) -> Tensor:
        """`D(E(image))` of one image (3, H, W) in [0, 1]."""
        images = image[None].to(self.vae.device)
        return decode_mode(self.vae, encode_mode(self.vae, images))[0].float().cpu()

    def save(self, folder: Path, items: Items) -> None:
        """Set `scaling_factor` so that scaled latents of degraded photos have unit variance, and save."""
        latents = [encode_mode(self.vae, item["degraded"][None].to(self.vae.device)) for item in items]
        self.vae.register_to_config(scaling_factor=1 / torch.cat(latents).float().std().item())
        self.vae.save_pretrained(folder)
