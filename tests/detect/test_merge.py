"""From clips to detections, beside a second way that is slow and plain."""

from __future__ import annotations

import itertools
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from pathlib import Path

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from seacall.config import PROFILES, ClipSettings, FrontEndSettings
from seacall.detect.clip_table import ClipTable, empty_table
from seacall.detect.merge import detections, scores_at_level, starting_clips
from seacall.detect.runs import confirmed
from seacall.detection import DetectSettings
from seacall.events import Detection, Recording, Searched, Segment
from seacall.models.checkpoint import Card
from seacall.models.decide import answers_at
from seacall.prior import PriorRow, SpeciesPrior

CLIP_S = 5.0
RATE = 48_000
PLAIN = DetectSettings()
START = datetime(2024, 2, 29, 23, 59, 58, tzinfo=UTC)


def card(*labels: str, **changes: object) -> Card:
    front_end = FrontEndSettings(
        profile=PROFILES["wide-48k"], clip=ClipSettings(duration_s=CLIP_S)
    )
    values = {"threshold": 0.5, "labels": (*(labels or ("Orca",)), "unknown")}
    return Card(
        seacall_version="0",
        architecture="AudioTransformerStudent",
        front_end=front_end,
        **(values | changes),
    )


def table(
    scores, *, hop_s: float = CLIP_S, first_s: float = 0.0, **columns
) -> ClipTable:
    """Clips with these scores of the species; ``unknown`` has the rest."""
    known = np.asarray(scores, np.float64).reshape(len(scores), -1)
    shares = np.column_stack([known, 1 - known.sum(axis=1)])
    n = len(shares)
    return ClipTable(
        start_s=first_s + np.arange(n) * hop_s,
        logits=np.log(np.maximum(shares, 1e-9)).astype(np.float32),
        silent=np.zeros(n, bool),
        event_db=np.full(n, np.nan, np.float32),
        **{
            name: np.asarray(columns.get(name, np.full(n, value)), np.float32)
            for name, value in {
                "level_db": -40.0,
                "snr_db": 10.0,
                "low_hz": 1_000.0,
                "high_hz": 9_000.0,
            }.items()
        },
    )


def searched(duration_s: float = 1e6, *, rate: int = RATE) -> tuple[Searched, Segment]:
    recording = Recording(Path("a.wav"), rate, 1, round(duration_s * rate), "PCM_16")
    segment = Segment(0, recording.n_samples, START)
    return Searched(recording.path, recording, (segment,)), segment


def found(
    clips: ClipTable,
    of: Card | None = None,
    how: DetectSettings = PLAIN,
    *,
    duration_s: float = 1e6,
    rate: int = RATE,
) -> list[Detection]:
    heard, segment = searched(duration_s, rate=rate)
    return detections(
        clips,
        searched=heard,
        channel=1,
        segment=segment,
        card=of or card(),
        settings=how,
    )


def times(*args, **kwargs) -> list[tuple[float, float]]:
    return [(one.start_s, one.end_s) for one in found(*args, **kwargs)]


# What one detection is


@pytest.mark.parametrize("n", [1, 2, 3, 4, 100])
def test_a_run_of_any_length_is_one_detection(n):
    clips = table([0.1] + [0.9] * n + [0.1])
    assert times(clips) == [(5, 5 + 5 * n)]
    assert found(clips)[0].n_clips == n


def test_the_score_is_the_highest_and_not_the_mean():
    assert found(table([0.6, 0.95, 0.7]))[0].score == pytest.approx(0.95)


def test_no_clips_are_no_detections():
    assert found(table([0.1, 0.4])) == []
    assert found(empty_table(2)) == []


def test_a_score_equal_to_the_threshold_counts():
    lowest = np.array([0.7, np.inf], np.float32)
    scores = np.array([[0.7, 0.3], [0.69, 0.31]], np.float32)
    assert starting_clips(scores, lowest, top_only=True)[:, 0].tolist() == [True, False]


def test_unknown_is_no_detection():
    assert found(table([0.01, 0.02])) == []


def test_silence_is_no_detection():
    clips = replace(table([0.9, 0.9]), silent=np.array([True, False]))
    assert times(clips) == [(5, 10)]


def test_a_class_that_is_never_answered_is_never_detected():
    never = card("Orca", "Beluga", thresholds={"Orca": 1.0})
    clips = table([[1.0, 0.0], [0.3, 0.6]])
    assert [one.label for one in found(clips, never)] == ["Beluga"]
    assert found(clips, card("Orca", "Beluga", threshold=1.0)) == []


def test_each_class_has_its_own_threshold():
    own = card("Orca", "Beluga", thresholds={"Orca": 0.2})
    assert [one.label for one in found(table([[0.3, 0.45]]), own)] == ["Orca"]


@pytest.mark.parametrize("hop_s", [0.1, 0.5, 1.0, 2.5, 4.9, 5.0, 7.0, 60.0])
def test_overlap_asks_for_no_confirmation_by_itself(hop_s):
    scores = np.full(40, 0.1)
    scores[20] = 0.9
    start_s = round(20 * hop_s, 6)
    clips = table(scores, hop_s=hop_s)
    assert times(clips) == [(start_s, pytest.approx(start_s + 5))]


def test_without_confirmation_detected_clips_are_those_that_are_answered():
    rng = np.random.default_rng(0)
    scores = rng.dirichlet([1, 1, 1, 1], size=500)
    of = card("Orca", "Beluga", "Narwhal", threshold=0.55)
    clips = table(scores[:, :3], hop_s=10.0)
    answers = answers_at(clips.scores(of), of.lowest_scores)
    expected = {(10.0 * k, of.labels[a]) for k, a in enumerate(answers) if a < 3}
    assert {(one.start_s, one.label) for one in found(clips, of)} == expected


# Several classes on one clip


def test_the_best_of_several_classes_has_the_clip():
    of = card("Orca", "Beluga", threshold=0.2)
    clips = table([[0.3, 0.4], [0.4, 0.3]])
    best = found(clips, of)
    assert [(one.label, one.start_s) for one in best] == [("Beluga", 0), ("Orca", 5)]
    both = found(clips, of, DetectSettings(top_only=False))
    assert [(one.label, one.end_s) for one in both] == [("Beluga", 10), ("Orca", 10)]


@pytest.mark.parametrize("hold", [1.0, 0.5])
def test_a_clip_that_another_class_has_holds_no_detection(hold):
    of = card("Orca", "Beluga", threshold=0.3)
    clips = table([[0.6, 0.1], [0.35, 0.6], [0.2, 0.1], [0.1, 0.1]])
    spans = found(clips, of, DetectSettings(hold=hold))
    beluga = ("Beluga", 5, 10)
    assert [(o.label, o.start_s, o.end_s) for o in spans] == [("Orca", 0, 5), beluga]
    shared = found(clips, of, DetectSettings(hold=hold, top_only=False))
    assert shared[0].end_s == (15 if hold == 0.5 else 10)


def test_a_clip_that_no_class_has_may_hold_two():
    of = card("Orca", "Beluga", threshold=0.5)
    clips = table([[0.6, 0.1], [0.35, 0.35], [0.1, 0.6]])
    spans = [(o.start_s, o.end_s) for o in found(clips, of, DetectSettings(hold=0.6))]
    assert spans == [(0, 10), (5, 15)]


def test_a_class_below_its_own_threshold_takes_nothing_from_others():
    of = card("Orca", "Beluga", thresholds={"Orca": 0.2, "Beluga": 0.9})
    assert [one.label for one in found(table([[0.3, 0.6]]), of)] == ["Orca"]


def test_unknown_takes_nothing_from_a_class_that_reaches_its_threshold():
    assert len(found(table([0.3]), card(threshold=0.25))) == 1


# Clips that overlap, or have gaps between them


def test_a_low_clip_between_two_that_overlap_parts_nothing():
    assert times(table([0.9, 0.1, 0.9], hop_s=2.0)) == [(0, 9)]


def test_clips_that_no_longer_touch_are_two_detections():
    scores = [0.9] + [0.1] * 5 + [0.9]
    assert times(table(scores, hop_s=1.0)) == [(0, 5), (6, 11)]


def test_what_was_not_heard_is_not_bridged_unless_asked_for():
    clips = table([0.9, 0.9, 0.1, 0.9], hop_s=60.0)
    assert times(clips) == [(0, 5), (60, 65), (180, 185)]
    assert times(clips, how=DetectSettings(max_gap_s=55)) == [(0, 65), (180, 185)]


def test_detections_closer_than_the_gap_are_one():
    clips = table([0.9, 0.1, 0.9, 0.1, 0.1, 0.9])
    assert times(clips) == [(0, 5), (10, 15), (25, 30)]
    assert times(clips, how=DetectSettings(max_gap_s=4.9)) == times(clips)
    assert times(clips, how=DetectSettings(max_gap_s=5)) == [(0, 15), (25, 30)]
    joined = found(clips, how=DetectSettings(max_gap_s=10))
    assert [(one.start_s, one.end_s, one.n_clips) for one in joined] == [(0, 30, 3)]


def test_gaps_are_joined_before_short_detections_are_dropped():
    clips = table([0.9, 0.1, 0.9, 0.1, 0.1, 0.1, 0.9])
    how = DetectSettings(max_gap_s=5, min_duration_s=6)
    assert times(clips, how=how) == [(0, 15)]


def test_a_dropped_detection_bridges_nothing():
    how = DetectSettings(max_gap_s=4, min_duration_s=6)
    clips = table([0.9, 0.9, 0.1, 0.9, 0.1, 0.9, 0.9])
    assert times(clips, how=how) == [(0, 10), (25, 35)]


# Hysteresis, k of n


def test_a_detection_goes_on_while_its_score_holds():
    clips = table([0.4, 0.3, 0.9, 0.3, 0.2, 0.3])
    how = DetectSettings(hold=0.5)
    assert times(clips, how=how) == [(0, 20)]
    assert found(clips, how=how)[0].score == pytest.approx(0.9)
    assert times(clips) == [(10, 15)]


def test_clips_that_only_hold_start_nothing():
    assert found(table([0.4, 0.45, 0.4]), how=DetectSettings(hold=0.5)) == []


def test_the_hold_is_a_share_of_each_classs_own_threshold():
    of = card("Orca", "Beluga", thresholds={"Orca": 0.8, "Beluga": 0.2})
    clips = table([[0.85, 0.0], [0.45, 0.0], [0.35, 0.0], [0.0, 0.3], [0.0, 0.11]])
    spans = [
        (one.label, one.start_s, one.end_s)
        for one in found(clips, of, DetectSettings(hold=0.5))
    ]
    assert spans == [("Orca", 0, 10), ("Beluga", 15, 25)]


def test_k_of_n_drops_lone_clips():
    clips = table([0.9, 0.1, 0.1, 0.9, 0.1, 0.9, 0.1])
    assert times(clips, how=DetectSettings(k_of_n=(2, 2))) == []
    assert times(clips, how=DetectSettings(k_of_n=(2, 3))) == [(15, 20), (25, 30)]
    assert len(times(clips, how=DetectSettings(k_of_n=(3, 6)))) == 3


def test_one_of_one_is_no_confirmation_at_all():
    for clips in (table([0.9]), table([0.9, 0.1, 0.9])):
        assert times(clips, how=DetectSettings(k_of_n=(1, 1))) == times(clips)


@pytest.mark.parametrize("n", [3, 1_000, 9_000])
def test_clips_in_a_row_are_counted_rightly_where_the_hop_is_no_round_number(n):
    clips = table([0.1] * 50 + [0.9] * n + [0.1] * 50, hop_s=1 / 3)
    assert len(times(clips, how=DetectSettings(k_of_n=(n, n)))) == 1
    assert times(clips, how=DetectSettings(k_of_n=(n + 1, n + 1))) == []


def test_clips_that_are_missing_are_not_in_a_row():
    clips = table([0.9, 0.9, 0.1, 0.1, 0.9, 0.9])
    far = replace(clips, start_s=np.array([0, 5, 10, 500, 505, 600.0]))
    assert times(far, how=DetectSettings(k_of_n=(2, 2))) == [(0, 10)]


@given(st.lists(st.booleans(), max_size=30), st.integers(1, 5), st.integers(1, 8))
def test_k_of_n_is_what_counting_every_window_says(high, k, n):
    rows = np.flatnonzero(high)
    windows = [set(range(i, i + n)) for i in range(-n, len(high))]
    full = [w for w in windows if len(w & set(rows)) >= k]
    expected = [r for r in rows if any(r in w for w in full)]
    starts = np.arange(len(high)) * 2_500_000
    assert confirmed(rows, starts, k=k, n=n, hop_us=2_500_000).tolist() == expected


# Ends, dates, numbers


def test_no_detection_ends_after_its_recording():
    assert times(table([0.1, 0.9, 0.9]), duration_s=12.3) == [(5, 12.3)]
    assert times(table([0.9]), duration_s=0.4) == [(0, 0.4)]


def test_a_last_clip_that_starts_with_the_end_is_not_empty():
    (only,) = found(table([0.9], first_s=12.3), duration_s=12.3)
    assert only.start_s < only.end_s <= 12.3


def test_no_detection_leaves_its_segment_and_dates_are_the_segments():
    heard, _ = searched(100.0)
    segment = Segment(30 * RATE, 12 * RATE, START)
    (only,) = detections(
        table([0.1, 0.9, 0.9], first_s=30.0),
        searched=heard,
        channel=2,
        segment=segment,
        card=card(),
        settings=PLAIN,
    )
    assert (only.start_s, only.end_s, only.channel) == (35, 42, 2)
    assert only.start == datetime(2024, 3, 1, 0, 0, 3, tzinfo=UTC)


def test_a_segment_that_claims_more_than_there_is_ends_with_the_recording():
    heard, _ = searched(7.5)
    (only,) = detections(
        table([0.9, 0.9]),
        searched=heard,
        channel=1,
        segment=Segment(0, 100 * RATE),
        card=card(),
        settings=PLAIN,
    )
    assert only.end_s == 7.5


def test_a_recording_without_a_time_has_detections_without_one():
    heard, segment = searched()
    (only,) = detections(
        table([0.9]),
        searched=heard,
        channel=1,
        segment=replace(segment, start=None),
        card=card(),
        settings=PLAIN,
    )
    assert only.start is None


def test_a_recording_that_was_not_opened_is_the_callers_mistake():
    heard, segment = searched()
    with pytest.raises(ValueError, match=r"a\.wav: was not opened"):
        detections(
            table([0.9]),
            searched=replace(heard, recording=None),
            channel=1,
            segment=segment,
            card=card(),
            settings=PLAIN,
        )


@pytest.mark.parametrize("hop_s", [0.1, 0.3, 0.7, 1 / 3, 4_801 / RATE])
def test_times_do_not_drift(hop_s):
    n = 20_000
    scores = np.full(n, 0.1)
    scores[[6_067, n - 1]] = 0.9
    for one, k in zip(found(table(scores, hop_s=hop_s)), (6_067, n - 1), strict=True):
        assert one.start_s == round(k * hop_s, 6)
        assert len(repr(one.start_s).partition(".")[2]) <= 6
        seconds = (one.start - START) / timedelta(seconds=1)
        assert seconds == pytest.approx(one.start_s, abs=1e-6)


def test_clips_end_to_end_touch_at_any_rate():
    # A clip of 5 s at 44.1 kHz and a segment that starts between two microseconds.
    first_s = 1_234_567 / 44_100
    assert len(times(table([0.9] * 1_000, first_s=first_s))) == 1


def test_bands_span_those_of_all_clips_and_stay_below_half_the_rate():
    columns = {"low_hz": [3_000, 50, 2_000], "high_hz": [5_000, 23_000, 12_000]}
    clips = table([0.9, 0.1, 0.9], **columns)
    one, two = found(clips, rate=16_000)
    assert (one.low_hz, one.high_hz) == (3_000, 5_000)
    assert (two.low_hz, two.high_hz) == (2_000, 8_000)
    (joined,) = found(clips, how=DetectSettings(max_gap_s=5))
    assert (joined.low_hz, joined.high_hz) == (2_000, 12_000)


def test_what_stands_out_where_the_recording_holds_nothing_counts_for_nothing():
    columns = {"low_hz": [9e3, 3e3], "high_hz": [12e3, 4e3], "snr_db": [54, 11]}
    (both,) = found(table([0.9, 0.9], **columns), rate=16_000)
    assert (both.low_hz, both.high_hz, both.snr_db) == (3_000, 4_000, 11)
    alone = found(table([0.9, 0.1], **columns), rate=16_000)[0]
    assert (alone.low_hz, alone.high_hz, alone.snr_db) == (50, 8_000, None)


@pytest.mark.parametrize(("low", "high"), [(9e3, 9e3), (12e3, 20e3), (np.nan, np.nan)])
def test_a_band_that_nobody_can_draw_is_all_that_was_looked_at(low, high):
    (one,) = found(table([0.9], low_hz=[low], high_hz=[high]), rate=16_000)
    assert (one.low_hz, one.high_hz) == (50, 8_000)


def test_a_band_is_never_empty_at_the_lowest_rates():
    (one,) = found(table([0.9], low_hz=[60], high_hz=[90]), rate=80)
    assert (one.low_hz, one.high_hz) == (0, 40)


def test_level_and_snr_are_those_of_the_loudest_clips():
    clips = table([0.9, 0.9], level_db=[-50, -30.1], snr_db=[20, 4])
    (one,) = found(clips)
    assert (one.level_db, one.snr_db, one.level_unit) == (-30.1, 20, "dBFS")
    (one,) = found(clips, how=DetectSettings(calibration_db=176.1))
    assert (one.level_db, one.level_unit) == (146.0, "dB re 1 uPa")


def test_what_was_not_measured_is_none():
    (one,) = found(table([0.9], level_db=[np.nan], snr_db=[np.nan]))
    assert one.level_db is None
    assert one.snr_db is None


# Families and groups


LABELS = ("Bottlenose Dolphin", "Common Dolphin", "Fin Whale", "Fishing Boat")


def test_scores_of_a_family_add_up():
    of = card(*LABELS, threshold=0.7)
    clips = table([[0.4, 0.35, 0.05, 0.0], [0.4, 0.0, 0.35, 0.0]])
    assert found(clips, of) == []
    (one,) = found(clips, of, DetectSettings(level="family"))
    assert (one.label, one.start_s, one.end_s) == ("Delphinidae", 0, 5)
    assert one.score == pytest.approx(0.75)
    assert found(clips, of, DetectSettings(level="group"))[0].label == "toothed whale"


def test_a_sum_that_falls_short_by_rounding_alone_counts():
    of = card(*LABELS, threshold=0.7)
    scores = np.full((1, 5), 0.1, np.float32)
    scores[0, :2] = np.nextafter(np.float32(0.35), np.float32(0))
    _, summed, lowest = scores_at_level(scores, of, "family")
    assert summed[0, 0] >= lowest[0]


def test_a_label_without_relatives_keeps_its_name_and_threshold():
    of = card(*LABELS, threshold=0.9, thresholds={"Fishing Boat": 0.4})
    clips = table([[0.1, 0.1, 0.2, 0.5]])
    for level in ("species", "family", "group"):
        (one,) = found(clips, of, DetectSettings(level=level))
        assert one.label == "Fishing Boat"


# What holds of all tables


SCORES = st.lists(
    st.sampled_from([0.02, 0.11, 0.21, 0.31, 0.44]), min_size=2, max_size=2
)
TABLES = st.builds(
    lambda scores, hop: table(np.reshape(scores, (-1, 2)), hop_s=hop),
    st.lists(SCORES, min_size=1, max_size=30),
    st.sampled_from([0.5, 1 / 3, 2.0, 2.5, 5.0, 8.0]),
)
SETTINGS = st.builds(
    DetectSettings,
    hold=st.sampled_from([1.0, 0.65, 0.3]),
    max_gap_s=st.sampled_from([0.0, 0.5, 3.0, 11.0]),
    min_duration_s=st.sampled_from([0.0, 5.0, 6.0, 12.0]),
    k_of_n=st.sampled_from([None, (1, 1), (2, 2), (2, 3), (3, 5)]),
    top_only=st.booleans(),
)
TWO = card("Beluga", "Orca", threshold=0.3, thresholds={"Orca": 0.2})


@given(TABLES, SETTINGS, st.data())
def test_how_a_table_was_cut_into_units_makes_no_difference(clips, how, data):
    cuts = sorted(data.draw(st.lists(st.integers(0, len(clips)), max_size=4)))
    names = [n for n in ClipTable.__dataclass_fields__ if n != "embeddings"]
    parts = [
        ClipTable(**{name: getattr(clips, name)[a:b] for name in names})
        for a, b in zip([0, *cuts], [*cuts, len(clips)], strict=True)
    ]
    assert found(ClipTable.joined(parts), TWO, how) == found(clips, TWO, how)


@given(TABLES, SETTINGS)
def test_detections_of_a_class_never_overlap_nor_lie_within_the_gap(clips, how):
    for label in TWO.labels:
        own = [one for one in found(clips, TWO, how) if one.label == label]
        for one, following in itertools.pairwise(own):
            assert following.start_s - one.end_s > how.max_gap_s
        assert all(one.end_s - one.start_s >= how.min_duration_s for one in own)
        assert all(one.score >= 0.2 for one in own)


@given(TABLES, st.sampled_from([1.0, 0.4]), st.sampled_from([0.0, 4.0]))
def test_every_clip_that_reaches_a_threshold_is_covered(clips, hold, gap):
    how = DetectSettings(hold=hold, max_gap_s=gap, top_only=False)
    scores = clips.scores(TWO)
    spans = found(clips, TWO, how)
    for row, start_s in enumerate(clips.start_s.tolist()):
        for k, label in enumerate(TWO.labels[:-1]):
            if scores[row, k] >= TWO.lowest_scores[k]:
                assert any(
                    one.label == label
                    and one.start_s <= start_s + 1e-6
                    and one.end_s >= start_s + CLIP_S - 1e-6
                    and one.score >= round(float(scores[row, k]), 6)
                    for one in spans
                )


@given(TABLES, SETTINGS)
def test_the_plain_slow_way_finds_the_same(clips, how):
    spans = [(o.label, o.start_s, o.end_s) for o in found(clips, TWO, how)]
    expected = slowly(clips.scores(TWO), clips.start_s, TWO, how)
    assert len(spans) == len(expected)
    for one, other in zip(spans, expected, strict=True):
        assert one[0] == other[0]
        assert one[1:] == pytest.approx(other[1:], abs=2e-6)


def slowly(scores, starts, of, how):
    """The rules of the documentation, clip by clip and pair by pair."""
    n, found_spans = len(scores), []
    reached = [
        [k for k in range(len(of.labels) - 1) if scores[i, k] >= of.lowest_scores[k]]
        for i in range(n)
    ]
    if how.top_only:
        reached = [
            [max(r, key=lambda k: scores[i, k])] if r else []
            for i, r in enumerate(reached)
        ]
    hop = starts[1] - starts[0] if n > 1 else 1.0
    for k, label in enumerate(of.labels[:-1]):
        starting = [i for i in range(n) if k in reached[i]]
        if how.k_of_n:
            need, among = how.k_of_n
            starting = [
                i
                for i in starting
                if any(
                    first <= i < first + among
                    and sum(first <= j < first + among for j in starting) >= need
                    for first in range(i - among, i + 1)
                )
            ]
        holding = {i for i in range(n) if k in reached[i]} | {
            i
            for i in range(n)
            if scores[i, k] >= of.lowest_scores[k] * how.hold
            and not (how.top_only and reached[i])
        }
        inside, todo = set(), list(starting)
        while todo:
            i = todo.pop()
            inside.add(i)
            todo += [j for j in holding - inside if abs(j - i) * hop <= CLIP_S + 1e-4]
        spans = []
        for i in sorted(inside):
            if spans and starts[i] - spans[-1][1] <= how.max_gap_s + 1e-4:
                spans[-1][1] = starts[i] + CLIP_S
            else:
                spans.append([starts[i], starts[i] + CLIP_S])
        found_spans += [
            (label, a, b) for a, b in spans if b - a >= how.min_duration_s - 1e-4
        ]
    return sorted(found_spans, key=lambda s: (round(s[1], 4), round(s[2], 4), s[0]))


def heard_time(spans: list[Detection]) -> set[tuple[str, int]]:
    """Tenths of a second that lie in a detection, by class."""
    return {
        (one.label, tenth)
        for one in spans
        for tenth in range(round(one.start_s * 10), round(one.end_s * 10))
    }


@given(
    st.lists(SCORES, min_size=1, max_size=30),
    st.sampled_from([0.5, 2.0, 5.0, 8.0]),
    SETTINGS,
    st.sampled_from([(0.1, 0.2), (0.2, 0.3), (0.1, 0.4)]),
)
def test_a_higher_threshold_never_adds_to_the_time_of_its_class(
    scores, hop_s, how, thresholds
):
    clips = table(np.reshape(scores, (-1, 2)), hop_s=hop_s)
    low, high = (
        {
            tenth
            for label, tenth in heard_time(
                found(clips, card("Beluga", "Orca", **own), how)
            )
            if label == "Orca"
        }
        for own in ({"threshold": 0.2, "thresholds": {"Orca": t}} for t in thresholds)
    )
    assert high <= low


@given(TABLES, SETTINGS, st.integers(0, 10_000_000))
def test_shifted_clips_give_shifted_detections(clips, how, shift_us):
    shift_s = shift_us / 1e6
    later = replace(clips, start_s=clips.start_s + shift_s)
    for one, two in zip(found(clips, TWO, how), found(later, TWO, how), strict=True):
        assert two.start_s == pytest.approx(one.start_s + shift_s, abs=2e-6)
        assert two.end_s == pytest.approx(one.end_s + shift_s, abs=2e-6)
        moved = (two.start - one.start) / timedelta(seconds=1)
        assert moved == pytest.approx(shift_s, abs=2e-6)
        same = {"start_s": 0, "end_s": 0, "start": None}
        assert replace(one, **same) == replace(two, **same)


@given(TABLES, SETTINGS)
def test_the_order_of_the_classes_makes_no_difference(clips, how):
    how = how.model_copy(update={"top_only": False})
    turned = replace(clips, logits=clips.logits[:, [1, 0, 2]])
    other = card("Orca", "Beluga", threshold=0.3, thresholds={"Orca": 0.2})
    assert found(turned, other, how) == found(clips, TWO, how)


# How likely a species is here


def rarely(label: str, months: tuple[int, ...], weight: float) -> SpeciesPrior:
    return SpeciesPrior(rows=(PriorRow(label=label, months=months, weight=weight),))


def test_a_species_out_of_season_needs_a_clearer_call():
    """0.6 at odds of 1.5 to 1 becomes 0.13 where it is ten times rarer."""
    winter = DetectSettings(prior=rarely("Orca", (2,), 0.1))
    assert found(table([0.6]), how=winter) == []
    (one,) = found(table([0.96]), how=winter)
    assert one.score == pytest.approx(0.96 * 0.1 / (0.96 * 0.1 + 0.04), abs=1e-5)
    assert one.score_without_prior == pytest.approx(0.96, abs=1e-5)


def test_the_month_is_that_of_the_clip_and_not_of_the_recording():
    """The recording begins two seconds before March."""
    march = DetectSettings(prior=rarely("Orca", (3,), 0.1))
    assert times(table([0.6, 0.6, 0.6]), how=march) == [(0, 5)]


def test_nothing_is_said_of_a_prior_that_was_not_asked_for():
    (one,) = found(table([0.6]))
    assert one.score_without_prior is None


def test_what_a_species_loses_goes_to_its_rivals():
    two = card("Orca", "Seal")
    clips = table([[0.6, 0.38]])
    assert [one.label for one in found(clips, two)] == ["Orca"]
    how = DetectSettings(prior=rarely("Orca", (2,), 0.1))
    (one,) = found(clips, two, how)
    assert one.label == "Seal"
    assert one.score_without_prior == pytest.approx(0.38, abs=1e-5)
