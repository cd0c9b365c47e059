"""Find published weights: a local file, or a download that is checked before use."""

from __future__ import annotations

import http.client
import re
import urllib.error
import urllib.parse
import urllib.request
from pathlib import Path

from seacall.errors import CheckpointError
from seacall.files import file_sha256, written_whole
from seacall.models.untrusted import one_line

_TIMEOUT_S = 60
_PIECE = 1 << 20
MAX_BYTES = 1 << 30
"""Of one download: four times the largest weights that are in use here."""


def check_sha256(path: Path, sha256: str) -> None:
    """Check a file against its published sha256, or the start of it.

    Raises
    ------
    CheckpointError
        If the file is missing, cannot be read, or its bytes differ.
    """
    if not path.is_file():
        raise CheckpointError(f"{path}: no such file; check the path")
    try:
        found = file_sha256(path)
    except OSError as error:
        raise CheckpointError(
            f"{path}: cannot be read ({error.strerror}); check its permissions"
        ) from error
    if not found.startswith(sha256):
        shown = min(12, len(sha256))
        raise CheckpointError(
            f"{path}: sha256 starts with {found[:shown]} and should start with "
            f"{sha256[:shown]}; the file was changed, copy or download it again"
        )


def cache_folder() -> Path:
    """Return the folder that downloads are kept in."""
    return Path.home() / ".cache" / "seacall"


def fetch(url: str, *, sha256: str, folder: Path | None = None) -> Path:
    """Download a file once, and check it before it gets its name.

    Parameters
    ----------
    url
        Where it is published.
    sha256
        Its sha256, or the start of it.
    folder
        Where downloads are kept; None: :func:`cache_folder`.

    Returns
    -------
    path
        The checked file.

    Raises
    ------
    CheckpointError
        If it cannot be downloaded or its bytes differ; nothing is kept then.
    """
    folder = folder or cache_folder()
    path = folder / file_name_of(url)
    if not path.is_file():
        _make(folder)
        with written_whole(path) as part:
            download(url, part)
            _check_download(part, sha256, url=url)
    check_sha256(path, sha256)
    return path


def file_name_of(url: str) -> str:
    """Return the last part of a URL, if it names a file.

    Raises
    ------
    CheckpointError
        If it does not, or the URL is not one of the web: ``file:`` reads anything.
    """
    try:
        parts = urllib.parse.urlsplit(url)
    except ValueError as error:
        raise CheckpointError(f"{one_line(url)}: is no URL ({error})") from error
    name = parts.path.rsplit("/", 1)[-1]
    if parts.scheme not in ("http", "https") or not parts.netloc:
        raise CheckpointError(f"{one_line(url)}: give a URL of http or https")
    if not re.fullmatch(r"[A-Za-z0-9_][A-Za-z0-9_.-]*", name):
        raise CheckpointError(
            f"{one_line(url)}: its last part is no file name; give the file's own URL"
        )
    return name


def _make(folder: Path) -> None:
    try:
        folder.mkdir(parents=True, exist_ok=True)
    except OSError as error:
        raise CheckpointError(
            f"{folder}: cannot be made ({error.strerror}); downloads are kept there"
        ) from error


def _check_download(part: Path, sha256: str, *, url: str) -> None:
    found = file_sha256(part)
    if not found.startswith(sha256):
        raise CheckpointError(
            f"{url}: sha256 of what came starts with {found[: max(8, len(sha256))]} "
            f"and should start with {sha256}; nothing was kept, try again later or "
            "download it elsewhere and give the file's path"
        )


def download(url: str, path: Path, *, max_bytes: int = MAX_BYTES) -> None:
    """Download a file that nothing is known of yet.

    Raises
    ------
    CheckpointError
        If it cannot be had, or is longer than ``max_bytes``.
    """
    file_name_of(url)
    try:
        with (
            urllib.request.urlopen(url, timeout=_TIMEOUT_S) as reply,
            path.open("wb") as out,
        ):
            while piece := reply.read(_PIECE):
                out.write(piece)
                if out.tell() > max_bytes:
                    raise CheckpointError(
                        f"{url}: is longer than {max_bytes:,} bytes; nothing was kept"
                    )
    except urllib.error.HTTPError as error:
        error.close()
        raise _not_downloaded(url, error) from error
    except (
        urllib.error.URLError,
        http.client.HTTPException,
        OSError,
        ValueError,
    ) as error:
        raise _not_downloaded(url, error) from error


def _not_downloaded(url: str, error: Exception) -> CheckpointError:
    return CheckpointError(
        f"{url}: cannot be downloaded ({one_line(str(error))}); "
        "download it elsewhere and give the file's path"
    )
