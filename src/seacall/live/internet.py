"""Sound from HTTP, Icecast and HLS streams, decoded by PyAV (FFmpeg's libraries)."""

from __future__ import annotations

from collections import deque
from collections.abc import Iterator
from threading import Event
from typing import Any
from urllib.parse import urlsplit, urlunsplit

import numpy as np

from seacall.errors import AudioError, require
from seacall.live.source import (
    OVER,
    Block,
    End,
    Float32,
    Heard,
    Start,
    Trouble,
    begun_before,
    reconnecting,
)

_TIMEOUT_S = 15.0
_JUMP_S = 0.1
"""Time stamps that are further from where they should be are a gap; those of encoders
are rounded to milliseconds."""
_RECENT = 4_096
"""Packets that are remembered: a minute and a half of AAC at 48 kHz."""
_IN_A_ROW = 3
"""Packets heard before, one after another, that make it sure."""


class Internet:
    """A stream that is named by a URL; again whenever it breaks off.

    Parameters
    ----------
    url
        Anything that FFmpeg opens: ``http(s)://``, an HLS playlist, ``rtsp://``.
    first_wait_s
        Before the first new attempt, s; then doubled.
    """

    running = True

    def __init__(self, url: str, *, first_wait_s: float = 1.0) -> None:
        self._url = url
        self.name = _without_password(url)
        self._first_wait_s = first_wait_s
        self._recent: deque[int] = deque(maxlen=_RECENT)

    def heard(self, stop: Event) -> Iterator[Heard]:
        """Yield a segment for each connection, and a new one behind each gap.

        Raises
        ------
        MissingExtraError
            If PyAV is not installed.
        """
        av = require("av", "live")
        return reconnecting(
            lambda: self._connected(av, stop), stop, first_wait_s=self._first_wait_s
        )

    def _connected(self, av: Any, stop: Event) -> Iterator[Heard]:
        try:
            with av.open(self._url, timeout=_TIMEOUT_S) as container:
                if not container.streams.audio:
                    raise AudioError(f"{self.name}: holds no sound; name another URL")
                yield from _Decoded(av, container, self._recent).heard(stop)
                if container.duration:
                    yield End(OVER)
        except av.error.FFmpegError as error:
            raise AudioError(f"{self.name}: {error}") from error


def _without_password(url: str) -> str:
    """Return a URL as it may be shown and stored."""
    parts = urlsplit(url)
    host = parts.netloc.rpartition("@")[2]
    return urlunsplit(parts._replace(netloc=host))


class _Decoded:
    """The sound of one connection."""

    def __init__(self, av: Any, container: Any, recent: deque[int]) -> None:
        self._container = container
        self._stream = container.streams.audio[0]
        self._resampler = av.AudioResampler(format="flt")
        self._invalid = av.error.InvalidDataError
        self._recent = recent
        self._seen = frozenset(recent)
        self._n_again = 0
        self._next_s: float | None = None
        self._position = -1
        self._rate = 0

    def heard(self, stop: Event) -> Iterator[Heard]:
        for packet in self._container.demux(self._stream):
            if stop.is_set():
                return
            if packet.dts is None:
                continue
            if self._heard_before(bytes(packet)):
                if self._n_again == _IN_A_ROW:
                    yield Trouble("duplicate", "the stream repeats itself; left out")
                continue
            try:
                frames = packet.decode()
            except self._invalid as error:
                yield Trouble("unreadable", f"a damaged packet ({error})")
                continue
            for frame in frames:
                yield from self._take(frame)

    def _heard_before(self, data: bytes) -> bool:
        """Tell packets of an earlier connection, as servers send them again.

        Those of silence are all alike, and short.
        """
        key = hash(data)
        self._recent.append(key)
        again = key in self._seen and len(set(data)) > 32
        self._n_again = self._n_again + 1 if again else 0
        return self._n_again >= _IN_A_ROW

    def _take(self, frame: Any) -> Iterator[Heard]:
        for part in self._resampler.resample(frame):
            y = _samples(part)
            time_s = None if part.time is None else float(part.time)
            jump_s = self._jump_s(time_s)
            if jump_s and self._position >= 0:
                kind, what = ("gap", "missing") if jump_s > 0 else ("late", "again")
                text = f"{abs(jump_s):.2f} s of the stream are {what}"
                yield Trouble("gap" if kind == "gap" else "late", text)
                yield End(text)
                self._position = -1
            yield from self._given(y, part.sample_rate)
            self._next_s = None if time_s is None else time_s + len(y) / self._rate

    def _given(self, y: Float32, rate: int) -> Iterator[Heard]:
        if self._position < 0 or rate != self._rate:
            self._position, self._rate = 0, rate
            yield Start(rate, y.shape[1], begun_before(len(y), rate), "connected")
        yield Block(y, self._position)
        self._position += len(y)

    def _jump_s(self, time_s: float | None) -> float:
        if time_s is None or self._next_s is None:
            return 0.0
        jump_s = time_s - self._next_s
        return jump_s if abs(jump_s) > _JUMP_S else 0.0


def _samples(frame: Any) -> Float32:
    n_channels = len(frame.layout.channels)
    flat = np.asarray(frame.to_ndarray(), np.float32)
    return flat.reshape(-1, n_channels)
