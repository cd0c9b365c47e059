"""A proxy that fails as stores do: refuses, hangs up, or stops half way."""

from __future__ import annotations

import http.client
import socket
import threading
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass, field
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer

_NOT_PASSED_ON = {"content-length", "connection", "server"}


@dataclass
class Faults:
    """How often a proxy fails, and what it has seen."""

    every: int = 0
    """Each so many requests one fails; 0: none does."""
    n_requests: int = 0
    n_failed: int = 0
    lock: threading.Lock = field(default_factory=threading.Lock)

    def next(self) -> str:
        """Say how the next request fails; empty: it does not."""
        with self.lock:
            self.n_requests += 1
            if not self.every or self.n_requests % self.every:
                return ""
            self.n_failed += 1
            return ("refuse", "hang up", "stop half way")[self.n_failed % 3]


class Handler(BaseHTTPRequestHandler):
    """Passes requests on; `faulty_proxy` says where to, and which of them fail."""

    protocol_version = "HTTP/1.1"
    port: int
    faults: Faults

    def serve(self) -> None:
        if self.headers.get("Expect"):
            self.send_response_only(100)
            self.end_headers()
        body = self.rfile.read(int(self.headers.get("Content-Length") or 0))
        fault = self.faults.next()
        if fault == "refuse":
            self.answer(503, {}, b"")
        elif fault == "hang up":
            self.close_connection = True
            self.connection.shutdown(socket.SHUT_RDWR)
        else:
            self.answer(*self.passed_on(body), cut=bool(fault))

    do_GET = do_PUT = do_HEAD = do_POST = do_DELETE = serve

    def passed_on(self, body: bytes) -> tuple[int, dict[str, str], bytes]:
        onward = http.client.HTTPConnection("127.0.0.1", self.port, timeout=30)
        headers = {k: v for k, v in self.headers.items() if k != "Expect"}
        onward.request(self.command, self.path, body, headers)
        answer = onward.getresponse()
        content = answer.read()
        onward.close()
        return answer.status, dict(answer.getheaders()), content

    def answer(
        self,
        status: int,
        headers: Mapping[str, str],
        content: bytes,
        *,
        cut: bool = False,
    ) -> None:
        self.send_response_only(status)
        for name, value in headers.items():
            if name.lower() not in _NOT_PASSED_ON:
                self.send_header(name, value)
        length = headers.get("Content-Length", str(len(content)))
        self.send_header("Content-Length", length)
        self.end_headers()
        if self.command != "HEAD":
            self.wfile.write(content[: len(content) // 2] if cut else content)
        self.close_connection = self.close_connection or cut

    def log_message(self, *_: object) -> None:
        pass


@contextmanager
def faulty_proxy(port: int) -> Iterator[tuple[int, Faults]]:
    """Start a proxy to a port; yields its own port, and its faults to be set."""
    faults = Faults()
    handler = type("Here", (Handler,), {"port": port, "faults": faults})
    server = ThreadingHTTPServer(("127.0.0.1", 0), handler)
    server.daemon_threads = True
    threading.Thread(target=server.serve_forever, daemon=True).start()
    try:
        yield int(server.server_address[1]), faults
    finally:
        server.shutdown()
        server.server_close()
