"""Find recordings: in folders, in lists of files, on remote stores."""

from __future__ import annotations

import logging
import os
import re
from collections.abc import Iterable, Iterator
from pathlib import Path, PurePosixPath

from seacall.audio import remote
from seacall.errors import AudioError

AUDIO_SUFFIXES = frozenset(
    {".wav", ".wave", ".flac", ".mp3", ".ogg", ".oga", ".aif", ".aiff", ".w64", ".rf64"}
)
"""Endings of file names that a search for recordings picks up, in lower case."""

logger = logging.getLogger(__name__)

_SYSTEM = frozenset({"$RECYCLE.BIN", "System Volume Information"})
"""Folders that Windows makes on every drive."""
_URL = re.compile(r"[A-Za-z][A-Za-z0-9+.-]+(::[A-Za-z][A-Za-z0-9+.-]+)*://")


def location(text: str | Path) -> Path:
    """Return a file or folder by its path or URL (``s3://bucket/key``).

    Raises
    ------
    MissingExtraError
        If it is a URL, and the extra ``remote`` is not installed.
    AudioError
        If no file system is known for the URL.
    """
    if isinstance(text, str) and _URL.match(text):
        return remote.location(text)
    return Path(text) if isinstance(text, str) else text


def gather(arguments: Iterable[str | Path]) -> list[Path]:
    """List the recordings that a user names, each once, in the order given.

    Parameters
    ----------
    arguments
        Recordings, folders of them, URLs of either, and ``@list.txt`` for a list of
        files.

    Raises
    ------
    AudioError
        If a folder or a list does not exist or holds no recordings. Single files are
        taken as they are.
    """
    found: dict[Path, None] = {}
    for argument in arguments:
        text = str(argument)
        if text.startswith("@") and not os.path.lexists(text):
            found.update(dict.fromkeys(read_file_list(location(text[1:]))))
            continue
        path = location(argument)
        found.update(dict.fromkeys(find_recordings(path) if _is_dir(path) else [path]))
    return list(found)


def find_recordings(folder: Path) -> list[Path]:
    """List the recordings below a folder, sorted, hidden files and folders left out.

    Links to folders are followed, each folder being searched once however many lead
    to it, so that loops of links end.

    Raises
    ------
    AudioError
        If the folder does not exist or holds none.
    """
    if not _is_dir(folder):
        raise AudioError(f"{folder}: no such folder; give a folder of recordings")
    if remote.is_remote(folder):
        found = [path for path in remote.files_below(folder) if _wanted(path.name)]
    else:
        found = [Path(path) for path in _files_below(os.fspath(folder))]
    if not found:
        endings = " ".join(sorted(AUDIO_SUFFIXES))
        raise AudioError(f"{folder}: holds no recordings; looked for {endings}")
    return sorted(found)


def read_file_list(path: Path) -> list[Path]:
    """Read which recordings a list names, one a line.

    Names are relative to the list's folder; empty lines and those that begin with
    ``#`` are left out. A list that ``find -print0`` wrote may hold any name.

    Raises
    ------
    AudioError
        If the list cannot be read or is empty.
    """
    try:
        content = path.read_bytes()
    except OSError as error:
        raise AudioError(
            f"{path}: cannot be read ({error.strerror or error}); "
            "give a text file with one recording a line"
        ) from error
    if content.startswith((b"RIFF", b"fLaC")):
        raise AudioError(f"{path}: is a recording; give a list of them, or leave out @")
    names = os.fsdecode(content.removeprefix(b"\xef\xbb\xbf"))
    if "\0" in names:
        found = [name for name in names.split("\0") if name.strip()]
    else:
        lines = (line.removesuffix("\r") for line in names.split("\n"))
        found = [line for line in lines if line.strip() and not line.startswith("#")]
    if not found:
        raise AudioError(f"{path}: names no recordings; write one path a line")
    return [_beside(path, name) for name in found]


def _beside(path: Path, name: str) -> Path:
    where = location(name)
    return where if remote.is_remote(where) else path.parent / name


def _is_dir(path: Path) -> bool:
    if remote.is_remote(path):
        return remote.is_dir(path)
    try:
        return path.is_dir()
    except OSError as error:  # a name that is too long, say
        raise AudioError(f"{path}: {error.strerror}; check the path") from error


def _wanted(name: str) -> bool:
    if name.startswith("."):  # macOS leaves ._ files that are no audio
        return False
    return PurePosixPath(name).suffix.lower() in AUDIO_SUFFIXES


def _files_below(folder: str) -> Iterator[str]:
    """Yield recordings; folders that only a link leads to come last."""
    waiting = [folder]
    seen: set[tuple[int, int]] = set()
    while waiting:
        links: list[str] = []
        for top in sorted(waiting):
            yield from _walk(top, seen, links)
        waiting = links


def _walk(top: str, seen: set[tuple[int, int]], links: list[str]) -> Iterator[str]:
    folders = [top]
    while folders:
        folder = folders.pop()
        try:
            status = os.stat(folder)  # noqa: PTH116  thousands of folders: no Path
            with os.scandir(folder) as entries:
                if (status.st_dev, status.st_ino) in seen:
                    continue
                seen.add((status.st_dev, status.st_ino))
                for entry in entries:
                    if entry.name.startswith(".") or entry.name in _SYSTEM:
                        continue
                    if entry.is_dir(follow_symlinks=False):
                        folders.append(entry.path)
                    elif entry.is_symlink() and entry.is_dir():
                        links.append(entry.path)
                    elif _wanted(entry.name) and entry.is_file():
                        yield entry.path
        except OSError as error:
            _left_out(folder, error, is_top=folder == top)


def _left_out(folder: str, error: OSError, *, is_top: bool) -> None:
    """Warn of a folder that cannot be searched, or raise if it was asked for.

    Drives have folders that only their owner may look into (``lost+found``).
    """
    if is_top or not isinstance(error, (PermissionError, FileNotFoundError)):
        raise AudioError(
            f"{folder}: cannot be searched ({error.strerror}); "
            "check its permissions, or name what lies in it"
        ) from error
    logger.warning("%s: left out, cannot be searched (%s)", folder, error.strerror)
