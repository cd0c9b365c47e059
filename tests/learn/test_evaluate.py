import json

import numpy as np
import pytest
from scored import evaluation, one_hot, predictions, random_scores

from seacall.learn.baselines import DEPLOYMENT, MAJORITY, SAMPLE_RATE
from seacall.learn.evaluation import MODEL


def values(e, name=MODEL):
    return {key: estimate.value for key, estimate in e.figures[name].items()}


def many(skill=2.0, n_deployments=30):
    rng = np.random.default_rng(0)
    groups = np.arange(300) % n_deployments
    targets = groups % 2
    return predictions(
        targets=targets,
        scores=random_scores(rng, targets, 3, skill),
        file_names=tuple(f"{i}.wav" for i in range(300)),
        deployments=tuple(f"d{g}" for g in groups),
        sample_rates=np.full(300, 48000),
    )


def test_the_figures_of_a_hand_made_case():
    figures = values(evaluation())
    assert figures["accuracy"] == pytest.approx(4 / 6)
    assert figures["balanced_accuracy"] == pytest.approx((2 / 3 + 1 / 2 + 1) / 3)
    assert figures["macro_f1"] == pytest.approx((4 / 6 + 2 / 4 + 1) / 3)
    assert figures["weighted_f1"] == pytest.approx((3 * 4 / 6 + 2 * 2 / 4 + 1) / 6)


def test_the_figures_with_a_threshold_of_a_hand_made_case():
    # Of six, b (0.6, right) and c (0.5, wrong) are answered "unknown"; e stays wrong.
    e = evaluation(threshold=0.7)
    figures = values(e)
    assert figures["accuracy_at_threshold"] == pytest.approx(3 / 6)
    assert figures["share_answered"] == pytest.approx(4 / 6)
    assert figures["accuracy_of_answered"] == pytest.approx(3 / 4)
    np.testing.assert_array_equal(
        e.confusion_at_threshold, [[1, 0, 2], [1, 1, 0], [0, 0, 1]]
    )
    np.testing.assert_array_equal(e.confusion, [[2, 1, 0], [1, 1, 0], [0, 0, 1]])


def test_baselines_stand_beside_the_model():
    e = evaluation()
    assert tuple(e.figures) == (MODEL, DEPLOYMENT, SAMPLE_RATE, MAJORITY)
    assert values(e, MAJORITY)["accuracy"] == pytest.approx(3 / 6)
    assert values(e, SAMPLE_RATE)["accuracy"] == pytest.approx(3 / 6)
    assert values(e, DEPLOYMENT)["accuracy"] == pytest.approx(1 / 6)


def test_the_threshold_leaves_certain_baselines_as_they_are():
    figures = values(evaluation(), DEPLOYMENT)
    assert figures["accuracy"] == figures["accuracy_at_threshold"]
    assert figures["share_answered"] == 1


def test_intervals_hold_their_figures():
    e = evaluation(predicted=many(), n_resamples=1000)
    for estimates in e.figures.values():
        for name, estimate in estimates.items():
            if name != "calibration_error":  # biased upwards in a resample
                low, high = estimate.interval
                assert low <= estimate.value <= high
    assert "1,000 resamples of the 30 deployments" in e.interval_note


def test_a_baseline_that_answers_like_the_model_has_a_margin_of_exactly_zero():
    p = many()
    e = evaluation(predicted=p, baselines={"itself": p.scores})
    assert e.margins["itself"].value == 0
    assert e.margins["itself"].interval == (0, 0)


def test_a_deployment_that_was_trained_on_makes_the_split_leaky():
    e = evaluation(train_deployments=("north", "south"))
    assert e.leaky is True
    assert e.shared_deployments == ("north",)


def test_deployments_that_were_not_trained_on_are_not_leaky():
    assert evaluation(train_deployments=("south",)).leaky is False


def test_without_knowledge_of_the_training_nothing_is_said_of_leaks():
    e = evaluation(train_deployments=None)
    assert e.leaky is None
    assert e.shared_deployments is None


def test_a_training_with_unnamed_deployments_is_never_called_clean():
    assert evaluation(train_deployments=("south", "")).leaky is None
    assert evaluation(train_deployments=("north", "")).leaky is True


def test_one_deployment_has_no_intervals_and_says_so():
    e = evaluation(predicted=predictions(deployments=("north",) * 6))
    assert e.n_deployments == 1
    assert all(x.interval is None for own in e.figures.values() for x in own.values())
    assert "one deployment" in e.interval_note
    assert e.n_resamples == 0


def test_recordings_without_a_deployment_leave_intervals_and_leaks_open():
    p = predictions(deployments=("north", "north", "east", "east", "", ""))
    e = evaluation(predicted=p)
    assert (e.n_deployments, e.n_without_deployment) == (2, 2)
    assert e.leaky is None
    assert e.figures[MODEL]["accuracy"].interval is None
    assert "the deployment of 2 recordings is not known" in e.interval_note


def test_figures_that_cannot_be_computed_are_none():
    figures = values(evaluation(threshold=0.99))
    assert figures["share_answered"] == 0
    assert figures["accuracy_of_answered"] is None


def test_each_class_has_its_figures_and_its_deployments():
    beluga, narwhal, unknown = evaluation().classes
    assert (beluga.label, beluga.support, beluga.n_deployments) == ("Beluga", 3, 2)
    assert beluga.precision == pytest.approx(2 / 3)
    assert beluga.recall == pytest.approx(2 / 3)
    assert (narwhal.support, narwhal.n_deployments) == (2, 2)
    assert unknown.f1 == 1


def test_a_class_that_does_not_occur_has_no_recall():
    absent = predictions(targets=np.array([0, 0, 0, 1, 1, 1]))
    unknown = evaluation(predicted=absent).classes[-1]
    assert unknown.support == 0
    assert unknown.recall is None
    assert unknown.precision == 0


def test_each_class_may_have_its_own_threshold():
    e = evaluation(threshold=[0.5, 0.9, 0.5])
    assert e.threshold == (0.5, 0.9, 0.5)
    assert values(e)["share_answered"] == pytest.approx(4 / 6)


def test_the_plain_values_are_json_without_nan():
    for e in (evaluation(), evaluation(threshold=[0.99] * 3, train_deployments=None)):
        plain = json.loads(json.dumps(e.as_dict(), allow_nan=False))
        assert plain["figures"]["model"]["accuracy"]["value"] == pytest.approx(4 / 6)
        assert plain["confusion"] == [[2, 1, 0], [1, 1, 0], [0, 0, 1]]
        assert plain["n_mistakes"] == 2


def test_the_same_generator_gives_the_same_evaluation():
    assert evaluation().as_dict() == evaluation().as_dict()


def test_scores_of_a_baseline_that_do_not_fit_are_refused():
    with pytest.raises(ValueError, match=r"scores must be \(6, 3\), got \(5, 3\)"):
        evaluation(baselines={"short": one_hot([0] * 5, 3)})


def test_a_baseline_cannot_take_the_models_name():
    with pytest.raises(ValueError, match="cannot be called 'model'"):
        evaluation(baselines={"model": one_hot([0] * 6, 3)})
