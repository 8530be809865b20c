"""From settings to training pairs."""

from typing import Any

from gendeg.errors import InputError
from gendeg.training.config import TrainingConfig
from gendeg.training.pairs import DatasetPairs, FolderPairs, PairSource, SimulatedPairs, TrainingPairs

VALIDATION_SEED = 2**20  # validation items differ from every training item, whatever the training seed


def training_pairs(config: TrainingConfig) -> TrainingPairs:
    """The pairs that a recipe trains on: photos with simulators, folders of pairs, data sets, mixed by their shares.

    Raises:
        InputError: the settings name no source, or shares that leave nothing for the photos.
    """
    _require_sources(config)
    sources: list[tuple[PairSource, float]] = []
    if config.pairs:
        sources.append((FolderPairs(config.pairs), config.pair_share))
    sources += [(DatasetPairs(name), config.dataset_share / len(config.datasets)) for name in config.datasets]
    if config.photos:
        rest = 1 - sum(share for _, share in sources)
        sources.append((SimulatedPairs(config.photos, broad_share=config.broad_share), rest))
    return TrainingPairs(sources, config.resolution, config.seed)


def validation_items(config: TrainingConfig) -> list[dict[str, Any]]:
    """`validation_count` held-out pairs of the first source there is: photos, pairs, data sets. Always the same ones.

    Raises:
        InputError: the settings name no source, or nothing in it is held out.
    """
    _require_sources(config)
    source: PairSource
    if config.photos:
        source = SimulatedPairs(config.photos, "validation", broad_share=config.broad_share)
    elif config.pairs:
        source = FolderPairs(config.pairs, "validation")
    else:
        source = DatasetPairs(config.datasets[0], "validation")
    pairs = TrainingPairs([(source, 1.0)], config.resolution, VALIDATION_SEED)
    return [pairs[index] for index in range(config.validation_count)]


def _require_sources(config: TrainingConfig) -> None:
    if not (config.photos or config.pairs or config.datasets):
        raise InputError("Nothing to train on: name --photos (clean photos), --pairs (folders of pairs) or --datasets.")
