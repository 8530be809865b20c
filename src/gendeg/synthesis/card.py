"""The card of a data set (`README.md`, with pictures), and its upload.

The card's header also tells plain `datasets.load_dataset(folder)`, without gendeg, the splits and the parts.
"""

import json
import os
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import yaml
from huggingface_hub import HfApi

from gendeg.data.gends.schema import PARTS, features
from gendeg.degradations import Degradation
from gendeg.files import whole_file
from gendeg.imaging import write_image
from gendeg.synthesis.card_figures import draw_contact_sheet, draw_histograms, example_pairs
from gendeg.synthesis.manifest import Manifest
from gendeg.synthesis.shards import DATA
from gendeg.synthesis.statistics import Statistics, count_rows

CARD = "README.md"
HISTOGRAMS, CONTACT_SHEET = "assets/severity.png", "assets/contact_sheet.jpg"
UNKNOWN_LICENSE = "unknown"
_SIZES = ((1_000, "n<1K"), (10_000, "1K<n<10K"), (100_000, "10K<n<100K"), (1_000_000, "100K<n<1M"))


def write_card(
    folder: str | os.PathLike[str], *, license: str = UNKNOWN_LICENSE, title: str = "GenDS", credits: str = ""
) -> Path:
    """Write `README.md`, a histogram of severities and a contact sheet into a finished data set.

    Args:
        folder: the data set.
        license: identifier as the hub knows them, e.g. `"cc-by-4.0"`.
        title: first line of the card.
        credits: Markdown that follows the licence, e.g. who took the photos.

    Returns:
        Path of the card.

    Raises:
        DatasetError: the data set is not finished.
        InputError: the card cannot be written.
    """
    folder = Path(folder)
    manifest = Manifest.load(folder)
    statistics = count_rows(folder, manifest)
    with whole_file(folder / HISTOGRAMS) as temporary:
        draw_histograms(statistics).savefig(temporary, dpi=100)
    write_image(draw_contact_sheet(example_pairs(folder, statistics)), folder / CONTACT_SHEET)
    with whole_file(folder / CARD) as temporary:
        temporary.write_text(_card(manifest, statistics, license, title, credits), encoding="utf-8")
    return folder / CARD


def push_to_hub(
    folder: str | os.PathLike[str], repository: str, *, private: bool = False, token: str | None = None
) -> str:
    """Upload a finished data set to the Hugging Face hub, as one commit.

    Args:
        folder: the data set.
        repository: e.g. `"me/my-gends"`; it is made if there is none.
        private: whether a new repository is private.
        token: access token; by default the one of `hf auth login`.

    Returns:
        Address of the commit.

    Raises:
        DatasetError: the data set is not finished.
    """
    Manifest.load(folder)
    api = HfApi(token=token)
    api.create_repo(repository, repo_type="dataset", private=private, exist_ok=True)
    commit = api.upload_folder(
        repo_id=repository,
        folder_path=Path(folder),
        repo_type="dataset",
        commit_message="GenDS",
        ignore_patterns=[".*", "*/.*"],
    )
    return str(commit)


def _card(manifest: Manifest, statistics: Statistics, license: str, title: str, credits: str) -> str:
    header = yaml.safe_dump(_header(manifest, statistics, license, title), sort_keys=False, allow_unicode=True)
    sections = [
        f"---\n{header}---",
        f"# {title}",
        "Aligned pairs of a degraded and a clean image for image restoration, made by "
        "[GenDeg](https://arxiv.org/abs/2411.17687)'s recipe with `gendeg synthesize`.",
        f"![Clean and degraded images]({CONTACT_SHEET})",
        "## Counts",
        _count_table(manifest, statistics),
        *_verdict_section(manifest, statistics),
        "## Severity",
        "mu is the mean and sigma the standard deviation of |degraded - target|, images in [0, 1].",
        f"![Histograms of mu and sigma]({HISTOGRAMS})",
        "## Source sets",
        "Of a generated pair: the set whose severity statistics were drawn from.",
        _table(["degradation", "origin", "source set", "pairs"], _set_rows(statistics)),
        "## Use",
        _use(_part_names(statistics)),
        "## Columns",
        _table(["column", "type"], [(f"`{name}`", _type_name(kind)) for name, kind in features().items()]),
        "## How it was made",
        f"gendeg {manifest.version}, configuration `{manifest.fingerprint[:16]}`, data set hash `{manifest.hash}` "
        "(`gendeg synthesize --verify` checks it).",
        f"```json\n{json.dumps(manifest.config, indent=2, ensure_ascii=False)}\n```",
        "## Licence",
        _licence_text(license),
        credits,
    ]
    return "\n\n".join(filter(None, sections)) + "\n"


def _use(parts: Sequence[str]) -> str:
    """How to load all of the data set, and one of its parts."""
    folder, (part, *others) = "path/to/this/folder", reversed(parts)  # the last part is a degradation, the first is all
    return "\n".join(
        [
            "```python",
            "import datasets",
            "",
            f'pairs = datasets.load_dataset("{folder}")  # all of it',
            f"# a part of it, here {part}; the others: {', '.join(reversed(others))}",
            f'{part} = datasets.load_dataset("{folder}", "{part}")',
            "```",
        ]
    )


def _part_names(statistics: Statistics) -> list[str]:
    """The parts that have a row."""
    return [name for name in PARTS if statistics.splits_of(name)]


def _header(manifest: Manifest, statistics: Statistics, license: str, title: str) -> dict[str, Any]:
    total = sum(manifest.rows.values())
    parts = [_part(name, statistics.splits_of(name)) for name in _part_names(statistics)]
    return {
        "license": license,
        "pretty_name": title,
        "tags": ["gendeg", "image-restoration", "image-degradation", "synthetic"],
        "task_categories": ["image-to-image"],
        "size_categories": [next((name for limit, name in _SIZES if total < limit), "n>1M")],
        "configs": parts,
    }


def _part(name: str, splits: Sequence[str]) -> dict[str, Any]:
    """What `datasets` needs to load one part: the files of those splits that have rows of it, and a filter."""
    part: dict[str, Any] = {"config_name": name}
    part["data_files"] = [{"split": split, "path": f"{DATA}/{split}-*.parquet"} for split in splits]
    condition = PARTS[name]
    return part | ({"filters": [[condition[0], "==", condition[1]]]} if condition else {"default": True})


def _count_table(manifest: Manifest, statistics: Statistics) -> str:
    splits = list(manifest.rows)
    rows = []
    for name in Degradation:
        by_split = [sum(statistics.pairs[split, name, o] for o in ("existing", "generated")) for split in splits]
        by_origin = [statistics.count(name, origin) for origin in ("existing", "generated")]
        rows.append((name.value, *by_origin, *by_split, statistics.count(name)))
    totals = ("all", *(sum(column) for column in list(zip(*rows, strict=True))[1:]))
    return _table(["degradation", "existing", "generated", *splits, "total"], [*rows, totals])


def _verdict_section(manifest: Manifest, statistics: Statistics) -> list[str]:
    planned, accepted = sum(manifest.planned.values()), sum(manifest.rows.values())
    text = f"{planned} rows were planned; {accepted} passed the filter."
    if not statistics.verdicts:
        return [text]
    rows = [(verdict, reason, count) for (verdict, reason), count in statistics.verdicts.most_common()]
    return [f"{text} The attempts that did not:", _table(["verdict", "reason", "attempts"], rows)]


def _set_rows(statistics: Statistics) -> list[tuple[str, str, str, int]]:
    return [(name.value, origin, source, count) for (name, origin, source), count in sorted(statistics.sets.items())]


def _type_name(kind: Any) -> str:
    return getattr(kind, "dtype", "") if type(kind).__name__ == "Value" else type(kind).__name__


def _licence_text(license: str) -> str:
    if license == UNKNOWN_LICENSE:
        return "None was given; the licences of the source images apply."
    return f"{license}. The licences of the source images apply to what is taken from them."


def _table(header: Sequence[str], rows: Sequence[Sequence[Any]]) -> str:
    lines = [header, ["---"] * len(header), *rows]
    return "\n".join("| " + " | ".join(map(str, line)) + " |" for line in lines)
