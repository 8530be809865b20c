"""Classifier-free guidance over three branches (InstructPix2Pix; the authors' sampler, METHOD: paper section 3.2)."""

from collections.abc import Callable

import torch
from torch import Tensor


def branch_weights(guidance_scale: float, image_guidance_scale: float) -> dict[str, float]:
    """Weight of each branch in the guided prediction; branches with weight 0 are left out.

    `e = e(0,0) + s_img * (e(img,0) - e(0,0)) + s_txt * (e(img,txt) - e(img,0))`, sorted by branch:
    `"none"` sees neither image nor text, `"image"` the clean image only, `"full"` both.
    """
    weights = {
        "none": 1 - image_guidance_scale,
        "image": image_guidance_scale - guidance_scale,
        "full": guidance_scale,
    }
    return {branch: weight for branch, weight in weights.items() if weight != 0}


def guided_prediction(
    predict: Callable[[Tensor, Tensor], Tensor],
    latents: Tensor,
    image_latents: Tensor,
    embeds: Tensor,
    null_embeds: Tensor,
    weights: dict[str, float],
) -> Tensor:
    """The UNet's prediction under guidance; all branches go through it as one batch.

    Args:
        predict: the UNet at the current timestep: 8-channel input (n, 2C, h, w), embeddings (n, L, D) -> (n, C, h, w).
        latents: noisy latents as the scheduler scales them, (B, C, h, w).
        image_latents: clean latents, unscaled, (B, C, h, w).
        embeds: conditioned embeddings (B, L, D).
        null_embeds: embeddings of no text and no severity, (1, L, D).
        weights: what `branch_weights` returned.

    Returns:
        The weighted sum of the branches, (B, C, h, w).
    """
    nothing = null_embeds.expand_as(embeds)
    conditions = {
        "none": (torch.zeros_like(image_latents), nothing),
        "image": (image_latents, nothing),
        "full": (image_latents, embeds),
    }
    branches = [conditions[branch] for branch in weights]
    inputs = torch.cat([torch.cat([latents, image], dim=1) for image, _ in branches])
    predictions = predict(inputs, torch.cat([text for _, text in branches])).chunk(len(branches))
    return sum((w * p for w, p in zip(weights.values(), predictions, strict=True)), start=torch.zeros_like(latents))
