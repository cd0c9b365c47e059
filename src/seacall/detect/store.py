"""The ledger of a run: what was heard of which recording, and its raw scores.

One SQLite file. A unit's scores and the mark that it is done are written in one
transaction, so that a run may be killed at any moment: what is there is whole, and is
there once. Detections are never stored, but made from the scores each time.
"""

from __future__ import annotations

import json
import os
import sqlite3
from collections.abc import Iterable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import Any, Self

from seacall.audio.clips import ClipGrid
from seacall.data.timestamps import RecordingTime
from seacall.database import Database
from seacall.detect.clip_table import ClipTable
from seacall.detect.embeddings import SCHEMA as EMBEDDINGS
from seacall.detect.embeddings import TO_DO, put_embeddings
from seacall.detect.lock import locked
from seacall.detect.rows import (
    SCHEMA,
    Entry,
    header_of,
    header_text,
    measures_of,
    merged,
    path_bytes,
    path_of,
    segments_of,
    segments_text,
    span_of,
    table_of,
    timed,
    unit_key,
    unit_of,
)
from seacall.detect.units import Unit, UnitResult
from seacall.errors import SettingsError
from seacall.events import Searched, Segment

LEDGER_NAME = "ledger.sqlite"
_FORMAT = 1


class Store:
    """A run's folder, locked for one process, or open for reading.

    Parameters
    ----------
    folder
        Made if it does not exist.
    writable
        False: read a finished run; no lock is taken.

    Raises
    ------
    SettingsError
        If the folder cannot be written, another run is writing there, or there is no
        ledger to read.
    """

    def __init__(self, folder: Path, *, writable: bool = True) -> None:
        self.folder = folder
        self._path = folder / LEDGER_NAME
        self._lock: int | None = None
        if writable:
            self._lock = locked(folder)
        elif not self._path.is_file():
            raise SettingsError(
                f"{folder}: holds no {LEDGER_NAME}; give the folder that an earlier "
                "seacall detect -o wrote"
            )
        self._db = Database(
            self._path,
            advice="make room or choose another folder, and run the same command "
            "again: what is done is kept",
            schema=SCHEMA + EMBEDDINGS if writable else None,
        )

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        self.close()

    def close(self) -> None:
        """Give the folder back."""
        self._db.close()
        if self._lock is not None:
            os.close(self._lock)
            self._lock = None

    def run_of(self, key: dict[str, Any], about: dict[str, Any]) -> None:
        """Say what the scores are made with; a folder keeps to one way.

        Parameters
        ----------
        key
            All that decides the scores.
        about
            What else is to be known of the run; the latest counts.

        Raises
        ------
        SettingsError
            If the folder holds scores that were made in another way.
        """
        before = self._meta("key")
        if before is None:
            self._set_meta("key", {"format": _FORMAT, **key})
        elif before != {"format": _FORMAT, **key}:
            other = [name for name in key if before.get(name) != key[name]]
            raise SettingsError(
                f"{self.folder}: holds scores made with another "
                f"{', '.join(other) or 'format'}; choose another folder, or run with "
                "the same as before"
            )
        self._set_meta("about", about)

    @property
    def key(self) -> dict[str, Any]:
        """What the scores were made with."""
        return self._meta("key") or {}

    @property
    def about(self) -> dict[str, Any]:
        """What else was said of the run."""
        return self._meta("about") or {}

    def retry_failed(self) -> None:
        """Forget what failed, so that it is tried again."""
        with self._db.transaction() as db:
            db.execute("DELETE FROM recordings WHERE header IS NULL")
            db.execute(
                "DELETE FROM embeddings WHERE unit IN "
                "(SELECT id FROM units WHERE failure != '')"
            )
            db.execute(
                "UPDATE units SET n_done = NULL, failure = '', logits = NULL, "
                "measures = NULL WHERE failure != ''"
            )

    def stamps(self) -> dict[Path, tuple[int, int]]:
        """Return size and time of last change of all recordings that are known."""
        rows = self._db.rows("SELECT path, size, mtime_ns FROM recordings")
        return {path_of(name): (size, mtime_ns) for name, size, mtime_ns in rows}

    def name_recordings(self, paths: Sequence[Path]) -> None:
        """Say which of the recordings that are known the run is of, in order."""
        with self._db.transaction() as db:
            db.execute("UPDATE recordings SET position = NULL")
            db.executemany(
                "UPDATE recordings SET position = ? WHERE path = ?",
                [(k, path_bytes(path)) for k, path in enumerate(paths)],
            )

    def named(self) -> list[Path]:
        """Return the recordings that the run is of, in order."""
        rows = self._db.rows(
            "SELECT path FROM recordings WHERE position IS NOT NULL ORDER BY position"
        )
        return [path_of(name) for (name,) in rows]

    def set_times(self, times: Mapping[Path, RecordingTime]) -> None:
        """Note when recordings were made; scores do not depend on it."""
        rows = [
            (
                segments_text(timed(entry.segments, times[entry.path])),
                times[entry.path].source,
                times[entry.path].doubt,
                number,
            )
            for entry, number in self._entries()
            if entry.recording is not None and entry.path in times
        ]
        with self._db.transaction() as db:
            db.executemany(
                "UPDATE recordings SET segments = ?, time_source = ?, time_doubt = ? "
                "WHERE id = ?",
                rows,
            )

    def add(self, entries: Iterable[tuple[Entry, Sequence[Unit]]]) -> None:
        """Note recordings and their units; what was known of them is forgotten."""
        with self._db.transaction() as db:
            for entry, units in entries:
                _forget(db, entry.path)
                number = _insert(db, entry)
                db.executemany(
                    "INSERT INTO units (recording, channel, segment, first_clip, "
                    "n_clips) VALUES (?, ?, ?, ?, ?)",
                    [(number, *unit_key(unit), unit.n_clips) for unit in units],
                )

    def waiting(self, *, embeddings: bool = False) -> list[Unit]:
        """Return the units that are still to be scored, or embedded, in order."""
        to_do = TO_DO if embeddings else "u.n_done IS NULL"
        rows = self._db.rows(
            "SELECT r.path, r.sample_rate, r.segments, u.channel, u.segment, "
            "u.first_clip, u.n_clips FROM units u JOIN recordings r "
            f"ON u.recording = r.id WHERE {to_do} AND r.position IS NOT NULL "
            "ORDER BY r.position, u.id"
        )
        return [unit_of(tuple(row)) for row in rows]

    def doubts(self) -> dict[Path, str]:
        """Return why the time of recordings is not known beyond doubt."""
        rows = self._db.rows(
            "SELECT path, time_doubt FROM recordings WHERE position IS NOT NULL AND "
            "time_doubt != '' ORDER BY position"
        )
        return {path_of(name): doubt for name, doubt in rows}

    def put(self, results: Sequence[UnitResult]) -> None:
        """Keep what came of units; a unit that is done already stays as it is."""
        with self._db.transaction() as db:
            for result in results:
                table = result.table
                db.execute(
                    "UPDATE units SET n_done = ?, failure = ?, logits = ?, "
                    "measures = ? WHERE n_done IS NULL AND channel = ? AND "
                    "segment = ? AND first_clip = ? AND recording = "
                    "(SELECT id FROM recordings WHERE path = ?)",
                    (
                        len(table),
                        result.failure,
                        table.logits.astype("<f4").tobytes(),
                        measures_of(table).tobytes(),
                        *unit_key(result.unit),
                        path_bytes(result.unit.path),
                    ),
                )
                put_embeddings(db, result)

    @contextmanager
    def reading(self) -> Iterator[sqlite3.Connection]:
        """Give the ledger to `seacall.detect.embeddings`; errors become ours."""
        with self._db.reading() as db:
            yield db

    def searched(self, grid: ClipGrid) -> Iterator[tuple[Entry, Searched]]:
        """Yield the run's recordings, in order, and what was heard of them."""
        for entry, number in self._entries():
            rows = self._db.rows(
                "SELECT segment, first_clip, n_done, failure FROM units WHERE "
                "recording = ? ORDER BY channel, segment, first_clip",
                number,
            )
            left = sum(n is None for _, _, n, _ in rows)
            failures = [entry.failure, *(row[3] for row in rows)]
            if left:
                failures.append(
                    f"{entry.path}: {left} of {len(rows)} parts were not listened to "
                    "yet; run again as before, it goes on from there"
                )
            heard = merged(
                span_of(entry, grid, segment, first, n)
                for segment, first, n, _ in rows
                if n
            )
            yield (
                entry,
                Searched(
                    path=entry.path,
                    recording=entry.recording,
                    segments=entry.segments,
                    heard=heard,
                    failure=next(filter(None, failures), ""),
                    time_source=entry.time_source,
                    time_doubt=entry.time_doubt,
                ),
            )

    def tables(
        self, entry: Entry, grid: ClipGrid, *, n_classes: int
    ) -> Iterator[tuple[int, Segment, ClipTable]]:
        """Yield channel, segment and clips of a recording, segment by segment.

        The channel is counted from 1; 0 stands for the mean of all.
        """
        number = self._number(entry.path)
        spans = self._db.rows(
            "SELECT DISTINCT channel, segment FROM units WHERE recording = ? AND "
            "n_done > 0 ORDER BY channel, segment",
            number,
        )
        for channel, segment_number in spans:
            segment = entry.segments[segment_number]
            offset_s = segment.first_sample / entry.sample_rate
            rows = self._db.rows(
                "SELECT first_clip, n_done, logits, measures FROM units WHERE "
                "recording = ? AND channel = ? AND segment = ? AND n_done > 0 "
                "ORDER BY first_clip",
                *(number, channel, segment_number),
            )
            parts = [
                table_of(tuple(row), grid, offset_s=offset_s, n_classes=n_classes)
                for row in rows
            ]
            yield channel, segment, ClipTable.joined(parts)

    def _entries(self) -> Iterator[tuple[Entry, int]]:
        rows = self._db.rows(
            "SELECT id, path, size, mtime_ns, header, sample_rate, segments, "
            "time_source, time_doubt, failure FROM recordings "
            "WHERE position IS NOT NULL ORDER BY position"
        )
        for number, name, size, mtime_ns, header, rate, segments, *texts in rows:
            path = path_of(name)
            yield (
                Entry(
                    path,
                    size,
                    mtime_ns,
                    header_of(header, path),
                    rate,
                    segments_of(segments),
                    *texts,
                ),
                number,
            )

    def _number(self, path: Path) -> int:
        rows = self._db.rows(
            "SELECT id FROM recordings WHERE path = ?", path_bytes(path)
        )
        return int(rows[0][0])

    def _meta(self, name: str) -> dict[str, Any] | None:
        rows = self._db.rows("SELECT value FROM meta WHERE name = ?", name)
        value: dict[str, Any] | None = json.loads(rows[0][0]) if rows else None
        return value

    def _set_meta(self, name: str, value: dict[str, Any]) -> None:
        with self._db.transaction() as db:
            db.execute(
                "INSERT OR REPLACE INTO meta VALUES (?, ?)",
                (name, json.dumps(value, sort_keys=True)),
            )


def _forget(db: sqlite3.Connection, path: Path) -> None:
    db.execute("DELETE FROM recordings WHERE path = ?", (path_bytes(path),))


def _insert(db: sqlite3.Connection, entry: Entry) -> int:
    cursor = db.execute(
        "INSERT INTO recordings (path, size, mtime_ns, header, sample_rate, "
        "segments, time_source, time_doubt, failure) "
        "VALUES (?, ?, ?, ?, ?, ?, ?, ?, ?)",
        (
            path_bytes(entry.path),
            entry.size,
            entry.mtime_ns,
            header_text(entry.recording),
            entry.sample_rate,
            segments_text(entry.segments),
            entry.time_source,
            entry.time_doubt,
            entry.failure,
        ),
    )
    return int(cursor.lastrowid or 0)
