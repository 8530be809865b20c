"""Pairs that exist already: rows of the data set as they are, and their clean images are scenes (paper section 3.3).

published sets ─ listed pairs ─┬─▶ scenes, which get the other degradations
└─▶ existing pairs, by content ─▶ rows
"""

from collections.abc import Iterator, Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass, field
from itertools import islice
from pathlib import Path

from gendeg.data.layouts.plain import list_training_pairs
from gendeg.degradations import Mixture
from gendeg.errors import InputError
from gendeg.synthesis.notes import add_notes, read_notes
from gendeg.synthesis.sources import Entry, FileSource, ListedPair, PhotoSource, file_id, open_source, why_unreadable

CHUNK = 2048  # files read between two notes on disk


class PairedSource(FileSource):
    """Pairs of files, and photos if there are any; the clean images of the pairs are photos too.

    Args:
        pairs: the pairs.
        photos: further photos.

    Raises:
        InputError: there are no pairs.
    """

    def __init__(self, pairs: Sequence[ListedPair], photos: PhotoSource | None = None):
        if not pairs:
            raise InputError("There are no pairs of a training split.")
        self._pairs, self.photos = list(pairs), photos
        self._files = {location for pair in pairs for location in (pair.degraded, pair.clean)}

    def entries(self) -> Iterator[Entry]:
        """The clean images of the pairs, with the degradations that they have; then the photos."""
        clean: dict[str, Entry] = {}
        for pair in self._pairs:
            known = clean.get(pair.clean, Entry(pair.clean, pair.dataset))
            existing = tuple(dict.fromkeys((*known.existing, pair.mixture[0])))
            clean[pair.clean] = Entry(pair.clean, known.source_set, existing)
        yield from clean.values()
        if self.photos is not None:
            yield from self.photos.entries()

    def pairs(self) -> Sequence[ListedPair]:
        """The pairs, as they were given."""
        return self._pairs

    def read(self, location: str) -> bytes:
        """The content of a file of the pairs, or of a photo."""
        if self.photos is None or location in self._files:
            return super().read(location)
        return self.photos.read(location)

    def stamp(self, location: str) -> str:
        """Size and time of change, or what the photos' source says."""
        if self.photos is None or location in self._files:
            return super().stamp(location)
        return self.photos.stamp(location)


def open_sources(photos: str | None, existing: Sequence[Path], leave_out: Path | None = None) -> PhotoSource:
    """Open photos, existing pairs, or both.

    Args:
        photos: see `gendeg.synthesis.sources.open_source`.
        existing: indices that `gendeg prepare` wrote, or folders of `input` and `target` images.
        leave_out: a folder whose images are not photos, e.g. the output.

    Raises:
        InputError: neither is given, or one of them cannot be used.
    """
    if photos is None and not existing:
        raise InputError(
            "Which photos? Give a folder, a table or a data set: gendeg synthesize photos/ -o gends/. Or existing "
            "pairs: gendeg synthesize --existing pairs.parquet -o gends/"
        )
    source = open_source(photos, leave_out) if photos is not None else None
    pairs = [pair for path in existing for pair in list_existing(path)]
    if not existing and source is not None:
        return source
    return PairedSource(pairs, source)


def list_existing(path: Path) -> list[ListedPair]:
    """The training pairs of an index, or of a folder (see `gendeg.data.layouts.plain.list_training_pairs`).

    Raises:
        InputError: neither, or without training pairs.
    """
    return [
        ListedPair(str(pair.degraded.absolute()), str(pair.clean.absolute()), pair.mixture, pair.dataset)
        for pair in list_training_pairs(path)
    ]


@dataclass(frozen=True, slots=True, order=True)
class ExistingPair:
    """One pair, known by its content.

    Attributes:
        scene_id: of its clean image.
        id: the same kind of number for its degraded image.
        mixture: what degrades it, the leading degradation first.
        dataset: name of its data set.
        location: what the source reads the degraded image by.
    """

    scene_id: str
    id: str
    mixture: Mixture
    dataset: str
    location: str


@dataclass(frozen=True)
class ExistingIndex:
    """What a source has of existing pairs.

    Attributes:
        pairs: those that can be read, each content once, sorted by it.
        problems: degraded images that cannot be read or have no clean image, location -> reason.
        copies: pairs whose two files are those of another pair.
    """

    pairs: list[ExistingPair] = field(default_factory=list)
    problems: dict[str, str] = field(default_factory=dict)
    copies: int = 0


def index_existing(
    pairs: Sequence[ListedPair],
    scene_ids: Mapping[str, str],
    source: PhotoSource,
    notes: Path | None = None,
    workers: int = 4,
) -> ExistingIndex:
    """Read all degraded images once, to know them by their content.

    Args:
        pairs: the pairs of the source.
        scene_ids: id of the scene in each usable clean image, by location.
        source: reads them.
        notes: file to note down what was read, so that files that have not changed are not read again.
        workers: threads that read.

    Raises:
        InputError: notes that cannot be written.
    """
    problems = {pair.degraded: "its clean image cannot be used" for pair in pairs if pair.clean not in scene_ids}
    usable = [pair for pair in pairs if pair.clean in scene_ids]
    found: dict[tuple[str, str, Mixture], ExistingPair] = {}
    for pair, (_, id_, problem) in _identify_all(usable, source, notes, workers):
        if problem:
            problems[pair.degraded] = problem
            continue
        existing = ExistingPair(scene_ids[pair.clean], id_, pair.mixture, pair.dataset, pair.degraded)
        key = (existing.scene_id, existing.id, existing.mixture)
        found[key] = min(found.get(key, existing), existing)  # whatever the order of the pairs
    copies = len(pairs) - len(found) - len(problems)
    return ExistingIndex(sorted(found.values()), problems, copies)


Identity = tuple[str, str, str]
"""Stamp and id of a file, or stamp, nothing and the reason why it cannot be read."""


def _identify_all(
    pairs: Sequence[ListedPair], source: PhotoSource, notes: Path | None, workers: int
) -> Iterator[tuple[ListedPair, Identity]]:
    known = {location: (stamp, id_) for location, stamp, id_ in (read_notes(notes) if notes else ())}

    def identify(pair: ListedPair) -> Identity:
        try:
            stamp = source.stamp(pair.degraded)
            before = known.get(pair.degraded, ("", ""))
            return stamp, before[1] if before[0] == stamp else file_id(source.read(pair.degraded)), ""
        except OSError as error:
            return "", "", why_unreadable(error)

    remaining = iter(pairs)
    with ThreadPoolExecutor(workers) as pool:
        while chunk := list(islice(remaining, CHUNK)):
            identities = list(pool.map(identify, chunk))
            if notes:
                seen = {pair.degraded: (stamp, id_) for pair, (stamp, id_, _) in zip(chunk, identities, strict=True)}
                new = [[where, *it] for where, it in seen.items() if it[1] and known.get(where) != it]
                add_notes(notes, new)
            yield from zip(chunk, identities, strict=True)
