"""Hash files, and write files that are either whole or not there."""

from __future__ import annotations

import hashlib
import os
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path


def file_sha256(path: Path) -> str:
    """Return the sha256 of a file, 64 hex digits, without loading it whole.

    Raises
    ------
    OSError
        If it cannot be read.
    """
    with path.open("rb") as stream:
        return hashlib.file_digest(stream, "sha256").hexdigest()


@contextmanager
def written_whole(path: Path) -> Iterator[Path]:
    """Give a path to write to, which gets its own name when all is written.

    A run that is stopped, or fails on the way, leaves an earlier file as it was.
    Several processes may write the same file: the last one wins.

    Parameters
    ----------
    path
        The file's name in the end; its folder is there.

    Examples
    --------
    >>> import tempfile
    >>> folder = tempfile.TemporaryDirectory()
    >>> path = Path(folder.name, "a.txt")
    >>> with written_whole(path) as part:
    ...     _ = part.write_text("all of it")
    ...     path.exists()
    False
    >>> path.read_text()
    'all of it'
    >>> folder.cleanup()
    """
    part = path.with_name(f".{path.name}.{os.getpid()}.part")
    try:
        yield part
        part.replace(path)
    finally:
        part.unlink(missing_ok=True)
