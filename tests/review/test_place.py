"""Stations and archives as places: the same detections, quickly, and their sound."""

from __future__ import annotations

import time

import numpy as np
import places
import pytest
import soundfile
from places import NOON, RATE
from stations import record

from seacall.config import DetectRun
from seacall.detect.recordings import detect_recordings
from seacall.errors import AudioError, SettingsError
from seacall.live.journal import Journal, time_us
from seacall.live.listen import listen
from seacall.live.settings import ListenRun, SnippetSettings
from seacall.review.place import Place, Query, open_place, open_places

BELUGA, FIN, MINKE = "Béluga blanc", "Fin Whale", "Minke Whale"
FOUND = [(BELUGA, 10.0, 0.9), (FIN, 5.0, 0.6), (BELUGA, 30.0, 0.7)]


@pytest.fixture
def station(tmp_path):
    return places.station(tmp_path / "st one", FOUND)


def rows_of(place: Place, **query):
    return [
        (r.target.label, r.target.start_s)
        for r in place.detections(Query(**query)).rows
    ]


def test_a_folder_that_is_no_place_is_told(tmp_path):
    with pytest.raises(SettingsError, match="neither"):
        open_place(tmp_path)


def test_places_of_one_name_get_ids_of_their_own(tmp_path):
    folders = [places.station(tmp_path / k / "st", FOUND) for k in "ab"]
    assert [place.id for place in open_places(folders)] == ["st", "st-2"]


def test_filters_and_order_choose_detections(station):
    place = open_place(station)
    assert place.id == "st-one"
    in_time = [(FIN, 5.0), (BELUGA, 10.0), (BELUGA, 30.0)]
    assert rows_of(place) == in_time
    assert rows_of(place, desc=True) == in_time[::-1]
    assert rows_of(place, order="score") == [in_time[0], in_time[2], in_time[1]]
    assert rows_of(place, label=BELUGA, min_score=0.8) == [in_time[1]]
    noon = time_us(NOON)
    since = rows_of(place, since_us=noon + 6_000_000, until_us=noon + 30_000_000)
    assert since == [in_time[1]]
    assert rows_of(place, source="tcp://h:2") == []
    assert rows_of(place, label="Narwhal") == []
    page = place.detections(Query(limit=1, offset=1))
    assert (page.total, len(page.rows)) == (3, 1)


def test_what_a_station_hears_meanwhile_is_there(station):
    place = open_place(station)
    assert place.detections(Query()).total == 3
    with Journal(station) as journal:
        from seacall.detect.clip_table import empty_table
        from seacall.live.growing import Change
        from seacall.live.listener import News

        for kind, length_s in (("begun", 1.0), ("grown", 4.0)):
            one = places.detection(MINKE, 50.0, 0.8, length_s)
            journal.put(1, 0, News(0, empty_table(4), [Change(kind, one)]))
            (row,) = place.detections(Query(label=MINKE)).rows
            assert row.target.end_s == 50 + length_s
            assert row.state == "open"
        journal.settle()
        (row,) = place.detections(Query(label=MINKE)).rows
        assert (row.state, row.marks) == ("closed", ("cut",))


def test_two_hundred_thousand_detections_page_in_a_tenth_of_a_second(tmp_path):
    n = 200_000
    folder = places.many(tmp_path / "many", n, (BELUGA, FIN))
    place = open_place(folder)
    place.detections(Query())
    for order in ("time", "score"):
        wanted = Query(label=FIN, min_score=0.7, order=order, limit=100, offset=50_000)
        took_s = []
        for k in range(3):  # the station goes on meanwhile
            places.more(folder, [(BELUGA, 7e5 + k, 0.6)], source="tcp://h:1")
            began = time.thread_time()
            page = place.detections(wanted)
            took_s.append(time.thread_time() - began)
        assert min(took_s) < 0.1
        assert len(page.rows) == 100
        assert page.total == 60_000
    began = time.perf_counter()
    assert sum(c.sum() for c in place.presence(86_400).counts.values()) == 14_400
    assert time.perf_counter() - began < 2


def test_a_station_gives_the_sound_that_it_kept(station):
    places.keep_sound(station, 1, start_s=8.0)
    y, rate, start_s = open_place(station).sound(1, before_s=0.5, after_s=0.25)
    kept, _ = soundfile.read(station / "audio" / "1.flac", dtype="float32")
    assert (rate, start_s) == (RATE, 9.5)
    np.testing.assert_array_equal(y, kept[round(1.5 * RATE) : round(4.25 * RATE)])
    with pytest.raises(AudioError, match="not kept"):
        open_place(station).sound(2)
    with pytest.raises(KeyError):
        open_place(station).sound(77)


def test_a_station_without_snippets_reads_the_recording_it_replayed(
    tiny_model, tmp_path
):
    path = record(tmp_path / "a.wav", 4.0)
    run = ListenRun(
        model=str(tiny_model),
        threshold=("0.3",),
        speed=0.0,
        snippets=SnippetSettings(keep=False),
    )
    listen([str(path)], tmp_path / "out", run)
    place = open_place(tmp_path / "out")
    row = place.detections(Query()).rows[0]
    assert row.has_sound
    assert row.name == "a.wav"
    y, rate, start_s = place.sound(row.id, before_s=0, after_s=0)
    whole, _ = soundfile.read(path, dtype="float32")
    begin = round(row.target.start_s * rate)
    np.testing.assert_allclose(y, whole[begin : begin + len(y)], atol=1e-6)
    assert start_s == row.target.start_s
    assert place.card is not None
    assert place.card.labels[:-1] == place.labels


def test_an_archive_gives_what_detect_wrote(tiny_model, tmp_path):
    paths = [record(tmp_path / f"{k}.wav", 3.0 + k, seed=k) for k in range(2)]
    run = DetectRun(model=str(tiny_model), threshold=("0.3",), formats=())
    result = detect_recordings(paths, tmp_path / "out", run, n_workers=1)
    from seacall.cli.console import store_settings

    store_settings(run, tmp_path / "out")
    place = open_place(tmp_path / "out")
    page = place.detections(Query(limit=500))
    assert page.total == sum(result.detections.values()) > 0
    row = page.rows[-1]
    y, rate, start_s = place.sound(row.id, before_s=1.0, after_s=0)
    whole, _ = soundfile.read(tmp_path / row.name, dtype="float32")
    begin = round(start_s * rate)
    np.testing.assert_allclose(y, whole[begin : begin + len(y)], atol=1e-6)
    assert start_s == pytest.approx(max(0, row.target.start_s - 1))


def test_ids_of_an_archive_stay_when_a_threshold_moves(tiny_model, tmp_path):
    scores = {"a.wav": [0.9, 0.1, 0.6, 0.1], "b.wav": [0.9, 0.2]}
    out = places.archive(tmp_path / "run", scores, model=tiny_model)
    before = {r.id: r.target.key for r in open_place(out).detections(Query()).rows}
    lower = DetectRun(threshold=("0.5",))
    places.store(lower, out)
    after = {r.id: r.target.key for r in open_place(out).detections(Query()).rows}
    assert len(before) == 2
    assert len(after) == 3
    assert before.items() < after.items()


def test_presence_counts_detections_beside_effort(station):
    place = open_place(station)
    found = place.presence(bin_s=1800)
    assert found.effort_s.tolist() == [1800, 1800]
    assert found.bins_us[0] == time_us(NOON)
    assert found.counts[BELUGA].tolist() == [2, 0]
    place.notebook.set_threshold(BELUGA, 0.8)
    assert place.presence(bin_s=1800).counts[BELUGA].tolist() == [1, 0]
    assert place.hours() == 1.0


def test_a_detection_of_an_id_that_is_none_is_a_key_error(station):
    with pytest.raises(KeyError):
        open_place(station).detection(99)


def test_a_path_that_leads_out_of_the_station_is_not_read(station, tmp_path):
    soundfile.write(tmp_path / "secret.flac", np.zeros(16), RATE)
    with Journal(station) as journal, journal.transaction() as db:
        db.execute("UPDATE detections SET audio = '../secret.flac', audio_start_s = 0")
    with pytest.raises(AudioError, match="not kept"):
        open_place(station).sound(1)


def test_the_row_of_a_detection_is_what_the_page_was_promised(station):
    row = open_place(station).detection(1).as_json()
    assert row["family"] == "Monodontidae" or row["family"] == ""
    assert row["source"] == "tcp://h:1"
    assert row["verdicts"] == []
    assert row["settled"] is None
