"""Path patterns, which say how the image files of a data set are called.

    {split}/{video}/blur/{frame}

* `{frame}`, a field, stands for any part of one file or folder name, the shortest that fits. A field that stands in the
  patterns of both the degraded and the clean image has the same value in both: so the two find each other.
* `{split}` is one of the words in `SPLITS`.
* `{level:S|M|L}` is one of these; `{image:0*}` begins with 0.
* `*` is any part of a name that does not matter, `(in|input)` either of both.

Suffixes (.png, ...) are left out, and the case of letters does not matter. A pattern fits the end of a path: the
folders above it are free, but the same for both images. They may differ where the pattern begins with `**/`.
"""

import functools
import re
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

TRAIN, VALIDATION, TEST = "train", "validation", "test"
SPLITS = {
    "train": TRAIN,
    "training": TRAIN,
    "train_set": TRAIN,
    "val": VALIDATION,
    "validation": VALIDATION,
    "test": TEST,
    "testing": TEST,
    "test_set": TEST,
}
ANYWHERE = "**/"

_TOKEN = re.compile(r"\{(?P<field>\w+)(:(?P<choices>[^}]*))?\}|(?P<star>\*)|(?P<either>[(|)])|(?P<text>[^{*(|)]+)")
_IN_NAME = "[^/]*?"


@dataclass(frozen=True)
class PatternMatch:
    """How a pattern fits a path.

    Attributes:
        above: the folders above the part that fits; empty for a pattern that begins with `**/`.
        text: the part that fits, without suffix.
        fields: value of each field.
    """

    above: str
    text: str
    fields: dict[str, str]


class PathPattern:
    """A compiled pattern; see the module for how to write one."""

    def __init__(self, pattern: str):
        self.pattern = pattern
        self._anywhere = pattern.startswith(ANYWHERE)
        body = "".join(_translate(pattern.removeprefix(ANYWHERE)))
        self._expression = re.compile(f"(?P<_above>(?:.*/)?)(?P<_text>{body})", re.IGNORECASE)

    @property
    def fields(self) -> set[str]:
        """Names of the fields."""
        return {name for name in self._expression.groupindex if not name.startswith("_")}

    def match(self, name: str) -> PatternMatch | None:
        """Fit the pattern to a path that `path_name` has written, or return None."""
        match = self._expression.fullmatch(name)
        if match is None:
            return None
        above = "" if self._anywhere else match["_above"]
        return PatternMatch(above, match["_text"], {field: match[field] for field in self.fields})


@functools.cache
def compile_pattern(pattern: str) -> PathPattern:
    """The compiled pattern, made once."""
    return PathPattern(pattern)


def path_name(path: Path) -> str:
    """A path as patterns see it: absolute, with forward slashes, without suffix."""
    return path.absolute().with_suffix("").as_posix()


def _translate(pattern: str) -> Iterator[str]:
    """The regular expression of a pattern, token by token."""
    for token in _TOKEN.finditer(pattern):
        if token["field"]:
            yield f"(?P<{token['field']}>{_values(token['field'], token['choices'])})"
        elif token["star"]:
            yield _IN_NAME
        elif token["either"]:
            yield token["either"].replace("(", "(?:")
        else:
            yield re.escape(token["text"])


def _values(field: str, choices: str | None) -> str:
    if field == "split":
        return "|".join(SPLITS)
    if choices is None:
        return "[^/]+?"
    return "|".join(re.escape(choice).replace(re.escape("*"), _IN_NAME) for choice in choices.split("|"))
