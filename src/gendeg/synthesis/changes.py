"""What differs between the settings a data set was begun with and those it is to go on with, in words."""

from collections.abc import Mapping
from typing import Any

_COUNTS = {"scenes": "photos", "captions": "photos with a caption", "existing_pairs": "existing pairs"}
_CONTENTS = {  # checksums, which say nothing to a reader: where they differ
    "scenes_sha256": "the photos, or the sets that they come from, are others",
    "captions_sha256": "the captions of the photos are others",
    "existing_pairs_sha256": "the existing pairs are others",
    "weights_sha256": "the checkpoint's weights are others",
    "simulators_sha256": "the physical models have changed",
    "change_scale": "the checkpoint's change_scale is another",
    "prior": "--prior is another",
}
_OPTIONS = {  # of the command line, where they are not called as the setting is
    "degradations": "--degradation",
    "thresholds": "--threshold",
    "captioner": "--captions",
    "checkpoint": "--model",
    "num_inference_steps": "--steps",
}


def describe_changes(found: Mapping[str, Any], given: Mapping[str, Any]) -> list[str]:
    """What differs between two configurations of a data set; nothing if they are equal.

    Args:
        found: what the data set was begun with, as JSON values (see `DatasetFolder.open`).
        given: what it is to go on with.

    Returns:
        E.g. `["--seed was 0, now 1", "photos with a caption: 2 before, 0 now"]`.
    """
    changed = [name for name in given if name in found and found[name] != given[name]]
    counted = {f"{name}_sha256" for name in changed if name in _COUNTS}  # another number says enough
    changes = [text for name in changed if name not in counted for text in _describe(name, found[name], given[name])]
    if not changes and found != given:
        return ["it was begun by another state of gendeg, which knew other settings"]
    return changes


def _describe(name: str, found: Any, given: Any) -> list[str]:
    if name in _COUNTS:
        return [f"{_COUNTS[name]}: {found} before, {given} now"]
    if name in _CONTENTS:
        return [_CONTENTS[name]]
    option = _OPTIONS.get(name, f"--{name.replace('_', '-')}")
    if not (isinstance(found, dict) and isinstance(given, dict)):
        return [f"{option} was {_say(found)}, now {_say(given)}"]
    keys = [key for key in given if key in found and found[key] != given[key]]  # others left with their degradation
    return [f"{option} {key} was {_say(found[key])}, now {_say(given[key])}" for key in keys]


def _say(value: Any) -> str:
    if value is None:
        return "not given"
    if isinstance(value, bool):
        return "on" if value else "off"
    return ", ".join(map(str, value)) if isinstance(value, list) else str(value)
