"""What reviewers said, in one SQLite file to which lines are only ever added.

Several processes may write at once; each verdict is on the disk before it is answered.
"""

from __future__ import annotations

import sqlite3
import threading
from collections.abc import Sequence
from contextlib import AbstractContextManager
from pathlib import Path
from typing import Any

from seacall.database import Database
from seacall.errors import SettingsError
from seacall.labels import UNKNOWN, clean_label
from seacall.live.journal import now_us
from seacall.live.judged import NOTEBOOK_NAME
from seacall.review.nouns import ANSWERS, Answer, Target, Verdict

__all__ = ["NOTEBOOK_NAME", "Notebook", "named"]

LONGEST_NAME = 80
"""Characters of a reviewer's name."""
LONGEST_NOTE = 2000
"""Characters of a note."""

_SCHEMA = """
CREATE TABLE IF NOT EXISTS verdicts (
    id INTEGER PRIMARY KEY AUTOINCREMENT,
    at_us INTEGER NOT NULL,
    reviewer TEXT NOT NULL,
    undoes INTEGER REFERENCES verdicts (id),
    source TEXT NOT NULL DEFAULT '',
    channel INTEGER NOT NULL DEFAULT 0,
    label TEXT NOT NULL DEFAULT '',
    start_s REAL NOT NULL DEFAULT 0,
    end_s REAL NOT NULL DEFAULT 0,
    start_us INTEGER,
    score REAL NOT NULL DEFAULT 0,
    answer TEXT NOT NULL DEFAULT '',
    new_label TEXT NOT NULL DEFAULT '',
    note TEXT NOT NULL DEFAULT ''
);
CREATE UNIQUE INDEX IF NOT EXISTS undone ON verdicts (undoes);
CREATE TABLE IF NOT EXISTS thresholds (
    id INTEGER PRIMARY KEY AUTOINCREMENT,
    at_us INTEGER NOT NULL,
    label TEXT NOT NULL,
    threshold REAL
);
CREATE TABLE IF NOT EXISTS picks (
    source TEXT NOT NULL,
    channel INTEGER NOT NULL,
    label TEXT NOT NULL,
    start_ms INTEGER NOT NULL,
    at_us INTEGER NOT NULL,
    PRIMARY KEY (source, channel, label, start_ms)
) WITHOUT ROWID;
"""
"""``picks``: what chance chose, whatever its score, for the estimate of precision."""
_STANDING = """
SELECT * FROM verdicts v WHERE undoes IS NULL
AND NOT EXISTS (SELECT 1 FROM verdicts u WHERE u.undoes = v.id)
"""


class Notebook:
    """The reviews of a folder.

    All methods may be called from any thread. Nothing is written, not even the file,
    before the first verdict.

    Parameters
    ----------
    folder
        Of a station or of a run over an archive.

    Raises
    ------
    SettingsError
        From all methods: if the file cannot be read or written.
    """

    def __init__(self, folder: Path) -> None:
        self.path = folder / NOTEBOOK_NAME
        self._turn = threading.RLock()
        self._db: Database | None = None

    def close(self) -> None:
        """Close the file; it is opened again when it is needed."""
        with self._turn:
            if self._db is not None:
                self._db.close()
            self._db = None

    def state(self) -> tuple[int, int, int]:
        """Return what changes whenever something is written: last numbers of tables."""
        row = self._rows(
            "SELECT (SELECT COALESCE(MAX(id), 0) FROM verdicts), "
            "(SELECT COALESCE(MAX(id), 0) FROM thresholds), "
            "(SELECT COUNT(*) FROM picks)"
        )
        return (0, 0, 0) if not row else (row[0][0], row[0][1], row[0][2])

    def say(
        self,
        reviewer: str,
        target: Target,
        answer: Answer,
        *,
        label: str = "",
        note: str = "",
    ) -> int:
        """Keep a verdict; return its number.

        A reviewer's later verdict on the same target counts instead of the earlier one,
        which stays in the file.

        Raises
        ------
        SettingsError
            If the reviewer has no name, the answer is none, or a correction says
            nothing else.
        AnnotationError
            If a label is not printable.
        """
        reviewer = named(reviewer)
        if answer not in ANSWERS:
            raise SettingsError(
                f"verdict {answer!r} is none; give {', '.join(ANSWERS)}"
            )
        if answer == "correct" and label.strip() == UNKNOWN:
            answer, label = "reject", ""
        _refuse_half_characters(reviewer, label, note)
        label = _new_label(answer, label, target.label)
        if len(note) > LONGEST_NOTE:
            raise SettingsError(
                f"note of {len(note)} characters; write at most {LONGEST_NOTE}"
            )
        with self._writing() as db:
            cursor = db.execute(
                "INSERT INTO verdicts (at_us, reviewer, source, channel, label, "
                "start_s, end_s, start_us, score, answer, new_label, note) "
                "VALUES (?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?)",
                (
                    *(now_us(), reviewer, target.source, target.channel, target.label),
                    *(target.start_s, target.end_s, target.start_us, target.score),
                    *(answer, label, note),
                ),
            )
            return int(cursor.lastrowid or 0)

    def undo(self, reviewer: str) -> Verdict | None:
        """Take back a reviewer's last verdict; what was said before it counts again.

        Returns
        -------
        verdict
            That was taken back; None: there is none left.
        """
        reviewer = named(reviewer)
        if not self.path.is_file():
            return None
        with self._writing() as db:
            rows = db.execute(
                f"{_STANDING} AND reviewer = ? ORDER BY id DESC LIMIT 1", (reviewer,)
            ).fetchall()
            if not rows:
                return None
            db.execute(
                "INSERT INTO verdicts (at_us, reviewer, undoes) VALUES (?, ?, ?)",
                (now_us(), reviewer, rows[0]["id"]),
            )
        return _verdict(rows[0])

    def verdicts(self) -> list[Verdict]:
        """Return what stands: the last of each reviewer on each target, in order."""
        last: dict[Any, Verdict] = {}
        for row in self._rows(f"{_STANDING} ORDER BY id"):
            one = _verdict(row)
            last.pop((one.reviewer, one.target.key), None)
            last[one.reviewer, one.target.key] = one
        return list(last.values())

    def thresholds(self) -> dict[str, float]:
        """Return the thresholds that were set, by label."""
        found: dict[str, float] = {}
        for row in self._rows("SELECT label, threshold FROM thresholds ORDER BY id"):
            found.pop(row["label"], None)
            if row["threshold"] is not None:
                found[row["label"]] = float(row["threshold"])
        return found

    def set_threshold(self, label: str, threshold: float | None) -> None:
        """Hide detections of a label below a score; None: the run's own threshold."""
        if threshold is not None and not 0 <= threshold <= 1:
            raise SettingsError(f"threshold {threshold:g}: choose one from 0 to 1")
        with self._writing() as db:
            db.execute(
                "INSERT INTO thresholds (at_us, label, threshold) VALUES (?, ?, ?)",
                (now_us(), label, threshold),
            )

    def pick(self, targets: Sequence[Target]) -> None:
        """Note what chance chose."""
        with self._writing() as db:
            db.executemany(
                "INSERT OR IGNORE INTO picks VALUES (?, ?, ?, ?, ?)",
                [(*target.key, now_us()) for target in targets],
            )

    def picked(self) -> set[tuple[str, int, str, int]]:
        """Return keys of the targets that chance chose."""
        rows = self._rows("SELECT source, channel, label, start_ms FROM picks")
        return {(row[0], row[1], row[2], row[3]) for row in rows}

    def _rows(self, sql: str, *values: Any) -> list[sqlite3.Row]:
        if self._db is None and not self.path.is_file():
            return []
        return self._opened().rows(sql, *values)

    def _writing(self) -> AbstractContextManager[sqlite3.Connection]:
        return self._opened().transaction()

    def _opened(self) -> Database:
        with self._turn:
            if self._db is None:
                self._db = Database(
                    self.path,
                    advice="make the folder writable and leave room on the disk: what "
                    "was said before is kept",
                    schema=_SCHEMA,
                    durable=True,  # what was answered stays said, whatever happens
                )
            return self._db


def named(reviewer: str) -> str:
    """Return a reviewer's name as it is kept.

    Raises
    ------
    SettingsError
        If there is none, or it is too long.
    """
    name = " ".join(reviewer.split())
    if not name or len(name) > LONGEST_NAME:
        raise SettingsError(
            f"reviewer {name[:LONGEST_NAME]!r}: give a name of 1 to {LONGEST_NAME} "
            "characters"
        )
    return name


def _refuse_half_characters(*texts: str) -> None:
    """Refuse text that no file can hold: halves of a character of two."""
    try:
        "".join(texts).encode()
    except UnicodeEncodeError as error:
        raise SettingsError(
            "name, label or note holds half a character; type it again"
        ) from error


def _new_label(answer: Answer, label: str, before: str) -> str:
    if answer != "correct":
        return ""
    if not label.strip():
        raise SettingsError("a correction needs a label; say what it is")
    label = clean_label(label)
    if label == before:
        raise SettingsError(f"a correction to {label!r}, as it was; accept it instead")
    return label


def _verdict(row: sqlite3.Row) -> Verdict:
    return Verdict(
        number=row["id"],
        at_us=row["at_us"],
        reviewer=row["reviewer"],
        target=Target(
            row["source"],
            row["channel"],
            row["label"],
            row["start_s"],
            row["end_s"],
            row["start_us"],
            row["score"],
        ),
        answer=row["answer"],
        label=row["new_label"],
        note=row["note"],
    )
