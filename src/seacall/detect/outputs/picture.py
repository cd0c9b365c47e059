"""What the timeline shows, as tables of numbers: who called when, and who listened."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from seacall.detect.outputs.gathered import MOST_COLUMNS, Gathered
from seacall.detect.outputs.listening import (
    HOUR_US,
    SECOND_US,
    Bins,
    merged,
)
from seacall.detect.outputs.ticks import Tick, length_ticks, time_ticks

MINUTE_US = 60 * SECOND_US
DAY_US = 24 * HOUR_US
MOST_DAYS = 400
"""From more days than this a column of the picture by hour of day is several days."""
MOST_SPECIES = 12
MOST_FOLDERS = 12
LISTENED = "listened"
HOURS = tuple(f"{hour:02d}:00" for hour in range(24))

Shares = NDArray[np.float32]


@dataclass(frozen=True)
class Panel:
    """A table that is drawn as coloured cells."""

    title: str
    note: str
    rows: tuple[str, ...]
    shares: Shares
    """Share of the time heard with the species, 0 to 1; NaN: nobody listened."""
    ticks: tuple[Tick, ...]
    listened: Shares | None = None
    """Share of each column's time that was heard: a row of its own above."""
    lengths: tuple[float, ...] | None = None
    """Columns of each row, where rows are recordings of their own length."""

    @property
    def by_hour(self) -> bool:
        """Whether the rows are the hours of the day: many, and close together."""
        return self.rows == HOURS


@dataclass(frozen=True)
class Section:
    """The panels of one folder, or of all."""

    title: str
    panels: tuple[Panel, ...]
    notes: tuple[str, ...] = ()


def sections(gathered: Gathered) -> Iterator[Section]:
    """Give what is to be drawn."""
    yield from _dated_sections(gathered)
    if gathered.undated:
        yield _undated_section(gathered.undated, gathered.n_undated)


def _dated_sections(gathered: Gathered) -> Iterator[Section]:
    hours = gathered.hours
    if not hours:
        return
    if not at_the_same_time(gathered):
        fine = gathered.fine and merged(gathered.fine.values(), gathered.fine_us)
        yield _section("", merged(hours.values(), HOUR_US), fine or None)
        return
    order = sorted(hours, key=lambda f: (-_n_calls(hours[f]), f))
    for folder in sorted(order[:MOST_FOLDERS]):
        yield _section(folder, hours[folder], gathered.fine.get(folder))
    if (left := len(order) - MOST_FOLDERS) > 0:
        yield Section(f"{left} more folders are not drawn", ())


def at_the_same_time(gathered: Gathered) -> bool:
    """Say whether folders hold recordings of the same time: other places, then.

    Of folders that follow one another, by day say, neighbours share an hour at most.
    """
    folders = gathered.hours
    shared: Counter[int] = Counter(h for bins in folders.values() for h in bins.effort)
    if sum(n > 1 for n in shared.values()) >= len(folders) > 1:
        return True
    parts = gathered.fine or folders
    total = merged(parts.values(), gathered.fine_us)
    # Clocks drift: recordings that follow one another may overlap a little.
    twice_us = sum(max(0, e - total.width_us) for e in total.effort.values())
    return len(folders) > 1 and twice_us > 0.01 * sum(total.effort.values())


def _section(title: str, hours: Bins, fine: Bins | None) -> Section:
    species = _by_presence(hours)
    first, last = min(hours.effort), max(hours.effort) + 1
    panels = [_over_time(fine or hours, species)]
    notes = []
    if last - first > 48 and species:
        panels += [_by_hour_of_day(hours, label) for label in species[:MOST_SPECIES]]
        if len(species) > MOST_SPECIES:
            rest = ", ".join(species[MOST_SPECIES:])
            notes.append(f"Not drawn by hour of day: {rest}.")
    return Section(title, tuple(panels), tuple(notes))


def _over_time(bins: Bins, species: Sequence[str]) -> Panel:
    first = min(bins.effort) * bins.width_us
    last = (max(bins.effort) + 1) * bins.width_us
    width_us = _column_width(last - first, bins.width_us)
    coarse = merged([bins], width_us)
    start = first // width_us
    n = -(-last // width_us) - start
    effort = _row(coarse.effort, start, n)
    calls = [_row(coarse.calls[label], start, n) for label in species]
    shares = np.stack([_share(row, effort) for row in calls or [effort * 0]])
    return Panel(
        title="All species",
        note=f"Time in UTC; one column is {_in_words(width_us)}.",
        rows=tuple(species) or ("no detections",),
        shares=shares,
        ticks=time_ticks(start * width_us, width_us, n),
        listened=np.minimum(effort / width_us, 1).astype(np.float32),
    )


def _by_hour_of_day(hours: Bins, label: str) -> Panel:
    first = min(hours.effort) // 24
    n_days = max(hours.effort) // 24 + 1 - first
    per_column = -(-n_days // MOST_DAYS)
    n = -(-n_days // per_column)
    effort, calls = np.zeros((24, n)), np.zeros((24, n))
    for table, counts in ((effort, hours.effort), (calls, hours.calls[label])):
        for hour, time_us in counts.items():
            table[hour % 24, (hour // 24 - first) // per_column] += time_us
    n_hours = len(hours.calls[label])
    return Panel(
        title=label,
        note=f"Heard in {n_hours:,} of the {len(hours.effort):,} hours listened to. "
        f"Hour of the day in UTC; one column is {_in_words(per_column * DAY_US)}.",
        rows=HOURS,
        shares=_share(calls, effort),
        ticks=time_ticks(first * DAY_US, per_column * DAY_US, n),
    )


def _undated_section(undated: Mapping[str, tuple[int, Bins]], n_all: int) -> Section:
    longest = max(length_us for length_us, _ in undated.values())
    width_us = max(bins.width_us for _, bins in undated.values())
    n = -(-longest // width_us)
    together = merged((bins for _, bins in undated.values()), width_us)
    species = _by_presence(together)
    ticks = length_ticks(width_us, n)
    note = (
        f"Time since each recording's first sample; a column is {_in_words(width_us)}."
    )
    if len(undated) == 1:
        name, (_, bins) = next(iter(undated.items()))
        effort = _row(bins.effort, 0, n)
        rows = [_share(_row(bins.calls[s], 0, n), effort) for s in species]
        shares = np.stack(rows or [_share(effort * 0, effort)])
        panels = [
            Panel(name, note, tuple(species) or ("no detections",), shares, ticks)
        ]
    else:
        panels = [
            _by_file(undated, label, width_us, n, ticks, note)
            for label in species[:MOST_SPECIES] or [""]
        ]
    notes = []
    if n_all > len(undated):
        notes.append(f"{n_all - len(undated):,} more recordings are not drawn.")
    return Section("Recordings without a date", tuple(panels), tuple(notes))


def _by_file(
    undated: Mapping[str, tuple[int, Bins]],
    label: str,
    width_us: int,
    n: int,
    ticks: tuple[Tick, ...],
    note: str,
) -> Panel:
    shares = []
    for _, bins in undated.values():
        coarse = merged([bins], width_us)
        calls = _row(coarse.calls.get(label, {}), 0, n)
        shares.append(_share(calls, _row(coarse.effort, 0, n)))
    title = label or "No detections"
    lengths = tuple(length_us / width_us for length_us, _ in undated.values())
    names = tuple(undated)
    return Panel(title, note, names, np.stack(shares), ticks, lengths=lengths)


def _by_presence(bins: Bins) -> list[str]:
    """List species, those heard in most hours first."""
    return sorted(bins.calls, key=lambda label: (-len(bins.calls[label]), label))


def _n_calls(bins: Bins) -> int:
    return sum(len(hours) for hours in bins.calls.values())


def _row(counts: Mapping[int, int], start: int, n: int) -> NDArray[np.float64]:
    row = np.zeros(n)
    for b, time_us in counts.items():
        row[b - start] = time_us
    return row


def _share(calls: NDArray[np.float64], effort: NDArray[np.float64]) -> Shares:
    with np.errstate(invalid="ignore", divide="ignore"):
        shares = np.where(effort > 0, np.minimum(calls / effort, 1), np.nan)
    return shares.astype(np.float32)


_WIDTHS_US = (
    *(n * SECOND_US for n in (1, 2, 5, 10, 15, 30)),
    *(n * MINUTE_US for n in (1, 2, 5, 10, 20, 30)),
    *(n * HOUR_US for n in (1, 2, 3, 6, 12, 24)),
)


def _column_width(span_us: int, narrowest_us: int) -> int:
    """Choose how much time a column is: a length that people count in."""
    for width_us in _WIDTHS_US:
        if width_us >= narrowest_us and span_us <= MOST_COLUMNS * width_us:
            return width_us
    return -(-span_us // (MOST_COLUMNS * DAY_US)) * DAY_US


def _in_words(width_us: int) -> str:
    for unit_us, unit in ((DAY_US, "day"), (HOUR_US, "hour"), (MINUTE_US, "minute")):
        if width_us % unit_us == 0:
            n = width_us // unit_us
            return f"{n} {unit}{'s' if n > 1 else ''}"
    n_s = width_us / SECOND_US
    return f"{n_s:g} second{'' if n_s == 1 else 's'}"
