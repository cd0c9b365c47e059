"""A listening station as a place: what its journal holds, while it goes on."""

from __future__ import annotations

import json
from collections.abc import Iterable, Sequence
from functools import cached_property
from pathlib import Path
from typing import Any

from seacall.audio.clips import ClipGrid
from seacall.config import FrontEndSettings
from seacall.errors import AudioError, SeacallError
from seacall.live.journal import Journal
from seacall.models.checkpoint import Card
from seacall.models.decide import with_thresholds
from seacall.models.file_classifier import card_of
from seacall.models.shipped import shipped_folder
from seacall.review.columns import NOTHING, Columns
from seacall.review.grow import grown, path_of_key
from seacall.review.nouns import Detected, Kind
from seacall.review.settled import Key
from seacall.review.shelf import Float32, Shelf, Stretches, family_of, offered
from seacall.review.stretch import read_stretch

_COLUMNS = (
    "id, label, segment, channel, start_us, start_s, end_s, score, changed_us, state"
)
_SLACK_US = 60_000_000
"""Clocks are set back now and then, us."""
_AT_ONCE = 500
_MOST_RECENT = 10_000
"""Rows that are kept to tell what changed."""


class StationPlace(Shelf):
    """The folder of ``seacall listen``, read while a station may write there.

    Parameters
    ----------
    folder
        With a ``station.sqlite``.
    """

    kind: Kind = "station"

    def __init__(self, folder: Path) -> None:
        super().__init__(folder)
        self._journal = Journal(folder, writable=False)
        self._recent: dict[int, tuple[Any, ...]] = {}
        self._open: set[int] = set()
        self._exact: dict[Key, int] = {}
        self._last_us = 0
        self._version = -1
        self._columns = NOTHING

    def close(self) -> None:
        """Close the files."""
        self._journal.close()
        self.notebook.close()

    @cached_property
    def _key(self) -> dict[str, Any]:
        return self._journal.meta("key") or {}

    @property
    def labels(self) -> tuple[str, ...]:
        """What can be detected there."""
        return offered(self.columns(), self._key.get("labels", [])[:-1])

    @cached_property
    def card(self) -> Card | None:
        """The card of the station's model; None: it is not where it was."""
        model = self._settings.get("model")
        try:
            card = card_of(Path(model) if model else shipped_folder())
        except (SeacallError, OSError):
            return None
        if dict(card.weights) != self._key.get("model"):
            return None
        return with_thresholds(card, self.asked)

    @cached_property
    def _settings(self) -> dict[str, Any]:
        about = self._journal.meta("about") or {}
        settings: dict[str, Any] = about.get("settings", {})
        return settings

    @property
    def asked(self) -> tuple[str, ...]:
        """Thresholds in place of the card's that the station was asked for."""
        return tuple(self._settings.get("threshold", ()))

    def columns(self) -> Columns:
        """Return all detections; only those that changed are read."""
        with self._turn:
            version = int(self._journal.rows("PRAGMA data_version")[0][0])
            if version != self._version:
                self._version = version
                rows = self._changed()
                if rows:
                    self._take(rows)
            return self._columns

    def _places(self, columns: Columns) -> dict[Key, int]:
        # Rows are added to the journal, and keep where they begin.
        return self._exact

    def _changed(self) -> list[Any]:
        """Return the rows that are new, or not as they were."""
        rows = self._journal.rows(
            f"SELECT {_COLUMNS} FROM detections WHERE changed_us >= ? OR id > ?",
            self._last_us - _SLACK_US,
            max(self._recent, default=-1),
        )
        there = {int(row[0]) for row in rows}
        rows += self._by_number([k for k in self._open if k not in there])
        return [row for row in rows if self._recent.get(int(row[0])) != tuple(row)]

    def _take(self, rows: Sequence[Any]) -> None:
        new = {int(row[0]): tuple(row) for row in rows}
        self._last_us = max(self._last_us, *(row[8] for row in new.values()))
        self._recent |= new
        if len(self._recent) > _MOST_RECENT:
            newest = max(self._recent)
            self._recent = {
                k: row
                for k, row in self._recent.items()
                if row[8] >= self._last_us - _SLACK_US or k == newest
            }
        self._open = {k for k in self._open if k not in new}
        self._open |= {k for k, row in new.items() if row[9] == "open"}
        before = self._columns
        known = [k for k in new if before.has(k)]
        fresh = sorted(new.keys() - set(known))
        self._columns = grown(
            before,
            at=[before.place_of(k) for k in known],
            rows=[new[k][:8] for k in (*known, *fresh)],
            segments=self._segments(),
        )

    def _by_number(self, numbers: Sequence[int], what: str = _COLUMNS) -> list[Any]:
        found: list[Any] = []
        for k in range(0, len(numbers), _AT_ONCE):
            some = numbers[k : k + _AT_ONCE]
            marks = ", ".join("?" * len(some))
            found += self._journal.rows(
                f"SELECT {what} FROM detections WHERE id IN ({marks})", *some
            )
        return found

    def _segments(self) -> dict[int, Any]:
        rows = self._journal.rows(
            "SELECT g.*, s.name FROM segments g JOIN sources s ON g.source = s.id "
            "ORDER BY g.id"
        )
        return {int(row["id"]): row for row in rows}

    def _plain(self, columns: Columns, at: Sequence[int]) -> list[Detected]:
        numbers = [int(columns.id[place]) for place in at]
        rows = {int(r["id"]): r for r in self._by_number(numbers, "*")}
        return [
            self._detected(columns, place, rows[int(columns.id[place])]) for place in at
        ]

    def _detected(self, columns: Columns, place: int, row: Any) -> Detected:
        marks = [mark for mark in row["marks"].split(",") if mark]
        if row["state"] == "cut":
            marks.append("cut")
        audio = row["audio"]
        return Detected(
            id=int(row["id"]),
            target=columns.target(place),
            name=columns.names[columns.source[place]],
            family=family_of(row["label"]),
            low_hz=row["low_hz"],
            high_hz=row["high_hz"],
            snr_db=row["snr_db"],
            level_db=row["level_db"],
            level_unit=row["level_unit"],
            state="open" if row["state"] == "open" else "closed",
            marks=tuple(marks),
            environment=json.loads(row["environment"]),
            has_sound=bool(audio) or self._recording(row["segment"]) is not None,
        )

    def changed_since(self, us: int) -> list[Detected]:
        """Return detections that changed later than that, in the order of changes."""
        columns, book = self.book()
        rows = self._journal.rows(
            "SELECT id FROM detections WHERE changed_us > ? ORDER BY changed_us LIMIT "
            "1000",
            us,
        )
        numbers = [int(row["id"]) for row in rows]
        places = [columns.place_of(k) for k in numbers if columns.has(k)]
        return self.rows(columns, book, places)

    def sound(
        self, number: int, *, before_s: float = 1.0, after_s: float = 1.0
    ) -> tuple[Float32, int, float]:
        """Return the sound that was kept, or that of the recording that was heard.

        Raises
        ------
        KeyError
            If there is no such detection.
        AudioError
            If its sound was not kept, or had to make room.
        """
        rows = self._journal.rows("SELECT * FROM detections WHERE id = ?", number)
        if not rows:
            raise KeyError(number)
        row = rows[0]
        begin_s, end_s = row["start_s"] - before_s, row["end_s"] + after_s
        path = self.snippet(row["audio"])
        if path is not None:
            y, rate, start_s = read_stretch(
                path, begin_s - row["audio_start_s"], end_s - row["audio_start_s"]
            )
            return y, rate, row["audio_start_s"] + start_s
        recording = self._recording(row["segment"])
        if recording is None:
            raise AudioError(
                f"detection {number}: its sound was not kept; give stations a larger "
                "snippets.budget_gb"
            )
        return read_stretch(recording, begin_s, end_s, channel=row["channel"])

    def snippet(self, name: str | None) -> Path | None:
        """Return the file of a detection's sound, if it is there."""
        if not name:
            return None
        path = (self.folder / name).resolve()
        inside = path.is_relative_to(self.folder.resolve())
        return path if inside and path.is_file() else None

    def snippet_of(self, number: int) -> tuple[Path, float] | None:
        """Return the file of a detection's sound, and where it begins, s."""
        rows = self._by_number([number], "audio, audio_start_s")
        path = self.snippet(rows[0]["audio"]) if rows else None
        return None if path is None else (path, float(rows[0]["audio_start_s"]))

    def recording_of(self, number: int) -> Path | None:
        """Return the recording that a detection lies in, if it is there."""
        rows = self._by_number([number], "segment")
        return self._recording(rows[0]["segment"]) if rows else None

    def _recording(self, segment: int) -> Path | None:
        rows = self._journal.rows(
            "SELECT g.key, s.name FROM segments g JOIN sources s ON g.source = s.id "
            "WHERE g.id = ?",
            segment,
        )
        return recording_of_key(rows[0]["key"], rows[0]["name"]) if rows else None

    def heard(self) -> Stretches:
        """Return what was heard of each dated segment."""
        return [
            (row["start_us"], row["start_us"] + round(1e6 * length_s))
            for row, length_s in self._lengths()
            if row["start_us"] is not None
        ]

    def hours(self) -> float:
        """Return how long was listened, hours."""
        return sum(length_s for _, length_s in self._lengths()) / 3600

    def _lengths(self) -> Iterable[tuple[Any, float]]:
        """Yield segments with their lengths; of those that go on, what was scored."""
        last = self._journal.rows(
            "SELECT segment, MAX(first_clip + n_clips) FROM clips GROUP BY segment"
        )
        n_clips = {row[0]: int(row[1]) for row in last}
        for number, row in self._segments().items():
            if row["n_samples"] is not None:
                yield row, row["n_samples"] / row["sample_rate"]
            elif n_clips.get(number):
                grid = self._grid
                clip_s = grid.clip_length / grid.sample_rate
                yield row, grid.start_s(n_clips[number] - 1) + clip_s

    @cached_property
    def _grid(self) -> ClipGrid:
        front_end = FrontEndSettings.model_validate(self._key["front_end"])
        return ClipGrid.of(front_end, hop_s=self._key.get("hop"))


def recording_of_key(key: str, source: str) -> Path | None:
    """Return the recording that a segment was heard from, if it is there unchanged."""
    path = path_of_key(key)
    if path is None:
        return None
    if source.startswith("folder:"):
        path = Path(source.removeprefix("folder:")) / path
    try:
        size = path.stat().st_size
    except OSError:
        return None
    return path if str(size) in key.rsplit(":", 2)[1:2] else None
