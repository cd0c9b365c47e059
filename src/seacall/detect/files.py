"""Classify many recordings: every good file's clips, and every bad file's reason."""

from __future__ import annotations

import sys
from collections import Counter
from collections.abc import Callable, Iterable, Sequence
from contextlib import ExitStack
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, TextIO

from seacall.audio.io import find_recordings
from seacall.detect.classify import ClipScores, classify_recording
from seacall.detect.clip_rows import ClipRows
from seacall.errors import AudioError, SettingsError
from seacall.models.backend import Classifier


@dataclass
class FilesResult:
    """What came of a set of recordings."""

    n_recordings: int = 0
    """Recordings read to their end."""
    n_clips: int = 0
    audio_s: float = 0.0
    """Length of the clips, s."""
    answers: Counter[str] = field(default_factory=Counter)
    """Clips of each answer."""
    failures: dict[str, str] = field(default_factory=dict)
    """Reason for each file that failed, by path."""

    def add(self, found: ClipScores, answer: str) -> None:
        """Count a clip."""
        self.n_clips += 1
        self.audio_s += found.clip.end_s - found.clip.start_s
        self.answers[answer] += 1

    def summary(self) -> str:
        """Say in one line what was done."""
        counts = ", ".join(f"{label} {n}" for label, n in self.answers.most_common())
        n_failed = len(self.failures)
        files = "file" if n_failed == 1 else "files"
        failed = f"; {n_failed} {files} failed" if n_failed else ""
        return (
            f"{self.n_recordings} recordings, {self.n_clips} clips"
            f"{': ' + counts if counts else ''}{failed}"
        )

    def as_dict(self) -> dict[str, Any]:
        """Return plain values for JSON."""
        return {
            "n_recordings": self.n_recordings,
            "n_clips": self.n_clips,
            "audio_s": round(self.audio_s, 3),
            "answers": dict(self.answers.most_common()),
            "failures": self.failures,
        }


def classify_paths(
    paths: Sequence[Path],
    classifier: Classifier,
    *,
    out: Path | None = None,
    hop_s: float | None = None,
    take: Callable[[ClipScores], None] | None = None,
    progress: Callable[[str, int, int, str], None] | None = None,
) -> FilesResult:
    """Classify recordings and write one row for each clip.

    Parameters
    ----------
    paths
        Recordings, and folders that are searched for them.
    out
        CSV file with columns ``file``, ``start_s``, ``end_s``, ``answer``, ``score``,
        ``fallback``, ``reason`` and one for each class; None: standard output.
    hop_s
        From one clip's start to the next, s; None: clips lie end to end.
    take
        Called with each clip, in place of standard output.

    Returns
    -------
    result
        Counts, and the reason for each file that failed. The clips of a file that
        ceases to be readable are kept up to that point.

    Raises
    ------
    AudioError
        If a folder does not exist or holds no recordings.
    SettingsError
        If the table cannot be written, or would replace a recording.
    """
    recordings = _expand(paths)
    if out is not None:
        _refuse_recording(out, recordings)
    result = FilesResult()
    with ExitStack() as stack:
        if out is not None or take is None:
            stream = sys.stdout if out is None else stack.enter_context(_create(out))
            take = ClipRows(stream, classifier.card).write
        for number, path in enumerate(recordings):
            if progress:
                progress("recordings", number, len(recordings), path.name)
            try:
                for found in classify_recording(path, classifier, hop_s=hop_s):
                    take(found)
                    result.add(found, found.answer(classifier.card)[0])
                result.n_recordings += 1
            except AudioError as error:
                result.failures[str(path)] = str(error)
        if progress:
            progress("recordings", len(recordings), len(recordings), "")
    return result


def _expand(paths: Iterable[Path]) -> list[Path]:
    """List recordings, each once, in the order given."""
    found: list[Path] = []
    for path in paths:
        found += find_recordings(path) if path.is_dir() else [path]
    return list(dict.fromkeys(found))


def _refuse_recording(out: Path, recordings: Iterable[Path]) -> None:
    if out.exists() and any(p.exists() and out.samefile(p) for p in recordings):
        raise SettingsError(
            f"{out}: is one of the recordings; choose another name for the table"
        )


def _create(out: Path) -> TextIO:
    try:
        out.parent.mkdir(parents=True, exist_ok=True)
        return out.open("w", encoding="utf-8", errors="surrogateescape", newline="")
    except OSError as error:
        raise SettingsError(
            f"{out}: cannot be written ({error.strerror}); choose another file"
        ) from error
