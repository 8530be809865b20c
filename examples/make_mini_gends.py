r"""Make the packaged mini set: eight photos that come with libraries, each in six degradations, by the factory itself.

python examples/make_mini_gends.py

It is what `gendeg synthesize photos.jsonl --short-side 160 --image-format webp` makes, with a card that names the
photographers. The old set is replaced when the new one is complete.
"""

import json
import shutil
import tempfile
from dataclasses import dataclass
from pathlib import Path
from typing import Annotated

import matplotlib
import skimage.data
import sklearn.datasets
import typer

from gendeg.progress import progress_bar
from gendeg.synthesis.backends import BackendConfig
from gendeg.synthesis.card import write_card
from gendeg.synthesis.config import PlanConfig
from gendeg.synthesis.job import Report
from gendeg.synthesis.manifest import verify_dataset
from gendeg.synthesis.sources import open_source
from gendeg.synthesis.synthesize import Progress, synthesize

OUTPUT = Path(__file__).parents[1] / "src" / "gendeg" / "resources" / "gends-mini"
LARGEST = 4_000_000  # bytes, all files together
TITLE = "GenDS mini"
LICENSE = "cc-by-2.0"  # the strictest of those of the photos
FOLDERS = {
    "scikit-image": Path(skimage.data.__file__).parent,
    "scikit-learn": Path(sklearn.datasets.__file__).parent / "images",
    "matplotlib": Path(matplotlib.get_data_path()) / "sample_data",
}


@dataclass(frozen=True)
class Photo:
    """A photo that comes with a library.

    Attributes:
        package: the library.
        file: name of its file there.
        caption: what is to be seen.
        credit: author and licence, as the library states them.
    """

    package: str
    file: str
    caption: str
    credit: str


PHOTOS = (
    Photo("scikit-image", "astronaut.png", "an astronaut in front of a flag", "NASA, public domain"),
    Photo("scikit-image", "camera.png", "a man with a camera on a tripod", "Lav Varshney, CC0"),
    Photo("scikit-image", "chelsea.png", "the face of a tabby cat", "Stefan van der Walt, CC0"),
    Photo("scikit-image", "coffee.png", "a cup of coffee on a wooden table", "Rachel Michetti, CC0"),
    Photo("scikit-image", "rocket.jpg", "a rocket taking off at dusk", "SpaceX, public domain"),
    Photo(
        "scikit-learn",
        "china.jpg",
        "a Chinese palace under a blue sky",
        "[danielbuechele](https://www.flickr.com/photos/danielbuechele/6061409035/), "
        "[CC BY 2.0](https://creativecommons.org/licenses/by/2.0/)",
    ),
    Photo(
        "scikit-learn",
        "flower.jpg",
        "an orange dahlia",
        "[vultilion](https://www.flickr.com/photos/vultilion/6056698931/), "
        "[CC BY 2.0](https://creativecommons.org/licenses/by/2.0/)",
    ),
    Photo(
        "matplotlib",
        "grace_hopper.jpg",
        "a woman in a navy uniform",
        "James S. Davis, US Navy (portrait of Grace Hopper), public domain",
    ),
)


def write_table(path: Path) -> None:
    """What the factory reads: path, caption and source set of each photo."""
    rows = [
        {"image": str(FOLDERS[photo.package] / photo.file), "caption": photo.caption, "source_set": photo.package}
        for photo in PHOTOS
    ]
    path.write_text("".join(json.dumps(row) + "\n" for row in rows), encoding="utf-8")


def credits() -> str:
    """Author and licence of each photo, as a Markdown table."""
    rows = [f"| {photo.package} | {photo.file} | {photo.credit} |" for photo in PHOTOS]
    header = ["| from | photo | author and licence |", "| --- | --- | --- |"]
    return "\n".join(["The clean photos, which were reduced in size and degraded:", "", *header, *rows])


def begin(progress: Progress) -> Report:
    """Show a bar."""
    bar = progress_bar(progress.share, "row")
    return lambda decided, accepted: bar.update(decided) and None


def replace_folder(new: Path, output: Path) -> None:
    """Put a finished folder in the place of an old one."""
    old = output.with_name(f".{output.name}.old")
    shutil.rmtree(old, ignore_errors=True)
    if output.exists():
        output.rename(old)
    new.rename(output)
    shutil.rmtree(old, ignore_errors=True)


def main(
    output: Annotated[Path, typer.Option(help="Folder of the set; an older one is replaced.")] = OUTPUT,
    model: Annotated[str, typer.Option(help="As in gendeg synthesize.")] = "gendeg-tiny",
    short_side: Annotated[int, typer.Option(help="Of the images, in pixels.")] = 160,
    seed: Annotated[int, typer.Option(help="Of all that is drawn.")] = 3,
) -> None:
    """Make the set beside its place, check it, and move it there."""
    config = PlanConfig(seed=seed, short_side=short_side, image_format="webp", attempts=10)
    output.parent.mkdir(parents=True, exist_ok=True)
    with tempfile.TemporaryDirectory(prefix=f".{output.name}.", dir=output.parent) as scratch:
        table, folder = Path(scratch) / "photos.jsonl", Path(scratch) / "gends"
        write_table(table)
        synthesize(open_source(str(table)), folder, config, BackendConfig(checkpoint=model), begin=begin)
        write_card(folder, license=LICENSE, title=TITLE, credits=credits())
        for path in folder.glob(".*"):  # lock and notes, which are of use to a running factory only
            path.unlink()
        manifest = verify_dataset(folder)
        size = sum(path.stat().st_size for path in folder.rglob("*") if path.is_file())
        if size > LARGEST or set(manifest.rows) != {"train", "validation"}:
            raise typer.BadParameter(f"{size / 1e6:.1f} MB, rows {manifest.rows}; choose another size or seed")
        replace_folder(folder, output)
    print(f"{output}: rows {manifest.rows} of {manifest.planned}, {size / 1e6:.2f} MB, hash {manifest.hash[:16]}")


if __name__ == "__main__":
    typer.run(main)
