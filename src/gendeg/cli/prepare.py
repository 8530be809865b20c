"""`gendeg prepare`: an index of the pairs of a published data set, or of your own."""

import contextlib
import os
from collections.abc import Callable
from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from gendeg.cli import exit_status

if TYPE_CHECKING:
    from gendeg.data.layouts import FoundPairs
    from gendeg.data.pair_index import DatasetPair
    from gendeg.data.preparation import Prepared


def prepare(
    name: Annotated[
        str | None, typer.Argument(help="Name of the data set, e.g. RESIDE; or folders, for pairs of your own.")
    ] = None,
    root: Annotated[Path | None, typer.Argument(help="The folder that it was unpacked to.")] = None,
    output: Annotated[
        Path | None, typer.Option("--output", "-o", help="Index to write or add to. [default: ROOT/pairs.parquet]")
    ] = None,
    split: Annotated[
        list[str] | None, typer.Option(help="Only train, validation or test; may be repeated. [default: all]")
    ] = None,
    workers: Annotated[
        int | None, typer.Option(min=1, help="Pairs measured at once. [default: one per processor]")
    ] = None,
    overwrite: Annotated[bool, typer.Option("--overwrite", help="Measure again what the index holds already.")] = False,
    show_list: Annotated[bool, typer.Option("--list", help="Print the known data sets and their folders.")] = False,
    degradation: Annotated[
        str | None, typer.Option("--degradation", "-d", help="Of folders: what degrades them. [default: they tell]")
    ] = None,
    category: Annotated[
        str | None, typer.Option(help="Of folders: real or synthetic, where the degradation comes from.")
    ] = None,
) -> None:
    """Find the pairs of a published data set, or of your own, and write an index of them.

    How strong each pair's degradation is, is measured. Nothing is downloaded, moved or converted.

        gendeg prepare RESIDE data/RESIDE/
        gendeg prepare O-HAZE data/O-HAZE/ -o data/pairs.parquet
        gendeg prepare GoPro data/GOPRO_Large/ -o data/pairs.parquet --split train

    Several data sets may share an index. It names its images relative to its own folder where they lie below it, so
    both can be moved together. Which sets are known, and what their folders must look like:

        gendeg prepare --list
        gendeg prepare --list RESIDE

    Pairs of your own, in `<degradation>/<set>/{input,target}/` or in `input/` and `target/`:

        gendeg prepare folders my-pairs/ --category real

    What the index is for: training, and a prior of your pairs:

        gendeg prior measure data/pairs.parquet -o my-prior.json

    After an interruption, of any kind, run the same command again: it goes on. Pairs that cannot be used are listed
    at the end, and the exit status is 1. Pairs of this folder and these sets whose images have been deleted leave the
    index; where the folder has no image at all, it may be a disk that is not there today, and all stay.
    """
    from gendeg.data.pair_index import INDEX
    from gendeg.errors import InputError, count_of

    if show_list:
        _show(name)
        return
    if name is None or root is None:
        raise InputError("Which data set, and where is it? E.g. gendeg prepare RESIDE data/RESIDE/; see --list.")
    find, looked_for = _search(name, root, degradation, category)
    index = output or root / INDEX
    try:
        found = find()
    except InputError:
        _remove_deleted(root, index, looked_for)
        raise
    chosen = _of_splits(found.pairs, split or [])
    prepared = _measure(chosen, index, workers or os.cpu_count() or 1, overwrite, looked_for)
    names = ", ".join(sorted({pair.dataset for pair in prepared.pairs}))
    typer.echo(f"{index}: {count_of(len(prepared.pairs), 'pair')} of {names}, {prepared.measured} measured now.")
    _show_gone(prepared.gone)
    failures = [*(f"{path}: {problem}" for path, problem in found.problems.items()), *map(str, prepared.failures)]
    if failures:
        _show_failures(failures)
        raise typer.Exit(exit_status.SOME_FAILED)


def _search(
    name: str, root: Path, degradation: str | None, category: str | None
) -> tuple[Callable[[], "FoundPairs"], Callable[["DatasetPair"], bool]]:
    """What finds the pairs, and what tells of a row of the index whether it was among the pairs that are looked for."""
    from gendeg.data.layouts import FOLDERS, find_layout, find_pairs, find_plain_pairs, lies_in_folders, lies_in_set
    from gendeg.errors import InputError

    if name.lower() == FOLDERS:
        return partial(find_plain_pairs, root, category, degradation), partial(lies_in_folders, root)
    layout = find_layout(name)
    if degradation or category:
        raise InputError(f"--degradation and --category are for {FOLDERS}; what {layout.name} is, is known.")
    return partial(find_pairs, layout, root), partial(lies_in_set, layout, root)


def _remove_deleted(root: Path, index: Path, looked_for: Callable[["DatasetPair"], bool]) -> None:
    """No pair was found: forget those whose images have been deleted.

    Not where the folder has no image at all: it may be the place of a disk that is not there today.
    """
    from gendeg.data.preparation import remove_deleted
    from gendeg.errors import ImageError
    from gendeg.imaging import find_images

    with contextlib.suppress(ImageError):  # not a folder, or without one image
        find_images(root)
        _show_gone(remove_deleted(index, looked_for))


def _show_gone(count: int) -> None:
    from gendeg.errors import count_of

    if count:
        typer.echo(f"Images of {count_of(count, 'pair')} have been deleted; the index names those no longer.")


def _of_splits(pairs: list["DatasetPair"], words: list[str]) -> list["DatasetPair"]:
    from gendeg.data.layouts.patterns import SPLITS
    from gendeg.errors import InputError

    unknown = [word for word in words if word not in SPLITS]
    if unknown:
        raise InputError(f"--split {unknown[0]}: choose among train, validation, test.")
    wanted = {SPLITS[word] for word in words}
    chosen = [pair for pair in pairs if not wanted or pair.split in wanted]
    if not chosen:
        there = ", ".join(sorted({pair.split for pair in pairs}))
        raise InputError(f"None of the {len(pairs)} pairs is of the split {' or '.join(wanted)}; there are: {there}.")
    return chosen


def _measure(
    pairs: list["DatasetPair"], index: Path, workers: int, overwrite: bool, looked_for: Callable[["DatasetPair"], bool]
) -> "Prepared":
    import torch

    from gendeg.data.preparation import prepare_index
    from gendeg.progress import progress_bar

    torch.set_num_threads(1)  # for each worker, which else would wait for each other
    with progress_bar(len(pairs), "pair") as progress:
        try:
            return prepare_index(
                pairs,
                index,
                workers=workers,
                overwrite=overwrite,
                advance=progress.update,
                looked_for=looked_for,
            )
        except KeyboardInterrupt:
            progress.close()
            typer.echo("Stopped. What has been measured is kept; run the same command again to go on.", err=True)
            raise typer.Exit(exit_status.STOPPED) from None


def _show(name: str | None) -> None:
    from gendeg.data.layouts import FOLDERS, LAYOUTS, LEGEND, describe_layout, find_layout
    from gendeg.data.layouts.plain import DESCRIPTION

    if name is None:
        typer.echo("\n\n".join([*map(describe_layout, LAYOUTS), LEGEND, DESCRIPTION]))
    elif name.lower() == FOLDERS:
        typer.echo(DESCRIPTION)
    else:
        typer.echo("\n\n".join([describe_layout(find_layout(name)), LEGEND]))


def _show_failures(failures: list[str]) -> None:
    from gendeg.errors import list_some

    lines = [f"Pairs that could not be used: {len(failures)}", *list_some(failures)]
    typer.secho("\n  ".join(lines), fg=typer.colors.RED, err=True)
