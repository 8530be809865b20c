"""From an existing pair to its row: read, compare, embed."""

import io
from dataclasses import replace

import PIL.Image

from gendeg.data.gends.images import encode_image, is_plain_file
from gendeg.data.gends.schema import Row
from gendeg.errors import first_line
from gendeg.imaging import to_rgb
from gendeg.severity import measure_severity
from gendeg.synthesis.config import PlanConfig
from gendeg.synthesis.filter import judge_existing
from gendeg.synthesis.photos import read_unchanged, reduce_photo
from gendeg.synthesis.plan import ExistingRow
from gendeg.synthesis.sources import PhotoSource


def take_existing(row: ExistingRow, source: PhotoSource, config: PlanConfig) -> Row:
    """The outcome of one existing pair.

    It is rejected if its degraded image cannot be decoded, has another size than its target, or equals it.

    Raises:
        DatasetError: one of the files is gone or has changed since the plan was made.
    """
    files = [
        read_unchanged(source, row.pair.location, row.pair.id),
        read_unchanged(source, row.scene.location, row.scene.id),
    ]
    base = _base(row)
    try:
        images = [_decode(file) for file in files]
    except PIL.UnidentifiedImageError:
        return replace(base, verdict="rejected", reason="unreadable: not an image, or not a complete one")
    except (OSError, SyntaxError, ValueError, PIL.Image.DecompressionBombError) as error:
        return replace(base, verdict="rejected", reason=f"unreadable: {first_line(error)}")
    sizes = ["{} x {}".format(*image.size) for image in images]
    if sizes[0] != sizes[1]:
        return replace(base, verdict="rejected", reason=f"size: {sizes[0]} pixels, its target has {sizes[1]}")
    reduced = [reduce_photo(image, config.short_side) for image in images]
    achieved = measure_severity(reduced[1], reduced[0])
    outcome = replace(base, achieved_mu=float(achieved.mu), achieved_sigma=float(achieved.sigma))
    if reason := judge_existing(achieved):
        return replace(outcome, verdict="rejected", reason=reason)
    degraded, target = (
        file if is_plain_file(file) and new is old else encode_image(new, config.image_format)
        for file, old, new in zip(files, images, reduced, strict=True)
    )
    return replace(outcome, degraded=degraded, target=target)


def _decode(file: bytes) -> PIL.Image.Image:
    with PIL.Image.open(io.BytesIO(file)) as image:
        return to_rgb(image)


def _base(row: ExistingRow) -> Row:
    return Row(
        row=row.number,
        mixture=row.pair.mixture,
        scene_id=row.scene.id,
        scene_set=row.scene.source_set,
        source_set=row.pair.dataset,
        origin="existing",
        caption=row.scene.caption or "",
    )
