"""Work through photos: skip what is done, go on after a photo that fails, list the failures at the end."""

import os
from collections.abc import Callable, Iterator, Sequence
from itertools import groupby
from pathlib import Path
from typing import Protocol, TypeVar

import typer

from gendeg.cli import exit_status
from gendeg.cli.metadata import METADATA, Metadata, Row
from gendeg.errors import ImageError, InputError
from gendeg.imaging import IMAGE_SUFFIXES, find_images


class ImageJob(Protocol):
    """One image to make.

    Attributes:
        photo: what it is made from.
        output: where it goes.
    """

    @property
    def photo(self) -> Path: ...  # noqa: D102
    @property
    def output(self) -> Path: ...  # noqa: D102


Job = TypeVar("Job", bound=ImageJob)
Failures = dict[Path, str]


def make_images(
    jobs: Sequence[Job],
    folder: Path,
    overwrite: bool,
    expected: Callable[[Job], Row],
    load: Callable[[], Callable[[Path, Iterator[Job]], Iterator[Row]]],
) -> tuple[list[Row], Failures]:
    """Make the images of a folder that are not there yet, and record them.

    Args:
        jobs: all jobs of one photo one after another.
        folder: where all outputs lie; gets the record, `metadata.jsonl`.
        overwrite: make again what exists.
        expected: what the record says about a job's image if it was made as ordered now.
        load: loads what makes the images; called when there is something to do. It is called with a photo and its jobs,
            writes each image and yields its row; an `ImageError` concerns the photo alone.

    Returns:
        The rows of the images that are there now, and the photos that failed.

    Raises:
        InputError: an image was made with other settings, or would overwrite its photo.
    """
    _keep_photos(jobs)
    metadata = Metadata(folder)
    if overwrite:
        metadata.forget(file_name(job.output, folder) for job in jobs)
    waiting = [job for job in jobs if not metadata.is_done(file_name(job.output, folder), expected(job))]
    failures = _make(waiting, metadata, load()) if waiting else {}
    names = [file_name(job.output, folder) for job in jobs]
    rows = [metadata.rows[name] for name in names if name in metadata.rows]
    new = len(rows) - (len(jobs) - len(waiting))
    typer.echo(f"{folder}: {len(rows)} of {len(jobs)} images are there, {new} of them new; see {METADATA}.")
    return rows, failures


def report_failures(failures: Failures) -> None:
    """List the photos that failed.

    Raises:
        typer.Exit: status 1, if there are any.
    """
    if failures:
        lines = [f"Photos that could not be used: {len(failures)}"]
        lines += [f"  {text}" if str(photo) in text else f"  {photo}: {text}" for photo, text in failures.items()]
        typer.secho("\n".join(lines), fg=typer.colors.RED, err=True)
        raise typer.Exit(exit_status.SOME_FAILED)


def file_name(path: Path, folder: Path) -> str:
    """What the record calls an image of the folder."""
    return path.relative_to(folder).as_posix()


def _keep_photos(jobs: Sequence[Job]) -> None:
    photos = {job.photo.resolve() for job in jobs}
    for job in jobs:
        if job.output.resolve() in photos:
            raise InputError(f"{job.output} is one of the photos; choose another output folder.")


def _make(jobs: Sequence[Job], metadata: Metadata, make: Callable[[Path, Iterator[Job]], Iterator[Row]]) -> Failures:
    """Make images and record them; returns the photos that failed, with the reason."""
    from gendeg.progress import progress_bar

    failures: Failures = {}
    with progress_bar(len(jobs), "image") as progress:
        for photo, group in groupby(jobs, key=lambda job: job.photo):
            try:
                for row in make(photo, group):
                    metadata.add(row)
                    progress.update()
            except ImageError as error:
                failures[photo] = str(error)  # not the error, whose traceback holds what was in memory
    return failures


def is_single_file(given: Sequence[Path], output: Path) -> bool:
    """Whether one photo goes into one image file.

    Raises:
        InputError: it would overwrite itself, or the name of the output ends in something else than an image format.
    """
    photo = given[0]
    if len(given) > 1 or photo.is_dir() or output.is_dir() or not output.suffix:
        return False
    if output.suffix.lower() not in IMAGE_SUFFIXES:
        raise InputError(
            f"{output}: {output.suffix} is no image format that gendeg writes; use one of "
            f"{', '.join(sorted(IMAGE_SUFFIXES))}. A new folder for one photo has a name without a dot."
        )
    if output.resolve() == photo.resolve():
        raise InputError(f"{output} is the photo itself; choose another output file.")
    return True


def photos_outside(given: Sequence[Path], output: Path, subfolders: Sequence[str] = ()) -> tuple[list[Path], Path]:
    """The photos that were given, and the folder they all lie in, whose structure the output folder shall have.

    Args:
        given: image files and folders. The output folder is not an input, be it one of several or in one of them.
        output: the folder that the results go to.
        subfolders: names of the folders in it that they go to, if any.

    Raises:
        InputError: nothing there, the output is called like an image file, or the images made would lie among the
            photos.
    """
    if missing := [str(path) for path in given if not path.exists()]:
        raise InputError(f"No such photo or folder: {', '.join(missing)}.")
    if output.suffix.lower() in IMAGE_SUFFIXES and not output.is_dir():
        what = f"{given[0]} is a folder, which does" if len(given) == 1 else "Several photos do"
        raise InputError(f"{what} not fit into the one file {output}; give a folder.")
    inputs = [path for path in given if path.resolve() != output.resolve()] or given
    root = _folder(inputs[0])
    if any(_folder(path) != root for path in inputs):
        inputs = [_folder(path).resolve() / path.name if path.is_file() else path.resolve() for path in inputs]
        root = _common_folder([_folder(path) for path in inputs])
    photos = [photo for path in inputs for photo in _photos_at(path, output, subfolders)]
    return list(dict.fromkeys(photos)), root


def _folder(given: Path) -> Path:
    return given if given.is_dir() else given.parent


def _common_folder(folders: Sequence[Path]) -> Path:
    try:
        return Path(os.path.commonpath(folders))
    except ValueError as error:  # on Windows
        raise InputError("The photos lie on different drives; give those of one drive at a time.") from error


def _photos_at(given: Path, output: Path, subfolders: Sequence[str]) -> list[Path]:
    """A photo, or those of a folder."""
    photos, results = _folder(given).resolve(), output.resolve()
    if not given.is_dir():
        if results == photos and not subfolders:
            raise InputError(f"In {output} the new image would lie beside the photo {given}; choose another folder.")
        return [given]
    if results == photos or any((results / name) in (photos, *photos.parents) for name in subfolders):
        raise InputError(f"In {output} the new images would lie among the photos of {given}; choose another folder.")
    paths = find_images(given)
    return [path for path in paths if results not in path.resolve().parents] if photos in results.parents else paths
