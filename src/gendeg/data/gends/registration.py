"""Makes `"gends"` a name that `datasets.load_dataset` knows.

`datasets` runs no loading scripts from outside; it looks names up in its table of packaged modules. Importing gendeg
adds a line to that table. `datasets` is slow to import: if it is not there yet, the line is added the moment it is.
"""

import importlib.machinery
import sys
from collections.abc import Callable, Sequence
from types import ModuleType
from typing import Any

from gendeg.data.gends.schema import PARTS
from gendeg.errors import InputError
from gendeg.version import __version__

NAME = "gends"
BUILDER_MODULE = "gendeg.data.gends.builder"
_HOST = "datasets.load"


def load_dataset(path: str = NAME, name: str | None = None, *args: Any, **kwargs: Any) -> Any:
    """`datasets.load_dataset`, with GenDS as the default.

    Args:
        path: `"gends"`, or any other name that `datasets` knows.
        name: the part of GenDS to load: `"all"` (default), `"existing"`, `"generated"`, or a degradation such as
            `"haze"`.
        *args: what follows in `datasets.load_dataset`.
        **kwargs: e.g. `data_dir`: a folder that `gendeg synthesize` made, or the authors' index and images; without
            it, the packaged mini set. And `split`, `streaming`, `num_proc`, `columns`, ..., as in `datasets`.

    Returns:
        What `datasets.load_dataset` returns.

    Raises:
        InputError: GenDS has no such part, or `data_dir` holds no GenDS.
    """
    import datasets

    if path == NAME and name is not None and name not in PARTS:
        raise InputError(f"GenDS has no part {name!r}; its parts are {', '.join(PARTS)}.")
    return datasets.load_dataset(path, name, *args, **kwargs)


def register() -> None:
    """Teach `datasets` the name, now or when it is imported."""
    if _HOST in sys.modules:
        _add_gends(sys.modules[_HOST])
    elif not any(isinstance(finder, _AfterImport) for finder in sys.meta_path):
        sys.meta_path.insert(0, _AfterImport(_HOST, _add_gends))


def _add_gends(load: ModuleType) -> None:
    packaged_factory = load.PackagedDatasetModuleFactory

    def factory(name: str, **arguments: Any) -> Any:
        if name != NAME:
            return packaged_factory(name, **arguments)
        from gendeg.data.gends.locate import GenDSModuleFactory

        return GenDSModuleFactory(**arguments)

    load._PACKAGED_DATASETS_MODULES[NAME] = (BUILDER_MODULE, __version__)  # the second decides what is cached
    load.PackagedDatasetModuleFactory = factory  # type: ignore[attr-defined]


class _AfterImport:
    """An import hook that runs `action(module)` once the module of this name has been imported."""

    def __init__(self, name: str, action: Callable[[ModuleType], None]):
        self.name, self.action = name, action

    def find_spec(
        self, name: str, path: Sequence[str] | None, target: ModuleType | None = None
    ) -> importlib.machinery.ModuleSpec | None:
        """The module's usual spec, whose loader ends with the action; None for every other module."""
        spec = importlib.machinery.PathFinder.find_spec(name, path, target) if name == self.name else None
        if spec is None or spec.loader is None:
            return None
        execute = spec.loader.exec_module

        def execute_and_act(module: ModuleType) -> None:
            execute(module)
            self.action(module)

        spec.loader.exec_module = execute_and_act  # type: ignore[method-assign]
        return spec
