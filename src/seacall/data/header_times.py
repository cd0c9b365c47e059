"""Read when a recording began from what recorders write beside its samples."""

from __future__ import annotations

import re
import struct
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from typing import BinaryIO

from seacall.audio.flac_tags import read_flac_tags
from seacall.audio.riff import Riff, read_chunk
from seacall.data.stamps import Stamp, stamp_of
from seacall.data.time_zones import offset_zone

_AUDIOMOTH = re.compile(
    r"Recorded at (\d\d:\d\d:\d\d(?:\.\d+)?) (\d\d)/(\d\d)/(\d{4})"
    r"(?: \(UTC([+-]?)(\d{0,2})(?::\s*(\d{1,2}))?\))?"
)
_BEXT = re.compile(
    r"(\d{4})[-_:. /](\d\d)[-_:. /](\d\d)(\d\d)[-_:. ](\d\d)[-_:. ](\d\d)"
)
_WAMD_TIME, _WAMD_EXPANSION = 5, 15


@dataclass(frozen=True)
class Header:
    """What is written beside the samples."""

    stamps: tuple[Stamp, ...] = ()
    """The most trustworthy first."""
    expansion: float = 1.0
    """How many times too low the sample rate of the header is (time expansion)."""
    doubt: str = ""


def read_header(stream: BinaryIO, riff: Riff) -> Header:
    """Read the chunks of a WAV file that hold times.

    These are GUANO (``guan``), AudioMoth's comment (``ICMT`` in ``LIST``), RTSys's
    ``conf``, Wildlife Acoustics' ``wamd``, and at last ``bext``, which programs that
    cut and convert sound also write.

    Raises
    ------
    OSError
        As the stream raises it.
    """
    chunks = sorted(
        (chunk for chunk in riff.chunks if chunk.name in _READERS),
        key=lambda chunk: list(_READERS).index(chunk.name),
    )
    stamps, doubts, expansion = [], [], 1.0
    for chunk in chunks:
        body = read_chunk(stream, chunk, limit=65_536)
        try:
            stamps += [stamp for stamp in [_READERS[chunk.name](body)] if stamp]
        except (ValueError, OverflowError) as error:
            doubts.append(f"{chunk.name} in its header holds no date: {error}")
        expansion = max(expansion, _expansion(chunk.name, body))
    return Header(tuple(stamps), expansion, "; ".join(doubts))


def read_flac_header(stream: BinaryIO) -> Header:
    """Read the comment of an AudioMoth that a converter took into a FLAC file.

    Raises
    ------
    OSError
        As the stream raises it.
    """
    tags = read_flac_tags(stream)
    try:
        stamp = audiomoth_stamp(tags.get("comment", ""))
    except ValueError as error:
        return Header(doubt=f"the comment in its header holds no date: {error}")
    return Header((stamp,) if stamp else ())


def guano_fields(body: bytes) -> dict[str, str]:
    """Return the lines ``key:value`` of a GUANO chunk."""
    try:
        text = body.decode("utf-8")
    except UnicodeDecodeError:
        text = body.decode("latin-1")
    lines = (line.partition(":") for line in text.strip("\0 \r\n").splitlines())
    return {key.strip(): value.strip() for key, _, value in lines}


def wamd_fields(body: bytes) -> dict[int, bytes]:
    """Return the entries of a ``wamd`` chunk by their number."""
    fields: dict[int, bytes] = {}
    position = 0
    while position + 6 <= len(body):
        number, size = struct.unpack_from("<HI", body, position)
        fields.setdefault(number, body[position + 6 : position + 6 + size])
        position += 6 + size
    return fields


def info_fields(body: bytes) -> dict[str, str]:
    """Return the texts of a ``LIST`` chunk of kind ``INFO`` by their names."""
    if body[:4] != b"INFO":
        return {}
    fields: dict[str, str] = {}
    for name, text in _sub_chunks(body[4:]):
        fields[name] = text.decode("utf-8", "replace").strip("\0 ")
    return fields


def _sub_chunks(body: bytes) -> Iterator[tuple[str, bytes]]:
    position = 0
    while position + 8 <= len(body):
        name, size = struct.unpack_from("<4sI", body, position)
        yield name.decode("latin-1"), body[position + 8 : position + 8 + size]
        position += 8 + size + size % 2


def _guano(body: bytes) -> Stamp | None:
    text = guano_fields(body).get("Timestamp", "")
    return stamp_of(_iso(text), source="GUANO in its header") if text else None


def _audiomoth(body: bytes) -> Stamp | None:
    return audiomoth_stamp(info_fields(body).get("ICMT", ""))


def audiomoth_stamp(comment: str) -> Stamp | None:
    """Read the comment of an AudioMoth; firmware 1.0 counts in UTC without saying so.

    Raises
    ------
    ValueError
        If its date does not exist.
    """
    found = _AUDIOMOTH.search(comment)
    if not found:
        return None
    clock, day, month, year, sign, hours, minutes = found.groups()
    moment = datetime.fromisoformat(f"{year}-{month}-{day}T{clock}")
    return Stamp(
        local=moment,
        zone=offset_zone(sign or "+", hours or "0", minutes),
        source="AudioMoth's comment in its header",
    )


def _wamd(body: bytes) -> Stamp | None:
    text = wamd_fields(body).get(_WAMD_TIME, b"").decode("latin-1").strip("\0 ")
    return stamp_of(_iso(text), source="wamd in its header") if text else None


def _conf(body: bytes) -> Stamp | None:
    if len(body) < 16:
        return None
    seconds = struct.unpack_from("<d", body, 8)[0]
    moment = datetime(1970, 1, 1) + timedelta(seconds=seconds)
    return Stamp(moment, UTC, "RTSys conf in its header")


def _bext(body: bytes) -> Stamp | None:
    text = body[320:338].decode("latin-1")
    if not text.strip("\0 0:-"):
        return None
    found = _BEXT.fullmatch(text)
    if not found:
        raise ValueError(repr(text))
    return Stamp(datetime(*map(int, found.groups())), None, "bext in its header")  # type: ignore[arg-type]


def _iso(text: str) -> datetime:
    if len(text) <= len("2024-05-01"):
        raise ValueError(f"{text!r} has no time of day")
    return datetime.fromisoformat(text)


def _expansion(name: str, body: bytes) -> float:
    if name == "guan":
        text = guano_fields(body).get("TE", "")
    elif name == "wamd":
        entry = wamd_fields(body).get(_WAMD_EXPANSION, b"")
        text = str(struct.unpack("<H", entry)[0]) if len(entry) == 2 else ""
    else:
        text = ""
    return float(text) if text.replace(".", "", 1).isdecimal() else 1.0


# The most trustworthy first.
_READERS: dict[str, Callable[[bytes], Stamp | None]] = {
    "guan": _guano,
    "LIST": _audiomoth,
    "conf": _conf,
    "wamd": _wamd,
    "bext": _bext,
}
