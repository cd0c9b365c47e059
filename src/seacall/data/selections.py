"""Read Raven selection tables: who called when, in which recording."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterable
from dataclasses import dataclass, field
from itertools import takewhile
from pathlib import Path, PureWindowsPath

from seacall.data.manifest import Failure
from seacall.data.tables import Cell, Row, number_of, read_table, text_of
from seacall.errors import AnnotationError
from seacall.events import Annotation
from seacall.labels import clean_label

LABEL_COLUMNS = ("Species", "species", "Label", "Annotation", "Tags")
"""Columns that a label is looked for in, the first that is there."""
BEGIN, END = "Begin Time (s)", "End Time (s)"
OFFSET = "File Offset (s)"
SCORE_COLUMNS = ("Score", "score", "Confidence", "confidence")
"""Columns that a detector's score is looked for in, the first that is there."""


class AbsentRecordingError(AnnotationError):
    """A table names a recording that is not there."""

    def __init__(self, name: str, message: str) -> None:
        super().__init__(message)
        self.name = name


@dataclass(frozen=True)
class Absent(Failure):
    """A row whose recording is not there."""

    name: str
    """Of the recording, as the table has it."""


@dataclass(frozen=True)
class Selections:
    """What a selection table holds."""

    annotations: tuple[Annotation, ...]
    failures: tuple[Failure, ...]
    """Rows that were left out."""
    scores: tuple[float | None, ...] = ()
    """Of each annotation that a model made, if the table has a score."""


@dataclass(frozen=True)
class RecordingIndex:
    """Find a recording by the name that a table gives it."""

    recordings: tuple[Path, ...]
    _by_stem: dict[str, list[Path]] = field(init=False, repr=False, compare=False)

    def __post_init__(self) -> None:
        by_stem: dict[str, list[Path]] = defaultdict(list)
        for path in self.recordings:
            by_stem[path.stem.lower()].append(path)
        object.__setattr__(self, "_by_stem", dict(by_stem))

    def named(self, name: str, *, near: Path) -> Path:
        """Return the recording of that file name, whatever its ending.

        Of several with this name the one whose folders are most like those in ``name``
        is taken, from the innermost on; or else the one in folder ``near``.

        Raises
        ------
        AnnotationError
            If there is none, or it cannot be told which of several is meant.
        """
        parts = PureWindowsPath(name).parts  # takes both / and \\
        stem = PureWindowsPath(name).stem.lower()
        found = self._by_stem.get(stem, [])
        alike = [_n_equal(parts[:-1], path.parts[:-1]) for path in found]
        best = [p for p, n in zip(found, alike, strict=True) if n == max(alike) > 0]
        return best[0] if len(best) == 1 else self._only(stem, name, near=near)

    def _only(self, stem: str, name: str, *, near: Path) -> Path:
        found = self._by_stem.get(stem, [])
        found = [p for p in found if p.parent == near] or found
        if len(found) == 1:
            return found[0]
        if not found:
            raise AbsentRecordingError(
                name, f"recording {name!r} does not exist; add the file"
            )
        raise AnnotationError(
            f"recording {name!r} is there {len(found)} times ({found[0]}, {found[1]}); "
            "rename one"
        )

    def of_table(self, table: Path) -> Path:
        """Return the recording whose name the table's name starts with.

        ``B.Table.1.selections.txt``, ``B.selection.table.txt`` and ``B_me_2024.txt``
        belong to ``B.wav``; of several such recordings the longest name counts.

        Raises
        ------
        AnnotationError
            If there is none.
        """
        name = table.name.lower()
        stems = [
            stem
            for stem in self._by_stem
            if name.startswith(stem) and not name[len(stem) :][:1].isalnum()
        ]
        if not stems:
            raise AbsentRecordingError(
                table.name,
                f"{table}: no recording has the name that this table starts with; put "
                "the recording beside it, or export the column 'Begin File'",
            )
        stem = max(stems, key=len)
        return self._only(stem, stem, near=table.parent)


def _n_equal(parts: tuple[str, ...], others: tuple[str, ...]) -> int:
    """Count how many folders are the same, from the innermost on."""
    pairs = zip(reversed(parts), reversed(others), strict=False)
    return sum(1 for _ in takewhile(lambda pair: pair[0] == pair[1], pairs))


def is_selection_table(path: Path) -> bool:
    """Say whether a text file's header is that of a Raven selection table."""
    try:
        with path.open(encoding="utf-8-sig", errors="replace") as file:
            return BEGIN in file.readline(10_000).split("\t")
    except OSError:
        return False


def read_selections(
    path: Path,
    *,
    recordings: Iterable[Path],
    label_column: str | None = None,
) -> Selections:
    """Read a Raven selection table.

    Of the rows that Raven writes for one selection, one for each view, the
    spectrogram's is taken. Where the table names files (``Begin Path`` or ``Begin
    File``) a selection starts ``File Offset (s)`` into its file; else all are of the
    recording that the table is named after, and start at ``Begin Time (s)``.

    Parameters
    ----------
    path
        Tab-separated text with the columns ``Begin Time (s)`` and ``End Time (s)``.
    recordings
        Audio files among which those that the table names are looked for.
    label_column
        Column with the label; None: the first of :data:`LABEL_COLUMNS` that is there.

    Raises
    ------
    AnnotationError
        If the table cannot be read, lacks a column, or its recording is not there.
        A single row that cannot be used becomes a failure.
    """
    table = read_table(path)
    for name in (BEGIN, END):
        if name not in table.columns:
            raise AnnotationError(
                f"{path}: has no column {name!r}; export the table from Raven with it"
            )
    column = _label_column(path, table.columns, label_column)
    reader = _RowReader(path, RecordingIndex(tuple(recordings)), column)
    score_column = next((name for name in SCORE_COLUMNS if name in table.columns), "")
    annotations: list[Annotation] = []
    scores: list[float | None] = []
    failures: list[Failure] = []
    rows = _one_view(table.rows)
    reader.prepare(rows)
    for number, row in rows:
        try:
            annotations.append(reader.annotation(row))
            scores.append(number_of(row.get(score_column, "")))
        except AnnotationError as error:
            failures.append(failed_row(path, number, error))
    return Selections(tuple(annotations), tuple(failures), tuple(scores))


def failed_row(path: Path, number: int, error: AnnotationError) -> Failure:
    """Say why a row of a table was left out, and whether its recording is not there."""
    reason = f"{path.name} row {number}: {error}"
    if isinstance(error, AbsentRecordingError):
        return Absent(path, reason, error.name)
    return Failure(path, reason)


def _label_column(path: Path, columns: tuple[str, ...], wanted: str | None) -> str:
    candidates = LABEL_COLUMNS if wanted is None else (wanted,)
    for name in candidates:
        if name in columns:
            return name
    raise AnnotationError(
        f"{path}: has no label column {' or '.join(map(repr, candidates))}; it has "
        f"{', '.join(columns)}; name the one that holds the label"
    )


def _one_view(rows: Iterable[Row]) -> list[tuple[int, Row]]:
    """Keep one row of each selection and channel, and its line number."""
    kept: dict[tuple[str, ...], tuple[int, Row]] = {}
    for number, row in enumerate(rows, start=2):
        selection = text_of(row.get("Selection", "")) or f"line {number}"
        names = ("Channel", BEGIN, END, "Begin File", "Begin Path")
        key = (selection, *(text_of(row.get(name, "")) for name in names))
        spectrogram = text_of(row.get("View", "")).startswith("Spectrogram")
        if key not in kept or spectrogram:
            kept[key] = (number, row)
    return sorted(kept.values(), key=lambda item: item[0])


class _RowReader:
    def __init__(self, path: Path, index: RecordingIndex, label_column: str) -> None:
        self._path = path
        self._index = index
        self._label_column = label_column
        self._names_files = False
        self._several_files = False
        self._own: Path | None = None

    def prepare(self, rows: list[tuple[int, Row]]) -> None:
        """See how the table names its recordings."""
        names = {_file_name(row) for _, row in rows}
        self._names_files = bool(names - {""})
        self._several_files = len(names) > 1
        if rows and not self._names_files:
            self._own = self._index.of_table(self._path)

    def annotation(self, row: Row) -> Annotation:
        """Read one row."""
        begin_s, end_s = _time(row, BEGIN), _time(row, END)
        start_s = self._start_s(row, begin_s)
        if not 0 <= begin_s < end_s:
            raise AnnotationError(
                f"begins at {begin_s:g} s and ends at {end_s:g} s; "
                "it must end after it begins"
            )
        return Annotation(
            path=self._recording(row),
            start_s=start_s,
            end_s=start_s + end_s - begin_s,
            label=clean_label(text_of(row[self._label_column])),
            low_hz=number_of(row.get("Low Freq (Hz)", "")),
            high_hz=number_of(row.get("High Freq (Hz)", "")),
            channel=int(number_of(row.get("Channel", "")) or 1),
        )

    def _start_s(self, row: Row, begin_s: float) -> float:
        if not self._names_files:
            return begin_s
        offset_s = number_of(row.get(OFFSET, ""))
        if offset_s is not None:
            return offset_s
        if self._several_files:
            raise AnnotationError(
                f"has no {OFFSET!r}, and the table is of several files; export that "
                "column from Raven"
            )
        return begin_s

    def _recording(self, row: Row) -> Path:
        if self._own is not None:
            return self._own
        path = Path(text_of(row.get("Begin Path", "")))
        if path.is_absolute() and path.is_file():
            return path
        return self._index.named(_file_name(row), near=self._path.parent)


def _file_name(row: Row) -> str:
    cell: Cell = row.get("Begin File", "") or row.get("Begin Path", "")
    return PureWindowsPath(text_of(cell)).name


def _time(row: Row, name: str) -> float:
    value = number_of(row[name])
    if value is None:
        raise AnnotationError(f"{name} {row[name]!r} is not a number; write seconds")
    return value
