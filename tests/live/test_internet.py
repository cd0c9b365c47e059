"""Streams from the internet: a real web server, a real decoder."""

from __future__ import annotations

import http.server
import threading
from contextlib import contextmanager
from functools import partial
from pathlib import Path

import numpy as np
import pytest
import scipy.signal
import soundfile
import stations
from stations import RATE, collected, endings, samples, segments, sound, troubles

from seacall.live.internet import Internet
from seacall.live.source import Block, Start

av = pytest.importorskip("av")


class Quiet(http.server.SimpleHTTPRequestHandler):
    """Serves a folder; a path that begins with /endless never says how long it is."""

    def log_message(self, *_):
        pass


@contextmanager
def web(folder: Path):
    handler = partial(Quiet, directory=str(folder))
    with http.server.ThreadingHTTPServer(("127.0.0.1", 0), handler) as server:
        thread = threading.Thread(target=server.serve_forever, daemon=True)
        thread.start()
        try:
            yield f"http://127.0.0.1:{server.server_address[1]}"
        finally:
            server.shutdown()
            thread.join(5)


def write_ts(path: Path, y: np.ndarray, *, at_s: float = 0.0, rate: int = RATE) -> None:
    """Write a piece of an HLS stream: AAC in MPEG-TS, with times of its own."""
    with av.open(str(path), "w", format="mpegts") as container:
        stream = container.add_stream("aac", rate=rate, layout="mono")
        for begin in range(0, len(y), 1024):
            part = np.zeros(1024, np.float32)
            piece = y[begin : begin + 1024]
            part[: len(piece)] = piece
            frame = av.AudioFrame.from_ndarray(part[None], format="fltp", layout="mono")
            frame.sample_rate = rate
            frame.pts = round(at_s * rate) + begin
            container.mux(stream.encode(frame))
        container.mux(stream.encode(None))


def write_playlist(folder: Path, names: list[str], *, over: bool) -> None:
    lines = ["#EXTM3U", "#EXT-X-VERSION:3", "#EXT-X-TARGETDURATION:2"]
    lines += ["#EXT-X-MEDIA-SEQUENCE:0"]
    for name in names:
        lines += ["#EXTINF:2.048,", name]
    text = "\n".join([*lines, *(["#EXT-X-ENDLIST"] if over else []), ""])
    (folder / "live.m3u8").write_text(text)


def test_a_file_on_a_web_server_is_heard_sample_by_sample(tmp_path):
    soundfile.write(tmp_path / "a.flac", sound(1.0), RATE, subtype="PCM_16")
    with web(tmp_path) as url:
        heard = collected(Internet(f"{url}/a.flac"))
    np.testing.assert_allclose(samples(heard), sound(1.0) / 32_768, atol=1e-6)
    assert endings(heard) == ["over"]  # its length is known: it is not heard again


def test_both_channels_are_there(tmp_path):
    y = np.stack([sound(0.5, seed=1), sound(0.5, seed=2)], axis=1)
    soundfile.write(tmp_path / "a.wav", y, RATE)
    with web(tmp_path) as url:
        heard = collected(Internet(f"{url}/a.wav"))
    found = np.concatenate([one.y for one in heard if isinstance(one, Block)])
    np.testing.assert_allclose(found, y / 32_768, atol=1e-6)


def test_an_hls_playlist_is_one_segment(tmp_path):
    rate, n = 48_000, 96 * 1_024
    t = np.arange(2 * n) / rate
    y = (0.5 * np.sin(2 * np.pi * 1_000 * t)).astype(np.float32)
    for k in range(2):
        piece = y[k * n : (k + 1) * n]
        write_ts(tmp_path / f"{k}.ts", piece, at_s=k * n / rate, rate=rate)
    write_playlist(tmp_path, ["0.ts", "1.ts"], over=True)
    with web(tmp_path) as url:
        heard = collected(Internet(f"{url}/live.m3u8"))
    found = samples(heard)
    assert sum(isinstance(one, Start) for one in heard) == 1
    assert len(found) == pytest.approx(len(y), abs=4_096)
    spectrum = np.abs(np.fft.rfft(found[20_000 : 20_000 + rate]))
    assert int(spectrum.argmax()) == 1_000


def test_an_hls_playlist_that_grows_is_followed(tmp_path):
    rate, n = 48_000, 48 * 1_024
    y = np.random.default_rng(0).uniform(-0.5, 0.5, 3 * n).astype(np.float32)
    names = [f"{k}.ts" for k in range(3)]
    for k, name in enumerate(names):
        piece = y[k * n : (k + 1) * n]
        write_ts(tmp_path / name, piece, at_s=k * n / rate, rate=rate)
    write_playlist(tmp_path, names[:2], over=False)

    def grow() -> None:
        stations.time.sleep(0.8)
        write_playlist(tmp_path, names, over=True)

    thread = threading.Thread(target=grow)
    with web(tmp_path) as url:
        thread.start()
        source = Internet(f"{url}/live.m3u8", first_wait_s=0.05)
        enough = 3 * n - 4_096
        heard = collected(source, until=lambda h: len(samples(h)) >= enough)
    thread.join(5)
    assert len(segments(heard)) == 1
    assert "duplicate" not in troubles(heard)
    assert len(samples(heard)) == pytest.approx(3 * n, abs=4_096)


def test_a_piece_that_is_missing_from_hls_is_a_gap(tmp_path):
    y = sound(6.0) / np.float32(32_768)
    for k in (0, 2):
        write_ts(tmp_path / f"{k}.ts", y[k * 32_000 : (k + 1) * 32_000], at_s=2.0 * k)
    write_playlist(tmp_path, ["0.ts", "2.ts"], over=True)
    with web(tmp_path) as url:
        heard = collected(Internet(f"{url}/live.m3u8"))
    assert "gap" in troubles(heard)
    assert len(segments(heard)) == 2


def test_sound_that_a_server_sends_again_is_left_out(tmp_path):
    """A stream that breaks off and begins again with what was heard already."""
    y = np.random.default_rng(0).uniform(-0.5, 0.5, 40_000).astype(np.float32)
    write_ts(tmp_path / "a.ts", y)
    data = (tmp_path / "a.ts").read_bytes()
    lead = b"HTTP/1.0 200 OK\r\nContent-Type: video/mp2t\r\n\r\n"
    with stations.tcp_server(lead + data, lead + data) as port:
        source = Internet(f"http://127.0.0.1:{port}/", first_wait_s=0.05)
        heard = collected(source, until=lambda h: troubles(h).count("reconnect") == 2)
    assert "duplicate" in troubles(heard)
    again = [len(one) for one in segments(heard)[1:]]
    assert sum(again) <= 4 * 1_024


class Icecast(Quiet):
    """A radio's server: no length, no end, a title among the sound every 4,000 bytes.

    The first connection breaks off behind half of the sound.
    """

    protocol_version = "HTTP/1.0"

    def do_GET(self):
        titled = self.headers.get("Icy-MetaData") == "1"
        self.server.n_visits += 1
        self.send_response(200)
        self.send_header("Content-Type", "audio/mpeg")
        self.send_header("icy-name", "north buoy")
        if titled:
            self.server.n_titled += 1
            self.send_header("icy-metaint", "4000")
        self.end_headers()
        half = len(self.server.sound) // 2
        first = self.server.n_visits == 1
        data = self.server.sound[:half] if first else self.server.sound[half:]
        for begin in range(0, len(data), 4_000):
            piece = data[begin : begin + 4_000]
            self.wfile.write(piece)
            if titled and len(piece) == 4_000:
                title = b"StreamTitle='a title that is no sound, north';"
                padded = title.ljust(-(-len(title) // 16) * 16, b"\0")
                self.wfile.write(bytes([len(padded) // 16]) + padded)
        if not first:
            self.server.over.wait(20)  # a live stream does not end


@contextmanager
def icecast(sound: bytes):
    with http.server.ThreadingHTTPServer(("127.0.0.1", 0), Icecast) as server:
        server.sound, server.over = sound, threading.Event()
        server.n_visits = server.n_titled = 0
        thread = threading.Thread(target=server.serve_forever, daemon=True)
        thread.start()
        try:
            yield f"http://127.0.0.1:{server.server_address[1]}/live", server
        finally:
            server.over.set()
            server.shutdown()
            thread.join(5)


def test_a_radio_that_never_ends_is_heard_as_it_comes_without_its_titles(tmp_path):
    rate, seconds = 48_000, 16
    t = np.arange(seconds * rate) / rate
    y = 0.5 * np.sin(2 * np.pi * (500 * t + 100 * t**2))
    soundfile.write(tmp_path / "a.mp3", y.astype(np.float32), rate)
    with icecast((tmp_path / "a.mp3").read_bytes()) as (url, server):
        source = Internet(url, first_wait_s=0.05)
        enough = (seconds - 1) * rate  # a decoder holds some frames back
        heard = collected(source, until=lambda h: len(samples(h)) >= enough)
        assert server.n_titled == server.n_visits == 2
    assert troubles(heard)[:1] == ["reconnect"]
    assert len(segments(heard)) == 2
    for part in segments(heard):
        found = scipy.signal.correlate(y, part, "valid")
        at = int(found.argmax())
        own = y[at : at + len(part)]
        likeness = found[at] / np.sqrt((part**2).sum() * (own**2).sum())
        # A title taken for sound would be heard as a burst, and push the rest away.
        assert likeness > 0.98  # the second one begins within a frame


def test_what_is_no_sound_is_told_and_tried_again(tmp_path):
    (tmp_path / "a.html").write_text("<p>no sound</p>" * 99)
    with web(tmp_path) as url:
        source = Internet(f"{url}/a.html", first_wait_s=0.05)
        heard = collected(source, until=lambda h: troubles(h).count("reconnect") == 2)
    assert samples(heard).size == 0


def test_a_server_that_is_not_there_is_tried_again():
    source = Internet("http://127.0.0.1:9/", first_wait_s=0.05)
    heard = collected(source, until=lambda h: troubles(h).count("reconnect") == 2)
    assert troubles(heard) == ["reconnect", "reconnect"]
