"""Where an axis of time says what time it is."""

from __future__ import annotations

from collections.abc import Iterator
from datetime import UTC, datetime, timedelta

from seacall.detect.outputs.listening import EPOCH, HOUR_US, SECOND_US

Tick = tuple[float, str]
"""Place in columns from the left edge, and what it says."""
MOST_TICKS, MOST_MONTHS = 8, 12
MINUTE_US = 60 * SECOND_US
DAY_US = 24 * HOUR_US
_STEPS_US = (
    *(n * SECOND_US for n in (1, 2, 5, 10, 15, 30)),
    *(n * MINUTE_US for n in (1, 2, 5, 10, 15, 30)),
    *(n * HOUR_US for n in (1, 2, 3, 6, 12)),
    *(n * DAY_US for n in (1, 2, 5, 7, 14)),
)
_MONTHS = (1, 3, 6, 12, 24, 60, 120)
_LENGTHS_S = (1, 2, 5, 10, 15, 30, 60, 120, 300, 600, 900, 1_800, 3_600, 7_200, 14_400)


def time_ticks(start_us: int, width_us: int, n_columns: int) -> tuple[Tick, ...]:
    """Mark an axis in UTC.

    Parameters
    ----------
    start_us
        Left edge, us since 1970.
    width_us
        Time of a column.

    Examples
    --------
    >>> time_ticks(0, 3_600_000_000, 24)[:2]
    ((0.0, '01-01 00:00'), (3.0, '01-01 03:00'))
    """
    span_us = width_us * n_columns
    for step_us in _STEPS_US:
        if span_us <= MOST_TICKS * step_us:
            first = -(-start_us // step_us) * step_us
            moments = range(first, start_us + span_us, step_us)
            form = _form(step_us)
            return tuple(
                ((t - start_us) / width_us, f"{_moment(t):{form}}") for t in moments
            )
    end = _moment(start_us + span_us)
    return tuple(
        ((moment - _moment(start_us)) / timedelta(microseconds=width_us), text)
        for moment, text in _months(_moment(start_us), end)
    )


def length_ticks(width_us: int, n_columns: int) -> tuple[Tick, ...]:
    """Mark an axis of time since the first sample.

    Examples
    --------
    >>> length_ticks(1_000_000, 60)
    ((0.0, '0:00'), (10.0, '0:10'), (20.0, '0:20'), ..., (50.0, '0:50'))
    """
    span_s = width_us * n_columns / SECOND_US
    fitting = (step for step in _LENGTHS_S if span_s <= MOST_TICKS * step)
    step_s = next(fitting, -(-int(span_s) // (MOST_TICKS * 86_400)) * 86_400)
    times = range(0, int(-(-span_s // 1)), step_s)
    return tuple((t * SECOND_US / width_us, clock(t)) for t in times)


def clock(time_s: int) -> str:
    """Write a time since a beginning as ``h:mm:ss`` or ``m:ss``."""
    minutes, s = divmod(time_s, 60)
    hours, minutes = divmod(minutes, 60)
    return f"{hours}:{minutes:02d}:{s:02d}" if hours else f"{minutes}:{s:02d}"


def _form(step_us: int) -> str:
    if step_us % DAY_US == 0:
        return "%Y-%m-%d"
    return "%H:%M:%S" if step_us < MINUTE_US else "%m-%d %H:%M"


def _months(start: datetime, end: datetime) -> Iterator[tuple[datetime, str]]:
    span = (end.year - start.year) * 12 + end.month - start.month
    step = next((m for m in _MONTHS if span <= MOST_MONTHS * m), 240)
    first = start.year * 12 + start.month - 1
    for month in range(first + -first % step, end.year * 12 + end.month, step):
        moment = datetime(month // 12, month % 12 + 1, 1, tzinfo=UTC)
        if start <= moment < end:
            yield moment, f"{moment:%Y-%m}"


def _moment(time_us: int) -> datetime:
    return EPOCH + timedelta(microseconds=time_us)
