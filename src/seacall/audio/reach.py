"""Find how far a FLAC, OGG or MP3 file reaches, by its last bytes: is it cut off."""

from __future__ import annotations

import io
import re
import struct
from collections.abc import Iterator
from dataclasses import dataclass
from typing import BinaryIO

_FLAC_HEAD = 42  # "fLaC", then STREAMINFO with its four bytes of header
_TOTAL_AT = 18
"""Offset of the eight bytes that end in the 36 bits of the number of samples."""
_TOTAL_BITS = (1 << 36) - 1
_SYNC = re.compile(rb"\xff[\xf8\xf9]")
_BLOCK_LENGTHS = {1: 192, **{k: 576 << (k - 2) for k in range(2, 6)}} | {
    k: 256 << (k - 8) for k in range(8, 16)
}
_TAIL = 1 << 16
_TAG = 128
_END_OF_STREAM = 4


def _table(polynomial: int, bits: int) -> tuple[int, ...]:
    """Return what each leading byte does to a checksum."""
    top, mask = 1 << (bits - 1), (1 << bits) - 1
    table = []
    for byte in range(256):
        value = byte << (bits - 8)
        for _ in range(8):
            value = ((value << 1) ^ (polynomial if value & top else 0)) & mask
        table.append(value)
    return tuple(table)


# RFC 9639, section 9: header x^8 + x^2 + x + 1, frame x^16 + x^15 + x^2 + 1.
_CRC_8 = _table(0x07, 8)
_CRC_16 = _table(0x8005, 16)


@dataclass(frozen=True)
class Reach:
    """How far the frames of a FLAC file go."""

    n_samples: int
    """In whole frames, one channel."""
    promised: int
    """By the header; 0: it does not say."""
    head: bytes
    """The file's beginning, corrected to say ``n_samples``."""
    end: int
    """Where the last whole frame ends, bytes."""

    @property
    def is_whole(self) -> bool:
        """Say whether the header is right."""
        return self.n_samples == self.promised


@dataclass(frozen=True)
class _Frame:
    """Header of a FLAC frame."""

    offset: int
    first: int
    """Its first sample."""
    length: int
    """Samples, one channel."""


def flac_reach(stream: BinaryIO) -> Reach | None:
    """Find how many samples a FLAC file holds, and where its last frame ends.

    A frame is believed if its own checksum holds, or that of the one before it does
    and their numbers follow each other.

    Returns
    -------
    reach
        None: the file is no FLAC, or its end cannot be understood.

    Raises
    ------
    OSError
        As the stream raises it.
    """
    stream.seek(0)
    head = stream.read(_FLAC_HEAD)
    if len(head) < _FLAC_HEAD or head[:4] != b"fLaC" or head[4] & 0x7F:
        return None
    packed = struct.unpack_from(">Q", head, _TOTAL_AT)[0]
    promised = packed & _TOTAL_BITS
    tail, start = _last_bytes(stream, max(3 * _longest_frame(head), 4_096))
    frames = list(_frames(tail, head))
    for k in range(len(frames) - 1, -1, -1):
        last = frames[k]
        whole = _holds(tail[last.offset :])
        before = frames[k - 1] if k else None
        first = last.first == 0 and k == 0
        if not whole and not first and not (before and _follows(tail, before, last)):
            continue
        end = len(tail) if whole else last.offset
        n_samples = last.first + (last.length if whole else 0)
        total = struct.pack(">Q", packed & ~_TOTAL_BITS | n_samples & _TOTAL_BITS)
        corrected = head[:_TOTAL_AT] + total + head[_TOTAL_AT + 8 :]
        return Reach(n_samples, promised, corrected, start + end)
    return None


def _last_bytes(stream: BinaryIO, length: int) -> tuple[bytes, int]:
    """Return the end of a file, less zeros that a file system may have left."""
    end = stream.seek(0, io.SEEK_END)
    stream.seek(max(0, end - _TAG))
    if stream.read(3) == b"TAG":  # ID3v1
        end -= _TAG
    while end > 0:
        start = max(0, end - length)
        stream.seek(start)
        tail = stream.read(end - start)
        if stripped := tail.rstrip(b"\0"):
            # A checksum may end in zeros: they stay.
            if len(tail) - len(stripped) <= 2:
                return tail, start
            end = start + len(stripped) + 2
            start = max(0, end - length)
            stream.seek(start)
            return stream.read(end - start), start
        end = start
    return b"", 0


def _longest_frame(head: bytes) -> int:
    """Return how many bytes a frame has at most, as STREAMINFO says or implies."""
    block_length = struct.unpack_from(">H", head, 10)[0]
    stated = int.from_bytes(head[15:18], "big")
    n_channels = (head[20] >> 1 & 7) + 1
    n_bits = ((head[20] & 1) << 4 | head[21] >> 4) + 1
    return stated or block_length * n_channels * (n_bits + 1) // 8 + 64


def _holds(data: bytes) -> bool:
    """Say whether a frame's checksum holds at the end of the data.

    Two zeros may follow, since those that a file system left were not told from those
    that a checksum ends in.
    """
    n = len(data)
    crc = 0
    for k, byte in enumerate(data):
        crc = (crc << 8 & 0xFFFF) ^ _CRC_16[crc >> 8 ^ byte]
        if crc == 0 and k > n - 4 and not any(data[k + 1 :]):
            return n > 8
    return False


def _follows(tail: bytes, before: _Frame, frame: _Frame) -> bool:
    if before.first + before.length != frame.first:
        return False
    return _holds(tail[before.offset : frame.offset])


def _frames(tail: bytes, head: bytes) -> Iterator[_Frame]:
    """Yield what may be headers of frames."""
    stated = struct.unpack_from(">H", head, 10)[0]
    for match in _SYNC.finditer(tail):
        frame = _frame(tail, match.start(), block_length=stated)
        if frame is not None:
            yield frame


def _frame(tail: bytes, at: int, *, block_length: int) -> _Frame | None:
    header = tail[at : at + 16]
    if len(header) < 6:
        return None
    length_code, rate_code = header[2] >> 4, header[2] & 15
    size_code = header[3] >> 1 & 7
    if length_code == 0 or rate_code == 15 or header[3] >> 4 > 10:
        return None
    if size_code == 3 or header[3] & 1:
        return None
    number, n = _coded_number(header[4:])
    if number is None:
        return None
    n += 4
    n_length = {6: 1, 7: 2}.get(length_code, 0)
    length = _BLOCK_LENGTHS.get(length_code, 0)
    if n_length:
        length = int.from_bytes(header[n : n + n_length], "big") + 1
    n += n_length + {12: 1, 13: 2, 14: 2}.get(rate_code, 0)
    if len(header) <= n or _crc_8(header[:n]) != header[n]:
        return None
    variable = header[1] & 1
    return _Frame(at, number if variable else number * block_length, length)


def _coded_number(data: bytes) -> tuple[int | None, int]:
    """Decode a number that is written like UTF-8; return it and its bytes."""
    first = data[0]
    if first < 0x80:
        return first, 1
    n = next((k for k in range(2, 8) if not first >> (7 - k) & 1), 0)
    rest = data[1:n]
    if first < 0xC0 or n == 0 or len(rest) != n - 1:
        return None, 0
    if any(byte >> 6 != 2 for byte in rest):
        return None, 0
    value = first & (0x7F >> n)
    for byte in rest:
        value = value << 6 | byte & 0x3F
    return value, n


def _crc_8(data: bytes) -> int:
    crc = 0
    for byte in data:
        crc = _CRC_8[crc ^ byte]
    return crc


def ogg_is_whole(stream: BinaryIO) -> bool:
    """Say whether an OGG file ends with a page that is whole and marked as the last.

    Source: RFC 3533, section 6.
    """
    tail, _ = _last_bytes(stream, 2 * _TAIL)
    at = tail.rfind(b"OggS")
    if at < 0 or len(tail) < at + 27:
        return False
    n_parts = tail[at + 26]
    n_bytes = 27 + n_parts + sum(tail[at + 27 : at + 27 + n_parts])
    return bool(tail[at + 5] & _END_OF_STREAM) and len(tail) >= at + n_bytes


def mp3_share(stream: BinaryIO) -> float:
    """Return which share of an MP3 file is there; 1 where its header does not say.

    The header is the frame ``Xing`` or ``Info`` that encoders write first; it counts
    the bytes from its own frame on.
    """
    n_bytes = stream.seek(0, io.SEEK_END)
    stream.seek(0)
    head = stream.read(10)
    start = 0
    if head[:3] == b"ID3" and len(head) == 10:
        start = 10 + sum(byte << 7 * (3 - k) for k, byte in enumerate(head[6:10]))
    stream.seek(start)
    head = stream.read(4_096)
    at = max(head.find(b"Xing", 0, 256), head.find(b"Info", 0, 256))
    sync = head.rfind(b"\xff", 0, max(at, 0))
    if at < 0 or sync < 0 or len(head) < at + 16:
        return 1.0
    flags = struct.unpack_from(">I", head, at + 4)[0]
    if flags & 3 != 3:
        return 1.0
    promised = struct.unpack_from(">I", head, at + 12)[0]
    there = n_bytes - start - head.find(b"\xff")
    return min(1.0, there / promised) if promised else 1.0
