"""Find what a user has labelled: folders, a table, or Raven selection tables."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

from seacall.audio.io import find_recordings
from seacall.data.manifest import Failure
from seacall.data.selections import is_selection_table, read_selections
from seacall.data.tables import (
    TABLE_SUFFIXES,
    Row,
    Table,
    number_of,
    read_table,
    text_of,
)
from seacall.errors import AnnotationError, AudioError
from seacall.labels import clean_label

TABLE_STEMS = ("manifest", "recordings", "metadata")
"""Names of tables that are picked up without being asked for."""


@dataclass(frozen=True)
class LabelledStretch:
    """A recording, or a part of one, and its label."""

    path: Path
    label: str
    start_s: float | None = None
    """None: the whole recording."""
    end_s: float | None = None
    channel: int | None = None
    """Counted from 1; None: all."""
    deployment: str = ""
    recording: str = ""


@dataclass(frozen=True)
class SourceContents:
    """What a source holds."""

    stretches: tuple[LabelledStretch, ...]
    failures: tuple[Failure, ...]
    """Rows and files that were left out."""
    origin: str
    """What the labels were taken from, in words."""


def read_source(
    source: Path, *, table: Path | None = None, label_column: str | None = None
) -> SourceContents:
    """Find the labelled stretches below a folder.

    The first of these that applies: ``table``; a table named ``manifest``,
    ``recordings`` or ``metadata`` in the folder, or in its parent, that speaks of files
    below it; Raven selection tables below it; one folder a species.

    Parameters
    ----------
    source
        Folder with the recordings.
    table
        A table with ``file_name`` and ``species_name``, and perhaps ``deployment``,
        ``recording``, ``start_s`` and ``end_s``; or a Raven selection table, or a
        folder of such.
    label_column
        The selection tables' column with the label.

    Raises
    ------
    AnnotationError
        If nothing is labelled there, or the table cannot be used.
    AudioError
        If the folder does not exist or holds no recordings.
    """
    recordings = find_recordings(source)
    if table is not None:
        if table.is_dir() or is_selection_table(table):
            paths = sorted(table.rglob("*.txt")) if table.is_dir() else [table]
            return _from_selections(paths, recordings, label_column=label_column)
        return _from_table(read_table(table), source, recordings, asked_for=True)
    found = _nearby_table(source)
    if found is not None:
        return _from_table(found, source, recordings, asked_for=False)
    paths = [p for p in sorted(source.rglob("*.txt")) if is_selection_table(p)]
    if paths:
        return _from_selections(paths, recordings, label_column=label_column)
    return _from_folders(source, recordings)


def _from_folders(source: Path, recordings: Sequence[Path]) -> SourceContents:
    stretches: list[LabelledStretch] = []
    failures: list[Failure] = []
    for path in recordings:
        parts = path.relative_to(source).parts
        if len(parts) == 1:
            reason = (
                f"{path}: lies in no species folder; move it into one, or give a table"
            )
            failures.append(Failure(path, reason))
            continue
        try:
            label = clean_label(parts[0])
        except AnnotationError as error:
            failures.append(Failure(path, f"{path}: {error}"))
            continue
        # species/deployment/file: what lies in one folder most likely came together.
        deployment = parts[1] if len(parts) > 2 else ""
        stretches.append(LabelledStretch(path, label, deployment=deployment))
    if not stretches:
        raise AnnotationError(
            f"{source}: holds no folder of recordings and no table; make one folder "
            "for each species, or give a table with file_name and species_name"
        )
    origin = f"one folder a species in {source}"
    if any(stretch.deployment for stretch in stretches):
        origin += "; the folders inside are taken for deployments"
    return SourceContents(tuple(stretches), tuple(failures), origin)


def _nearby_table(source: Path) -> Table | None:
    for folder in (source, source.resolve().parent):
        for stem in TABLE_STEMS:
            for suffix in TABLE_SUFFIXES:
                path = folder / f"{stem}{suffix}"
                table = _speaks_of(path, source) if path.is_file() else None
                if table is not None:
                    return table
    return None


def _speaks_of(path: Path, source: Path) -> Table | None:
    """Return a table if it labels at least one file below ``source``."""
    try:
        table = read_table(path)
    except AnnotationError:
        return None
    if not {"file_name", "species_name"} <= set(table.columns):
        return None
    reader = _TableReader(table, source, asked_for=False)
    return table if any(map(reader.find, table.rows)) else None


def _from_table(
    table: Table, source: Path, recordings: Sequence[Path], *, asked_for: bool
) -> SourceContents:
    missing = [n for n in ("file_name", "species_name") if n not in table.columns]
    if missing:
        raise AnnotationError(
            f"{table.path}: has no column {', '.join(map(repr, missing))}; "
            f"it has {', '.join(table.columns)}; rename or add what is missing"
        )
    reader = _TableReader(table, source, asked_for=asked_for)
    for number, row in enumerate(table.rows, start=2):  # the header is line 1
        reader.add(row, where=f"{table.path.name} row {number}")
    rowless = [path for path in recordings if path.resolve() not in reader.known]
    # Where rows are calls, most recordings have none; where rows are files, one is due.
    of_calls = {"start_s", "end_s"} <= set(table.columns)
    for path in () if of_calls else rowless:
        reason = f"{path}: has no row in {table.path.name}; add one or remove the file"
        reader.failures.append(Failure(path, reason))
    origin = f"{len(reader.stretches)} rows of {table.path}"
    if of_calls and rowless:
        origin += f"; {len(rowless)} recordings have none"
    if reader.n_elsewhere:
        origin += f"; {reader.n_elsewhere} rows are of files elsewhere"
    return SourceContents(tuple(reader.stretches), tuple(reader.failures), origin)


class _TableReader:
    """Gathers the rows of a table, one after the other."""

    def __init__(self, table: Table, source: Path, *, asked_for: bool) -> None:
        self._folders = (table.path.parent, source)
        self._source = source.resolve()
        self._asked_for = asked_for
        self.stretches: list[LabelledStretch] = []
        self.failures: list[Failure] = []
        self.known: set[Path] = set()
        self.n_elsewhere = 0
        self._seen: dict[tuple[object, ...], str] = {}

    def find(self, row: Row) -> Path | None:
        """Return the row's file if it exists below the source."""
        name = text_of(row["file_name"]).replace("\\", "/")
        for folder in self._folders:
            path = folder / name
            if name and self._is_below(path) and path.is_file():
                return path
        return None

    def add(self, row: Row, *, where: str) -> None:
        """Take a row, or note why not."""
        name = text_of(row["file_name"]).replace("\\", "/")
        if name and self._is_elsewhere(self._folders[0] / name, row):
            self.n_elsewhere += 1
            return
        try:
            self.stretches.append(self._stretch(row, where=where))
        except AnnotationError as error:
            self.failures.append(Failure(self._folders[0] / name, str(error)))

    def _is_elsewhere(self, path: Path, row: Row) -> bool:
        """Say whether a row is of a file that the source has nothing to do with."""
        if self._is_below(path) or self.find(row) is not None:
            return False
        # A table that was picked up by itself may be of much more than the source.
        return path.is_file() or not self._asked_for

    def _is_below(self, path: Path) -> bool:
        return self._source in path.resolve().parents

    def _stretch(self, row: Row, *, where: str) -> LabelledStretch:
        path = self.find(row)
        if path is None:
            name = text_of(row["file_name"])
            folders = " nor ".join(dict.fromkeys(map(str, self._folders)))
            raise AnnotationError(
                f"{where}: file_name {name!r} is not in {folders}; "
                "correct it or remove the row"
            )
        self.known.add(path.resolve())
        try:
            label = clean_label(text_of(row["species_name"]))
        except AnnotationError as error:
            raise AnnotationError(f"{where}: {error}") from error
        start_s, end_s = _times(row, where=where)
        self._refuse_repeated((path.resolve(), start_s, end_s), label, where=where)
        recording = text_of(row.get("recording", ""))
        if start_s is not None or end_s is not None:
            recording = recording or path.name
        return LabelledStretch(
            path=path,
            label=label,
            start_s=start_s,
            end_s=end_s,
            deployment=text_of(row.get("deployment", "")),
            recording=recording,
        )

    def _refuse_repeated(
        self, key: tuple[object, ...], label: str, *, where: str
    ) -> None:
        first = self._seen.setdefault(key, f"{where}\0{label}")
        if first == f"{where}\0{label}":
            return
        first_where, first_label = first.split("\0")
        also = "" if first_label == label else f" as {label!r}, not {first_label!r}"
        raise AnnotationError(
            f"{where}: repeats {first_where}{also}; the first was kept, "
            "remove the other"
        )


def _times(row: Row, *, where: str) -> tuple[float | None, float | None]:
    cells = [row.get("start_s", ""), row.get("end_s", "")]
    start_s, end_s = (number_of(cell) for cell in cells)
    for cell, value in zip(cells, (start_s, end_s), strict=True):
        if cell != "" and value is None:
            raise AnnotationError(f"{where}: {cell!r} is not a number; write seconds")
    if (start_s or 0.0) < 0 or (end_s is not None and end_s <= (start_s or 0.0)):
        raise AnnotationError(
            f"{where}: start_s {start_s}, end_s {end_s}: need 0 <= start_s < end_s"
        )
    return start_s, end_s


def _from_selections(
    tables: Sequence[Path], recordings: Sequence[Path], *, label_column: str | None
) -> SourceContents:
    stretches: list[LabelledStretch] = []
    failures: list[Failure] = []
    for path in tables:
        try:
            read = read_selections(
                path, recordings=recordings, label_column=label_column
            )
        except (AnnotationError, AudioError) as error:
            failures.append(Failure(path, str(error)))
            continue
        failures += read.failures
        stretches += [
            LabelledStretch(
                path=a.path,
                label=a.label,
                start_s=a.start_s,
                end_s=a.end_s,
                channel=a.channel,
                recording=a.path.name,
            )
            for a in read.annotations
        ]
    if not stretches:
        reason = failures[0].reason if failures else "no rows in any of them"
        raise AnnotationError(
            f"{len(tables)} selection tables give no labelled stretch: {reason}"
        )
    origin = f"{len(stretches)} selections of {len(tables)} Raven tables"
    return SourceContents(tuple(stretches), tuple(failures), origin)
