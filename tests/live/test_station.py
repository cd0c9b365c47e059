"""Whole stations: nothing lost, nothing twice, whatever happens."""

from __future__ import annotations

import json
import os
import signal
import sqlite3
import threading
from pathlib import Path

import numpy as np
import programs
import pytest
import soundfile
import stations
from stations import RATE, record, sound, wait_for

from seacall.audio.clips import ClipGrid
from seacall.detect.classify import classify_recording
from seacall.errors import SettingsError
from seacall.live.journal import Journal
from seacall.live.listen import listen, plan_for
from seacall.live.settings import HealthSettings, ListenRun, SnippetSettings
from seacall.models.backend import load_classifier

NO_SOUND = SnippetSettings(keep=False)


def run_for(model: Path, **changes) -> ListenRun:
    values = {"model": str(model), "threshold": ("0.3",), "speed": 0.0, "rate": RATE}
    return ListenRun(**(values | {"snippets": NO_SOUND} | changes))


def query(folder: Path, sql: str) -> list[tuple]:
    with Journal(folder, writable=False) as journal:
        return [tuple(row) for row in journal.rows(sql)]


def found(folder: Path) -> list[tuple]:
    return query(
        folder,
        "SELECT label, channel, start_s, end_s, round(score, 4), n_clips, state "
        "FROM detections ORDER BY start_s, label",
    )


def test_scores_in_the_journal_are_those_of_detect(tiny_model, tmp_path):
    path = record(tmp_path / "a.wav", 4.4)
    run = run_for(tiny_model)
    result = listen([str(path)], tmp_path / "out", run)
    plan = plan_for(run)
    with Journal(tmp_path / "out", writable=False) as journal:
        grid = ClipGrid.of(plan.card.front_end)
        tables = journal.clips(1, 0, grid, n_classes=len(plan.card.labels))
        scores = np.concatenate([table.scores(plan.card) for table in tables])
    expected = list(classify_recording(path, load_classifier(tiny_model)))
    np.testing.assert_allclose(scores, [one.scores for one in expected], atol=1e-5)
    assert result.n_clips == len(expected) == 5
    assert result.heard_s == pytest.approx(4.4)


def test_several_sources_are_heard_beside_each_other(tiny_model, tmp_path):
    paths = [str(record(tmp_path / f"{k}.wav", 2.0 + k, seed=k)) for k in range(3)]
    run = run_for(tiny_model)
    together = listen(paths, tmp_path / "all", run)
    for k, path in enumerate(paths):
        alone = tmp_path / f"alone {k}"
        listen([path], alone, run)
        sql = (
            "SELECT d.label, d.start_s, d.end_s FROM detections d JOIN segments g ON "
            "d.segment = g.id JOIN sources s ON g.source = s.id "
            f"WHERE s.name = '{path}' ORDER BY d.start_s, d.label"
        )
        assert query(tmp_path / "all", sql) == query(alone, sql)
    assert together.heard_s == pytest.approx(9)


def test_each_channel_is_heard_on_its_own(tiny_model, tmp_path):
    left, right = sound(3.0, seed=1), sound(3.0, seed=2)
    path = tmp_path / "two.wav"
    soundfile.write(path, np.stack([left, right], axis=1), RATE)
    listen([str(path)], tmp_path / "out", run_for(tiny_model, channel="each"))
    channels = query(tmp_path / "out", "SELECT DISTINCT channel FROM clips")
    assert sorted(channels) == [(1,), (2,)]
    for channel, y in ((1, left), (2, right)):
        alone = tmp_path / f"{channel}.wav"
        soundfile.write(alone, y, RATE)
        listen([str(alone)], tmp_path / f"out{channel}", run_for(tiny_model))
        pick = f"SELECT logits FROM clips WHERE channel = {channel} ORDER BY first_clip"
        both = b"".join(row[0] for row in query(tmp_path / "out", pick))
        one = query(tmp_path / f"out{channel}", "SELECT logits FROM clips")
        assert both == b"".join(row[0] for row in one)


def test_a_channel_that_is_not_there_fails_in_words(tiny_model, tmp_path):
    path = record(tmp_path / "a.wav", 1.0)
    result = listen([str(path)], tmp_path / "o", run_for(tiny_model, channel=3))
    assert "choose one from 1 to 1" in next(iter(result.failures.values()))


def test_a_recording_that_was_heard_is_not_heard_twice(tiny_model, tmp_path):
    path = record(tmp_path / "a.wav", 3.0)
    run = run_for(tiny_model)
    listen([str(path)], tmp_path / "out", run)
    before = found(tmp_path / "out")
    again = listen([str(path)], tmp_path / "out", run)
    assert again.heard_s == 0
    assert found(tmp_path / "out") == before


def test_a_station_keeps_to_one_model_and_hop(tiny_model, tmp_path):
    path = record(tmp_path / "a.wav", 1.0)
    listen([str(path)], tmp_path / "out", run_for(tiny_model))
    with pytest.raises(SettingsError, match="another hop"):
        listen([str(path)], tmp_path / "out", run_for(tiny_model, hop_s=0.5))


def test_two_stations_do_not_write_into_one_folder(tiny_model, tmp_path):
    path = record(tmp_path / "a.wav", 1.0)
    with (
        Journal(tmp_path / "out"),
        pytest.raises(SettingsError, match="another run is writing"),
    ):
        listen([str(path)], tmp_path / "out", run_for(tiny_model))


def killed(folder: Path, model: Path, source: Path, *, when) -> None:
    """Start a station, and kill it -9 as soon as something is so."""
    process = programs.start(
        *("-m", "seacall", "listen", source, "-o", folder, "-m", model),
        *("--speed", "3", "--threshold", "0.3"),
    )
    try:
        wait_for(lambda: (folder / "station.sqlite").is_file() and when(), seconds=40)
    finally:
        programs.kill(process)


def count(folder: Path, sql: str) -> int:
    try:
        with sqlite3.connect(folder / "station.sqlite", timeout=5) as db:
            return int(db.execute(sql).fetchone()[0])
    except sqlite3.OperationalError:  # no table yet
        return 0


def test_after_kill_9_nothing_is_lost_and_nothing_is_twice(tiny_model, tmp_path):
    path = record(tmp_path / "a.wav", 12.0)
    run = run_for(tiny_model)
    listen([str(path)], tmp_path / "whole", run)
    out = tmp_path / "out"
    closed = "SELECT count(*) FROM detections WHERE state = 'closed'"
    clips = "SELECT coalesce(sum(n_clips), 0) FROM clips"
    killed(
        out, tiny_model, path, when=lambda: count(out, closed) and count(out, clips) > 2
    )
    at_death = [row for row in found(out) if row[-1] == "closed"]
    assert at_death
    assert count(out, clips) < 13
    listen([str(path)], out, run)
    assert found(out) == found(tmp_path / "whole")
    assert set(at_death) <= set(found(out))
    assert count(out, clips) == count(tmp_path / "whole", clips)
    assert query(out, "PRAGMA integrity_check") == [("ok",)]


def test_what_was_open_in_a_stream_that_was_killed_is_cut(tmp_path):
    with Journal(tmp_path) as journal, journal.transaction() as db:
        db.execute("INSERT INTO sources VALUES (1, 'tcp://h:1', 0)")
        db.execute(
            "INSERT INTO segments (id, source, key, sample_rate, n_channels, "
            "first_sample, began) VALUES (1, 1, '', 16000, 1, 0, 'connected')"
        )
        db.execute(
            "INSERT INTO detections (segment, channel, label, start_s, end_s, low_hz, "
            "high_hz, score, n_clips, level_unit, state, begun_us, changed_us) "
            "VALUES (1, 0, 'a', 0, 1, 0, 1, 1, 1, 'dBFS', 'open', 0, 0)"
        )
    with Journal(tmp_path) as journal:
        assert journal.rows("SELECT state FROM detections")[0][0] == "cut"
        assert journal.rows("SELECT ended FROM segments")[0][0] == "interrupted"


def test_gaps_make_segments_and_are_in_the_journal(tiny_model, tmp_path):
    data = [sound(1.5, seed=k).tobytes() for k in (1, 2)]
    stop = threading.Event()
    with stations.tcp_server(*data, hold_last=True) as port:
        out, name = tmp_path / "out", f"tcp://127.0.0.1:{port}"
        thread = threading.Thread(
            target=listen,
            args=([name], out, run_for(tiny_model)),
            kwargs={"stop": stop},
        )
        thread.start()
        wait_for(
            lambda: (
                (out / "station.sqlite").is_file()
                and count(out, "SELECT count(DISTINCT segment) FROM clips") == 2
            )
        )
        stop.set()
        thread.join(20)
    assert not thread.is_alive()
    kinds = query(out, "SELECT kind FROM events WHERE kind = 'reconnect'")
    assert kinds == [("reconnect",)]
    lengths = query(out, "SELECT n_samples, ended FROM segments ORDER BY id")
    assert [n for n, _ in lengths] == [24_000, 24_000]
    assert all(ended for _, ended in lengths)


def test_sound_of_detections_is_kept_with_what_was_around_it(tiny_model, tmp_path):
    path = record(tmp_path / "20260501_120000.wav", 8.0)
    snippets = SnippetSettings(pre_s=0.5, post_s=0.25, longest_s=3, min_free_gb=0)
    listen([str(path)], tmp_path / "o", run_for(tiny_model, snippets=snippets))
    y = sound(8.0) / 32_768
    rows = query(
        tmp_path / "o", "SELECT audio, audio_start_s, start_s, end_s FROM detections"
    )
    assert rows
    for name, begin_s, start_s, end_s in rows:
        kept, rate = soundfile.read(tmp_path / "o" / name)
        assert rate == RATE
        assert begin_s == max(0, start_s - 0.5)
        length_s = min(3, end_s + 0.25 - begin_s, 8 - begin_s)
        assert len(kept) == pytest.approx(length_s * RATE, abs=1)
        begin = round(begin_s * RATE)
        np.testing.assert_allclose(kept, y[begin : begin + len(kept)], atol=1e-6)


def test_a_full_disk_keeps_detections_without_their_sound(tiny_model, tmp_path):
    path = record(tmp_path / "a.wav", 4.0)
    none = SnippetSettings(min_free_gb=1e9)
    listen([str(path)], tmp_path / "o", run_for(tiny_model, snippets=none))
    rows = query(tmp_path / "o", "SELECT audio FROM detections")
    assert rows
    assert set(rows) == {(None,)}


def test_health_is_in_files_and_events(tiny_model, tmp_path):
    stop = threading.Event()
    flat = np.full(RATE * 3, 32_767, "<i2").tobytes()  # all clipped, and silent
    health = HealthSettings(clipped_s=1, silent_s=1, late_s=0.5)
    run = run_for(tiny_model, health=health)
    out = tmp_path / "out"
    with stations.tcp_server(flat, hold_last=True) as port:
        thread = threading.Thread(
            target=listen,
            args=([f"tcp://127.0.0.1:{port}"], out, run),
            kwargs={"stop": stop, "status_s": 0.1},
        )
        thread.start()

        def states():
            status = out / "status.json"
            if not status.is_file():
                return []
            (one,) = json.loads(status.read_text())["sources"].values()
            return one["states"]

        wait_for(lambda: set(states()) >= {"late", "silent", "clipped"})
        metrics = (out / "seacall.prom").read_text()
        stop.set()
        thread.join(20)
    assert 'state="clipped"} 1' in metrics
    assert 'state="hum"} 0' in metrics
    assert (out / "heartbeat").is_file()
    on = query(out, "SELECT DISTINCT kind FROM events WHERE state = 'on'")
    assert {("late",), ("silent",), ("clipped",)} <= set(on)


@pytest.mark.parametrize(
    ("number", "code"), [(signal.SIGINT, 130), (signal.SIGTERM, 0)]
)
def test_a_signal_ends_a_station_cleanly(tiny_model, tmp_path, number, code):
    out = tmp_path / "out"
    with stations.tcp_server(sound(3.0).tobytes(), hold_last=True) as port:
        process = programs.start(
            *("-m", "seacall", "listen", f"tcp://127.0.0.1:{port}", "-o", out),
            *("-m", tiny_model, "--rate", RATE, "--threshold", "0.3", "--json"),
        )
        clips = "SELECT coalesce(sum(n_clips), 0) FROM clips"
        try:
            wait_for(
                lambda: (out / "station.sqlite").is_file() and count(out, clips) >= 2,
                seconds=40,
            )
            os.kill(process.pid, number)
            text, err = process.communicate(timeout=30)
        finally:
            programs.kill(process)
    assert process.returncode == code, err
    assert "Traceback" not in err
    changes = [json.loads(line) for line in text.splitlines()]
    numbers = {one["detection"] for one in changes if one["change"] == "begun"}
    assert numbers == {one["detection"] for one in changes if one["change"] == "ended"}
    assert count(out, "SELECT count(*) FROM detections WHERE state != 'closed'") == 0
    assert count(out, clips) == 3


def test_the_same_source_in_two_places_is_refused(tiny_model, tmp_path):
    path = str(record(tmp_path / "a.wav", 1.0))
    with pytest.raises(SettingsError, match="named twice"):
        listen([path, path], tmp_path / "o", run_for(tiny_model))


def test_without_room_listening_waits_and_loses_nothing(
    tiny_model, tmp_path, monkeypatch
):
    """A disk that is full for a while."""
    path = record(tmp_path / "a.wav", 5.0)
    run = run_for(tiny_model)
    listen([str(path)], tmp_path / "whole", run)
    plain, failures = Journal.put, iter(range(3))

    def full(self, *arguments, **options):
        if next(failures, None) is not None:
            cause = sqlite3.OperationalError("database or disk is full")
            raise SettingsError("no room") from cause
        return plain(self, *arguments, **options)

    monkeypatch.setattr(Journal, "put", full)
    monkeypatch.setattr("seacall.live.station._NO_ROOM_S", 0.05)
    result = listen([str(path)], tmp_path / "o", run)
    assert result.failures == {}
    assert found(tmp_path / "o") == found(tmp_path / "whole")


def test_systemd_hears_that_all_is_well(tiny_model, tmp_path, monkeypatch):
    import socket

    path = record(tmp_path / "a.wav", 1.0)
    with socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM) as systemd:
        systemd.bind(str(tmp_path / "notify"))
        systemd.setblocking(False)
        monkeypatch.setenv("NOTIFY_SOCKET", str(tmp_path / "notify"))
        listen([str(path)], tmp_path / "o", run_for(tiny_model))
        said = []
        while True:
            try:
                said.append(systemd.recv(100).decode())
            except BlockingIOError:
                break
    assert said[0] == "READY=1"
    assert "WATCHDOG=1" in said
    assert "STOPPING=1" in said


def test_a_growing_folder_goes_on_where_it_was(tiny_model, tmp_path):
    folder, out = tmp_path / "in", tmp_path / "out"
    record(folder / "20260501_120000.wav", 2.0, seed=1)
    run = run_for(tiny_model, still_s=0.0)

    def until(n: int) -> None:
        stop = threading.Event()
        thread = threading.Thread(
            target=listen, args=([f"folder:{folder}"], out, run), kwargs={"stop": stop}
        )
        thread.start()
        done = "SELECT count(*) FROM segments WHERE ended != ''"
        wait_for(lambda: (out / "station.sqlite").is_file() and count(out, done) == n)
        stop.set()
        thread.join(20)

    until(1)
    record(folder / "20260501_120010.wav", 2.0, seed=2)
    until(2)
    clips = query(out, "SELECT segment, sum(n_clips) FROM clips GROUP BY segment")
    assert clips == [(1, 2), (2, 2)]
    starts = query(out, "SELECT start_us / 1000000 % 60 FROM segments ORDER BY id")
    assert starts == [(0,), (10,)]
