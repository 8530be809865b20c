"""Photos through a restorer: one, or a folder of them."""

from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path

import PIL.Image
import torch
import typer

from gendeg import AutoRestorer, __version__
from gendeg.cli.folder import file_name, make_images, report_failures
from gendeg.cli.metadata import Row
from gendeg.cli.plan import output_names
from gendeg.errors import ImageError, InputError
from gendeg.imaging import open_image, write_image
from gendeg.models.loading import find_model, quiet_libraries, to_device
from gendeg.models.restorer import Restorer
from gendeg.models.tiling import check_tiles


@dataclass(frozen=True)
class RestoreOrder:
    """What the caller asked for.

    Attributes:
        output: an image file, or a folder.
        overwrite: make again what exists.
        device: see `gendeg.models.loading.to_device`.
        settings: `model`, `tile`, `overlap`, `precision`; they are recorded beside each image.
    """

    output: Path
    overwrite: bool
    device: str | None
    settings: Row


@dataclass(frozen=True)
class RestoreJob:
    """One photo to restore.

    Attributes:
        photo: the degraded photo.
        output: where the restored one goes.
    """

    photo: Path
    output: Path


def restore_photo(photo: Path, order: RestoreOrder) -> None:
    """Restore one photo into one file, with a bar over its tiles.

    Raises:
        GenDegError: it cannot be read or written, or there is no such model or device.
    """
    image = open_image(photo)
    restored = load_restorer(order).restore(image, order.settings["tile"], order.settings["overlap"])
    write_image(restored, order.output)
    typer.echo(f"{order.output}: restored by {order.settings['model']}.")


def restore_folder(photos: Sequence[Path], root: Path, order: RestoreOrder) -> None:
    """Restore photos below `root` into the same places below the output folder, as PNG files.

    Raises:
        GenDegError: there is no such model or device, or the folder holds results of other settings.
        typer.Exit: status 1; some photos failed, the others are done.
    """
    names = output_names(photos, root)
    jobs = [RestoreJob(photo, order.output / name) for photo, name in zip(photos, names, strict=True)]

    def expected(job: RestoreJob) -> Row:
        return {"source": job.photo.relative_to(root).as_posix(), **order.settings}

    def load() -> Callable[[Path, Iterator[RestoreJob]], Iterator[Row]]:
        restorer = load_restorer(order)
        return lambda photo, jobs: _restore_one(photo, jobs, restorer, order, expected)

    _, failures = make_images(jobs, order.output, order.overwrite, expected, load)
    report_failures(failures)


def _restore_one(
    photo: Path,
    jobs: Iterator[RestoreJob],
    restorer: Restorer,
    order: RestoreOrder,
    expected: Callable[[RestoreJob], Row],
) -> Iterator[Row]:
    image = open_image(photo)
    for job in jobs:
        write_image(_restore_image(image, restorer, order), job.output)
        yield {"file_name": file_name(job.output, order.output), **expected(job), "version": __version__}


def _restore_image(image: PIL.Image.Image, restorer: Restorer, order: RestoreOrder) -> PIL.Image.Image:
    try:
        return restorer.restore(image, order.settings["tile"], order.settings["overlap"], progress=False)
    except InputError as error:  # `load_restorer` has checked the tiles: this photo does not fit into memory
        raise ImageError(str(error)) from error


def load_restorer(order: RestoreOrder) -> Restorer:
    """Load the restorer, quietly.

    Raises:
        CheckpointError: no such restorer.
        InputError: no such device, or tiles that this restorer cannot blend.
    """
    quiet_libraries()
    restorer = AutoRestorer.from_pretrained(find_model(order.settings["model"]))
    check_tiles(order.settings["tile"], order.settings["overlap"], restorer.tile_alignment)
    return to_device(restorer, order.device).to(getattr(torch, order.settings["precision"]))
