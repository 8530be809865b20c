"""Make images: one photo at a time, skipping what is done, going on after a photo that fails."""

import json
import math
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from itertools import groupby
from pathlib import Path
from typing import Any

import PIL.Image
import typer

from gendeg import __version__
from gendeg.cli.metadata import METADATA, Metadata, Row
from gendeg.cli.plan import Job, check_request, parse_degradations, plan_folder, plan_photo
from gendeg.errors import ImageError, InputError
from gendeg.imaging import IMAGE_SUFFIXES, find_images, read_image, write_image
from gendeg.output import GenDegOutput
from gendeg.severity import Severity

EXIT_SOME_FAILED = 1
JPEG_XL = ".jxl"  # read and written by a plugin of Pillow only


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
        photo: an image file, or a folder of them.
        degradations: names; `"all"` stands for the six.
        output: an image file where `photo` is one too, else a folder.
        seed: of everything that is drawn.
        save_target: write the aligned clean images too.
        overwrite: make again what exists.
        settings: by degradation, what the record says about every image beside its own numbers. An image that was
            made with other settings is not taken for done.
        load: loads the engine; called when there is something to do.
    """

    photo: Path
    degradations: Sequence[str]
    output: Path
    seed: int
    save_target: bool
    overwrite: bool
    settings: Callable[[str], Row]
    load: Callable[[], Engine]


def run(order: Order) -> None:
    """Make what was ordered.

    Raises:
        GenDegError: an argument cannot be used, or the single photo fails.
        typer.Exit: status 1; photos of a folder failed, the others are done.
    """
    names = parse_degradations(order.degradations)
    is_folder = order.photo.is_dir()
    if not is_folder and order.output.suffix.lower() in IMAGE_SUFFIXES and not order.output.is_dir():
        check_request(names, order.photo, order.output)
        _run_photo(plan_photo(order.photo, names[0], order.output, order.seed, order.save_target), order)
        return
    if not is_folder:
        _refuse_other_format(order.output)
    root = order.photo if is_folder else order.photo.parent
    photos = _photos_outside(order.photo, order.output, names) if is_folder else [order.photo]
    _run_folder(plan_folder(photos, root, names, order.output, order.seed, order.save_target), root, order)


def _refuse_other_format(output: Path) -> None:
    """A single photo's output that is called like an image file is not meant to be a folder.

    Raises:
        InputError: its ending is that of an image format that gendeg does not write.
    """
    others = {JPEG_XL, *PIL.Image.registered_extensions()} - IMAGE_SUFFIXES
    if output.suffix.lower() in others and not output.is_dir():
        accepted = ", ".join(sorted(IMAGE_SUFFIXES))
        raise InputError(f"{output}: gendeg does not write {output.suffix}; use one of {accepted}, or give a folder.")


def _photos_outside(folder: Path, output: Path, names: Sequence[str]) -> list[Path]:
    """Photos of a folder; an output folder that lies in it is not an input.

    Raises:
        InputError: the output is called like an image file, or the images made would lie among the photos.
    """
    if output.suffix.lower() in IMAGE_SUFFIXES:
        raise InputError(f"{folder} is a folder, which does not fit into the one file {output}; give a folder.")
    photos, results = folder.resolve(), output.resolve()
    if results == photos or any((results / name) in (photos, *photos.parents) for name in names):
        raise InputError(f"In {output} the new images would lie among the photos of {folder}; choose another folder.")
    paths = find_images(folder)
    return [path for path in paths if results not in path.resolve().parents] if photos in results.parents else paths


def _run_photo(job: Job, order: Order) -> None:
    photo = read_image(job.photo)
    engine = order.load()
    result = engine.degrade(engine.prepare(photo), job.degradation, job.seed)
    _write(job, result)
    typer.echo(f"{job.output}: requested {_describe(result.requested[0])}; achieved {_describe(result.achieved[0])}")
    if result.calibrated == [False]:
        typer.echo("Calibration came as close to mu as its bounds allow.")


def _run_folder(jobs: list[Job], root: Path, order: Order) -> None:
    metadata = Metadata(order.output)
    if order.overwrite:
        metadata.forget(_file_name(job, order) for job in jobs)
    waiting = [job for job in jobs if not _is_done(job, metadata, order)]
    failures = _make(waiting, root, order, metadata) if waiting else {}
    there = sum(_file_name(job, order) in metadata.rows for job in jobs)
    new = there - (len(jobs) - len(waiting))
    typer.echo(f"{order.output}: {there} of {len(jobs)} images are there, {new} of them new; see {METADATA}.")
    if failures:
        lines = [f"Photos that could not be used: {len(failures)}", *(f"  {p}: {e}" for p, e in failures.items())]
        typer.secho("\n".join(lines), fg=typer.colors.RED, err=True)
        raise typer.Exit(EXIT_SOME_FAILED)


def _is_done(job: Job, metadata: Metadata, order: Order) -> bool:
    expected = {"seed": job.seed, "degradation": job.degradation, **order.settings(job.degradation)}
    return metadata.is_done(_file_name(job, order), expected)


def _file_name(job: Job, order: Order) -> str:
    return job.output.relative_to(order.output).as_posix()


def _make(jobs: list[Job], root: Path, order: Order, metadata: Metadata) -> dict[Path, ImageError]:
    """Make images and record them; returns the photos that failed, with the reason."""
    from tqdm import tqdm

    engine = order.load()
    failures: dict[Path, ImageError] = {}
    with tqdm(total=len(jobs), unit="image", disable=None) as progress:
        for photo, group in groupby(jobs, key=lambda job: job.photo):
            try:
                for row in _degrade_photo(photo, group, root, order, engine):
                    metadata.add(row)
                    progress.update()
            except ImageError as error:
                failures[photo] = error
    return failures


def _degrade_photo(photo: Path, jobs: Iterator[Job], root: Path, order: Order, engine: Engine) -> Iterator[Row]:
    """Make all images of one photo; one row each, when its files are complete."""
    prepared = engine.prepare(read_image(photo))
    for job in jobs:
        result = engine.degrade(prepared, job.degradation, job.seed)
        _write(job, result)
        yield _row(job, result, root, order)


def _write(job: Job, result: GenDegOutput) -> None:
    if job.target is not None:
        write_image(result.targets[0], job.target)
    write_image(result.images[0], job.output)


def _row(job: Job, result: GenDegOutput, root: Path, order: Order) -> Row:
    """One line of the record; columns named `file_name` and `target_file_name` are images to `datasets`."""
    row: Row = {"file_name": _file_name(job, order)}
    if job.target is not None:
        row["target_file_name"] = job.target.relative_to(order.output).as_posix()
    requested, achieved = result.requested[0], result.achieved[0]
    row |= {
        "source": job.photo.relative_to(root).as_posix(),
        "degradation": job.degradation,
        **order.settings(job.degradation),
        "requested_mu": _number(requested.mu),
        "requested_sigma": _number(requested.sigma),
        "achieved_mu": _number(achieved.mu),
        "achieved_sigma": _number(achieved.sigma),
        "seed": job.seed,
        "version": __version__,
    }
    if result.calibrated is not None:
        row["calibrated"] = result.calibrated[0]
    if result.parameters:
        row["parameters"] = json.dumps(result.parameters[0])
    return row


def _describe(severity: Severity) -> str:
    return str(severity).replace("nan", "free")


def _number(value: Any) -> float | None:
    """JSON has no NaN, which stands for a sigma that was left free."""
    return None if math.isnan(value) else float(value)
