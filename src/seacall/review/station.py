"""A listening station as a place: what its journal holds, while it goes on."""

from __future__ import annotations

import json
from collections.abc import Iterable, Sequence
from functools import cached_property
from pathlib import Path
from typing import Any

import numpy as np

from seacall.audio.clips import ClipGrid
from seacall.config import FrontEndSettings
from seacall.errors import AudioError, SeacallError
from seacall.live.journal import Journal
from seacall.models.checkpoint import Card
from seacall.models.decide import with_thresholds
from seacall.models.file_classifier import card_of
from seacall.models.shipped import shipped_folder
from seacall.review.columns import NO_TIME, Columns
from seacall.review.nouns import Detected, Kind
from seacall.review.shelf import Float32, Shelf, Stretches, family_of, offered
from seacall.review.stretch import read_stretch

_COLUMNS = (
    "id, label, segment, channel, start_us, start_s, end_s, score, changed_us, state"
)
_SLACK_US = 60_000_000
"""Clocks are set back now and then, us."""
_AT_ONCE = 500


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
        self._kept: dict[int, tuple[Any, ...]] = {}
        self._version = -1
        self._columns: Columns | None = None

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
            if self._columns is None or version != self._version:
                self._version = version
                if self._read_changes() or self._columns is None:
                    self._columns = self._gathered()
            return self._columns

    def _read_changes(self) -> bool:
        last_us = max((row[8] for row in self._kept.values()), default=0)
        rows = self._journal.rows(
            f"SELECT {_COLUMNS} FROM detections WHERE changed_us >= ? OR id > ?",
            last_us - _SLACK_US,
            max(self._kept, default=0),
        )
        grown = [k for k, row in self._kept.items() if row[9] == "open"]
        rows += self._by_number(grown)
        new = {int(row[0]): tuple(row) for row in rows}
        changed = any(self._kept.get(k) != row for k, row in new.items())
        self._kept.update(new)
        return changed

    def _by_number(self, numbers: Sequence[int], what: str = _COLUMNS) -> list[Any]:
        found: list[Any] = []
        for k in range(0, len(numbers), _AT_ONCE):
            some = numbers[k : k + _AT_ONCE]
            marks = ", ".join("?" * len(some))
            found += self._journal.rows(
                f"SELECT {what} FROM detections WHERE id IN ({marks})", *some
            )
        return found

    def _gathered(self) -> Columns:
        segments = self._segments()
        rows = list(self._kept.values())
        by_column = list(zip(*rows, strict=True)) if rows else [()] * 10
        labels = tuple(sorted(set(by_column[1])))
        label = {name: k for k, name in enumerate(labels)}
        source = {number: k for k, number in enumerate(segments)}
        missing = [NO_TIME if us is None else us for us in by_column[4]]
        return Columns(
            id=np.array(by_column[0], np.int64),
            label=np.array([label[name] for name in by_column[1]], np.int64),
            source=np.array([source[number] for number in by_column[2]], np.int64),
            channel=np.array(by_column[3], np.int64),
            start_us=np.array(missing, np.int64),
            start_s=np.array(by_column[5], np.float64),
            end_s=np.array(by_column[6], np.float64),
            score=np.array(by_column[7], np.float64),
            labels=labels,
            sources=tuple(f"{s['name']}#{number}" for number, s in segments.items()),
            names=tuple(_shown(s) for s in segments.values()),
        )

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
        columns = self.columns()
        rows = self._journal.rows(
            "SELECT id FROM detections WHERE changed_us > ? ORDER BY changed_us LIMIT "
            "1000",
            us,
        )
        known = {int(row["id"]) for row in rows} & self._kept.keys()
        places = [columns.place_of(int(r["id"])) for r in rows if int(r["id"]) in known]
        return self.rows(places)

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


def _shown(segment: Any) -> str:
    """Return what people call a source: of a folder's recordings their own name."""
    path = _path_of_key(segment["key"])
    return path.name if path is not None else str(segment["name"])


def _path_of_key(key: str) -> Path | None:
    """Take size, time of change and number of the part off a recording's key."""
    name, _, _ = key.rpartition("#") if key.count("#") else (key, "", "")
    whole = name if name.count(":") >= 2 else key
    parts = whole.rsplit(":", 2)
    return Path(parts[0]) if len(parts) == 3 else None


def recording_of_key(key: str, source: str) -> Path | None:
    """Return the recording that a segment was heard from, if it is there unchanged."""
    path = _path_of_key(key)
    if path is None:
        return None
    if source.startswith("folder:"):
        path = Path(source.removeprefix("folder:")) / path
    try:
        size = path.stat().st_size
    except OSError:
        return None
    return path if str(size) in key.rsplit(":", 2)[1:2] else None
