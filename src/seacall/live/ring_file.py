"""A ring of spectrum columns in a file: one process writes it, others read along.

Every column has a number and a checksum of its own. A reader that comes while a column
is written, or after it was written over, sees that it is not the one it asked for and
leaves it out: nothing is locked, and the writer never waits. Plain reads and writes in
place of a memory map: on a full disk these are errors, a map would end the process.
"""

from __future__ import annotations

import os
import struct
import time
import zlib
from collections.abc import Sequence
from contextlib import suppress
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from seacall.files import written_whole

_MAGIC = b"SEASPEC1"
_HEADER = struct.Struct("<8sIIIIfffQ")
_CHECK = struct.Struct("<I")
_NEXT = struct.Struct("<q")
_NEXT_AT = _HEADER.size + _CHECK.size
_SLOTS_AT = 64
_MOST_BINS, _MOST_SLOTS = 4_096, 100_000
"""More than any file of ours has: what says so is no such file."""
UNDATED = -1
"""In place of a time that is not known."""


@dataclass(frozen=True)
class RingForm:
    """What all columns of a ring have in common."""

    n_bins: int
    n_slots: int
    """Columns that are kept."""
    column_length: int
    """Samples from one column's start to the next."""
    sample_rate: int
    """Hz."""
    top_hz: float
    """Upper edge of the highest bin, Hz; the lowest begins at 0."""
    low_db: float
    """What 0 stands for, dBFS: a sine of full scale is at 0."""
    high_db: float
    """What 255 stands for, dBFS."""

    @property
    def column_s(self) -> float:
        """From one column's start to the next, s."""
        return self.column_length / self.sample_rate

    @property
    def dtype(self) -> np.dtype[Any]:
        """One column as it lies in the file; the checksum is of all that follows it."""
        return np.dtype(
            [
                ("check", "<u4"),
                ("number", "<i8"),
                ("start_us", "<i8"),
                ("start_s", "<f8"),
                ("peak_db", "<f4"),
                ("rms_db", "<f4"),
                ("bins", "u1", (self.n_bins,)),
            ]
        )


class RingWriter:
    """Writes a ring; a new one begins with number 0.

    Parameters
    ----------
    path
        The file; its folder is there. Another one of that name is replaced, and whoever
        reads it notices.
    form
        What all columns have in common.

    Raises
    ------
    OSError
        If it cannot be written.
    """

    def __init__(self, path: Path, form: RingForm) -> None:
        self.form = form
        self._dtype = form.dtype
        self._next = 0
        values = (form.n_bins, form.n_slots, form.column_length, form.sample_rate)
        range_ = (form.top_hz, form.low_db, form.high_db)
        header = _HEADER.pack(_MAGIC, *values, *range_, time.time_ns())
        header += _CHECK.pack(zlib.crc32(header)) + _NEXT.pack(0)
        size = _SLOTS_AT + form.n_slots * self._dtype.itemsize
        with written_whole(path) as part:
            # All of it at once: a disk that is full says so now.
            part.write_bytes(header.ljust(size, b"\xff"))
            self._file = os.open(part, os.O_RDWR)

    def write(self, columns: NDArray[Any]) -> None:
        """Write columns, shape ``(n,)`` of ``form.dtype``; number and check are set.

        Raises
        ------
        OSError
            If it cannot be written.
        """
        size = self._dtype.itemsize
        for column in columns[-self.form.n_slots :]:
            column["number"] = self._next
            column["check"] = zlib.crc32(column.tobytes()[4:])
            at = _SLOTS_AT + (self._next % self.form.n_slots) * size
            os.pwrite(self._file, column.tobytes(), at)
            self._next += 1
        os.pwrite(self._file, _NEXT.pack(self._next), _NEXT_AT)

    def close(self) -> None:
        """Let go of the file."""
        with suppress(OSError):
            os.close(self._file)


@dataclass(frozen=True)
class Columns:
    """What was read: columns in order, some may be missing."""

    form: RingForm
    rows: NDArray[Any]
    """Shape ``(n,)`` of ``form.dtype``."""

    def runs(self) -> Sequence[NDArray[Any]]:
        """Return stretches in which each column follows the one before in time."""
        steps = np.diff(self.rows["start_s"])
        off = np.abs(steps - self.form.column_s) > self.form.column_s / 2
        jumps = np.flatnonzero(off | (np.diff(self.rows["number"]) != 1)) + 1
        return [run for run in np.split(self.rows, jumps) if len(run)]


class RingReader:
    """Follows a ring that another process writes.

    Parameters
    ----------
    path
        The file; it may come later, go, and be replaced.
    """

    def __init__(self, path: Path) -> None:
        self._path = path
        self._epoch = 0
        self._next = 0

    def take(self, *, most: int) -> Columns | None:
        """Return what came since the last call, the last ``most`` columns of it."""
        return self._read(most, anew=True)

    def again(self, *, most: int) -> Columns | None:
        """Return the last ``most`` columns of what was taken before."""
        return self._read(most, anew=False)

    def _read(self, most: int, *, anew: bool) -> Columns | None:
        try:
            file = os.open(self._path, os.O_RDONLY)
        except OSError:
            return None
        try:
            return self._columns(file, most, anew=anew)
        except OSError:
            return None
        finally:
            os.close(file)

    def _columns(self, file: int, most: int, *, anew: bool) -> Columns | None:
        head = os.pread(file, _SLOTS_AT, 0)
        found = _form_of(head)
        if found is None:
            return None
        form, epoch = found
        if epoch != self._epoch:
            self._epoch, self._next = epoch, 0
        before, (written,) = self._next, _NEXT.unpack_from(head, _NEXT_AT)
        if anew:
            self._next = max(before, written)
        end = self._next
        first = max(0, end - min(most, form.n_slots), before if anew else 0)
        rows = _slots(file, form, first, end)
        return Columns(form, rows) if len(rows) else None


def _form_of(head: bytes) -> tuple[RingForm, int] | None:
    """Return what a header says; None: it is no header of a ring."""
    if len(head) < _SLOTS_AT or not head.startswith(_MAGIC):
        return None
    (check,) = _CHECK.unpack_from(head, _HEADER.size)
    if check != zlib.crc32(head[: _HEADER.size]):
        return None
    _, *values, epoch = _HEADER.unpack_from(head)
    form = RingForm(*values)
    if not (0 < form.n_bins <= _MOST_BINS and 0 < form.n_slots <= _MOST_SLOTS):
        return None
    return (form, epoch) if form.sample_rate and form.column_length else None


def _slots(file: int, form: RingForm, first: int, end: int) -> NDArray[Any]:
    """Read the columns of these numbers; those that are others' or torn are left."""
    dtype, n = form.dtype, form.n_slots
    parts = []
    while first < end:
        slot = first % n
        count = min(end - first, n - slot)
        data = os.pread(file, count * dtype.itemsize, _SLOTS_AT + slot * dtype.itemsize)
        whole = len(data) - len(data) % dtype.itemsize
        rows = np.frombuffer(data[:whole], dtype)
        parts.append(rows[_are_right(rows, first)])
        first += count
    return np.concatenate(parts) if parts else np.empty(0, dtype)


def _are_right(rows: NDArray[Any], first: int) -> NDArray[np.bool_]:
    numbered = rows["number"] == first + np.arange(len(rows))
    whole = [zlib.crc32(row.tobytes()[4:]) == row["check"] for row in rows]
    return np.asarray(numbered & np.array(whole, bool), np.bool_)
