"""The severity of many pairs: measured in parallel, and written down so that no pair is measured twice."""

import contextlib
import functools
import json
from collections.abc import Iterator, Sequence
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

from gendeg.data.pair_index import DatasetPair, IndexedPair
from gendeg.data.paired import read_pair
from gendeg.errors import ImageError, InputError
from gendeg.imaging import read_image
from gendeg.severity import measure_severity

_BATCH = 256  # pairs that the threads get at once

Key = tuple[Path, Path]


def pair_key(pair: DatasetPair) -> Key:
    """What tells a pair from others: its two files."""
    return pair.degraded, pair.clean


def measure_pairs(pairs: Sequence[DatasetPair], workers: int) -> Iterator[IndexedPair | ImageError]:
    """Measure mu and sigma of each pair, at the images' own size, in the order given.

    Args:
        pairs: quickest where pairs of one clean image stand side by side.
        workers: threads; reading and measuring leave Python's lock.

    Yields:
        The pair with its severity, or why it cannot be used: a broken file, or images of two sizes.
    """
    read = functools.lru_cache(maxsize=2 * workers)(read_image)

    def measure(pair: DatasetPair) -> IndexedPair | ImageError:
        try:
            clean, degraded = read_pair(pair, read)
        except ImageError as error:
            return error
        severity = measure_severity(clean, degraded)
        return IndexedPair(**vars(pair), mu=float(severity.mu), sigma=float(severity.sigma))

    pool = ThreadPoolExecutor(workers)
    try:
        for start in range(0, len(pairs), _BATCH):
            yield from pool.map(measure, pairs[start : start + _BATCH])
    finally:
        pool.shutdown(cancel_futures=True)


class SeverityLog:
    """What has been measured for an index that is not written yet: a run that is killed loses nothing.

    The file lies beside the index, with one line of JSON for each pair.

    Args:
        index: the index that is being made.
    """

    def __init__(self, index: Path):
        self.path = index.with_name(f".{index.name}.measured.jsonl")

    def read(self) -> dict[Key, tuple[float, float]]:
        """The mu and sigma of each pair. A line that is not whole, because the run was killed, is left out."""
        measured: dict[Key, tuple[float, float]] = {}
        if not self.path.is_file():
            return measured
        for line in self.path.read_text(encoding="utf-8").splitlines():
            with contextlib.suppress(ValueError):
                degraded, clean, mu, sigma = json.loads(line)
                measured[Path(degraded), Path(clean)] = (mu, sigma)
        return measured

    def record(self, measured: Iterator[IndexedPair | ImageError]) -> Iterator[IndexedPair | ImageError]:
        """Pass measured pairs on, each written down first.

        Raises:
            InputError: the file cannot be written.
        """
        try:
            self.path.parent.mkdir(parents=True, exist_ok=True)
            with self.path.open("a", encoding="utf-8") as file:
                file.write("\n")  # the last line may not be whole
                for pair in measured:
                    if isinstance(pair, IndexedPair):
                        file.write(json.dumps([str(pair.degraded), str(pair.clean), pair.mu, pair.sigma]) + "\n")
                        file.flush()
                    yield pair
        except OSError as error:
            raise InputError(f"Cannot write {self.path}: {error}.") from error

    def remove(self) -> None:
        """Forget everything."""
        self.path.unlink(missing_ok=True)
