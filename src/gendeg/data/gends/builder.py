"""The builder behind `datasets.load_dataset("gends")`: parquet shards, whole or one part of them."""

from typing import Any

import datasets
import pyarrow.dataset
import pyarrow.parquet as pq
from datasets.packaged_modules.parquet.parquet import Parquet, ParquetConfig

from gendeg.data.gends.schema import PARTS
from gendeg.errors import InputError

# A filter on a column is pushed down to the row groups, so that what is left out is hardly read.
CONFIGS = [ParquetConfig(name=name, filters=filters) for name, filters in PARTS.items()]


class GenDS(Parquet):
    """Reads what `gendeg synthesize` wrote; parts are `all`, `existing`, `generated`, and one for each degradation."""

    BUILDER_CONFIG_CLASS = ParquetConfig
    BUILDER_CONFIGS = CONFIGS
    DEFAULT_CONFIG_NAME = "all"

    def _split_generators(self, dl_manager: Any) -> list[datasets.SplitGenerator]:
        """The splits that have a row of this part; `datasets` cannot load an empty one."""
        splits = super()._split_generators(dl_manager)
        filled = [split for split in splits if any(self._has_rows(file) for file in split.gen_kwargs["files"])]
        if not filled:
            raise InputError(f"This data set has no rows of the part {self.config.name!r}.")
        return filled

    def _has_rows(self, file: str) -> bool:
        conditions = self.config.filters
        keep = pq.filters_to_expression(conditions) if isinstance(conditions, list) else conditions
        with open(file, "rb") as stream:
            fragment = pyarrow.dataset.ParquetFileFormat().make_fragment(stream)
            return fragment.head(1, columns=["row"], filter=keep).num_rows > 0
