"""Makes sources for stations: sound with known calls, servers that send it."""

from __future__ import annotations

import socket
import threading
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path

import numpy as np
from sounds import noise, tone, write_wav

from seacall.live.source import Block, End, Heard, Source, Start, Trouble

RATE = 16_000


def sound(duration_s: float = 4.0, *, seed: int = 0) -> np.ndarray:
    """Noise with a tone that comes and goes, as 16-bit integers."""
    y = noise(sample_rate=RATE, duration_s=duration_s, seed=seed)
    t = np.arange(len(y)) / RATE
    y += tone(4_200, sample_rate=RATE, duration_s=duration_s) * (np.sin(3 * t) > 0.3)
    return np.round(np.clip(y, -1, 1) * 32_767).astype("<i2")


def record(path: Path, duration_s: float = 4.0, *, seed: int = 0) -> Path:
    return write_wav(path, sound(duration_s, seed=seed), RATE)


def collected(
    source: Source,
    *,
    until: Callable[[list[Heard]], bool] | None = None,
    seconds: float = 20.0,
):
    """Return all that a source gives: to its end, until it is enough, or in time."""
    stop = threading.Event()
    heard: list[Heard] = []
    timer = threading.Timer(seconds, stop.set)
    timer.start()
    for one in source.heard(stop):
        heard.append(one)
        if until and until(heard):
            stop.set()
    timer.cancel()
    return heard


def samples(heard: list[Heard]) -> np.ndarray:
    """Return all samples of the first channel, one after another."""
    parts = [one.y[:, 0] for one in heard if isinstance(one, Block)]
    return np.concatenate([np.empty(0, np.float32), *parts])


def segments(heard: list[Heard]) -> list[np.ndarray]:
    """Return the samples of each segment."""
    found: list[list[Heard]] = []
    for one in heard:
        if isinstance(one, Start):
            found.append([])
        elif found:
            found[-1].append(one)
    return [samples(some) for some in found]


def troubles(heard: list[Heard]) -> list[str]:
    return [one.kind for one in heard if isinstance(one, Trouble)]


def endings(heard: list[Heard]) -> list[str]:
    return [one.why for one in heard if isinstance(one, End)]


@contextmanager
def tcp_server(*connections: bytes, hold_last: bool = False) -> Iterator[int]:
    """Give bytes to one connection after another, and close each; yields the port."""
    over = threading.Event()
    with socket.create_server(("127.0.0.1", 0)) as server:
        server.settimeout(10)

        def serve() -> None:
            for number, data in enumerate(connections):
                try:
                    connection, _ = server.accept()
                except OSError:
                    return
                with connection:
                    connection.sendall(data)
                    if hold_last and number == len(connections) - 1:
                        over.wait(10)

        thread = threading.Thread(target=serve, daemon=True)
        thread.start()
        try:
            yield server.getsockname()[1]
        finally:
            over.set()
            thread.join(5)


def wait_for(condition: Callable[[], object], *, seconds: float = 20.0) -> object:
    """Wait until something is so; fail if it does not come."""
    deadline = time.monotonic() + seconds
    while time.monotonic() < deadline:
        if found := condition():
            return found
        time.sleep(0.05)
    raise AssertionError("did not come about in time")
