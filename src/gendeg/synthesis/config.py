"""Settings that decide what a data set holds."""

import hashlib
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from gendeg.data.gends.images import IMAGE_FORMATS
from gendeg.degradations import Degradation
from gendeg.errors import InputError
from gendeg.priors import SeverityPrior
from gendeg.priors.sampler import MODES
from gendeg.synthesis.filter import Thresholds, default_thresholds
from gendeg.synthesis.keyed import SEED_BITS

ALL = tuple(Degradation)


@dataclass(frozen=True)
class PlanConfig:
    """What is planned, and how it is judged and stored. How it is made: `gendeg.synthesis.backends.BackendConfig`.

    Attributes:
        seed: of everything that is drawn.
        mode: how the 1-in-20 random severities are drawn, `"paper"` or `"official"` (see `SeverityPrior`).
        prior: file of a severity prior of your own; None for the published one.
        degradations: those wanted, by name or alias; a scene gets the ones of them that its source set does not have.
        variants: rows for each scene and degradation, each with its own severity and noise.
        validation_share: share of the scenes held out for validation, in [0, 1).
        rows_per_shard: planned rows in one shard: what one worker makes at a time, and what a killed one loses.
        image_format: `"png"`, `"webp"` (lossless) or `"jpeg"`.
        short_side: photos whose short side is longer are first reduced to it, in pixels; None keeps every size.
        attempts: how often a row is tried before it is given up.
        thresholds: lowest and highest measured mu that pass the filter, for the degradations whose defaults do not fit.

    Raises:
        InputError: a setting out of range.
    """

    seed: int = 0
    mode: str = "paper"
    prior: Path | None = None
    degradations: tuple[Degradation, ...] = ALL
    variants: int = 1
    validation_share: float = 0.05
    rows_per_shard: int = 100
    image_format: str = "png"
    short_side: int | None = None
    attempts: int = 3
    thresholds: Mapping[Degradation, Thresholds] = field(default_factory=dict)

    def __post_init__(self) -> None:
        object.__setattr__(self, "degradations", tuple(map(Degradation, self.degradations)))
        _check_choice("mode", self.mode, MODES)
        _check_choice("image_format", self.image_format, IMAGE_FORMATS)
        for name in ("variants", "rows_per_shard", "attempts"):
            if getattr(self, name) < 1:
                raise InputError(f"{name}={getattr(self, name)}; give at least 1.")
        if not 0 <= self.seed < 2**SEED_BITS:
            raise InputError(f"seed={self.seed} is not in [0, 2^{SEED_BITS}).")
        if not 0 <= self.validation_share < 1:
            raise InputError(f"validation_share={self.validation_share} is not in [0, 1).")
        if self.short_side is not None and self.short_side < 32:
            raise InputError(f"short_side={self.short_side}; give at least 32 pixels.")
        if not self.degradations or len(set(self.degradations)) < len(self.degradations):
            raise InputError("degradations must be one or more of the six, each once.")

    def load_prior(self) -> SeverityPrior:
        """The severity prior, in the chosen mode."""
        if self.prior is None:
            return SeverityPrior.published(self.mode)
        own = SeverityPrior.load(self.prior)
        return SeverityPrior(own.statistics, self.mode, own.random_fraction)

    def load_thresholds(self) -> dict[Degradation, Thresholds]:
        """Thresholds of the filter for every wanted degradation."""
        return default_thresholds(self.load_prior(), self.degradations) | dict(self.thresholds)

    def to_json(self) -> dict[str, Any]:
        """Everything that decides the content, as JSON values; files count by their content."""
        return {
            "seed": self.seed,
            "mode": self.mode,
            "prior": files_digest([self.prior]) if self.prior else "published",
            "degradations": [str(name) for name in self.degradations],
            "variants": self.variants,
            "validation_share": self.validation_share,
            "image_format": self.image_format,
            "short_side": self.short_side,
            "attempts": self.attempts,
            "thresholds": {str(name): [t.low, t.high] for name, t in self.load_thresholds().items()},
        }


def files_digest(paths: Iterable[Path]) -> str:
    """SHA-256 over the content of files, in the order given."""
    digest = hashlib.sha256()
    for path in paths:
        with path.open("rb") as file:
            digest.update(hashlib.file_digest(file, "sha256").digest())
    return digest.hexdigest()


def _check_choice(name: str, value: str, accepted: tuple[str, ...]) -> None:
    if value not in accepted:
        raise InputError(f"{name}={value!r} is not one of {', '.join(map(repr, accepted))}.")
