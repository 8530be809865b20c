"""`gendeg restore`: degraded photos through a restorer."""

from pathlib import Path
from typing import Annotated, Any, Literal

import typer

from gendeg.cli.options import Device, Output, Overwrite

MODEL = "nafnet-tiny"


def restore(
    photos: Annotated[list[Path], typer.Argument(help="A degraded photo, several, or folders of photos.")],
    output: Output,
    model: Annotated[
        str,
        typer.Option(
            help="Name of a packaged restorer, its folder, a name on the Hugging Face hub, or a checkpoint file of "
            "another program."
        ),
    ] = MODEL,
    tile: Annotated[
        int | None,
        typer.Option(help="Longest side of tiles in pixels; 0 for whole photos. [default: what fits into memory]"),
    ] = None,
    overlap: Annotated[
        int | None, typer.Option(help="Pixels that neighbouring tiles share. [default: enough to blend without seams]")
    ] = None,
    precision: Annotated[
        Literal["float32", "bfloat16", "float16"],
        typer.Option(help="Precision to work in; half of it takes half the memory."),
    ] = "float32",
    device: Device = None,
    overwrite: Overwrite = False,
) -> None:
    """Restore photos: remove haze, rain, snow, motion blur, darkness and raindrops.

    One photo into one file; the format follows the name:

        gendeg restore foggy.jpg -o clear.png

    A folder, with its sub-folders, by a restorer of your own:

        gendeg restore photos/ --model runs/my-restorer/ -o restored/

    Several photos or folders work like the folder that they all lie in, whose structure the output has:

        gendeg restore photos/*.jpg -o restored/

    Other people's restorers: folders that `gendeg convert` wrote, or the file itself:

        gendeg restore blurred.png --model nafnet-gopro/ -o sharp.png
        gendeg restore noisy.png --model swinir.pth -o clean.png

    Photos keep their size, mode, depth, alpha, EXIF data and colour profile. Large ones are cut into overlapping tiles
    as memory demands; `--tile 512` sets the size, for instance where other programs need the memory.

    Folders: the results are `<output>/<photo>.png`, in the folders of the photos, and `metadata.jsonl` describes them.
    Run the same command again to go on after an interruption. Photos that cannot be read are listed at the end, and the
    exit status is 1.
    """
    from gendeg.cli.folder import is_single_file, photos_outside
    from gendeg.cli.restorer import RestoreOrder, restore_folder, restore_photo
    from gendeg.models.tiling import OVERLAP

    overlap = OVERLAP if overlap is None else overlap
    settings: dict[str, Any] = {"model": model, "tile": tile, "overlap": overlap, "precision": precision}
    order = RestoreOrder(output, overwrite, device, settings)
    if is_single_file(photos, output):
        restore_photo(photos[0], order)
    else:
        restore_folder(*photos_outside(photos, output), order)
