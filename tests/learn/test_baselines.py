import numpy as np
import pytest

from seacall.learn.baselines import (
    BAND_EDGE,
    DEPLOYMENT,
    MAJORITY,
    SAMPLE_RATE,
    Rows,
    baseline_scores,
    look_up_scores,
)

TRAIN = Rows(
    targets=[2, 2, 2, 0, 0, 1],
    deployments=["a", "a", "b", "b", "b", "c"],
    sample_rates=[48000, 48000, 48000, 96000, 96000, 8000],
)


def answers(test, name):
    scores = baseline_scores(TRAIN, test, n_classes=4)[name]
    assert scores.shape == (len(test.targets), 4)
    assert (np.sort(scores, axis=1) == [0, 0, 0, 1]).all()
    return scores.argmax(axis=1).tolist()


def test_the_majority_class_answers_everything():
    test = Rows([0, 1], ["a", "x"], [8000, 1])
    assert answers(test, MAJORITY) == [2, 2]


def test_the_sample_rate_answers_its_commonest_class_and_else_the_majority():
    test = Rows([0] * 4, ["a"] * 4, [48000, 96000, 8000, 11025])
    assert answers(test, SAMPLE_RATE) == [2, 0, 1, 2]


def test_the_band_edge_answers_its_commonest_class_and_else_the_majority():
    train = Rows([0, 0, 1, 2, 2, 2], ["a"] * 6, [1] * 6, band_edges=[9, 9, 9, 3, 3, 9])
    test = Rows([0] * 3, ["a"] * 3, [1] * 3, band_edges=[9, 3, 5])
    scores = baseline_scores(train, test, n_classes=4)
    # At 9: twice 0, once 1, once 2. At 3: twice 2. 5 is new; of all, 2 is commonest.
    assert scores[BAND_EDGE].argmax(axis=1).tolist() == [0, 2, 2]


def test_a_band_edge_that_was_not_measured_is_left_out():
    test = Rows([0], ["a"], [1], band_edges=[9])
    assert BAND_EDGE not in baseline_scores(TRAIN, test, n_classes=4)


def test_band_edges_of_another_length_are_refused():
    with pytest.raises(ValueError, match="band_edges has 1 entries for 2"):
        Rows([0, 1], ["a", "b"], [1, 1], band_edges=[9])


def test_the_deployment_answers_its_commonest_class_and_else_the_majority():
    test = Rows([0] * 4, ["a", "b", "c", "new"], [96000] * 4)
    assert answers(test, DEPLOYMENT) == [2, 0, 1, 2]


def test_deployments_that_are_not_known_are_not_taken_for_one():
    train = Rows([1, 1, 0, 0, 0], ["", "", "a", "a", "a"], [1] * 5)
    scores = baseline_scores(train, Rows([1], [""], [1]), n_classes=2)
    assert scores[DEPLOYMENT].argmax(axis=1).tolist() == [0]


def test_rates_are_compared_as_numbers_whatever_their_type():
    train = Rows([0, 0, 1], ["a"] * 3, [8000, 8000, 48000])
    test = Rows([1], ["a"], np.array([48000], dtype=np.int32))
    scores = baseline_scores(train, test, n_classes=2)
    assert scores[SAMPLE_RATE].argmax(axis=1).tolist() == [1]


def test_of_equally_common_classes_the_first_is_answered():
    scores = look_up_scores(["a", "a"], [2, 1], ["a"], n_classes=3)
    assert scores.argmax(axis=1).tolist() == [1]


def test_no_test_rows_give_no_scores():
    assert baseline_scores(TRAIN, Rows([], [], []), n_classes=4)[MAJORITY].shape == (
        0,
        4,
    )


def test_no_training_rows_are_refused():
    with pytest.raises(ValueError, match="no training rows"):
        baseline_scores(Rows([], [], []), TRAIN, n_classes=3)


def test_columns_of_different_length_are_refused():
    with pytest.raises(ValueError, match="equally long, got 2, 1 and 2"):
        Rows([0, 1], ["a"], [1, 2])
