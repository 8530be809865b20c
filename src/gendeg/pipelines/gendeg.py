"""`GenDegPipeline`: clean photos in, degraded photos with aligned targets and measured severity out."""

import os
from collections.abc import Sequence
from pathlib import Path
from typing import Any, ClassVar

import torch
from diffusers import DiffusionPipeline
from torch import Tensor

from gendeg.arguments import check_path, count_results
from gendeg.checkpoints import describe_source
from gendeg.conversion import load_original_components, load_stable_diffusion_components
from gendeg.errors import CheckpointError, InputError, first_line
from gendeg.models.conditioning import DegradationConditioner
from gendeg.models.scm import StructureCorrectionModule
from gendeg.output import OUTPUT_TYPES, GenDegOutput
from gendeg.pipelines.alignment import choose_alignment
from gendeg.pipelines.denoising import Conditions, StepCallback, check_callback, check_scheduler, denoise
from gendeg.pipelines.finishing import finish, finish_latents
from gendeg.pipelines.folder import check_folder, check_source
from gendeg.pipelines.guidance import branch_weights
from gendeg.pipelines.latents import degraded_latents
from gendeg.pipelines.prepared import Photos, PreparedImage, group_by_size, prepare_photos
from gendeg.pipelines.prompt_embeds import NO_SEVERITY, encode_texts, mix_severities
from gendeg.pipelines.requests import (
    Generator,
    attainable_severity,
    build_requests,
    check_guidance,
    check_latents,
    check_null_embeds,
    check_steps,
)
from gendeg.priors import SeverityPrior
from gendeg.severity import Severity


class GenDegPipeline(DiffusionPipeline):
    """Degrade clean photos with a latent diffusion model conditioned on photo, prompt and severity (CVPR 2025).

    `pipe.vae.enable_slicing()` works with any autoencoder, `pipe.vae.enable_tiling()` only with an `AutoencoderKL` or
    with an `AutoencoderTiny` of 4 latent channels and 8 pixels per latent, which that of `gendeg-tiny` is not.

    Args:
        vae: `AutoencoderKL` or `AutoencoderTiny`.
        text_encoder: `CLIPTextModel`, frozen in the paper.
        tokenizer: `CLIPTokenizer` of the text encoder.
        unet: `UNet2DConditionModel` with twice the latent channels as input: noisy latent, clean latent.
        conditioner: `DegradationConditioner`, which mixes the severity into the text embeddings.
        scheduler: a diffusers scheduler of DDPM's noise schedule whose `step` takes prediction, timestep and sample,
            e.g. `DDIMScheduler`, `DPMSolverMultistepScheduler`, `EulerDiscreteScheduler`; eps- or v-prediction.
        scm: `StructureCorrectionModule`, needed by the alignments `"scm"` and `"paper"`.
        alignment: what `alignment="auto"` means for this checkpoint.
        num_inference_steps, guidance_scale, image_guidance_scale: defaults of a call. Those here are the authors'
            (100 steps, 7.5 and 1.5).
        change_scale: None diffuses the degraded latent, as the paper does. A number diffuses the change of the latent
            relative to the requested severity, times this number; see `gendeg.pipelines.latents`.
    """

    model_cpu_offload_seq = "text_encoder->conditioner->unet->vae->scm"
    _optional_components: ClassVar[list[str]] = ["scm"]
    _callback_tensor_inputs: ClassVar[list[str]] = ["latents"]

    def __init__(
        self,
        vae: Any,
        text_encoder: Any,
        tokenizer: Any,
        unet: Any,
        conditioner: DegradationConditioner,
        scheduler: Any,
        scm: StructureCorrectionModule | None = None,
        alignment: str = "paper",
        num_inference_steps: int = 100,
        guidance_scale: float = 7.5,
        image_guidance_scale: float = 1.5,
        change_scale: float | None = None,
    ) -> None:
        super().__init__()
        self.register_modules(
            vae=vae,
            text_encoder=text_encoder,
            tokenizer=tokenizer,
            unet=unet,
            conditioner=conditioner,
            scheduler=scheduler,
            scm=scm,
        )
        self.register_to_config(
            alignment=alignment,
            num_inference_steps=num_inference_steps,
            guidance_scale=guidance_scale,
            image_guidance_scale=image_guidance_scale,
            change_scale=change_scale,
        )

    @classmethod
    def from_pretrained(cls, name_or_path: str | os.PathLike[str], **kwargs: Any) -> "GenDegPipeline":
        """Load a pipeline that `save_pretrained`, `gendeg convert` or a training wrote.

        Args:
            name_or_path: its folder, or its name on the hub.
            **kwargs: of diffusers' `from_pretrained`, e.g. `dtype`; components and settings by name.

        Raises:
            CheckpointError: no such pipeline; of a broken one the message names what is missing or damaged.
            InputError: not a folder's or hub's name at all.
        """
        check_path("name_or_path", name_or_path)
        check_source(name_or_path)
        try:
            folder = name_or_path if os.path.exists(name_or_path) else cls.download(name_or_path, **kwargs)
            check_folder(Path(folder), kwargs)
            return super().from_pretrained(folder, **kwargs)
        except (OSError, ValueError, KeyError, TypeError, AttributeError, ImportError, RuntimeError) as error:
            message = f"Cannot load a GenDegPipeline from {describe_source(name_or_path)}: {first_line(error)}"
            raise CheckpointError(message) from error

    @classmethod
    def from_original_checkpoint(
        cls,
        checkpoint: str | os.PathLike[str],
        config: str | os.PathLike[str],
        *,
        scm_checkpoint: str | os.PathLike[str] | None = None,
        tokenizer: Any = None,
        text_encoder_config: Any = None,
        use_ema: bool = True,
        **settings: Any,
    ) -> "GenDegPipeline":
        """Load the authors' files.

        Args:
            checkpoint: their Lightning checkpoint (LDM layout).
            config: their YAML, from which the sizes and the noise schedule are read.
            scm_checkpoint: their Structure Correction Module; without it the alignments that need one refuse.
            tokenizer: a `CLIPTokenizer` or its folder; None fetches CLIP-L's from the hub.
            text_encoder_config: a `CLIPTextConfig`, dict or JSON path; None deduces it from the weights.
            use_ema: take the averaged UNet weights, as the authors' sampler does; False takes the raw ones.
            **settings: `alignment` and the defaults of a call, see the class.

        Raises:
            CheckpointError: a file is missing, broken, unsafe, of another model or does not fit the YAML; the averaged
                weights are wanted and not there; the tokenizer is out of reach.
            InputError: `checkpoint` or `config` is not a path at all.
        """
        components = load_original_components(
            checkpoint,
            config,
            scm_checkpoint=scm_checkpoint,
            tokenizer=tokenizer,
            text_encoder_config=text_encoder_config,
            use_ema=use_ema,
        )
        if components["scm"] is None:
            settings.setdefault("alignment", "transfer")
        return cls(**components, **settings)

    @classmethod
    def from_stable_diffusion(cls, name_or_path: str | os.PathLike[str], **settings: Any) -> "GenDegPipeline":
        """A pipeline to be trained: Stable Diffusion with a UNet widened to 8 channels and a fresh conditioner.

        Args:
            name_or_path: a diffusers-layout Stable Diffusion 1.x, hub name or folder.
            **settings: `alignment` and the defaults of a call, see the class.

        Raises:
            CheckpointError: not reachable, not such a model, or weights of one are missing.
            InputError: not a folder's or hub's name at all, or a UNet with more than twice the latent channels.
        """
        settings.setdefault("alignment", "transfer")
        return cls(**load_stable_diffusion_components(name_or_path), **settings)

    @torch.no_grad()
    def __call__(
        self,
        image: Photos,
        degradation: Any,
        mu: float | Sequence[float | None] | None = None,
        sigma: float | Sequence[float | None] | None = None,
        prompt: str | Sequence[str | None] | None = None,
        *,
        alignment: str = "auto",
        calibrate: bool = False,
        resolution: int | None = None,
        num_inference_steps: int | None = None,
        guidance_scale: float | None = None,
        image_guidance_scale: float | None = None,
        generator: Generator = None,
        latents: Tensor | Sequence[Tensor] | None = None,
        prompt_embeds: Tensor | None = None,
        negative_prompt_embeds: Tensor | None = None,
        prior: SeverityPrior | None = None,
        output_type: str = "pil",
        callback_on_step_end: StepCallback | None = None,
    ) -> GenDegOutput:
        """Degrade one photo or many.

        `degradation`, `mu`, `sigma`, `prompt` are one value for all photos or a list with one per photo. One photo
        with lists (of generators, `latents`, `prompt_embeds` too) gives one result per entry; it is encoded once.

        Args:
            image: PIL image, array (H, W, 3), tensor (3, H, W), a list or batch of those (sizes may differ), or what
                `prepare_images` returned.
            degradation: name or alias, or a mixture such as `"rain+haze"`, whose first part leads.
            mu: mean of the degradation map, in [0, 0.7]; None draws it from the prior. A photo too dark to lose so much
                light gets the strongest low light that it can have, alone or leading a mixture.
            sigma: its standard deviation, in [0, 0.4]; None draws it from the prior given mu. With `change_scale` low
                light, alone or leading a mixture, gets at most what a rather uneven exposure of the photo has.
            prompt: description of the scene, to which the degradation's phrase is appended. One that already ends in
                such a phrase is used as given; None means the phrase alone.
            alignment: `"auto"` (the checkpoint's default), `"transfer"`, `"paper"`, `"scm"`, `"target"` or `"none"`;
                see `gendeg.pipelines.alignment`.
            calibrate: scale the degradation map so that mu is met; `output.calibrated` says where it was.
            resolution: short side in pixels to work at. None works at the photo's own size up to the generator's
                native area, and at that area beyond it. The result always has the photo's own size. Not with
                prepared photos.
            num_inference_steps: denoising steps; None takes the checkpoint's default.
            guidance_scale: text and severity guidance; None takes the checkpoint's default. 1 costs nothing.
            image_guidance_scale: guidance by the clean photo; likewise.
            generator: source of all randomness. One generator draws in order: severities left out, then, for each
                working size, the initial latents and step by step. A list gives each image its own, so that a sample
                does not depend on its batch.
            latents: initial noise of unit variance, (B, C, h, w), or one (C, h, w) per image.
            prompt_embeds: precomputed by `encode_prompt`, (B, L, D) or (1, L, D), before the severity is mixed in.
            negative_prompt_embeds: precomputed by `null_embeds`, (1, L, D); read under guidance only.
            prior: draws severities left out; None for the published one.
            output_type: `"pil"`, `"np"`, `"pt"` or `"latent"`. The last returns the scaled latents as list, with
                unscaled clean latents as targets; nothing is aligned and achieved is NaN.
            callback_on_step_end: called as `callback(pipe, step, timestep, {"latents": ...})` with what is diffused;
                may return changed latents.

        Returns:
            Degraded images, targets, requested and achieved severities.

        Raises:
            InputError: an argument cannot be used; the message says what is accepted.
            CheckpointError: the networks returned NaN.
        """
        if output_type not in (*OUTPUT_TYPES, "latent"):
            accepted = ", ".join(map(repr, (*OUTPUT_TYPES, "latent")))
            raise InputError(f"output_type={output_type!r} is not one of {accepted}.")
        check_callback(callback_on_step_end)
        check_scheduler(self.scheduler)
        steps, text_scale, image_scale = self._sampling(num_inference_steps, guidance_scale, image_guidance_scale)

        # 1. One prepared photo, one request and one rule of alignment per result
        photos = self.prepare_images(image, resolution)
        lists = {"degradation": degradation, "mu": mu, "sigma": sigma, "prompt": prompt, "generator": generator}
        # one embedding serves any number of results
        one_for_all = isinstance(prompt_embeds, Tensor) and prompt_embeds.shape[:1] == (1,)
        own_embeds = None if one_for_all else prompt_embeds
        count = count_results(len(photos), **lists, latents=latents, prompt_embeds=own_embeds)
        photos = photos if len(photos) == count else photos * count
        noise = None if latents is None else check_latents(latents, [photo.latents.shape for photo in photos])
        requests = build_requests(count, degradation, mu, sigma, prompt, prior, generator)
        severities = [request.severity for request in requests]
        is_relative = self.config.change_scale is not None
        asked = [
            attainable_severity(request, photo.working, is_relative=is_relative)
            for request, photo in zip(requests, photos, strict=True)
        ]
        rules = [
            choose_alignment(alignment, self.config.alignment, request.mixture, self.scm is not None)
            for request in requests
        ]

        # 2. Text with the severity mixed in; neither of both where guidance compares with that
        if prompt_embeds is None:
            prompt_embeds = self.encode_prompt([request.prompt for request in requests])
        embeds = self.condition(prompt_embeds, asked)
        weights = branch_weights(text_scale, image_scale)
        if negative_prompt_embeds is not None:
            check_null_embeds(negative_prompt_embeds, embeds)
        elif weights.keys() - {"full"}:
            negative_prompt_embeds = self.null_embeds()

        # 3. Denoise, together where the working sizes agree
        results: list[Tensor] = [torch.empty(0)] * count
        for members in group_by_size(photos):
            clean = torch.stack([photos[i].latents for i in members])
            diffused = denoise(
                self,
                Conditions(clean, embeds[members], negative_prompt_embeds, weights),
                steps,
                [generator[i] for i in members] if isinstance(generator, (list, tuple)) else generator,
                None if noise is None else torch.stack([noise[i] for i in members]),
                callback_on_step_end,
            )
            mus, sigmas = torch.tensor([(asked[i].mu, asked[i].sigma) for i in members]).T
            degraded = degraded_latents(self, diffused, clean.to(diffused), mus, sigmas)
            for i, own in zip(members, degraded, strict=True):
                results[i] = own

        # 4. Decode, align, calibrate, measure
        if output_type == "latent":
            output = finish_latents(self, photos, severities, results)
        else:
            output = finish(self, photos, severities, rules, results, calibrate, output_type)
        self.maybe_free_model_hooks()
        return output

    @torch.no_grad()
    def prepare_images(self, image: Photos, resolution: int | None = None) -> list[PreparedImage]:
        """Encode photos once, for any number of calls.

        Args:
            image: what a call accepts; prepared photos are returned as they are.
            resolution: short side in pixels to work at, see the call; not with prepared photos.

        Returns:
            One `PreparedImage` per photo.

        Raises:
            ImageError: not images, or too small.
            InputError: `resolution` is not a whole number of at least 32, or given with prepared photos; or the
                autoencoder cannot be tiled as it is asked to.
        """
        return prepare_photos(self, image, resolution)

    @torch.no_grad()
    def encode_prompt(self, prompts: str | Sequence[str]) -> Tensor:
        """Text embeddings (B, L, D) before the severity is mixed in, one per prompt; reusable as `prompt_embeds`.

        Raises:
            InputError: not texts.
        """
        texts = [prompts] if isinstance(prompts, str) else prompts
        num_tokens = self.conditioner.config.num_tokens
        return encode_texts(self.text_encoder, self.tokenizer, texts, num_tokens, self._execution_device)

    @torch.no_grad()
    def condition(self, prompt_embeds: Tensor, severities: Sequence[Severity] | Severity) -> Tensor:
        """Mix severities into text embeddings (paper section 3.2).

        Args:
            prompt_embeds: (B, L, D), or (1, L, D) for all.
            severities: one per image; NaN stands for "not given".

        Returns:
            The UNet's cross-attention input, (B, L, D).

        Raises:
            InputError: not such a tensor or severities, or another number of embeddings than 1 or one per image.
        """
        return mix_severities(self.conditioner, prompt_embeds, severities, self._execution_device)

    @torch.no_grad()
    def null_embeds(self) -> Tensor:
        """The cross-attention input without text and severity, (1, L, D); reusable as `negative_prompt_embeds`."""
        return self.condition(self.encode_prompt([""]), [NO_SEVERITY])

    def _sampling(self, steps: Any, text_scale: Any, image_scale: Any) -> tuple[int, float, float]:
        """Steps and guidance scales of a call, checked; those that are None are the checkpoint's."""
        given = {"num_inference_steps": steps, "guidance_scale": text_scale, "image_guidance_scale": image_scale}
        chosen = {name: self.config[name] if value is None else value for name, value in given.items()}
        return (
            check_steps(chosen["num_inference_steps"], self.scheduler.config.num_train_timesteps),
            check_guidance("guidance_scale", chosen["guidance_scale"]),
            check_guidance("image_guidance_scale", chosen["image_guidance_scale"]),
        )
