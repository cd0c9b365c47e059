"""Draw panels of coloured cells as SVG: no script, no font, no other file."""

from __future__ import annotations

from collections.abc import Iterator
from html import escape

import numpy as np
from numpy.typing import NDArray

from seacall.detect.outputs.picture import LISTENED, Panel, Shares

LEVELS = (0.01, 0.1, 0.5)
"""Shares of the time heard at which a colour ends."""
LEVEL_NAMES = ("under 1 %", "1 to 10 %", "10 to 50 %", "over 50 %")
GUTTER, WIDTH, RIGHT = 190, 760, 30
"""Pixels left of the cells, of the cells, and right of them."""
WIDEST_COLUMN = 40
HOURS_HEIGHT, ROW_HEIGHT, EFFORT_HEIGHT, AXIS_HEIGHT = 6, 20, 10, 26
TOP = 5
"""Room for the upper half of the first row's label."""
LONGEST_LABEL = 27


def svg(panel: Panel) -> str:
    """Draw a panel."""
    n_rows, n_columns = panel.shares.shape
    row = HOURS_HEIGHT if panel.by_hour else ROW_HEIGHT
    column = min(WIDTH / n_columns, WIDEST_COLUMN)
    top = TOP if panel.listened is None else EFFORT_HEIGHT + 6
    bottom = top + n_rows * row
    box = f"0 0 {GUTTER + WIDTH + RIGHT} {bottom + AXIS_HEIGHT}"
    parts = [
        f'<svg viewBox="{box}" role="img" aria-label="{escape(panel.title)}">',
        *_effort(panel, column),
        *_gaps(panel, column, row, top),
        f'<g transform="translate({GUTTER} {top}) scale({column:.5f} {row})">',
        *_cells(panel.shares),
        "</g>",
        *_row_lines(n_rows, row, top, column * n_columns),
        *_row_labels(panel, row, top),
        *_axis(panel, column, bottom),
        "</svg>",
    ]
    return "\n".join(parts)


def levels(shares: Shares) -> NDArray[np.int64]:
    """Return -1 where nobody listened, 0 without detections, else 1 to 4."""
    heard = np.nan_to_num(shares, nan=0.0)
    level = np.where(heard > 0, 1 + np.searchsorted(LEVELS, heard, side="right"), 0)
    return np.where(np.isnan(shares), -1, level)


def _effort(panel: Panel, column: float) -> Iterator[str]:
    if panel.listened is None:
        return
    # Thirds of a column's time: recorders on a duty cycle are to be told from gaps.
    thirds = np.ceil(panel.listened * 3).astype(int)
    width = column * len(thirds)
    yield (
        f'<rect class="gap" x="{GUTTER}" y="0" width="{width:.2f}" '
        f'height="{EFFORT_HEIGHT}"/>'
    )
    yield f'<g transform="translate({GUTTER} 0) scale({column:.5f} {EFFORT_HEIGHT})">'
    for third in (1, 2, 3):
        if path := _runs((thirds == third)[None]):
            yield f'<path class="e{third}" d="{path}"/>'
    yield "</g>"
    x = GUTTER - 8
    yield f'<text class="soft" x="{x}" y="9" text-anchor="end">{LISTENED}</text>'


def _gaps(panel: Panel, column: float, row: float, top: float) -> Iterator[str]:
    """Hatch all time; what was heard is drawn over it."""
    n_rows, n_columns = panel.shares.shape
    lengths = panel.lengths or (n_columns,)
    height = row if panel.lengths else n_rows * row
    for k, length in enumerate(lengths):
        yield (
            f'<rect class="gap" x="{GUTTER}" y="{top + k * row}" height="{height}" '
            f'width="{column * length:.2f}"/>'
        )


def _cells(shares: Shares) -> Iterator[str]:
    level = levels(shares)
    for k in range(len(LEVEL_NAMES) + 1):
        if path := _runs(level == k):
            yield f'<path class="c{k}" d="{path}"/>'


def _runs(mask: NDArray[np.bool_]) -> str:
    """Outline what is set, a rectangle for each run of columns in a row."""
    parts = []
    for y, line in enumerate(mask):
        edges = np.flatnonzero(np.diff(line.astype(np.int8), prepend=0, append=0))
        parts += [f"M{a} {y}h{b - a}v1H{a}z" for a, b in edges.reshape(-1, 2).tolist()]
    return "".join(parts)


def _row_lines(n_rows: int, row: float, top: float, width: float) -> Iterator[str]:
    if row == ROW_HEIGHT:
        for k in range(1, n_rows):
            y = top + k * row
            yield f'<path class="line" d="M{GUTTER} {y}h{width:.2f}"/>'


def _row_labels(panel: Panel, row: float, top: float) -> Iterator[str]:
    step = 6 if row == HOURS_HEIGHT else 1
    for k in range(0, len(panel.rows), step):
        # Of an hour, where it begins; of a species, the middle of its row.
        y = top + (k * row + 4 if step > 1 else (k + 0.5) * row + 4)
        name = panel.rows[k]
        shown = name if len(name) <= LONGEST_LABEL else f"{name[: LONGEST_LABEL - 1]}…"
        title = f"<title>{escape(name)}</title>" if shown != name else ""
        yield (
            f'<text x="{GUTTER - 8}" y="{y:.1f}" text-anchor="end">{title}'
            f"{escape(shown)}</text>"
        )


def _axis(panel: Panel, column: float, bottom: float) -> Iterator[str]:
    for place, text in panel.ticks:
        x = GUTTER + place * column
        yield f'<path class="tick" d="M{x:.1f} {bottom}v5"/>'
        yield (
            f'<text class="soft" x="{x:.1f}" y="{bottom + 18}" text-anchor="middle">'
            f"{escape(text)}</text>"
        )
