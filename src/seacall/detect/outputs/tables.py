"""CSV tables: detections, and the recordings that were listened to."""

from __future__ import annotations

import csv
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from typing import TextIO

from seacall.detect.outputs.rows import (
    DECIMALS,
    DETECTION_COLUMNS,
    RECORDING_COLUMNS,
    Value,
    detection_rows,
    recording_row,
)
from seacall.detect.outputs.target import Take, Target
from seacall.detect.outputs.values import iso
from seacall.events import Detection, Searched


@contextmanager
def csv_tables(target: Target) -> Iterator[Take]:
    """Write ``detections.csv`` and ``recordings.csv``."""
    with (
        target.text("detections.csv") as detections,
        target.text("recordings.csv") as recordings,
    ):
        detection_table = Rows(detections, DETECTION_COLUMNS)
        recording_table = Rows(recordings, RECORDING_COLUMNS)

        def take(searched: Searched, found: list[Detection]) -> None:
            recording_table.write(recording_row(searched, found))
            for row in detection_rows(searched, found):
                detection_table.write(row)

        yield take


class Rows:
    """A CSV table, row by row; what is missing is an empty cell."""

    def __init__(self, stream: TextIO, columns: Sequence[str]) -> None:
        self._columns = tuple(columns)
        self._plain = csv.writer(stream, lineterminator="\n")
        # Left to itself, csv quotes no carriage return within a file's name.
        self._quoted = csv.writer(stream, lineterminator="\n", quoting=csv.QUOTE_ALL)
        self._plain.writerow(self._columns)

    def write(self, values: Sequence[Value]) -> None:
        """Write a row, its values in the order of the columns."""
        cells = [_cell(n, v) for n, v in zip(self._columns, values, strict=True)]
        quoted = any("\r" in cell for cell in cells)
        (self._quoted if quoted else self._plain).writerow(cells)


def _cell(name: str, value: Value) -> str:
    if value is None:
        return ""
    if isinstance(value, float):
        return f"{value:.{DECIMALS[name]}f}"
    if isinstance(value, str | int):
        return str(value)
    return iso(value) or ""
