"""Read the ``harp`` chunk of XWAV files: when each part of them was recorded.

HARP recorders switch on and off, and write what they heard behind one another into one
file. Layout: ``rdxwavhd.m`` and ``wrxwavhd.m`` of Triton (Scripps Institution of
Oceanography).
"""

from __future__ import annotations

import struct
from dataclasses import dataclass, replace
from datetime import UTC, datetime, timedelta
from itertools import pairwise
from typing import BinaryIO

from seacall.audio.riff import Riff, read_chunk
from seacall.data.stamps import is_possible
from seacall.events import Segment

LONGEST_JOINED_GAP = timedelta(milliseconds=500)
"""Shorter gaps come from clocks that are set, not from duty cycles (as in PAMGuard)."""

_HEAD = 56
_RECORD = struct.Struct("<6BHIIIIB")


@dataclass(frozen=True)
class Xwav:
    """What a ``harp`` chunk says."""

    sample_rate: int
    """The true one, Hz; that of ``fmt`` may be false."""
    segments: tuple[Segment, ...]
    """Parts without a break; one that no record describes has no start."""
    doubt: str = ""


@dataclass(frozen=True)
class _Record:
    """One raw file of the recorder."""

    start: datetime
    byte_offset: int
    """From the beginning of the file, modulo 2^32."""
    n_bytes: int
    sample_rate: int
    gain: int


def read_xwav(stream: BinaryIO, riff: Riff, *, before: datetime) -> Xwav | None:
    """Read the parts of an XWAV file.

    Parts that follow one another with less than 500 ms between them are one.

    Parameters
    ----------
    stream, riff
        The file and its chunks.
    before
        Latest time that is believed, UTC without a zone.

    Returns
    -------
    xwav
        None: there is no ``harp`` chunk, or nothing in it can be used.

    Raises
    ------
    OSError
        As the stream raises it.
    """
    chunk, data, form = riff.chunk("harp"), riff.data, riff.format
    if chunk is None or data is None or form is None or form.block_align == 0:
        return None
    body = read_chunk(stream, chunk, limit=1 << 24)
    records, doubts = _records(body, n_channels=form.n_channels, before=before)
    if not records:
        return None
    if len({record.sample_rate for record in records}) > 1:
        doubts.append("the sample rate changes within the file")
    doubts += _backwards(records, align=form.block_align)
    parts, more = _parts(
        records, data_offset=data.offset, data_size=data.size, align=form.block_align
    )
    return Xwav(
        sample_rate=records[0].sample_rate,
        segments=tuple(_joined(parts)),
        doubt="; ".join(doubts + more),
    )


def _records(
    body: bytes, *, n_channels: int, before: datetime
) -> tuple[list[_Record], list[str]]:
    if len(body) < _HEAD:
        return [], []
    version, n_records = body[0], struct.unpack_from("<H", body, 36)[0]
    extra = 4 * n_channels if version == 2 else 0
    records: list[_Record] = []
    for number in range(n_records):
        position = _HEAD + extra + number * (32 + extra)
        if position + 32 > len(body):
            return records, [f"harp promises {n_records} parts and holds {number}"]
        record = _record(body, position, before=before)
        if record is None:
            return records, [f"part {number + 1} of harp has no date or rate"]
        records.append(record)
    return records, []


def _record(body: bytes, position: int, *, before: datetime) -> _Record | None:
    values = _RECORD.unpack_from(body, position)
    year, month, day, hour, minute, second, ms, offset, n_bytes, _, rate, gain = values
    try:
        start = datetime(
            (1900 if year >= 90 else 2000) + year, month, day, hour, minute, second
        ) + timedelta(milliseconds=ms)
    except ValueError:
        return None
    if rate == 0 or not is_possible(start, before=before):
        return None
    return _Record(start.replace(tzinfo=UTC), offset, n_bytes, rate, gain)


def _backwards(records: list[_Record], *, align: int) -> list[str]:
    for number, (one, other) in enumerate(pairwise(records), start=2):
        end = one.start + timedelta(seconds=one.n_bytes / align / one.sample_rate)
        if end - other.start >= LONGEST_JOINED_GAP:
            return [f"part {number} of harp begins before part {number - 1} ends"]
    return []


_Part = tuple[Segment, _Record | None]


def _parts(
    records: list[_Record], *, data_offset: int, data_size: int, align: int
) -> tuple[list[_Part], list[str]]:
    """Return where each record lies, in samples, within what is there of the file."""
    parts: list[_Part] = []
    position, doubts = 0, []
    for record in records:
        # Offsets have 32 bits, files may be longer.
        if (data_offset + position - record.byte_offset) % (1 << 32):
            doubts = ["the parts of harp do not lie behind one another"]
        n_bytes = min(record.n_bytes, data_size - position)
        if n_bytes >= align:
            segment = Segment(position // align, n_bytes // align, record.start)
            parts.append((segment, record))
        position += record.n_bytes  # also where the file is cut off
    rest = (data_size - position) // align
    if rest > 0:
        parts.append((Segment(position // align, rest), None))
        doubts.append(f"harp does not say when the last {rest} samples were recorded")
    return parts, doubts


def _joined(parts: list[_Part]) -> list[Segment]:
    segments: list[Segment] = []
    last: _Record | None = None
    for segment, record in parts:
        if segments and last and record and _follows(segments[-1], last, record):
            n_samples = segments[-1].n_samples + segment.n_samples
            segments[-1] = replace(segments[-1], n_samples=n_samples)
        else:
            segments.append(segment)
        last = record
    return segments


def _follows(segment: Segment, last: _Record, record: _Record) -> bool:
    """Say whether a record goes on where a segment ends."""
    if segment.start is None or (last.sample_rate, last.gain) != (
        record.sample_rate,
        record.gain,
    ):
        return False
    end = segment.start + timedelta(seconds=segment.n_samples / last.sample_rate)
    return abs(record.start - end) < LONGEST_JOINED_GAP
