"""Recordings that are sent: taken, heard, shown; and what is none is not."""

from __future__ import annotations

import io
import stat
import sys
from pathlib import Path

import httpx
import numpy as np
import pytest
import served
import soundfile
import tiny
from hypothesis import given
from hypothesis import strategies as st
from stations import RATE, record, sound, wait_for

from seacall.audio.locate import AUDIO_SUFFIXES
from seacall.config import DetectRun
from seacall.detect.recordings import detect_recordings
from seacall.errors import AudioError, SettingsError
from seacall.review.place import Query, open_place
from seacall.web.settings import ServeSettings
from seacall.web.upload_names import file_name, free_path
from seacall.web.upload_worker import opened
from seacall.web.uploads import Uploads


def wav(duration_s: float = 3.0, *, seed: int = 0) -> bytes:
    stream = io.BytesIO()
    soundfile.write(stream, sound(duration_s, seed=seed), RATE, format="WAV")
    return stream.getvalue()


def send(server, data: bytes, name: str = served.NAME) -> httpx.Response:
    return httpx.post(
        f"{server.url}/api/uploads",
        params={"name": name},
        content=data,
        headers=server.ours,
        timeout=60,
        verify=False,
    )


def done(server, job: str) -> dict:
    """Wait until a job is over, and return it."""

    def over():
        found = server.get(f"/api/jobs/{job}").json()
        return found if found["state"] in ("done", "failed") else None

    return wait_for(over, seconds=60)


def left(folder: Path) -> list[str]:
    return sorted(p.name for p in folder.glob("*/*") if p.parent.name != "selections")


@pytest.fixture(scope="module")
def model(tmp_path_factory) -> Path:
    return tiny.write_model(tmp_path_factory.mktemp("model") / "model", threshold=0.2)


@given(st.text(max_size=300))
def test_names_become_plain_files_or_are_refused(text):
    try:
        name = file_name(text)
    except AudioError as error:
        assert "\n" not in str(error)  # noqa: PT017
        return
    assert name == Path(name).name == file_name(name)
    assert Path(name).suffix.lower() in AUDIO_SUFFIXES


@given(st.text(max_size=300), st.sampled_from(sorted(AUDIO_SUFFIXES)))
def test_any_name_that_ends_as_recordings_do_can_be_a_file(stem, suffix):
    try:
        name = file_name(stem + suffix)
    except AudioError:  # nothing before the ending: a hidden file
        assert not file_name(f"a{suffix}").startswith(".")
        return
    assert not set(name) & set('/\\\0\n<>:"|?*')
    assert not name.startswith((".", "-"))
    assert len(name.encode()) <= 151


@pytest.mark.parametrize(
    ("given_name", "kept"),
    [
        ("5014.230101120000.wav", "5014.230101120000.wav"),
        ("../../etc/x.wav", "x.wav"),
        ("..\\..\\windows\\x.WAV", "x.WAV"),
        ("SMM001_20200101_000000.flac", "SMM001_20200101_000000.flac"),
        ("Été à Brest.wav", "Été_à_Brest.wav"),
        ("con.wav", "_con.wav"),
    ],
)
def test_names_keep_what_recorders_write(given_name, kept):
    assert file_name(given_name) == kept


def test_a_second_file_of_a_name_gets_a_number(tmp_path):
    assert free_path(tmp_path, "a.wav").name == "a.wav"
    (tmp_path / "a.wav").touch()
    (tmp_path / "a-2.wav").touch()
    assert free_path(tmp_path, "a.wav").name == "a-3.wav"


def test_an_upload_is_heard_as_detect_hears_it(model, tmp_path):
    places = {}
    with served.served(places, uploads=tmp_path / "up", model=str(model)) as server:
        answer = send(server, wav(5.0, seed=1), "../20260501_120000.wav")
        assert answer.status_code == 202
        job = done(server, answer.json()["job"])
        assert (job["state"], job["place"], job["error"]) == ("done", "up", None)
        found = server.get("/api/places/up/detections").json()["rows"]
        assert server.get("/api/jobs").json()["rows"] == [job]
        assert send(server, wav(5.0, seed=1)).status_code == 409  # the same again
    assert left(tmp_path / "up") == ["20260501_120000.wav"]
    path = record(tmp_path / "rec" / "20260501_120000.wav", 5.0, seed=1)
    detect_recordings([path], tmp_path / "out", DetectRun(model=str(model)))
    place = open_place(tmp_path / "out")
    expected = place.detections(Query()).rows
    place.close()
    assert len(found) == len(expected) > 0
    for one, other in zip(found, expected, strict=True):
        assert (one["label"], one["start_s"]) == (
            other.target.label,
            other.target.start_s,
        )
        assert one["score"] == pytest.approx(other.target.score, abs=1e-5)


def huge_header() -> bytes:
    """A WAV that says it holds four gigabytes of 32 channels at 4 GHz."""
    head = bytearray(wav(0.1)[:44])
    head[4:8] = head[40:44] = b"\xff\xff\xff\xff"
    head[22:24] = (32).to_bytes(2, "little")
    head[24:28] = b"\xff\xff\xff\xff"
    return bytes(head)


BAD = {
    "nothing": b"",
    "zeros": bytes(10_000),
    "text": b"<script>alert(1)</script>" * 100,
    "noise": np.random.default_rng(0).bytes(50_000),
    "a header": wav()[:44],
    "half a header": wav()[:20],
    "a header that lies": huge_header(),
    "a zip": b"PK\x03\x04" + bytes(1_000),
    "flac and then nothing": b"fLaC" + bytes(1_000),
    "flac with lies": b"fLaC\x80\x00\x00\x22" + b"\xff" * 400,
    "ogg and then nothing": b"OggS" + b"\xff" * 4_000,
    "mp3 sync and then nothing": b"\xff\xfb\x90\x00" * 2,
    "aiff with lies": b"FORM\xff\xff\xff\xffAIFFCOMM\xff\xff\xff\xff" + bytes(99),
}


@pytest.mark.parametrize("what", BAD)
def test_what_is_no_recording_cannot_be_opened(tmp_path, what):
    (tmp_path / "x.wav").write_bytes(BAD[what])
    with pytest.raises(AudioError):
        opened(tmp_path / "x.wav")


def test_what_is_no_recording_is_refused_in_words(tmp_path):
    with served.served({}, uploads=tmp_path / "up", max_upload_h=0.002) as server:
        for what in ("text", "a header"):
            answer = send(server, BAD[what], "x.wav")
            assert answer.status_code == 415
            detail = answer.json()["detail"]
            assert detail.startswith("not taken: x.wav: ")
            assert "\n" not in detail
        assert send(server, wav(), "x.exe").status_code == 415
        hours = send(server, wav(8.0))
        assert hours.status_code == 413
        assert "longer than 0.002 h" in hours.json()["detail"]
        assert server.get("/api/jobs").json() == {"rows": []}
    assert left(tmp_path / "up") == []


def test_without_a_folder_none_are_taken(station_folder):
    with served.served(served.places_of(station_folder)) as server:
        answer = send(server, wav())
        assert answer.status_code == 403
        assert "--uploads" in answer.json()["detail"]
        assert server.get("/api/jobs").json() == {"rows": []}


def test_a_full_disk_is_told_before_anything_is_read(tmp_path):
    with served.served({}, uploads=tmp_path / "up", min_free_gb=1e9) as server:
        answer = send(server, wav())
    assert answer.status_code == 507
    assert "GB are free" in answer.json()["detail"]
    assert left(tmp_path / "up") == []


def test_a_folder_that_cannot_be_written_is_told(tmp_path):
    (tmp_path / "file").touch()
    with pytest.raises(SettingsError, match="another folder for --uploads"):
        Uploads(tmp_path / "file", ServeSettings(), {})


def test_one_that_crashes_the_decoder_is_put_aside(tmp_path, monkeypatch):
    """And the next ones are heard: here the program itself is replaced."""
    fake = tmp_path / "python"
    fake.write_text(
        "#!/bin/sh\n"
        f'[ -e "{tmp_path}/up/recordings/poison.wav" ] && kill -SEGV $$\n'
        f'exec {sys.executable} "$@"\n'
    )
    fake.chmod(fake.stat().st_mode | stat.S_IXUSR)
    monkeypatch.setattr(sys, "executable", str(fake))
    with served.served({}, uploads=tmp_path / "up") as server:
        jobs = [
            send(server, wav(1.0 + k), name).json()["job"]
            for k, name in enumerate(["poison.wav", "good.wav"])
        ]
        poison, good = [done(server, job) for job in jobs]
    assert poison["state"] == "failed"
    assert "put aside" in poison["error"]
    assert (good["state"], good["place"]) == ("done", "up")
    assert (tmp_path / "up" / "refused" / "poison.wav").is_file()
    assert [p.name for p in (tmp_path / "up" / "recordings").iterdir()] == ["good.wav"]


def test_what_a_server_left_is_heard_by_the_next(tmp_path):
    folder = tmp_path / "up"
    (folder / "waiting").mkdir(parents=True)
    (folder / "incoming").mkdir()
    (folder / "incoming" / "half.wav").write_bytes(wav()[:5_000])
    (folder / "waiting" / "18ab_one.wav").write_bytes(wav(1.0))
    (folder / "recordings").mkdir()
    (folder / "recordings" / "two.wav").write_bytes(wav(2.0))
    with served.served({}, uploads=folder) as server:
        rows = server.get("/api/jobs").json()["rows"]
        assert sorted(row["name"] for row in rows) == ["one.wav", "two.wav"]
        assert {done(server, row["job"])["state"] for row in rows} == {"done"}
        assert server.get("/api/places").json()[0]["kind"] == "archive"
    assert left(folder) == ["one.wav", "two.wav"]
    with served.served({}, uploads=folder) as server:  # all was heard
        assert server.get("/api/jobs").json() == {"rows": []}
        assert len(server.get("/api/places").json()) == 1
    assert not any((folder / "waiting").iterdir())
