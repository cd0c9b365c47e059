"""Find published weights: a local file, or a download that is checked before use."""

from __future__ import annotations

import hashlib
import urllib.error
import urllib.request
from pathlib import Path

from seacall.errors import CheckpointError

_TIMEOUT_S = 60
_PIECE = 1 << 20


def file_sha256(path: Path) -> str:
    """Return the sha256 of a file, as 64 hex digits, without loading it whole."""
    with path.open("rb") as stream:
        return hashlib.file_digest(stream, "sha256").hexdigest()


def check_sha256(path: Path, sha256: str) -> None:
    """Check a file against its published sha256, or the start of it.

    Raises
    ------
    CheckpointError
        If the file is missing or its bytes differ.
    """
    if not path.is_file():
        raise CheckpointError(f"{path}: no such file; check the path")
    found = file_sha256(path)
    if not found.startswith(sha256):
        raise CheckpointError(
            f"{path}: sha256 starts with {found[: max(8, len(sha256))]} and should "
            f"start with {sha256}; download it again"
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
    path = folder / url.rsplit("/", 1)[-1]
    if not path.is_file():
        folder.mkdir(parents=True, exist_ok=True)
        part = path.with_name(path.name + ".part")
        try:
            _download(url, part)
            check_sha256(part, sha256)
            part.replace(path)
        finally:
            part.unlink(missing_ok=True)
    check_sha256(path, sha256)
    return path


def _download(url: str, path: Path) -> None:
    try:
        with (
            urllib.request.urlopen(url, timeout=_TIMEOUT_S) as reply,
            path.open("wb") as out,
        ):
            while piece := reply.read(_PIECE):
                out.write(piece)
    except (urllib.error.URLError, OSError) as error:
        raise CheckpointError(
            f"{url}: cannot be downloaded ({error}); "
            "download it elsewhere and give the file's path"
        ) from error
