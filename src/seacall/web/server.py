"""Run the server: uvicorn, with less patience for those who do nothing."""

from __future__ import annotations

import asyncio
import signal
import socket
import threading
from collections.abc import Callable
from contextlib import closing
from typing import Any

import h11
import uvicorn
from fastapi import FastAPI
from uvicorn.protocols.http.h11_impl import H11Protocol

from seacall.errors import SettingsError
from seacall.web.settings import ServeSettings

_MOST_HEADER_BYTES = 16_384
_MOST_MESSAGE_BYTES = 4_096
"""From a viewer, who has nothing to say."""
_UNREAD_S = 30.0
"""For so long an answer may lie there that the other side does not take, s."""


class PatientProtocol(H11Protocol):
    """uvicorn's protocol with an end to waiting for a request.

    uvicorn itself waits for ever for the first request of a connection, and counts
    connections that ask for nothing among those that it serves. Here a request's head
    must come in time, and when too many wait, the one that has waited longest goes.
    """

    header_s = 10.0
    """In which a request's head must come, s."""
    most_waiting = 256
    """Connections that have asked for nothing."""
    waiting: dict[PatientProtocol, None]
    """These, in the order in which they came; of one server."""
    _deadline: asyncio.TimerHandle | None = None
    _upgraded = False

    def connection_made(self, transport: Any) -> None:
        """Wait for a request."""
        super().connection_made(transport)
        _forget_who_does_not_read(transport.get_extra_info("socket"))
        self._watch()
        if len(self.waiting) > self.most_waiting:
            next(iter(self.waiting))._hang_up()

    def data_received(self, data: bytes) -> None:
        """Take what came."""
        super().data_received(data)
        self._watch()

    def handle_websocket_upgrade(self, event: h11.Request) -> None:
        """Let it go: another protocol has the connection now."""
        self._upgraded = True
        super().handle_websocket_upgrade(event)

    def connection_lost(self, exc: Exception | None) -> None:
        """Forget it."""
        self._calm()
        super().connection_lost(exc)

    def _watch(self) -> None:
        """Set the deadline where a request is waited for, and only there."""
        # Between two requests uvicorn's own clock runs, until the next begins to come.
        between = self.timeout_keep_alive_task is not None
        if self._upgraded or between or not self._idles():
            self._calm()
        elif self._deadline is None:
            self.waiting[self] = None
            self._deadline = self.loop.call_later(self.header_s, self._hang_up)

    def _idles(self) -> bool:
        """Tell whether it asks for nothing, or sends what nobody wants any more."""
        answered = self.cycle is not None and self.cycle.response_complete
        return self.conn.their_state is h11.IDLE or answered

    def _calm(self) -> None:
        self.waiting.pop(self, None)
        if self._deadline is not None:
            self._deadline.cancel()
            self._deadline = None

    def _hang_up(self) -> None:
        self._calm()
        self.transport.abort()


def patient_protocol(settings: ServeSettings) -> type[PatientProtocol]:
    """Return the protocol of one server."""
    limits = {
        "header_s": settings.header_s,
        "most_waiting": settings.n_connections // 2,
        "waiting": {},
    }
    return type("Patient", (PatientProtocol,), limits)


def _forget_who_does_not_read(connection: socket.socket | None) -> None:
    """Let the system end connections whose other side takes nothing (Linux)."""
    option = getattr(socket, "TCP_USER_TIMEOUT", None)
    if connection is not None and option is not None:
        connection.setsockopt(socket.IPPROTO_TCP, option, round(1000 * _UNREAD_S))


def bound(settings: ServeSettings) -> socket.socket:
    """Return a socket that listens where the settings say.

    Raises
    ------
    SettingsError
        If there is no such address, or the port is taken.
    """
    host, port = settings.host, settings.port
    try:
        found = socket.getaddrinfo(host, port, type=socket.SOCK_STREAM)
        family, _, _, _, address = found[0]
        return socket.create_server((str(address[0]), port), family=family)
    except OSError as error:
        raise SettingsError(
            f"{host}:{port}: cannot be listened at ({error.strerror}); choose another "
            "--host or --port"
        ) from error


def server_for(app: FastAPI, settings: ServeSettings) -> uvicorn.Server:
    """Return the server, ready to run on a socket."""
    config = uvicorn.Config(
        app,
        http=patient_protocol(settings),
        ws="websockets-sansio",
        ws_max_size=_MOST_MESSAGE_BYTES,
        # Spectra are noise: there is nothing to compress, but much to compute.
        ws_per_message_deflate=False,
        loop="asyncio",
        log_config=None,
        log_level="error",  # strangers could fill the log with warnings
        access_log=False,
        server_header=False,
        proxy_headers=False,
        h11_max_incomplete_event_size=_MOST_HEADER_BYTES,
        limit_concurrency=settings.n_connections,
        timeout_keep_alive=5,
        timeout_graceful_shutdown=3,
    )
    return uvicorn.Server(config)


def serve(
    app: FastAPI,
    settings: ServeSettings,
    *,
    ready: Callable[[int], None] = lambda _: None,
) -> None:
    """Serve until SIGTERM or Ctrl-C.

    Parameters
    ----------
    ready
        Told the port, as soon as connections are taken.

    Raises
    ------
    SettingsError
        If the address cannot be listened at.
    KeyboardInterrupt
        After Ctrl-C.
    """
    if threading.current_thread() is threading.main_thread():
        # uvicorn sends itself the signal again when it has ended: SIGTERM is no error.
        signal.signal(signal.SIGTERM, lambda *_: None)
    with closing(bound(settings)) as listening:
        ready(listening.getsockname()[1])
        server_for(app, settings).run(sockets=[listening])
