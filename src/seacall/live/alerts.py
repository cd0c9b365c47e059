"""Tell others of detections: by webhook or command, at least once, not too often."""

from __future__ import annotations

import json
import logging
import sqlite3
import subprocess
import threading
import urllib.error
import urllib.request
from collections.abc import Callable, Sequence
from datetime import UTC, datetime
from typing import Any

from seacall.data.time_zones import parse_zone
from seacall.errors import SeacallError
from seacall.live.growing import Change
from seacall.live.journal import Journal, date_of, now_us
from seacall.live.settings import AlertRule

Log = logging.getLogger("seacall.live")

_TIMEOUT_S = 10.0
_SECOND_US = 1_000_000
_HOUR_US = 3_600 * _SECOND_US
_LONGEST_WAIT_S = 600
_COLUMNS = (
    "SELECT d.*, s.name AS source FROM detections d "
    "JOIN segments g ON d.segment = g.id JOIN sources s ON g.source = s.id "
    "WHERE d.id = ?"
)

Send = Callable[[AlertRule, dict[str, Any]], None]


class SendError(Exception):
    """An alert did not arrive; it is tried again."""


def ask_for_alerts(rules: Sequence[AlertRule]) -> Callable[..., None]:
    """Return the journal's hook that notes an alert in the detection's transaction."""

    def hook(db: sqlite3.Connection, number: int, change: Change) -> None:
        for rule in rules:
            # A detection may reach the score only as it grows.
            wanted = change.kind == "ended" if rule.when == "ended" else True
            if wanted and _concerns(rule, change):
                _ask(db, rule, number)

    return hook


def _concerns(rule: AlertRule, change: Change) -> bool:
    one = change.detection
    return (not rule.labels or one.label in rule.labels) and (
        one.score >= rule.min_score
    )


def _ask(db: sqlite3.Connection, rule: AlertRule, number: int) -> None:
    now = now_us()
    known = "SELECT 1 FROM alerts WHERE rule = ? AND detection = ?"
    if db.execute(known, (rule.name, number)).fetchone():
        return
    state = "waiting"
    if is_quiet(rule, datetime.now(UTC)):
        state = "quiet"
    elif rule.per_hour and _n_last_hour(db, rule, now) >= rule.per_hour:
        state = "limited"
    db.execute(
        "INSERT INTO alerts (rule, detection, asked_us, due_us, state) "
        "VALUES (?, ?, ?, ?, ?)",
        (rule.name, number, now, now, state),
    )


def _n_last_hour(db: sqlite3.Connection, rule: AlertRule, now: int) -> int:
    (n,) = db.execute(
        "SELECT COUNT(*) FROM alerts WHERE rule = ? AND asked_us > ? "
        "AND state NOT IN ('quiet', 'limited')",
        (rule.name, now - _HOUR_US),
    ).fetchone()
    return int(n)


def is_quiet(rule: AlertRule, now: datetime) -> bool:
    """Tell whether a rule's quiet hours are now; they may span midnight.

    Examples
    --------
    >>> rule = AlertRule(name="a", command=("true",), quiet=("22:00", "06:00"))
    >>> [is_quiet(rule, datetime(2026, 5, 1, h, tzinfo=UTC)) for h in (21, 23, 5, 6)]
    [False, True, True, False]
    """
    if rule.quiet is None:
        return False
    begin, end = rule.quiet
    at = f"{now.astimezone(parse_zone(rule.timezone)):%H:%M}"
    return begin <= at < end if begin <= end else at >= begin or at < end


def send(rule: AlertRule, about: dict[str, Any]) -> None:
    """Send one alert.

    Raises
    ------
    SendError
        If it did not arrive.
    """
    text = json.dumps(about).encode()
    if rule.webhook is not None:
        _post(rule.webhook, text)
    else:
        _run(rule.command, text)


def _post(url: str, text: bytes) -> None:
    request = urllib.request.Request(
        url, data=text, headers={"Content-Type": "application/json"}, method="POST"
    )
    try:
        with urllib.request.urlopen(request, timeout=_TIMEOUT_S):
            pass
    except (urllib.error.URLError, OSError, ValueError) as error:
        raise SendError(f"{url}: {error}") from error


def _run(command: Sequence[str], text: bytes) -> None:
    try:
        done = subprocess.run(
            command, input=text, capture_output=True, timeout=_TIMEOUT_S, check=False
        )
    except (OSError, subprocess.TimeoutExpired) as error:
        raise SendError(f"{command[0]}: {error}") from error
    if done.returncode:
        last = done.stderr.decode(errors="replace").strip().splitlines()[-1:]
        why = f": {last[0]}" if last else ""
        raise SendError(f"{command[0]}: exit code {done.returncode}{why}")


class Messenger(threading.Thread):
    """Sends alerts that wait in the journal, and tries those again that failed.

    An alert is marked as sent behind its sending: a process that dies in between sends
    it again. Waits double from a second to ten minutes.

    Parameters
    ----------
    journal
        Where alerts wait.
    rules
        By name those of the settings; alerts of others stay where they are.
    send
        Sends one.
    """

    def __init__(
        self, journal: Journal, rules: Sequence[AlertRule], send: Send = send
    ) -> None:
        super().__init__(name="alerts", daemon=True)
        self._journal = journal
        self._rules = {rule.name: rule for rule in rules}
        self._send = send
        self._stop_asked = threading.Event()

    def stop(self) -> None:
        """Ask for the end; what is due is still tried once."""
        self._stop_asked.set()

    def run(self) -> None:
        """Send."""
        while not self._stop_asked.wait(0.2):
            self._turn()
        self._turn()

    def _turn(self) -> None:
        try:
            self.send_due()
        except SeacallError as error:  # a full disk; what waits goes on waiting
            Log.warning("alerts: %s", error)

    def waiting(self) -> int:
        """Return how many are not sent yet."""
        text = "SELECT COUNT(*) FROM alerts WHERE state = 'waiting'"
        return int(self._journal.rows(text)[0][0])

    def send_due(self) -> None:
        """Try all whose time has come."""
        for row in self._journal.rows(
            "SELECT * FROM alerts WHERE state = 'waiting' AND due_us <= ? "
            "ORDER BY due_us LIMIT 100",
            now_us(),
        ):
            rule = self._rules.get(row["rule"])
            if rule is not None:
                self._try(rule, row)

    def _try(self, rule: AlertRule, row: sqlite3.Row) -> None:
        (found,) = self._journal.rows(_COLUMNS, row["detection"])
        try:
            self._send(rule, alert_of(rule, found))
        except SendError as error:
            self._failed(rule, row, str(error))
        else:
            self._mark(row, state="sent", due_us=row["due_us"], note="")

    def _failed(self, rule: AlertRule, row: sqlite3.Row, why: str) -> None:
        n = int(row["n_tries"]) + 1
        over = now_us() - row["asked_us"] > rule.give_up_h * _HOUR_US
        wait_s = min(2 ** (n - 1), _LONGEST_WAIT_S)
        what = "given up" if over else f"again in {wait_s} s"
        Log.warning("alert %s: %s; %s", rule.name, why, what)
        self._mark(
            row,
            state="failed" if over else "waiting",
            due_us=now_us() + wait_s * _SECOND_US,
            note=why,
        )

    def _mark(self, row: sqlite3.Row, *, state: str, due_us: int, note: str) -> None:
        with self._journal.transaction() as db:
            db.execute(
                "UPDATE alerts SET state = ?, due_us = ?, note = ?, "
                "n_tries = n_tries + 1 WHERE id = ?",
                (state, due_us, note, row["id"]),
            )


def alert_of(rule: AlertRule, row: sqlite3.Row) -> dict[str, Any]:
    """Return what is sent of a detection."""
    start = date_of(row["start_us"])
    return {
        "alert": rule.name,
        "source": row["source"],
        "detection": row["id"],
        "label": row["label"],
        "score": row["score"],
        "state": row["state"],
        "start": None if start is None else start.isoformat(timespec="milliseconds"),
        "start_s": row["start_s"],
        "end_s": row["end_s"],
        "low_hz": row["low_hz"],
        "high_hz": row["high_hz"],
        "level_db": row["level_db"],
        "level_unit": row["level_unit"],
        "snr_db": row["snr_db"],
        "marks": row["marks"],
        "environment": json.loads(row["environment"]),
    }
