"""What the server answers, through a real server and a real client."""

from __future__ import annotations

import io
import json
import os
import shutil
import sqlite3

import httpx
import numpy as np
import pytest
import served
import soundfile

from seacall.live.journal import Journal
from seacall.web.answers import Json, without_folders


@pytest.fixture(scope="module")
def server(station_folder, archive_folder):
    with served.served(served.places_of(station_folder, archive_folder)) as one:
        yield one


def rows(server, place: str, query: str = "") -> list[dict]:
    return server.get(f"/api/places/{place}/detections?{query}").json()["rows"]


def test_places_are_listed_with_what_they_hold(server):
    found = {one["id"]: one for one in server.get("/api/places").json()}
    assert [found["station"]["kind"], found["archive"]["kind"]] == [
        "station",
        "archive",
    ]
    for name, one in found.items():
        assert one["n_detections"] == len(rows(server, name)) > 0
        assert {row["label"] for row in rows(server, name)} <= {*one["labels"]}


def test_detections_of_a_station_are_those_of_its_journal(server, station_folder):
    with Journal(station_folder, writable=False) as journal:
        kept = journal.rows(
            "SELECT id, label, start_us, score FROM detections ORDER BY start_us, id"
        )
    found = rows(server, "station")
    assert [(r["id"], r["label"], r["start_us"]) for r in found] == [
        tuple(r)[:3] for r in kept
    ]
    best = max(found, key=lambda row: row["score"])
    few = rows(server, "station", f"min_score={best['score']}&order=score&desc=true")
    assert few[0]["id"] == best["id"]
    assert all(row["score"] >= best["score"] for row in few)


def test_one_detection_is_what_the_list_says(server):
    for row in rows(server, "archive"):
        one = server.get(f"/api/places/archive/detections/{row['id']}")
        assert one.json() == row


def test_sound_is_that_of_the_recording(server, archive_folder):
    row = rows(server, "archive", f"source={served.NAME}")[0]
    path = f"/api/places/archive/detections/{row['id']}/sound.wav"
    answer = server.get(f"{path}?before_s=0.5&after_s=0.25")
    y, rate = soundfile.read(io.BytesIO(answer.content), dtype="float32")
    begin = round(float(answer.headers["X-Start-Seconds"]) * rate)
    whole, _ = soundfile.read(archive_folder.parent / "rec" / served.NAME)
    assert begin == round(max(0.0, row["start_s"] - 0.5) * rate)
    np.testing.assert_allclose(y, whole[begin : begin + len(y)], atol=2e-7)
    wanted_s = min(row["end_s"] + 0.25, len(whole) / rate) - begin / rate
    assert len(y) / rate == pytest.approx(wanted_s, abs=0.01)


def test_sound_comes_at_a_rate_that_browsers_play(server):
    row = rows(server, "archive")[0]
    path = f"/api/places/archive/detections/{row['id']}/sound.wav"
    own = soundfile.info(io.BytesIO(server.get(path).content))
    answer = server.get(f"{path}?rate=48000")
    other = soundfile.info(io.BytesIO(answer.content))
    assert (own.samplerate, other.samplerate) == (16_000, 48_000)
    assert other.duration == pytest.approx(own.duration, abs=1e-3)
    assert answer.headers["X-Sample-Rate"] == "16000"


def test_sound_that_is_gone_is_told(station_folder, tmp_path):
    shutil.copytree(station_folder, tmp_path / "st")
    shutil.rmtree(tmp_path / "st" / "audio")
    with sqlite3.connect(tmp_path / "st" / "station.sqlite") as db:
        db.execute("UPDATE segments SET key = ''")  # as a stream's
    db.close()
    with served.served(served.places_of(tmp_path / "st")) as server:
        row = rows(server, "st")[0]
        answer = server.get(f"/api/places/st/detections/{row['id']}/sound.wav")
    assert answer.status_code == 404
    assert "its sound was not kept" in answer.json()["detail"]


def test_presence_counts_what_the_list_holds(server):
    found = server.get("/api/places/archive/presence?bin_s=60").json()
    dated = rows(server, "archive", f"source={served.NAME}")
    assert sum(found["effort_s"]) == pytest.approx(12.0)
    assert sum(map(sum, found["counts"].values())) == len(dated)
    label = dated[0]["label"]
    one = server.get(f"/api/places/archive/presence?bin_s=60&label={label}").json()
    assert one["counts"] == {label: found["counts"][label]}


def test_health_and_events_are_those_of_the_station(server, station_folder):
    status = json.loads((station_folder / "status.json").read_text())
    health = server.get("/api/places/station/health").json()
    (name,) = status["sources"]
    assert [one["name"] for one in health["sources"]] == [name]
    assert health["sources"][0]["heard_s"] == 20.0
    assert server.get("/api/places/archive/health").status_code == 404
    assert server.get("/api/places/station/events").json()["rows"] == []


@pytest.mark.parametrize(
    ("path", "status", "words"),
    [
        ("/api/places/nowhere/detections", 404, "no place 'nowhere'"),
        ("/api/places/station/detections/999999", 404, "no detection 999999"),
        ("/api/places/station/detections?limit=501", 422, "limit: "),
        ("/api/places/station/detections?min_score=nan", 422, "min_score: "),
        ("/api/places/station/detections?order=size", 422, "order: "),
        ("/api/places/station/presence?bin_s=inf", 422, "bin_s: "),
        ("/api/jobs/none", 404, "no job 'none'"),
        ("/api/nothing", 404, "Not Found"),
    ],
)
def test_errors_are_one_line_that_says_what(server, path, status, words):
    answer = server.get(path)
    assert answer.status_code == status
    assert [*answer.json()] == ["detail"]
    assert words in answer.json()["detail"]
    assert "\n" not in answer.json()["detail"]


def test_a_script_in_a_file_name_stays_text(server):
    names = {row["source"] for row in rows(server, "archive")}
    assert served.SCRIPT in names
    answer = server.get("/api/places/archive/detections")
    assert answer.headers["content-type"] == "application/json"
    assert answer.headers["x-content-type-options"] == "nosniff"


def test_names_that_are_no_text_do_not_break_an_answer():
    name = os.fsdecode(b"bad\xff.wav")
    assert json.loads(Json({"name": name}).body)["name"] == name
    with pytest.raises(ValueError, match="JSON compliant"):
        Json({"level": float("nan")})


def test_a_bug_is_told_in_one_line_and_logged(station_folder, caplog):
    places = served.places_of(station_folder)
    places["station"].presence = None  # what calls it fails
    with served.served(places) as server:
        answer = server.get("/api/places/station/presence")
        assert server.answers()
    assert answer.status_code == 500
    assert "log says why" in answer.json()["detail"]
    assert "default-src 'self'" in answer.headers["content-security-policy"]
    assert "TypeError" in caplog.text


def test_errors_name_files_and_not_where_they_lie():
    text = without_folders("/data/secret/site 1/x.wav: is empty (see /etc/x and a/b)")
    assert "secret" not in text
    assert "/etc" not in text
    assert "x.wav: is empty" in text


def test_the_page_and_its_parts_are_there(server):
    page = server.get("/")
    assert page.headers["content-type"].startswith("text/html")
    assert server.get("/static/index.html").text == page.text
    assert server.get("/static/nothing.js").status_code == 404


def test_what_monitors_read(server):
    text = server.get("/metrics").text
    assert 'seacall_heard_seconds_total{station="station",source="' in text
    assert "seacall_viewers 0" in text
    names = [line.split()[2] for line in text.splitlines() if line[:6] == "# TYPE"]
    assert len(set(names)) == len(names)
    healthz = server.get("/healthz")  # nobody listens there any more
    assert healthz.status_code == 503
    assert "station: " in healthz.text


def test_a_description_of_the_interface_is_given(server):
    paths = server.get("/api/openapi.json").json()["paths"]
    assert "/api/places/{place}/detections/{number}/sound.wav" in paths
    assert httpx.get(f"{server.url}/docs").status_code == 404
