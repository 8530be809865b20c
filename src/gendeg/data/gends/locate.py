"""Finds the files of a GenDS folder, and the builder that reads them."""

import warnings
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from datasets.data_files import DataFilesDict, sanitize_patterns
from datasets.load import DatasetModule

from gendeg.data.gends.files import find_indices, find_shards
from gendeg.data.gends.original import COLUMNS, ROOT_NAME, image_path, read_index
from gendeg.data.gends.registration import BUILDER_MODULE, NAME
from gendeg.errors import InputError
from gendeg.version import __version__

_USERS_OWN = Path("gends")  # where `gendeg synthesize` writes by default
MINI_SET = Path(__file__).parents[2] / "resources" / "gends-mini"
_ORIGINAL_BUILDER = "gendeg.data.gends.original"


@dataclass
class GenDSModuleFactory:
    """What `datasets` asks for the module of `"gends"`; the attributes are the arguments of `load_dataset`."""

    data_dir: str | None = None
    data_files: Any = None
    download_config: Any = None
    download_mode: Any = None

    def get_module(self) -> DatasetModule:
        """Files and builder.

        Raises:
            InputError: there is no GenDS in `data_dir`.
        """
        if self.data_files is None:
            root = find_root(self.data_dir)
            builder, patterns = _find_files(root)
        else:
            root = Path(self.data_dir or ".").expanduser().resolve()
            builder, patterns = BUILDER_MODULE, sanitize_patterns(self.data_files)
        files = DataFilesDict.from_patterns(patterns, base_path=root.as_posix(), download_config=self.download_config)
        arguments = {"data_files": files, "data_dir": str(root), "dataset_name": NAME}
        return DatasetModule(builder, __version__, arguments)


def find_root(data_dir: str | None) -> Path:
    """The folder to read: `data_dir`, or the packaged mini set.

    Raises:
        InputError: there is no such folder.
    """
    if data_dir is None:
        if not MINI_SET.is_dir():
            raise InputError(
                "This installation has no packaged mini set; give the folder of a data set: "
                "load_dataset('gends', data_dir='...'). `gendeg synthesize` makes one."
            )
        if find_shards(_USERS_OWN):
            warnings.warn(
                "Reading the packaged mini set. For the data set in the folder gends give load_dataset('gends', "
                "data_dir='gends').",
                stacklevel=2,
            )
        return MINI_SET
    root = Path(data_dir).expanduser().resolve()
    if not root.is_dir():
        raise InputError(f"data_dir={data_dir} is not a folder.")
    return root


def _find_files(root: Path) -> tuple[str, dict[str, list[str]]]:
    """The builder's module, and the files of each split: our shards, or the authors' index."""
    shards = find_shards(root)
    if not shards:
        return _ORIGINAL_BUILDER, {"train": [str(path) for path in _find_index(root)]}
    if (root / "plan.json").is_file() and not (root / "manifest.json").is_file():
        warnings.warn(f"{root} is not finished; reading the shards that are there.", stacklevel=2)
    return BUILDER_MODULE, {split: [str(path) for path in paths] for split, paths in shards.items()}


def _find_index(root: Path) -> list[Path]:
    """Files of the authors' index in `root` or `root/data`; the images that they speak of are there too."""
    files = find_indices(root)
    if not files:
        names = ", ".join(sorted(path.name for path in root.iterdir())[:5]) or "nothing"
        raise InputError(
            f"{root} holds no GenDS; found {names}. Expected data/train-*.parquet as `gendeg synthesize` writes them, "
            f"or the authors' index (parquet or JSON with the columns {', '.join(COLUMNS)}) beside the images."
        )
    named = next(read_index(str(files[0])))[0]["image_path"]
    image = image_path(named, str(root))
    if not Path(image).is_file():
        raise InputError(
            f"{files[0].name} names {named}, and there is no {image}. Give as data_dir the folder with the images and "
            f"the index: the one that the authors call {ROOT_NAME}."
        )
    return files
