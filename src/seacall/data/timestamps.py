"""When recordings began, from their names and headers, and how sure that is.

Nothing is guessed in silence. A time that two sources give differently, or that may be
read in two ways, comes with a doubt, or not at all.
"""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterable, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass, field, replace
from datetime import UTC, datetime, timedelta, tzinfo
from io import BufferedReader
from pathlib import Path
from typing import BinaryIO

from seacall.audio import remote
from seacall.audio.riff import Riff, read_riff
from seacall.data.header_times import Header, read_flac_header, read_header
from seacall.data.name_times import NameTime, name_times
from seacall.data.soundtrap import LogTime, find_logs, parse_log
from seacall.data.stamps import Stamp, is_possible, latest
from seacall.data.time_patterns import TimePattern, compile_pattern
from seacall.data.time_zones import parse_zone, to_utc, whole_zones_apart
from seacall.data.xwav import Xwav, read_xwav
from seacall.errors import AudioError
from seacall.events import Segment

AGREE = timedelta(seconds=2)
"""Sources that differ by less agree: SoundTraps write their logs a second late."""

MANY = 24
"""Files of a folder from which on a clock of 12 hours shows."""

_READERS = 8
"""Headers that are read at the same time: network drives and buckets are slow."""

_HINT = 'give one, such as "*yyyyMMdd_HHmmss" or "*%Y%m%d_%H%M%S"'


@dataclass(frozen=True)
class RecordingTime:
    """When a recording began, as far as it is known."""

    start: datetime | None
    """Of its first sample, in UTC; None: not known."""
    source: str = ""
    """How it is known."""
    segments: tuple[Segment, ...] = ()
    """Parts without a break in time, where the header lists them (XWAV); empty: the
    recording is taken for one."""
    doubt: str = ""
    """Why the time may be wrong, or is not known; empty: there is no doubt."""
    sample_rate: int | None = None
    """The true one, Hz, where that of the header is known to be false."""


@dataclass(frozen=True)
class _Found:
    """Everything that was found about one recording."""

    name: NameTime
    header: Header = field(default_factory=Header)
    log: LogTime | None = None
    xwav: Xwav | None = None
    header_rate: int | None = None
    doubts: tuple[str, ...] = ()


def recording_times(
    paths: Iterable[Path], *, pattern: str | None = None, timezone: str = "UTC"
) -> dict[Path, RecordingTime]:
    """Say when recordings began.

    The most trustworthy source counts: the ``harp`` chunk of XWAV, the user's pattern,
    a SoundTrap's ``.log.xml``, GUANO, AudioMoth's comment, RTSys, Wildlife Acoustics,
    the name, ``bext``; sources with a zone of their own come before those without.
    Names of one folder are read by one pattern. What the other sources say differently
    is a doubt.

    Parameters
    ----------
    paths
        Recordings; those that cannot be opened are known by their names.
    pattern
        How names are to be read; see :mod:`seacall.data.time_patterns`.
    timezone
        Zone of times that carry none: UTC, a name such as America/New_York, or an
        offset such as -05:00.

    Returns
    -------
    times
        One for each path, in their order.

    Raises
    ------
    SettingsError
        If the pattern or the zone is wrong.

    Examples
    --------
    >>> path = Path("AMAR613.20190604T182000Z.wav")
    >>> time = recording_times([path])[path]
    >>> print(time.start, "|", time.source)
    2019-06-04 18:20:00+00:00 | name, yyyyMMdd'T'HHmmss
    """
    zone = parse_zone(timezone)
    compiled = compile_pattern(pattern) if pattern else None
    paths, before = list(dict.fromkeys(paths)), latest()
    names = name_times(paths, pattern=compiled, before=before)
    logs = find_logs(paths)
    with ThreadPoolExecutor(_READERS) as readers:
        found = readers.map(
            lambda path: _find(path, names[path], logs.get(path), before), paths
        )
        times = {
            path: _decide(path, one, compiled, zone=zone, before=before)
            for path, one in zip(paths, found, strict=True)
        }
    return _with_clock_doubts(times)


def _find(path: Path, name: NameTime, log: Path | None, before: datetime) -> _Found:
    doubts = (_NO_HARP,) if path.stem.lower().endswith(".x") else ()
    found = _Found(name, doubts=doubts)
    try:
        if path.suffix.lower() in _WITH_HEADER and _may_be_opened(path):
            with _opened(path) as stream:
                if path.suffix.lower() == ".flac":
                    found = replace(found, header=read_flac_header(stream))
                elif riff := read_riff(stream):
                    found = _of_header(path, stream, riff, name, before)
    except (OSError, AudioError):
        pass  # whoever reads the samples will say so
    try:
        return replace(found, log=_log_of(log)) if log else found
    except (OSError, AudioError):
        return found


def _of_header(
    path: Path, stream: BinaryIO, riff: Riff, name: NameTime, before: datetime
) -> _Found:
    xwav = read_xwav(stream, riff, before=before)
    return _Found(
        name,
        header=read_header(stream, riff),
        xwav=xwav,
        header_rate=riff.format.sample_rate if riff.format else None,
        doubts=_xwav_doubts(path, riff, xwav),
    )


def _log_of(path: Path) -> LogTime:
    with _opened(path) as stream:
        return parse_log(stream.read())


def _opened(path: Path) -> BinaryIO:
    if remote.is_remote(path):
        return BufferedReader(remote.RemoteFile(path))
    return path.open("rb")


_WITH_HEADER = frozenset({".wav", ".wave", ".rf64", ".flac"})
_HARP = "harp chunk"
_NO_HARP = "named like an XWAV file, but no harp chunk says when it paused"


def _xwav_doubts(path: Path, riff: Riff, xwav: Xwav | None) -> tuple[str, ...]:
    if xwav is not None:
        return ()
    if riff.chunk("harp") is not None:
        return ("its harp chunk cannot be read, so it is not known when it paused",)
    return (_NO_HARP,) if path.stem.lower().endswith(".x") else ()


def _may_be_opened(path: Path) -> bool:
    """Say whether opening a path cannot hang, as it does with a pipe.

    Asking a remote store costs as much as opening.
    """
    return remote.is_remote(path) or path.is_file()


def _decide(
    path: Path,
    found: _Found,
    pattern: TimePattern | None,
    *,
    zone: tzinfo,
    before: datetime,
) -> RecordingTime:
    doubts = [found.header.doubt, *found.doubts]
    stamps, more = _stamps(found, by_user=pattern is not None)
    possible = [stamp for stamp in stamps if is_possible(stamp.local, before=before)]
    doubts += more
    doubts += [_impossible(stamp) for stamp in stamps if stamp not in possible]
    if pattern is not None and found.name.stamp is None:
        doubts.append(found.name.doubt)
    if not possible:
        why = "; ".join(filter(None, dict.fromkeys([*doubts, found.name.doubt])))
        return _with_parts(RecordingTime(None, doubt=f"{why}; {_HINT}"), found)
    # A time with a zone says more than one without, but the user has the last word.
    users = [s for s in possible if pattern is not None and s is found.name.stamp]
    first = sorted(possible, key=lambda stamp: stamp.zone is None)[0]
    if users and first.source != _HARP:
        first = users[0]
    start, doubt = to_utc(first.local, first.zone or zone)
    doubts.append(doubt)
    if start is not None:
        doubts += [
            _disagreement(first, other, start, zone=zone, strict=bool(users))
            for other in possible
            if other is not first
        ]
    if first is found.name.stamp and pattern is None:
        doubts.append(found.name.doubt)
    source = first.source if first.zone else f"{first.source}, taken as {zone}"
    doubt = "; ".join(filter(None, dict.fromkeys(doubts)))
    return _with_parts(RecordingTime(start, source, doubt=doubt), found)


def _stamps(found: _Found, *, by_user: bool) -> tuple[list[Stamp], list[str]]:
    """Return what all sources say, the most trustworthy first."""
    name = found.name.stamp
    stamps: list[Stamp] = []
    if (start := _first_start(found.xwav)) is not None:
        stamps.append(Stamp(start.replace(tzinfo=None), UTC, _HARP))
    stamps += [name] if by_user and name else []
    log, doubts = _log_stamp(found.log, name)
    in_bext = [s for s in found.header.stamps if s.source.startswith("bext")]
    in_header = [s for s in found.header.stamps if s not in in_bext]
    stamps += log if found.log and found.log.is_utc else []
    stamps += in_header
    stamps += [name] if name and not by_user and not found.name.doubt else []
    stamps += log if found.log and not found.log.is_utc else []
    stamps += in_bext
    # Numbers that a pattern fits by chance contradict nobody.
    return stamps or ([name] if name else []), doubts


def _first_start(xwav: Xwav | None) -> datetime | None:
    return xwav.segments[0].start if xwav and xwav.segments else None


def _log_stamp(
    log: LogTime | None, name: Stamp | None
) -> tuple[list[Stamp], list[str]]:
    """Return what a SoundTrap's log says; the name decides which is the month."""
    if log is None:
        return [], []
    readings = list(log.readings)
    if len(readings) > 1 and name is not None:
        same_day = [r for r in readings if abs(r - name.local) <= timedelta(hours=14)]
        readings = same_day or readings
    doubts = [log.doubt] if log.doubt else []
    if len(readings) > 1:
        said = ", or ".join(f"{reading:%Y-%m-%d %H:%M:%S}" for reading in readings)
        return [], [*doubts, f"its .log.xml can be read in two ways: {said}"]
    source = "SoundTrap's .log.xml" if log.is_utc else "PAMGuard's .log.xml"
    zone = UTC if log.is_utc else None
    return [Stamp(reading, zone, source) for reading in readings], doubts


def _impossible(stamp: Stamp) -> str:
    return (
        f"{stamp.source}: {stamp.local:%Y-%m-%d %H:%M:%S} cannot be; "
        "the clock was perhaps not set"
    )


def _disagreement(
    first: Stamp, other: Stamp, start: datetime, *, zone: tzinfo, strict: bool
) -> str:
    """Say how a source contradicts the one that counts; empty: it does not.

    A clock without a zone may be whole zones away, unless the user has said which zone
    it is in.
    """
    then, _ = to_utc(other.local, other.zone or zone)
    if then is not None and abs(then - start) <= AGREE:
        return ""
    mixed = (first.zone is None) != (other.zone is None)
    if mixed and zone is UTC and not strict:
        shown = other.local.replace(tzinfo=UTC)
        if whole_zones_apart(start, shown):
            return ""
    return (
        f"{other.source} says {_shown(other)}, but {first.source} says {_shown(first)}"
    )


def _shown(stamp: Stamp) -> str:
    zone = f" {stamp.zone}" if stamp.zone else ""
    return f"{stamp.local:%Y-%m-%d %H:%M:%S}{zone}"


def _with_parts(time: RecordingTime, found: _Found) -> RecordingTime:
    """Add what the header says of parts and of the true sample rate."""
    rate = _true_rate(found)
    if found.xwav is None:
        return replace(time, sample_rate=rate)
    doubt = "; ".join(filter(None, [time.doubt, found.xwav.doubt]))
    return replace(time, segments=found.xwav.segments, doubt=doubt, sample_rate=rate)


def _true_rate(found: _Found) -> int | None:
    if found.header_rate is None:
        return None
    true = round(found.header_rate * found.header.expansion)
    if found.xwav is not None:
        true = found.xwav.sample_rate
    return true if true != found.header_rate else None


def _with_clock_doubts(times: dict[Path, RecordingTime]) -> dict[Path, RecordingTime]:
    """Add doubts about folders whose names may come from a clock of 12 hours."""
    folders: dict[Path, list[Path]] = defaultdict(list)
    for path, time in times.items():
        if time.start is not None and time.source.startswith("name"):
            folders[path.parent].append(path)
    for members in folders.values():
        starts = [start for path in members if (start := times[path].start)]
        if doubt := _clock_doubt(starts):
            for path in members:
                joined = "; ".join(filter(None, [times[path].doubt, doubt]))
                times[path] = replace(times[path], doubt=joined)
    return times


def _clock_doubt(starts: Sequence[datetime]) -> str:
    """Say whether times look like those of a clock without AM and PM; empty: no.

    Then no hour is after 12, and either the same times come twice, or nearly all hours
    of the clock come on more than one day.
    """
    hours = {start.hour for start in starts}
    if len(starts) < MANY or max(hours) > 12:
        return ""
    twice = len(set(starts)) < len(starts)
    days = {start.date() for start in starts}
    if not twice and (len(hours) < 10 or len(days) < 2):
        return ""
    return (
        f"no hour of {len(starts)} files of its folder is after 12"
        f"{', and some begin at the same time' if twice else ''}: "
        "the clock may count 12 hours, without AM and PM"
    )
