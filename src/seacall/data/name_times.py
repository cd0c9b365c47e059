"""Read dates and times from the file names of a folder, one pattern for all of them."""

from __future__ import annotations

import re
from collections import defaultdict
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta, tzinfo
from pathlib import Path

from seacall.data.name_patterns import (
    UTC_NAMES,
    Match,
    dated,
    matches_of,
    shape_of,
)
from seacall.data.stamps import Stamp, is_possible
from seacall.data.time_patterns import TimePattern, read_time

_NUMBER_DOUBT = (
    "the name is only a number, read as seconds since 1970; nothing in the header "
    "confirms that it is a time"
)


@dataclass(frozen=True)
class NameTime:
    """What the name of a file says of its time."""

    stamp: Stamp | None
    doubt: str = ""


_Reading = tuple[datetime, tzinfo | None] | None
"""Date and zone; None: not a date that can be."""


def name_times(
    paths: Iterable[Path], *, pattern: TimePattern | None = None, before: datetime
) -> dict[Path, NameTime]:
    """Read what the names of recordings say of their times.

    Names of one folder that the same patterns fit are read together, so that a pattern
    that is wrong for one of them is not used for the others. Where two patterns fit and
    say different things, nothing is said, unless one of them has a year of four digits
    and shares digits with the other.

    Parameters
    ----------
    paths
        Recordings; only their names and folders are looked at.
    pattern
        The user's own; no other is tried.
    before
        Latest time that is believed, UTC without a zone.

    Returns
    -------
    times
        One for each path.
    """
    if pattern is not None:
        return {path: _by_pattern(path, pattern, before) for path in paths}
    groups: dict[tuple[object, ...], list[tuple[Path, str, tuple[Match, ...]]]]
    groups = defaultdict(list)
    for path in paths:
        stem = dated(path.stem)
        matches = matches_of(shape_of(stem))
        key = (path.parent, *(match.pattern.text for match in matches))
        groups[key].append((path, stem, matches))
    times: dict[Path, NameTime] = {}
    for group in groups.values():
        stems = [stem for _, stem, _ in group]
        found = _read_group(stems, [matches for *_, matches in group], before)
        times.update(zip((path for path, *_ in group), found, strict=True))
    return times


def _read_group(
    stems: Sequence[str], matches: Sequence[tuple[Match, ...]], before: datetime
) -> list[NameTime]:
    """Read names that the same patterns fit."""
    columns = matches[0]
    if not columns:
        return _numbers(stems, before)
    readings = [
        [
            _read(stem, row[column], before)
            for stem, row in zip(stems, matches, strict=True)
        ]
        for column in range(len(columns))
    ]
    best, doubt = _choose(stems, columns, readings)
    if best is None:
        return [NameTime(None, doubt)] * len(stems)
    pattern = columns[best].pattern
    if _day_first(pattern, [r[0] for r in readings[best] if r]):
        doubt = (
            f"read as {pattern.text}, the day would never change and the year would; "
            "the day may come first"
        )
        return [NameTime(None, doubt)] * len(stems)
    return [
        NameTime(
            _stamp(stem, reading, pattern), _flimsy(pattern, stem[row[best].end :])
        )
        if reading
        else NameTime(None, _no_date(stem, pattern))
        for stem, reading, row in zip(stems, readings[best], matches, strict=True)
    ]


def _read(stem: str, match: Match, before: datetime) -> _Reading:
    groups: dict[str, str | None] = {n: stem[a:b] for n, a, b in match.spans}
    try:
        local, zone = read_time(match.pattern, groups)
    except ValueError:
        return None
    return (local, zone) if is_possible(local, before=before) else None


def _choose(
    stems: Sequence[str], columns: Sequence[Match], readings: list[list[_Reading]]
) -> tuple[int | None, str]:
    """Return which pattern is right, or why that cannot be said."""
    fit = [column for column in range(len(columns)) if any(readings[column])]
    full = [column for column in fit if all(readings[column])]
    if not fit:
        return None, _no_date(stems[0], columns[0].pattern)
    best = max(
        fit, key=lambda c: (columns[c].pattern.rank, c in full, _zoned(readings[c]))
    )
    chosen = columns[best]
    if best not in full and (full or chosen.pattern.rank < 2):
        bad = stems[readings[best].index(None)]
        return None, f"{chosen.pattern.text} fits other names of its folder, not {bad}"
    for other in full or fit:
        if _is_chance(columns[other], chosen):
            continue
        if (row := _differ(readings[best], readings[other])) is not None:
            return None, _two(
                (chosen.pattern, readings[best][row]),
                (columns[other].pattern, readings[other][row]),
            )
    return best, ""


def _is_chance(other: Match, chosen: Match) -> bool:
    """Say whether a pattern fits only since it shares digits with a surer one."""
    if other.pattern.rank >= chosen.pattern.rank or not other.overlaps(chosen):
        return False
    return chosen.pattern.rank >= 2 or "j" in other.pattern.fields


def _zoned(readings: list[_Reading]) -> bool:
    return any(reading and reading[1] for reading in readings)


def _differ(one: list[_Reading], other: list[_Reading]) -> int | None:
    """Return the first row in which two patterns say different things."""
    for row, (a, b) in enumerate(zip(one, other, strict=True)):
        if (
            a
            and b
            and (abs(a[0] - b[0]) >= timedelta(seconds=1) or _zones_differ(a, b))
        ):
            return row
    return None


def _zones_differ(
    one: tuple[datetime, tzinfo | None], other: tuple[datetime, tzinfo | None]
) -> bool:
    both = one[1] is not None and other[1] is not None
    return both and str(one[1]) != str(other[1])


def _two(one: tuple[TimePattern, _Reading], other: tuple[TimePattern, _Reading]) -> str:
    said = [
        f"{reading[0]:%Y-%m-%d %H:%M:%S} as {pattern.text}"
        for pattern, reading in (one, other)
        if reading
    ]
    return f"the name can be read in two ways: {', or '.join(said)}"


def _no_date(stem: str, pattern: TimePattern) -> str:
    return f"the name looks like {pattern.text}, but {stem} holds no such date or time"


def _day_first(pattern: TimePattern, found: Sequence[datetime]) -> bool:
    if "y" not in pattern.fields or len(found) < 3:
        return False
    years = {moment.year for moment in found}
    return len(years) >= 3 and len({moment.day for moment in found}) == 1


_MAYBE_ZONE = re.compile(r"-(?:0[0-9]|1[0-4])(?:00|15|30|45)(?![0-9])")


def _flimsy(pattern: TimePattern, rest: str) -> str:
    """Say why a reading is not sure; ``rest`` is what follows it in the name."""
    if zone := _MAYBE_ZONE.match(rest):
        return f"{zone[0]} in the name may be its zone or another time"
    if pattern.rank:
        return ""
    return (
        f"the name is read as {pattern.text}, which numbers fit by chance; "
        "give it as the pattern if it is right"
    )


def _stamp(
    stem: str, reading: tuple[datetime, tzinfo | None], pattern: TimePattern
) -> Stamp:
    local, zone = reading
    if zone is None and UTC_NAMES.fullmatch(stem):
        zone = UTC
    return Stamp(local, zone, f"name, {pattern.text}")


def _numbers(stems: Sequence[str], before: datetime) -> list[NameTime]:
    """Read names that are seconds since 1970: those of the first AudioMoths.

    Catalogue numbers look the same. Theirs follow one another, and hold no letter in
    98 of 100 cases; recordings do not begin less than 5 s apart.
    """
    nothing = [NameTime(None, _without_time(stem)) for stem in stems]
    if all(stem.isdigit() for stem in stems):
        return nothing
    for kind, regex, base in (("hex", _HEX, 16), ("%s", _SECONDS, 10)):
        found = [regex.fullmatch(stem) for stem in stems]
        moments = [
            datetime(1970, 1, 1) + timedelta(seconds=int(match[1], base))
            for match in found
            if match
        ]
        if len(moments) == len(stems) and _apart(moments, before):
            source = f"name, seconds since 1970 ({kind})"
            return [NameTime(Stamp(m, UTC, source), _NUMBER_DOUBT) for m in moments]
    return nothing


_HEX = re.compile(r"([0-9A-F]{8})")
_SECONDS = re.compile(r"(?:.*\D)?(1\d{9})")
_FIRST_AUDIOMOTH = datetime(2017, 1, 1)


def _apart(moments: list[datetime], before: datetime) -> bool:
    ordered = sorted(moments)
    steps = zip(ordered[1:], ordered[:-1], strict=True)
    in_time = ordered[0] >= _FIRST_AUDIOMOTH and ordered[-1] <= before
    return in_time and all(b - a >= timedelta(seconds=5) for b, a in steps)


_DATE = re.compile(r"(?<!\d)((?:19|20)\d\d[-_.]?[01]\d[-_.]?[0-3]\d)(?!\d)")


def _without_time(stem: str) -> str:
    if date := _DATE.search(stem):
        return f"the name holds perhaps a date ({date[1]}), and no time of day"
    return "the name holds no date and time"


def _by_pattern(path: Path, pattern: TimePattern, before: datetime) -> NameTime:
    name = "/".join([*path.parts[-1 - pattern.n_folders : -1], path.name])
    # The user may have meant the name with its ending or without it.
    texts = (name[: len(name) - len(path.suffix)], name)
    matches = [match for text in texts for match in pattern.regex.finditer(text)]
    readings = {}
    for match in matches:
        try:
            local, zone = read_time(pattern, match.groupdict())
        except ValueError:
            continue
        if is_possible(local, before=before):
            readings[local, zone] = Stamp(local, zone, f"name, your {pattern.text}")
    if len(readings) == 1:
        return NameTime(next(iter(readings.values())))
    if readings:
        found = " and ".join(f"{local:%Y-%m-%d %H:%M:%S}" for local, _ in readings)
        return NameTime(
            None, f"pattern {pattern.text!r} fits in more than one way: {found}"
        )
    return NameTime(None, f"the name does not fit the pattern {pattern.text!r}")
