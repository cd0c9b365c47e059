"""Streams of raw PCM bytes: standard input, and TCP."""

from __future__ import annotations

import os
import select
import socket
import sys
import time
from collections.abc import Iterator
from threading import Event

from seacall.live.pcm import PcmForm, PcmReader
from seacall.live.source import (
    BLOCK_S,
    OVER,
    Block,
    End,
    Heard,
    Start,
    begun_before,
    reconnecting,
)

_READ_BYTES = 1 << 16
_TURN_S = 0.2
"""How long is waited for bytes before looking whether to stop, s."""
STALL_S = 30.0
"""A connection without a byte for so long is given up: the other side may be gone
without a word."""


def blocks_of(
    chunks: Iterator[bytes], form: PcmForm, *, why: str, key: str = ""
) -> Iterator[Heard]:
    """Make a segment of bytes; it starts when the first of them arrive."""
    reader = PcmReader(form, block_length=round(BLOCK_S * form.sample_rate))
    position, begun = 0, False

    def out(data: bytes, *, last: bool) -> Iterator[Heard]:
        nonlocal position, begun
        y = reader.push(data, last=last)
        if y is None:
            return
        if not begun:
            start = begun_before(len(y), form.sample_rate)
            yield Start(form.sample_rate, form.n_channels, start, why, key)
            begun = True
        yield Block(y, position)
        position += len(y)

    for data in chunks:
        yield from out(data, last=False)
    yield from out(b"", last=True)


class Stdin:
    """Raw PCM on standard input; it ends with it.

    Parameters
    ----------
    form
        Layout of the bytes.
    handle
        File descriptor to read; None: that of standard input.
    """

    name = "-"
    running = False

    def __init__(self, form: PcmForm, handle: int | None = None) -> None:
        self._form = form
        self._handle = handle

    def heard(self, stop: Event) -> Iterator[Heard]:
        """Yield one segment."""
        yield from blocks_of(self._chunks(stop), self._form, why="begin of the input")
        yield End(OVER)

    def _chunks(self, stop: Event) -> Iterator[bytes]:
        handle = sys.stdin.fileno() if self._handle is None else self._handle
        while not stop.is_set():
            if select.select([handle], [], [], _TURN_S)[0]:
                data = os.read(handle, _READ_BYTES)
                if not data:
                    return
                yield data


class Tcp:
    """Raw PCM from a TCP server that is connected to; again whenever it breaks off.

    Parameters
    ----------
    host, port
        The server.
    form
        Layout of the bytes.
    first_wait_s
        Before the first new attempt, s; then doubled.
    """

    running = True

    def __init__(
        self, host: str, port: int, form: PcmForm, *, first_wait_s: float = 1.0
    ) -> None:
        self.name = f"tcp://{host}:{port}"
        self._address = host, port
        self._form = form
        self._first_wait_s = first_wait_s

    def heard(self, stop: Event) -> Iterator[Heard]:
        """Yield a segment for each connection."""
        return reconnecting(
            lambda: blocks_of(self._chunks(stop), self._form, why="connected"),
            stop,
            first_wait_s=self._first_wait_s,
        )

    def _chunks(self, stop: Event) -> Iterator[bytes]:
        with socket.create_connection(self._address, timeout=10) as connection:
            connection.settimeout(_TURN_S)
            heard_at = time.monotonic()
            while not stop.is_set():
                try:
                    data = connection.recv(_READ_BYTES)
                except TimeoutError:
                    if time.monotonic() - heard_at > STALL_S:
                        raise OSError(f"no byte for {STALL_S:g} s") from None
                    continue
                if not data:
                    return
                heard_at = time.monotonic()
                yield data
