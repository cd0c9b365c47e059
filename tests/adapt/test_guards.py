"""The fears are measured: a class that swallows, errors that are sure."""

from __future__ import annotations

import numpy as np
import pytest

from seacall.adapt.guards import choose_thresholds, measure, n_allowed
from seacall.adapt.heads import Lesson
from seacall.adapt.lesson import Material
from seacall.adapt.plan import plan_classes
from seacall.errors import AnnotationError
from seacall.models.calibrated import calibrated
from seacall.models.checkpoint import Calibration

OLD = ("Beluga", "Orca", "unknown")
PLAN = plan_classes(OLD, ["Fish"], mode="add")
N = 200


def case(background: float, old: float, own: float) -> tuple[np.ndarray, Material]:
    """Scores of 200 clips each; the arguments are the new class's logits there."""
    rng = np.random.default_rng(0)
    kinds = np.repeat(["background", "old", "new"], N)
    # Places among fixed (Beluga, Orca, unknown), then trained (Fish).
    targets = np.repeat([2, 0, 3], N)
    fixed = rng.normal(0, 0.3, (3 * N, 3)) + 3.0 * (targets[:, None] == np.arange(3))
    new = np.repeat([background, old, own], N) + rng.normal(0, 0.3, 3 * N)
    lesson = Lesson(np.zeros((3 * N, 1)), fixed, targets, np.ones(3 * N), 1)
    groups = tuple(f"g{k % 7}" for k in range(3 * N))
    both = np.hstack([fixed, new[:, None]])[:, PLAN.in_order()]
    return calibrated(both, Calibration()).astype(float), Material(
        lesson, groups, kinds
    )


def judged(background: float, old: float, own: float):
    scores, found = case(background, old, own)
    limits = choose_thresholds(scores, found, PLAN, most_false=0.01)
    lowest = [limits.get(label, 0.7) for label in PLAN.labels]
    return measure(scores, found, PLAN, lowest=lowest, held_out=True, measured_on={})


def test_a_class_that_leaves_others_alone_has_no_warning():
    found = judged(-3, -3, 4)
    (one,) = found.classes
    assert one.threshold == 0.3
    assert (one.false_background, one.false_old) == (0, 0)
    assert one.recall > 0.98
    assert found.kept_old > 0.99
    assert list(found.warnings(0.01)) == []


def test_a_class_that_swallows_all_gets_a_high_threshold_and_warnings():
    found = judged(6, 6, 6)
    (one,) = found.classes
    assert one.threshold >= 0.9
    said = " ".join(found.warnings(0.01))
    assert "of the background is answered with it" in said
    assert "of other classes is answered with it" in said
    assert "have a new class as their best" in said


def test_the_threshold_is_raised_no_further_than_it_takes():
    scores, found = case(-3, 3, 6)
    (limit,) = choose_thresholds(scores, found, PLAN, most_false=0.01).values()
    old = found.kinds == "old"
    taken = (scores[old].argmax(axis=1) == 2) & (scores[old].max(axis=1) >= limit)
    assert taken.sum() <= n_allowed(N, 0.01) == 2
    below = (scores[old].argmax(axis=1) == 2) & (
        scores[old].max(axis=1) >= limit - 0.05
    )
    assert below.sum() > 2


def test_errors_that_are_sure_are_said():
    found = judged(-3, -3, -6)
    assert found.n_wrong == N
    scores, material = case(-3, -3, -6)
    wrong = scores[material.kinds == "new"].max(axis=1).mean()
    assert found.sure_when_wrong == pytest.approx(wrong)
    # Uncertain and wrong is no reason for this warning, sure and wrong is.
    assert "do not read" not in " ".join(found.warnings(0.01))
    scores[material.kinds == "new"] = [0.95, 0.02, 0.01, 0.02]
    lowest = [0.7] * 4
    sure = measure(scores, material, PLAN, lowest=lowest, held_out=True, measured_on={})
    assert "do not read scores as certainty" in " ".join(sure.warnings(0.01))
    assert sure.calibration_error == pytest.approx(0.95)


def test_new_classes_stand_before_unknown():
    assert PLAN.labels == ("Beluga", "Orca", "Fish", "unknown")
    assert PLAN.fixed == OLD
    assert PLAN.in_order().tolist() == [0, 1, 3, 2]


def test_a_label_too_long_for_a_card_is_refused():
    with pytest.raises(AnnotationError, match="at most 200"):
        plan_classes(OLD, ["x" * 201], mode="add")
