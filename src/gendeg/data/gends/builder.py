"""The builder behind `datasets.load_dataset("gends")`: parquet shards, whole or one part of them."""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from typing import Any

import datasets
import pyarrow as pa
import pyarrow.compute as pc
import pyarrow.parquet as pq
from datasets.builder import Key
from datasets.iterable_dataset import ExamplesIterable
from datasets.utils.file_utils import is_local_path

from gendeg.data.gends.schema import PARTS
from gendeg.errors import InputError


@dataclass
class GenDSConfig(datasets.BuilderConfig):
    """What to read.

    Attributes:
        condition: column and value of the rows that belong to the part; None for all rows.
        columns: columns to read; None for all. Those that are left out are not even read from disk.
    """

    condition: tuple[str, str | int] | None = None
    columns: list[str] | None = None


CONFIGS = [GenDSConfig(name=name, condition=condition) for name, condition in PARTS.items()]


class GenDS(datasets.ArrowBasedBuilder):
    """Reads what `gendeg synthesize` wrote; parts are `all`, `existing`, `generated`, and one for each degradation.

    Row groups are read one by one, without the threads of `pyarrow.dataset`: those would have to be waited for at the
    end of every pass (https://github.com/apache/arrow/issues/45214).
    """

    BUILDER_CONFIG_CLASS = GenDSConfig
    BUILDER_CONFIGS = CONFIGS
    DEFAULT_CONFIG_NAME = "all"

    def _info(self) -> datasets.DatasetInfo:
        first = next(iter(self.config.data_files.values()))[0]
        with _open_shard(first) as stream:
            stored = datasets.Features.from_arrow_schema(pq.read_schema(stream))
        return datasets.DatasetInfo(features=select_columns(stored, self.config.columns))

    def _split_generators(self, dl_manager: Any) -> list[datasets.SplitGenerator]:
        """The splits that have a row of this part; `datasets` cannot load an empty one."""
        files = dl_manager.download(self.config.data_files)
        filled = [split for split, paths in files.items() if any(self._has_rows(path) for path in paths)]
        if not filled:
            raise InputError(f"This data set has no rows of the part {self.config.name!r}.")
        return [datasets.SplitGenerator(name=split, gen_kwargs={"files": files[split]}) for split in filled]

    def _has_rows(self, file: str) -> bool:
        with _open_shard(file) as stream:
            shard = pq.ParquetFile(stream)
            return any(pc.any(self._mask(shard, group)).as_py() for group in range(shard.num_row_groups))

    def _generate_tables(self, files: Sequence[str]) -> Iterator[tuple[Key, pa.Table]]:
        for number, file in enumerate(files):
            with _open_shard(file) as stream:
                shard = pq.ParquetFile(stream)
                for group in range(shard.num_row_groups):
                    mask = self._mask(shard, group)
                    if pc.any(mask).as_py():
                        table = shard.read_row_group(group, columns=list(self.info.features), use_threads=False)
                        table = table if pc.all(mask).as_py() else table.filter(mask)  # which copies the images
                        yield Key(number, group), table.select(list(self.info.features))

    def _get_examples_iterable_for_split(self, split_generator: datasets.SplitGenerator) -> ExamplesIterable:
        """What streaming reads: rows one by one.

        Streamed as tables, every row would be copied several times with its images by the shuffle buffer of `datasets`,
        which of rows moves references.
        """
        return ExamplesIterable(self._generate_examples, split_generator.gen_kwargs)

    def _generate_examples(self, files: Sequence[str]) -> Iterator[tuple[str, dict[str, Any]]]:
        for key, table in self._generate_tables(files):
            group = f"{key.original_shard_id}/{key.item_or_batch_id}"
            yield from ((f"{group}/{number}", row) for number, row in enumerate(table.to_pylist()))

    def _mask(self, shard: pq.ParquetFile, group: int) -> pa.ChunkedArray:
        """Which rows of a row group belong to the part; the images are left alone."""
        column, value = self.config.condition or ("verdict", "accepted")  # all rows of the data are
        return pc.equal(shard.read_row_group(group, columns=[column], use_threads=False)[column], value)


def _open_shard(file: str) -> Any:
    """A shard's content, mapped where it lies on this machine, which saves a copy; `datasets` lets `open` read URLs."""
    return pa.memory_map(file) if is_local_path(file) else open(file, "rb")  # the caller closes it


def select_columns(features: datasets.Features, columns: Sequence[str] | None) -> datasets.Features:
    """Those columns, in the order asked for.

    Raises:
        InputError: a column that does not exist.
    """
    unknown = [name for name in columns or [] if name not in features]
    if unknown:
        raise InputError(f"GenDS has no columns {', '.join(unknown)}; it has {', '.join(features)}.")
    return datasets.Features({name: features[name] for name in columns or features})
