"""Which files of a folder are a GenDS: our shards, or the authors' index. Quick, as it leaves `datasets` alone."""

from pathlib import Path

import pyarrow as pa
import pyarrow.parquet as pq

from gendeg.data.gends.schema import SPLITS


def holds_gends(root: Path) -> bool:
    """Whether a folder has our shards or the authors' index."""
    return bool(find_shards(root) or find_indices(root))


def find_shards(root: Path) -> dict[str, list[Path]]:
    """Our shards by split; splits without shards are left out."""
    shards = {split: sorted((root / "data").glob(f"{split}-*-of-*.parquet")) for split in SPLITS}
    return {split: paths for split, paths in shards.items() if paths and not _is_index(paths[0])}


def find_indices(root: Path) -> list[Path]:
    """Files of the authors' index, in `root` or `root/data`."""
    patterns = ("*.parquet", "*.json", "data/*.parquet", "data/*.json")
    return sorted(path for pattern in patterns for path in root.glob(pattern) if _is_index(path))


def _is_index(path: Path) -> bool:
    if path.suffix == ".json":
        with path.open("rb") as stream:
            return b'"image_path"' in stream.read(4096)
    try:
        return "image_path" in pq.read_schema(path).names
    except pa.ArrowInvalid:
        return False
