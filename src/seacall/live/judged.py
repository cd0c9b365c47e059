"""Mark in a station's journal what reviewers accepted: its sound never goes.

Reviewers write to a file of their own, ``review.sqlite``, from other processes; only
the station writes its journal. It looks there before it deletes anything.
"""

from __future__ import annotations

import sqlite3
from contextlib import closing
from pathlib import Path
from typing import Any

from seacall.errors import SettingsError
from seacall.live.journal import Journal

NOTEBOOK_NAME = "review.sqlite"
"""What `seacall.review.notebook` writes."""
KEPT_BY_REVIEW = 2
"""In the column ``kept``: it follows what reviewers say; 1 stays as it is."""
_PATIENCE_S = 10.0

Key = tuple[str, int, str, int]
"""Source and segment, channel, label, start in ms."""


def keep_accepted(journal: Journal) -> None:
    """Mark what at least one reviewer accepted or corrected, and only that.

    Raises
    ------
    SettingsError
        If there are reviews, and they cannot be read.
    """
    path = journal.folder / NOTEBOOK_NAME
    wanted = _numbers(journal, accepted(path) if path.is_file() else set())
    marked = {
        int(row["id"])
        for row in journal.rows(
            "SELECT id FROM detections WHERE kept = ?", KEPT_BY_REVIEW
        )
    }
    if wanted == marked:
        return
    with journal.transaction() as db:
        db.executemany(
            "UPDATE detections SET kept = 0 WHERE id = ?",
            [(number,) for number in marked - wanted],
        )
        db.executemany(
            "UPDATE detections SET kept = ? WHERE id = ? AND kept = 0",
            [(KEPT_BY_REVIEW, number) for number in wanted - marked],
        )


def accepted(path: Path) -> set[Key]:
    """Return what is accepted or corrected by anybody's last word.

    Raises
    ------
    SettingsError
        If the file cannot be read.
    """
    try:
        with closing(sqlite3.connect(path, timeout=_PATIENCE_S)) as db:
            rows = db.execute(
                "SELECT reviewer, source, channel, label, start_s, answer "
                "FROM verdicts v WHERE undoes IS NULL AND NOT EXISTS "
                "(SELECT 1 FROM verdicts u WHERE u.undoes = v.id) ORDER BY id"
            ).fetchall()
    except sqlite3.Error as error:
        raise SettingsError(
            f"{path}: cannot be read ({error}); nothing is deleted until it can"
        ) from error
    last: dict[tuple[str, Key], str] = {}
    for reviewer, source, channel, label, start_s, answer in rows:
        last[reviewer, (source, channel, label, round(start_s * 1000))] = answer
    return {key for (_, key), answer in last.items() if answer in ("accept", "correct")}


def _numbers(journal: Journal, keys: set[Key]) -> set[int]:
    found: set[int] = set()
    for source, channel, label, start_ms in keys:
        segment = source.rpartition("#")[2]
        if not segment.isdecimal():
            continue
        rows: list[Any] = journal.rows(
            "SELECT id FROM detections WHERE segment = ? AND channel = ? AND "
            "label = ? AND start_s BETWEEN ? AND ?",
            *(int(segment), channel, label),
            *((start_ms - 1.5) / 1000, (start_ms + 1.5) / 1000),
        )
        found.update(int(row["id"]) for row in rows)
    return found
