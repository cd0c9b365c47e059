"""The patterns that are tried on names, and where they fit names of one shape."""

from __future__ import annotations

import re
from dataclasses import dataclass
from functools import cache

from seacall.data.time_patterns import TimePattern, compile_pattern

PATTERNS = (
    # Those of PAMGuard's StandardFileDate, in its order.
    "HH_mm_ss'__DMY_'dd_MM_yy",
    "HH'h'mm'm'ss's'ddMMMyyyy",
    "yyyy_MM_dd_HH_mm_ss",
    "yyyyMMdd_HHmmss_SSS",
    "yyyy.MM.dd_HH.mm.ss",
    "yyyy.MM.dd-HH.mm.ss",
    "yyyyMMdd_HHmmss",
    "yyyyMMdd$HHmmss",
    "yyyyMMdd-HHmmss",
    "yy.MM.dd_HH.mm.ss",
    "yy.MM.dd-HH.mm.ss",
    "yyMMdd_HHmmss",
    "yyMMdd-HHmmss",
    "yyyy.MM.dd_HH.mm",
    "yyyy.MM.dd-HH.mm",
    "yyyyMMdd_HHmm",
    "yyyyMMdd-HHmm",
    "yy.MM.dd_HH.mm",
    "yy.MM.dd-HH.mm",
    "yyMMdd_HHmm",
    "yyMMdd-HHmm",
    "yy.DDD_HH.mm.ss",
    "yy.DDD-HH.mm.ss",
    "yyDDD_HHmmss",
    "yyDDD-HHmmss",
    "yy.DDD_HH.mm",
    "yy.DDD-HH.mm",
    "yyDDD_HHmm",
    "yyDDD-HHmm",
    "yyyy-MM-dd HH_mm_ss",
    "yyyy-MM-dd_HH-mm-ss",
    "yyyyMMddHHmmss",
    "yyyy-MM-dd HH-mm-ss",
    # OwlSense, uPAM, the KE buoy, OSEkit, uAural, SoundTrap and B&K.
    "yyyy-MM-dd'_T'HH-mm-ss",
    "yyyyMMdd_HHmmss_SSSSSS",
    "yyyyMMdd-HHmmss-SSSSSS",
    "yyyyMMdd_HHmmss.SSSSSS",
    "yyyyMMdd_HHmmss.SSS",
    "yyyy_MM_dd_HH_mm_ss_SSSSSS",
    "HHmmss_yyyyMMdd",
    "yyMMddHHmmss",
    # ISO 8601, basic, extended, and as file systems make one write it.
    "yyyyMMdd'T'HHmmss",
    "yyyyMMdd'T'HHmmss.SSS",
    "yyyyMMdd'T'HHmmss.SSSSSS",
    "yyyyMMdd'T'HHmm",
    "yyMMdd'T'HHmmss",
    "yyyy-MM-dd'T'HH:mm:ss",
    "yyyy-MM-dd'T'HH:mm:ss.SSS",
    "yyyy-MM-dd'T'HH:mm:ss.SSSSSS",
    "yyyy-MM-dd'T'HH-mm-ss",
    "yyyy-MM-dd'T'HH_mm_ss",
    "yyyy-MM-dd'T'HHmmss",
    "yyyy-MM-dd HH:mm:ss",
    "yyyy-MM-dd HH.mm.ss",
    "yyyy-MM-dd_HH.mm.ss",
    "yyyy-MM-dd_HH_mm_ss",
    "yyyy-MM-dd_HHmmss",
    "yyyy-MM-dd-HH-mm-ss",
    "yyyyMMdd HHmmss",
)
"""Patterns that are tried, as :mod:`seacall.data.time_patterns` takes them; each may be
followed by AM or PM and by ``Z``, ``UTC`` or an offset."""

UTC_NAMES = re.compile(
    r"\d{3,12}\.\d{12}(\.\d+)?"  # SoundTrap
    r"|NRS\d\d_.*"  # NOAA Noise Reference Stations
    r"|SanctSound_.*"
    r"|channel[A-H]_\d{4}-\d\d-\d\d_.*"  # RTSys
    r"|.*\.x"  # HARP
)
"""Names of recorders and archives that count in UTC without saying so."""

_LEAP = re.compile(r"(NRS\d\d_.*\d{4})60(?!\d)")
"""The recorders of these stations count seconds up to 60."""


@dataclass(frozen=True)
class Match:
    """Where a pattern fits names of one shape."""

    pattern: TimePattern
    start: int
    end: int
    """In the name."""
    spans: tuple[tuple[str, int, int], ...]
    """Of its parts."""

    def overlaps(self, other: Match) -> bool:
        """Say whether two matches share characters."""
        return self.start < other.end and other.start < self.end

    def lies_within(self, other: Match) -> bool:
        """Say whether a match is only a part of another one."""
        if other.end - other.start <= self.end - self.start:
            return False
        # 99999999_190501_190800 is no date with microseconds, but ends with a date.
        same_start = other.start == self.start
        may_hold_another = any(field.startswith("f") for field in other.pattern.fields)
        first = same_start or (other.start < self.start and not may_hold_another)
        return first and self.end <= other.end


def dated(stem: str) -> str:
    """Return a name with 60 s mended where its recorder counts them."""
    return _LEAP.sub(r"\g<1>59", stem)


def shape_of(stem: str) -> str:
    """Return a name with 0 for every digit: what patterns fit depends on no more."""
    return re.sub(r"[0-9]", "0", stem)


@cache
def _compiled() -> tuple[TimePattern, ...]:
    return tuple(compile_pattern(text) for text in PATTERNS)


@cache
def matches_of(shape: str) -> tuple[Match, ...]:
    """Return which patterns fit names of a shape (all digits 0), and where.

    A pattern that fits within a longer one is none: ``19.05.01_19.08`` is only a part
    of ``19.05.01_19.08.00``.
    """
    found = []
    for pattern in _compiled():
        for match in pattern.regex.finditer(shape):
            start, end = match.span("all")
            groups = match.groupdict()
            spans = tuple(
                (name, *match.span(name))
                for name, text in groups.items()
                if name != "all" and text is not None
            )
            found.append(Match(pattern, start, end, spans))
    return tuple(m for m in found if not any(m.lies_within(o) for o in found))
