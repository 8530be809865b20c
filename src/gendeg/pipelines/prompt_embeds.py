"""What the UNet is told about the degradation: the prompt, with the severity mixed in (paper section 3.2)."""

import logging
from collections.abc import Sequence
from typing import Any

import torch
import torch.nn.functional as F
from torch import Tensor

from gendeg.errors import InputError, count_of, warn_once
from gendeg.models.conditioning import DegradationConditioner
from gendeg.pipelines.requests import check_embeds
from gendeg.severity import Severity, severity_one_hot

logger = logging.getLogger(__name__)

NO_SEVERITY = Severity(float("nan"), float("nan"))


def encode_texts(
    text_encoder: Any, tokenizer: Any, texts: Sequence[str], num_tokens: int, device: torch.device
) -> Tensor:
    """The text encoder's last hidden state, (B, num_tokens, D).

    Raises:
        InputError: something else than texts, or none.
    """
    return text_encoder(tokenize(tokenizer, texts, num_tokens).to(device))[0]


def tokenize(tokenizer: Any, texts: Sequence[str], num_tokens: int) -> Tensor:
    """Token numbers, (B, num_tokens).

    The tokenizer cuts texts that are longer than it or `num_tokens` allows, at its `truncation_side`; a warning says so
    once.

    Raises:
        InputError: something else than texts, or none.
    """
    if not isinstance(texts, (list, tuple)) or not texts or not all(isinstance(text, str) for text in texts):
        raise InputError(
            f"prompts={texts!r}; give a list of texts, at least one, e.g. ['a street, in hazy conditions']."
        )
    longest = min(tokenizer.model_max_length, num_tokens)
    if any(len(tokens) > longest for tokens in tokenizer(list(texts), verbose=False).input_ids):
        lost = "beginning" if tokenizer.truncation_side == "left" else "end, where the degradation is named"
        warn_once(logger, f"Prompts of more than {longest} tokens lose their {lost}; shorten the description.")
    tokens = tokenizer(list(texts), padding="max_length", truncation=True, max_length=longest, return_tensors="pt")
    return F.pad(tokens.input_ids, (0, num_tokens - longest), value=tokenizer.pad_token_id)


def mix_severities(
    conditioner: DegradationConditioner, prompt_embeds: Any, severities: Any, device: torch.device
) -> Tensor:
    """The cross-attention input of the UNet, (B, L, D): one severity for each text embedding.

    Args:
        conditioner: mixes them.
        prompt_embeds: (B, L, D), or (1, L, D) for all severities.
        severities: a list of B, or one `Severity` of a batch; NaN stands for "not given".
        device: to work on.

    Raises:
        InputError: no such tensor or severities, or another number of embeddings.
    """
    config = conditioner.config
    check_embeds("prompt_embeds", prompt_embeds, config.num_tokens, config.text_dim)
    severities = _list_severities(severities)
    if len(prompt_embeds) not in (1, len(severities)):
        raise InputError(
            f"prompt_embeds holds {count_of(len(prompt_embeds), 'prompt')} for {count_of(len(severities), 'image')}; "
            "give one for all, or one for each."
        )
    mu, sigma = [severity.mu for severity in severities], [severity.sigma for severity in severities]
    one_hot = severity_one_hot(mu, sigma, config.num_bins)
    embeds = prompt_embeds.to(device, conditioner.dtype).expand(len(severities), -1, -1)
    return conditioner(embeds, one_hot.to(embeds))


def _list_severities(severities: Any) -> list[Severity]:
    is_sequence = isinstance(severities, (list, tuple, Severity))
    listed = [severities[index] for index in range(len(severities))] if is_sequence else []
    if not listed or not all(isinstance(one, Severity) for one in listed):
        raise InputError(f"severities={severities!r}; give a list with one Severity for each image.")
    return listed
