"""Hourly presence: who was heard in which hour, and how long anybody listened."""

from __future__ import annotations

import json
import tempfile
from collections import defaultdict
from collections.abc import Iterator
from contextlib import contextmanager
from datetime import datetime, timedelta
from typing import IO

from seacall.detect.outputs.listening import (
    EPOCH,
    HOUR_US,
    SECOND_US,
    Bins,
    heard_of,
    in_utc,
    is_dated,
)
from seacall.detect.outputs.rows import Value
from seacall.detect.outputs.tables import Rows
from seacall.detect.outputs.target import Take, Target
from seacall.events import Detection, Searched

COLUMNS = (
    "folder",
    "hour_utc",
    "file",
    "label",
    "effort_s",
    "n_detections",
    "detected_s",
    "presence",
)


@contextmanager
def hourly_presence(target: Target) -> Iterator[Take]:
    """Write ``presence.csv``: a row for each hour in which was listened, and label.

    Hours in which nobody listened have no row: that an animal was absent is said of no
    time that was not heard. Recordings without a date have rows of their own.
    """
    with (
        target.text("presence.csv") as stream,
        tempfile.TemporaryFile("w+", encoding="utf-8", dir=target.out) as undated,
    ):
        counts = _Counts(target, undated)
        yield counts.add
        table = Rows(stream, COLUMNS)
        for row in counts.rows():
            table.write(row)


class _Counts:
    def __init__(self, target: Target, undated: IO[str]) -> None:
        self._target = target
        self._undated = undated  # on disk: there may be a hundred thousand
        self._hours: dict[str, Bins] = defaultdict(lambda: Bins(HOUR_US))
        self._labels = dict.fromkeys(target.labels)

    def add(self, searched: Searched, found: list[Detection]) -> None:
        """Count a recording."""
        heard = heard_of(searched, found)
        self._labels.update(dict.fromkeys(sorted(heard.calls)))
        if not heard.stretches:
            return
        folder = self._target.folder_of(searched.path)
        if is_dated(searched):
            self._hours[folder].add(in_utc(heard, searched))
            return
        counts = {
            label: (len(heard.begins[label]), sum(b - a for a, b in stretches))
            for label, stretches in heard.calls.items()
        }
        effort_us = sum(b - a for a, b in heard.stretches)
        line = json.dumps([folder, str(searched.path), effort_us, counts])
        self._undated.write(f"{line}\n")

    def rows(self) -> Iterator[tuple[Value, ...]]:
        """Give all rows: by folder and hour, then recordings without a date."""
        labels = tuple(self._labels) or ("",)
        for folder, bins in sorted(self._hours.items()):
            for hour, effort_us in sorted(bins.effort.items()):
                moment = EPOCH + timedelta(hours=hour)
                for label in labels:
                    n = bins.begins.get(label, {}).get(hour, 0)
                    time_us = bins.calls.get(label, {}).get(hour, 0)
                    yield _row(folder, moment, "", label, effort_us, n, time_us)
        self._undated.seek(0)
        for line in self._undated:
            folder, file, effort_us, counts = json.loads(line)
            for label in labels:
                n, time_us = counts.get(label, (0, 0))
                yield _row(folder, None, file, label, effort_us, n, time_us)


def _row(
    folder: str,
    hour: datetime | None,
    file: str,
    label: str,
    effort_us: int,
    n_detections: int,
    detected_us: int,
) -> tuple[Value, ...]:
    return (
        folder,
        None if hour is None else f"{hour:%Y-%m-%dT%H:%M:%SZ}",
        file,
        label,
        effort_us / SECOND_US,
        n_detections,
        detected_us / SECOND_US,
        int(n_detections > 0 or detected_us > 0),
    )
