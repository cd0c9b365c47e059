"""The files of an index: how they are known, checked, and replaced by newer ones."""

from __future__ import annotations

import contextlib
import errno
import os
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from pydantic import Field, ValidationError

from seacall.detect.lock import locked
from seacall.errors import SeacallError
from seacall.files import file_sha256, written_whole
from seacall.models.untrusted import one_line, read_json
from seacall.settings import Settings

FOLDER = "search"
"""Folder of the index, beside the ledger that it is made from."""
HEADER = "index.json"
FORMAT = 1
NEEDED = frozenset({"rows", "vectors", "units"})
"""Files that every index has; a large one has a graph too."""


class FileMark(Settings):
    """By which a file is known."""

    size: int = Field(ge=0)
    mtime_ns: int
    sha256: str = Field(pattern="[0-9a-f]{64}")


class Header(Settings):
    """What an index says of itself."""

    format: int = FORMAT
    model: str
    """Architecture and start of the weights' sha256."""
    weights: dict[str, str]
    """sha256 of the files that made the embeddings, by name."""
    length: int = Field(ge=1, le=65_536)
    """Numbers in an embedding."""
    n_rows: int = Field(ge=1)
    n_units: int = Field(ge=1)
    files: dict[str, FileMark]
    """``rows``, ``vectors``, ``units`` and perhaps ``graph``, by kind."""
    generation: str = Field(pattern="[0-9a-f]{16}")
    """In the names of the files."""

    def path(self, folder: Path, kind: str) -> Path:
        """Return where one of its files lies."""
        suffix = ".usearch" if kind == "graph" else ".bin"
        return folder / f"{kind}-{self.generation}{suffix}"


def read_header(folder: Path) -> Header | None:
    """Read what an index says of itself; None: there is none, or none that is ours."""
    path = folder / HEADER
    if not path.is_file():
        return None
    try:
        header = Header.model_validate(read_json(path))
    except (OSError, ValueError, ValidationError):
        return None
    return header if header.format == FORMAT else None


def check_files(folder: Path, header: Header) -> None:
    """Check that the files are those that were written.

    A file that was touched since, as by copying, is read through once; one that was
    not is believed: reading through a gigabyte would take longer than searching it.

    Raises
    ------
    SeacallError
        If one is missing or was changed.
    """
    absent = NEEDED - set(header.files)
    if absent:
        raise SeacallError(f"{folder / HEADER}: names no {min(absent)}")
    for kind, mark in header.files.items():
        path = header.path(folder, kind)
        try:
            status = path.stat()
            same = status.st_size == mark.size and (
                status.st_mtime_ns == mark.mtime_ns or file_sha256(path) == mark.sha256
            )
        except OSError as error:
            raise SeacallError(f"{path}: {one_line(str(error))}") from error
        if not same:
            raise SeacallError(f"{path}: is not the file that was written")


def mark_of(path: Path) -> FileMark:
    """Return by what a file is known that has just been written."""
    status = path.stat()
    return FileMark(
        size=status.st_size, mtime_ns=status.st_mtime_ns, sha256=file_sha256(path)
    )


def put_in_place(folder: Path, header: Header) -> None:
    """Make an index that is written the one that is used, and drop earlier ones."""
    with written_whole(folder / HEADER) as part:
        part.write_text(header.model_dump_json(indent=2), encoding="utf-8")
    drop_others(folder, header.generation)


def drop_others(folder: Path, generation: str) -> None:
    """Delete files of other generations; who reads one still has it."""
    for path in [*folder.glob("*.bin"), *folder.glob("*.usearch")]:
        if generation not in path.name:
            path.unlink(missing_ok=True)


@contextmanager
def writing(folder: Path) -> Iterator[None]:
    """Lock the folder while an index is written, and translate a full disk.

    Raises
    ------
    SeacallError
        If it cannot be written, or another process is writing there.
    """
    handle = locked(folder)
    try:
        yield
    except OSError as error:
        if error.errno == errno.ENOENT:
            raise
        raise SeacallError(
            f"{folder}: the index cannot be written "
            f"({error.strerror or one_line(str(error))}); make room there and ask "
            "again: the scores and embeddings themselves are kept"
        ) from error
    finally:
        with contextlib.suppress(OSError):
            os.close(handle)
