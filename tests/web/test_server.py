"""Clients that mean no good: slow, silent, many, endless. Real sockets throughout."""

from __future__ import annotations

import contextlib
import http.client
import resource
import socket
import time
from pathlib import Path

import pytest
import served
from stations import wait_for
from websockets.exceptions import ConnectionClosed

from seacall.errors import SettingsError
from seacall.web import server as web_server
from seacall.web.server import bound
from seacall.web.settings import ServeSettings

HEAD = "POST /api/uploads?name=a.wav HTTP/1.1\r\nHost: {0}\r\nOrigin: http://{0}\r\n"


@pytest.fixture(scope="module")
def server(station_folder, tmp_path_factory):
    """A server with little patience, so that tests need little."""
    limits = {"header_s": 0.8, "body_s": 0.8, "n_connections": 64}
    with served.served(
        served.places_of(station_folder),
        uploads=tmp_path_factory.mktemp("uploads"),
        max_upload_bytes=3_000_000,
        **limits,
    ) as one:
        yield one


def closed_after(raw: socket.socket) -> float:
    """Return how long it takes until the other side closes, s."""
    began = time.monotonic()
    served.read_all(raw)
    return time.monotonic() - began


def upload(server, *lines: str) -> bytes:
    head = HEAD.format(server.host) + "".join(f"{line}\r\n" for line in lines)
    return head.encode() + b"\r\n"


def test_a_connection_that_asks_for_nothing_is_closed(server):
    with server.raw() as raw:
        assert 0.5 < closed_after(raw) < 5


def test_a_head_that_comes_drop_by_drop_is_not_waited_for(server):
    began = time.monotonic()
    with server.raw() as raw, contextlib.suppress(OSError):
        for byte in b"GET / HTTP/1.1\r\nHost: " + b"a" * 200:
            raw.sendall(bytes([byte]))
            time.sleep(0.05)
    assert 0.5 < time.monotonic() - began < 5


def test_the_second_request_must_come_in_time_too(server):
    with server.raw() as raw:
        head = f"GET /api/about HTTP/1.1\r\nHost: {server.host}\r\n"
        raw.sendall(f"{head}\r\n".encode())
        assert served.status_of(raw.recv(65_536)) == 200
        raw.sendall(head.encode())
        assert 0.5 < closed_after(raw) < 5


def test_a_connection_is_used_again_and_again(server):
    connection = http.client.HTTPConnection("127.0.0.1", server.port, timeout=20)
    connection.connect()
    first = connection.sock
    for _ in range(3):
        connection.request("GET", "/api/about")
        answer = connection.getresponse()
        assert answer.status == 200
        answer.read()
        time.sleep(0.5)  # longer in all than a head may take
    assert connection.sock is first
    connection.close()


def test_a_body_that_stops_coming_is_not_waited_for(server):
    with server.raw() as raw:
        raw.sendall(upload(server, "Content-Length: 1000") + b"RIFF")
        began = time.monotonic()
        assert served.status_of(served.read_all(raw)) == 408
        assert time.monotonic() - began < 5


@pytest.mark.parametrize("path", [b"/api/uploads?name=a.wav", b"/api/nothing"])
def test_a_body_that_comes_drop_by_drop_is_not_waited_for(server, path):
    """Whether it is read, or answered before it came."""
    head = upload(server, "Content-Length: 60000")
    began = time.monotonic()
    with server.raw() as raw, contextlib.suppress(OSError):
        raw.sendall(head.replace(b"/api/uploads?name=a.wav", path))
        for _ in range(200):
            raw.sendall(b"x")
            time.sleep(0.05)
    assert 0.5 < time.monotonic() - began < 8


def verdict(server) -> bytes:
    head = upload(server, "Content-Length: 900", "Content-Type: application/json")
    return head.replace(
        b"/api/uploads?name=a.wav", b"/api/places/station/detections/1/verdicts"
    )


def test_ten_gigabytes_are_refused_before_they_come(server):
    with server.raw() as raw:
        raw.sendall(upload(server, f"Content-Length: {10 * 10**9}"))
        began = time.monotonic()
        answer = served.read_all(raw)
    assert served.status_of(answer) == 413
    assert b"3,000,000 bytes" in answer
    assert time.monotonic() - began < 2


def test_whoever_asks_first_is_told_not_to_send(server):
    lines = ("Content-Length: 99999999999", "Expect: 100-continue")
    with server.raw() as raw:
        raw.sendall(upload(server, *lines))
        assert served.status_of(served.read_all(raw)) == 413


def test_chunks_without_end_are_cut_off(server):
    chunk = b"10000\r\n" + b"\0" * 65_536 + b"\r\n"
    n_sent = 0
    with server.raw() as raw:
        raw.sendall(upload(server, "Transfer-Encoding: chunked"))
        with contextlib.suppress(OSError):
            while n_sent < 2**30:
                raw.sendall(chunk)
                n_sent += 65_536
    assert n_sent < 30_000_000  # 3 MB, and what lies in buffers on the way
    assert server.answers()
    incoming = server.places["station"].folder  # nothing is left of it
    assert incoming.is_dir()


def test_nothing_is_left_of_what_was_refused(server, tmp_path):
    folder = tmp_path / "uploads"
    with served.served({}, uploads=folder, max_upload_bytes=100_000) as one:
        with one.raw() as raw, contextlib.suppress(OSError):
            raw.sendall(upload(one, "Transfer-Encoding: chunked"))
            for _ in range(4):
                raw.sendall(b"8000\r\n" + b"\0" * 32_768 + b"\r\n")
            served.read_all(raw)
        with one.raw() as raw:  # one who goes in the middle
            raw.sendall(upload(one, "Content-Length: 90000") + b"\0" * 40_000)
            time.sleep(0.2)
        until = time.monotonic() + 10
        while any(folder.glob("*/*")) and time.monotonic() < until:
            time.sleep(0.05)
        assert not any(folder.glob("*/*"))
        assert one.answers()


def test_json_that_is_too_long_is_refused(server):
    head = verdict(server).replace(b"900", b"900000")
    with server.raw() as raw:
        raw.sendall(head)
        assert served.status_of(served.read_all(raw)) == 413


def test_a_head_that_is_too_long_is_refused(server):
    with server.raw() as raw, contextlib.suppress(OSError):
        raw.sendall(b"GET / HTTP/1.1\r\n" + b"x" * 40_000)
        assert served.status_of(served.read_all(raw)) in (0, 400)
    assert server.answers()


def test_a_thousand_idle_connections_keep_nobody_out(server):
    """Of 1,000 that ask for nothing the oldest go, and users are served."""
    idle: list[socket.socket] = []
    before = resource.getrlimit(resource.RLIMIT_NOFILE)
    if before[1] < 2_000:
        pytest.skip("this machine allows too few open files to try it")
    resource.setrlimit(resource.RLIMIT_NOFILE, (max(before[0], 2_000), before[1]))
    try:
        for k in range(1_000):
            idle.append(server.raw())
            if k % 250 == 249:
                assert server.answers()
        assert server.answers()
    finally:
        for one in idle:
            one.close()
        resource.setrlimit(resource.RLIMIT_NOFILE, before)


def test_more_viewers_than_there_is_room_for_are_sent_away(station_folder):
    with served.served(served.places_of(station_folder), n_connections=8) as one:
        with contextlib.ExitStack() as viewers:
            for _ in range(4):
                viewer = viewers.enter_context(one.watch("station"))
                served.received(viewer, "hello")
            fifth = viewers.enter_context(one.watch("station"))
            with pytest.raises(ConnectionClosed) as error:
                fifth.recv(timeout=5)
            assert error.value.rcvd.code == 1013
            assert one.answers()
        wait_for(lambda: "seacall_viewers 0\n" in one.get("/metrics").text)
        with one.watch("station") as viewer:
            served.received(viewer, "hello")


def test_whoever_does_not_read_the_answer_is_forgotten(archive_folder, monkeypatch):
    """Two dozen megabytes for one who takes a few kilobytes of them."""
    monkeypatch.setattr(web_server, "_UNREAD_S", 1.0)
    with served.served(served.places_of(archive_folder)) as one:
        found = one.get("/api/places/archive/detections").json()["rows"][0]
        path = f"/api/places/archive/detections/{found['id']}/sound.wav"
        raw = socket.socket()
        raw.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, 4_096)
        raw.settimeout(20)
        with raw:
            raw.connect(("127.0.0.1", one.port))
            head = f"GET {path}?rate=384000&before_s=60&after_s=60 HTTP/1.1\r\n"
            raw.sendall(f"{head}Host: {one.host}\r\n\r\n".encode())
            wait_for(lambda: not is_established(one.port))
            assert len(served.read_all(raw)) < 10_000_000
        assert one.answers()


def is_established(port: int) -> bool:
    """Tell whether the server has a connection (state 01), by Linux' own table."""
    rows = [row.split() for row in Path("/proc/net/tcp").read_text().splitlines()]
    return any(row[1].endswith(f":{port:04X}") and row[3] == "01" for row in rows)


def test_a_connection_that_becomes_a_websocket_late_stays_one(server):
    """As proxies do that use connections again: no deadline is left over."""
    with server.raw() as raw:
        head = f"Host: {server.host}\r\nOrigin: {server.url}\r\n"
        raw.sendall(f"GET /api/about HTTP/1.1\r\n{head}\r\n".encode())
        answer = b""
        while not answer.endswith(b"}"):
            answer += raw.recv(65_536)
        upgrade = (
            "Connection: Upgrade\r\nUpgrade: websocket\r\nSec-WebSocket-Version: 13\r\n"
            "Sec-WebSocket-Key: dGhlIHNhbXBsZSBub25jZQ==\r\n\r\n"
        )
        raw.sendall(
            f"GET /api/places/station/live HTTP/1.1\r\n{head}{upgrade}".encode()
        )
        assert raw.recv(12) == b"HTTP/1.1 101"
        time.sleep(1.5)  # more than a head may take
        assert "seacall_viewers 1\n" in server.get("/metrics").text


def test_what_is_no_http_is_refused(server):
    for junk in (
        b"\x16\x03\x01\x02\x00\x01\x00\xfc\r\n\r\n",
        b"\0" * 100 + b"\r\n\r\n",
    ):
        with server.raw() as raw:
            raw.sendall(junk + b"\r\n\r\n")
            assert served.status_of(served.read_all(raw)) in (0, 400)
    assert server.answers()


def test_two_lengths_are_no_request(server):
    """No proxy before it can be made to see other requests than it does."""
    lines = ("Content-Length: 5", "Transfer-Encoding: chunked")
    with server.raw() as raw:
        raw.sendall(upload(server, *lines) + b"0\r\n\r\nGET /x HTTP/1.1\r\n\r\n")
        answer = served.read_all(raw)
    assert served.status_of(answer) == 400
    assert answer.count(b"HTTP/1.1 ") == 1
    with server.raw() as raw:
        raw.sendall(upload(server, "Content-Length: 5", "Content-Length: 6") + b"abcde")
        assert served.status_of(served.read_all(raw)) == 400


def test_a_port_that_is_taken_is_told():
    with bound(ServeSettings(port=0)) as first:
        port = first.getsockname()[1]
        with pytest.raises(SettingsError, match="another --host or --port"):
            bound(ServeSettings(port=port))


def test_a_host_that_is_none_is_told():
    with pytest.raises(SettingsError, match=r"no\.such\.host\.invalid"):
        bound(ServeSettings(host="no.such.host.invalid", token="x" * 30))
