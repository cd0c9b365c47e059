"""AOEF files are loaded by soundevent, which checks every field."""

from __future__ import annotations

import re
from pathlib import Path

import pytest
from found import AWKWARD_NAMES, archives, detected, given, searched
from hypothesis import HealthCheck, settings
from hypothesis import given as drawn

from seacall.detect.outputs import write_outputs

soundevent_io = pytest.importorskip("soundevent.io")

pytestmark = pytest.mark.filterwarnings("ignore")  # of the other reader


def load(out: Path, *found):
    write_outputs(out, given(found), formats=["aoef"])
    return soundevent_io.load(out / "detections.aoef.json", type="prediction_set")


@drawn(found=archives())
@settings(
    deadline=None,
    max_examples=20,
    suppress_health_check=[HealthCheck.function_scoped_fixture],
)
def test_soundevent_gives_the_same_detections_back(tmp_path, found):
    back = load(tmp_path, *found)
    events = [event for clip in back.clip_predictions for event in clip.sound_events]
    truth = [(one, d) for one, ds in found for d in sorted(ds, key=place)]
    for event, (one, d) in zip(events, truth, strict=True):
        start_s, low_hz, end_s, high_hz = event.sound_event.geometry.coordinates
        assert str(event.sound_event.recording.path) == str(d.path)
        assert (start_s, end_s) == pytest.approx((d.start_s, d.end_s), abs=2e-6)
        assert low_hz == pytest.approx(d.low_hz, abs=6e-4)
        assert high_hz <= one.recording.sample_rate / 2
        assert event.tags[0].tag.value == d.label
        assert event.score == event.tags[0].score == pytest.approx(d.score, abs=1e-6)


def place(d):
    return d.start_s, d.end_s, d.label, d.channel


def test_clips_are_what_was_heard_and_recordings_keep_their_date(tmp_path):
    one = searched(heard=((0.0, 20.0), (30.0, 60.0)))
    back = load(tmp_path, (one, [detected(one, 5, 10), detected(one, 40, 50)]))
    clips = [
        (c.clip.start_time, c.clip.end_time, len(c.sound_events))
        for c in back.clip_predictions
    ]
    assert clips == [(0.0, 20.0, 1), (30.0, 60.0, 1)]
    recording = back.clip_predictions[0].clip.recording
    assert (recording.duration, recording.samplerate) == (60.0, 48_000)
    assert recording.date.isoformat() == "2019-05-01"
    assert recording.time.isoformat() == "12:00:00"


def test_the_same_run_gives_the_same_identifiers(tmp_path):
    one = searched()
    for name in ("a", "b"):
        load(tmp_path / name, (one, [detected(one), detected(one)]))
    first, second = (
        (tmp_path / name / "detections.aoef.json").read_text() for name in ("a", "b")
    )
    assert first == second
    assert len(set(re.findall(r'"uuid": "([^"]+)"', first))) == 8


@pytest.mark.parametrize("name", AWKWARD_NAMES, ids=repr)
def test_awkward_names_are_loaded(tmp_path, name):
    one = searched(f"/data/{name}")
    back = load(tmp_path, (one, [detected(one)]))
    assert str(back.clip_predictions[0].clip.recording.path) == f"/data/{name}"
