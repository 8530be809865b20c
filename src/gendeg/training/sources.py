"""From settings to training pairs."""

from collections.abc import Sequence
from typing import Any

from gendeg.degradations import Degradation
from gendeg.errors import InputError
from gendeg.training.config import TrainingConfig
from gendeg.training.pairs import DatasetPairs, FolderPairs, MixedPairs, PairSource, SimulatedPairs, TrainingPairs

VALIDATION_SEED = 2**20  # validation items differ from every training item, whatever the training seed


def training_pairs(config: TrainingConfig) -> TrainingPairs:
    """The pairs that a recipe trains on: photos with simulators, folders of pairs, data sets, mixed by their shares.

    Raises:
        InputError: the settings name no source, or shares that leave nothing for the photos.
    """
    return TrainingPairs(mixed_pairs(config), config.resolution, config.seed)


def mixed_pairs(
    config: TrainingConfig, *, balanced: bool = False, degradations: Sequence[str] = tuple(Degradation)
) -> MixedPairs:
    """All sources that the settings name, mixed by their shares.

    Args:
        config: the settings.
        balanced: whether pairs and data sets show each of their degradations equally often, as simulators do.
        degradations: what is simulated.

    Raises:
        InputError: the settings name no source, or shares that leave nothing for the photos.
    """
    require_sources(config)
    sources: list[tuple[PairSource, float]] = []
    if config.pairs:
        sources.append((FolderPairs(config.pairs, balanced=balanced), config.pair_share))
    share = config.dataset_share / max(1, len(config.datasets))
    sources += [(DatasetPairs(name, balanced=balanced), share) for name in config.datasets]
    if config.photos:
        rest = 1 - sum(share for _, share in sources)
        simulated = SimulatedPairs(config.photos, broad_share=config.broad_share, degradations=degradations)
        sources.append((simulated, rest))
    return MixedPairs(sources)


def validation_items(config: TrainingConfig) -> list[dict[str, Any]]:
    """`validation_count` held-out pairs of the first source there is: photos, pairs, data sets. Always the same ones.

    Raises:
        InputError: the settings name no source, or nothing in it is held out.
    """
    require_sources(config)
    source: PairSource
    if config.photos:
        source = SimulatedPairs(config.photos, "validation", broad_share=config.broad_share)
    elif config.pairs:
        source = FolderPairs(config.pairs, "validation")
    else:
        source = DatasetPairs(config.datasets[0], "validation")
    pairs = TrainingPairs(source, config.resolution, VALIDATION_SEED)
    return [pairs[index] for index in range(config.validation_count)]


def require_sources(config: TrainingConfig) -> None:
    """Refuse settings that name no source of pairs.

    Raises:
        InputError: there is none.
    """
    if not (config.photos or config.pairs or config.datasets):
        raise InputError("Nothing to train on: name --photos (clean photos), --pairs (folders of pairs) or --datasets.")
