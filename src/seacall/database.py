"""One SQLite file: changed in whole transactions, its errors said in one line."""

from __future__ import annotations

import sqlite3
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

from seacall.errors import SettingsError

_WAIT_S = 30
"""For another process that is writing."""


class Database:
    """An open SQLite file. All methods may be called from any thread.

    Parameters
    ----------
    path
        Made if it does not exist and there is a schema.
    advice
        What to do where it cannot be read or written: ends the message of each error.
    schema
        Statements that make the tables, if they are not there; the file is written
        ahead (WAL), so that others may read meanwhile. None: the file is as it is.
    durable
        On the disk when a transaction ends, even if the power fails then; else it may
        be lost with the last ones, but is never half there.

    Raises
    ------
    SettingsError
        From all methods: if the file cannot be read or written.
    """

    def __init__(
        self,
        path: Path,
        *,
        advice: str,
        schema: str | None = None,
        durable: bool = False,
    ) -> None:
        self._path, self._advice = path, advice
        self._turn = threading.RLock()
        with self._door():
            self._db = sqlite3.connect(
                path, timeout=_WAIT_S, isolation_level=None, check_same_thread=False
            )
            self._db.row_factory = sqlite3.Row
            try:
                self._prepare(schema, durable=durable)
            except sqlite3.Error:
                self._db.close()
                raise

    def _prepare(self, schema: str | None, *, durable: bool) -> None:
        self._db.execute("PRAGMA foreign_keys = ON")
        if schema is not None:
            self._db.execute("PRAGMA journal_mode = WAL")
            synchronous = "FULL" if durable else "NORMAL"
            self._db.execute(f"PRAGMA synchronous = {synchronous}")
            self._db.executescript(schema)

    def close(self) -> None:
        """Close the file."""
        with self.reading() as db:
            db.close()

    def rows(self, sql: str, *values: Any) -> list[sqlite3.Row]:
        """Return what a query finds; columns by name or number."""
        with self.reading() as db:
            return db.execute(sql, values).fetchall()

    @contextmanager
    def reading(self) -> Iterator[sqlite3.Connection]:
        """Give the connection to whoever asks more than one thing."""
        with self._turn, self._door():
            yield self._db

    @contextmanager
    def transaction(self) -> Iterator[sqlite3.Connection]:
        """Give the connection to change all of something, or nothing."""
        with self.reading() as db:
            db.execute("BEGIN IMMEDIATE")
            try:
                yield db
                db.execute("COMMIT")
            except BaseException:
                if db.in_transaction:
                    db.execute("ROLLBACK")
                raise

    @contextmanager
    def _door(self) -> Iterator[None]:
        """Translate SQLite's errors."""
        try:
            yield
        except sqlite3.Error as error:
            raise SettingsError(f"{self._path}: {error}; {self._advice}") from error
