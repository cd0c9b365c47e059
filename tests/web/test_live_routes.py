"""The live feed: all that is heard reaches all who watch, and nothing else does."""

from __future__ import annotations

import base64
import json
import threading
from pathlib import Path

import numpy as np
import places as made
import pytest
import served
from stations import record, wait_for
from websockets.exceptions import ConnectionClosed

from seacall.errors import SettingsError
from seacall.live.journal import Journal
from seacall.live.listen import listen
from seacall.live.ring_file import RingReader
from seacall.live.settings import ListenRun
from seacall.live.spectrum import ring_path
from seacall.review.place import open_place
from seacall.web import feed as feeds
from seacall.web.feed import Message, Tail, Viewer
from seacall.web.place_routes import row_of
from seacall.web.station_view import StationView

LABEL = "Fin Whale"


def kinds(messages: list[Message]) -> list[str]:
    return [json.loads(one.text)["type"] for one in messages]


@pytest.fixture
def station(tmp_path):
    folder = made.station(tmp_path / "st", [(LABEL, 5.0, 0.6), (LABEL, 9.0, 0.8)])
    view, place = StationView(folder), open_place(folder)
    yield folder, view, Tail(view, lambda number: row_of(place, number))
    view.close()
    place.close()


def told(tail: Tail) -> list[int]:
    """Return the numbers of the detections that are told as new."""
    found = [json.loads(message.text) for message in tail.news()]
    return [one["row"]["id"] for one in found if one["type"] == "detection"]


def add(folder: Path, number: int, changed_us: int) -> None:
    """Write a detection as another process does."""
    with Journal(folder, writable=False) as journal, journal.transaction() as db:
        db.execute(
            "INSERT INTO detections (id, segment, channel, label, start_s, end_s, "
            "low_hz, high_hz, score, n_clips, level_unit, state, begun_us, changed_us) "
            "SELECT ?, segment, channel, label, ?, ?, low_hz, high_hz, score, n_clips, "
            "level_unit, state, begun_us, ? FROM detections WHERE id = 1",
            (number, 100.0 + number, 101.0 + number, changed_us),
        )


def change(folder: Path, number: int, changed_us: int) -> None:
    with Journal(folder, writable=False) as journal, journal.transaction() as db:
        db.execute(
            "UPDATE detections SET changed_us = ?, end_s = end_s + 1 WHERE id = ?",
            (changed_us, number),
        )


def test_each_change_is_told_once(station, monkeypatch):
    folder, _, tail = station
    now = feeds.now_us()
    told(tail)
    add(folder, 10, now + 1)
    assert told(tail) == [10]
    assert told(tail) == []
    change(folder, 10, now + 2)
    assert told(tail) == [10]
    assert told(tail) == []


def test_a_clock_that_is_set_back_hides_nothing(station, monkeypatch):
    folder, _, tail = station
    now = feeds.now_us()
    told(tail)
    hour_us = 3_600_000_000
    monkeypatch.setattr(feeds, "now_us", lambda: now - hour_us)
    add(folder, 10, now - hour_us)
    assert told(tail) == [10]
    change(folder, 10, now - hour_us + 1)
    assert told(tail) == [10]
    assert told(tail) == []


def test_what_is_written_late_is_told(station):
    """A card that took ten seconds to write: the change bears the time of before."""
    folder, _, tail = station
    told(tail)
    change(folder, 1, feeds.now_us() - 10_000_000)
    assert told(tail) == [1]
    assert told(tail) == []


def test_many_changes_at_once_are_all_told(station):
    folder, _, tail = station
    told(tail)
    now = feeds.now_us()
    for number in range(100, 180):
        add(folder, number, now)
    assert told(tail) == [*range(100, 180)]


def test_hello_recent_and_health_come_first(station_folder):
    with (
        served.served(served.places_of(station_folder)) as server,
        server.watch("station") as viewer,
    ):
        hello = json.loads(viewer.recv(timeout=20))
        assert hello["type"] == "hello"
        assert [hello["low_db"], hello["high_db"]] == [-127.5, 0.0]
        assert len(hello["sources"]) == 1
        health = served.received(viewer, "health")
        assert health["sources"][0]["name"] == hello["sources"][0]


def test_what_is_heard_is_seen_and_nothing_is_lost(tmp_path):
    """A recording in real time, twice as fast: its spectrum and detections, whole."""
    path = record(tmp_path / served.NAME, 11.0)
    run = ListenRun(threshold=("0.05",), speed=2.0)
    stop = threading.Event()
    listening = threading.Thread(
        target=listen,
        args=([str(path)], tmp_path / "st", run),
        kwargs={"stop": stop, "status_s": 0.2},
    )
    listening.start()
    try:
        ring = ring_path(tmp_path / "st", 1)
        wait_for(ring.is_file)
        columns, found, first_s, levels = [], {}, None, 0
        with (
            served.served(served.places_of(tmp_path / "st")) as server,
            server.watch("st") as viewer,
        ):
            while listening.is_alive() or levels == 0 or len(columns) < 100:
                message = json.loads(viewer.recv(timeout=20))
                if message["type"] == "spectrum":
                    first_s = message["start_s"] if first_s is None else first_s
                    steps = np.frombuffer(
                        base64.b64decode(message["columns"]), np.uint8
                    ).reshape(message["n_columns"], message["n_bins"])
                    columns.extend(steps)
                    assert message["top_hz"] == 8_000
                elif message["type"] == "detection":
                    found[message["row"]["id"]] = message["row"]
                levels += message["type"] == "level"
    finally:
        stop.set()
        listening.join(20)
    kept = RingReader(ring).take(most=1_000)
    assert kept is not None
    since = np.searchsorted(kept.rows["start_s"], first_s - 1e-3)
    np.testing.assert_array_equal(columns, kept.rows["bins"][since:])
    with Journal(tmp_path / "st", writable=False) as journal:
        numbers = [r["id"] for r in journal.rows("SELECT id FROM detections")]
    assert sorted(found) == numbers


def test_only_what_is_asked_for_comes(tmp_path):
    viewer = Viewer("a")
    messages = [Message(name, {"of": name}) for name in ("a", "b", None)]
    viewer.offer(messages)
    assert viewer._queue.qsize() == 2


def test_a_viewer_that_does_not_read_is_sent_away(station_folder, monkeypatch):
    """And others are served meanwhile; memory has an end."""
    big = Message(None, {"type": "noise", "data": "x" * 200_000})
    monkeypatch.setattr(Tail, "news", lambda _: [big] * 100)
    monkeypatch.setattr(feeds, "TURN_S", 0.02)
    with (
        served.served(served.places_of(station_folder)) as server,
        server.raw() as raw,
    ):
        raw.sendall(
            b"GET /api/places/station/live HTTP/1.1\r\nConnection: Upgrade\r\n"
            b"Upgrade: websocket\r\nSec-WebSocket-Version: 13\r\n"
            b"Sec-WebSocket-Key: dGhlIHNhbXBsZSBub25jZQ==\r\n"
            + f"Host: {server.host}\r\nOrigin: {server.url}\r\n\r\n".encode()
        )
        assert raw.recv(15) == b"HTTP/1.1 101 Sw"
        wait_for(lambda: "seacall_viewers 0\n" in server.get("/metrics").text)
        assert server.answers()


def test_a_journal_that_fails_for_a_while_ends_no_feed(station_folder, monkeypatch):
    fails = [True]

    def news(_: Tail) -> list[Message]:
        if fails[0]:
            raise SettingsError("busy")
        return [Message(None, {"type": "again"})]

    monkeypatch.setattr(Tail, "news", news)
    monkeypatch.setattr(feeds, "TURN_S", 0.05)
    with (
        served.served(served.places_of(station_folder)) as server,
        server.watch("station") as viewer,
    ):
        served.received(viewer, "health")
        fails[0] = False
        assert served.received(viewer, "again")


def test_a_station_whose_journal_cannot_be_read_is_tried_again(
    station_folder, monkeypatch
):
    def fails(*_: object) -> None:
        raise SettingsError("busy")

    with served.served(served.places_of(station_folder)) as server:
        monkeypatch.setattr(StationView, "sources", fails)
        with server.watch("station") as viewer, pytest.raises(ConnectionClosed) as end:
            viewer.recv(timeout=10)
        assert end.value.rcvd.code == 1013
        monkeypatch.setattr(StationView, "health", fails)
        assert "busy" in server.get("/healthz").text
        monkeypatch.undo()
        with server.watch("station") as viewer:
            served.received(viewer, "health")


def test_places_that_are_no_stations_have_no_feed(archive_folder):
    with served.served(served.places_of(archive_folder)) as server:
        for place in ("archive", "nowhere"):
            with pytest.raises(Exception, match="403"), server.watch(place) as viewer:
                viewer.recv(timeout=5)


def test_long_messages_of_viewers_are_refused(station_folder):
    with (
        served.served(served.places_of(station_folder)) as server,
        server.watch("station") as viewer,
    ):
        viewer.send("small ones are ignored")
        served.received(viewer, "health")
        viewer.send("x" * 100_000)
        with pytest.raises(ConnectionClosed):
            served.received(viewer, "nothing")
        assert server.answers()


def test_a_station_that_says_nonsense_is_not_alive(station, tmp_path):
    folder, view, _ = station
    for text in ("", "{", "[]", '{"time": 3}', '{"time": "x", "sources": {}}'):
        (folder / "status.json").write_text(text)
        assert view.health()["alive"] is False
        assert list(view.troubles())


def test_a_feed_rests_when_nobody_watches(station_folder, monkeypatch):
    n = [0]
    real = Tail.news

    def counted(self: Tail) -> list[Message]:
        n[0] += 1
        return real(self)

    monkeypatch.setattr(Tail, "news", counted)
    monkeypatch.setattr(feeds, "TURN_S", 0.02)
    with served.served(served.places_of(station_folder)) as server:
        for _ in range(2):
            with server.watch("station") as viewer:
                served.received(viewer, "health")
            wait_for(lambda: "seacall_viewers 0\n" in server.get("/metrics").text)
        before = n[0]
        threading.Event().wait(0.3)
        assert n[0] <= before + 1
