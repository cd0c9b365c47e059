"""Detections that grow clip by clip, beside those of the whole table."""

from __future__ import annotations

from datetime import UTC, datetime
from itertools import pairwise
from pathlib import Path

import heard
import numpy as np
import pytest
import tiny
from hypothesis import given
from hypothesis import settings as trials
from hypothesis import strategies as st

from seacall.audio.clips import ClipGrid
from seacall.detect.clip_table import ClipTable
from seacall.detect.merge import detections
from seacall.detection import DetectSettings
from seacall.events import Recording, Searched, Segment
from seacall.live.growing import GrowingDetections, Place
from seacall.prior import PriorRow, SpeciesPrior

RATE = heard.RATE
NOON = datetime(2026, 5, 1, 12, tzinfo=UTC)
RARE_IN_MAY = SpeciesPrior(
    rows=(PriorRow(label=tiny.LABELS[0], months=(5,), weight=0.2),)
)


def rows(table: ClipTable, first: int, last: int) -> ClipTable:
    columns = {k: v for k, v in vars(table).items() if v is not None}
    return ClipTable(**{k: v[first:last] for k, v in columns.items()})


def whole(table, card, settings, *, hop_s, n_samples):
    path = Path("a.wav")
    segment = Segment(0, n_samples, NOON)
    recording = Recording(path, RATE, 1, n_samples, "PCM_16")
    return detections(
        table,
        searched=Searched(path, recording, (segment,)),
        channel=1,
        segment=segment,
        card=card,
        settings=settings,
    )


def growing(table, card, settings, *, hop_s, n_samples, cuts=()):
    grid = ClipGrid(RATE, round(hop_s * RATE), RATE)
    place = Place(Path("a.wav"), RATE, 1, Segment(0, 0, NOON))
    merger = GrowingDetections(place, card, settings, grid=grid)
    edges = [0, *sorted(cuts), len(table)]
    changes = []
    for first, last in pairwise(edges[:-1]):
        changes += merger.push(rows(table, first, last))
    last = rows(table, edges[-2], edges[-1])
    return changes + merger.finish(last, n_samples=n_samples)


@st.composite
def cases(draw: st.DrawFn):
    n = draw(st.integers(1, 40))
    values = st.sampled_from([0.0, 0.1, 0.26, 0.31, 0.45, 0.52, 0.9])
    one_row = st.tuples(values, values, values)
    table = np.array(draw(st.lists(one_row, min_size=n, max_size=n)))
    table /= np.maximum(1.0, table.sum(axis=1, keepdims=True))
    k = draw(st.integers(1, 3))
    settings = DetectSettings(
        hold=draw(st.sampled_from([1.0, 0.8, 0.5])),
        max_gap_s=draw(st.sampled_from([0.0, 0.3, 1.0, 2.5, 6.0])),
        min_duration_s=draw(st.sampled_from([0.0, 1.5, 3.0])),
        k_of_n=draw(st.sampled_from([None, (k, k + draw(st.integers(0, 3)))])),
        top_only=draw(st.booleans()),
        level=draw(st.sampled_from(["species", "family"])),
        prior=draw(st.sampled_from([None, RARE_IN_MAY])),
    )
    hop_s = draw(st.sampled_from([0.25, 0.3, 1.0, 1.7]))
    cuts = draw(st.sets(st.integers(0, n - 1)))
    missing = draw(st.integers(0, round(0.2 * RATE)))  # the last clip was filled up
    return table, settings, hop_s, cuts, missing


@given(cases(), st.sampled_from([0.3, 0.5]))
@trials(max_examples=150, deadline=None)
def test_detections_that_grew_are_those_of_the_whole_table(case, threshold):
    scores, settings, hop_s, cuts, missing = case
    card = tiny.card(threshold=threshold)
    table = heard.clip_table(scores, hop_s=hop_s)
    n_samples = round(((len(table) - 1) * hop_s + 1.0) * RATE) - missing
    changes = growing(
        table, card, settings, hop_s=hop_s, n_samples=n_samples, cuts=cuts
    )
    ended = [change.detection for change in changes if change.kind == "ended"]
    ended.sort(key=lambda one: (one.start_s, one.end_s, one.label))
    assert ended == whole(table, card, settings, hop_s=hop_s, n_samples=n_samples)


@given(cases())
@trials(max_examples=50, deadline=None)
def test_each_detection_begins_once_then_grows_then_ends(case):
    scores, settings, hop_s, cuts, _ = case
    card = tiny.card(threshold=0.3)
    table = heard.clip_table(scores, hop_s=hop_s)
    n_samples = round(((len(table) - 1) * hop_s + 1.0) * RATE)
    lives: dict[object, list[str]] = {}
    for change in growing(
        table, card, settings, hop_s=hop_s, n_samples=n_samples, cuts=cuts
    ):
        one = change.detection
        lives.setdefault((one.label, one.start_s), []).append(change.kind)
    for kinds in lives.values():
        assert kinds[0] == "begun"
        assert kinds[-1] == "ended"
        assert set(kinds[1:-1]) <= {"grown"}


def test_a_detection_begins_with_the_clip_that_triggers_it():
    card = tiny.card(threshold=0.5)
    table = heard.clip_table([0.1, 0.9, 0.9, 0.1, 0.1])
    kinds = []
    grid = ClipGrid(RATE, RATE, RATE)
    place = Place(Path("a.wav"), RATE, 1, Segment(0, 0, NOON))
    merger = GrowingDetections(place, card, DetectSettings(), grid=grid)
    for k in range(5):
        kinds.append([c.kind for c in merger.push(rows(table, k, k + 1))])
    # It touches the clip behind it, whose start is known only when that has come.
    assert kinds == [[], ["begun"], ["grown"], ["ended"], []]


def test_what_is_kept_does_not_grow_with_a_detection_that_never_ends():
    card = tiny.card(threshold=0.5)
    grid = ClipGrid(RATE, RATE, RATE)
    place = Place(Path("a.wav"), RATE, 1, Segment(0, 0, NOON))
    settings = DetectSettings(k_of_n=(2, 3), max_gap_s=10)
    merger = GrowingDetections(place, card, settings, grid=grid)
    for k in range(5_000):
        table = heard.clip_table([0.9])
        merger.push(ClipTable(**(vars(table) | {"start_s": np.array([float(k)])})))
    (one,) = merger._classes.values()
    assert len(one.starts) <= 3
    assert one.waiting == []
    assert one.open.n_clips == 5_000


@pytest.mark.parametrize("hop_s", [1.0, 0.5])
def test_a_class_that_is_quiet_again_leaves_nothing_behind(hop_s):
    card = tiny.card(threshold=0.5)
    table = heard.clip_table([0.9, *[0.1] * 8], hop_s=hop_s)
    grid = ClipGrid(RATE, round(hop_s * RATE), RATE)
    place = Place(Path("a.wav"), RATE, 1, Segment(0, 0, NOON))
    merger = GrowingDetections(place, card, DetectSettings(), grid=grid)
    changes = merger.push(table)
    assert [change.kind for change in changes][-1] == "ended"
    (one,) = merger._classes.values()
    assert one.idle
