"""Join readings with detections by time: the nearest of each name counts."""

from __future__ import annotations

import json
import logging
import socket
import threading
from collections.abc import Iterator
from pathlib import Path

from seacall.errors import SeacallError
from seacall.live.environment import Reading, parser_for
from seacall.live.journal import Journal, time_us
from seacall.live.settings import EnvironmentSettings

Log = logging.getLogger("seacall.live")

_TURN_S = 0.3
_LONGEST_LINE = 1 << 16
_SECOND_US = 1_000_000


def keep_readings(journal: Journal, readings: list[Reading]) -> None:
    """Write readings; of one name at one time the last counts."""
    with journal.transaction() as db:
        db.executemany(
            "INSERT OR REPLACE INTO readings VALUES (?, ?, ?)",
            [
                (name, time_us(one.time), value)
                for one in readings
                for name, value in one.values.items()
            ],
        )


def near(journal: Journal, at_us: int, *, tolerance_s: float) -> dict[str, float]:
    """Return of each name the reading nearest to a time, none further than so."""
    reach_us = round(tolerance_s * _SECOND_US)
    rows = journal.rows(
        "SELECT name, value, MIN(ABS(time_us - ?)) FROM readings "
        "WHERE time_us BETWEEN ? AND ? GROUP BY name",
        *(at_us, at_us - reach_us, at_us + reach_us),
    )
    return {row["name"]: row["value"] for row in rows}


def join(journal: Journal, *, tolerance_s: float, since_us: int = 0) -> int:
    """Write into detections what was measured when they began; return how many changed.

    A reading that arrives late is joined the next time.

    Parameters
    ----------
    since_us
        Detections that changed, or began, before are left as they are.
    """
    rows = journal.rows(
        "SELECT id, start_us, environment FROM detections "
        "WHERE start_us IS NOT NULL AND changed_us >= ?",
        since_us,
    )
    changed = []
    for row in rows:
        found = near(journal, row["start_us"], tolerance_s=tolerance_s)
        text = json.dumps(found, sort_keys=True)
        if text != row["environment"]:
            changed.append((text, row["id"]))
    if changed:
        with journal.transaction() as db:
            db.executemany(
                "UPDATE detections SET environment = ? WHERE id = ?", changed
            )
    return len(changed)


class Sidecar(threading.Thread):
    """Reads one stream of readings into the journal, for as long as it is let.

    Parameters
    ----------
    settings
        Where they come from.
    """

    def __init__(self, journal: Journal, settings: EnvironmentSettings) -> None:
        super().__init__(name=f"readings {settings.source}", daemon=True)
        self._journal = journal
        self._settings = settings
        self._stop_asked = threading.Event()
        self._pending = b""
        self.n_readings = 0
        self.n_skipped = 0
        """Lines that hold none, a table's head among them."""

    def stop(self) -> None:
        """Ask for the end."""
        self._stop_asked.set()

    def run(self) -> None:
        """Read."""
        self._parse = parser_for(self._settings.format)
        source = self._settings.source
        chunks = _tcp(source, self) if source.startswith("tcp://") else None
        for data in chunks or self._file(Path(source)):
            self._take(data)

    @property
    def stopping(self) -> bool:
        """Whether the end was asked for."""
        return self._stop_asked.is_set()

    def wait(self, seconds: float) -> None:
        """Wait, but not beyond the end."""
        self._stop_asked.wait(seconds)

    def _file(self, path: Path) -> Iterator[bytes]:
        """Yield what is in a file, then what is added; a shorter one begins anew."""
        position = 0
        while True:
            last = self.stopping
            try:
                if path.stat().st_size < position:
                    position = 0
                with path.open("rb") as stream:
                    stream.seek(position)
                    while data := stream.read(1 << 20):
                        position += len(data)
                        yield data
            except OSError:
                pass  # not there yet
            if last:
                return
            self.wait(_TURN_S)

    def _take(self, data: bytes) -> None:
        *lines, self._pending = (self._pending + data).split(b"\n")
        self._pending = self._pending[-_LONGEST_LINE:]
        found = []
        for line in lines:
            reading = self._parse(line.decode("utf-8", "replace").rstrip("\r"))
            if reading is None:
                self.n_skipped += bool(line.strip())
            else:
                found.append(reading)
        if found:
            try:
                keep_readings(self._journal, found)
            except SeacallError as error:  # a full disk; the next ones may have room
                Log.warning("readings: %s", error)
                return
            self.n_readings += len(found)


def _tcp(source: str, sidecar: Sidecar) -> Iterator[bytes]:
    host, _, port = source.removeprefix("tcp://").rpartition(":")
    while not sidecar.stopping:
        try:
            with socket.create_connection((host, int(port)), timeout=10) as connection:
                connection.settimeout(_TURN_S)
                while not sidecar.stopping:
                    try:
                        data = connection.recv(1 << 16)
                    except TimeoutError:
                        continue
                    if not data:
                        break
                    yield data
        except OSError:
            pass
        sidecar.wait(1.0)
