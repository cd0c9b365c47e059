"""Lock a run's folder for one process."""

from __future__ import annotations

import fcntl
import os
from pathlib import Path

from seacall.errors import SettingsError

LOCK_NAME = ".lock"


def locked(folder: Path) -> int:
    """Make the folder and lock it; the lock goes with the process, however it ends."""
    try:
        folder.mkdir(parents=True, exist_ok=True)
        handle = os.open(folder / LOCK_NAME, os.O_RDWR | os.O_CREAT, 0o644)
    except OSError as error:
        raise SettingsError(
            f"{folder}: cannot be written ({error.strerror}); choose another folder"
        ) from error
    try:
        fcntl.flock(handle, fcntl.LOCK_EX | fcntl.LOCK_NB)
    except BlockingIOError:
        os.close(handle)
        raise SettingsError(
            f"{folder}: another run is writing there; wait for its end, or choose "
            "another folder"
        ) from None
    return handle
