"""The nouns of a review: what was detected, what people said of it, what is asked."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any, Literal

import numpy as np
from numpy.typing import NDArray

Answer = Literal["accept", "correct", "reject", "unsure"]
Settled = Literal["accepted", "corrected", "rejected", "unsure", "disputed"]
Kind = Literal["station", "archive"]

ANSWERS: tuple[Answer, ...] = ("accept", "correct", "reject", "unsure")
SETTLED: tuple[Settled, ...] = (
    "accepted",
    "corrected",
    "rejected",
    "unsure",
    "disputed",
)
WAITING = "waiting"
"""Asked for in place of a settled state: what nobody has judged."""


@dataclass(frozen=True)
class Target:
    """What a verdict is about: a stretch of a source's channel under a label."""

    source: str
    """What the source is known by, a recording's path say."""
    channel: int
    """Counted from 1; 0: the mean of all."""
    label: str
    start_s: float
    """From the source's first sample, s, to the millisecond."""
    end_s: float
    start_us: int | None = None
    """When it starts, microseconds since 1970, UTC."""
    score: float = 0.0

    @property
    def key(self) -> tuple[str, int, str, int]:
        """What it is found again by: source, channel, label, start in ms."""
        return self.source, self.channel, self.label, round(self.start_s * 1000)


@dataclass(frozen=True)
class Verdict:
    """What one reviewer said of one detection."""

    number: int
    """Counts up, in the order in which they were given."""
    at_us: int
    """When, microseconds since 1970, UTC."""
    reviewer: str
    target: Target
    answer: Answer
    label: str = ""
    """What it really is, if corrected."""
    note: str = ""

    def as_json(self) -> dict[str, Any]:
        """Return it as plain values."""
        return {
            "reviewer": self.reviewer,
            "verdict": self.answer,
            "label": self.label or None,
            "note": self.note,
            "at_us": self.at_us,
        }


@dataclass(frozen=True)
class Detected:
    """A detection with all that is known of it."""

    id: int
    """Stays the same when the same detection is made again."""
    target: Target
    name: str
    """Of the recording or stream, for people."""
    family: str
    low_hz: float
    high_hz: float
    snr_db: float | None
    level_db: float | None
    level_unit: str
    state: Literal["open", "closed"] = "closed"
    marks: tuple[str, ...] = ()
    environment: Mapping[str, Any] = field(default_factory=dict)
    has_sound: bool = True
    verdicts: tuple[Verdict, ...] = ()
    settled: Settled | None = None

    def as_json(self) -> dict[str, Any]:
        """Return it as plain values, for the page."""
        target = self.target
        return {
            "id": self.id,
            "source": self.name,
            "channel": target.channel,
            "label": target.label,
            "family": self.family,
            "start_us": target.start_us,
            "start_s": target.start_s,
            "end_s": target.end_s,
            "low_hz": self.low_hz,
            "high_hz": self.high_hz,
            "score": target.score,
            "snr_db": self.snr_db,
            "level_db": self.level_db,
            "level_unit": self.level_unit,
            "state": self.state,
            "marks": list(self.marks),
            "environment": dict(self.environment),
            "has_sound": self.has_sound,
            "verdicts": [one.as_json() for one in self.verdicts],
            "settled": self.settled,
        }


@dataclass(frozen=True)
class Query:
    """Which detections, in which order, which of them."""

    label: str | None = None
    min_score: float = 0.0
    since_us: int | None = None
    until_us: int | None = None
    settled: str | None = None
    """One of `SETTLED`, or ``waiting``: judged by nobody."""
    source: str | None = None
    """Part of the name of a recording or stream; case does not count."""
    order: Literal["time", "score", "next"] = "time"
    desc: bool = False
    limit: int = 100
    offset: int = 0
    hidden: bool = False
    """Those below a threshold that was set on the page, too."""
    reviewer: str = ""
    """For ``next``: who asks."""


@dataclass(frozen=True)
class Page:
    """Some of the detections that a query is about."""

    total: int
    rows: tuple[Detected, ...]


@dataclass(frozen=True)
class Presence:
    """How long was listened, and what was detected, in bins of time."""

    bin_s: float
    bins_us: NDArray[np.int64]
    """Starts of the bins in which anybody listened, in order."""
    effort_s: NDArray[np.float64]
    """Time heard in each, s: recordings or streams beside each other count each."""
    counts: Mapping[str, NDArray[np.int64]]
    """Detections that start in each, by label."""
