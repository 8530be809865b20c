"""What restorers train on: crops of pairs that were degraded as larger pictures; and held-out pairs."""

from collections.abc import Iterator, Sequence
from typing import Any

import numpy as np
from torch import Tensor

from gendeg.training.entries import entry_label, open_entry
from gendeg.training.pairs import CanvasCrops, Pair, PairSource, Rng, SimulatedPairs, same_square
from gendeg.training.recipe import Items
from gendeg.training.restorer_config import RestorerConfig
from gendeg.training.sources import VALIDATION_SEED, mixed_pairs, require_sources

CLEAN = "clean"


class RestorationCrops(CanvasCrops):
    """What restorers train on: crops turned by any right angle, some of them clean already.

    Items hold `clean` and `degraded`, float32 (3, size, size) in [0, 1]; `degradation`, e.g. `"rain+haze"` or
    `"clean"`; and `index`.

    Args:
        clean_share: share of items whose degraded image is the clean one, so that clean photos are left alone.
        *args, **settings: of `CanvasCrops`.
    """

    def __init__(self, *args: Any, clean_share: float = 0.0, **settings: Any):
        super().__init__(*args, **settings)
        self.clean_share = clean_share

    def cut(self, rng: Rng, pair: Pair) -> dict[str, Any]:
        """A view of the canvas."""
        is_clean = rng.random() < self.clean_share
        clean, degraded = random_views(rng, [pair.clean, pair.clean if is_clean else pair.degraded], self.size)
        return {"clean": clean, "degraded": degraded, "degradation": CLEAN if is_clean else "+".join(pair.mixture)}


def random_views(rng: Rng, images: Sequence[Tensor], size: int) -> list[Tensor]:
    """The same square of several images (C, H, W) of one size, turned by 0, 90, 180 or 270 degrees, maybe mirrored."""
    crops = same_square(rng, images, size)
    turns, mirrored = int(rng.integers(4)), rng.random() < 0.5
    turned = [crop.rot90(turns, (1, 2)) for crop in crops]
    return [(crop.flip(2) if mirrored else crop).contiguous() for crop in turned]


def restoration_crops(config: RestorerConfig) -> RestorationCrops:
    """The crops that a restorer trains on, from all sources that the settings name.

    Raises:
        InputError: no source, shares that leave nothing for the photos, or a canvas smaller than the crops.
    """
    return RestorationCrops(
        mixed_pairs(config),
        config.resolution,
        config.canvas_side,
        crops_per_pair=config.crops_per_pair,
        clean_share=config.clean_share,
        seed=config.seed,
    )


def restoration_items(config: RestorerConfig) -> Items:
    """About `validation_count` held-out pairs, always the same ones, the size of the largest canvas.

    Each simulated degradation (severities from the published prior), clean photos and each entry of `data` get equally
    many. The `degradation` of the last says so: `"low_light (my-pairs)"`.

    Raises:
        InputError: the settings name no source, or nothing in one of them is held out.
    """
    require_sources(config)
    groups = list(_held_out(config))
    items = []
    for index in range(max(len(groups), config.validation_count)):
        source, kind = groups[index % len(groups)]
        pair = source.draw(np.random.default_rng([VALIDATION_SEED, index]), config.canvas_side)
        degraded, name = (pair.clean, CLEAN) if kind == CLEAN else (pair.degraded, "+".join(pair.mixture) + kind)
        items.append({"clean": pair.clean, "degraded": degraded, "degradation": name, "index": index})
    return items


def _held_out(config: RestorerConfig) -> Iterator[tuple[PairSource, str]]:
    """Sources of held-out pairs, with what is appended to the name of the degradation, or `CLEAN`."""
    if config.photos:
        for name in dict.fromkeys(config.degradations):
            only = SimulatedPairs(config.photos, "validation", broad_share=0, mixture_share=0, degradations=[name])
            yield only, ""
        yield only, CLEAN
    for name in config.data:
        yield open_entry(name, "validation", balanced=config.balanced), f" ({entry_label(name)})"
