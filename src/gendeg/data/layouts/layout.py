"""What a data set's folders look like: a few rules that say which files are pairs."""

from collections import defaultdict
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path

from gendeg.data.layouts.patterns import SPLITS, PatternMatch, compile_pattern, path_name
from gendeg.errors import InputError

Images = Sequence[tuple[Path, str]]  # image files, and their names as patterns see them


@dataclass(frozen=True)
class Candidate:
    """A degraded image that a rule has found.

    Attributes:
        degraded: its file.
        split, scene: see `gendeg.data.pair_index.DatasetPair`.
        clean: the file of its clean image, or None.
        problem: why there is none.
    """

    degraded: Path
    split: str
    scene: str = ""
    clean: Path | None = None
    problem: str = ""


@dataclass(frozen=True)
class PathPairs:
    """Pairs that find each other by the names of files and folders.

    Attributes:
        degraded, clean: patterns of the files, see `gendeg.data.layouts.patterns`.
        split: which one it is; None where the degraded pattern has the field `{split}`.
        scene: what names the scene, from the fields of the clean image, e.g. `"{video}"`; by default the clean file.
        degradation, category: of these pairs, where they differ from the rest of the set.
        passes_over: degraded images without a clean one belong to the release, and are no mistake.
    """

    degraded: str
    clean: str
    split: str | None = None
    scene: str | None = None
    degradation: str | None = None
    category: str | None = None
    passes_over: bool = False

    def find(self, root: Path, images: Images) -> Iterator[Candidate]:
        """The degraded images that fit, each with the clean image that has the same fields."""
        degraded, clean = compile_pattern(self.degraded), compile_pattern(self.clean)
        shared = sorted(degraded.fields & clean.fields)
        targets: dict[tuple[str, ...], list[tuple[Path, PatternMatch]]] = defaultdict(list)
        for path, name in images:
            match = clean.match(name)
            if match:
                targets[_key(match, shared)].append((path, match))
        for path, name in images:
            match = degraded.match(name)
            if match is None or clean.match(name):  # what fits both is clean
                continue
            fitting = targets.get(_key(match, shared), [])
            if fitting or not self.passes_over:
                yield self._candidate(path, self._split(match), fitting)

    def _candidate(self, path: Path, split: str, targets: list[tuple[Path, PatternMatch]]) -> Candidate:
        if not targets:
            return Candidate(path, split, problem=f"no clean image {self.clean}")
        if len(targets) > 1:
            names = ", ".join(str(target) for target, _ in targets)
            return Candidate(path, split, problem=f"{len(targets)} files fit its clean image {self.clean}: {names}")
        clean, match = targets[0]
        return Candidate(path, split, self.scene.format_map(match.fields) if self.scene else match.text, clean)

    def _split(self, match: PatternMatch) -> str:
        return self.split or SPLITS[match.fields["split"].lower()]

    def draw(self) -> tuple[str, str]:
        """How degraded and clean files are called."""
        return self.degraded, self.clean


def _key(match: PatternMatch, fields: list[str]) -> tuple[str, ...]:
    return (match.above, *(match.fields[name].lower() for name in fields))


@dataclass(frozen=True)
class ListedPairs:
    """Pairs that a text file of the set names, in each line a clean and a degraded file, relative to its own folder.

    Attributes:
        file: name of the text file.
        split: which one it lists.
        degraded, clean: patterns of the files that it names.
        scene: what names the scene, from the fields of the clean image.
        degradation, category: see `PathPairs`.
    """

    file: str
    split: str
    degraded: str
    clean: str
    scene: str
    degradation: str | None = None
    category: str | None = None

    def find(self, root: Path, images: Images) -> Iterator[Candidate]:
        """The degraded images that the text file names."""
        names = dict(images)
        for listing in sorted(root.rglob(self.file)):
            for line in listing.read_text(encoding="utf-8").splitlines():
                if line.strip():
                    yield self._candidate(listing, line, names)

    def _candidate(self, listing: Path, line: str, names: dict[Path, str]) -> Candidate:
        files = line.split()
        if len(files) != 2:
            raise InputError(f"{listing}: each line names a clean and a degraded file; got {line!r}.")
        clean, degraded = (listing.parent / file for file in files)
        missing = [path for path in (clean, degraded) if path not in names]
        if missing:
            return Candidate(degraded, self.split, problem=f"{missing[0]}, listed in {listing.name}, is not there")
        match = compile_pattern(self.clean).match(path_name(clean))
        if match is None:
            return Candidate(degraded, self.split, problem=f"its clean image {clean} is not called {self.clean}")
        return Candidate(degraded, self.split, self.scene.format_map(match.fields), clean)

    def draw(self) -> tuple[str, str]:
        """How degraded and clean files are called."""
        return f"{self.degraded} in {self.file}", self.clean


Rule = PathPairs | ListedPairs


@dataclass(frozen=True)
class Layout:
    """A published data set: what it holds and how its folders look.

    Attributes:
        name: as the severity priors call it.
        degradation: what degrades its images, e.g. `"haze"` or `"rain+haze"`.
        category: `"real"` or `"synthetic"`.
        release: which release is read, for people: who published it, what the archive or folder is called.
        rules: where pairs lie. All are looked for; a degraded image belongs to the first rule that pairs it.
        aliases: other names of the set.
        note: what else one has to know.
    """

    name: str
    degradation: str
    category: str
    release: str
    rules: tuple[Rule, ...]
    aliases: tuple[str, ...] = ()
    note: str = ""
