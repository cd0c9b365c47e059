"""One SQLite file, whole transactions, errors in one line."""

from __future__ import annotations

import sqlite3
import threading
from pathlib import Path

import pytest

from seacall.database import Database
from seacall.errors import SettingsError

SCHEMA = "CREATE TABLE IF NOT EXISTS calls (id INTEGER PRIMARY KEY, label TEXT);"
ADVICE = "choose another folder"


def opened(tmp_path: Path, schema: str | None = SCHEMA) -> Database:
    return Database(tmp_path / "a.sqlite", advice=ADVICE, schema=schema)


def test_what_fails_in_the_middle_changes_nothing(tmp_path):
    db = opened(tmp_path)

    def half() -> None:
        with db.transaction() as change:
            change.execute("INSERT INTO calls (label) VALUES ('Orca')")
            raise KeyError

    with pytest.raises(KeyError):
        half()
    assert db.rows("SELECT * FROM calls") == []
    with db.transaction() as change:
        change.execute("INSERT INTO calls (label) VALUES ('Orca')")
    assert [row["label"] for row in db.rows("SELECT label FROM calls")] == ["Orca"]
    db.close()


def test_threads_and_other_readers_see_whole_transactions_only(tmp_path):
    db = opened(tmp_path)

    def write() -> None:
        for _ in range(25):
            with db.transaction() as change:
                change.execute("INSERT INTO calls (label) VALUES ('a')")
                change.execute("INSERT INTO calls (label) VALUES ('b')")

    threads = [threading.Thread(target=write) for _ in range(4)]
    reader = opened(tmp_path, schema=None)
    for thread in threads:
        thread.start()
    while any(thread.is_alive() for thread in threads):
        assert reader.rows("SELECT COUNT(*) FROM calls")[0][0] % 2 == 0
    assert reader.rows("SELECT COUNT(*) FROM calls")[0][0] == 200
    db.close()
    reader.close()


def test_a_file_that_is_none_of_sqlites_is_one_line_with_a_way_out(tmp_path):
    (tmp_path / "a.sqlite").write_bytes(b"no data base at all" * 100)
    with pytest.raises(SettingsError, match=rf"a\.sqlite: .*; {ADVICE}$"):
        opened(tmp_path)


def test_a_wrong_query_is_ours_too_and_keeps_its_cause(tmp_path):
    db = opened(tmp_path)
    with pytest.raises(SettingsError) as error:
        db.rows("SELECT nothing")
    assert isinstance(error.value.__cause__, sqlite3.OperationalError)
    db.close()
