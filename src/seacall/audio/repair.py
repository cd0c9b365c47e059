"""Show libsndfile a damaged file as it should have been: headers after a power cut.

What libsndfile 1.2.2 makes of them, measured: no samples where the header gives no
length, the first 4 GiB of longer files, samples that a cut file does not have.
"""

from __future__ import annotations

import io
import struct
from dataclasses import dataclass
from typing import Any, BinaryIO

from seacall.audio.reach import flac_reach, mp3_share, ogg_is_whole
from seacall.audio.riff import Chunk, Riff, read_chunk, read_riff
from seacall.errors import AudioError

_STALE_BYTES = 1 << 16
"""Behind the samples and in no chunk: a header that was last renewed in between."""
_FOUR_GIB = 1 << 32
_PLAIN = frozenset({1, 3, 6, 7})
"""Tags of formats whose blocks are single samples: integers, floats, A-law, u-law."""


@dataclass(frozen=True)
class Repair:
    """What was found wrong with a file, and how to read it nevertheless."""

    repaired: str = ""
    """What was put right, in words."""
    cut_off: str = ""
    """What is missing at its end, in words."""
    view: View | None = None
    """The file as it should have been; None: libsndfile reads it as it is."""


class View(io.RawIOBase):
    """A file with another beginning: ``head``, then bytes ``skip`` to ``end``.

    libsndfile calls it and cannot pass an exception on; the error is kept in
    ``failure``, and the file seems to end.
    """

    def __init__(
        self,
        stream: BinaryIO,
        *,
        head: bytes = b"",
        skip: int = 0,
        end: int | None = None,
    ) -> None:
        self.failure: Exception | None = None
        self._stream = stream
        self._head = head
        self._shift = skip - len(head)
        end = stream.seek(0, io.SEEK_END) if end is None else end
        self._n_bytes = len(head) + max(0, end - skip)
        self._position = 0

    def readable(self) -> bool:
        """Return True."""
        return True

    def seekable(self) -> bool:
        """Return True."""
        return True

    def seek(self, offset: int, whence: int = io.SEEK_SET) -> int:
        """Move to an offset."""
        base = {io.SEEK_SET: 0, io.SEEK_CUR: self._position, io.SEEK_END: self._n_bytes}
        self._position = max(0, base[whence] + offset)
        return self._position

    def tell(self) -> int:
        """Return the offset."""
        return self._position

    def readinto(self, buffer: Any) -> int:
        """Fill a buffer, less at the end or where the file cannot be read."""
        view = memoryview(buffer).cast("B")
        wanted = max(0, min(len(view), self._n_bytes - self._position))
        part = self._head[self._position : self._position + wanted]
        view[: len(part)] = part
        done = len(part)
        try:
            if done < wanted:
                self._stream.seek(self._position + done + self._shift)
            while done < wanted:
                n = self._stream.readinto(view[done:wanted])  # type: ignore[attr-defined]
                if not n:
                    break
                done += n
        except (OSError, AudioError) as error:
            self.failure = error
        self._position += done
        return done


def examine(stream: BinaryIO) -> Repair:
    """Look for what is wrong with a recording's header and its end.

    Raises
    ------
    OSError, AudioError
        As the stream raises them.
    """
    stream.seek(0)
    magic = stream.read(4)
    if magic in (b"RIFF", b"RF64", b"BW64"):
        riff = read_riff(stream)
        return _examine_riff(stream, riff) if riff else Repair()
    if magic == b"fLaC":
        return _examine_flac(stream)
    if magic == b"OggS" and not ogg_is_whole(stream):
        return Repair(cut_off="its last page is missing")
    if magic[:3] == b"ID3" or (magic[:1] == b"\xff" and magic[1:2] >= b"\xe0"):
        share = mp3_share(stream)
        if share < 1:
            return Repair(cut_off=f"{share:.1%} of the bytes it promises are there")
    return Repair()


def _examine_flac(stream: BinaryIO) -> Repair:
    reach = flac_reach(stream)
    if reach is None or reach.is_whole:
        return Repair()
    view = View(stream, head=reach.head, skip=len(reach.head), end=reach.end)
    if reach.promised == 0:
        return Repair(repaired="its header gives no length", view=view)
    if reach.n_samples > reach.promised:
        said = f"its header says {reach.promised} samples, {reach.n_samples} are there"
        return Repair(repaired=said, view=view)
    return Repair(cut_off=shortfall(reach.promised, reach.n_samples), view=view)


def shortfall(promised: int, found: int) -> str:
    """Say how many samples are missing."""
    return f"its header promises {promised} samples and {found} are there"


def _examine_riff(stream: BinaryIO, riff: Riff) -> Repair:
    data, form = riff.data, riff.format
    if data is None or form is None or form.block_align == 0:
        return Repair()
    n_bytes, repaired = _true_size(stream, riff, data)
    promised = data.promised
    cut_off = ""
    if promised is not None and (promised - n_bytes) // form.block_align > 0:
        cut_off = f"{n_bytes} of {promised} bytes of samples are there"
        if form.tag in _PLAIN:
            n = promised // form.block_align
            cut_off = shortfall(n, n_bytes // form.block_align)
    if not repaired and not cut_off:
        return Repair()
    head = _wav_head(read_chunk(stream, _chunk(riff, "fmt ")), n_bytes)
    view = View(stream, head=head, skip=data.offset, end=data.offset + n_bytes)
    return Repair(repaired, cut_off, view)


def _true_size(stream: BinaryIO, riff: Riff, data: Chunk) -> tuple[int, str]:
    """Return how many bytes of samples there are, and why the header is not believed.

    The reason is empty where libsndfile finds the samples by itself.
    """
    if data.promised is None:
        if data.size == 0:
            return 0, ""
        if riff.n_bytes > _FOUR_GIB and riff.form == "RIFF":
            return data.size, "its header has no room for a length beyond 4 GiB"
        return data.size, "its header gives no length"
    behind = data.offset + data.size
    if riff.chunks[-1] is data and riff.n_left_over >= _STALE_BYTES:
        stream.seek(behind)
        if any(stream.read(4_096)):
            assert riff.format is not None
            n_more = riff.n_bytes - behind
            n_bytes = data.size + n_more
            n_bytes -= n_bytes % riff.format.block_align
            return n_bytes, f"{n_more} bytes of samples lie behind the end it gives"
    if riff.form == "BW64":
        return data.size, "BW64 was read as RF64"
    if _lacks_padding(riff):
        return data.size, "its header lacks a padding byte"
    return data.size, ""


def _lacks_padding(riff: Riff) -> bool:
    """Say whether a chunk before the samples does not end where libsndfile thinks."""
    expected = 12
    for chunk in riff.chunks:
        if chunk.offset != expected + 8:
            return True
        if chunk.name == "data":
            return False
        expected = chunk.offset + chunk.size + chunk.size % 2
    return False


def _chunk(riff: Riff, name: str) -> Chunk:
    found = riff.chunk(name)
    assert found is not None
    return found


def _wav_head(format_body: bytes, n_bytes: int) -> bytes:
    """Return a header for ``n_bytes`` of samples: WAV, or RF64 beyond 4 GiB."""
    fmt = format_body + b"\0" * (len(format_body) % 2)
    fmt = b"fmt " + struct.pack("<I", len(format_body)) + fmt
    size = 4 + len(fmt) + 8 + n_bytes
    if size < _FOUR_GIB - 64:
        return (
            struct.pack("<4sI4s", b"RIFF", size, b"WAVE")
            + fmt
            + struct.pack("<4sI", b"data", n_bytes)
        )
    ds64 = struct.pack("<4sIQQQI", b"ds64", 28, size + 36, n_bytes, 0, 0)
    return (
        struct.pack("<4sI4s", b"RF64", 0xFFFFFFFF, b"WAVE")
        + ds64
        + fmt
        + struct.pack("<4sI", b"data", 0xFFFFFFFF)
    )
