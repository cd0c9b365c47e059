"""What a survey found, as tables: for the terminal, as CSV, as JSON."""

from __future__ import annotations

import csv
import io
import json
import math
from collections import Counter
from collections.abc import Sequence
from datetime import datetime
from pathlib import Path
from typing import Any

from seacall.detect.survey import PROBLEMS, Deployment, Survey, Surveyed
from seacall.files import written_whole

COLUMNS = (
    "file",
    "deployment",
    "start_utc",
    "time_source",
    "time_doubt",
    "duration_s",
    "format",
    "encoding",
    "sample_rate_hz",
    "n_channels",
    "n_bytes",
    "peak_dbfs",
    "rms_dbfs",
    "clipped_share",
    "dead_channels",
    "gap_before_s",
    "overlap_s",
    "duplicate_of",
    "repaired",
    "failure",
    "problems",
)
_SHOWN = 3


def totals(found: Survey) -> list[str]:
    """Say in a few lines what there is."""
    files = found.files
    good = [one.look.recording for one in files if one.look.recording is not None]
    lines = [
        f"{plural(len(files), 'recording')}, {span_text(found.recorded_s)}, "
        f"{bytes_text(found.n_bytes)}"
    ]
    if good:
        formats = counted([recording.format for recording in good])
        encodings = counted([recording.subtype for recording in good])
        rates = counted(
            [rate_text(one.sample_rate) for one in files if one.sample_rate]
        )
        channels = counted([str(recording.n_channels) for recording in good])
        lines += [
            f"formats: {formats}; {encodings}",
            f"sample rates: {rates}",
            f"channels: {channels}",
        ]
    return lines


def deployment_rows(found: Survey) -> tuple[tuple[str, ...], list[tuple[str, ...]]]:
    """Return the names of the columns, and a row for each deployment."""
    first = ("deployment", "files", "recorded", "from", "to (UTC)")
    names = (*first, "rate", "duty cycle", "gaps", "overlaps")
    return names, [_row(deployment) for deployment in found.deployments]


def _row(deployment: Deployment) -> tuple[str, ...]:
    order, span = deployment.order, deployment.span
    rates = [rate_text(one.sample_rate) for one in deployment.files if one.sample_rate]
    return (
        printable(deployment.name),
        f"{len(deployment.files):,}",
        span_text(deployment.recorded_s),
        time_text(span[0]) if span else "not known",
        time_text(span[1]) if span else "",
        counted(rates, shown=2) if rates else "",
        duty_text(deployment),
        _breaks(len(order.gaps), deployment.gap_s),
        _breaks(len(order.overlaps), deployment.overlap_s),
    )


def duty_text(deployment: Deployment) -> str:
    """Say how a recorder was switched on and off."""
    order = deployment.order
    if order.on_s is not None and order.period_s is not None:
        return f"{span_text(order.on_s)} of {span_text(order.period_s)}"
    return ""


def _breaks(n: int, total_s: float) -> str:
    return f"{n:,} ({span_text(total_s)})" if n else ""


def problem_rows(found: Survey) -> list[tuple[str, str, str]]:
    """Return each kind of problem, how many files have it, and the first of them."""
    rows = []
    for name, files in found.problems.items():
        shown = ", ".join(printable(one.look.path.name) for one in files[:_SHOWN])
        more = f", and {len(files) - _SHOWN:,} more" if len(files) > _SHOWN else ""
        rows.append((name, f"{len(files):,}", f"{PROBLEMS[name]}: {shown}{more}"))
    return rows


def plain_table(names: Sequence[str], rows: Sequence[Sequence[str]]) -> list[str]:
    """Align columns for a file or a pipe; columns that are empty are left out."""
    kept = [k for k in range(len(names)) if any(row[k] for row in rows)]
    table = [[row[k] for k in kept] for row in (names, *rows)]
    widths = [max(len(row[k]) for row in table) for k in range(len(kept))]
    return [
        "  ".join(
            cell.ljust(width) for cell, width in zip(row, widths, strict=True)
        ).rstrip()
        for row in table
    ]


def as_dict(found: Survey) -> dict[str, Any]:
    """Return plain values for JSON."""
    return {
        "n_files": len(found.files),
        "recorded_s": round(found.recorded_s, 3),
        "n_bytes": found.n_bytes,
        "deployments": [_deployment_values(one) for one in found.deployments],
        "problems": {
            name: [str(one.look.path) for one in files]
            for name, files in found.problems.items()
        },
        "failures": {
            str(one.look.path): one.look.failure
            for one in found.files
            if one.look.failure
        },
    }


def _deployment_values(deployment: Deployment) -> dict[str, Any]:
    order, span = deployment.order, deployment.span
    rates = Counter(one.sample_rate for one in deployment.files if one.sample_rate)
    return {
        "name": deployment.name,
        "n_files": len(deployment.files),
        "recorded_s": round(deployment.recorded_s, 3),
        "start_utc": utc_text(span[0]) if span else None,
        "end_utc": utc_text(span[1]) if span else None,
        "sample_rates_hz": {str(rate): n for rate, n in rates.most_common()},
        "duty_cycle": {"on_s": order.on_s, "period_s": order.period_s}
        if order.period_s
        else None,
        "gaps": _break_values(order.gaps),
        "overlaps": _break_values(order.overlaps),
    }


def _break_values(breaks: Sequence[Any]) -> list[dict[str, Any]]:
    return [
        {"start_utc": utc_text(one.start), "duration_s": round(one.duration_s, 3)}
        for one in breaks
    ]


def file_row(one: Surveyed) -> list[str]:
    """Return a file's row of ``survey.csv``."""
    look, recording, sampled = one.look, one.look.recording, one.look.sampled
    row: dict[str, object] = {
        "file": look.path,
        "deployment": one.deployment,
        "start_utc": utc_text(one.time.start) if one.time.start else "",
        "time_source": one.time.source,
        "time_doubt": one.time.doubt,
        "n_bytes": look.n_bytes,
        "gap_before_s": f"{one.gap_s:.3f}",
        "overlap_s": f"{one.overlap_s:.3f}",
        "duplicate_of": one.duplicate_of or "",
        "failure": look.failure,
        "problems": "; ".join(one.problems()),
    }
    if recording is not None:
        row |= {
            "duration_s": f"{one.duration_s:.6f}",
            "format": recording.format,
            "encoding": recording.subtype,
            "sample_rate_hz": one.sample_rate,
            "n_channels": recording.n_channels,
            "repaired": recording.repaired,
        }
    if sampled is not None:
        row |= {
            "peak_dbfs": _decibels(sampled.peak),
            "rms_dbfs": _decibels(sampled.rms),
            "clipped_share": f"{sampled.clipped_share:.6f}",
            "dead_channels": " ".join(map(str, sampled.dead_channels)),
        }
    return [str(row.get(name, "")) for name in COLUMNS]


def write_tables(found: Survey, out: Path) -> list[Path]:
    """Write ``survey.csv``, a row for each file, and ``survey.json``.

    Raises
    ------
    OSError
        If they cannot be written.
    """
    table = io.StringIO(newline="")
    writer = csv.writer(table, lineterminator="\n")
    writer.writerow(COLUMNS)
    writer.writerows(map(file_row, found.files))
    text = json.dumps(as_dict(found), indent=1)
    for name, content in (("survey.csv", table.getvalue()), ("survey.json", text)):
        with written_whole(out / name) as part:
            part.write_bytes(content.encode("utf-8", errors="surrogateescape"))
    return [out / "survey.csv", out / "survey.json"]


def counted(values: Sequence[str], *, shown: int = 6) -> str:
    """Say how often each value occurs, the most frequent first."""
    counts = Counter(values).most_common()
    if len(counts) == 1:
        return counts[0][0]
    text = ", ".join(f"{value} ({n:,})" for value, n in counts[:shown])
    return f"{text}, {len(counts) - shown} more" if len(counts) > shown else text


def span_text(seconds: float) -> str:
    """Write a length of time as a person would say it."""
    if round(seconds, 1) < 60:
        return f"{seconds:.1f} s".replace(".0 ", " ")
    if round(seconds / 60, 1) < 60:
        return f"{seconds / 60:.1f} min".replace(".0 ", " ")
    if seconds < 1_000 * 3_600:
        return f"{seconds / 3_600:.1f} h".replace(".0 ", " ")
    return f"{seconds / 3_600:,.0f} h"


def bytes_text(n: int) -> str:
    """Write a size in the unit that fits."""
    size, units = float(n), ["PB", "TB", "GB", "MB", "kB", "B"]
    while size >= 1_000 and len(units) > 1:
        size /= 1_000
        units.pop()
    return f"{size:.0f} {units[-1]}" if size >= 100 else f"{size:.3g} {units[-1]}"


def rate_text(rate: int | None) -> str:
    """Write a sample rate in kHz."""
    return f"{(rate or 0) / 1_000:g} kHz"


def time_text(moment: datetime) -> str:
    """Write a moment to the minute."""
    return moment.strftime("%Y-%m-%d %H:%M")


def utc_text(moment: datetime) -> str:
    """Write a moment in UTC as ISO 8601 has it, to the millisecond."""
    return moment.isoformat(timespec="milliseconds").replace("+00:00", "Z")


def plural(n: int, noun: str) -> str:
    """Write a count with its noun."""
    return f"{n:,} {noun}{'' if n == 1 else 's'}"


def printable(text: str) -> str:
    """Show line breaks, tabs and bytes that are no text in a name as escapes."""
    plain = text.encode("utf-8", errors="backslashreplace").decode("utf-8")
    return "".join(c if c.isprintable() else repr(c)[1:-1] for c in plain)


def _decibels(level: float) -> str:
    return f"{20 * math.log10(level):.1f}" if level > 0 else "-inf"
