"""From settings to training pairs."""

from collections.abc import Sequence
from typing import Any

from gendeg.errors import InputError
from gendeg.training.config import TrainingConfig
from gendeg.training.entries import open_entry
from gendeg.training.pairs import MixedPairs, PairSource, SimulatedPairs, TrainingPairs

VALIDATION_SEED = 2**33 - 1  # beyond the seeds of trainings; with another second word, as NumPy reads seeds


def training_pairs(config: TrainingConfig) -> TrainingPairs:
    """The pairs that a recipe trains on: photos with simulators, and the entries of `data`, mixed by their shares.

    Raises:
        InputError: see `mixed_pairs`.
    """
    return TrainingPairs(
        mixed_pairs(config),
        config.resolution,
        config.canvas_side,
        crops_per_pair=config.crops_per_pair,
        seed=config.seed,
    )


def mixed_pairs(config: TrainingConfig) -> MixedPairs:
    """All sources that the settings name, mixed by their shares.

    Raises:
        InputError: the settings name no source, a share that is none, weights that do not fit `data`, or an entry of
            `data` that cannot be read.
    """
    require_sources(config)
    share = _data_share(config)
    sources: list[tuple[PairSource, float]] = [
        (open_entry(name, balanced=config.balanced), share * weight)
        for name, weight in zip(config.data, _data_weights(config), strict=True)
    ]
    if config.photos:
        simulated = SimulatedPairs(
            config.photos,
            broad_share=config.broad_share,
            dark_share=config.dark_share,
            degradations=config.degradations,
        )
        sources.append((simulated, 1 - share))
    return MixedPairs(sources)


def _data_share(config: TrainingConfig) -> float:
    if not config.data:
        return 0.0
    return config.data_share if config.photos else 1.0


def _data_weights(config: TrainingConfig) -> list[float]:
    """A weight for each entry of `data`; their sum is 1."""
    weights = config.data_weights or [1.0] * len(config.data)
    if len(weights) != len(config.data):
        raise InputError(
            f"data_weights has {len(weights)} numbers ({_listed(weights)}), data has {len(config.data)} entries "
            f"({_listed(config.data)}); give one number for each, in the same order."
        )
    if config.data and not (min(weights) >= 0 and sum(weights) > 0):
        raise InputError(f"data_weights are numbers from 0, not all 0; got {_listed(weights)}.")
    return [weight / sum(weights) for weight in weights]


def _listed(values: Sequence[Any]) -> str:
    return ", ".join(map(str, values)) or "none"


def validation_items(config: TrainingConfig) -> list[dict[str, Any]]:
    """`validation_count` held-out pairs of the photos or, without photos, of the first of `data`. Always the same ones.

    Raises:
        InputError: the settings name no source, or nothing in it is held out.
    """
    require_sources(config)
    source: PairSource
    if config.photos:
        degradations = list(dict.fromkeys(config.degradations))
        source = SimulatedPairs(config.photos, "validation", broad_share=config.broad_share, degradations=degradations)
    else:
        source = open_entry(config.data[0], "validation", balanced=config.balanced)
    pairs = TrainingPairs(source, config.resolution, config.canvas_side, seed=VALIDATION_SEED)
    return [pairs[index] for index in range(config.validation_count)]


def require_sources(config: TrainingConfig) -> None:
    """Refuse settings that name no source of pairs.

    Raises:
        InputError: there is none, or a number is out of range.
    """
    config.check_limits()
    if not (config.photos or config.data):
        raise InputError("Nothing to train on: name --photos (clean photos) or --data (pairs, data sets), or both.")
