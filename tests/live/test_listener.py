"""Scores and detections of sound as it comes, beside those of files."""

from __future__ import annotations

import time
from pathlib import Path

import numpy as np
import pytest
from hypothesis import HealthCheck, given
from hypothesis import settings as trials
from hypothesis import strategies as st
from sounds import noise, tone, write_wav

from seacall.audio.clips import ClipGrid
from seacall.audio.io import read
from seacall.config import DetectRun
from seacall.detect.archive import found_in
from seacall.detect.classify import classify_recording
from seacall.detect.clip_table import ClipTable
from seacall.detect.recordings import detect_recordings, plan_of
from seacall.detect.store import Store
from seacall.detection import DetectSettings
from seacall.events import Segment
from seacall.live.growing import Place
from seacall.live.listener import Listener
from seacall.models.backend import load_classifier
from seacall.models.decide import with_thresholds

RATES = (16_000, 48_000, 22_050)


@pytest.fixture(scope="module")
def model(tiny_model) -> Path:
    return tiny_model


@pytest.fixture(scope="module")
def recordings(tmp_path_factory) -> dict[int, Path]:
    """Noise with tones that come and go, at several rates, not of whole clips."""
    folder = tmp_path_factory.mktemp("sound")
    return {rate: record(folder / f"{rate}.wav", rate) for rate in RATES}


def record(path: Path, rate: int, duration_s: float = 5.37) -> Path:
    y = noise(sample_rate=rate, duration_s=duration_s)
    t = np.arange(len(y)) / rate
    call = tone(4_200, sample_rate=rate, duration_s=duration_s) * (np.sin(3 * t) > 0.3)
    return write_wav(path, y + call, rate)


def heard(path, model, *, cuts, hop_s=None, settings=None):
    """Listen to a recording that arrives in chunks."""
    classifier = load_classifier(model)
    classifier.card = with_thresholds(classifier.card, ["0.3"])
    y, rate = read(path)
    grid = ClipGrid.of(classifier.card.front_end, hop_s=hop_s)
    listener = Listener(
        classifier,
        Place(path, rate, 1, Segment(0, 0)),
        grid=grid,
        settings=settings or DetectSettings(),
    )
    edges = [0, *sorted({min(cut, len(y)) for cut in cuts}), len(y)]
    news = [listener.push(part) for part in np.split(y, edges[1:-1])]
    news.append(listener.finish())
    table = ClipTable.joined([one.table for one in news])
    changes = [change for one in news for change in one.changes]
    return classifier, table, changes


@given(
    st.sampled_from(RATES),
    st.lists(st.integers(0, 250_000), max_size=12),
    st.sampled_from([None, 0.4, 1.3]),
)
@trials(
    max_examples=25,
    deadline=None,
    suppress_health_check=[HealthCheck.function_scoped_fixture],
)
def test_scores_do_not_depend_on_how_sound_arrives(
    model, recordings, rate, cuts, hop_s
):
    path = recordings[rate]
    classifier, table, _ = heard(path, model, cuts=cuts, hop_s=hop_s)
    expected = list(classify_recording(path, classifier, hop_s=hop_s))
    np.testing.assert_allclose(table.start_s, [one.clip.start_s for one in expected])
    scores = np.stack([one.scores for one in expected])
    np.testing.assert_allclose(table.scores(classifier.card), scores, atol=1e-5)


@pytest.mark.parametrize("rate", RATES)
@pytest.mark.parametrize("hop_s", [None, 0.5])
def test_detections_are_those_of_seacall_detect(
    model, recordings, tmp_path, rate, hop_s
):
    path = recordings[rate]
    settings = DetectSettings(hold=0.8, max_gap_s=0.5)
    run = DetectRun(model=str(model), hop_s=hop_s, detect=settings, formats=())
    run = run.model_copy(update={"threshold": ("0.3",)})
    detect_recordings([path], tmp_path, run, n_workers=1)
    with Store(tmp_path, writable=False) as store:
        card = plan_of(run).card
        expected = [one for _, some in found_in(store, card, settings) for one in some]
    _, _, changes = heard(
        path, model, cuts=range(0, 400_000, 1_600), hop_s=hop_s, settings=settings
    )
    found = [change.detection for change in changes if change.kind == "ended"]
    assert expected
    assert len(found) == len(expected)
    for one, other in zip(found, expected, strict=True):
        assert (one.label, one.n_clips) == (other.label, other.n_clips)
        assert one.start_s == other.start_s
        assert one.end_s == pytest.approx(other.end_s, abs=1e-4)
        assert one.score == pytest.approx(other.score, abs=1e-5)
        assert one.level_db == pytest.approx(other.level_db, abs=0.011)


@pytest.mark.parametrize("rate", [16_000, 48_000, 96_000])
def test_a_clip_is_scored_within_a_second_of_its_end(model, tmp_path, rate):
    """How much sound, and how much work, lies behind a clip's end before its scores."""
    classifier = load_classifier(model)
    grid = ClipGrid.of(classifier.card.front_end)
    y, _ = read(record(tmp_path / "a.wav", rate, 1.9))
    place = Place(tmp_path, rate, 1, Segment(0, 0))
    listener = Listener(classifier, place, grid=grid, settings=DetectSettings())
    block = rate // 20
    for start in range(0, len(y), block):
        began = time.perf_counter()
        if len(listener.push(y[start : start + block]).table):
            worked_s = time.perf_counter() - began
            break
    behind_s = (start + block) / rate - 1.0  # a clip lasts a second
    assert 0 <= behind_s < 0.2
    assert behind_s + worked_s < 1.0


def test_nothing_heard_is_nothing_said(model):
    classifier = load_classifier(model)
    listener = Listener(
        classifier,
        Place(Path("a"), 16_000, 1, Segment(0, 0)),
        grid=ClipGrid.of(classifier.card.front_end),
        settings=DetectSettings(),
    )
    assert not listener.finish()
