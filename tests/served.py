"""Runs real servers for tests, and talks to them as browsers and attackers do."""

from __future__ import annotations

import json
import socket
import threading
import time
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import httpx
from stations import record, wait_for
from websockets.sync.client import ClientConnection, connect

from seacall.config import DetectRun
from seacall.detect.recordings import detect_recordings
from seacall.live.listen import listen
from seacall.live.settings import ListenRun
from seacall.review.place import Place, open_places
from seacall.web.app import create_app
from seacall.web.server import bound, server_for
from seacall.web.settings import ServeSettings

TOKEN = "a-token-that-only-the-tests-know"
NAME = "20260501_120000.wav"
SCRIPT = "<img src=x onerror=alert(1)>.wav"


def write_station(folder: Path) -> Path:
    """A recording, and the station that replayed it."""
    path = record(folder / NAME, 20.0)
    run = ListenRun(threshold=("0.05",), speed=0.0)
    listen([str(path)], folder / "station", run)
    return folder / "station"


def write_archive(folder: Path, *, embeddings: bool = False) -> Path:
    """Recordings, one with a name that is no harmless text, and a run over them."""
    paths = [record(folder / "rec" / NAME, 12.0), record(folder / "rec" / SCRIPT, 12.0)]
    run = DetectRun(threshold=("0.05",), formats=(), embeddings=embeddings)
    detect_recordings(sorted(paths), folder / "archive", run, n_workers=1)
    return folder / "archive"


def places_of(*folders: Path) -> dict[str, Place]:
    return {place.id: place for place in open_places(folders)}


@dataclass
class Served:
    """A server that runs."""

    port: int
    places: dict[str, Place]

    @property
    def host(self) -> str:
        return f"127.0.0.1:{self.port}"

    @property
    def url(self) -> str:
        return f"http://{self.host}"

    @property
    def ours(self) -> dict[str, str]:
        """Headers of a request from its own page."""
        return {"Origin": self.url}

    def get(self, path: str, **options: Any) -> httpx.Response:
        # Loading certificates takes longer than the answer.
        return httpx.get(self.url + path, timeout=30, verify=False, **options)

    def watch(self, place: str, query: str = "", **options: Any) -> ClientConnection:
        """Open the live feed, as its own page does."""
        url = f"ws://{self.host}/api/places/{place}/live{query}"
        return connect(url, **{"origin": self.url} | options)

    def raw(self) -> socket.socket:
        return socket.create_connection(("127.0.0.1", self.port), timeout=20)

    def answers(self) -> bool:
        """Tell whether a user is still served, within a second."""
        began = time.monotonic()
        ok = self.get("/api/about").status_code == 200
        return ok and time.monotonic() - began < 1.0


@contextmanager
def served(places: dict[str, Place], **settings: Any) -> Iterator[Served]:
    """Run a server while the context lasts."""
    chosen = ServeSettings(port=0, **settings)
    server = server_for(create_app(places, chosen), chosen)
    with bound(chosen) as listening:
        port = listening.getsockname()[1]
        thread = threading.Thread(target=server.run, kwargs={"sockets": [listening]})
        thread.start()
        try:
            wait_for(lambda: server.started)
            yield Served(port, places)
        finally:
            server.should_exit = True
            thread.join(20)
    for place in places.values():
        place.close()
    assert not thread.is_alive()


def received(connection: ClientConnection, kind: str, *, seconds: float = 20) -> Any:
    """Return the next message of a kind."""
    until = time.monotonic() + seconds
    while time.monotonic() < until:
        message = json.loads(connection.recv(timeout=seconds))
        if message["type"] == kind:
            return message
    raise AssertionError(f"no {kind} came in time")


def status_of(answer: bytes) -> int:
    """Return the status of a raw answer; 0: there was none."""
    return int(answer.split()[1]) if answer.startswith(b"HTTP/1.1 ") else 0


def read_all(connection: socket.socket) -> bytes:
    """Read until the other side closes, or breaks off."""
    parts = []
    try:
        while part := connection.recv(65_536):
            parts.append(part)
    except ConnectionError:
        pass
    return b"".join(parts)
