"""Recipe: the Structure Correction Module behind a frozen generator (paper section 3.3)."""

from dataclasses import dataclass
from pathlib import Path
from typing import Any

import torch
from torch import Tensor

from gendeg.errors import InputError
from gendeg.models.loading import find_model
from gendeg.models.scm import StructureCorrectionModule
from gendeg.pipelines.gendeg import GenDegPipeline
from gendeg.pipelines.latents import decode_mode, degraded_latents, diffused_latents, encode_mode
from gendeg.severity import Severity
from gendeg.training.config import TrainingConfig, option
from gendeg.training.diffusion import add_noise, correction_weights, predict_original
from gendeg.training.figures import write_sheet
from gendeg.training.loading import item_generator
from gendeg.training.metrics import MeanByName, psnr
from gendeg.training.recipe import Batch, Items, Recipe


@dataclass
class SCMConfig(TrainingConfig):
    """Settings of `examples/train_scm.py`. The defaults are the published network (116 M parameters)."""

    pipeline: str | None = option(None, "The trained GenDegPipeline: a folder, a hub name, or gendeg-tiny.")
    width: int = option(64, "Channels at full resolution.")
    middle_blocks: int = option(12, "Blocks at the lowest resolution.")
    encoder_blocks: list[int] = option([2, 2, 4, 8], "Blocks of each level.")
    decoder_blocks: list[int] = option([2, 2, 2, 2], "Blocks of each level.")


class SCMRecipe(Recipe[SCMConfig]):
    """Train the correction of one-step estimates of the frozen generator.

    The true degraded latent is noised to a uniform timestep t, denoised in one step, decoded, and corrected with
    the clean image. The squared error to the true degraded image is weighted by
    `w_t = sqrt(abar_{t-1}) * sqrt(1 - abar_t)`: little where correction is easy (t near 0) or hopeless (near T).

    Args:
        config: settings.
        pipeline: the trained generator, which receives the module as its `scm`.
    """

    title = "Generator of image degradations with structure correction (GenDegPipeline)"

    def __init__(self, config: SCMConfig, pipeline: GenDegPipeline):
        super().__init__(config)
        self.pipeline = pipeline  # not a module: the frozen generator stays out of optimiser and checkpoints
        for frozen in (pipeline.vae, pipeline.unet, pipeline.conditioner, pipeline.text_encoder):
            frozen.requires_grad_(False).eval()
        self.scm = StructureCorrectionModule(
            config.width, config.middle_blocks, config.encoder_blocks, config.decoder_blocks
        )
        pipeline.register_modules(scm=self.scm)

    def prepare(self, device: torch.device) -> None:
        """Move the generator."""
        self.pipeline.to(device)
        self.pipeline.vae.to(memory_format=torch.channels_last)
        self.pipeline.unet.to(memory_format=torch.channels_last)

    def forward(self, batch: Batch) -> Tensor:
        """Weighted squared error of the corrected estimates, images in [-1, 1]."""
        estimate, weights = self._estimate(batch)
        clean, degraded = batch["clean"] * 2 - 1, batch["degraded"] * 2 - 1
        corrected = self.scm(clean, estimate * 2 - 1).float()
        return (weights * (corrected - degraded).square().mean(dim=(1, 2, 3))).mean()

    @torch.no_grad()
    def _estimate(self, batch: Batch) -> tuple[Tensor, Tensor]:
        """Decoded one-step estimates (B, 3, H, W) in [0, 1], and the weight w_t of each (B,)."""
        pipe, scheduler, config = self.pipeline, self.pipeline.scheduler, self.config
        images = torch.cat([batch["clean"], batch["degraded"]]).contiguous(memory_format=torch.channels_last)
        clean, degraded = encode_mode(pipe.vae, images).float().chunk(2)
        mu, sigma = batch["mu"], batch["sigma"]
        diffused = diffused_latents(pipe, degraded, clean, mu, sigma)
        generators = [item_generator(config.seed, int(index)) for index in batch["index"]]
        noise = torch.stack([torch.randn(diffused.shape[1:], generator=g) for g in generators]).to(diffused)
        levels = scheduler.config.num_train_timesteps
        timesteps = torch.cat([torch.randint(levels, (1,), generator=g) for g in generators]).to(diffused.device)
        noisy = add_noise(scheduler, diffused, noise, timesteps)
        severities = list(Severity(mu.cpu().double().numpy(), sigma.cpu().double().numpy()))
        embeds = pipe.condition(pipe.encode_prompt(batch["prompt"]), severities)
        prediction = pipe.unet(torch.cat([noisy, clean], dim=1), timesteps, embeds).sample.float()
        estimate = predict_original(scheduler, noisy, prediction, timesteps)
        estimate = degraded_latents(pipe, estimate, clean, mu, sigma)
        return decode_mode(pipe.vae, estimate).float(), correction_weights(scheduler, timesteps)

    def evaluate(self, items: Items) -> list[tuple[Tensor, Tensor]]:
        """The plain decoding of the true degraded image, and the corrected one."""
        return [self._decode(item) for item in items]

    def _decode(self, item: dict[str, Any]) -> tuple[Tensor, Tensor]:
        vae = self.pipeline.vae
        clean, degraded = (item[name][None].to(vae.device) for name in ("clean", "degraded"))
        plain = decode_mode(vae, encode_mode(vae, degraded)).float()
        corrected = (self.scm(clean * 2 - 1, plain * 2 - 1).float() / 2 + 0.5).clamp(0, 1)
        return plain[0].cpu(), corrected[0].cpu()

    def report(self, items: Items, results: list[Any], folder: Path, step: int) -> dict[str, float]:
        """PSNR of the plain decoding and of the corrected one to the true degraded image, and a sheet."""
        scores, columns = MeanByName(), []
        for item, (plain, corrected) in zip(items, results, strict=True):
            scores.add(f"psnr plain/{item['degradation']}", psnr(plain, item["degraded"]))
            scores.add(f"psnr corrected/{item['degradation']}", psnr(corrected, item["degraded"]))
            columns.append((item["degradation"], (item["clean"], item["degraded"], plain, corrected)))
        rows = ["clean", "degraded", "plain decoding", "corrected"]
        write_sheet(columns[:12], rows, folder / f"step-{step:07d}.png")
        return scores.means()

    def save(self, folder: Path, items: Items) -> None:
        """Write the whole pipeline, module included."""
        self.pipeline.save_pretrained(folder)


def load_trained_generator(config: SCMConfig) -> GenDegPipeline:
    """The generator whose images are to be corrected.

    Raises:
        InputError: `pipeline` is not set.
    """
    if config.pipeline is None:
        raise InputError("Give --pipeline: the folder of the trained generator (what train_generator.py wrote).")
    return GenDegPipeline.from_pretrained(find_model(config.pipeline), dtype=torch.float32)
