"""Which photo becomes which file."""

import hashlib
from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

from gendeg.degradations import Degradation, parse_mixture
from gendeg.errors import InputError

ALL = "all"


@dataclass(frozen=True)
class Job:
    """One degraded image to make.

    Attributes:
        photo: the clean photo.
        degradation: canonical name of the degradation or mixture, e.g. `"rain+haze"`.
        seed: of everything that is drawn for it.
        output: where the degraded image goes.
        target: where the clean image aligned with it goes; None to leave it out.
    """

    photo: Path
    degradation: str
    seed: int
    output: Path
    target: Path | None


def parse_degradations(names: Sequence[str]) -> list[str]:
    """Canonical names, each once; `"all"` stands for the six.

    Raises:
        UnknownDegradationError: a name is none of them.
    """
    wanted: list[str] = []
    for name in names:
        wanted += [member.value for member in Degradation] if name.lower() == ALL else [_canonical(name)]
    return list(dict.fromkeys(wanted))


def _canonical(name: str) -> str:
    return "+".join(part.value for part in parse_mixture(name))


def plan_photo(photo: Path, degradation: str, output: Path, seed: int, save_target: bool) -> Job:
    """The job of a single photo and a single output file."""
    target = output.with_name(f"{output.stem}_target{output.suffix}") if save_target else None
    return Job(photo, degradation, seed, output, target)


def plan_folder(
    photos: Sequence[Path], root: Path, degradations: Sequence[str], output: Path, seed: int, save_target: bool
) -> list[Job]:
    """The jobs of many photos, all degradations of one photo together.

    Args:
        photos: image files below `root`.
        root: the folder whose structure is mirrored below `output`.
        degradations: canonical names.
        output: `<output>/<degradation>/<photo>.png`, or with `save_target` `<output>/<degradation>/input/<photo>.png`
            beside `.../target/<photo>.png`, which is the layout of paired folders that gendeg reads.
        seed: a job's own seed is derived from it, the photo's path below `root` and the degradation.
    """
    jobs = []
    for photo, name in zip(photos, output_names(photos, root), strict=True):
        for degradation in degradations:
            folder = output / degradation
            source = photo.relative_to(root).as_posix()
            jobs.append(
                Job(
                    photo,
                    degradation,
                    derive_seed(seed, source, degradation),
                    folder / "input" / name if save_target else folder / name,
                    folder / "target" / name if save_target else None,
                )
            )
    return jobs


def derive_seed(seed: int, source: str, degradation: str) -> int:
    """A sample's own seed, in [0, 2^31): the same whatever else is made, and in whatever order."""
    digest = hashlib.sha256(f"{seed}/{source}/{degradation}".encode()).digest()
    return int.from_bytes(digest[:4], "big") >> 1


def output_names(photos: Sequence[Path], root: Path) -> list[Path]:
    """Names of PNG files below the output folder; photos that differ only in suffix keep it: a.jpg.png, a.webp.png."""
    stems = [photo.relative_to(root).with_suffix("") for photo in photos]
    counts = Counter(stems)
    return [
        stem.with_name(f"{photo.name if counts[stem] > 1 else stem.name}.png")
        for photo, stem in zip(photos, stems, strict=True)
    ]


def check_request(degradations: Sequence[str], output: Path) -> None:
    """Refuse what cannot go into one file.

    Raises:
        InputError: several degradations.
    """
    if len(degradations) > 1:
        raise InputError(
            f"{len(degradations)} degradations do not fit into the one file {output}; give a folder, e.g. "
            f"-o {output.with_suffix('')}/"
        )
