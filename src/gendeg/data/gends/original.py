"""The authors' release of GenDS: an index of paths, read with our columns.

Of its 11 columns, `dataset`, `degradation`, `category` and `split` describe the pair that the clean image comes from.
A generated row names its own degradation in `degradation_sub_type`, and in `sampled_dataset` the set whose statistics
were drawn; `mu` and `sigma` are requested values, achieved ones are not in the index.
"""

import json
import os
from collections.abc import Iterator, Sequence
from typing import Any

import datasets
import pyarrow as pa
import pyarrow.parquet as pq
from datasets.builder import Key

from gendeg.data.gends.builder import CONFIGS, GenDSConfig, select_columns
from gendeg.data.gends.schema import Row, features
from gendeg.degradations import Degradation, Mixture, mixture_of_set
from gendeg.errors import InputError

COLUMNS = (
    *("image_path", "target_path", "dataset", "degradation", "category", "degradation_sub_type", "split"),
    *("mu", "sigma", "random_sampled", "sampled_dataset"),
)
ROOT_NAME = "GenIRData"  # paths in the index begin with the authors' own folders, up to this one
EXTRA_COLUMNS = ("category", "degradation_sub_type")
ROWS_PER_TABLE = 4096


class GenDSIndex(datasets.ArrowBasedBuilder):
    """Reads the authors' index; images stay where they are and are decoded when a row is read."""

    BUILDER_CONFIG_CLASS = GenDSConfig
    BUILDER_CONFIGS = CONFIGS
    DEFAULT_CONFIG_NAME = "all"

    def _info(self) -> datasets.DatasetInfo:
        extra = {name: datasets.Value("string") for name in EXTRA_COLUMNS}
        return datasets.DatasetInfo(features=select_columns(datasets.Features(features() | extra), self.config.columns))

    def _split_generators(self, dl_manager: Any) -> list[datasets.SplitGenerator]:
        files = self.config.data_files
        return [datasets.SplitGenerator(name=split, gen_kwargs={"files": files[split]}) for split in files]

    def _generate_tables(self, files: Sequence[str]) -> Iterator[tuple[Key, pa.Table]]:
        column, value = self.config.condition or ("verdict", "accepted")  # all rows are
        for file_number, file in enumerate(files):
            for table_number, index_rows in enumerate(read_index(file)):
                start = table_number * ROWS_PER_TABLE
                rows = [_convert(row, start + i, self.config.data_dir) for i, row in enumerate(index_rows)]
                kept = [row for row in rows if row[column] == value]
                if kept:
                    yield (
                        Key(file_number, table_number),
                        pa.Table.from_pylist(kept, schema=self.info.features.arrow_schema),
                    )


def read_index(file: str) -> Iterator[list[dict[str, Any]]]:
    """The rows of an index, parquet or JSON list, some thousand at a time.

    Raises:
        InputError: a column is missing.
    """
    if file.endswith(".json"):
        with open(file, encoding="utf-8") as stream:
            rows = json.load(stream)
        batches: Iterator[Any] = (rows[i : i + ROWS_PER_TABLE] for i in range(0, len(rows), ROWS_PER_TABLE))
    else:
        batches = (batch.to_pylist() for batch in pq.ParquetFile(file).iter_batches(ROWS_PER_TABLE))
    for batch in batches:
        missing = [name for name in COLUMNS if name not in batch[0]]
        if missing:
            raise InputError(f"{file} lacks the columns {', '.join(missing)} of the authors' index.")
        yield batch


def image_path(path: str, root: str) -> str:
    """Where an image of the index lies below `root`: absolute paths of the authors count from `GenIRData/` on."""
    parts = path.replace("\\", "/").split("/")
    if ROOT_NAME in parts:
        parts = parts[parts.index(ROOT_NAME) + 1 :]
    return os.path.join(root, *(part for part in parts if part))


def _convert(index: dict[str, Any], number: int, root: str) -> dict[str, Any]:
    generated = bool(index["sampled_dataset"])
    source_set = index["sampled_dataset"] if generated else index["dataset"]
    row = Row(
        row=number,
        mixture=_mixture(index["degradation_sub_type"] if generated else index["degradation"], source_set),
        scene_id=index["target_path"],
        scene_set=index["dataset"] or "",
        source_set=source_set or "",
        origin="generated" if generated else "existing",
        mu=index["mu"] if generated else None,
        sigma=index["sigma"] if generated else None,
        random_severity=bool(index["random_sampled"]),
    )
    images = {"degraded": index["image_path"], "target": index["target_path"]}
    paths = {name: {"bytes": None, "path": image_path(path, root)} for name, path in images.items()}
    extra = {name: index[name] for name in EXTRA_COLUMNS}
    return row.columns() | paths | extra | {"version": "", "verdict": "accepted"}


def _mixture(name: str, source_set: str | None) -> Mixture:
    return mixture_of_set(Degradation(name), source_set or "")
