"""Progress of long work: a bar on a terminal, an update now and then in a log."""

import sys
from typing import Any

from tqdm import tqdm

SECONDS = 30  # between two updates in a log; shorter work says nothing there


def progress_bar(total: int, unit: str, *, shown: bool = True, **settings: Any) -> "tqdm[Any]":
    """A progress bar on stderr. Where that is no terminal, it is shown every half minute, first after half a minute.

    Args:
        total: amount of work.
        unit: what is counted, in the singular.
        shown: False hides it.
        **settings: of `tqdm`.
    """
    interval, delay = (0.1, 0) if sys.stderr.isatty() else (SECONDS, SECONDS)
    return tqdm(
        total=total, unit=unit, disable=not shown, mininterval=interval, maxinterval=10 + delay, delay=delay, **settings
    )
