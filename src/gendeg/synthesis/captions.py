"""Captions: descriptions of the scenes whose photos come without one, from a table or from BLIP-2.

They are made before the plan, by one process, and noted down: neither an interruption nor another run asks twice.
"""

import os
from collections.abc import Iterator, Sequence
from dataclasses import replace
from pathlib import Path

from gendeg.errors import InputError
from gendeg.progress import progress_bar
from gendeg.synthesis.captioner import Captioner, CaptionerConfig
from gendeg.synthesis.lock import lock_folder
from gendeg.synthesis.notes import add_notes, read_notes
from gendeg.synthesis.photos import open_scene
from gendeg.synthesis.scenes import Scene
from gendeg.synthesis.sources import CAPTION, IMAGE, DatasetSource, Entry, ListedPair, PhotoSource, read_table

NOTES = ".captions.jsonl"  # in the output folder: [captioner, scene id, caption]
BATCH_SIZE = 16  # photos described together


class CaptionedSource(PhotoSource):
    """Photos with captions from a table, for those that come without one.

    Args:
        source: photos that are files.
        table: parquet, CSV or JSON Lines file with the columns `image` (a path, relative to the table's folder) and
            `caption`. Of several captions of an image the first counts.

    Attributes:
        described: number of images that the table describes.
        strangers: those of them that are not among the photos.

    Raises:
        InputError: no such file, not a table, a column is missing or holds other things than text, no row is about
            one of the photos, or the photos are no files.
    """

    def __init__(self, source: PhotoSource, table: Path):
        if isinstance(source, DatasetSource):
            raise InputError(f"Photos of a data set have no paths that {table} could name; use its column {CAPTION!r}.")
        self.source = source
        self._captions = _read_captions(table)
        known = {os.path.realpath(entry.location) for entry in source.entries()}
        self.described = len(self._captions)
        self.strangers = [path for path in self._captions if path not in known]
        if len(self.strangers) == self.described:
            example = next(iter(self.strangers), "it is empty")
            raise InputError(
                f"No row of {table} is about one of the photos ({example}); paths are relative to the table's folder."
            )

    def entries(self) -> Iterator[Entry]:
        """All photos; their own captions win."""
        for entry in self.source.entries():
            found = self._captions.get(os.path.realpath(entry.location))
            yield replace(entry, caption=entry.caption or found)

    def pairs(self) -> Sequence[ListedPair]:
        """The source's pairs; their clean images are photos."""
        return self.source.pairs()

    def read(self, location: str) -> bytes:
        """The image file of one photo."""
        return self.source.read(location)

    def stamp(self, location: str) -> str:
        """The source's stamp: what is seen in a photo does not depend on its caption."""
        return self.source.stamp(location)


def _read_captions(table: Path) -> dict[str, str]:
    """Captions by real path."""
    columns = read_table(table)
    for name in (IMAGE, CAPTION):
        if name not in columns:
            raise InputError(f"{table} has no column {name!r}; it has {', '.join(columns)}.")
        if not all(isinstance(value, str | None) for value in columns[name]):
            raise InputError(f"The column {name!r} of {table} does not hold text.")
    captions: dict[str, str] = {}
    for image, caption in zip(columns[IMAGE], columns[CAPTION], strict=True):
        if image and caption and caption.strip():
            captions.setdefault(os.path.realpath(table.parent / image), caption.strip())
    return captions


def caption_scenes(scenes: Sequence[Scene], source: PhotoSource, config: CaptionerConfig, folder: Path) -> list[Scene]:
    """Describe the scenes that have no caption; those noted down in the folder are not described again.

    Args:
        scenes: in a fixed order.
        source: where their photos are.
        config: what describes them. Another captioner does not reuse the captions of this one.
        folder: of the data set, locked while captions are made.

    Returns:
        The scenes, in the same order.

    Raises:
        CheckpointError: the captioner cannot be loaded.
        DatasetError: another run writes to the folder, or a photo is gone or has changed.
        InputError: the notes cannot be written.
    """
    captions, batches = known_captions(scenes, config, folder)
    if batches:
        with lock_folder(folder):
            captions |= _describe(batches, captions, source, config, folder / NOTES)
    return [replace(scene, caption=scene.caption or captions[scene.id] or None) for scene in scenes]


def known_captions(
    scenes: Sequence[Scene], config: CaptionerConfig, folder: Path
) -> tuple[dict[str, str], list[Sequence[Scene]]]:
    """The captions noted down in a folder, by scene id, and the batches of scenes that lack some.

    A caption may depend on its batch in rare cases, by the last digits of sums. So the batches do not depend on what
    was noted before: an interrupted run ends with the captions of one that was not.
    """
    notes = read_notes(folder / NOTES)
    captions = {id_: caption for captioner, id_, caption in notes if captioner == config.identity}
    silent = [scene for scene in scenes if not scene.caption]
    batches = [silent[start : start + BATCH_SIZE] for start in range(0, len(silent), BATCH_SIZE)]
    return captions, [batch for batch in batches if any(scene.id not in captions for scene in batch)]


def _describe(
    batches: Sequence[Sequence[Scene]],
    known: dict[str, str],
    source: PhotoSource,
    config: CaptionerConfig,
    notes: Path,
) -> dict[str, str]:
    """New captions, by scene id; noted down after each batch."""
    captioner = Captioner(config)
    made: dict[str, str] = {}
    with progress_bar(sum(map(len, batches)), "photo", desc="Captions") as bar:
        for batch in batches:
            described = captioner([open_scene(source, scene) for scene in batch])
            new = {s.id: text for s, text in zip(batch, described, strict=True) if s.id not in known}
            add_notes(notes, [[config.identity, id_, caption] for id_, caption in new.items()])
            made |= new
            bar.update(len(batch))
    return made
