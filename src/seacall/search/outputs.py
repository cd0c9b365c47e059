"""Write what was found: Raven selection table, CSV or Parquet, by the file's ending."""

from __future__ import annotations

import csv
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any

from seacall.detect.outputs.raven import SelectionTable
from seacall.detect.outputs.target import opened_text
from seacall.errors import SettingsError, require
from seacall.events import Detection, Searched
from seacall.files import written_whole
from seacall.search.batch import Pick
from seacall.search.endings import check_batch, check_ending
from seacall.search.find import Hit

COLUMNS = (
    "rank",
    "file",
    "channel",
    "start_s",
    "end_s",
    "start_utc",
    "similarity",
    "label",
    "score",
    "low_hz",
    "high_hz",
    "snr_db",
    "n_clips",
    "run",
)
"""``label`` and ``score`` are the model's guess; ``similarity`` is to the examples."""
BATCH_COLUMNS = (
    "file_name",
    "start_s",
    "end_s",
    "channel",
    "species_name",
    "guess",
    "score",
    "why",
    "start_utc",
)
"""As ``seacall prepare --table`` takes them; ``species_name`` is for the reader."""


def write_hits(path: Path, hits: Sequence[Hit]) -> None:
    """Write results: ``.txt`` for Raven, ``.csv``, or ``.parquet``.

    Raises
    ------
    SettingsError
        If the ending is another, or the file cannot be written.
    MissingExtraError
        If Parquet needs a package that is not installed.
    """
    write = _WRITERS[check_ending(path)]
    try:
        write(path, hits)
    except OSError as error:
        raise _unwritable(path, error) from error


def write_batch(path: Path, picks: Sequence[Pick]) -> None:
    """Write clips to label as a CSV table; ``species_name`` is left to be filled in.

    Raises
    ------
    SettingsError
        If the ending is not ``.csv``, or the file cannot be written.
    """
    check_batch(path)
    rows = [_batch_row(pick) for pick in picks]
    try:
        _write_csv(path, BATCH_COLUMNS, rows)
    except OSError as error:
        raise _unwritable(path, error) from error


def hit_row(rank: int, hit: Hit) -> dict[str, Any]:
    """Return a result as plain values, by `COLUMNS`."""
    start = hit.start.isoformat(timespec="milliseconds") if hit.start else None
    return {
        "rank": rank,
        "file": str(hit.path),
        "channel": hit.channel,
        "start_s": round(hit.start_s, 6),
        "end_s": round(hit.end_s, 6),
        "start_utc": start,
        "similarity": round(hit.similarity, 4),
        "label": hit.label,
        "score": round(hit.score, 4),
        "low_hz": round(hit.low_hz, 1),
        "high_hz": round(hit.high_hz, 1),
        "snr_db": round(hit.snr_db, 1),
        "n_clips": hit.n_clips,
        "run": str(hit.run),
    }


def pick_row(pick: Pick) -> dict[str, Any]:
    """Return a clip to label as plain values, by `BATCH_COLUMNS`."""
    return dict(zip(BATCH_COLUMNS, _batch_row(pick), strict=True))


def _batch_row(pick: Pick) -> tuple[Any, ...]:
    hit = pick.hit
    return (
        str(hit.path),
        round(hit.start_s, 6),
        round(hit.end_s, 6),
        hit.channel,
        "",
        pick.guess,
        round(pick.score, 4),
        pick.why,
        hit.start.isoformat(timespec="milliseconds") if hit.start else "",
    )


def _raven(path: Path, hits: Sequence[Hit]) -> None:
    """Write rows by recording, those with the best first; ``Score`` is similarity."""
    by_recording: dict[Path, list[Hit]] = {}
    for hit in hits:
        by_recording.setdefault(hit.path, []).append(hit)
    with opened_text(path) as stream:
        table = SelectionTable(stream)
        for name, found in by_recording.items():
            searched = Searched(name, found[0].recording)
            table.add(searched, [_detection(hit) for hit in _by_start(found)])


def _by_start(found: Sequence[Hit]) -> list[Hit]:
    return sorted(found, key=lambda hit: (hit.start_s, hit.channel))


def _detection(hit: Hit) -> Detection:
    return Detection(
        path=hit.path,
        start_s=hit.start_s,
        end_s=hit.end_s,
        low_hz=hit.low_hz,
        high_hz=hit.high_hz,
        label=hit.label,
        score=hit.similarity,
        channel=hit.channel,
        n_clips=hit.n_clips,
        snr_db=hit.snr_db,
        start=hit.start,
    )


def _csv(path: Path, hits: Sequence[Hit]) -> None:
    rows = [hit_row(rank, hit) for rank, hit in enumerate(hits, start=1)]
    _write_csv(path, COLUMNS, [tuple(row.values()) for row in rows])


def _write_csv(
    path: Path, columns: Sequence[str], rows: Sequence[tuple[Any, ...]]
) -> None:
    with opened_text(path) as stream:
        writer = csv.writer(stream, lineterminator="\n")
        writer.writerow(columns)
        writer.writerows(rows)


def _parquet(path: Path, hits: Sequence[Hit]) -> None:
    arrow = require("pyarrow", "tables")
    from pyarrow import parquet

    rows = [hit_row(rank, hit) for rank, hit in enumerate(hits, start=1)]
    for row in rows:  # a file's name need not be text
        for name in ("file", "run"):
            row[name] = row[name].encode(errors="backslashreplace").decode()
    columns = {name: [row[name] for row in rows] for name in COLUMNS}
    path.parent.mkdir(parents=True, exist_ok=True)
    with written_whole(path) as part:
        parquet.write_table(arrow.table(columns), part)


def _unwritable(path: Path, error: OSError) -> SettingsError:
    return SettingsError(
        f"{path}: cannot be written ({error.strerror or error}); free some space, or "
        "choose another file"
    )


_WRITERS: dict[str, Callable[[Path, Sequence[Hit]], None]] = {
    ".txt": _raven,
    ".csv": _csv,
    ".parquet": _parquet,
}
