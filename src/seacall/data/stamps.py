"""A date and time as it was found somewhere, before anything is made of it."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import UTC, datetime, timedelta, tzinfo

EARLIEST = datetime(1990, 1, 1)
"""Before that nobody recorded digitally; what reads as earlier is no date."""


@dataclass(frozen=True, slots=True)
class Stamp:
    """What a name or a header says."""

    local: datetime
    """What the clock showed, without a zone."""
    zone: tzinfo | None
    """Its own zone; None: it has none."""
    source: str
    """Where it was found."""


def latest() -> datetime:
    """Return the latest time, UTC without a zone, that a recording may begin at."""
    return datetime.now(UTC).replace(tzinfo=None) + timedelta(days=1)


def is_possible(local: datetime, *, before: datetime) -> bool:
    """Say whether a recording can have begun then: after 1989, not in the future."""
    return EARLIEST <= local <= before


def stamp_of(moment: datetime, *, source: str) -> Stamp:
    """Return the stamp of a time with or without a zone."""
    return Stamp(moment.replace(tzinfo=None), moment.tzinfo, source)
