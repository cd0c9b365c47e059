import numpy as np
from scored import evaluation, one_hot, predictions

from seacall.learn.remarks import remarks


def texts(e, kind):
    return [remark.text for remark in remarks(e) if remark.kind == kind]


def spread(answers):
    """Twelve deployments of two recordings each, 12 of each of two classes."""
    return predictions(
        targets=np.array([0, 1] * 12),
        scores=one_hot(answers, 3),
        file_names=tuple(f"{i}.wav" for i in range(24)),
        deployments=tuple(f"d{i // 2}" for i in range(24)),
        sample_rates=np.full(24, 48000),
    )


def test_a_good_model_on_new_deployments_gets_no_warning():
    assert texts(evaluation(predicted=spread([0, 1] * 12)), "warning") == []


def test_a_leaky_split_is_a_warning_that_names_the_deployments():
    e = evaluation(predicted=spread([0, 1] * 12), train_deployments=("d3", "d4"))
    (text,) = texts(e, "warning")
    assert "2 of the 12 measured deployments were also trained on (d3, d4)" in text


def test_long_lists_of_deployments_are_cut():
    e = evaluation(
        predicted=spread([0, 1] * 12),
        train_deployments=tuple(f"d{i}" for i in range(12)),
    )
    assert "and 4 more" in texts(e, "warning")[0]


def test_a_training_that_is_not_known_is_a_warning():
    e = evaluation(predicted=spread([0, 1] * 12), train_deployments=None)
    assert "not known whether the model was trained" in texts(e, "warning")[0]


def test_a_look_up_that_beats_the_model_is_a_warning():
    e = evaluation(
        predicted=spread([1, 0] * 12),
        baselines={"deployment look-up": one_hot([0, 1] * 12, 3)},
    )
    (text,) = texts(e, "warning")
    assert "\u201cdeployment look-up\u201d hears nothing" in text
    assert "accuracy 1.000 against 0.000, macro-F1 1.000 against 0.000" in text


def test_a_lead_that_may_be_chance_is_a_warning():
    answers = [0, 1] * 12
    answers[0] = 1
    e = evaluation(
        predicted=spread([0, 1] * 12), baselines={"sample rate": one_hot(answers, 3)}
    )
    assert "is not certain" in texts(e, "warning")[0]


def test_few_deployments_are_a_warning():
    assert any("only 3 deployments" in text for text in texts(evaluation(), "warning"))


def test_no_intervals_are_a_warning():
    e = evaluation(predicted=predictions(deployments=("a",) * 6))
    assert any(text.startswith("No intervals") for text in texts(e, "warning"))


def test_absent_classes_and_lone_deployments_are_notes():
    notes = texts(evaluation(predicted=spread([0, 1] * 12)), "note")
    assert any("1 of 3 classes (unknown)" in text for text in notes)
    lone = texts(evaluation(), "note")
    assert any("one deployment only" in text and "unknown" in text for text in lone)


def test_classes_that_are_never_answered_are_named():
    notes = texts(evaluation(threshold=[0.5, 1.0, 0.5]), "note")
    assert any("1 of 3 classes (Narwhal)" in n and "Never" in n for n in notes)
    assert not any("Never answered" in n for n in texts(evaluation(), "note"))


def test_warnings_come_before_notes():
    kinds = [remark.kind for remark in remarks(evaluation())]
    assert kinds == sorted(kinds, reverse=True)
