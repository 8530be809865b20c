"""From pairs in folders to an index of pairs with their measured severity."""

import os
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from pathlib import Path

from gendeg.data.measuring import Key, SeverityLog, measure_pairs, pair_key
from gendeg.data.pair_index import DatasetPair, IndexedPair, read_index, write_index
from gendeg.errors import ImageError, list_some


@dataclass(frozen=True)
class Prepared:
    """What a run has done.

    Attributes:
        pairs: the rows that it wrote, in the order of its input.
        measured: how many of them it measured; the others were known.
        failures: why pairs cannot be used.
        gone: rows that left the index, as an image of theirs has been deleted.
    """

    pairs: list[IndexedPair]
    measured: int
    failures: list[ImageError]
    gone: int


def prepare_index(
    pairs: Sequence[DatasetPair],
    index: Path,
    *,
    workers: int = 1,
    overwrite: bool = False,
    advance: Callable[[], object] = lambda: None,
    looked_for: Callable[[DatasetPair], bool] = lambda row: False,
) -> Prepared:
    """Measure pairs and write them into an index.

    Rows of the index that are about other pairs stay, but for those that were looked for and whose images have been
    deleted. (Images elsewhere may lie on a disk that is not there today.)

    A pair that the index or an interrupted run has measured is not measured again, unless an image of it is newer; then
    it is, be it asked for or not, as the new index will be newer.

    Args:
        pairs: what to measure.
        index: the parquet file; made, or added to. It is written at the end, whole.
        workers: threads.
        overwrite: measure everything again.
        advance: called for each pair.
        looked_for: whether a row is about a pair that would be among `pairs` if its images were there; none by default.

    Raises:
        InputError: `index` is another kind of file, or cannot be written.
        ImageError: not one pair can be used; rows of deleted images have left the index nevertheless.
    """
    index = Path(os.path.abspath(index))
    log = SeverityLog(index)
    old = _rows(index)
    if overwrite:
        log.remove()
    pairs = [*pairs, *_changed(index, old, pairs)]
    known = {} if overwrite else _up_to_date(index, old) | _up_to_date(log.path, _logged(log, pairs))
    waiting = [pair for pair in pairs if pair_key(pair) not in known]
    for _ in range(len(pairs) - len(waiting)):
        advance()
    failures: list[ImageError] = []
    for result in log.record(measure_pairs(waiting, workers)):
        advance()
        if isinstance(result, ImageError):
            failures.append(result)
        else:
            known[pair_key(result)] = (result.mu, result.sigma)
    rows = [_row(pair, known[pair_key(pair)]) for pair in pairs if pair_key(pair) in known]
    if not rows:
        remove_deleted(index, looked_for)
        reasons = list_some([str(failure) for failure in failures])
        raise ImageError("\n  ".join([f"None of the {len(pairs)} pairs can be used:", *reasons]))
    asked = set(map(pair_key, pairs))
    others = [row for row in _rows(index) if pair_key(row) not in asked]  # another run may have added some by now
    kept = _without_deleted(others, looked_for)
    write_index(sorted([*kept, *rows], key=lambda row: (row.dataset, row.degraded)), index)
    log.remove()
    return Prepared(rows, len(waiting) - len(failures), failures, gone=len(others) - len(kept))


def remove_deleted(index: Path, looked_for: Callable[[DatasetPair], bool]) -> int:
    """Remove the rows of an index whose images have been deleted; returns how many there were.

    Args:
        index: the parquet file; where there is none, nothing happens.
        looked_for: the rows that may be removed.

    Raises:
        InputError: `index` is another kind of file, or cannot be written.
    """
    index = Path(os.path.abspath(index))
    rows = _rows(index)
    kept = _without_deleted(rows, looked_for)
    if len(kept) < len(rows):
        write_index(kept, index)
    return len(rows) - len(kept)


def _without_deleted(rows: Sequence[IndexedPair], looked_for: Callable[[DatasetPair], bool]) -> list[IndexedPair]:
    return [row for row in rows if _is_there(row) or not looked_for(row)]


def _rows(index: Path) -> list[IndexedPair]:
    return read_index(index) if index.is_file() else []


def _is_there(pair: DatasetPair) -> bool:
    return pair.degraded.is_file() and pair.clean.is_file()


def _row(pair: DatasetPair, severity: tuple[float, float]) -> IndexedPair:
    mu, sigma = severity
    return IndexedPair(**vars(pair), mu=mu, sigma=sigma)


def _logged(log: SeverityLog, pairs: Sequence[DatasetPair]) -> list[IndexedPair]:
    measured = log.read()
    return [_row(pair, measured[pair_key(pair)]) for pair in pairs if pair_key(pair) in measured]


def _changed(index: Path, rows: Sequence[IndexedPair], asked: Sequence[DatasetPair]) -> list[DatasetPair]:
    """The other pairs of an index, of which an image is newer than the index. Of missing images nothing is known."""
    others = {pair_key(row): row for row in rows if _is_there(row)}
    for pair in asked:
        others.pop(pair_key(pair), None)
    old = _up_to_date(index, list(others.values()))
    return [_unmeasured(row) for key, row in others.items() if key not in old]


def _unmeasured(row: IndexedPair) -> DatasetPair:
    return DatasetPair(row.degraded, row.clean, row.mixture, row.dataset, row.category, row.split, row.scene)


def _up_to_date(record: Path, rows: Sequence[IndexedPair]) -> dict[Key, tuple[float, float]]:
    """Severities of those pairs whose images are there, and older than the file that recorded them."""
    if not rows:
        return {}
    since = record.stat().st_mtime

    def is_older(image: Path) -> bool:
        return image.is_file() and image.stat().st_mtime <= since

    return {pair_key(row): (row.mu, row.sigma) for row in rows if is_older(row.degraded) and is_older(row.clean)}
