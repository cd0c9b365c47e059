"""When a deployment recorded: its recordings in order, gaps, overlaps, duty cycle."""

from __future__ import annotations

import re
from collections import Counter, defaultdict
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta
from itertools import pairwise
from pathlib import Path
from statistics import median

TOLERANCE_S = 2.0
"""Recorders name files by whole seconds, and some are a second late."""

_N_REGULAR = 4
"""Recordings from which on their starts can be called regular."""
_SHARE_REGULAR = 0.6
_DATE_FOLDER = re.compile(r"\d{2}|\d{4}|\d{6}|\d{8}|\d{4}[-_]\d{2}([-_]\d{2})?")
_DATE_IN_NAME = re.compile(
    r"(?:19|20)\d\d[-_.]?\d\d[-_.]?\d\d|\d{12}|\d{6}[-_T$]\d{4,6}|(?<![0-9A-F])[0-9A-F]{8}$"
)


@dataclass(frozen=True)
class Interval:
    """A stretch of time in which a recorder recorded."""

    start: datetime
    duration_s: float
    index: int
    """Of the file."""

    @property
    def end(self) -> datetime:
        """When it ends."""
        return self.start + timedelta(seconds=self.duration_s)


@dataclass(frozen=True)
class Break:
    """Where one recording does not end as the next begins."""

    start: datetime
    duration_s: float
    index: int
    """Of the file that comes after it."""


@dataclass(frozen=True)
class Order:
    """What the times of a deployment's recordings say."""

    intervals: tuple[Interval, ...] = ()
    gaps: tuple[Break, ...] = ()
    """Time that nothing was recorded in, beyond the pauses of the duty cycle."""
    overlaps: tuple[Break, ...] = ()
    """Time that two recordings claim."""
    on_s: float | None = None
    period_s: float | None = None
    """Duty cycle: ``on_s`` of every ``period_s``; None: it recorded all the time, or
    irregularly."""


def put_in_order(intervals: Iterable[Interval]) -> Order:
    """Find gaps, overlaps and duty cycle of one recorder."""
    ordered = sorted(intervals, key=lambda one: (one.start, one.index))
    if not ordered:
        return Order()
    on_s, period_s = _duty_cycle(ordered)
    pause_s = period_s - on_s if period_s is not None and on_s is not None else 0.0
    gaps: list[Break] = []
    overlaps: list[Break] = []
    end = ordered[0].end
    for one in ordered[1:]:
        missing_s = (one.start - end).total_seconds()
        if missing_s > pause_s + max(TOLERANCE_S, 0.05 * pause_s):
            start = end + timedelta(seconds=pause_s)
            gaps.append(Break(start, missing_s - pause_s, one.index))
        elif missing_s < -TOLERANCE_S:
            shared_s = min(-missing_s, one.duration_s)
            overlaps.append(Break(one.start, shared_s, one.index))
        end = max(end, one.end)
    return Order(tuple(ordered), tuple(gaps), tuple(overlaps), on_s, period_s)


def _duty_cycle(ordered: Sequence[Interval]) -> tuple[float | None, float | None]:
    if len(ordered) < _N_REGULAR:
        return None, None
    starts = [one.start for one in ordered]
    steps = [(after - before).total_seconds() for before, after in pairwise(starts)]
    period_s = median(steps)
    on_s = median(one.duration_s for one in ordered)
    near = sum(abs(step - period_s) <= max(2, 0.02 * period_s) for step in steps)
    if near < _SHARE_REGULAR * len(steps) or period_s - on_s <= TOLERANCE_S:
        return None, None
    return on_s, period_s


def deployments(paths: Sequence[Path]) -> list[str]:
    """Name the deployment of each recording: its folder, and its recorder.

    Folders that are dates, as recorders make them, belong to the folder above. Where
    several recorders wrote into one folder, what their file names begin with tells
    them apart.
    """
    folders = [_folder(path) for path in paths]
    top = _common(folders)
    prefixes = [_prefix(path.stem) for path in paths]
    counts: dict[tuple[str, ...], Counter[str]] = defaultdict(Counter)
    for folder, prefix in zip(folders, prefixes, strict=True):
        counts[folder][prefix] += 1
    names = []
    for folder, prefix in zip(folders, prefixes, strict=True):
        name = "/".join(folder[top:]) or (folder[-1] if folder else ".")
        here = {key: n for key, n in counts[folder].items() if key}
        # As many beginnings as files are no recorders.
        several = len(counts[folder]) > 1 and 2 * len(here) <= sum(here.values())
        names.append(f"{name} ({prefix})" if several and prefix else name)
    return names


def _folder(path: Path) -> tuple[str, ...]:
    parts = path.parent.parts
    n = len(parts)
    while n > 1 and _DATE_FOLDER.fullmatch(parts[n - 1]):
        n -= 1
    return tuple(parts[:n])


def _common(folders: Sequence[tuple[str, ...]]) -> int:
    """Return how many parts of their paths all folders share."""
    distinct = sorted(set(folders))
    if not distinct:
        return 0
    first, last = distinct[0], distinct[-1]
    return next(
        (k for k, (a, b) in enumerate(zip(first, last, strict=False)) if a != b),
        min(len(first), len(last)),
    )


def _prefix(stem: str) -> str:
    match = _DATE_IN_NAME.search(stem)
    return stem[: match.start()].rstrip("._- T") if match else ""
