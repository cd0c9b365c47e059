"""Read when a SoundTrap began to record, from the ``.log.xml`` beside its files."""

from __future__ import annotations

import re
from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from datetime import datetime, timedelta
from pathlib import Path
from xml.etree import ElementTree

from seacall.audio.remote import is_remote

LOG_ENDING = ".log.xml"
_NAME = re.compile(r"\d+\.\d{12}(\.\d)?")
_CHANNEL = re.compile(r"\.\d$")
_SLASHES = re.compile(
    r"(\d{1,2})/(\d{1,2})/(\d{4}),? (\d{1,2}):(\d\d):(\d\d)(?: ?([ap])\.?m\.?)?",
    re.IGNORECASE,
)


@dataclass(frozen=True)
class LogTime:
    """When a log says that its recording began."""

    readings: tuple[datetime, ...]
    """UTC without a zone. Two where the day may come before or after the month."""
    is_utc: bool = True
    """False: written by PAMGuard, in the zone of the computer that did it."""
    doubt: str = ""


def find_logs(paths: Iterable[Path]) -> dict[Path, Path]:
    """Return the logs of those recordings that have one beside them.

    Channels of one recording (``.0.wav``, ``.1.wav``) share theirs. Remote folders are
    not searched: those of files that are named as a SoundTrap's are taken to be there.
    """
    found: dict[Path, Path] = {}
    logs: dict[Path, dict[str, Path]] = {}
    for path in paths:
        if is_remote(path):
            if _NAME.fullmatch(path.stem):
                found[path] = path.with_name(_CHANNEL.sub("", path.stem) + LOG_ENDING)
            continue
        folder = path.parent
        if folder not in logs:
            logs[folder] = dict(_logs_in(folder))
        stem = path.stem.lower()
        for name in (stem, _CHANNEL.sub("", stem)) if logs[folder] else ():
            if log := logs[folder].get(name):
                found[path] = log
    return found


def parse_log(content: bytes) -> LogTime:
    """Read a log.

    A log tells of every file that was made of the recording; only the one with
    ``SUFFIX`` ``wav`` counts. Others hold snippets, and may begin a second later.
    """
    try:
        root = ElementTree.fromstring(content)
    except (ElementTree.ParseError, LookupError, ValueError) as error:
        return LogTime((), doubt=f"its .log.xml cannot be read ({error})")
    found = dict(_start_times(root, _wav_ids(root)))
    if not found:
        return LogTime((), doubt="its .log.xml gives no SamplingStartTimeUTC")
    if len(found) > 1:
        return LogTime(
            (), doubt=f"its .log.xml gives several times: {', '.join(found)}"
        )
    text, (fraction, is_utc) = next(iter(found.items()))
    readings = tuple(moment + fraction for moment in _readings(text))
    doubt = "" if readings else f"its .log.xml gives {text!r}, which is no date"
    return LogTime(readings, is_utc=is_utc, doubt=doubt)


def _logs_in(folder: Path) -> Iterator[tuple[str, Path]]:
    try:
        for path in folder.iterdir():
            name = path.name.lower()
            if name.endswith(LOG_ENDING):
                yield name.removesuffix(LOG_ENDING), path
    except OSError:
        return  # whoever opens the recordings will say so


def _wav_ids(root: ElementTree.Element) -> set[str]:
    return {
        _attributes(element).get("id", "")
        for element in _all(root, "cfg")
        if any((s.text or "").strip().lower() == "wav" for s in _all(element, "suffix"))
    }


def _start_times(
    root: ElementTree.Element, wav_ids: set[str]
) -> Iterator[tuple[str, tuple[timedelta, bool]]]:
    """Yield each start time with its fraction of a second, and whether it is UTC."""
    events = [
        event
        for event in _all(root, "proc_event")
        if _attributes(event).get("id", "") in wav_ids
    ]
    handlers = [h for event in events or [root] for h in _all(event, "wavfilehandler")]
    fraction = timedelta()
    for handler in handlers:
        digits = _attributes(handler).get("samplingstarttimesubs", "").split()
        if digits and digits[0].isdigit() and int(digits[0]) < 1_000_000:
            fraction = timedelta(microseconds=int(digits[0]))
    for handler in handlers:
        if text := _attributes(handler).get("samplingstarttimeutc", "").strip():
            yield text, (fraction, not handler.tag.isupper())


def _readings(text: str) -> list[datetime]:
    """Return what a date may mean, by a strict calendar."""
    if slashes := _SLASHES.fullmatch(text):
        one, other, year, hour, minute, second = map(int, slashes.groups()[:6])
        if half := slashes[7]:
            if not 1 <= hour <= 12:
                return []
            hour = hour % 12 + (12 if half.lower() == "p" else 0)
        clock = (hour, minute, second)
        orders = dict.fromkeys([(year, other, one), (year, one, other)])
        return [moment for day in orders for moment in _moment(*day, *clock)]
    try:
        moment = datetime.fromisoformat(re.sub(r"(?i)\s*(utc|gmt|z)$", "", text))
    except ValueError:
        return []
    return [moment] if moment.tzinfo is None and len(text) > len("2021-06-10") else []


def _moment(*parts: int) -> list[datetime]:
    try:
        return [datetime(*parts)]  # type: ignore[arg-type]
    except ValueError:
        return []


def _all(element: ElementTree.Element, tag: str) -> Iterator[ElementTree.Element]:
    return (child for child in element.iter() if child.tag.lower() == tag)


def _attributes(element: ElementTree.Element) -> dict[str, str]:
    return {name.lower(): value for name, value in element.attrib.items()}
