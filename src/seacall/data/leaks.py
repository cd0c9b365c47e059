"""Refuse a dataset that has the same audio in two splits.

To compare the recordings takes a while, and every command that trains or measures asks:
that nothing was found is kept beside the dataset, until a file or a table changes.
"""

from __future__ import annotations

import hashlib
import json
import logging
from collections.abc import Sequence
from pathlib import Path

from seacall.data import duplicates
from seacall.data.cache import CACHE_FOLDER
from seacall.data.duplicates import AudioPrint, Duplicate, audio_print, find_duplicates
from seacall.data.manifest import LabelledClip, Manifest
from seacall.errors import AnnotationError, AudioError
from seacall.files import written_whole

logger = logging.getLogger(__name__)

LEAKS_VERSION = 1
"""Raise it whenever a change of the code changes what is found."""


def check_leaks(manifest: Manifest, extra: Sequence[Manifest] = ()) -> None:
    """Refuse a dataset that has the same audio in two splits.

    Recordings that cannot be read are passed over.

    Parameters
    ----------
    extra
        Folders whose training clips are added to the dataset's.

    Raises
    ------
    AnnotationError
        Naming the pairs.
    """
    clips = [*manifest.clips]
    for one in extra:
        clips += one.split("train")
    kept = manifest.root / CACHE_FOLDER / "no-leaks" / _state_of(clips)
    if kept.exists():
        return
    readable, prints = _prints(clips)
    leaks = find_duplicates(prints, [clip.split for clip in readable])
    if leaks:
        raise AnnotationError(_in_words(manifest.root, readable, leaks))
    _keep(kept)


def _prints(
    clips: Sequence[LabelledClip],
) -> tuple[list[LabelledClip], list[AudioPrint]]:
    readable, prints = [], []
    for clip in clips:
        try:
            prints.append(audio_print(clip.path))
            readable.append(clip)
        except AudioError:
            continue
    return readable, prints


def _state_of(clips: Sequence[LabelledClip]) -> str:
    """Return 32 hex digits that change with any file or split, or how they compare."""
    how = (
        LEAKS_VERSION,
        duplicates.RATE,
        duplicates.COMPARED_S,
        duplicates.SAME_AUDIO,
    )
    found = hashlib.sha256(repr(how).encode())
    rows = []
    for clip in clips:
        stat = clip.path.stat()
        where = str(clip.path.resolve())
        rows.append([where, clip.split, clip.sha256, stat.st_size, stat.st_mtime_ns])
    found.update(json.dumps(sorted(rows)).encode("utf-8", "surrogateescape"))
    return found.hexdigest()[:32]


def _keep(path: Path) -> None:
    try:
        path.parent.mkdir(parents=True, exist_ok=True)
        with written_whole(path) as part:
            part.touch()
    except OSError as error:
        logger.info("%s: cannot be written (%s); compared again", path, error)


def _in_words(
    root: Path, clips: Sequence[LabelledClip], leaks: Sequence[Duplicate]
) -> str:
    pairs = [
        " = ".join(_name(clips[k].path, root) for k in (leak.first, leak.second))
        for leak in leaks
    ]
    more = f" and {len(pairs) - 5} more" if len(pairs) > 5 else ""
    return (
        f"{root}: the same audio is in two splits, {len(pairs)} times: "
        f"{'; '.join(pairs[:5])}{more}; move each pair into one split, or let "
        "'seacall prepare' divide the recordings"
    )


def _name(path: Path, root: Path) -> str:
    """Name a file within the dataset, or with its folder if it is an extra one."""
    return (path.relative_to(root) if path.is_relative_to(root) else path).as_posix()
