"""The conditioning network: tells the UNet how strong the degradation shall be (paper section 3.2)."""

import math

import torch
from diffusers import ConfigMixin, ModelMixin
from diffusers.configuration_utils import register_to_config
from torch import Tensor, nn

from gendeg.arguments import read_count
from gendeg.errors import InputError


class DegradationConditioner(ModelMixin, ConfigMixin):
    """Mix the severity, as two one-hot bins, into the prompt's token embeddings.

        p = stats_proj(severity)                    (B, 2, num_bins + 1) -> (B, 2, num_tokens), transposed
        c = cc_projection(concat(prompt, p))        (B, num_tokens, text_dim + 2) -> (B, num_tokens, text_dim)

    `c` is the UNet's cross-attention input. The last bin is the null bin, "no severity given". `cc_projection` starts
    as the identity on the prompt, so that a pretrained UNet sees at first what it was trained on.

    Args:
        text_dim: width of the text encoder's hidden states; 768 for Stable Diffusion 1.5.
        num_tokens: length of the token sequence.
        num_bins: severity bins without the null bin.
        severity_init: how the severity's own weights start.
            `"default"`: as PyTorch initialises a linear layer, as the authors' program does.
            `"smooth"` (ours, for small models trained from scratch): the code of a bin is a row of cosines over its
            position, one frequency per token, at the scale of a layer-normalised prompt. Neighbouring bins start with
            similar codes, so that what is learnt in one bin helps bins that are rarely seen; the null bin is zero.

    Raises:
        InputError: an unknown `severity_init`, or sizes that are not positive.
    """

    @register_to_config
    def __init__(
        self, text_dim: int = 768, num_tokens: int = 77, num_bins: int = 128, severity_init: str = "default"
    ) -> None:
        super().__init__()
        for name, size in {"text_dim": text_dim, "num_tokens": num_tokens, "num_bins": num_bins}.items():
            read_count(name, size)
        if severity_init not in ("default", "smooth"):
            raise InputError(f"severity_init={severity_init!r} is unknown; choose 'default' or 'smooth'.")
        self.stats_proj = nn.Linear(num_bins + 1, num_tokens)
        self.cc_projection = nn.Linear(text_dim + 2, text_dim)
        with torch.no_grad():
            self.cc_projection.weight[:, :text_dim] = torch.eye(text_dim)
            self.cc_projection.bias.zero_()
            if severity_init == "smooth":
                self._start_smooth()

    def _start_smooth(self) -> None:
        text_dim, num_tokens, num_bins = self.config.text_dim, self.config.num_tokens, self.config.num_bins
        self.stats_proj.weight[:, :num_bins] = _smooth_codes(num_tokens, num_bins)
        self.stats_proj.weight[:, num_bins:] = 0
        self.stats_proj.bias.zero_()
        nn.init.normal_(self.cc_projection.weight[:, text_dim:])

    def forward(self, prompt_embeds: Tensor, severity: Tensor) -> Tensor:
        """Cross-attention input of the UNet.

        Args:
            prompt_embeds: the text encoder's last hidden state, (B, num_tokens, text_dim).
            severity: one-hot bins of mu and sigma, (B, 2, num_bins + 1), see `gendeg.severity.severity_one_hot`.

        Returns:
            (B, num_tokens, text_dim), in the dtype of `prompt_embeds`.

        Raises:
            InputError: other shapes.
        """
        self._check_shapes(prompt_embeds, severity)
        codes = self.stats_proj(severity.to(prompt_embeds.dtype)).transpose(1, 2)  # (B, num_tokens, 2)
        return self.cc_projection(torch.cat([prompt_embeds, codes], dim=-1))

    def _check_shapes(self, prompt_embeds: Tensor, severity: Tensor) -> None:
        given = [tuple(part.shape) if isinstance(part, Tensor) else part for part in (prompt_embeds, severity)]
        batch = given[0][0] if isinstance(prompt_embeds, Tensor) and prompt_embeds.ndim else "B"
        expected = [(batch, self.config.num_tokens, self.config.text_dim), (batch, 2, self.config.num_bins + 1)]
        if given != expected:
            raise InputError(
                f"Got prompt_embeds {given[0]} and severity {given[1]}; this conditioner takes tensors {expected[0]} "
                f"and {expected[1]}."
            )


def _smooth_codes(num_tokens: int, num_bins: int) -> Tensor:
    """Cosines over the bins' centres, (num_tokens, num_bins): half a cycle for the first token, 8 for the last.

    The slowest tells small from large; the fastest still changes little over one bin, and tells apart bins that lie
    1/32 of the range from each other.
    """
    cycles = torch.logspace(math.log2(0.5), math.log2(8), num_tokens, base=2)
    centres = (torch.arange(num_bins) + 0.5) / num_bins
    return torch.cos(2 * math.pi * cycles[:, None] * centres)
