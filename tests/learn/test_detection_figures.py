import csv
import json

import numpy as np
import pytest
from heard import LABELS, annotation, listening

from seacall.data.annotations import Marks
from seacall.detection import DetectSettings
from seacall.learn.detection_figures import DetectionMeasure, measure_detections
from seacall.learn.detection_report import write_detection_report
from seacall.learn.detection_words import as_dict, lines, rate_note, remarks_on
from seacall.learn.listened import Listening
from seacall.learn.observe import Silent
from seacall.learn.truth import names_of, truth_of

WHALE = LABELS[0]


def measured(run, marks=(), *, absent=None, **settings):
    marks = Marks(tuple(marks), (None,) * len(marks), (), absent or {})
    names = names_of(run.labels, {})
    truth = truth_of(marks, names=names)
    report = measure_detections(
        run, truth, measure=DetectionMeasure(**settings), observer=Silent()
    )
    return report, remarks_on(report, truth, run, absent=marks.absent)


def figure(one, name):
    return one.figures[name].value


def some_scores(n, *, high=(), seed=0, other=0.0):
    scores = np.random.default_rng(seed).uniform(0, 0.4, n)
    scores[list(high)] = 0.9
    return np.column_stack([scores, np.full(n, other)])


def test_an_example_by_hand():
    # Clips of 1 s; two runs of them above 0.5, one of which is a call.
    run = listening({"a.wav": [0.1, 0.8, 0.9, 0.1, 0.1, 0.6, 0.1, 0.1, 0.1, 0.1]})
    report, _ = measured(run, [annotation("a.wav", 1, 3), annotation("a.wav", 8, 9)])
    (one,) = report.classes
    assert (one.n_annotations, one.n_hits, one.n_false_alarms) == (2, 1, 1)
    assert one.free_h == pytest.approx(7 / 3600)
    assert figure(one, "precision") == 0.5
    assert figure(one, "recall") == 0.5
    assert figure(one, "f1") == 0.5
    assert figure(one, "false_alarms_per_hour") == pytest.approx(3600 / 7)
    # Above 0.8 the call is one clip of 1 s, half of the 2 s that were marked.
    assert figure(one, "recall_at_1_per_hour") == 0.5
    assert one.threshold == 0.5
    assert one.thresholds_at[1.0] == pytest.approx(0.8)
    assert one.figures["recall"].interval is None


def test_clips_are_merged_anew_at_each_threshold():
    # At 0.3 both calls and what lies between are one detection, which fits neither.
    run = listening({"a.wav": [0.9, 0.9, 0.3, 0.9, 0.9, 0.0]})
    marks = [annotation("a.wav", 0, 2), annotation("a.wav", 3, 5)]
    (one,) = measured(run, marks)[0].classes
    recall = dict(zip(one.curve.thresholds.round(2), one.curve.recall[0], strict=True))
    assert recall[0.9] == 1
    assert recall[0.3] == 0
    assert figure(one, "average_precision") == 1


def test_the_operating_point_lies_on_the_curve():
    run = listening(
        {f"{k}.wav": some_scores(60, high=[10, 11, 30], seed=k) for k in range(4)},
        threshold=0.35,
        settings=DetectSettings(max_gap_s=1.0),
    )
    marks = [annotation(f"{k}.wav", 10, 12) for k in range(4)]
    (one,) = measured(run, marks)[0].classes
    # A threshold between two scores gives what the higher of them gives.
    k = np.flatnonzero(one.curve.thresholds >= np.float32(0.35))[-1]
    assert one.curve.hits[0, k] == one.n_hits
    assert one.curve.false_alarms[0, k] == one.n_false_alarms


def test_every_interval_holds_its_figure():
    run = listening(
        {f"{k}.wav": some_scores(45, high=[5, 9 + k, 40], seed=k) for k in range(5)},
        threshold=0.38,
    )
    marks = [annotation(f"{k}.wav", 5, 6) for k in range(5)]
    marks += [annotation(f"{k}.wav", 40, 42) for k in range(3)]
    for settings in ({"iou": 0.4}, {"window_s": 1.0}):
        (one,) = measured(run, marks, **settings)[0].classes
        for name, estimate in one.figures.items():
            low, high = estimate.interval
            assert low <= estimate.value <= high, name
            assert low <= high


def test_windows_are_swept_by_the_highest_score_on_each():
    run = listening({"a.wav": [0.2, 0.9, 0.1, 0.3, 0.6, 0.1], "b.wav": [0.7, 0.1]})
    marks = [annotation("a.wav", 0, 2), annotation("a.wav", 2, 4)]
    (one,) = measured(run, marks, window_s=2.0)[0].classes
    assert one.curve.thresholds.round(3).tolist() == [0.9, 0.7, 0.6, 0.3]
    assert one.curve.hits[0].tolist() == [1, 1, 1, 2]
    assert one.curve.false_alarms[0].tolist() == [0, 1, 2, 2]
    assert one.free_h == pytest.approx(4 / 3600)


@pytest.mark.parametrize("settings", [{}, {"window_s": 1.0}])
def test_a_class_that_is_never_answered_still_has_a_curve(settings):
    run = listening({"a.wav": [0.1, 0.9, 0.1]}, thresholds={WHALE: 1.0})
    (one,) = measured(run, [annotation("a.wav", 1, 2)], **settings)[0].classes
    assert one.threshold is None
    assert (one.n_hits, one.n_false_alarms) == (0, 0)
    assert figure(one, "recall_at_0.1_per_hour") == 1


def test_a_score_of_one_can_be_reached():
    run = listening({"a.wav": np.array([[1.0, 0.0], [0.0, 0.0]])})
    (one,) = measured(run, [annotation("a.wav", 0, 1)])[0].classes
    assert figure(one, "recall_at_0.1_per_hour") == 1


def test_families_are_measured_by_the_sum_of_their_species():
    settings = DetectSettings(level="group")
    scores = np.array([[0.0, 0.4, 0.4], [0.0, 0.1, 0.0], [0.0, 0.0, 0.1]])
    run = listening({"a.wav": scores}, settings=settings)
    (group,) = {d.label for d in run.recordings[0].found}
    (one,) = measured(run, [annotation("a.wav", 0, 1, group)])[0].classes
    assert one.n_hits == 1
    assert one.curve.thresholds[0] == pytest.approx(0.8)


def test_zero_annotations_are_said_and_all_detections_are_false():
    run = listening({"a.wav": [0.9, 0.1, 0.1], "b.wav": [0.1, 0.1]})
    report, remarks = measured(run)
    assert report.classes == ()
    (other,) = report.others
    assert other.n_false_alarms == 1
    assert "No call is annotated" in remarks[0].text
    assert "annotated nowhere" in " ".join(r.text for r in remarks)


def test_zero_detections_are_recall_zero_and_no_precision():
    run = listening({"a.wav": [0.1, 0.1]}, threshold=0.7)
    (one,) = measured(run, [annotation("a.wav", 0, 1)])[0].classes
    assert figure(one, "recall") == 0
    assert figure(one, "f1") == 0
    assert figure(one, "precision") is None
    assert figure(one, "false_alarms_per_hour") == 0


def test_time_that_is_all_annotated_gives_no_rate():
    run = listening({"a.wav": [0.9, 0.1]})
    report, remarks = measured(run, [annotation("a.wav", 0, 2)])
    (one,) = report.classes
    assert figure(one, "false_alarms_per_hour") is None
    assert figure(one, "recall_at_1_per_hour") is None
    assert rate_note(one, 1.0, complete=True) == "not known"
    assert "no time without" in " ".join(r.text for r in remarks)


def table_of(run):
    return Listening(
        tuple(type(r)(r.searched, r.found) for r in run.recordings), "table test"
    )


def test_a_table_promises_nothing_below_its_lowest_score():
    run = listening({"a.wav": [0.9, 0.1, 0.7, 0.1, 0.1], "b.wav": some_scores(9000)})
    marks = [annotation("a.wav", 0, 1), annotation("a.wav", 2, 3)]
    report, remarks = measured(table_of(run), marks)
    (one,) = report.classes
    assert figure(one, "recall_at_1_per_hour") == 1
    assert rate_note(one, 1.0, complete=False).startswith("at least")
    assert ">=1.00" in "\n".join(lines(report, remarks))
    assert "holds no lower scores" in " ".join(r.text for r in remarks)


def test_an_empty_table_is_recall_zero_for_what_is_annotated():
    run = table_of(listening({"a.wav": [0.1, 0.1]}))
    (one,) = measured(run, [annotation("a.wav", 0, 1)])[0].classes
    assert figure(one, "recall") == 0
    assert rate_note(one, 1.0, complete=False) == "nothing was detected"


def test_where_the_surest_are_false_the_reason_is_given():
    run = listening({"a.wav": [0.95, 0.1, 0.9, 0.1]})
    (one,) = measured(run, [annotation("a.wav", 2, 3)])[0].classes
    assert figure(one, "recall_at_10_per_hour") == 0
    assert "even the highest" in rate_note(one, 10.0, complete=True)


def test_what_is_left_out_or_doubtful_is_said():
    run = listening(
        {"a.wav": some_scores(9, other=0.55), "b.wav": [0.1, 0.1], "c.wav": [0.1]}
    )
    marks = [annotation("a.wav", 0, 1), annotation("a.wav", 3, 4, "Narwhal")]
    _, remarks = measured(run, marks, absent={"z.wav": 12})
    text = " ".join(r.text for r in remarks)
    assert "z.wav (12)" in text
    assert "Narwhal (1 annotations) is no class of this model" in text
    assert "2 recordings without any annotation count as free of calls" in text
    assert f"{LABELS[1]} (1)" in text
    assert "drawing 3 recordings" in text
    assert [r.kind for r in remarks] == sorted((r.kind for r in remarks), reverse=True)
    only = measured(run, marks, only_annotated=True)[1]
    assert "without any annotation do not count" in " ".join(r.text for r in only)


def test_the_files_say_what_the_report_does(tmp_path):
    run = listening({f"{k}.wav": some_scores(30, high=[5, 20]) for k in range(3)})
    report, remarks = measured(run, [annotation(f"{k}.wav", 5, 6) for k in range(3)])
    write_detection_report(report, remarks, tmp_path)
    values = json.loads((tmp_path / "figures.json").read_text(encoding="utf-8"))
    assert values == json.loads(json.dumps(as_dict(report, remarks)))
    assert values["classes"][WHALE]["n_hits"] == 3
    assert values["classes"][WHALE]["at_rates"]["1"]["note"]
    with (tmp_path / "figures.csv").open(encoding="utf-8") as file:
        (row,) = csv.DictReader(file)
    assert float(row["recall"]) == 1
    assert float(row["precision_low"]) <= float(row["precision"])
    with (tmp_path / "det.csv").open(encoding="utf-8") as file:
        curve = list(csv.DictReader(file))
    assert len(curve) == len(report.classes[0].curve.thresholds)
    assert float(curve[0]["recall"]) + float(curve[0]["miss_rate"]) == 1
    page = (tmp_path / "report.html").read_text(encoding="utf-8")
    assert "data:image/png" in page
    assert WHALE in page
    assert "http" not in page.replace("http-equiv", "")


def test_a_report_without_a_curve_removes_the_plot_of_an_earlier_one(tmp_path):
    (tmp_path / "det.png").write_bytes(b"old")
    write_detection_report(*measured(listening({"a.wav": [0.1]})), tmp_path)
    assert not (tmp_path / "det.png").exists()
    page = (tmp_path / "report.html").read_text(encoding="utf-8")
    assert "No annotated class can be compared" in page


def test_names_are_text_in_the_page(tmp_path):
    run = listening({"a.wav": [0.9, 0.1]})
    bad = {"<script>alert(1)</script>.wav": 1}
    write_detection_report(*measured(run, absent=bad), tmp_path)
    assert "<script>" not in (tmp_path / "report.html").read_text(encoding="utf-8")


def test_the_same_run_gives_the_same_intervals_twice():
    run = listening({f"{k}.wav": some_scores(30, high=[5], seed=k) for k in range(3)})
    marks = [annotation(f"{k}.wav", 5, 6) for k in range(3)]
    one, other = (measured(run, marks)[0].classes[0].figures for _ in range(2))
    assert one == other
