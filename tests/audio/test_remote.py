"""Remote recordings: range reads only, what is read, retries, errors."""

from __future__ import annotations

import re
import threading
from collections.abc import Iterator
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path

import numpy as np
import pytest
import soundfile

from seacall.audio import io, remote
from seacall.errors import AudioError

pytest.importorskip("upath")
pytest.importorskip("aiohttp")

RATE = 48_000
Y = (np.random.default_rng(0).standard_normal(60 * RATE) * 0.1).clip(-1, 1)


class Store(ThreadingHTTPServer):
    """Serves files by ranges, counts what it sends, and fails on request."""

    daemon_threads = True

    def __init__(self) -> None:
        super().__init__(("127.0.0.1", 0), Handler)
        self.files: dict[str, bytes] = {}
        self.n_sent = 0
        self.n_failures = 0
        self.status = 503
        self.serves_ranges = True

    def url(self, name: str) -> Path:
        return io.location(f"http://127.0.0.1:{self.server_port}/{name}")


class Handler(BaseHTTPRequestHandler):
    server: Store

    def do_HEAD(self) -> None:
        self._answer(with_body=False)

    def do_GET(self) -> None:
        self._answer(with_body=True)

    def _answer(self, *, with_body: bool) -> None:
        store = self.server
        content = store.files.get(self.path.removeprefix("/"))
        if content is None:
            self.send_error(404)
            return
        if with_body and store.n_failures > 0:
            store.n_failures -= 1
            self.send_error(store.status)
            return
        asked = re.fullmatch(r"bytes=(\d+)-(\d*)", self.headers.get("Range", ""))
        part = content
        if asked and store.serves_ranges:
            end = int(asked[2]) + 1 if asked[2] else len(content)
            part = content[int(asked[1]) : end]
            self.send_response(206)
        else:
            self.send_response(200)
        self.send_header("Accept-Ranges", "bytes")
        self.send_header("Content-Length", str(len(part)))
        self.end_headers()
        if with_body:
            store.n_sent += len(part)
            self.wfile.write(part)

    def log_message(self, *_: object) -> None:
        pass


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("remote")
    for name, kind in (("a.wav", "WAV"), ("a.flac", "FLAC"), ("a.mp3", "MP3")):
        soundfile.write(folder / name, Y, RATE, format=kind)
    return folder


@pytest.fixture
def store(folder: Path) -> Iterator[Store]:
    server = Store()
    thread = threading.Thread(target=server.serve_forever, args=(0.01,), daemon=True)
    thread.start()
    server.files = {path.name: path.read_bytes() for path in folder.iterdir()}
    yield server
    server.shutdown()
    server.server_close()
    thread.join()


@pytest.fixture(autouse=True)
def _no_pause(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(remote, "PAUSES_S", (0.0, 0.0))


@pytest.mark.parametrize("name", ["a.wav", "a.flac", "a.mp3"])
def test_a_remote_recording_is_the_local_one(
    store: Store, folder: Path, name: str
) -> None:
    local, far = folder / name, store.url(name)
    recording = io.probe(far)
    assert recording.n_samples == io.probe(local).n_samples
    assert str(recording.path) == str(far)
    for start in (0, 1_000_001):
        there = np.concatenate(list(io.read_blocks(far, start=start)))
        here = np.concatenate(list(io.read_blocks(local, start=start)))
        np.testing.assert_array_equal(there, here)


@pytest.mark.parametrize("name", ["a.wav", "a.flac"])
def test_a_header_and_a_second_cost_a_small_part_of_the_file(
    store: Store, name: str
) -> None:
    size = len(store.files[name])
    assert size > 3_000_000
    io.probe(store.url(name))
    assert store.n_sent <= 0.1 * size
    store.n_sent = 0
    blocks = io.read_blocks(store.url(name), start=30 * RATE, block_length=RATE)
    assert len(next(blocks)) == RATE
    blocks.close()  # type: ignore[attr-defined]
    assert store.n_sent <= 0.4 * size


def test_a_whole_recording_is_fetched_once(store: Store) -> None:
    io.read(store.url("a.wav"))
    probe_again = 4 * remote.FIRST_BYTES
    assert store.n_sent <= len(store.files["a.wav"]) + probe_again


def test_little_of_a_long_file_is_kept_in_memory(store: Store) -> None:
    store.files["long"] = bytes(40_000_000)
    file = remote.RemoteFile(store.url("long"))
    most = 0
    while file.read(1 << 16):
        most = max(most, sum(map(len, file._spans.values())))
    assert store.n_sent == 40_000_000
    assert most <= remote.KEPT_BYTES


def test_a_store_that_fails_twice_is_asked_a_third_time(store: Store) -> None:
    store.n_failures = 2
    assert len(io.read(store.url("a.wav"))[0]) == len(Y)


def test_a_store_that_goes_on_failing_is_an_audio_error(store: Store) -> None:
    store.n_failures = 10**9
    with pytest.raises(AudioError, match=r"a\.wav: cannot be read \(.*503"):
        io.probe(store.url("a.wav"))


def test_a_store_that_fails_in_the_middle_is_an_audio_error(store: Store) -> None:
    blocks = io.read_blocks(store.url("a.wav"), block_length=1_000)
    assert len(next(blocks)) == 1_000
    store.n_failures = 10**9
    with pytest.raises(AudioError, match=r"cannot be read \(.*503"):
        list(blocks)


def test_a_store_that_serves_no_parts_is_refused(store: Store) -> None:
    store.serves_ranges = False
    with pytest.raises(AudioError, match="does not serve parts of files"):
        io.probe(store.url("a.wav"))


def test_a_remote_file_that_is_not_there_is_named(store: Store) -> None:
    with pytest.raises(AudioError, match=r"nowhere\.wav: no such file"):
        io.probe(store.url("nowhere.wav"))


def test_an_address_that_nobody_answers_is_an_audio_error() -> None:
    with pytest.raises(AudioError, match="check the address, the network"):
        io.probe(io.location("http://127.0.0.1:9/a.wav"))


def test_a_cut_off_remote_file_gives_what_is_there(store: Store) -> None:
    store.files["cut.wav"] = store.files["a.wav"][:2_000_044]
    store.files["cut.flac"] = store.files["a.flac"][:2_000_000]
    for name in ("cut.wav", "cut.flac"):
        lengths: list[int] = []
        blocks = io.read_blocks(store.url(name))
        with pytest.raises(AudioError, match="is cut off"):
            lengths.extend(len(block) for block in blocks)
        assert sum(lengths) == io.probe(store.url(name)).n_samples > 900_000


def test_a_url_that_no_file_system_is_known_for_is_refused() -> None:
    with pytest.raises(AudioError, match="nosuch://x: cannot be reached"):
        io.location("nosuch://x")


def test_a_path_stays_a_path_and_a_file_url_becomes_one(tmp_path: Path) -> None:
    assert io.location("a b/c.wav") == Path("a b/c.wav")
    assert io.location(tmp_path) is tmp_path
    assert io.location(f"file://{tmp_path}/a.wav") == tmp_path / "a.wav"


def test_recordings_are_found_in_a_remote_folder() -> None:
    import fsspec

    memory = fsspec.filesystem("memory")
    names = ["site 1/a.wav", "site 1/20240101/b é.FLAC", "site 1/._a.wav"]
    names += ["site 1/.hidden/c.wav", "site 1/notes.txt"]
    for name in names:
        memory.pipe_file(f"/found/{name}", b"x")
    try:
        found = io.find_recordings(io.location("memory://found"))
        assert [str(path) for path in found] == [
            "memory://found/site 1/20240101/b é.FLAC",
            "memory://found/site 1/a.wav",
        ]
        assert found == io.gather(["memory://found/site 1"])
        with pytest.raises(AudioError, match="no such folder"):
            io.find_recordings(io.location("memory://nowhere"))
        with pytest.raises(AudioError, match="is a folder"):
            io.probe(io.location("memory://found"))
    finally:
        memory.rm("/found", recursive=True)


def test_without_the_extra_a_url_names_it(monkeypatch: pytest.MonkeyPatch) -> None:
    import sys

    from seacall.errors import MissingExtraError

    monkeypatch.setitem(sys.modules, "upath", None)
    with pytest.raises(MissingExtraError, match=r"seacall\[remote\]"):
        io.location("s3://bucket/key")
