import warnings

import numpy as np
import pytest
from scored import one_hot, random_scores
from sklearn import metrics as reference
from sklearn.calibration import calibration_curve

from seacall.learn.metrics import (
    accuracy,
    accuracy_of_answered,
    answers_at,
    balanced_accuracy,
    calibration_error,
    class_scores,
    confusion_matrix,
    macro_f1,
    reliability_bins,
    share_answered,
    unknown_for_abstentions,
    weighted_f1,
)

N_CLASSES = 6


@pytest.fixture(params=range(4))
def case(request):
    """Targets without class 4, answers without class 2."""
    rng = np.random.default_rng(request.param)
    targets = rng.choice([0, 1, 2, 3, 5], size=80, p=[0.5, 0.2, 0.1, 0.1, 0.1])
    answers = np.where(rng.random(80) < 0.6, targets, rng.integers(0, N_CLASSES, 80))
    answers[answers == 2] = 4
    return targets, answers


def test_confusion_matrix_agrees_with_scikit_learn(case):
    ours = confusion_matrix(*case, n_classes=N_CLASSES)
    theirs = reference.confusion_matrix(*case, labels=range(N_CLASSES))
    np.testing.assert_array_equal(ours, theirs)


def test_overall_figures_agree_with_scikit_learn(case):
    targets, answers = case
    confusion = confusion_matrix(targets, answers, n_classes=N_CLASSES)
    present = np.unique(targets)
    f1 = reference.f1_score
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")  # it warns of answers that are no truth
        balanced = reference.balanced_accuracy_score(targets, answers)
    assert accuracy(confusion) == pytest.approx(np.mean(targets == answers))
    assert balanced_accuracy(confusion) == pytest.approx(balanced)
    assert macro_f1(confusion) == pytest.approx(
        f1(targets, answers, labels=present, average="macro", zero_division=0)
    )
    assert weighted_f1(confusion) == pytest.approx(
        f1(targets, answers, average="weighted", zero_division=0)
    )


def test_class_figures_agree_with_scikit_learn(case):
    ours = class_scores(confusion_matrix(*case, n_classes=N_CLASSES))
    precision, recall, f1, support = reference.precision_recall_fscore_support(
        *case, labels=range(N_CLASSES), zero_division=np.nan
    )
    np.testing.assert_allclose(ours.precision, precision)
    np.testing.assert_allclose(ours.recall, recall)
    np.testing.assert_allclose(ours.f1, f1)
    np.testing.assert_array_equal(ours.support, support)


def test_a_class_that_is_only_answered_has_no_part_in_the_macro_average():
    confusion = confusion_matrix([0, 0, 1, 1], [0, 2, 1, 1], n_classes=3)
    assert macro_f1(confusion) == pytest.approx((2 / 3 + 1) / 2)
    assert balanced_accuracy(confusion) == pytest.approx((0.5 + 1) / 2)


def test_a_class_that_neither_occurs_nor_is_answered_has_no_figures():
    scores = class_scores(confusion_matrix([0, 1], [0, 1], n_classes=3))
    assert np.isnan([scores.precision[2], scores.recall[2], scores.f1[2]]).all()


def test_one_class_that_is_always_right_has_figures_of_one():
    confusion = confusion_matrix([0, 0], [0, 0], n_classes=1)
    for figure in (accuracy, balanced_accuracy, macro_f1, weighted_f1):
        assert figure(confusion) == 1


def test_all_wrong_gives_zero_everywhere():
    confusion = confusion_matrix([0, 1, 2], [1, 2, 0], n_classes=3)
    for figure in (accuracy, balanced_accuracy, macro_f1, weighted_f1):
        assert figure(confusion) == 0


def test_no_recordings_give_nan_without_a_warning():
    confusion = confusion_matrix([], [], n_classes=3)
    for figure in (accuracy, balanced_accuracy, macro_f1, weighted_f1):
        assert np.isnan(figure(confusion))


def test_figures_of_many_tables_are_those_of_each(case):
    groups = np.arange(80) % 5
    tables = confusion_matrix(*case, n_classes=N_CLASSES, groups=groups)
    assert tables.shape == (5, N_CLASSES, N_CLASSES)
    for figure in (accuracy, balanced_accuracy, macro_f1, weighted_f1):
        np.testing.assert_allclose(figure(tables), [figure(t) for t in tables])


def test_the_tables_of_the_groups_add_up_to_the_table_of_all(case):
    groups = np.arange(80) % 7
    tables = confusion_matrix(*case, n_classes=N_CLASSES, groups=groups)
    whole = confusion_matrix(*case, n_classes=N_CLASSES)
    np.testing.assert_array_equal(tables.sum(axis=0), whole)


@pytest.mark.parametrize(
    ("targets", "answers", "message"),
    [
        ([0, 3], [0, 1], "targets must be 0 to 2, got 0 to 3"),
        ([0, 1], [0, -1], "answers must be 0 to 2, got -1 to 0"),
        ([0, 1], [0], "equally long, got 2, 1 and 2"),
        ([[0]], [0], "targets must have one axis"),
    ],
)
def test_classes_outside_their_range_are_refused(targets, answers, message):
    with pytest.raises(ValueError, match=message):
        confusion_matrix(targets, answers, n_classes=3)


def test_a_score_at_the_threshold_is_answered_and_one_below_is_not():
    scores = np.array([[0.7, 0.3], [0.699, 0.301]])
    assert answers_at(scores, 0.7).tolist() == [0, 2]


def test_a_single_precision_score_at_the_threshold_is_answered():
    scores = np.array([[0.7, 0.3]], dtype=np.float32)
    assert answers_at(scores, 0.7).tolist() == [0]


def test_each_class_may_have_its_own_threshold():
    scores = [[0.6, 0.4], [0.4, 0.6]]
    assert answers_at(scores, [0.5, 0.9]).tolist() == [0, 2]


def test_abstaining_counts_as_the_answer_unknown():
    # Right and sure, right and unsure, unknown and unsure, wrong and sure.
    scores = [[0.9, 0.1, 0], [0.5, 0.3, 0.2], [0.4, 0.3, 0.3], [0.1, 0.9, 0]]
    table = confusion_matrix(
        [0, 0, 2, 0], answers_at(scores, 0.7), n_classes=3, abstentions=True
    )
    assert share_answered(table) == 0.5
    assert accuracy_of_answered(table) == 0.5
    assert accuracy(unknown_for_abstentions(table)) == 0.5


def test_the_accuracy_of_no_answers_is_nan():
    table = confusion_matrix([0, 1], [2, 2], n_classes=2, abstentions=True)
    assert share_answered(table) == 0
    assert np.isnan(accuracy_of_answered(table))


def test_calibration_error_agrees_with_the_curve_of_scikit_learn():
    rng = np.random.default_rng(0)
    targets = rng.integers(0, N_CLASSES, 500)
    scores = random_scores(rng, targets, N_CLASSES)
    top, right = scores.max(axis=1), scores.argmax(axis=1) == targets
    accuracies, confidences = calibration_curve(right, top, n_bins=15)
    edges = np.linspace(0, 1, 16)
    n = np.bincount(np.searchsorted(edges[1:-1], top), minlength=15)
    expected = np.sum(n[n > 0] / 500 * np.abs(accuracies - confidences))
    bins = reliability_bins(targets, scores)
    assert calibration_error(bins) == pytest.approx(expected)


def test_calibration_error_of_a_hand_made_case():
    # Both scores lie in one bin: |0.95 - 0.5| for all recordings.
    bins = reliability_bins([0, 1], [[0.94, 0.06], [0.96, 0.04]])
    assert calibration_error(bins) == pytest.approx(0.45)


def test_certain_and_right_has_no_calibration_error():
    bins = reliability_bins([0, 1, 1], one_hot([0, 1, 1], 2))
    assert calibration_error(bins) == 0


def test_the_bins_of_the_groups_add_up_to_the_bins_of_all():
    rng = np.random.default_rng(0)
    targets = rng.integers(0, N_CLASSES, 50)
    scores = random_scores(rng, targets, N_CLASSES)
    by_group = reliability_bins(targets, scores, groups=np.arange(50) % 4)
    assert by_group.shape == (4, 3, 15)
    np.testing.assert_allclose(by_group.sum(axis=0), reliability_bins(targets, scores))
