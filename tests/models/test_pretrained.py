"""Downloads from a real server on this machine: checked first, kept once."""

from __future__ import annotations

import hashlib
import socket
import threading
from collections.abc import Iterator
from contextlib import closing
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path

import pytest

from seacall.errors import CheckpointError
from seacall.models.pretrained import cache_folder, check_sha256, fetch

CONTENT = bytes(range(256)) * 9_000  # more than two pieces
SHA256 = hashlib.sha256(CONTENT).hexdigest()


class Server:
    """Serves ``/weights.pth``; counts what it was asked for."""

    def __init__(self) -> None:
        self.asked: list[str] = []
        asked = self.asked

        class Handler(BaseHTTPRequestHandler):
            def do_GET(self) -> None:
                asked.append(self.path)
                if self.path == "/short.pth":  # ends before what its header promises
                    self.send_response(200)
                    self.send_header("Content-Length", str(len(CONTENT)))
                    self.end_headers()
                    self.wfile.write(CONTENT[:1000])
                elif self.path == "/garbage.pth":
                    self.wfile.write(b"this is no HTTP\r\n\r\n")
                elif self.path == "/weights.pth":
                    self.send_response(200)
                    self.send_header("Content-Length", str(len(CONTENT)))
                    self.end_headers()
                    self.wfile.write(CONTENT)
                else:
                    self.send_error(404)

            def log_message(self, *args: object) -> None:
                pass

        self._server = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
        self.url = f"http://127.0.0.1:{self._server.server_port}"
        self._thread = threading.Thread(
            target=self._server.serve_forever, args=(0.01,), daemon=True
        )
        self._thread.start()

    def close(self) -> None:
        self._server.shutdown()
        self._server.server_close()
        self._thread.join()


@pytest.fixture
def server(monkeypatch) -> Iterator[Server]:
    for name in ("http_proxy", "HTTP_PROXY", "all_proxy", "ALL_PROXY"):
        monkeypatch.delenv(name, raising=False)
    with closing(Server()) as server:
        yield server


def below(folder: Path) -> list[str]:
    return sorted(path.name for path in folder.rglob("*") if path.is_file())


@pytest.mark.parametrize("n_digits", [8, 64])
def test_a_file_is_downloaded_checked_and_kept(server, tmp_path, n_digits):
    path = fetch(
        f"{server.url}/weights.pth", sha256=SHA256[:n_digits], folder=tmp_path / "new"
    )
    assert path.read_bytes() == CONTENT
    assert below(tmp_path) == ["weights.pth"]


def test_a_second_call_downloads_nothing(server, tmp_path):
    for _ in range(2):
        fetch(f"{server.url}/weights.pth", sha256=SHA256, folder=tmp_path)
    assert server.asked == ["/weights.pth"]


def test_a_wrong_sha256_leaves_nothing_behind_and_names_the_url(server, tmp_path):
    with pytest.raises(CheckpointError, match=r"http://.*weights\.pth: sha256") as e:
        fetch(f"{server.url}/weights.pth", sha256="10086976", folder=tmp_path)
    assert SHA256[:8] in str(e.value)
    assert "10086976" in str(e.value)
    assert below(tmp_path) == []


@pytest.mark.parametrize("name", ["none.pth", "short.pth", "garbage.pth"])
def test_a_failed_download_is_one_line_and_leaves_nothing(server, tmp_path, name):
    with pytest.raises(CheckpointError) as caught:
        fetch(f"{server.url}/{name}", sha256=SHA256, folder=tmp_path)
    assert f"{server.url}/{name}" in str(caught.value)
    assert below(tmp_path) == []


def test_a_server_that_is_not_there_is_one_line(tmp_path):
    with socket.create_server(("127.0.0.1", 0)) as unused:
        port = unused.getsockname()[1]
    with pytest.raises(CheckpointError, match="cannot be downloaded"):
        fetch(f"http://127.0.0.1:{port}/w.pth", sha256=SHA256, folder=tmp_path)


def test_a_kept_file_that_was_changed_is_refused(server, tmp_path):
    path = fetch(f"{server.url}/weights.pth", sha256=SHA256, folder=tmp_path)
    path.write_bytes(CONTENT[:-1])
    with pytest.raises(CheckpointError, match="sha256 starts with"):
        fetch(f"{server.url}/weights.pth", sha256=SHA256, folder=tmp_path)


def test_a_folder_that_cannot_be_made_is_one_line(server, tmp_path):
    (tmp_path / "file").touch()
    with pytest.raises(CheckpointError, match="cannot be made"):
        fetch(f"{server.url}/weights.pth", sha256=SHA256, folder=tmp_path / "file")
    assert server.asked == []


def test_a_missing_file_has_no_sha256(tmp_path):
    with pytest.raises(CheckpointError, match="no such file"):
        check_sha256(tmp_path / "none", "00")


def test_downloads_are_kept_below_the_home_folder(monkeypatch, tmp_path):
    monkeypatch.setenv("HOME", str(tmp_path))
    assert cache_folder() == tmp_path / ".cache" / "seacall"
