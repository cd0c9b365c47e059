"""Sources: what they give, and what they say when something is lost."""

from __future__ import annotations

import os
import socket
import struct
import threading
import types
from itertools import pairwise

import numpy as np
import pytest
import soundfile
import stations
from hypothesis import given
from hypothesis import strategies as st
from sounds import write_wav
from stations import RATE, collected, endings, samples, segments, sound, troubles

from seacall.config import checked
from seacall.errors import AudioError, SettingsError
from seacall.live import card as cards
from seacall.live.address import source_of
from seacall.live.buffered import Buffered, Failure
from seacall.live.card import Card
from seacall.live.datagrams import Numbers, Udp
from seacall.live.growing_folder import GrowingFolder
from seacall.live.internet import Internet
from seacall.live.pcm import WIDTHS, PcmForm, PcmReader, decoded, made_possible
from seacall.live.raw import Stdin, Tcp
from seacall.live.replay import Replay, recording_key
from seacall.live.settings import ListenRun
from seacall.live.source import Block, End, Start, reconnecting

FORM = PcmForm(RATE)
SUBTYPES = {"s16": "PCM_16", "s24": "PCM_24", "s32": "PCM_32", "f32": "FLOAT"}


@pytest.mark.parametrize("name", WIDTHS)
def test_raw_samples_are_what_libsndfile_reads_of_them(tmp_path, name):
    y = np.random.default_rng(0).uniform(-1, 1, (50, 2))
    endian = "LITTLE" if name.endswith("le") else "BIG"
    options = {"subtype": SUBTYPES[name[:3]], "endian": endian, "format": "RAW"}
    soundfile.write(tmp_path / "a.raw", y, RATE, **options)
    expected, _ = soundfile.read(
        tmp_path / "a.raw", channels=2, samplerate=RATE, dtype="float32", **options
    )
    found = decoded((tmp_path / "a.raw").read_bytes(), PcmForm(RATE, 2, name))
    np.testing.assert_array_equal(found, expected)


@given(st.binary(max_size=200), st.lists(st.integers(0, 200)), st.integers(1, 9))
def test_bytes_may_be_split_anywhere(data, cuts, block_length):
    form = PcmForm(RATE, 2, "s24le")
    reader = PcmReader(form, block_length=block_length)
    edges = [0, *sorted(min(cut, len(data)) for cut in cuts), len(data)]
    parts = [reader.push(data[a:b]) for a, b in pairwise(edges)]
    parts.append(reader.push(b"", last=True))
    found = np.concatenate([np.empty((0, 2)), *(p for p in parts if p is not None)])
    whole = len(data) - len(data) % 6
    np.testing.assert_array_equal(found, decoded(data[:whole], form))


def test_samples_that_are_none_are_silence():
    y, n_bad = made_possible(np.array([[0.5], [np.nan], [np.inf], [1e30]], np.float32))
    assert y[:, 0].tolist() == [0.5, 0, 0, 0]
    assert n_bad == 3


@pytest.mark.parametrize(
    ("rate", "channels", "format_", "words"),
    [
        (48_000, 1, "mp3", "s16le"),
        (10, 1, "s16le", "--rate"),
        (48_000, 0, "s16le", "1 to 64"),
    ],
)
def test_a_form_that_cannot_be_is_refused(rate, channels, format_, words):
    with pytest.raises(SettingsError, match=words):
        PcmForm(rate, channels, format_)


def test_standard_input_is_heard_to_its_end():
    reader, writer = os.pipe()
    data = sound(0.5).tobytes()

    def write() -> None:
        os.write(writer, data[:7])  # in the middle of a sample
        os.write(writer, data[7:])
        os.close(writer)

    threading.Thread(target=write).start()
    heard = collected(Stdin(FORM, reader))
    os.close(reader)
    np.testing.assert_array_equal(samples(heard), sound(0.5) / np.float32(32_768))
    assert isinstance(heard[0], Start)
    assert endings(heard) == ["over"]


def test_a_broken_connection_is_made_again_and_is_a_new_segment():
    first, second = sound(0.3, seed=1), sound(0.4, seed=2)
    with stations.tcp_server(first.tobytes(), second.tobytes()) as port:
        source = Tcp("127.0.0.1", port, FORM, first_wait_s=0.05)
        heard = collected(source, until=lambda h: len(endings(h)) == 2)
    found = segments(heard)
    np.testing.assert_array_equal(found[0], first / np.float32(32_768))
    np.testing.assert_array_equal(found[1], second / np.float32(32_768))
    assert "reconnect" in troubles(heard)


def test_a_server_that_is_not_there_is_tried_with_doubled_waits():
    heard = collected(
        Tcp("127.0.0.1", 9, FORM, first_wait_s=0.02),
        until=lambda h: len(troubles(h)) == 4,
    )
    texts = [one.text for one in heard if not isinstance(one, End)]
    waits = [float(text.split("again in ")[1].split()[0]) for text in texts[:4]]
    assert waits == [0.02, 0.04, 0.08, 0.16]


def test_a_long_good_connection_makes_the_next_wait_short_again():
    waited = []

    class Stop:
        def __init__(self):
            self.n = 0

        def is_set(self):
            return self.n >= 4

        def wait(self, seconds):
            waited.append(seconds)
            self.n += 1

    numbers = iter(range(9))

    def connect():
        if next(numbers) != 2:
            raise OSError("gone")
        yield Start(RATE, 1, None, "connected")
        yield Block(np.zeros((11 * RATE, 1), np.float32), 0)

    list(reconnecting(connect, Stop()))
    assert waited == [1, 2, 1, 2]


@given(st.integers(1, 400), st.sampled_from([16, 32]))
def test_numbers_in_order_are_in_order_wherever_they_begin(n, bits):
    numbers = Numbers(bits)
    begin = (1 << bits) - n // 2
    kinds = {numbers.order((begin + k) % (1 << bits)).kind for k in range(n)}
    assert kinds == {"next"}


def udp(header, packets, **options):
    """Send packets to a UDP source; return what it gave."""
    source = Udp("127.0.0.1", 0, FORM, header=header, **options)
    done = threading.Event()

    def send() -> None:
        stations.wait_for(lambda: source.port)
        with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as sender:
            for packet in packets:
                sender.sendto(packet, ("127.0.0.1", source.port))
        done.set()

    threading.Thread(target=send).start()
    stop = threading.Event()

    def end() -> None:
        done.wait(10)
        stations.time.sleep(0.4)
        stop.set()

    threading.Thread(target=end).start()
    return list(source.heard(stop))


def packets(numbers, *, header="u32", n=160):
    """Packets of 10 ms, each full of its own number."""
    found = []
    for number in numbers:
        lead = struct.pack(">I", number)
        if header == "rtp":
            lead = struct.pack(">BBHII", 0x80, 96, number, number * n, 7)
        found.append(lead + np.full(n, number, "<i2").tobytes())
    return found


@pytest.mark.parametrize("header", ["u32", "rtp"])
def test_lost_late_and_doubled_packets_are_told(header):
    heard = udp(header, packets([1, 2, 3, 3, 6, 7, 5, 8], header=header))
    assert troubles(heard) == ["duplicate", "gap", "late"]
    first, second = (np.unique(one * 32_768).tolist() for one in segments(heard))
    assert first == [1, 2, 3]
    assert second == [6, 7, 8]


def test_short_gaps_are_filled_with_silence_and_told():
    heard = udp("u32", packets([1, 2, 5, 6, 20, 21]), fill_s=0.02)
    assert troubles(heard) == ["gap", "gap"]
    first, second = (one[::160] * 32_768 for one in segments(heard))
    assert first.tolist() == [1, 2, 0, 0, 5, 6]  # time goes on as it was
    assert second.tolist() == [20, 21]


def test_packets_without_numbers_are_one_segment():
    y = sound(0.2)
    heard = udp("none", [y[k : k + 320].tobytes() for k in range(0, len(y), 320)])
    np.testing.assert_array_equal(samples(heard), y / np.float32(32_768))


def test_a_packet_without_room_for_its_header_is_unreadable():
    assert troubles(udp("rtp", [b"x", *packets([1], header="rtp")])) == ["unreadable"]


def test_a_port_that_is_taken_is_an_error_in_one_line():
    with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as other:
        other.bind(("127.0.0.1", 0))
        port = other.getsockname()[1]
        with pytest.raises(AudioError, match="choose another port"):
            list(Udp("127.0.0.1", port, FORM).heard(threading.Event()))


def test_a_recording_is_replayed_sample_by_sample(tmp_path):
    path = stations.record(tmp_path / "20260501_120000.wav", 0.7)
    heard = collected(Replay(path, speed=0))
    np.testing.assert_array_equal(samples(heard), sound(0.7) / np.float32(32_768))
    assert heard[0].start.isoformat() == "2026-05-01T12:00:00+00:00"


def test_a_recording_is_replayed_at_the_speed_asked_for(tmp_path):
    path = stations.record(tmp_path / "a.wav", 4.0)
    began = stations.time.monotonic()
    collected(Replay(path, speed=8))
    assert 0.4 < stations.time.monotonic() - began < 4.0


def test_a_growing_file_is_taken_when_it_is_whole_and_once(tmp_path):
    whole = stations.record(tmp_path / "whole" / "a.wav", 1.0).read_bytes()
    folder = tmp_path / "in"
    folder.mkdir()
    (folder / ".a.wav.Xy1").write_bytes(whole)  # as rsync names what it copies
    growing = folder / "a.wav"
    growing.write_bytes(whole[:10_000])

    def grow() -> None:
        stations.time.sleep(0.5)
        growing.write_bytes(whole)

    threading.Thread(target=grow).start()
    source = GrowingFolder(folder, still_s=0.2, poll_s=0.05)
    heard = collected(source, seconds=1.5)
    # What stood still with a header that promises more was waited for.
    assert [len(one) for one in segments(heard)] == [RATE]


def test_a_file_that_stays_broken_is_taken_as_far_as_it_goes(tmp_path):
    whole = stations.record(tmp_path / "whole.wav", 1.0).read_bytes()
    folder = tmp_path / "in"
    folder.mkdir()
    (folder / "a.wav").write_bytes(whole[:20_044])
    (folder / "b.wav").write_bytes(b"no sound at all")
    source = GrowingFolder(folder, still_s=0.05, poll_s=0.02)
    heard = collected(source, until=lambda h: troubles(h).count("unreadable") == 2)
    assert [len(one) for one in segments(heard)] == [10_000]


def test_what_is_known_is_not_heard_again(tmp_path):
    path = stations.record(tmp_path / "a.wav", 0.2)
    stations.record(tmp_path / "b.wav", 0.3)
    known = {recording_key(path, tmp_path)}
    source = GrowingFolder(tmp_path, known=known, still_s=0.0, poll_s=0.02)
    heard = collected(source, until=lambda h: len(endings(h)) == 1)
    assert [len(one) for one in segments(heard)] == [round(0.3 * RATE)]


def test_a_name_that_is_used_again_is_heard_again(tmp_path):
    path = stations.record(tmp_path / "REC001.WAV", 0.2, seed=1)
    begun = path.stat().st_mtime_ns
    source = GrowingFolder(tmp_path, still_s=0.0, poll_s=0.02)

    def until(heard):
        if len(endings(heard)) == 1 and path.stat().st_mtime_ns == begun:
            stations.record(path, 0.2, seed=2)  # another, of the same length
            os.utime(path, ns=(begun + 10**9, begun + 10**9))
        return len(endings(heard)) == 2

    first, second = segments(collected(source, until=until))
    assert len(first) == len(second)
    assert not np.array_equal(first, second)


class Broken:
    """A source with a mistake in it."""

    name, running = "broken", True

    def heard(self, stop):
        yield Start(RATE, 1, None, "begun")
        raise KeyError("nobody thought of it")


def test_whatever_a_source_dies_of_is_heard_of():
    buffered = Buffered(Broken())
    buffered.start()
    assert isinstance(buffered.take(timeout_s=5), Start)
    assert isinstance(buffered.take(timeout_s=5), Failure)


class Slow:
    """A source that goes on whether it is listened to or not."""

    name, running = "slow", True

    def heard(self, stop):
        yield Start(RATE, 1, None, "begun")
        for k in range(50):
            yield Block(np.full((100, 1), k, np.float32), 100 * k)


def test_who_is_too_slow_loses_sound_and_is_told():
    buffered = Buffered(Slow(), capacity=10)
    buffered.start()
    stations.wait_for(lambda: buffered.fill == 1)
    heard = []
    while (one := buffered.take(timeout_s=5)) is not None:
        heard.append(one)
    kept = np.unique(samples(heard))
    assert 0 < len(kept) < 50 or not troubles(heard)
    for one in segments(heard):
        assert np.all(np.diff(np.unique(one)) == 1)  # nothing is missing within


def test_a_source_that_fails_says_why():
    buffered = Buffered(Replay(stations.Path("no such file.wav")))
    buffered.start()
    assert isinstance(buffered.take(timeout_s=10), Failure)
    assert buffered.take(timeout_s=10) is None


class FakeCard(types.ModuleType):
    """What sounddevice gives, with sound of our own."""

    PortAudioError = type("PortAudioError", (Exception,), {})
    overflow_at = 4

    class InputStream:
        def __init__(self, *, blocksize, channels, callback, **_):
            self._options = blocksize, channels, callback

        def __enter__(self):
            length, channels, callback = self._options
            for k in range(8):
                y = np.full((length, channels), k / 10, np.float32)
                status = types.SimpleNamespace(input_overflow=k == FakeCard.overflow_at)
                callback(y, length, None, status)
            return self

        def __exit__(self, *_):
            pass


def test_a_sound_card_that_loses_samples_begins_a_new_segment(monkeypatch):
    monkeypatch.setattr(cards, "_sounddevice", lambda: FakeCard("sounddevice"))
    heard = collected(
        Card("hydrophone", PcmForm(RATE, 2)),
        until=lambda h: sum(isinstance(one, Block) for one in h) == 8,
    )
    first, second = segments(heard)
    np.testing.assert_allclose(np.unique(first), [0, 0.1, 0.2, 0.3], atol=1e-6)
    np.testing.assert_allclose(np.unique(second), [0.4, 0.5, 0.6, 0.7], atol=1e-6)
    assert troubles(heard) == ["overrun"]


def test_a_missing_portaudio_is_named(monkeypatch):
    def no_library(*_):
        raise OSError("PortAudio library not found")

    monkeypatch.setattr(cards, "require", no_library)
    with pytest.raises(AudioError, match="libportaudio2"):
        Card("", PcmForm(RATE)).heard(threading.Event())


RUN = ListenRun(rate=RATE)


@pytest.mark.parametrize(
    ("text", "kind", "name"),
    [
        ("-", Stdin, "-"),
        ("tcp://10.0.0.1:5000?rate=96000&format=s24le", Tcp, "tcp://10.0.0.1:5000"),
        ("udp://:5004?header=rtp", Udp, "udp://:5004"),
        ("https://x.org/live.ogg", Internet, "https://x.org/live.ogg"),
        ("hls+https://x.org/live", Internet, "https://x.org/live"),
        ("card:Focusrite", Card, "card:Focusrite"),
    ],
)
def test_sources_are_what_they_are_called(text, kind, name):
    source = source_of(text, RUN)
    assert type(source) is kind
    assert source.name == name


def test_a_path_is_a_recording_or_a_folder(tmp_path):
    assert isinstance(source_of(str(tmp_path), RUN), GrowingFolder)
    assert isinstance(source_of(f"folder:{tmp_path}", RUN), GrowingFolder)
    path = write_wav(tmp_path / "a.wav", np.zeros(100))
    assert isinstance(source_of(str(path), RUN), Replay)


@pytest.mark.parametrize(
    ("text", "words"),
    [
        ("nothing.wav", "is no source"),
        ("tcp://host", "names no port"),
        ("tcp://host:99999", "names no port"),
        ("udp://:5004?header=x", "choose from none"),
        ("tcp://h:1?speed=3", "is nothing that a stream has"),
        ("tcp://h:1?rate=fast", "whole numbers"),
    ],
)
def test_what_is_no_source_is_refused_with_the_way_out(text, words):
    with pytest.raises(SettingsError, match=words):
        source_of(text, RUN)


def test_raw_sound_needs_a_rate():
    with pytest.raises(SettingsError, match="give --rate"):
        source_of("-", checked(ListenRun, {}))
