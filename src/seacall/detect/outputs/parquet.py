"""Parquet tables: the same as the CSV tables, typed, for millions of rows."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import Any

from seacall.detect.outputs.rows import (
    DETECTION_COLUMNS,
    RECORDING_COLUMNS,
    Value,
    detection_rows,
    recording_row,
)
from seacall.detect.outputs.target import Take, Target
from seacall.errors import require
from seacall.events import Detection, Searched
from seacall.files import written_whole

ROWS_AT_ONCE = 20_000
"""Rows that are held in memory; one row group of the file."""
TYPES = {
    "file": "string",
    "label": "string",
    "level_unit": "string",
    "failure": "string",
    "time_source": "string",
    "time_doubt": "string",
    "channel": "int32",
    "n_clips": "int32",
    "n_channels": "int32",
    "sample_rate": "int32",
    "n_detections": "int64",
}
"""Arrow's types; other columns are times (UTC, microseconds) or numbers (double)."""


@contextmanager
def parquet_tables(target: Target) -> Iterator[Take]:
    """Write ``detections.parquet`` and ``recordings.parquet``."""
    detections = target.out / "detections.parquet"
    recordings = target.out / "recordings.parquet"
    target.written.extend([detections, recordings])
    with (
        _table(detections, DETECTION_COLUMNS) as detection_table,
        _table(recordings, RECORDING_COLUMNS) as recording_table,
    ):

        def take(searched: Searched, found: list[Detection]) -> None:
            recording_table.write(recording_row(searched, found))
            for row in detection_rows(searched, found):
                detection_table.write(row)

        yield take


@contextmanager
def _table(path: Path, columns: Sequence[str]) -> Iterator[_Rows]:
    arrow = require("pyarrow", "tables")
    from pyarrow import parquet as files

    schema = arrow.schema([(name, _type(arrow, name)) for name in columns])
    with written_whole(path) as part, files.ParquetWriter(part, schema) as writer:
        rows = _Rows(arrow, writer, schema)
        yield rows
        rows.flush()


class _Rows:
    """Rows on their way to a file."""

    def __init__(self, arrow: Any, writer: Any, schema: Any) -> None:
        self._arrow, self._writer, self._schema = arrow, writer, schema
        self._rows: list[tuple[Value, ...]] = []

    def write(self, row: tuple[Value, ...]) -> None:
        """Take a row, its values in the order of the columns."""
        self._rows.append(tuple(_valid(value) for value in row))
        if len(self._rows) >= ROWS_AT_ONCE:
            self.flush()

    def flush(self) -> None:
        """Write the rows that are waiting."""
        if self._rows:
            arrays = [
                self._arrow.array(values, type=field.type)
                for values, field in zip(
                    zip(*self._rows, strict=True), self._schema, strict=True
                )
            ]
            table = self._arrow.Table.from_arrays(arrays, schema=self._schema)
            self._writer.write_table(table)
            self._rows.clear()


def _type(arrow: Any, name: str) -> Any:
    if name.endswith("_utc"):
        return arrow.timestamp("us", tz="UTC")
    return getattr(arrow, TYPES.get(name, "float64"))()


def _valid(value: Value) -> Value:
    """Return text that is UTF-8: names of files need not be."""
    if isinstance(value, str):
        return value.encode("utf-8", "backslashreplace").decode()
    return value
