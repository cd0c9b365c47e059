"""From the clock of a recorder to UTC: zones by name or offset, summer time."""

from __future__ import annotations

import re
from datetime import UTC, datetime, timedelta, timezone, tzinfo
from zoneinfo import ZoneInfo, ZoneInfoNotFoundError

from seacall.errors import SettingsError

_OFFSET = re.compile(r"(?:UTC|GMT)?([+-])(\d{1,2})(?::?(\d\d))?", re.IGNORECASE)
_FARTHEST = timedelta(hours=14)
"""No zone on Earth is farther from UTC."""


def parse_zone(text: str) -> tzinfo:
    """Return the zone of a name or an offset.

    Parameters
    ----------
    text
        ``UTC``, a name of the IANA database (``America/New_York``), or an offset
        (``-05:00``, ``+0530``, ``UTC+2``), positive east of Greenwich.

    Raises
    ------
    SettingsError
        If it is none of them.

    Examples
    --------
    >>> parse_zone("-05:00").utcoffset(None)
    datetime.timedelta(days=-1, seconds=68400)
    """
    text = text.strip()
    if text.upper() in {"UTC", "Z", "GMT"}:
        return UTC
    if offset := _OFFSET.fullmatch(text):
        zone = offset_zone(*offset.groups())
        if zone is not None:
            return zone
    try:
        return ZoneInfo(text)
    except (ZoneInfoNotFoundError, ValueError, OSError) as error:
        raise SettingsError(
            f"timezone {text!r} is not known; give UTC, a name such as "
            "America/New_York (pip install tzdata if the system knows none), "
            "or an offset such as -05:00"
        ) from error


def offset_zone(sign: str, hours: str, minutes: str | None) -> tzinfo | None:
    """Return the zone of an offset; None: there is no such place.

    Zones lie at quarters of an hour, at most 14 hours from UTC.
    """
    offset = timedelta(hours=int(hours or 0), minutes=int(minutes or 0))
    if offset > _FARTHEST or offset.seconds % 900:
        return None
    return timezone(-offset if sign == "-" else offset) if offset else UTC


def to_utc(local: datetime, zone: tzinfo) -> tuple[datetime | None, str]:
    """Return what a clock in a zone showed, in UTC, and why that is doubtful.

    Parameters
    ----------
    local
        Without a zone.
    zone
        Zone of the clock.

    Returns
    -------
    utc
        None: the clock never showed it, since it was put forward over that hour. Of an
        hour that occurs twice the first.
    doubt
        Empty: there is none.
    """
    first = local.replace(tzinfo=zone, fold=0)
    utc = first.astimezone(UTC)
    if first.utcoffset() == local.replace(tzinfo=zone, fold=1).utcoffset():
        return utc, ""
    if utc.astimezone(zone).replace(tzinfo=None) != local:
        return None, f"{local:%Y-%m-%d %H:%M:%S} does not exist in {zone}"
    return utc, f"{local:%Y-%m-%d %H:%M:%S} occurs twice in {zone}; the first is taken"


def whole_zones_apart(one: datetime, other: datetime) -> bool:
    """Say whether two times differ only by what zones differ by, to 2 s."""
    distance = abs(one - other)
    quarters = round(distance / timedelta(minutes=15))
    rest = abs(distance - quarters * timedelta(minutes=15))
    return quarters > 0 and distance <= 2 * _FARTHEST and rest <= timedelta(seconds=2)
