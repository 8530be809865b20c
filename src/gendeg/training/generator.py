"""Recipe: the latent diffusion model that degrades photos (paper section 3.2)."""

import math
from collections.abc import Sequence, Set
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import torch
import torch.nn.functional as F
from diffusers.models.attention_processor import AttnProcessor
from torch import Tensor, nn

from gendeg.degradations import Degradation
from gendeg.errors import InputError
from gendeg.models.loading import find_model
from gendeg.output import GenDegOutput
from gendeg.pipelines.gendeg import GenDegPipeline
from gendeg.pipelines.latents import diffused_latents, encode_mode
from gendeg.pipelines.prompt_embeds import encode_texts
from gendeg.severity import MU_RANGE, SIGMA_RANGE, Severity, severity_one_hot
from gendeg.training.config import COUNT, NOT_NEGATIVE, SHARE, TrainingConfig, option
from gendeg.training.diffusion import add_noise, draw_timesteps, min_snr_weights, prediction_target
from gendeg.training.figures import severity_report, write_sheet
from gendeg.training.loading import item_generator
from gendeg.training.recipe import Batch, Items, Recipe

REGIONS = (2, 4, 8)  # sides, in latents


@dataclass
class GeneratorConfig(TrainingConfig):
    """Settings of `examples/train_generator.py`."""

    limits = TrainingConfig.limits | {
        "projection_learning_rate": NOT_NEGATIVE,
        "drop_text": SHARE,
        "drop_image": SHARE,
        "drop_both": SHARE,
        "noise_draws": COUNT,
        "mid_noise_share": SHARE,
        "min_snr_gamma": NOT_NEGATIVE,
        "change_scale": NOT_NEGATIVE,
        "teacher_guidance": (1, math.inf),
        "teacher_guidance_below": NOT_NEGATIVE,
        "multiscale_weight": NOT_NEGATIVE,
    }

    pipeline: str | None = option(None, "GenDegPipeline to train: a folder, a hub name, or gendeg-tiny.")
    base_model: str | None = option(None, "Stable Diffusion 1.x to start from instead.")
    projection_learning_rate: float = option(1e-3, "Of the conditioner's two projections.")
    train_text_encoder: bool = option(False, "Train the text encoder too (frozen in the paper).")
    drop_text: float = option(0.05, "Share of samples without text and severity.")
    drop_image: float = option(0.05, "Share of samples without clean image.")
    drop_both: float = option(0.05, "Share of samples without either.")
    noise_draws: int = option(1, "Noises drawn for each pair: making and encoding it can cost more than denoising.")
    mid_noise_share: float = option(0.0, "Share of samples mostly at medium noise, where flakes and drops take shape.")
    min_snr_gamma: float | None = option(None, "Min-SNR weighting (arXiv 2303.09556), e.g. 5.")
    change_scale: float | None = option(None, "Diffuse the change, so scaled. By default as the pipeline does.")
    teacher: str | None = option(None, "GenDegPipeline, named likewise, whose predictions are learnt, not pairs.")
    teacher_guidance: float = option(3.5, "The guidance_scale under which it predicts.")
    teacher_guidance_below: int = option(750, "Timesteps below which it is guided; above, severity overshoots.")
    taught_degradations: list[str] = option(
        [name.value for name in Degradation], "What it teaches, alone or in mixtures; the rest is learnt from pairs."
    )
    guided_degradations: list[str] = option(
        [name.value for name in Degradation], "What it is guided for of these, alone or in mixtures."
    )
    multiscale_weight: float = option(0.0, "Weight of errors over whole regions, see multiscale_error.")
    compile: bool = option(False, "Compile the UNet with torch.compile.")


class GeneratorRecipe(Recipe[GeneratorConfig]):
    """Train UNet and conditioner of a `GenDegPipeline` to denoise the degraded latent beside the clean one.

    The scheduler of the pipeline decides noise levels and what is predicted (noise or v). Timesteps are uniform but for
    `mid_noise_share`. The UNet's weights are averaged over time, the conditioner's are not.

    With a teacher it learns instead, without guidance, what the teacher predicts under guidance (guidance distillation,
    arXiv 2210.03142; below a timestep only, arXiv 2404.07724): more distinct degradations for the price of one
    prediction instead of two.

    Args:
        config: settings.
        pipeline: what to train; its components are changed in place.
        teacher: what to learn from, see `load_teacher`; by default the pairs themselves.

    Raises:
        UnknownDegradationError: one of `taught_degradations` or `guided_degradations` is none.
    """

    title = "Generator of image degradations (GenDegPipeline)"

    def __init__(self, config: GeneratorConfig, pipeline: GenDegPipeline, teacher: GenDegPipeline | None = None):
        super().__init__(config)
        self.pipeline = pipeline  # not a module: the frozen autoencoder stays out of optimiser and checkpoints
        self.teacher = teacher
        self.taught_degradations = {Degradation(name) for name in config.taught_degradations}
        self.guided_degradations = {Degradation(name) for name in config.guided_degradations}
        pipeline.vae.requires_grad_(False)
        pipeline.text_encoder.requires_grad_(config.train_text_encoder)
        pipeline.set_progress_bar_config(disable=True)
        self.unet = pipeline.unet
        self.conditioner = pipeline.conditioner
        if config.train_text_encoder:
            self.text_encoder = pipeline.text_encoder
        if config.compile:
            self.unet.compile()

    def prepare(self, device: torch.device) -> None:
        """Move what is not trained. On a CPU plain attention trains a fifth faster than the fused kernel."""
        self.pipeline.vae.to(device, memory_format=torch.channels_last)
        self.pipeline.text_encoder.to(device)
        unets = [self.unet]
        if self.teacher:
            self.teacher.to(device)
            unets.append(self.teacher.unet.to(memory_format=torch.channels_last))
        if device.type == "cpu":
            for unet in unets:
                unet.set_attn_processor(AttnProcessor())

    def parameter_groups(self) -> list[dict[str, Any]]:
        """The projections learn faster than the UNet (the authors' program: 1e-3 beside 1e-4)."""
        groups: list[dict[str, Any]] = [
            {"params": list(self.unet.parameters())},
            {"params": list(self.conditioner.parameters()), "lr": self.config.projection_learning_rate},
        ]
        if self.config.train_text_encoder:
            groups.append({"params": list(self.text_encoder.parameters())})
        return groups

    def averaged(self) -> nn.Module:
        """The UNet alone."""
        return self.unet

    def forward(self, batch: Batch) -> Tensor:
        """Denoising loss."""
        scheduler = self.pipeline.scheduler
        clean, diffused = (latents.repeat_interleave(self.config.noise_draws, 0) for latents in self._encode(batch))
        noise, timesteps, keeps_text, keeps_image = self._draw(batch["index"], diffused)
        noisy = add_noise(scheduler, diffused, noise, timesteps)
        inputs = torch.cat([noisy, clean * keeps_image[:, None, None, None]], dim=1)
        inputs = inputs.contiguous(memory_format=torch.channels_last)
        target = prediction_target(scheduler, diffused, noise, timesteps)
        if self.teacher:
            is_taught = self._shows(batch, self.taught_degradations, target.device)
            target = target.clone()
            target[is_taught] = self._taught(self.teacher, is_taught, inputs, timesteps, batch, keeps_text)
        prediction = self.unet(inputs, timesteps, self._condition(self.pipeline, batch, keeps_text)).sample.float()
        per_item = multiscale_error(prediction - target, self.config.multiscale_weight)
        if self.config.min_snr_gamma:
            per_item = per_item * min_snr_weights(scheduler, timesteps, self.config.min_snr_gamma)
        return per_item.mean()

    @torch.no_grad()
    def _taught(
        self,
        teacher: GenDegPipeline,
        is_taught: Tensor,
        inputs: Tensor,
        timesteps: Tensor,
        batch: Batch,
        keeps_text: Tensor,
    ) -> Tensor:
        """What a teacher predicts for the draws where `is_taught`; with guidance where the settings say so."""
        config = self.config
        guided = self._shows(batch, self.guided_degradations, inputs.device)
        guided &= keeps_text & (timesteps < config.teacher_guidance_below) & (config.teacher_guidance != 1)
        guided = guided[is_taught]
        embeds = self._condition(teacher, batch, keeps_text)[is_taught]
        inputs, timesteps = inputs[is_taught], timesteps[is_taught]
        prediction = _predict(teacher, inputs, timesteps, embeds)
        null_embeds = teacher.null_embeds().expand(int(guided.sum()), -1, -1)
        null = _predict(teacher, inputs[guided], timesteps[guided], null_embeds)
        prediction[guided] = null + config.teacher_guidance * (prediction[guided] - null)
        return prediction

    def _shows(self, batch: Batch, degradations: Set[Degradation], device: torch.device) -> Tensor:
        """Which draws show one of the degradations, alone or in a mixture."""
        shows = [not degradations.isdisjoint(name.split("+")) for name in batch["degradation"]]
        return torch.tensor(shows, dtype=torch.bool, device=device).repeat_interleave(self.config.noise_draws)

    @torch.no_grad()
    def _encode(self, batch: Batch) -> tuple[Tensor, Tensor]:
        """Clean latents, unscaled, and what is diffused."""
        images = torch.cat([batch["clean"], batch["degraded"]]).contiguous(memory_format=torch.channels_last)
        clean, degraded = encode_mode(self.pipeline.vae, images).float().chunk(2)
        return clean, diffused_latents(self.pipeline, degraded, clean, batch["mu"], batch["sigma"])

    def _draw(self, indices: Tensor, latents: Tensor) -> tuple[Tensor, Tensor, Tensor, Tensor]:
        """Noise, timestep, and which conditions to keep, of each draw: functions of its item's index alone."""
        config, levels, device = self.config, self.pipeline.scheduler.config.num_train_timesteps, latents.device
        draws, share = config.noise_draws, config.mid_noise_share
        generators = [item_generator(config.seed, index, device) for index in indices.tolist()]
        shape = (draws, *latents.shape[1:])
        noise = torch.cat([torch.randn(shape, generator=g, device=device) for g in generators])
        timesteps = torch.cat([draw_timesteps(g, draws, levels, share) for g in generators])
        chance = torch.cat([torch.rand(draws, generator=g, device=device) for g in generators])
        drops_text = chance < config.drop_text + config.drop_both
        drops_image = (chance >= config.drop_text) & (chance < config.drop_text + config.drop_both + config.drop_image)
        return noise, timesteps, ~drops_text, ~drops_image

    def _condition(self, pipeline: GenDegPipeline, batch: Batch, keeps_text: Tensor) -> Tensor:
        """Cross-attention input (B, L, D) of each draw; without text the severity is left out too."""
        draws, prompts, conditioner = self.config.noise_draws, batch["prompt"], pipeline.conditioner
        tokens, device = conditioner.config.num_tokens, keeps_text.device
        embeds = encode_texts(pipeline.text_encoder, pipeline.tokenizer, [*prompts, ""], tokens, device)
        rows = torch.arange(len(prompts), device=device).repeat_interleave(draws)
        rows = torch.where(keeps_text, rows, len(prompts))  # the empty prompt
        mu, sigma = (batch[name].repeat_interleave(draws) for name in ("mu", "sigma"))
        mu, sigma = (value.masked_fill(~keeps_text, torch.nan).cpu() for value in (mu, sigma))
        severity = severity_one_hot(mu, sigma, conditioner.config.num_bins)
        return conditioner(embeds[rows], severity.to(embeds))

    def evaluate(self, items: Items) -> list[tuple[Tensor, Severity, Severity]]:
        """Generate held-out pairs anew: image, requested and achieved severity of each."""
        size = self.config.batch_size  # what fits into memory in training
        parts = [self._generate(items[start : start + size]) for start in range(0, len(items), size)]
        return [one for part in parts for one in zip(part.images.cpu(), part.requested, part.achieved, strict=True)]

    def report(self, items: Items, results: list[Any], folder: Path, step: int) -> dict[str, float]:
        """A sheet (clean, degraded, generated), a severity scatter plot, and its numbers."""
        images, requested, achieved = zip(*results, strict=True)
        names = [item["degradation"] for item in items]
        shown = [(item["clean"], item["degraded"], image) for item, image in zip(items, images, strict=True)]
        columns = list(zip(names, shown, strict=True))[:16]
        write_sheet(columns, ["clean", "degraded", "generated"], folder / f"step-{step:07d}.png")
        return severity_report(_joined(requested), _joined(achieved), names, folder / f"severity-{step:07d}.png")

    def _generate(self, items: Items) -> GenDegOutput:
        return self.pipeline(
            [item["clean"] for item in items],
            [item["degradation"] for item in items],
            [min(item["mu"].item(), MU_RANGE[1]) for item in items],  # beyond its range a severity is in the last bin
            [min(item["sigma"].item(), SIGMA_RANGE[1]) for item in items],
            [item["prompt"] for item in items],
            generator=[torch.Generator().manual_seed(item["index"]) for item in items],
            output_type="pt",
        )

    def save(self, folder: Path, items: Items) -> None:
        """Write the whole pipeline."""
        self.pipeline.save_pretrained(folder)


def _predict(pipeline: GenDegPipeline, inputs: Tensor, timesteps: Tensor, embeds: Tensor) -> Tensor:
    """What the UNet predicts; empty for an empty batch, which some of its layers refuse."""
    if not len(inputs):
        return inputs[:, : pipeline.unet.config.out_channels].float()
    return pipeline.unet(inputs, timesteps, embeds).sample.float()


def _joined(severities: Sequence[Severity]) -> Severity:
    """Severities of single images as one batch."""
    return Severity(np.array([one.mu for one in severities]), np.array([one.sigma for one in severities]))


def multiscale_error(error: Tensor, weight: float) -> Tensor:
    """Squared error (B,) of each item, with what is wrong over whole regions counted more.

    Few coefficients of an image are low frequencies, and the eye sees first when they are wrong: as blotches. So the
    errors averaged over s x s latents, s = 2, 4, 8, are added with weight `weight * s` (a multiscale loss, as in simple
    diffusion, arXiv 2301.11093).

    Args:
        error: difference of prediction and target (B, C, h, w).
        weight: 0 is the plain mean squared error.

    Raises:
        InputError: a weight, and latents smaller than 8 x 8.
    """
    total = error.square().mean(dim=(1, 2, 3))
    if not weight:
        return total
    height, width = error.shape[-2:]
    if min(height, width) < max(REGIONS):
        raise InputError(f"multiscale_weight needs 8 x 8 latents or more, not {height} x {width}. Use larger crops.")
    for side in REGIONS:
        total = total + weight * side * F.avg_pool2d(error, side).square().mean(dim=(1, 2, 3))
    return total


def load_generator(config: GeneratorConfig) -> GenDegPipeline:
    """The pipeline that a generator run starts from.

    Raises:
        InputError: not exactly one of `pipeline` and `base_model` is set.
    """
    if (config.pipeline is None) == (config.base_model is None):
        raise InputError("Give either --pipeline (a GenDegPipeline) or --base-model (a Stable Diffusion 1.x).")
    settings = {} if config.change_scale is None else {"change_scale": config.change_scale}
    if config.base_model is not None:
        return GenDegPipeline.from_stable_diffusion(config.base_model, **settings)
    return GenDegPipeline.from_pretrained(find_model(str(config.pipeline)), dtype=torch.float32, **settings)


def load_teacher(config: GeneratorConfig, student: GenDegPipeline) -> GenDegPipeline | None:
    """The pipeline that a student learns from; None where it learns from pairs.

    Raises:
        InputError: settings of a teacher without one, the result would replace it, or it predicts something else than
            the student: of other latents, at other noise levels, or another quantity.
    """
    if config.teacher is None:
        _check_no_teacher(config)
        return None
    if Path(config.teacher).resolve() == Path(config.output_dir).resolve():
        raise InputError(
            f"The result would replace its teacher, {config.teacher}, and --resume then learn from itself; give "
            "another --output-dir."
        )
    teacher = GenDegPipeline.from_pretrained(find_model(config.teacher), dtype=torch.float32)
    if differing := [name for name, same in _same_task(student, teacher).items() if not same]:
        raise InputError(
            f"The teacher {config.teacher} and what learns from it differ in {', '.join(differing)}; give one that "
            "predicts the same, e.g. what --pipeline itself is."
        )
    return teacher


def _check_no_teacher(config: GeneratorConfig) -> None:
    defaults = GeneratorConfig()
    names = ("teacher_guidance", "teacher_guidance_below", "taught_degradations", "guided_degradations")
    if given := [name for name in names if getattr(config, name) != getattr(defaults, name)]:
        raise InputError(f"{', '.join(given)}: of a teacher, and there is none; name the pipeline with --teacher.")


def _same_task(student: GenDegPipeline, teacher: GenDegPipeline) -> dict[str, bool]:
    """Whether both predict the same quantity of the same latents at the same noise levels."""
    own, other = student.vae.state_dict(), teacher.vae.state_dict()
    return {
        "autoencoder": own.keys() == other.keys() and all(_agree(own[name], other[name]) for name in own),
        "scaling_factor": student.vae.config.scaling_factor == teacher.vae.config.scaling_factor,
        "change_scale": student.config.change_scale == teacher.config.change_scale,
        "noise levels": _agree(student.scheduler.alphas_cumprod, teacher.scheduler.alphas_cumprod),
        "prediction_type": student.scheduler.config.prediction_type == teacher.scheduler.config.prediction_type,
    }


def _agree(own: Tensor, other: Tensor) -> bool:
    """Up to float16, in which one of both may have been stored, and the least signal that some schedulers keep."""
    return own.shape == other.shape and torch.allclose(own.float(), other.float(), rtol=1e-3, atol=1e-5)
