"""Draw when each recorder of a survey recorded: one line each, SVG in HTML, or PNG."""

from __future__ import annotations

import importlib.util
from collections.abc import Sequence
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from html import escape
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from seacall.detect.survey import Deployment, Survey, Surveyed
from seacall.detect.survey_report import (
    deployment_rows,
    duty_text,
    plural,
    printable,
    problem_rows,
    span_text,
    time_text,
    totals,
)
from seacall.files import written_whole

N_BINS = 900
"""Columns of the picture: more recordings than these share one."""
_LABEL_WIDTH = 250
_ROW_HEIGHT = 34
_BAR_HEIGHT = 16
_TOP = 34
_LEVELS = 8
_FAINTEST = 0.35
_RECORDED, _OVERLAP, _BAD, _WARN = "#1f6f8b", "#c43b3b", "#c43b3b", "#d98e04"
_WORST = frozenset({"unreadable", "damaged", "dead"})
_MARKED = ("unreadable", "damaged", "dead", "silent", "clipped", "duplicate", "overlap")

_STEPS = (
    *(timedelta(minutes=m) for m in (1, 5, 15, 30)),
    *(timedelta(hours=h) for h in (1, 3, 6, 12)),
    *(timedelta(days=d) for d in (1, 2, 7, 14, 30, 61, 91, 182, 365, 730, 1826)),
)
_N_TICKS = 8

_STYLE = """
body { font: 15px/1.45 system-ui, sans-serif; color: #1c2b33; margin: 2rem auto;
  max-width: 1240px; padding: 0 1rem; background: #fff; }
h1 { font-size: 1.5rem; margin: 0 0 .4rem; }
h2 { font-size: 1.1rem; margin: 2rem 0 .5rem; }
p { margin: .2rem 0; } svg { width: 100%; height: auto; display: block; }
table { border-collapse: collapse; width: 100%; font-size: 14px; }
th, td { text-align: left; padding: .3rem .8rem .3rem 0; vertical-align: top;
  border-bottom: 1px solid #e3e8eb; }
th { font-weight: 600; color: #54666f; } td.n { white-space: nowrap; }
.scroll { overflow-x: auto; } .note { color: #54666f; font-size: 13px; }
"""


@dataclass(frozen=True)
class _Axis:
    start: datetime
    end: datetime

    def place(self, moment: datetime) -> float:
        """Return where a moment lies, 0 to 1."""
        return (moment - self.start) / (self.end - self.start)


@dataclass(frozen=True)
class _Line:
    """One deployment, ready to be drawn."""

    name: str
    note: str
    covered: NDArray[np.float64]
    """Share of each column that was recorded."""
    marks: tuple[tuple[float, bool], ...] = ()
    """Where files with a problem begin, 0 to 1, and whether it is a bad one."""


def write_picture(found: Survey, out: Path) -> list[Path]:
    """Write ``survey.html``, and ``survey.png`` where matplotlib is installed.

    Raises
    ------
    OSError
        If they cannot be written.
    """
    axis = _axis(found)
    drawn = [one for one in found.deployments if one.span is not None]
    lines = [_line(one, axis) for one in drawn] if axis else []
    page = _page(found, lines, axis)
    written = [out / "survey.html"]
    with written_whole(written[0]) as part:
        part.write_bytes(page.encode("utf-8", errors="replace"))
    if axis is not None and importlib.util.find_spec("matplotlib") is not None:
        written.append(out / "survey.png")
        _write_png(lines, axis, written[-1])
    return written


def _axis(found: Survey) -> _Axis | None:
    spans = [one.span for one in found.deployments if one.span is not None]
    if not spans:
        return None
    start, end = min(a for a, _ in spans), max(b for _, b in spans)
    return _Axis(start, max(end, start + timedelta(seconds=1)))


def _line(deployment: Deployment, axis: _Axis) -> _Line:
    note = (
        f"{plural(len(deployment.files), 'file')}, {span_text(deployment.recorded_s)}"
    )
    if duty := duty_text(deployment):
        note += f", {duty}"
    covered = np.zeros(N_BINS)
    for one in deployment.order.intervals:
        _cover(covered, axis.place(one.start), axis.place(one.end))
    marks = [
        (axis.place(one.time.start), bool(_WORST.intersection(one.problems())))
        for one in deployment.files
        if one.time.start is not None
        and axis.start <= one.time.start <= axis.end
        and _is_marked(one)
    ]
    # Of thousands of marks in one column the worst is enough.
    by_column: dict[int, tuple[float, bool]] = {}
    for place, is_bad in sorted(marks, key=lambda mark: mark[1]):
        by_column[round(place * N_BINS)] = (place, is_bad)
    return _Line(deployment.name, note, covered, tuple(by_column.values()))


def _is_marked(one: Surveyed) -> bool:
    return any(name in _MARKED for name in one.problems())


def _cover(covered: NDArray[np.float64], start: float, end: float) -> None:
    """Add a stretch, from 0 to 1, to the shares of the columns that it touches."""
    first, last = start * N_BINS, end * N_BINS
    low, high = int(first), min(int(last), N_BINS - 1)
    if low >= N_BINS:
        return
    if low == high:
        covered[low] += max(last - first, 1e-6)
        return
    covered[low] += low + 1 - first
    covered[low + 1 : high] += 1.0
    covered[high] += last - high


def _runs(covered: NDArray[np.float64]) -> list[tuple[int, int, float, bool]]:
    """Return stretches of equal strength: first column, end, opacity, overlap."""
    level = np.ceil(np.clip(covered, 0, 1) * _LEVELS - 1e-9)
    level[(covered > 0) & (level == 0)] = 1
    double = covered > 1.02
    code = level + np.where(double, 100, 0)
    edges = np.flatnonzero(np.diff(code)) + 1
    runs = []
    for first, end in zip([0, *edges], [*edges, len(code)], strict=True):
        if level[first] > 0:
            share = level[first] / _LEVELS
            opacity = _FAINTEST + (1 - _FAINTEST) * share
            runs.append((int(first), int(end), round(opacity, 2), bool(double[first])))
    return runs


def _ticks(axis: _Axis) -> list[tuple[float, str]]:
    length = axis.end - axis.start
    step = next((s for s in _STEPS if length / s <= _N_TICKS), _STEPS[-1])
    if step >= timedelta(days=28):
        moments, form = _months(axis, round(step.days / 30.4)), "%Y-%m"
    else:
        epoch = datetime(2000, 1, 3, tzinfo=UTC)  # a Monday
        first = epoch + -(-(axis.start - epoch) // step) * step
        moments = [first + k * step for k in range(_N_TICKS + 2)]
        form = "%Y-%m-%d" if step >= timedelta(days=1) else "%m-%d %H:%M"
    return [
        (axis.place(moment), moment.strftime(form))
        for moment in moments
        if axis.start <= moment <= axis.end
    ]


def _months(axis: _Axis, n_months: int) -> list[datetime]:
    moments: list[datetime] = []
    number = axis.start.year * 12 // n_months * n_months
    while True:
        moment = datetime(number // 12, number % 12 + 1, 1, tzinfo=UTC)
        if moment > axis.end:
            return moments
        moments.append(moment)
        number += n_months


def _page(found: Survey, lines: Sequence[_Line], axis: _Axis | None) -> str:
    head, *rest = totals(found)
    names, rows = deployment_rows(found)
    problems = problem_rows(found)
    parts = [
        '<!doctype html><html lang="en"><meta charset="utf-8">',
        '<meta name="viewport" content="width=device-width, initial-scale=1">',
        f"<title>Survey: {escape(head)}</title><style>{_STYLE}</style>",
        f"<h1>{escape(head)}</h1>",
        *(f"<p>{escape(line)}</p>" for line in rest),
        "<h2>When each recorder recorded (UTC)</h2>",
        _svg(lines, axis) if axis else "<p>No recording's time is known.</p>",
        _not_drawn(len(found.deployments) - len(lines)) if axis else "",
        "<h2>Recorders</h2>",
        _table(names, rows),
        "<h2>What to look at</h2>",
        _table(("problem", "files", "what it means, and the first files"), problems)
        if problems
        else "<p>Nothing was found wrong.</p>",
        '<p class="note">Each file has a row in survey.csv. Clipping, silence and dead '
        "channels were looked for in a few seconds of each file, unless the survey was "
        "thorough.</p></html>\n",
    ]
    return "\n".join(parts)


def _not_drawn(n: int) -> str:
    if n == 0:
        return ""
    verb = "is" if n == 1 else "are"
    return (
        f'<p class="note">{plural(n, "recorder")} whose time is not known {verb} not '
        "drawn.</p>"
    )


def _table(names: Sequence[str], rows: Sequence[Sequence[str]]) -> str:
    kept = [k for k in range(len(names)) if any(row[k] for row in rows)]
    head = "".join(f"<th>{escape(names[k])}</th>" for k in kept)
    body = "".join(
        "<tr>"
        + "".join(
            f"<td{'' if k == kept[-1] else ' class=n'}>{escape(row[k])}</td>"
            for k in kept
        )
        + "</tr>"
        for row in rows
    )
    return f'<div class="scroll"><table><tr>{head}</tr>{body}</table></div>'


def _svg(lines: Sequence[_Line], axis: _Axis) -> str:
    height = _TOP + _ROW_HEIGHT * len(lines) + 34
    width = _LABEL_WIDTH + N_BINS + 46
    parts = [
        f'<svg viewBox="0 0 {width} {height}" role="img" font-size="12" '
        'font-family="system-ui, sans-serif" fill="#1c2b33">',
        f"<title>{time_text(axis.start)} to {time_text(axis.end)} UTC</title>",
    ]
    bottom = _TOP + _ROW_HEIGHT * len(lines)
    for place, text in _ticks(axis):
        x = _LABEL_WIDTH + place * N_BINS
        parts.append(
            f'<path d="M{x:.1f} {_TOP - 8}V{bottom}" stroke="#dde4e8"/>'
            f'<text x="{x:.1f}" y="{_TOP - 14}" text-anchor="middle" '
            f'fill="#54666f">{text}</text>'
        )
    for k, line in enumerate(lines):
        parts += _svg_line(line, _TOP + k * _ROW_HEIGHT)
    parts.append(_legend(bottom + 22))
    return "\n".join([*parts, "</svg>"])


def _svg_line(line: _Line, y: int) -> list[str]:
    name = printable(line.name)
    short = name if len(name) <= 36 else f"…{name[-35:]}"
    left, bar = _LABEL_WIDTH, y + 6
    parts = [
        f'<text x="{left - 12}" y="{y + 13}" text-anchor="end">{escape(short)}'
        f"<title>{escape(name)}</title></text>"
        f'<text x="{left - 12}" y="{y + 27}" text-anchor="end" font-size="10.5" '
        f'fill="#54666f">{escape(line.note)}</text>'
        f'<rect x="{left}" y="{bar}" width="{N_BINS}" height="{_BAR_HEIGHT}" '
        'fill="#f1f4f6"/>'
    ]
    for first, end, opacity, double in _runs(line.covered):
        # Half a column wider than it is: thin lines vanish on a screen.
        wide = max(end - first, 1.5)
        parts.append(
            f'<rect x="{left + first}" y="{bar}" width="{wide}" '
            f'height="{_BAR_HEIGHT}" fill="{_OVERLAP if double else _RECORDED}" '
            f'opacity="{opacity}"/>'
        )
    for place, is_bad in line.marks:
        x = left + place * N_BINS
        low = bar + _BAR_HEIGHT
        parts.append(
            f'<path d="M{x:.1f} {low + 1}l-4 7h8z" fill="{_BAD if is_bad else _WARN}"/>'
        )
    return parts


def _legend(y: int) -> str:
    x = _LABEL_WIDTH
    items = []
    for colour, opacity, text, width in (
        (_RECORDED, 1, "recorded", 90),
        (_RECORDED, 0.5, "recorded in part (duty cycle)", 200),
        (_OVERLAP, 1, "two files at the same time", 195),
    ):
        items.append(
            f'<rect x="{x}" y="{y - 9}" width="14" height="10" fill="{colour}" '
            f'opacity="{opacity}"/><text x="{x + 20}" y="{y}">{text}</text>'
        )
        x += width
    for colour, text, width in (
        (_BAD, "unreadable, damaged or dead", 215),
        (_WARN, "clipped, silent or twice there", 200),
    ):
        items.append(
            f'<path d="M{x + 6} {y - 8}l-4 8h8z" fill="{colour}"/>'
            f'<text x="{x + 18}" y="{y}">{text}</text>'
        )
        x += width
    return "".join(items)


def _write_png(lines: Sequence[_Line], axis: _Axis, path: Path) -> None:
    from matplotlib.backends.backend_agg import FigureCanvasAgg
    from matplotlib.figure import Figure

    figure = Figure(figsize=(12, 1.2 + 0.34 * len(lines)), layout="constrained")
    FigureCanvasAgg(figure)
    axes = figure.add_subplot()
    for k, line in enumerate(lines):
        axes.axhspan(k - 0.3, k + 0.3, color="#f1f4f6", zorder=0)
        for first, end, opacity, double in _runs(line.covered):
            colour = _OVERLAP if double else _RECORDED
            place = [(first, max(end - first, 1.5))]
            axes.broken_barh(place, (k - 0.3, 0.6), color=colour, alpha=opacity, lw=0)
        for place_, is_bad in line.marks:
            colour = _BAD if is_bad else _WARN
            axes.plot(place_ * N_BINS, k + 0.4, "^", color=colour, markersize=4)
    ticks = _ticks(axis)
    axes.set_xticks([place * N_BINS for place, _ in ticks], [text for _, text in ticks])
    labels = [_png_text(f"{line.name}\n{line.note}") for line in lines]
    axes.set_yticks(range(len(lines)), labels, fontsize=7)
    axes.set_xlim(0, N_BINS)
    axes.set_ylim(len(lines) - 0.5, -0.5)
    axes.set_title("When each recorder recorded (UTC)", fontsize=10)
    axes.spines[["top", "right", "left"]].set_visible(False)
    with written_whole(path) as part:
        figure.savefig(part, format="png", dpi=130)


def _png_text(text: str) -> str:
    """Keep names from being read as formulas, and what cannot be printed out."""
    name, _, note = text.rpartition("\n")
    return printable(name).replace("$", r"\$")[-48:] + "\n" + note
