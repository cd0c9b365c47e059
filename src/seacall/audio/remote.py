"""Read remote files (S3, HTTP, any fsspec URL) by ranges, a few megabytes at a time."""

from __future__ import annotations

import io
import time
from collections import OrderedDict
from collections.abc import Callable
from pathlib import Path, PurePath
from typing import Any, TypeVar, cast

from seacall.errors import AudioError, require

EXTRA = "remote"
FIRST_BYTES = 1 << 16
"""Fetched at a place where nothing was read before: headers fit into it."""
MOST_BYTES = 1 << 22
"""Fetched at once while a file is read on: each request takes tens of milliseconds,
and this hides them."""
KEPT_BYTES = 1 << 24
"""Of a file in memory."""
PAUSES_S = (0.5, 2.0)
"""Waited before the second and the third try, s."""

_FINAL = (FileNotFoundError, PermissionError, IsADirectoryError, NotADirectoryError)
R = TypeVar("R")


def location(url: str) -> Path:
    """Return what a URL leads to, to be used like a path; ``str()`` gives the URL.

    Raises
    ------
    MissingExtraError
        If the extra is not installed.
    AudioError
        If no file system is known for the URL.
    """
    upath = require("upath", EXTRA)
    try:
        found = upath.UPath(url)
        if hasattr(found, "__fspath__"):  # file://
            return Path(found)
        _ = found.fs
    except (ValueError, ImportError, TypeError) as error:
        raise AudioError(
            f"{url}: cannot be reached ({_reason(error)}); give a path, an s3:// or "
            "https:// URL, or install the fsspec package for it"
        ) from error
    return cast("Path", found)


def is_remote(path: Path) -> bool:
    """Say whether a location is a URL's."""
    return not isinstance(path, PurePath) and hasattr(path, "fs")


def is_dir(folder: Path) -> bool:
    """Say whether there is a folder.

    Raises
    ------
    AudioError
        If the store does not answer.
    """
    return bool(_asked(folder, lambda: _fs(folder).isdir(_key(folder))))


def files_below(folder: Path) -> list[Path]:
    """List all files below a folder, but none that is hidden or in a hidden folder.

    Raises
    ------
    AudioError
        If the store does not answer.
    """
    top = _key(folder).rstrip("/")
    keys = _asked(folder, lambda: _fs(folder).find(top))
    found = []
    for key in keys:
        parts = str(key).removeprefix(top).strip("/").split("/")
        if not any(part.startswith(".") for part in parts):
            found.append(folder.joinpath(*parts))
    return found


def size(path: Path) -> int:
    """Return a remote file's length, bytes.

    Raises
    ------
    AudioError
        If it is missing, or the store does not answer or knows no length.
    """
    about = _asked(path, lambda: _fs(path).info(_key(path)))
    if about.get("type") == "directory":
        raise AudioError(f"{path}: is a folder; give an audio file")
    if about.get("size") is None:
        raise AudioError(f"{path}: its server tells no length; download it first")
    return int(about["size"])


class RemoteFile(io.RawIOBase):
    """A remote file that is read by ranges, some megabytes of it kept.

    What is fetched at once grows while the file is read on, and is small again after
    a jump: reading a header costs little, and reading a recording few requests.
    """

    def __init__(self, path: Path) -> None:
        self.n_bytes = size(path)
        self._path = path
        self._position = 0
        self._spans: OrderedDict[int, bytes] = OrderedDict()
        self._next = (-1, FIRST_BYTES)

    def readable(self) -> bool:
        """Return True."""
        return True

    def seekable(self) -> bool:
        """Return True."""
        return True

    def seek(self, offset: int, whence: int = io.SEEK_SET) -> int:
        """Move to an offset."""
        base = {io.SEEK_SET: 0, io.SEEK_CUR: self._position, io.SEEK_END: self.n_bytes}
        self._position = max(0, base[whence] + offset)
        return self._position

    def tell(self) -> int:
        """Return the offset."""
        return self._position

    def readinto(self, buffer: Any) -> int:
        """Fill a buffer, less at the end of the file.

        Raises
        ------
        AudioError
            If the store does not answer.
        """
        view = memoryview(buffer).cast("B")
        done = 0
        while done < len(view) and self._position < self.n_bytes:
            start, span = self._span()
            first = self._position - start
            part = span[first : first + len(view) - done]
            view[done : done + len(part)] = part
            done += len(part)
            self._position += len(part)
        return done

    def _span(self) -> tuple[int, bytes]:
        for start, span in self._spans.items():
            if start <= self._position < start + len(span):
                self._spans.move_to_end(start)
                return start, span
        start = self._position
        expected, length = self._next
        length = min(2 * length, MOST_BYTES) if start == expected else FIRST_BYTES
        # As far as what is there already, and not beyond the end.
        ends = [other for other in self._spans if other > start]
        end = min([start + length, self.n_bytes, *ends])
        span = self._fetched(start, end)
        self._spans[start] = span
        self._next = (end, length)
        while sum(map(len, self._spans.values())) > KEPT_BYTES:
            self._spans.popitem(last=False)
        return start, span

    def _fetched(self, start: int, end: int) -> bytes:
        fs, key = _fs(self._path), _key(self._path)
        span = _asked(self._path, lambda: fs.cat_file(key, start=start, end=end))
        if len(span) != end - start:
            raise AudioError(
                f"{self._path}: {end - start} bytes were asked for and {len(span)} "
                "came; its server does not serve parts of files, or it has changed"
            )
        return bytes(span)


def _asked(path: Path, question: Callable[[], R]) -> R:
    """Ask a store, again after a pause if it may answer then."""
    for pause_s in (*PAUSES_S, None):
        try:
            return question()
        except AudioError:
            raise
        # Every store has errors of its own, some no OSError (aiohttp, botocore).
        except Exception as error:
            if isinstance(error, _FINAL) and not _is_network(error.__cause__):
                raise AudioError(_refused(path, error)) from error
            if pause_s is None or "Credentials" in type(error).__name__:
                reason = error.__cause__ if isinstance(error, _FINAL) else error
                raise AudioError(
                    f"{path}: cannot be read ({_reason(reason or error)}); "
                    f"{_advice(error)}"
                ) from error
        time.sleep(pause_s)
    raise AssertionError("unreachable")


def _advice(error: Exception) -> str:
    if "Credentials" in type(error).__name__:
        return "give credentials, or set FSSPEC_S3_ANON=true for public data"
    return "check the address, the network and the credentials"


def _is_network(error: BaseException | None) -> bool:
    """Say whether a file only seems to be missing: fsspec says so of silent servers."""
    if isinstance(error, OSError):
        return not isinstance(error, _FINAL)
    return int(getattr(error, "status", 0) or 0) >= 500


def _refused(path: Path, error: Exception) -> str:
    if isinstance(error, FileNotFoundError):
        return f"{path}: no such file; check the address"
    if isinstance(error, PermissionError):
        return f"{path}: may not be read ({_reason(error)}); check the credentials"
    return f"{path}: is a folder; give an audio file"


def _fs(path: Path) -> Any:
    return cast("Any", path).fs


def _key(path: Path) -> str:
    return str(cast("Any", path).path)


def _reason(error: BaseException) -> str:
    text = " ".join(str(error).split()).rstrip(".")
    return text or type(error).__name__
