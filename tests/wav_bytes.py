"""WAV files byte by byte, with the chunks that recorders write."""

from __future__ import annotations

import struct
from collections.abc import Sequence
from datetime import datetime

__all__ = ["chunk", "fmt", "guano", "harp", "info", "wamd", "wave"]


def chunk(
    name: bytes, body: bytes, *, size: int | None = None, pad: bool = True
) -> bytes:
    """Return a chunk's bytes, with another size in its header if one is given."""
    head = name + struct.pack("<I", len(body) if size is None else size)
    return head + body + (b"\0" if pad and len(body) % 2 else b"")


def fmt(*, rate: int = 48_000, n_channels: int = 1, bits: int = 16) -> bytes:
    align = n_channels * bits // 8
    body = struct.pack("<HHIIHH", 1, n_channels, rate, rate * align, align, bits)
    return chunk(b"fmt ", body)


def wave(*parts: bytes, form: bytes = b"RIFF", size: int | None = None) -> bytes:
    body = b"WAVE" + b"".join(parts)
    return form + struct.pack("<I", len(body) if size is None else size) + body


def guano(timestamp: str, *more: str) -> bytes:
    lines = ["GUANO|Version:1.0", f"Timestamp:{timestamp}", *more]
    return chunk(b"guan", "\n".join(lines).encode())


def info(comment: str) -> bytes:
    """Return AudioMoth's ``LIST``: its comment, and who wrote it."""
    parts = chunk(b"ICMT", comment.encode() + b"\0" * (384 - len(comment)))
    return chunk(
        b"LIST", b"INFO" + parts + chunk(b"IART", b"AudioMoth 24E144085F256BC4")
    )


def wamd(timestamp: str, *, expansion: int | None = None) -> bytes:
    entries = [(0, struct.pack("<H", 1)), (1, b"SM4"), (5, timestamp.encode())]
    if expansion is not None:
        entries.append((15, struct.pack("<H", expansion)))
    body = b"".join(struct.pack("<HI", n, len(text)) + text for n, text in entries)
    return chunk(b"wamd", body)


def harp(
    records: Sequence[tuple[datetime, int]],
    *,
    data_offset: int,
    rate: int,
    version: int = 1,
    n_channels: int = 1,
    gains: Sequence[int] | None = None,
    rates: Sequence[int] | None = None,
    align: int = 2,
) -> bytes:
    """Return the chunk that Triton writes: of each raw file its start and its length.

    ``records`` are starts, and lengths in samples of all channels.
    """
    extra = struct.pack(f"<{n_channels}f", *[0.0] * n_channels) if version == 2 else b""
    body = struct.pack(
        "<B10s4s4s8sB8sHiih",
        *(version, b"V2.64", b"DL08", b"CB", b"CINMS", 1, b"12345678"),
        *(len(records), -12_000_000, 3_400_000, 100),
    )
    body += extra + bytes(8)
    offset = data_offset
    for number, (start, n_samples) in enumerate(records):
        n_bytes = n_samples * align
        body += struct.pack(
            "<6BHIIIIB7x",
            start.year - (1900 if start.year < 2000 else 2000),
            *(start.month, start.day, start.hour, start.minute, start.second),
            start.microsecond // 1000,
            *(offset % (1 << 32), n_bytes, n_bytes // 512),
            rates[number] if rates else rate,
            gains[number] if gains else 1,
        )
        body += extra
        offset += n_bytes
    return chunk(b"harp", body)
