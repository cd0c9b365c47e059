"""Read what was measured beside the sound: CSV, JSON lines, NMEA."""

from __future__ import annotations

import csv
import json
import math
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta

_KNOT_MS = 1852 / 3600


@dataclass(frozen=True)
class Reading:
    """What was measured at one time."""

    time: datetime
    """UTC."""
    values: Mapping[str, float]
    """By name, with the unit at its end where it is known."""


Parser = Callable[[str], Reading | None]
"""Takes one line, as it came; None: there is nothing in it."""


def parser_for(format_: str) -> Parser:
    """Return what reads the lines of a format, one after another."""
    kinds: dict[str, Callable[[], Parser]] = {
        "csv": CsvLines,
        "jsonl": JsonLines,
        "nmea": NmeaLines,
    }
    return kinds[format_]()


def _time_of(text: object) -> datetime | None:
    """Return a time that is ISO 8601, or seconds since 1970; without a zone UTC."""
    try:
        if isinstance(text, int | float) or _number(text) is not None:
            return datetime.fromtimestamp(float(str(text)), UTC)
        when = datetime.fromisoformat(str(text).strip())
    except (ValueError, OverflowError, OSError):
        return None
    return when.replace(tzinfo=when.tzinfo or UTC).astimezone(UTC)


def _number(value: object) -> float | None:
    try:
        number = float(str(value))
    except ValueError:
        return None
    return number if math.isfinite(number) else None


def _reading(fields: Mapping[str, object]) -> Reading | None:
    when = _time_of(fields.get("time"))
    values = {
        name: number
        for name, value in fields.items()
        if name != "time"
        and not isinstance(value, bool)
        and (number := _number(value)) is not None
    }
    return Reading(when, values) if when is not None and values else None


class CsvLines:
    """Lines of a table; the first one that holds ``time`` names the columns."""

    def __init__(self) -> None:
        self._names: list[str] = []

    def __call__(self, line: str) -> Reading | None:
        """Take a line."""
        try:
            cells = [cell.strip() for cell in next(csv.reader([line.strip()]), [])]
        except csv.Error:
            return None
        if "time" in cells:
            self._names = cells
            return None
        return _reading(dict(zip(self._names, cells, strict=False)))


class JsonLines:
    """Lines that are a JSON object each."""

    def __call__(self, line: str) -> Reading | None:
        """Take a line."""
        try:
            fields = json.loads(line)
        except (ValueError, RecursionError):
            return None
        return _reading(fields) if isinstance(fields, dict) else None


class NmeaLines:
    """NMEA 0183: position and speed (RMC), depth (DPT, DBT), water temperature (MTW).

    Only RMC knows the date; the other sentences count from the last one.
    """

    def __init__(self, now: Callable[[], datetime] = lambda: datetime.now(UTC)) -> None:
        self._now = now
        self._fix: tuple[datetime, datetime] | None = None  # its time, when it came

    def __call__(self, line: str) -> Reading | None:
        """Take a line; one whose checksum is wrong is nothing."""
        fields = _nmea_fields(line)
        if not fields:
            return None
        kind = fields[0][-3:]
        if kind == "RMC":
            return self._rmc(fields)
        values = _NMEA_VALUES[kind](fields) if kind in _NMEA_VALUES else {}
        return Reading(self._time(), values) if values else None

    def _time(self) -> datetime:
        now = self._now()
        return now if self._fix is None else self._fix[0] + (now - self._fix[1])

    def _rmc(self, fields: list[str]) -> Reading | None:
        fields += [""] * (10 - len(fields))
        try:
            day = datetime.strptime(fields[9] + fields[1][:6], "%d%m%y%H%M%S")
            fraction = float("0" + fields[1][6:]) if fields[1][6:] else 0.0
        except ValueError:
            return None
        when = day.replace(tzinfo=UTC) + timedelta(seconds=fraction)
        self._fix = when, self._now()
        if fields[2] != "A":  # no fix
            return None
        found = {
            "latitude_deg": _degrees(fields[3], fields[4]),
            "longitude_deg": _degrees(fields[5], fields[6]),
            "speed_m_s": _scaled(fields[7], _KNOT_MS),
        }
        values = {name: value for name, value in found.items() if value is not None}
        return Reading(when, values) if values else None


def _nmea_fields(line: str) -> list[str]:
    text = line.strip()
    if not text.startswith(("$", "!")):
        return []
    body, star, given = text[1:].partition("*")
    total = 0
    for byte in body.encode("ascii", "replace"):
        total ^= byte
    if star and given.strip().upper() != f"{total:02X}":
        return []
    return body.split(",")


def _degrees(text: str, side: str) -> float | None:
    """Return degrees of ``ddmm.mmm``, south and west negative."""
    number = _number(text)
    if number is None:
        return None
    degrees = number // 100 + number % 100 / 60
    return round(-degrees if side in ("S", "W") else degrees, 7)


def _scaled(text: str, factor: float) -> float | None:
    number = _number(text)
    return None if number is None else number * factor


def _named(name: str, at: int) -> Callable[[list[str]], dict[str, float]]:
    def found(fields: list[str]) -> dict[str, float]:
        number = _number(fields[at]) if len(fields) > at else None
        return {} if number is None else {name: number}

    return found


_NMEA_VALUES: dict[str, Callable[[list[str]], dict[str, float]]] = {
    "DPT": _named("depth_m", 1),
    "DBT": _named("depth_m", 3),
    "MTW": _named("water_c", 1),
}
