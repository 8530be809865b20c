"""Pairs from `datasets` data sets, from the hub or from disk."""

from pathlib import Path
from typing import Any

import numpy as np

from gendeg.data.split import split_of
from gendeg.degradations import Mixture, parse_mixture
from gendeg.errors import InputError, MissingExtraError
from gendeg.imaging import to_rgb

COLUMNS = ("clean", "degraded", "degradation")
CAPTION = "caption"


class PairDataset:
    """The rows of a `datasets` data set that belong to a split.

    Args:
        name: name on the hub, or folder that `load_dataset` or `load_from_disk` reads. Of several splits, `train` is
            read. It needs the columns `clean` and `degraded` (images) and `degradation`, and may have `caption`.
        split: `"train"` or `"validation"`: one row in 20, chosen by row number (see `gendeg.data.split`).

    Raises:
        MissingExtraError: `datasets` is not installed.
        InputError: a column is missing, or no row belongs to the split.
    """

    def __init__(self, name: str, split: str):
        self.rows = load_rows(name)
        missing = [column for column in COLUMNS if column not in self.rows.column_names]
        if missing:
            raise InputError(
                f"Data set {name} lacks the columns {', '.join(missing)}; it has {', '.join(self.rows.column_names)}. "
                "Rename its columns first (`rename_column`)."
            )
        self.numbers = [number for number in range(len(self.rows)) if split_of(str(number)) == split]
        if not self.numbers:
            raise InputError(f"None of the {len(self.rows)} rows of {name} belongs to the {split} split.")

    def __len__(self) -> int:
        return len(self.numbers)

    def __getitem__(self, index: int) -> tuple[np.ndarray, np.ndarray, Mixture, str | None]:
        """Clean and degraded image, uint8 (H, W, 3), what degrades it, and the caption or None."""
        row = self.rows[self.numbers[index]]
        clean, degraded = (np.asarray(to_rgb(row[column])) for column in ("clean", "degraded"))
        return clean, degraded, parse_mixture(row["degradation"]), row.get(CAPTION)


def load_rows(name: str) -> Any:
    """A map-style data set from the hub or from disk; of several splits, `train`.

    Raises:
        MissingExtraError: `datasets` is not installed.
    """
    try:
        import datasets
    except ImportError as error:
        raise MissingExtraError(f'Data set {name} needs `datasets`: pip install "gendeg[training]".') from error
    if (Path(name) / "dataset_dict.json").is_file():  # several splits, as `save_to_disk` writes them
        return datasets.load_from_disk(str(Path(name) / "train"))
    if (Path(name) / "state.json").is_file():
        return datasets.load_from_disk(name)
    return datasets.load_dataset(name, split="train")
