"""The builder behind `datasets.load_dataset("gends")`: parquet shards, whole or one part of them."""

from datasets.packaged_modules.parquet.parquet import Parquet, ParquetConfig

from gendeg.data.gends.schema import PARTS

# A filter on a column is pushed down to the row groups, so that what is left out is hardly read.
CONFIGS = [ParquetConfig(name=name, filters=filters) for name, filters in PARTS.items()]


class GenDS(Parquet):
    """Reads what `gendeg synthesize` wrote; parts are `all`, `existing`, `generated`, and one for each degradation."""

    BUILDER_CONFIG_CLASS = ParquetConfig
    BUILDER_CONFIGS = CONFIGS
    DEFAULT_CONFIG_NAME = "all"
