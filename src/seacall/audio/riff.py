"""Walk the chunks of a WAV file (RIFF, RF64, BW64), damaged ones too, by small reads.

libsndfile neither shows what recorders write beside the samples (``harp``, ``guan``,
``wamd``, ``bext``, ``conf``) nor reads every header that a power cut leaves. This
module reads no samples: some kilobytes from the head, and what lies behind the samples.
The stream may be a remote file.

Sources: Microsoft's *Multimedia Programming Interface and Data Specifications 1.0*
(chunks), EBU Tech 3306 (RF64, ``ds64``), ITU-R BS.2088 (BW64).
"""

from __future__ import annotations

import io
import struct
from collections.abc import Iterator
from dataclasses import dataclass
from typing import BinaryIO, Literal

MAX_CHUNKS = 256
"""A walk stops there: files have a dozen, damaged ones could have millions."""

_HEAD = 4_096
"""Bytes of one read: holds all that recorders write before the samples, mostly."""
_TAIL = 65_536
"""Bytes at the end of a file that are searched for chunks behind the samples."""
_FOUR_GIB = 1 << 32
_NO_SIZE = frozenset({0, 0x7FFFFFFF, 0x80000000})
"""Sizes of ``data`` that stand for "not known", besides those near 4 GiB."""
_TRAILING = (b"guan", b"LIST", b"wamd", b"bext", b"id3 ", b"ID3 ", b"iXML", b"cue ")
"""Chunks that are known to follow the samples."""
_EXTENSIBLE = 0xFFFE


@dataclass(frozen=True)
class Chunk:
    """One chunk of the file."""

    name: str
    """Its four characters, ``"fmt "`` for one."""
    offset: int
    """Where its body begins, bytes from the beginning of the file."""
    size: int
    """Bytes of its body that are in the file; of ``data`` without what follows it."""
    promised: int | None
    """Bytes that the header says; None: it says nothing that can be true (power cut,
    streaming, more than 4 GiB). More than ``size``: the file is cut off."""


@dataclass(frozen=True)
class Format:
    """How the samples are stored: the chunk ``fmt ``."""

    tag: int
    """1 integers, 3 floats; that of the sub-format where the header is extensible."""
    n_channels: int
    sample_rate: int
    """Hz, as the header says; recorders are known to say it wrong."""
    block_align: int
    """Bytes of one sample of all channels."""
    bits: int
    """Of one sample of one channel, as stored."""


@dataclass(frozen=True)
class Riff:
    """What a WAV file consists of."""

    form: Literal["RIFF", "RF64", "BW64"]
    n_bytes: int
    """Size of the file."""
    chunks: tuple[Chunk, ...]
    """In the order of the file."""
    format: Format | None
    """None: there is no ``fmt `` that can be read."""
    n_left_over: int
    """Bytes at the end that are part of no chunk."""

    def chunk(self, name: str) -> Chunk | None:
        """Return the first chunk of a name; None: there is none."""
        return next((chunk for chunk in self.chunks if chunk.name == name), None)

    @property
    def data(self) -> Chunk | None:
        """The samples."""
        return self.chunk("data")


def read_riff(stream: BinaryIO) -> Riff | None:
    """List the chunks of a WAV file.

    What the header says of the samples' length is believed if what follows them are
    chunks up to the end of the file, or if it may at least be true. Where it says
    nothing, or the file is longer than 4 GiB and does not fit, ``data`` reaches to the
    end of the file, less well-formed chunks there, in whole samples.

    Parameters
    ----------
    stream
        Binary, with ``seek``; its position is moved.

    Returns
    -------
    riff
        None: the file is of another kind (or RIFX, which is big-endian).

    Raises
    ------
    OSError
        As the stream raises it.
    """
    source = _Source(stream)
    head = source.at(0, 12)
    form = head[:4].decode("latin-1")
    if len(head) < 12 or head[8:12] != b"WAVE":
        return None
    if form not in ("RIFF", "RF64", "BW64"):
        return None
    chunks: list[Chunk] = []
    position = 12
    sizes: dict[str, int] = {}
    while len(chunks) < MAX_CHUNKS:
        chunk = _chunk_at(source, position, sizes)
        if chunk is None:
            break
        if chunk.name == "ds64":
            sizes = _long_sizes(source.at(chunk.offset, min(chunk.size, 4_096)))
        if chunk.name == "data":
            chunk = _true_data(source, chunk, _block_align(source, chunks))
        chunks.append(chunk)
        position = _behind(source, chunk)
    return Riff(
        form=form,  # type: ignore[arg-type]
        n_bytes=source.n_bytes,
        chunks=tuple(chunks),
        format=_format(source, chunks),
        n_left_over=max(0, source.n_bytes - position),
    )


def read_chunk(stream: BinaryIO, chunk: Chunk, *, limit: int = 1 << 20) -> bytes:
    """Read a chunk's body, ``limit`` bytes of it at most.

    Raises
    ------
    OSError
        As the stream raises it.
    """
    stream.seek(chunk.offset)
    return stream.read(max(0, min(chunk.size, limit)))


class _Source:
    """A stream read by offset, its last kilobytes kept."""

    def __init__(self, stream: BinaryIO) -> None:
        self.stream = stream
        self.n_bytes = stream.seek(0, io.SEEK_END)
        self.start = 0
        self.kept = b""

    def at(self, offset: int, n: int) -> bytes:
        """Return ``n`` bytes, fewer at the end of the file."""
        if offset >= self.n_bytes or n <= 0:
            return b""
        first = offset - self.start
        if first < 0 or first + n > len(self.kept):
            self.stream.seek(offset)
            self.kept = self.stream.read(max(n, _HEAD))
            self.start, first = offset, 0
        return self.kept[first : first + n]


def _chunk_at(source: _Source, position: int, sizes: dict[str, int]) -> Chunk | None:
    head = source.at(position, 8)
    if len(head) < 8 or not _is_name(head[:4]):
        return None
    name = head[:4].decode("ascii")
    promised: int = struct.unpack_from("<I", head, 4)[0]
    if name in sizes and promised in (0, 0xFFFFFFFF):
        promised = sizes[name]
    offset = position + 8
    size = min(promised, source.n_bytes - offset)
    return Chunk(name=name, offset=offset, size=size, promised=promised)


def _is_name(four: bytes) -> bool:
    return len(four) == 4 and all(32 <= byte < 127 for byte in four) and four != b"    "


def _long_sizes(body: bytes) -> dict[str, int]:
    """Return the 64-bit sizes of a ``ds64`` chunk, of ``data`` and of its table."""
    if len(body) < 16:
        return {}
    sizes = {"data": int(struct.unpack_from("<Q", body, 8)[0])}
    n_rows = struct.unpack_from("<I", body, 24)[0] if len(body) >= 28 else 0
    for row in range(min(n_rows, (len(body) - 28) // 12)):
        name, size = struct.unpack_from("<4sQ", body, 28 + 12 * row)
        sizes[name.decode("latin-1")] = size
    return sizes


def _behind(source: _Source, chunk: Chunk) -> int:
    """Return where the next chunk begins; some writers forget the padding byte."""
    end = chunk.offset + chunk.size
    if chunk.size % 2 == 0 or end >= source.n_bytes:
        return end
    forgot = _is_name(source.at(end, 4)) and not _is_name(source.at(end + 1, 4))
    return end if forgot else min(end + 1, source.n_bytes)


def _true_data(source: _Source, chunk: Chunk, block_align: int) -> Chunk:
    promised = chunk.promised or 0
    end = chunk.offset + promised
    fits = end <= source.n_bytes
    if fits and _ends_well(source, _behind(source, chunk)):
        return chunk
    silent = promised in _NO_SIZE or promised >= 0xFFFFFF00
    if promised < _FOUR_GIB and source.n_bytes > _FOUR_GIB:
        silent = True  # the size has wrapped around, or nobody had room to write it
    if fits and not silent:
        return chunk
    size = _start_of_tail(source, chunk.offset) - chunk.offset
    if silent or promised - size >= block_align:
        size -= size % block_align
    return Chunk(
        name=chunk.name,
        offset=chunk.offset,
        size=size,
        promised=None if silent else promised,
    )


def _ends_well(source: _Source, position: int) -> bool:
    """Say whether well-formed chunks lead from a position to the end of the file."""
    for _ in range(MAX_CHUNKS):
        if position in (source.n_bytes, source.n_bytes - 1):
            return True
        chunk = _chunk_at(source, position, {})
        if chunk is None or chunk.size != chunk.promised:
            return False
        position = _behind(source, chunk)
    return False


def _start_of_tail(source: _Source, first: int) -> int:
    """Return where the chunks behind the samples begin, or the end of the file."""
    start = max(first, source.n_bytes - _TAIL)
    tail = source.at(start, source.n_bytes - start)
    for offset in sorted(_places(tail))[:MAX_CHUNKS]:
        if _ends_well(source, start + offset):
            return start + offset
    return source.n_bytes


def _places(tail: bytes) -> Iterator[int]:
    for name in _TRAILING:
        place = tail.find(name)
        while place >= 0:
            yield place
            place = tail.find(name, place + 1)


def _block_align(source: _Source, chunks: list[Chunk]) -> int:
    found = _format(source, chunks)
    return max(1, found.block_align) if found else 1


def _format(source: _Source, chunks: list[Chunk]) -> Format | None:
    chunk = next((chunk for chunk in chunks if chunk.name == "fmt "), None)
    body = source.at(chunk.offset, min(chunk.size, 40)) if chunk else b""
    if len(body) < 16:
        return None
    tag, n_channels, rate, _, block_align, bits = struct.unpack_from("<HHIIHH", body)
    if tag == _EXTENSIBLE and len(body) >= 26:
        tag = struct.unpack_from("<H", body, 24)[0]
    return Format(
        tag=tag,
        n_channels=n_channels,
        sample_rate=rate,
        block_align=block_align,
        bits=bits,
    )
