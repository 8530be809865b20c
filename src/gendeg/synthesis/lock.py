"""One run at a time on an output folder."""

import fcntl
import json
import os
import socket
from pathlib import Path
from typing import IO

from gendeg.errors import DatasetError

LOCK = ".lock"


def lock_folder(folder: Path) -> IO[str]:
    """Take the lock of a folder for this process; closing the returned file, or the process's end, gives it back.

    The operating system keeps the lock (POSIX record lock), so a killed run leaves none behind, and worker processes
    that outlive it do not hold it.

    Raises:
        DatasetError: another run holds the lock, or the folder cannot be written.
    """
    try:
        file = (folder / LOCK).open("a+", encoding="utf-8")
    except OSError as error:
        raise DatasetError(f"Cannot write the data set to {folder}: {error}") from error
    try:
        fcntl.lockf(file, fcntl.LOCK_EX | fcntl.LOCK_NB)
    except OSError as error:
        file.seek(0)
        holder = _describe_holder(file.read())
        file.close()
        raise DatasetError(
            f"{folder} is being written by another run ({holder}). Wait for it, stop it, or choose another folder."
        ) from error
    file.truncate(0)
    json.dump({"process": os.getpid(), "host": socket.gethostname()}, file)
    file.flush()
    return file


def _describe_holder(text: str) -> str:
    try:
        holder = json.loads(text)
        return f"process {holder['process']} on {holder['host']}"
    except (ValueError, KeyError, TypeError):  # it has the lock and has not signed yet
        return "which has just begun"
