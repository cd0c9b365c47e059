import numpy as np
import pytest
from heard import LABELS, annotation, listening
from hypothesis import given, settings
from hypothesis import strategies as st

from seacall.data.annotations import Marks
from seacall.errors import SettingsError
from seacall.learn.alarm_places import Place, groups_of, halves
from seacall.learn.false_alarms import calibrate_false_alarms, chance
from seacall.learn.observe import Silent
from seacall.learn.poisson import hours_needed, rate_at_most, rate_interval
from seacall.learn.truth import truth_of
from seacall.models.checkpoint import NEVER

WHALE, OTHER = LABELS[0], LABELS[1]
NO_MARKS = Marks((), (), (), {})


def places(run, *, annotated=(), groups=None):
    return [
        Place(one, (groups or {}).get(str(one.searched.path), str(one.searched.path)),
              str(one.searched.path) in annotated)
        for one in run.recordings
    ]  # fmt: skip


def calibrated(run, *, per_hour, marks=(), annotated=(), groups=None, only=False):
    truth = truth_of(Marks(tuple(marks), (None,) * len(marks), (), {}), names={})
    return calibrate_false_alarms(
        run.card,
        places(run, annotated=annotated, groups=groups),
        listening=run,
        truth=truth,
        per_hour=per_hour,
        only_annotated=only,
        observer=Silent(),
    )


def noise_run(n=8, n_clips=40, *, highest=0.6, seed=0):
    rng = np.random.default_rng(seed)
    return listening({f"n{k}.wav": rng.uniform(0, highest, n_clips) for k in range(n)})


def of(found, label=WHALE):
    return next(one for one in found.classes if one.label == label)


@pytest.mark.parametrize("per_hour", [1, 30, 100, 400])
def test_the_recordings_that_set_a_threshold_keep_the_rate(per_hour):
    one = of(calibrated(noise_run(), per_hour=per_hour))
    assert one.n_set <= per_hour * one.set_h
    assert 0 < one.threshold < NEVER


@settings(max_examples=15, deadline=None)
@given(st.lists(st.floats(5, 900), min_size=2, max_size=3), st.integers(0, 3))
def test_a_lower_rate_never_has_a_lower_threshold(rates, seed):
    run = noise_run(4, 25, seed=seed)
    found = [of(calibrated(run, per_hour=rate)).threshold for rate in sorted(rates)]
    assert found == sorted(found, reverse=True)


def test_the_highest_score_being_one_too_many_sets_the_threshold_just_above_it():
    run = listening({"a.wav": [0.2, 0.6, 0.2], "b.wav": [0.1, 0.6, 0.1]})
    one = of(calibrated(run, per_hour=1))
    assert one.threshold == pytest.approx(0.6, abs=1e-5)
    assert (one.n_set, one.n_measured) == (0, 0)


def test_noise_that_scores_one_makes_a_class_never_answered():
    run = listening({"a.wav": [1.0, 0.1], "b.wav": [1.0, 0.1]})
    found = calibrated(run, per_hour=1)
    assert of(found).threshold == NEVER
    assert found.card.thresholds[WHALE] == NEVER
    assert f"at any threshold: {WHALE}" in " ".join(found.remarks)
    assert of(found).n_measured == 0
    assert "never" in "\n".join(found.lines())


def test_a_class_that_nothing_sounds_like_has_the_lowest_threshold():
    found = calibrated(noise_run(), per_hour=1)
    assert of(found, OTHER).threshold == chance(found.card) == 1 / len(LABELS)
    assert f"other animals may sound like them: {OTHER}" in " ".join(found.remarks)


def test_merging_far_below_does_not_make_one_false_alarm_of_everything():
    # Below 0.3 a whole recording is one detection; 2 an hour would allow it.
    run = listening({f"{k}.wav": [0.35, 0.3] * 900 for k in range(2)})
    one = of(calibrated(run, per_hour=2))
    assert one.threshold > 0.35


def test_calls_are_no_false_alarms_and_say_what_is_still_found():
    scores = [0.1, 0.9, 0.1, 0.1, 0.5, 0.1]
    run = listening({"a.wav": scores, "b.wav": scores, "n.wav": [0.2], "m.wav": [0.2]})
    marks = [annotation(name, 1, 2) for name in ("a.wav", "b.wav")]
    found = calibrated(run, per_hour=1, marks=marks, annotated=("a.wav", "b.wav"))
    one = of(found)
    assert one.threshold == np.float32(0.9)  # at 0.5 there is a false alarm
    assert (one.n_calls, one.n_found) == (1, 1)
    assert one.n_set == one.n_measured == 0


def test_in_annotated_recordings_only_annotated_classes_are_judged():
    scores = np.array([[0.1, 0.9], [0.1, 0.1]])
    run = listening({"a.wav": scores, "b.wav": scores})
    found = calibrated(
        run, per_hour=1, marks=[annotation("a.wav", 0, 1)], annotated=("a.wav", "b.wav")
    )
    other = of(found, OTHER)
    assert other.threshold == run.card.threshold
    assert other.rate is None
    assert f"so their thresholds stay as they were; give --noise: {OTHER}" in " ".join(
        found.remarks
    )


def test_few_hours_cannot_show_a_low_rate_and_it_is_said():
    found = calibrated(noise_run(highest=0.2), per_hour=0.1)
    text = " ".join(found.remarks)
    assert "too few to show the rate" in text
    assert "takes 30 h without one" in text
    kept = found.card.false_alarms
    assert kept.measured[WHALE]["at_most_per_hour"] == pytest.approx(
        3 / of(found).measured_h, rel=0.01
    )
    assert kept.target_per_hour == 0.1
    assert len(kept.recordings) == 4
    assert "4 recordings, 0.04 h" in kept.set_on


def test_more_false_alarms_on_the_other_half_are_said():
    names = {f"{k}.wav": np.full(30, 0.1) for k in range(2)}
    names["0.wav"] = np.full(31, 0.1)  # the longer one sets the threshold
    names["1.wav"][::3] = 0.8
    found = calibrated(listening(names), per_hour=1)
    assert of(found).n_measured > 0
    assert f"give more: {WHALE}" in " ".join(found.remarks)


def test_halves_have_about_as_many_hours_and_share_no_group():
    run = listening({f"{k}.wav": np.full(3 + k, 0.1) for k in range(9)})
    groups = {f"{k}.wav": f"d{k // 2}" for k in range(9)}
    one, other = halves(places(run, groups=groups, annotated=("8.wav", "0.wav")))
    assert not {p.group for p in one} & {p.group for p in other}
    assert len(one) + len(other) == 9
    assert {p.annotated for p in one} == {p.annotated for p in other} == {True, False}
    seconds = [sum(p.listened.searched.heard_s for p in half) for half in (one, other)]
    assert max(seconds) < 2 * min(seconds)


def test_one_deployment_is_not_divided():
    run = listening({"a.wav": [0.1], "b.wav": [0.1]})
    with pytest.raises(SettingsError, match="of at least two"):
        halves(places(run, groups={"a.wav": "d", "b.wav": "d"}))


def test_recordings_without_a_deployment_stand_by_themselves():
    run = listening({"x/A.wav": [0.1], "y/B.wav": [0.1]})
    paths = [one.searched.path for one in run.recordings]
    assert list(groups_of(paths, {"a": "d1"}).values()) == ["d1", "y/B.wav"]


def test_the_limits_of_a_count_are_those_of_the_rule_of_three_and_of_garwood():
    assert rate_at_most(0, 10) == pytest.approx(0.3, abs=0.001)
    assert hours_needed(0.1) == pytest.approx(30, abs=0.1)
    # Garwood's table: 5 events, 95 %: 1.62 to 11.67.
    assert rate_interval(5, 1.0) == pytest.approx((1.62, 11.67), abs=0.01)
    assert rate_interval(0, 1.0)[0] == 0
    assert rate_interval(0, 0.0) is None
    assert rate_at_most(0, 0) == np.inf


def test_a_rate_is_within_its_limits_as_often_as_is_said():
    rng = np.random.default_rng(0)
    counts = rng.poisson(4.0 * 2.0, 2000)
    limits = [rate_interval(int(n), 2.0) for n in counts]
    inside = np.mean([low <= 4.0 <= high for low, high in limits])
    assert 0.95 <= inside <= 0.99
