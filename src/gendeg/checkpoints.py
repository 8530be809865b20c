"""Checkpoints that come with the package."""

from pathlib import Path

from gendeg.errors import CheckpointError

_FOLDER = Path(__file__).parent / "resources" / "checkpoints"


def packaged_checkpoints() -> list[str]:
    """Names of the checkpoints that come with this installation."""
    return sorted(path.name for path in _FOLDER.iterdir() if path.is_dir() and not path.name.startswith("_"))


def checkpoint(name: str) -> Path:
    """Folder of a packaged checkpoint, to be given to `from_pretrained`. No network is used.

    Args:
        name: e.g. `"gendeg-tiny"`.

    Raises:
        CheckpointError: no packaged checkpoint has this name.
    """
    names = packaged_checkpoints()
    if name not in names:
        raise CheckpointError(f"No packaged checkpoint {name!r}. Packaged: {', '.join(names)}.")
    return _FOLDER / name
