"""Every error that gendeg raises on purpose.

    GenDegError
    ├── InputError (also a ValueError)      what the caller passed cannot be used
    │   ├── UnknownDegradationError         not one of the six degradations
    │   ├── SeverityError                   mu or sigma out of range, NaN, or together infeasible
    │   └── ImageError                      not an image, or one that cannot be used
    ├── CheckpointError                     a checkpoint that is missing, broken, unsafe or of another model
    ├── DatasetError                        a data set folder that cannot be written, resumed, or is damaged
    ├── MissingExtraError (also an ImportError)   an optional dependency is not installed
    └── TrainingError                       a training run that cannot go on (NaN loss, unusable checkpoint folder)

A message says what was given, what is accepted, and what to do.
"""

import functools
import logging


class GenDegError(Exception):
    """Base of every error that gendeg raises on purpose."""


class InputError(GenDegError, ValueError):
    """What the caller passed cannot be used."""


class UnknownDegradationError(InputError):
    """The name is not one of the six degradations, nor an alias of one."""


class SeverityError(InputError):
    """mu or sigma is out of range, not a number, or no degradation map can have both."""


class ImageError(InputError):
    """The object is not an image, or an image that cannot be used."""


class CheckpointError(GenDegError):
    """A checkpoint is missing, broken, unsafe to load, or belongs to another model."""


class DatasetError(GenDegError):
    """A data set folder cannot be written or resumed, or is damaged."""


class MissingExtraError(GenDegError, ImportError):
    """An optional dependency is needed and not installed."""


class TrainingError(GenDegError):
    """A training run cannot go on."""


MOST_LISTED = 20


def list_some(lines: list[str]) -> list[str]:
    """The first of many lines, and how many there are beyond them: what a message lists of many problems."""
    left = len(lines) - MOST_LISTED
    return [*lines[:MOST_LISTED], f"... and {left} more."] if left > 0 else list(lines)


@functools.cache
def warn_once(logger: logging.Logger, message: str) -> None:
    """Log a warning, once in a process."""
    logger.warning(message)


def first_line(error: Exception) -> str:
    """The first line of an error's text, or the error's name where it has none: what a message quotes of a library."""
    return (str(error).strip() or type(error).__name__).splitlines()[0]


def count_of(count: int, noun: str) -> str:
    """A number with its noun: `"1 image"`, `"2 images"`."""
    return f"{count} {noun}" if count == 1 else f"{count} {noun}s"
