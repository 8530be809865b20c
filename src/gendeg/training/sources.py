"""From settings to training pairs."""

from typing import Any

from gendeg.errors import InputError
from gendeg.training.config import TrainingConfig
from gendeg.training.pairs import FolderPairs, PairSource, SimulatedPairs, TrainingPairs

VALIDATION_SEED = 2**20  # validation items differ from every training item, whatever the training seed


def training_pairs(config: TrainingConfig) -> TrainingPairs:
    """The pairs that a recipe trains on: photos with simulators, folders of pairs, data sets, mixed by their shares.

    Raises:
        InputError: the settings name no source.
    """
    return TrainingPairs(_sources(config, "train"), config.resolution, config.seed)


def validation_items(config: TrainingConfig, count: int) -> list[dict[str, Any]]:
    """The first `count` pairs from held-out photos; always the same ones."""
    sources = _sources(config, "validation")[:1]
    pairs = TrainingPairs(sources, config.resolution, VALIDATION_SEED)
    return [pairs[index] for index in range(count)]


def _sources(config: TrainingConfig, split: str) -> list[tuple[PairSource, float]]:
    sources: list[tuple[PairSource, float]] = []
    if config.photos:
        sources.append((SimulatedPairs(config.photos, split, broad_share=config.broad_share), 1.0))
    if config.pairs:
        sources.append((FolderPairs(config.pairs, split), config.pair_share))
    if not sources:
        raise InputError("Nothing to train on: name photos (--photos), folders of pairs (--pairs) or both.")
    return sources
