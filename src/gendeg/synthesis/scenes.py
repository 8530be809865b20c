"""Scenes: the unique clean photos of a data set, by content, with near-duplicates grouped."""

import io
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from itertools import islice
from pathlib import Path

import numpy as np
import PIL.Image

from gendeg.degradations import Degradation, Mixture
from gendeg.errors import InputError
from gendeg.imaging import to_rgb
from gendeg.synthesis.existing import ExistingIndex, index_existing
from gendeg.synthesis.near_duplicates import group_near_duplicates, perceptual_hash
from gendeg.synthesis.notes import add_notes, read_notes
from gendeg.synthesis.sources import Entry, PhotoSource, file_id, why_unreadable

MIN_SIDE = 16  # pixels; below this the generator refuses a photo
DRAFT = (64, 64)  # JPEG files are decoded at about this size for the perceptual hash
CHUNK = 2048  # photos looked at between two notes on disk
PAIR_NOTES = ".existing.jsonl"  # beside the notes about photos: which degraded images were read


@dataclass(frozen=True, slots=True)
class Scene:
    """One unique clean photo.

    Attributes:
        id: of the image file (see `gendeg.synthesis.sources.file_id`): stable wherever the file lies.
        location: what the photo source reads it by.
        source_set: name of the data set that the photo comes from.
        existing: degradations that this data set has pairs of already.
        caption: description of the scene, or None.
        group: the smallest id of the scenes that look alike. They share a split.
    """

    id: str
    location: str
    source_set: str
    existing: Mixture
    caption: str | None
    group: str


@dataclass(frozen=True)
class SceneIndex:
    """What a photo source holds.

    Attributes:
        scenes: the unique photos, by id.
        problems: photos, and images of existing pairs, that cannot be used, location -> reason.
        duplicates: photos whose file is that of a scene listed before.
        look_alikes: scenes that are near-duplicates of another one.
        existing: the pairs that exist already.
    """

    scenes: list[Scene]
    problems: dict[str, str]
    duplicates: int
    look_alikes: int
    existing: ExistingIndex


@dataclass(frozen=True, slots=True)
class Look:
    """What was seen in one photo: its id and perceptual hash, or the reason why it cannot be used."""

    stamp: str
    id: str = ""
    hash: int = 0
    problem: str = ""


def index_scenes(source: PhotoSource, notes: Path | None = None, workers: int = 4) -> SceneIndex:
    """Look at all photos and pairs of a source once: identify, hash, group.

    Args:
        source: the photos.
        notes: file to note down what was seen in, so that photos that have not changed are not read again. An
            interruption loses a few thousand photos at most.
        workers: threads that read and decode.

    Returns:
        Scenes sorted by id. Equal files make one scene, which has the existing degradations of all of them and the
        first of their captions.

    Raises:
        InputError: no usable photo, or notes that cannot be written.
    """
    pairs = source.pairs()
    clean = {pair.clean: "" for pair in pairs}
    found: dict[str, tuple[Entry, int]] = {}
    problems: dict[str, str] = {}
    duplicates = 0
    for entry, look in _look_at_all(source, notes, workers):
        if entry.location in clean:
            clean[entry.location] = look.id
        if look.problem:
            problems[entry.location] = look.problem
        elif look.id in found:
            first, hash_ = found[look.id]
            found[look.id] = (_merged(first, entry), hash_)
            duplicates += 1
        else:
            found[look.id] = (entry, look.hash)
    if not found:
        raise InputError(f"None of the {len(problems)} photos can be used{_first_problem(problems)}.")
    ids = sorted(found)
    groups = group_near_duplicates(np.array([found[id_][1] for id_ in ids], dtype=np.uint64))
    scenes = [_scene(id_, found[id_][0], ids[group]) for id_, group in zip(ids, groups.tolist(), strict=True)]
    sizes = np.bincount(groups)
    look_alikes = int(sizes[sizes > 1].sum())
    usable = {location: id_ for location, id_ in clean.items() if id_}
    existing = index_existing(pairs, usable, source, notes and notes.with_name(PAIR_NOTES), workers)
    return SceneIndex(scenes, problems | existing.problems, duplicates, look_alikes, existing)


def look_at(source: PhotoSource, location: str, stamp: str) -> Look:
    """Identify and hash one photo; a photo that cannot be used is answered with the reason."""
    try:
        data = source.read(location)
        with PIL.Image.open(io.BytesIO(data)) as image:
            width, height = image.size
            image.draft("L", DRAFT)
            hash_ = perceptual_hash(to_rgb(image))
    except PIL.UnidentifiedImageError:
        return Look(stamp, problem="not an image, or not a complete one")
    except (OSError, SyntaxError, ValueError, PIL.Image.DecompressionBombError) as error:
        return Look(stamp, problem=str(error).splitlines()[0] if str(error) else type(error).__name__)
    if min(width, height) < MIN_SIDE:
        return Look(stamp, problem=f"{width} x {height} pixels; at least {MIN_SIDE} on each side are needed")
    return Look(stamp, file_id(data), hash_)


def _look_at_all(source: PhotoSource, notes: Path | None, workers: int) -> Iterator[tuple[Entry, Look]]:
    """Every entry with what is seen in it, in the source's order."""
    known = _known_looks(notes)

    def look(entry: Entry) -> tuple[Entry, Look, bool]:
        try:
            stamp = source.stamp(entry.location)
        except OSError as error:
            return entry, Look("", problem=why_unreadable(error)), False
        before = known.get(entry.location)
        if before is not None and before.stamp == stamp:
            return entry, before, False
        return entry, look_at(source, entry.location, stamp), True

    entries = source.entries()
    with ThreadPoolExecutor(workers) as pool:
        while chunk := list(islice(entries, CHUNK)):
            seen = list(pool.map(look, chunk))
            if notes:
                new = [(entry.location, look) for entry, look, is_new in seen if is_new]
                add_notes(notes, [[where, look.stamp, look.id, look.hash, look.problem] for where, look in new])
            yield from ((entry, look) for entry, look, _ in seen)


def _known_looks(notes: Path | None) -> dict[str, Look]:
    """What was seen before, by location."""
    known = {}
    for location, *values in read_notes(notes) if notes else ():
        known[location] = Look(*values)
    return known


def _merged(first: Entry, other: Entry) -> Entry:
    existing = tuple(name for name in Degradation if name in {*first.existing, *other.existing})
    return Entry(first.location, first.source_set, existing, first.caption or other.caption)


def _scene(id_: str, entry: Entry, group: str) -> Scene:
    return Scene(id_, entry.location, entry.source_set, entry.existing, entry.caption, group)


def _first_problem(problems: dict[str, str]) -> str:
    return next((f", e.g. {location}: {reason}" for location, reason in problems.items()), "")
