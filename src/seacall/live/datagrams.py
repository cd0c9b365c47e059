"""Raw PCM in UDP packets, numbered or not: gaps, late and doubled packets are found."""

from __future__ import annotations

import socket
import struct
from collections.abc import Iterator
from dataclasses import dataclass
from threading import Event
from typing import Literal

from seacall.errors import AudioError, SettingsError
from seacall.live.pcm import PcmForm, PcmReader
from seacall.live.source import (
    BLOCK_S,
    Block,
    End,
    Heard,
    Start,
    Trouble,
    begun_before,
)

Header = Literal["none", "u32", "rtp"]

HEADERS: dict[str, tuple[int, int]] = {"none": (0, 0), "u32": (4, 32), "rtp": (12, 16)}
"""Bytes before the samples, and bits of the packet's number in them. ``u32`` is a
big-endian counter, ``rtp`` the fixed header of RFC 3550 (section 5.1)."""
_TURN_S = 0.2
_RECEIVE_BYTES = 4 << 20
"""Asked of the kernel for packets that wait; it may give less."""
_STALL_TURNS = 15
"""Turns without a packet after which the segment is over: 3 s."""


@dataclass(frozen=True)
class Order:
    """Where a packet stands among those before it."""

    kind: Literal["next", "gap", "late", "duplicate"]
    n_lost: int = 0


class Numbers:
    """Follows packet numbers that wrap around.

    Parameters
    ----------
    bits
        Of a number.
    """

    def __init__(self, bits: int) -> None:
        self._size = 1 << bits
        self._expected: int | None = None
        self._recent: dict[int, None] = {}

    def order(self, number: int) -> Order:
        """Say where the packet with this number stands.

        Examples
        --------
        >>> numbers = Numbers(16)
        >>> [numbers.order(n).kind for n in (65_535, 0, 0, 3, 2)]
        ['next', 'next', 'duplicate', 'gap', 'late']
        """
        expected = number if self._expected is None else self._expected
        ahead = (number - expected) % self._size
        if ahead >= self._size // 2:
            return Order("duplicate" if number in self._recent else "late")
        self._expected = (number + 1) % self._size
        self._recent[number] = None
        if len(self._recent) > 256:
            del self._recent[next(iter(self._recent))]
        return Order("gap" if ahead else "next", ahead)

    def forget(self) -> None:
        """Take whatever comes next for the first."""
        self._expected = None
        self._recent.clear()


class Udp:
    """Raw PCM in packets that arrive at a port.

    Parameters
    ----------
    host, port
        Where to listen; an empty host is the loopback.
    form
        Layout of the samples.
    header
        What comes before them in each packet.
    fill_s
        Gaps up to this length are filled with silence, s; longer ones begin a segment.
    """

    running = True

    def __init__(
        self,
        host: str,
        port: int,
        form: PcmForm,
        *,
        header: str = "none",
        fill_s: float = 0.0,
    ) -> None:
        if header not in HEADERS:
            raise SettingsError(
                f"header {header!r}: is not known; choose from {', '.join(HEADERS)}"
            )
        self.name = f"udp://{host}:{port}"
        self._address = host or "127.0.0.1", port
        self._form = form
        self._header = header
        self._fill_s = fill_s
        self.port = port
        """Where it listens; of port 0 the one that was given by the system."""

    def heard(self, stop: Event) -> Iterator[Heard]:
        """Yield a new segment after each gap, and after each silence of the network."""
        with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as receiver:
            receiver.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, _RECEIVE_BYTES)
            try:
                receiver.bind(self._address)
            except OSError as error:
                raise AudioError(
                    f"{self.name}: cannot listen there ({error.strerror}); choose "
                    "another port or address"
                ) from error
            self.port = receiver.getsockname()[1]
            receiver.settimeout(_TURN_S)
            packets = _Packets(self._form, self._header, self._fill_s)
            yield from packets.segments(receiver, stop)


class _Packets:
    """From packets to segments."""

    def __init__(self, form: PcmForm, header: str, fill_s: float) -> None:
        self._form = form
        self._fill_bytes = int(fill_s * form.sample_rate) * form.frame_bytes
        self._header = header
        self._lead, bits = HEADERS[header]
        self._numbers = Numbers(bits) if bits else None
        self._reader: PcmReader | None = None
        self._position = -1  # no segment is open
        self._why = "first packet"
        self._idle = 0

    def segments(self, receiver: socket.socket, stop: Event) -> Iterator[Heard]:
        while not stop.is_set():
            try:
                packet = receiver.recv(1 << 16)
            except TimeoutError:
                self._idle += 1
                if self._idle == _STALL_TURNS and self._reader:
                    yield from self._break("no packets for 3 s")
                    if self._numbers:
                        self._numbers.forget()
                continue
            self._idle = 0
            yield from self._take(packet)
        yield from self._flush(b"", last=True)

    def _take(self, packet: bytes) -> Iterator[Heard]:
        if len(packet) < self._lead:
            yield Trouble("unreadable", f"a packet of {len(packet)} bytes, no header")
            return
        if self._numbers:
            number = self._number(packet)
            order = self._numbers.order(number)
            if order.kind in ("late", "duplicate"):
                yield Trouble(order.kind, f"packet {number}; left out")
                return
            if order.kind == "gap":
                text = f"{order.n_lost} packets lost before packet {number}"
                yield from self._gap(order.n_lost * (len(packet) - self._lead), text)
        yield from self._flush(packet[self._lead :])

    def _gap(self, n_bytes: int, text: str) -> Iterator[Heard]:
        """Fill what is missing, if it is little: each segment costs its last clip."""
        if self._reader is not None and n_bytes <= self._fill_bytes:
            yield Trouble("gap", f"{text}; filled with silence")
            yield from self._flush(bytes(n_bytes))
            return
        yield from self._break(text)
        yield Trouble("gap", text)

    def _number(self, packet: bytes) -> int:
        where, form = (2, ">H") if self._header == "rtp" else (0, ">I")
        return int(struct.unpack_from(form, packet, where)[0])

    def _flush(self, data: bytes, *, last: bool = False) -> Iterator[Heard]:
        form = self._form
        if self._reader is None:
            length = round(BLOCK_S * form.sample_rate)
            self._reader = PcmReader(form, block_length=length)
        y = self._reader.push(data, last=last)
        if y is None:
            return
        if self._position < 0:
            start = begun_before(len(y), form.sample_rate)
            yield Start(form.sample_rate, form.n_channels, start, self._why)
            self._position = 0
        yield Block(y, self._position)
        self._position += len(y)

    def _break(self, why: str) -> Iterator[Heard]:
        yield from self._flush(b"", last=True)
        if self._position >= 0:
            yield End(why)
        self._reader, self._position, self._why = None, -1, why
