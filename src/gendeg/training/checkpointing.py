"""Checkpoints of a running training: written whole or not at all, the latest few kept."""

import json
import math
import os
import re
import shutil
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

from accelerate import Accelerator

from gendeg.errors import TrainingError
from gendeg.files import whole_file

BEST = "best"  # folder of the best result so far
_SCORE = "score.json"
_NAME = re.compile(r"checkpoint-(\d+)")


class Progress:
    """Number of optimiser steps done; saved with the checkpoint."""

    def __init__(self) -> None:
        self.step = 0

    def state_dict(self) -> dict[str, Any]:
        """What a checkpoint stores."""
        return {"step": self.step}

    def load_state_dict(self, state: dict[str, Any]) -> None:
        """Restore what `state_dict` returned."""
        self.step = state["step"]


def find_checkpoints(folder: Path) -> list[Path]:
    """Complete checkpoints in a run's folder, oldest first."""
    found = [(int(match[1]), path) for path in folder.glob("checkpoint-*") if (match := _NAME.fullmatch(path.name))]
    return [path for _, path in sorted(found)]


def save_checkpoint(accelerator: Accelerator, folder: Path, step: int, keep: int) -> Path:
    """Save the state of all prepared and registered objects as `<folder>/checkpoint-<step>`.

    The files are written to a temporary folder that is renamed at the end, then all but the `keep` latest checkpoints
    are removed.
    """
    final = _checkpoint(folder, step)
    temporary = folder / f".{final.name}.tmp"
    if accelerator.is_main_process:
        shutil.rmtree(temporary, ignore_errors=True)
    accelerator.wait_for_everyone()
    accelerator.save_state(str(temporary))
    accelerator.wait_for_everyone()
    if accelerator.is_main_process:
        shutil.rmtree(final, ignore_errors=True)
        os.replace(temporary, final)
        for old in find_checkpoints(folder)[:-keep]:
            shutil.rmtree(old)
    accelerator.wait_for_everyone()
    return final


def set_aside_checkpoint(accelerator: Accelerator, folder: Path, step: int) -> None:
    """Rename the checkpoint of a step, if there is one, to `checkpoint-<step>.exploded`, which nothing resumes from."""
    checkpoint = _checkpoint(folder, step)
    if accelerator.is_main_process and checkpoint.is_dir():
        aside = checkpoint.with_suffix(".exploded")
        shutil.rmtree(aside, ignore_errors=True)
        os.replace(checkpoint, aside)
    accelerator.wait_for_everyone()


def _checkpoint(folder: Path, step: int) -> Path:
    return folder / f"checkpoint-{step:07d}"


@contextmanager
def whole_result(folder: Path) -> Iterator[Path]:
    """A temporary folder to write a result into, whose files and sub-folders are moved to `folder` when it is whole.

    A run's folder thus never holds half-written weights. The folders are moved before the files, which say what is in
    them.
    """
    temporary = folder / ".result.tmp"
    shutil.rmtree(temporary, ignore_errors=True)
    temporary.mkdir(parents=True)
    yield temporary
    for path in sorted(temporary.iterdir(), key=Path.is_file):
        if path.is_dir():
            shutil.rmtree(folder / path.name, ignore_errors=True)
        os.replace(path, folder / path.name)
    temporary.rmdir()


def best_score(folder: Path) -> float:
    """Score of the result in a folder; minus infinity if there is none."""
    path = folder / _SCORE
    return float(json.loads(path.read_text())["score"]) if path.is_file() else -math.inf


def forget_score(folder: Path) -> None:
    """Let any score be better than that of the result in a folder, which an earlier run left."""
    (folder / _SCORE).unlink(missing_ok=True)


def write_score(folder: Path, score: float, step: int) -> None:
    """Note the score of the result in a folder, and the step that it is from."""
    with whole_file(folder / _SCORE) as temporary:
        temporary.write_text(json.dumps({"score": score, "step": step}))


def require_no_checkpoints(folder: Path) -> None:
    """Refuse to start anew where another run has left checkpoints.

    Raises:
        TrainingError: there are some.
    """
    checkpoints = find_checkpoints(folder)
    if checkpoints:
        raise TrainingError(
            f"{folder} holds checkpoints of an earlier run, such as {checkpoints[-1].name}. Add --resume to go on "
            "with it, or choose another --output-dir."
        )


def latest_checkpoint(folder: Path) -> Path:
    """The folder of the latest checkpoint of a run.

    Raises:
        TrainingError: there is none.
    """
    checkpoints = find_checkpoints(folder)
    if not checkpoints:
        raise TrainingError(f"Nothing to resume: no checkpoint-* folder in {folder}. Leave out --resume to start anew.")
    return checkpoints[-1]


def load_checkpoint(accelerator: Accelerator, checkpoint: Path) -> None:
    """Restore a checkpoint.

    Raises:
        TrainingError: it cannot be read.
    """
    try:
        accelerator.load_state(str(checkpoint))
    except Exception as error:  # what a damaged file raises depends on where it is damaged
        raise TrainingError(
            f"{checkpoint} cannot be loaded ({error}). If it is damaged, delete it to go on from the one before."
        ) from error
