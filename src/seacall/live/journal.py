"""What a station heard, kept so that nothing is lost when the process dies.

One SQLite file in WAL mode. Clips, and what they change in detections, are written in
one transaction, and are on the disk before anyone is told. Others may read meanwhile.
"""

from __future__ import annotations

import json
import os
import sqlite3
from collections.abc import Callable, Iterator, Sequence
from contextlib import AbstractContextManager
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any, Self

from seacall.audio.clips import ClipGrid
from seacall.database import Database
from seacall.detect.clip_table import ClipTable
from seacall.detect.lock import locked
from seacall.detect.rows import measures_of, table_of
from seacall.errors import SettingsError
from seacall.live.growing import Change
from seacall.live.listener import News
from seacall.live.source import Start
from seacall.live.tables import ADDED, CHANGE, SCHEMA

JOURNAL_NAME = "station.sqlite"
_EPOCH = datetime(1970, 1, 1, tzinfo=UTC)
_FORMAT = 1

Hook = Callable[[sqlite3.Connection, int, Change], None]
"""Called for each change within its transaction, with the detection's number."""


def now_us() -> int:
    """Return the time, microseconds since 1970, UTC."""
    return time_us(datetime.now(UTC))


def time_us(when: datetime) -> int:
    """Return a time in whole microseconds since 1970, UTC.

    Examples
    --------
    >>> time_us(datetime(1970, 1, 1, 0, 0, 1, tzinfo=UTC))
    1000000
    """
    return (when - _EPOCH) // timedelta(microseconds=1)


def date_of(us: int | None) -> datetime | None:
    """Return the time of microseconds since 1970; None of None."""
    return None if us is None else _EPOCH + timedelta(microseconds=us)


def _marks_before(
    db: sqlite3.Connection, segment: int, change: Change
) -> Sequence[str]:
    """Return what was wrong in the part of a detection that was kept before."""
    if change.kind == "begun":
        return ()
    one = change.detection
    row = db.execute(
        "SELECT marks FROM detections WHERE segment = ? AND label = ? AND start_s = ?",
        (segment, one.label, one.start_s),
    ).fetchone()
    return [mark for mark in row["marks"].split(",") if mark] if row else ()


class Journal:
    """A station's folder, locked for one process, or open for reading.

    All methods may be called from any thread.

    Parameters
    ----------
    folder
        Made if it does not exist.
    writable
        False: read what another process writes; no lock is taken.

    Raises
    ------
    SettingsError
        If the folder cannot be written, another station writes there, or there is
        nothing to read.
    """

    def __init__(self, folder: Path, *, writable: bool = True) -> None:
        self.folder = folder
        self._path = folder / JOURNAL_NAME
        self._lock: int | None = None
        self.hooks: list[Hook] = []
        """Told of changes of detections."""
        if writable:
            self._lock = locked(folder)
        elif not self._path.is_file():
            raise SettingsError(
                f"{folder}: holds no {JOURNAL_NAME}; give the folder that seacall "
                "listen -o writes"
            )
        self._db = Database(
            self._path,
            advice="make room or choose another folder, and run the same command "
            "again: what was heard is kept",
            schema=SCHEMA if writable else None,
            durable=True,  # stations lose their power, not only processes
        )
        if writable:
            self._add_columns()
            self.settle()

    def _add_columns(self) -> None:
        there = {row["name"] for row in self.rows("PRAGMA table_info(detections)")}
        with self.transaction() as db:
            for name, kind in ADDED.items():
                if name not in there:
                    db.execute(f"ALTER TABLE detections ADD COLUMN {name} {kind}")

    def settle(self) -> None:
        """End what was open when the process before this one died.

        A recording that was not heard to its end is heard again, and its detections
        become what they should be.
        """
        with self.transaction() as db:
            db.execute("UPDATE detections SET state = 'cut' WHERE state = 'open'")
            db.execute(
                "UPDATE segments SET ended = 'interrupted' "
                "WHERE ended = '' AND key = ''"
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

    def station_of(self, key: dict[str, Any], about: dict[str, Any]) -> None:
        """Say what the scores are made with; a folder keeps to one way.

        Raises
        ------
        SettingsError
            If the folder holds scores that were made in another way.
        """
        key = json.loads(json.dumps({"format": _FORMAT, **key}))
        before = self.meta("key")
        if before is not None and before != key:
            other = [name for name in key if before.get(name) != key[name]]
            raise SettingsError(
                f"{self.folder}: holds scores made with another {', '.join(other)}; "
                "choose another folder, or listen with the same as before"
            )
        with self.transaction() as db:
            for name, value in (("key", key), ("about", about)):
                text = json.dumps(value, sort_keys=True)
                db.execute("INSERT OR REPLACE INTO meta VALUES (?, ?)", (name, text))

    def meta(self, name: str) -> dict[str, Any] | None:
        """Return ``key`` or ``about`` as it was stored; None: nothing was."""
        rows = self.rows("SELECT value FROM meta WHERE name = ?", name)
        value: dict[str, Any] | None = json.loads(rows[0][0]) if rows else None
        return value

    def source(self, name: str) -> int:
        """Return the number of a source, a new one if it was never heard."""
        with self.transaction() as db:
            db.execute(
                "INSERT OR IGNORE INTO sources (name, added_us) VALUES (?, ?)",
                (name, now_us()),
            )
        return int(self.rows("SELECT id FROM sources WHERE name = ?", name)[0][0])

    def is_done(self, source: int, key: str) -> bool:
        """Tell whether a recording was heard to its end."""
        text = "SELECT 1 FROM segments WHERE source = ? AND key = ? AND ended != ''"
        return bool(self.rows(text, source, key))

    def begin(self, source: int, start: Start) -> int:
        """Note that a segment begins; return its number.

        A recording that was not heard to its end begins anew under its old number.
        """
        with self.transaction() as db:
            before = db.execute(
                "SELECT id FROM segments WHERE source = ? AND key = ? AND key != ''",
                (source, start.key),
            ).fetchone()
            if before:
                db.execute("DELETE FROM clips WHERE segment = ?", (before["id"],))
                db.execute("UPDATE segments SET ended = '' WHERE id = ?", (before[0],))
                return int(before["id"])
            cursor = db.execute(
                "INSERT INTO segments (source, key, sample_rate, n_channels, "
                "first_sample, start_us, began) VALUES (?, ?, ?, ?, ?, ?, ?)",
                (
                    source,
                    start.key,
                    start.sample_rate,
                    start.n_channels,
                    start.first_sample,
                    None if start.start is None else time_us(start.start),
                    start.why,
                ),
            )
            return int(cursor.lastrowid or 0)

    def end(self, segment: int, *, n_samples: int, why: str) -> None:
        """Note that a segment is over: after all of it was handed to :meth:`put`."""
        with self.transaction() as db:
            db.execute(
                "UPDATE segments SET n_samples = ?, ended = ? WHERE id = ?",
                (n_samples, why or "over", segment),
            )

    def put(
        self, segment: int, channel: int, news: News, *, marks: Sequence[str] = ()
    ) -> list[int]:
        """Keep clips, and what became of detections with them.

        Parameters
        ----------
        channel
            Counted from 1; 0: the mean of all.
        marks
            What was wrong with the sound meanwhile.

        Returns
        -------
        numbers
            Of the detections that changed, one for each change.
        """
        with self.transaction() as db:
            table = news.table
            if len(table):
                db.execute(
                    "INSERT INTO clips VALUES (?, ?, ?, ?, ?, ?)",
                    (
                        *(segment, channel, news.first_clip, len(table)),
                        table.logits.astype("<f4").tobytes(),
                        measures_of(table).tobytes(),
                    ),
                )
            return [
                self._change(db, segment, channel, one, marks) for one in news.changes
            ]

    def _change(
        self,
        db: sqlite3.Connection,
        segment: int,
        channel: int,
        change: Change,
        marks: Sequence[str],
    ) -> int:
        one = change.detection
        values = vars(one) | {
            "segment": segment,
            "channel": channel,
            "start_us": None if one.start is None else time_us(one.start),
            "state": "closed" if change.kind == "ended" else "open",
            "marks": ",".join(sorted({*marks, *_marks_before(db, segment, change)})),
            "now": now_us(),
        }
        del values["path"], values["start"]
        number = int(db.execute(CHANGE, values).fetchone()["id"])
        for hook in self.hooks:
            hook(db, number, change)
        return number

    def event(
        self, source: int | None, kind: str, text: str, *, state: str = "was"
    ) -> None:
        """Note what happened.

        Parameters
        ----------
        source
            None: of the station as a whole.
        state
            ``on`` and ``off`` for what lasts, ``was`` for what does not.
        """
        with self.transaction() as db:
            db.execute(
                "INSERT INTO events (source, time_us, kind, state, text) "
                "VALUES (?, ?, ?, ?, ?)",
                (source, now_us(), kind, state, text),
            )

    def clips(
        self, segment: int, channel: int, grid: ClipGrid, *, n_classes: int
    ) -> Iterator[ClipTable]:
        """Yield the clips of a segment's channel in order."""
        about = self.rows("SELECT * FROM segments WHERE id = ?", segment)[0]
        offset_s = about["first_sample"] / about["sample_rate"]
        for row in self.rows(
            "SELECT first_clip, n_clips, logits, measures FROM clips "
            "WHERE segment = ? AND channel = ? ORDER BY first_clip",
            *(segment, channel),
        ):
            yield table_of(tuple(row), grid, offset_s=offset_s, n_classes=n_classes)

    def rows(self, sql: str, *values: Any) -> list[sqlite3.Row]:
        """Return what a query finds; columns by name or number."""
        return self._db.rows(sql, *values)

    def transaction(self) -> AbstractContextManager[sqlite3.Connection]:
        """Give the data base to change all of something, or nothing."""
        return self._db.transaction()
