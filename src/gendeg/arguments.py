"""What callers pass: one value for all images or one for each, as numbers of any library; paths."""

import operator
import os
from typing import Any

from gendeg.errors import InputError


def is_list(value: Any) -> bool:
    """Whether a value is one per image: a list, a tuple, or an array or tensor with a dimension."""
    return isinstance(value, (list, tuple)) or getattr(value, "ndim", 0) > 0


def count_results(images: int, **values: Any) -> int:
    """How many results a call has: one for each image, or, of a single image, one for each entry of the lists.

    Args:
        images: number of images given.
        values: the arguments that may be lists, by name.

    Raises:
        InputError: lists of different lengths, or not as many entries as images.
    """
    lengths = {name: len(value) for name, value in values.items() if is_list(value)}
    counts = set(lengths.values()) | ({images} if images > 1 else set())
    if len(counts) > 1 or 0 in counts:
        entries = ", ".join(f"{count} of {name}" for name, count in lengths.items())
        raise InputError(
            f"Lengths differ: {images} image{'s' * (images != 1)}, {entries}. Give one value for all images, or a list "
            "with one for each; a single image may come with lists of one length, and gives as many results."
        )
    return counts.pop() if counts else images


def one_each(value: Any, count: int) -> list[Any]:
    """A value for each of `count` results: a list as it is, anything else repeated."""
    return list(value) if is_list(value) else [value] * count


def read_float(name: str, value: Any) -> float:
    """A number of Python, NumPy or torch as float.

    Raises:
        InputError: not a number, or too large a one.
    """
    try:
        if isinstance(value, (str, bytes)) or is_list(value):
            raise TypeError
        return float(value)
    except (TypeError, ValueError):
        raise InputError(f"{name}={value!r} is not a number.") from None
    except OverflowError:  # a whole number of hundreds of digits
        raise InputError(f"{name} is too large for a floating-point number.") from None


def read_int(name: str, value: Any) -> int:
    """A whole number of Python, NumPy or torch as int.

    Raises:
        InputError: not a whole number.
    """
    try:
        if is_list(value):
            raise TypeError
        return operator.index(value)
    except (TypeError, ValueError):
        raise InputError(f"{name}={value!r} is not a whole number.") from None


def read_count(name: str, value: Any, least: int = 1) -> int:
    """A whole number that is not below `least`.

    Raises:
        InputError: another number, or none.
    """
    number = read_int(name, value)
    if number < least:
        raise InputError(f"{name}={number}; give a whole number, at least {least}.")
    return number


def read_counts(name: str, values: Any, least: int = 1) -> list[int]:
    """A list of whole numbers, none below `least`.

    Raises:
        InputError: no list, or another number in it.
    """
    if not is_list(values):
        raise InputError(f"{name}={values!r} is not a list of whole numbers.")
    return [read_count(f"{name}[{index}]", value, least) for index, value in enumerate(values)]


def check_path(name: str, path: Any) -> None:
    """Refuse what names no file or folder.

    Raises:
        InputError: neither text nor a path.
    """
    if not isinstance(path, (str, os.PathLike)):
        raise InputError(f"{name}={path!r} is neither text nor a path; give the name of a file or folder.")
