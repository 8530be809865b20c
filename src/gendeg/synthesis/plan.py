"""The plan: every row of the data set, decided before anything is made (paper section 3.3).

A row depends on its key (seed, scene, degradation, variant) alone, so rows stay the same when scenes are added.
"""

import hashlib
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np

from gendeg.data.gends.schema import SPLITS
from gendeg.degradations import Degradation, Mixture, build_prompt, mixture_of_set
from gendeg.errors import InputError
from gendeg.priors import SeverityPrior
from gendeg.synthesis.config import PlanConfig
from gendeg.synthesis.existing import ExistingPair
from gendeg.synthesis.keyed import keyed_fraction, keyed_uniforms, row_key
from gendeg.synthesis.scenes import Scene
from gendeg.synthesis.shards import Shard, cut_shards


@dataclass(frozen=True)
class PlannedRow:
    """One image to make.

    Attributes:
        number: of the row in the plan of its split.
        scene: the clean photo.
        mixture: what degrades it, the leading degradation first.
        source_set: data set from whose statistics the severity was drawn.
        mu, sigma: requested severity.
        at_random: whether the severity is one of the 1-in-20 random ones.
        prompt: scene description with the degradation's phrase.
        key: of the row's noise (see `gendeg.synthesis.keyed`).
    """

    number: int
    scene: Scene
    mixture: Mixture
    source_set: str
    mu: float
    sigma: float
    at_random: bool
    prompt: str
    key: str


@dataclass(frozen=True, slots=True)
class ExistingRow:
    """One pair to take in as it is.

    Attributes:
        number: of the row in the plan of its split.
        scene: its clean image.
        pair: the rest of it.
    """

    number: int
    scene: Scene
    pair: ExistingPair


@dataclass(frozen=True)
class Columns:
    """The rows to make of a split, one array per column, all (N,).

    Attributes:
        scene: index of the scene.
        degradation: index into `Degradation`.
        variant: number of the variant.
        source: index of the source set, in the order of `SeverityPrior.datasets`.
        mu, sigma: requested severity.
        at_random: see `PlannedRow`.
    """

    scene: np.ndarray
    degradation: np.ndarray
    variant: np.ndarray
    source: np.ndarray
    mu: np.ndarray
    sigma: np.ndarray
    at_random: np.ndarray

    def __len__(self) -> int:
        return len(self.scene)


@dataclass(frozen=True)
class Plan:
    """All rows of a data set. Made by `make_plan`.

    Attributes:
        config: what it was made with.
        scenes: the clean photos.
        splits: the rows to make of each split that has any, all rows of a scene one after the other.
        source_names: names of the source sets of each degradation.
        existing: the existing pairs of each split; their rows come before those to make.
    """

    config: PlanConfig
    scenes: Sequence[Scene]
    splits: dict[str, Columns]
    source_names: dict[Degradation, tuple[str, ...]]
    existing: dict[str, list[ExistingRow]]

    @property
    def sizes(self) -> dict[str, int]:
        """Number of rows of each split that has any."""
        sizes = {split: self.first_to_make(split) + len(self.splits.get(split, ())) for split in SPLITS}
        return {split: size for split, size in sizes.items() if size}

    def __len__(self) -> int:
        return sum(self.sizes.values())

    def shards(self) -> list[Shard]:
        """The plan cut into units of work."""
        return cut_shards(self.sizes, self.config.rows_per_shard)

    def first_to_make(self, split: str) -> int:
        """Number of the first row to make; those before it are existing pairs."""
        return len(self.existing.get(split, ()))

    def existing_rows(self, shard: Shard) -> Sequence[ExistingRow]:
        """The existing pairs of a shard, which come first."""
        return self.existing.get(shard.split, [])[shard.start : shard.stop]

    def rows(self, shard: Shard) -> Iterator[PlannedRow]:
        """The rows to make of a shard, in order."""
        first = self.first_to_make(shard.split)
        for number in range(max(shard.start, first), shard.stop):
            yield self._row(self.splits[shard.split], number - first, number)

    def _row(self, columns: Columns, index: int, number: int) -> PlannedRow:
        scene = self.scenes[columns.scene[index]]
        degradation = list(Degradation)[columns.degradation[index]]
        source_set = self.source_names[degradation][columns.source[index]]
        mixture = mixture_of_set(degradation, source_set)
        return PlannedRow(
            number=number,
            scene=scene,
            mixture=mixture,
            source_set=source_set,
            mu=float(columns.mu[index]),
            sigma=float(columns.sigma[index]),
            at_random=bool(columns.at_random[index]),
            prompt=build_prompt(scene.caption, mixture),
            key=row_key(self.config.seed, scene.id, degradation, int(columns.variant[index])),
        )

    def to_json(self) -> dict[str, Any]:
        """Everything that decides the content, as JSON values; scenes, captions and existing pairs as checksums."""
        pairs = [row.pair for rows in self.existing.values() for row in rows]
        return self.config.to_json() | {
            "scenes": len(self.scenes),
            "scenes_sha256": scenes_digest(self.scenes),
            "captions": sum(scene.caption is not None for scene in self.scenes),
            "captions_sha256": captions_digest(self.scenes),
            "existing_pairs": len(pairs),
            "existing_pairs_sha256": pairs_digest(pairs),
        }


def make_plan(scenes: Sequence[Scene], config: PlanConfig, pairs: Sequence[ExistingPair] = ()) -> Plan:
    """Plan the degradations that each scene's source set does not have, beside the pairs that exist.

    Args:
        scenes: the clean photos, in the order of the rows.
        config: seed, prior, degradations, splits.
        pairs: the existing pairs, in the order of their rows; those of other degradations are left out.

    Raises:
        InputError: nothing is left to make, or the prior does not know a degradation.
    """
    prior = config.load_prior()
    in_validation = np.array([_is_held_out(scene, config.validation_share) for scene in scenes], dtype=bool)
    existing = _plan_existing(scenes, config, pairs)
    splits = {}
    for split, members in zip(SPLITS, (~in_validation, in_validation), strict=True):
        columns = _plan_scenes(scenes, np.flatnonzero(members), config, prior)
        if len(columns):
            splits[split] = columns
    if not splits and not existing:
        raise InputError("Nothing to make: the source sets of all scenes have the wanted degradations already.")
    return Plan(config, scenes, splits, {name: prior.datasets(name) for name in config.degradations}, existing)


def scenes_digest(scenes: Sequence[Scene]) -> str:
    """SHA-256 of what a plan takes from its scenes, but for their captions."""
    return _digest((scene.id, scene.group, scene.source_set, "+".join(scene.existing)) for scene in scenes)


def captions_digest(scenes: Sequence[Scene]) -> str:
    """SHA-256 of the captions of all scenes."""
    return _digest((scene.id, scene.caption or "") for scene in scenes)


def pairs_digest(pairs: Iterable[ExistingPair]) -> str:
    """SHA-256 of what a plan takes from existing pairs."""
    return _digest((pair.scene_id, pair.id, "+".join(pair.mixture), pair.dataset) for pair in pairs)


def _digest(rows: Iterable[tuple[str, ...]]) -> str:
    digest = hashlib.sha256()
    for parts in rows:
        digest.update("\0".join(parts).encode() + b"\n")
    return digest.hexdigest()


def _plan_existing(
    scenes: Sequence[Scene], config: PlanConfig, pairs: Sequence[ExistingPair]
) -> dict[str, list[ExistingRow]]:
    """The rows of existing pairs, by split: that of their scene."""
    by_id = {scene.id: scene for scene in scenes} if pairs else {}
    rows: dict[str, list[ExistingRow]] = {split: [] for split in SPLITS}
    for pair in pairs:
        if pair.mixture[0] in config.degradations:
            scene = by_id[pair.scene_id]
            split = rows["validation" if _is_held_out(scene, config.validation_share) else "train"]
            split.append(ExistingRow(len(split), scene, pair))
    return {split: of_split for split, of_split in rows.items() if of_split}


def _is_held_out(scene: Scene, share: float) -> bool:
    """The split of a scene is that of its group; it depends neither on the seed nor on other scenes."""
    return keyed_fraction(f"split/{scene.group}") < share


def _plan_scenes(scenes: Sequence[Scene], members: np.ndarray, config: PlanConfig, prior: SeverityPrior) -> Columns:
    """The rows of some scenes, ordered by scene, degradation and variant."""
    parts = [
        _plan_degradation(scenes, members, degradation, variant, config.seed, prior)
        for degradation in config.degradations
        for variant in range(config.variants)
    ]
    joined = {name: np.concatenate([vars(part)[name] for part in parts]) for name in vars(parts[0])}
    order = np.lexsort((joined["variant"], joined["degradation"], joined["scene"]))
    return Columns(**{name: values[order] for name, values in joined.items()})


def _plan_degradation(
    scenes: Sequence[Scene],
    members: np.ndarray,
    degradation: Degradation,
    variant: int,
    seed: int,
    prior: SeverityPrior,
) -> Columns:
    """One row for each of some scenes whose source set does not have the degradation."""
    chosen = np.array([index for index in members.tolist() if degradation not in scenes[index].existing], dtype=int)
    keys = (row_key(seed, scenes[index].id, degradation, variant) for index in chosen.tolist())
    draws = prior.transform(degradation, keyed_uniforms(keys))
    return Columns(
        scene=chosen.astype(np.int32),
        degradation=np.full(len(chosen), list(Degradation).index(degradation), dtype=np.int8),
        variant=np.full(len(chosen), variant, dtype=np.int16),
        source=draws.source.astype(np.int16),
        mu=draws.mu,
        sigma=draws.sigma,
        at_random=draws.at_random,
    )
