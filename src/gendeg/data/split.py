"""Which photos train and which are held out: decided by file name, so that every program agrees."""

import zlib
from pathlib import Path

SPLITS = ("train", "validation")


def split_of(path: str | Path) -> str:
    """`"validation"` for one photo in 20, `"train"` for the others.

    The choice depends on the file name without folder and suffix only (CRC-32), so it is the same on every machine,
    for every subset of a folder, and for both images of a pair. Training uses `"train"` photos alone; a number that
    is reported for "unseen photos" is measured on `"validation"`.
    """
    return "validation" if zlib.crc32(Path(path).stem.encode()) % 20 == 0 else "train"
