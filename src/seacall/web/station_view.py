"""What another process says of a station: sources, health, events, spectra."""

from __future__ import annotations

import json
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from datetime import datetime
from pathlib import Path
from typing import Any

from seacall.live.journal import Journal, now_us, time_us
from seacall.live.spectrum import ring_path
from seacall.live.status import STATUS_NAME, metrics_text

ALIVE_S = 30.0
"""A station writes how it is every 2 s; after so long without it is not alive."""


@dataclass(frozen=True)
class Source:
    """A source of a station's journal."""

    number: int
    name: str


class StationView:
    """Reads what `seacall listen` writes into its folder; changes nothing.

    Parameters
    ----------
    folder
        Of the station.

    Raises
    ------
    SettingsError
        If there is no journal.
    """

    def __init__(self, folder: Path) -> None:
        self.folder = folder
        self.journal = Journal(folder, writable=False)

    def close(self) -> None:
        """Let go of the journal."""
        self.journal.close()

    def sources(self) -> list[Source]:
        """Return all sources that were ever heard."""
        rows = self.journal.rows("SELECT id, name FROM sources ORDER BY id")
        return [Source(row["id"], row["name"]) for row in rows]

    def ring(self, source: Source) -> Path:
        """Return where a source's spectrum lies."""
        return ring_path(self.folder, source.number)

    def events(self, *, limit: int) -> list[dict[str, Any]]:
        """Return the last events, newest first."""
        rows = self.journal.rows(
            "SELECT e.id, s.name AS source, e.time_us, e.kind, e.state, e.text "
            "FROM events e LEFT JOIN sources s ON e.source = s.id "
            "ORDER BY e.id DESC LIMIT ?",
            limit,
        )
        return [dict(row) for row in rows]

    def status(self) -> dict[str, Any] | None:
        """Return what the station last wrote about itself; None: nothing readable."""
        try:
            text = (self.folder / STATUS_NAME).read_text(encoding="utf-8")
            found = json.loads(text)
            metrics_text(found)  # another version may have written it
            return dict(found)
        except (OSError, ValueError, KeyError, TypeError, AttributeError):
            return None

    def health(self) -> dict[str, Any]:
        """Return how the station is, as plain values."""
        status = self.status()
        if status is None:
            return {
                "alive": False,
                "heartbeat_us": None,
                "disk_free_bytes": None,
                "alerts_waiting": None,
                "sources": [],
            }
        heartbeat_us = time_us(datetime.fromisoformat(status["time"]))
        alive = now_us() - heartbeat_us < ALIVE_S * 1e6
        return {
            "alive": alive,
            "heartbeat_us": heartbeat_us,
            "disk_free_bytes": status.get("disk_free_bytes"),
            "alerts_waiting": status.get("alerts_waiting"),
            "sources": [
                _source(name, one, alive=alive)
                for name, one in status["sources"].items()
            ],
        }

    def troubles(self) -> Iterator[str]:
        """Yield what is wrong, in words; nothing: all is well."""
        health = self.health()
        if not health["alive"]:
            yield f"no sign of life {_since(health['heartbeat_us'])}"
            return
        for one in health["sources"]:
            if one["state"] != "ok":
                yield f"{one['name']}: {one['state']}"


def _source(name: str, one: Mapping[str, Any], *, alive: bool) -> dict[str, Any]:
    states = [*one.get("states", ())]
    if one.get("failure"):
        states.append("failed")
    elif not one["alive"] and "late" not in states:
        states.append("ended")
    last = one.get("last_sound")
    kept = ("failure", "level_db", "lag_s", "buffer", "heard_s", "n_clips")
    return {
        "name": name,
        "alive": alive and bool(one["alive"]),
        "states": states,
        "state": ",".join(states) or "ok",
        "last_sound_us": time_us(datetime.fromisoformat(last)) if last else None,
        **{key: one.get(key) for key in kept},
        "detections": one.get("detections", {}),
        "events": one.get("events", {}),
    }


def _since(heartbeat_us: int | None) -> str:
    if heartbeat_us is None:
        return "yet; is seacall listen running?"
    seconds = (now_us() - heartbeat_us) / 1e6
    if seconds < 3_600:
        return f"for {seconds / 60:.0f} minutes"
    return f"for {seconds / 3_600:.0f} hours"
