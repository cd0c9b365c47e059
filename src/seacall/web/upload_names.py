"""Make file names of what browsers say that files are called."""

from __future__ import annotations

import re
import unicodedata
from pathlib import Path

from seacall.audio.locate import AUDIO_SUFFIXES
from seacall.errors import AudioError

_LONGEST_BYTES = 150
_RESERVED = re.compile(r"(con|prn|aux|nul|com\d|lpt\d)(\.|$)", re.IGNORECASE)
"""Names that Windows has for devices: folders of recordings travel."""


def file_name(given: str) -> str:
    """Return a name that is one plain file in any folder.

    Letters, digits, dots, dashes and underscores stay as they are, and with them the
    times that recorders put into names; all else becomes ``_``.

    Raises
    ------
    AudioError
        If it does not end as recordings do.

    Examples
    --------
    >>> file_name("../../etc/5014.230101120000.wav")
    '5014.230101120000.wav'
    >>> file_name("<script>.FLAC")
    '_script_.FLAC'
    """
    last = re.split(r"[/\\]", unicodedata.normalize("NFC", given))[-1]
    clean = re.sub(r"[^\w.-]+", "_", last).lstrip(".-")
    suffix = Path(clean).suffix
    if suffix.lower() not in AUDIO_SUFFIXES:
        raise AudioError(
            f"{last[-80:]!r} does not end as recordings do; these do: "
            f"{', '.join(sorted(AUDIO_SUFFIXES))}"
        )
    stem = clean[: -len(suffix)]
    while len(stem.encode()) > _LONGEST_BYTES - len(suffix.encode()):
        stem = stem[:-1]
    return f"{'_' if _RESERVED.match(clean) else ''}{stem}{suffix}"


def free_path(folder: Path, name: str) -> Path:
    """Return a path of that name, or with a number, that nothing has yet."""
    path, k = folder / name, 1
    while path.exists():
        k += 1
        path = folder / f"{Path(name).stem}-{k}{Path(name).suffix}"
    return path
