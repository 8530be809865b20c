"""From planned rows to outcomes: open the photo, make its images, filter them, try again; or take in what exists."""

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import replace
from itertools import groupby

import PIL.Image

from gendeg.data.gends.images import encode_image
from gendeg.data.gends.schema import Row
from gendeg.degradations import Degradation
from gendeg.imaging import to_pil
from gendeg.severity import measure_severity
from gendeg.synthesis.backends import Backend, Made
from gendeg.synthesis.existing_rows import take_existing
from gendeg.synthesis.filter import Thresholds, judge, judge_light
from gendeg.synthesis.keyed import noise_seed
from gendeg.synthesis.photos import open_scene, reduce_photo
from gendeg.synthesis.plan import Plan, PlannedRow
from gendeg.synthesis.shards import Shard
from gendeg.synthesis.sources import PhotoSource


def shard_rows(plan: Plan, shard: Shard, source: PhotoSource, backend: Backend) -> Iterator[Row]:
    """Make a shard: the outcomes of its planned rows, in order, as `write_shard` takes them.

    Existing pairs are taken as they are. All rows of a photo are made together, and those that the filter rejects again
    together, so the outcomes are a function of plan, backend and shard alone.

    Raises:
        DatasetError: an image file is gone or has changed since the plan was made.
    """
    for existing in plan.existing_rows(shard):
        yield take_existing(existing, source, plan.config)
    thresholds, encode_target = plan.config.load_thresholds(), TargetEncoder(plan.config.image_format)
    for _, group in groupby(plan.rows(shard), key=lambda row: row.scene.id):
        rows = list(group)
        photo = reduce_photo(open_scene(source, rows[0].scene), plan.config.short_side)
        outcomes = _make_scene(photo, rows, backend, plan.config.attempts, thresholds, encode_target)
        for row in rows:
            yield from outcomes[row.number]


class TargetEncoder:
    """Encodes targets, and remembers the last one: all rows of a photo mostly share it.

    Args:
        image_format: see `encode_image`.
    """

    def __init__(self, image_format: str):
        self.image_format = image_format
        self._last_pixels, self._last_file = b"", b""

    def __call__(self, image: PIL.Image.Image) -> bytes:
        """The image as the bytes of a file."""
        pixels = image.tobytes()
        if pixels != self._last_pixels:
            self._last_pixels, self._last_file = pixels, encode_image(image, self.image_format)
        return self._last_file


def _make_scene(
    photo: PIL.Image.Image,
    rows: Sequence[PlannedRow],
    backend: Backend,
    attempts: int,
    thresholds: Mapping[Degradation, Thresholds],
    encode_target: TargetEncoder,
) -> dict[int, list[Row]]:
    """All attempts at each row of one photo, by row number."""
    prepared = backend.prepare(photo, rows)
    outcomes: dict[int, list[Row]] = {row.number: [] for row in rows}
    pending = list(rows)
    for attempt in range(attempts):
        seeds = [noise_seed(row.key, attempt) for row in pending]
        rejected = []
        for row, seed, made in zip(pending, seeds, backend.make(prepared, pending, seeds), strict=True):
            outcome = replace(
                _outcome(row, made, thresholds[row.mixture[0]], encode_target), seed=seed, attempt=attempt
            )
            if outcome.reason:
                outcome = replace(outcome, verdict="retried" if attempt + 1 < attempts else "rejected")
                rejected.append(row)
            outcomes[row.number].append(outcome)
        pending = rejected
        if not pending:
            break
    return outcomes


def _outcome(row: PlannedRow, made: Made | None, thresholds: Thresholds, encode_target: TargetEncoder) -> Row:
    """One attempt, measured and judged on 8-bit images; images are encoded where they pass."""
    base = _base(row)
    if made is None:
        return replace(base, reason="not a number: the generator returned NaN")
    degraded, target = to_pil(made.degraded), to_pil(made.target)
    achieved = measure_severity(target, degraded)
    outcome = replace(
        base,
        alignment=made.alignment,
        model=made.model,
        achieved_mu=float(achieved.mu),
        achieved_sigma=float(achieved.sigma),
        reason=judge(degraded, achieved, thresholds) or judge_light(degraded, target, row.mixture),
    )
    if outcome.reason:
        return outcome
    return replace(outcome, degraded=encode_image(degraded, encode_target.image_format), target=encode_target(target))


def _base(row: PlannedRow) -> Row:
    return Row(
        row=row.number,
        mixture=row.mixture,
        scene_id=row.scene.id,
        scene_set=row.scene.source_set,
        source_set=row.source_set,
        origin="generated",
        caption=row.scene.caption or "",
        prompt=row.prompt,
        mu=row.mu,
        sigma=row.sigma,
        random_severity=row.at_random,
    )
