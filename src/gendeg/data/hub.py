"""Pairs from `datasets` data sets, from the hub or from disk."""

import json
from pathlib import Path
from typing import Any

import numpy as np

from gendeg.data.gends.files import holds_gends
from gendeg.data.gends.registration import NAME as GENDS
from gendeg.data.split import split_of
from gendeg.degradations import Mixture, parse_mixture
from gendeg.errors import ImageError, InputError, first_line
from gendeg.imaging import to_rgb

CLEAN_COLUMNS = ("clean", "target")
COLUMNS = ("degraded", "degradation")
CAPTION = "caption"
_SEVERAL_SPLITS, _ONE_SPLIT = "dataset_dict.json", "state.json"  # what `save_to_disk` writes


class PairDataset:
    """The rows of a `datasets` data set that belong to a split.

    Args:
        name: name on the hub, or folder that `load_dataset` or `load_from_disk` reads. It needs the images `degraded`
            and `clean` (or `target`, as GenDS calls it), and `degradation`: a name such as `"rain+haze"`, or a class
            label. It may have `caption`; `mixture`, which then names all degradations of a row; and `scene_id`.
        split: `"train"` or `"validation"`. A data set without a split `validation` of its own has one scene in 20 of
            `train` held out (see `gendeg.data.split`), or one row in 20 where there is no `scene_id`.

    Raises:
        InputError: a column is missing, or no row belongs to the split.
    """

    def __init__(self, name: str, split: str):
        published = "validation" in split_names(name)
        self.name = name
        self.rows = load_rows(name, split if published else "train")
        columns = self.rows.column_names
        missing = [column for column in COLUMNS if column not in columns]
        missing += [] if set(CLEAN_COLUMNS) & set(columns) else [" or ".join(CLEAN_COLUMNS)]
        if missing:
            raise InputError(
                f"Data set {name} lacks the columns {', '.join(missing)}; it has {', '.join(columns)}. "
                "Rename its columns first (`rename_column`)."
            )
        self.clean_column = next(column for column in CLEAN_COLUMNS if column in columns)
        scenes = self.rows["scene_id"] if "scene_id" in columns else range(len(self.rows))
        self.numbers = [n for n, scene in enumerate(scenes) if published or split_of(str(scene)) == split]
        if not self.numbers:
            raise InputError(
                f"None of the {len(self.rows)} rows of {name} belongs to the {split} split; of a data set without a "
                "split `validation` of its own one scene in 20 is held out. Use a larger one."
            )

    def __len__(self) -> int:
        return len(self.numbers)

    def __getitem__(self, index: int) -> tuple[np.ndarray, np.ndarray, Mixture, str | None]:
        """Clean and degraded image, uint8 (H, W, 3), what degrades it, and the caption or None.

        Raises:
            ImageError: one of the images cannot be read.
        """
        number = self.numbers[index]
        try:
            row = self.rows[number]
            clean, degraded = (np.asarray(to_rgb(row[column])) for column in (self.clean_column, "degraded"))
        except (OSError, ValueError) as error:
            raise ImageError(f"Row {number} of {self.name} cannot be read: {first_line(error)}") from error
        return clean, degraded, self._mixture(row), row.get(CAPTION)

    def mixtures(self) -> list[Mixture]:
        """What degrades each row."""
        columns = [column for column in ("degradation", "mixture") if column in self.rows.column_names]
        rows = self.rows.select_columns(columns).select(self.numbers)  # leaves the images alone
        return [self._mixture(row) for row in rows]

    def _mixture(self, row: dict[str, Any]) -> Mixture:
        label = row["degradation"]
        if row.get("mixture"):
            label = row["mixture"]
        elif isinstance(label, int):
            label = self.rows.features["degradation"].int2str(label)
        return parse_mixture(label)


def is_saved(folder: Path) -> bool:
    """Whether `save_to_disk` has written a data set to this folder."""
    return any((folder / name).is_file() for name in (_SEVERAL_SPLITS, _ONE_SPLIT))


def split_names(name: str) -> list[str]:
    """The splits of a data set on the hub or on disk."""
    import datasets  # slow

    folder = Path(name)
    if (folder / _SEVERAL_SPLITS).is_file():
        return list(json.loads((folder / _SEVERAL_SPLITS).read_text(encoding="utf-8"))["splits"])
    if is_saved(folder):
        return ["train"]
    if folder.is_dir() and holds_gends(folder):
        return datasets.get_dataset_split_names(GENDS, data_dir=name)
    return datasets.get_dataset_split_names(name)


def load_rows(name: str, split: str = "train") -> Any:
    """A split of a data set on the hub or on disk, map-style; all of one that was saved without splits."""
    import datasets  # slow

    folder = Path(name)
    if (folder / _SEVERAL_SPLITS).is_file():
        return datasets.load_from_disk(str(folder / split))
    if is_saved(folder):
        return datasets.load_from_disk(name)
    if folder.is_dir() and holds_gends(folder):
        return datasets.load_dataset(GENDS, data_dir=name, split=split)
    return datasets.load_dataset(name, split=split)
