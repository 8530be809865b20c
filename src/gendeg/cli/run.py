"""Degrade photos: what was ordered, by an engine, one photo at a time."""

import json
import math
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import PIL.Image
import typer

from gendeg import __version__
from gendeg.cli.folder import file_name, is_single_file, make_images, photos_outside, report_failures
from gendeg.cli.metadata import Row
from gendeg.cli.plan import Job, check_request, parse_degradations, plan_folder, plan_photo
from gendeg.cli.reach import Reach, describe
from gendeg.imaging import read_image, write_image
from gendeg.output import GenDegOutput


@dataclass(frozen=True)
class Engine:
    """How photos are degraded.

    Attributes:
        prepare: turns a photo into what `degrade` takes; called once for all degradations of a photo.
        degrade: makes one image of the prepared photo, a degradation and a seed.
    """

    prepare: Callable[[PIL.Image.Image], Any]
    degrade: Callable[[Any, str, int], GenDegOutput]


@dataclass(frozen=True)
class Order:
    """What the caller asked for.

    Attributes:
        photos: image files, and folders of them.
        degradations: names; `"all"` stands for the six.
        output: an image file where one photo is given, else a folder.
        seed: of everything that is drawn.
        save_target: write the aligned clean images too.
        overwrite: make again what exists.
        settings: by degradation, what the record says about every image beside its own numbers. An image that was
            made with other settings is not taken for done.
        reach: when a severity counts as missed, which is warned of.
        load: loads the engine; called when there is something to do.
    """

    photos: Sequence[Path]
    degradations: Sequence[str]
    output: Path
    seed: int
    save_target: bool
    overwrite: bool
    settings: Callable[[str], Row]
    reach: Reach
    load: Callable[[], Engine]


def run(order: Order) -> None:
    """Make what was ordered.

    Raises:
        GenDegError: an argument cannot be used, or the single photo fails.
        typer.Exit: status 1; photos of a folder failed, the others are done.
    """
    names = parse_degradations(order.degradations)
    if is_single_file(order.photos, order.output):
        check_request(names, order.output)
        _run_photo(plan_photo(order.photos[0], names[0], order.output, order.seed, order.save_target), order)
        return
    photos, root = photos_outside(order.photos, order.output, names)
    _run_folder(plan_folder(photos, root, names, order.output, order.seed, order.save_target), root, order)


def _run_photo(job: Job, order: Order) -> None:
    photo = read_image(job.photo)
    engine = order.load()
    result = engine.degrade(engine.prepare(photo), job.degradation, job.seed)
    _write(job, result)
    outcome = describe(result.requested[0], result.achieved[0])
    typer.echo(f"{job.output}: {outcome}")
    order.reach.warn([_row(job, result, job.photo.parent, job.output.parent, order)])


def _run_folder(jobs: list[Job], root: Path, order: Order) -> None:
    def expected(job: Job) -> Row:
        return {"seed": job.seed, "degradation": job.degradation, **order.settings(job.degradation)}

    def load() -> Callable[[Path, Iterator[Job]], Iterator[Row]]:
        engine = order.load()
        return lambda photo, jobs: _degrade_photo(photo, jobs, root, order, engine)

    rows, failures = make_images(jobs, order.output, order.overwrite, expected, load)
    order.reach.warn(rows)
    report_failures(failures)


def _degrade_photo(photo: Path, jobs: Iterator[Job], root: Path, order: Order, engine: Engine) -> Iterator[Row]:
    """Make all images of one photo; one row each, when its files are complete."""
    prepared = engine.prepare(read_image(photo))
    for job in jobs:
        result = engine.degrade(prepared, job.degradation, job.seed)
        _write(job, result)
        yield _row(job, result, root, order.output, order)


def _write(job: Job, result: GenDegOutput) -> None:
    if job.target is not None:
        write_image(result.targets[0], job.target)
    write_image(result.images[0], job.output)


def _row(job: Job, result: GenDegOutput, root: Path, folder: Path, order: Order) -> Row:
    """One line of the record; columns named `file_name` and `target_file_name` are images to `datasets`."""
    row: Row = {"file_name": file_name(job.output, folder)}
    if job.target is not None:
        row["target_file_name"] = file_name(job.target, folder)
    requested, achieved = result.requested[0], result.achieved[0]
    row |= {
        "source": job.photo.relative_to(root).as_posix(),
        "degradation": job.degradation,
        **order.settings(job.degradation),
        "requested_mu": _number(requested.mu),
        "requested_sigma": _number(requested.sigma),
        "achieved_mu": _number(achieved.mu),
        "achieved_sigma": _number(achieved.sigma),
        "reached": order.reach.is_met(result),
        "seed": job.seed,
        "version": __version__,
    }
    if result.calibrated is not None:
        row["calibrated"] = result.calibrated[0]
    if result.parameters:
        row["parameters"] = json.dumps(result.parameters[0])
    return row


def _number(value: Any) -> float | None:
    """JSON has no NaN, which stands for a sigma that was left free."""
    return None if math.isnan(value) else float(value)
