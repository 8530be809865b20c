"""Classifier-free guidance over three branches (InstructPix2Pix, and the authors' sampler)."""

from collections.abc import Callable
from typing import Any

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
    null_embeds: Tensor | None,
    weights: dict[str, float],
) -> Tensor:
    """The UNet's prediction under guidance; all branches go through it as one batch.

    Args:
        predict: the UNet at the current timestep: input (n, 2C, h, w), embeddings (n, L, D) -> (n, C, h, w).
        latents: noisy latents as the scheduler scales them, (B, C, h, w).
        image_latents: clean latents, unscaled, (B, C, h, w).
        embeds: conditioned embeddings (B, L, D).
        null_embeds: embeddings of no text and no severity, (1, L, D); None where `"full"` is the only branch.
        weights: what `branch_weights` returned.

    Returns:
        The weighted sum of the branches, (B, C, h, w).
    """
    images = {"none": torch.zeros_like(image_latents), "image": image_latents, "full": image_latents}
    texts: dict[str, Any] = {"none": null_embeds, "image": null_embeds, "full": embeds}
    inputs = torch.cat([torch.cat([latents, images[branch]], dim=1) for branch in weights])
    text = torch.cat([texts[branch].expand_as(embeds) for branch in weights])
    predictions = predict(inputs, text).chunk(len(weights))
    return sum((w * p for w, p in zip(weights.values(), predictions, strict=True)), start=torch.zeros_like(latents))
