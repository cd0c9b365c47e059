"""One JSON file: recordings, what was heard of each, failures, detections."""

from __future__ import annotations

import json
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from importlib import metadata
from typing import Any, TextIO

from seacall.detect.outputs.rows import (
    DETECTION_COLUMNS,
    RECORDING_COLUMNS,
    Value,
    detection_rows,
    recording_row,
)
from seacall.detect.outputs.target import Take, Target
from seacall.detect.outputs.values import iso
from seacall.events import Detection, Searched

FORMAT, VERSION = "seacall detections", 1


@contextmanager
def json_file(target: Target) -> Iterator[Take]:
    """Write ``detections.json``: one line for each recording, between two more."""
    with target.text("detections.json") as stream:
        writer = _Writer(stream)
        yield writer.add
        writer.finish()


class _Writer:
    def __init__(self, stream: TextIO) -> None:
        self._stream = stream
        self._totals = {
            "n_recordings": 0,
            "n_failed": 0,
            "duration_s": 0.0,
            "heard_s": 0.0,
            "n_detections": 0,
        }
        about = {
            "format": FORMAT,
            "version": VERSION,
            "seacall": metadata.version("seacall"),
        }
        stream.write(f'{_text(about)[:-1]}, "recordings": [')

    def add(self, searched: Searched, found: list[Detection]) -> None:
        """Write a recording."""
        entry = _named(RECORDING_COLUMNS, recording_row(searched, found))
        entry["heard"] = [[round(t, 6) for t in stretch] for stretch in searched.heard]
        entry["segments"] = [
            {
                "first_sample": segment.first_sample,
                "n_samples": segment.n_samples,
                "start_utc": iso(segment.start),
            }
            for segment in searched.segments
        ]
        entry["detections"] = [
            _named(DETECTION_COLUMNS[1:], row[1:])
            for row in detection_rows(searched, found)
        ]
        comma = "," if self._totals["n_recordings"] else ""
        self._stream.write(f"{comma}\n{_text(entry)}")
        self._count(entry)

    def _count(self, entry: dict[str, Any]) -> None:
        self._totals["n_recordings"] += 1
        self._totals["n_failed"] += bool(entry["failure"])
        for name in ("duration_s", "heard_s", "n_detections"):
            self._totals[name] += entry[name] or 0

    def finish(self) -> None:
        """Write the end."""
        totals = {k: _plain(v) for k, v in self._totals.items()}
        self._stream.write(f'\n], "totals": {_text(totals)}}}\n')


def _named(names: Sequence[str], values: Sequence[Value]) -> dict[str, Any]:
    return {n: _plain(v) for n, v in zip(names, values, strict=True)}


def _plain(value: Value) -> str | int | float | None:
    if value is None or isinstance(value, str | int):
        return value
    return round(value, 6) if isinstance(value, float) else iso(value)


def _text(value: dict[str, Any]) -> str:
    return json.dumps(value, ensure_ascii=False, allow_nan=False)
