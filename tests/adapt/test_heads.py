"""Heads on frozen embeddings: oracles, limits, and what is kept of old classes."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from sklearn.linear_model import LogisticRegression, Ridge

from seacall.adapt.choose import choose, fold_numbers, plainest, torn_apart
from seacall.adapt.heads import HEADS, Lesson, logistic, prototypes, ridge
from seacall.adapt.settle import settle, soft_targets


def lesson(
    n: int = 60, *, n_fixed: int = 0, n_trained: int = 3, seed: int = 0, d: int = 5
) -> Lesson:
    """Gaussian classes around random means; fixed logits that know their own."""
    rng = np.random.default_rng(seed)
    targets = np.arange(n) % (n_fixed + n_trained)
    means = 2 * rng.standard_normal((n_fixed + n_trained, d))
    x = means[targets] + rng.standard_normal((n, d))
    fixed = 3.0 * (targets[:, None] == np.arange(n_fixed)) + rng.normal(
        size=(n, n_fixed)
    )
    return Lesson(x, fixed, targets, np.ones(n), n_trained)


def standard(x: np.ndarray) -> np.ndarray:
    return (x - x.mean(axis=0)) / x.std(axis=0)


def test_ridge_is_scikit_learns_up_to_one_factor():
    one = lesson()
    # Weights sum to 1 here and to n there: the penalty is n times as large.
    theirs = Ridge(alpha=60 * 0.5).fit(standard(one.embeddings), np.eye(3)[one.targets])
    wanted = theirs.predict(standard(one.embeddings)) - theirs.intercept_
    found = ridge(one, penalty=0.5).logits(one.embeddings)
    factor = (found * wanted).sum() / (wanted**2).sum()
    np.testing.assert_allclose(found, factor * wanted, atol=1e-9)


def test_ridge_among_clips_is_ridge_among_numbers():
    """Fewer clips than numbers take the other formula; one more clip does not."""
    few = lesson(9, d=10)
    more = Lesson(
        np.vstack([few.embeddings] * 2),
        np.vstack([few.fixed] * 2),
        np.tile(few.targets, 2),
        np.ones(18),
        3,
    )
    np.testing.assert_allclose(
        ridge(few, penalty=1.0).weight, ridge(more, penalty=1.0).weight, atol=1e-9
    )


def test_logistic_without_fixed_classes_is_scikit_learns():
    one = lesson()
    theirs = LogisticRegression(C=1 / (60 * 0.05), tol=1e-10, max_iter=10_000)
    theirs.fit(standard(one.embeddings), one.targets)
    wanted = theirs.predict_log_proba(standard(one.embeddings))
    logits = logistic(one, penalty=0.05).logits(one.embeddings)
    found = logits - np.log(np.exp(logits).sum(axis=1, keepdims=True))
    np.testing.assert_allclose(found, wanted, atol=2e-3)


def test_one_clip_a_class_is_enough_for_prototypes():
    one = lesson(3)
    assert (prototypes(one).logits(one.embeddings).argmax(axis=1) == one.targets).all()


def test_a_number_that_never_moved_decides_nothing():
    one = lesson()
    x = np.hstack([one.embeddings, np.full((60, 1), 7.0)])
    dead = Lesson(x, one.fixed, one.targets, one.weights, 3)
    moved = x.copy()
    moved[:, -1] += 0.01
    for fit in HEADS.values():
        layer = fit(dead)
        np.testing.assert_allclose(layer.logits(moved), layer.logits(x), atol=0.5)


@given(st.floats(0.1, 10), st.integers(0, 2**31 - 1))
def test_units_of_the_embedding_do_not_matter(unit, seed):
    one = lesson(24, n_fixed=2, seed=seed)
    other = Lesson(unit * one.embeddings, one.fixed, one.targets, one.weights, 3)
    for name in ("prototypes", "ridge, penalty 1"):
        np.testing.assert_allclose(
            HEADS[name](other).logits(other.embeddings),
            HEADS[name](one).logits(one.embeddings),
            atol=1e-6,
        )


def test_few_clips_that_are_told_apart_do_not_make_certain():
    """Platt's rule: with n clips at most (n + 1) / (n + 2), however far apart."""
    fixed = np.zeros((4, 1))
    one = Lesson(np.zeros((4, 1)), fixed, np.array([0, 0, 1, 1]), np.ones(4), 1)
    scores = np.array([[-1.5], [-1.5], [1.5], [1.5]])
    found = settle(one, scores)
    z = found.slope * scores + found.offsets
    best = 1 / (1 + np.exp(-z[2, 0]))
    assert best == pytest.approx(3 / 4, abs=0.02)


@given(st.integers(1, 4), st.integers(1, 3), st.integers(5, 40))
def test_soft_targets_are_probabilities_that_favour_the_truth(n_fixed, n_trained, n):
    one = lesson(n, n_fixed=n_fixed, n_trained=n_trained)
    truth = soft_targets(one)
    np.testing.assert_allclose(truth.sum(axis=1), 1.0)
    own = truth[np.arange(n), one.targets]
    assert (own >= 2 / 3 - 1e-12).all()
    assert (own < 1).all()


def test_settling_gives_scores_that_mean_what_they_say():
    """Scores of the right slope and offset come back from scores of a wrong one."""
    rng = np.random.default_rng(1)
    z = rng.normal(0, 2, (4_000, 1))
    targets = (rng.random(4_000) < 1 / (1 + np.exp(-z[:, 0]))).astype(np.int64)
    one = Lesson(z, np.zeros((4_000, 1)), targets, np.ones(4_000), 1)
    found = settle(one, 5 * z + 3)
    assert found.slope == pytest.approx(0.2, rel=0.1)
    assert found.offsets[0] == pytest.approx(-0.6, abs=0.1)


@given(st.integers(2, 12), st.integers(1, 4), st.integers(0, 1000))
def test_no_group_is_torn_apart_by_folds(n_groups, n_classes, seed):
    rng = np.random.default_rng(seed)
    groups = [f"g{k}" for k in rng.integers(0, n_groups, 40)]
    targets = rng.integers(0, n_classes, 40)
    folds = fold_numbers(groups, targets)
    assert len(set(zip(groups, folds, strict=True))) == len(set(groups))
    assert folds.max() < 5


def test_a_class_of_two_groups_is_in_two_folds():
    groups = ["a"] * 9 + ["b"] * 3 + ["c"] * 5 + ["d"] * 5
    targets = np.array([0] * 12 + [1] * 10)
    folds = fold_numbers(groups, targets)
    assert len(set(folds[:12])) == 2
    assert len(set(folds[12:])) == 2


def test_held_out_logits_come_from_layers_that_did_not_see_the_clip():
    """A clip whose label is wrong pulls its own layer, and not its held-out logit."""
    one = lesson(60)
    groups = [f"g{k // 6}" for k in range(60)]
    other = one.targets.copy()
    other[0] = 2
    wrong = Lesson(one.embeddings, one.fixed, other, one.weights, 3)
    a = choose(one, groups, heads=["prototypes"])
    b = choose(wrong, groups, heads=["prototypes"])
    raw_a = (a.held_out[0] - a.settled.offsets) / a.settled.slope
    raw_b = (b.held_out[0] - b.settled.offsets) / b.settled.slope
    np.testing.assert_allclose(raw_a, raw_b)
    assert a.n_folds == b.n_folds == 5


def test_with_one_clip_a_class_nothing_is_held_out():
    found = choose(lesson(3), ["all"] * 3)
    assert found.n_folds == 0
    assert found.head == "prototypes"


def test_a_class_of_one_group_is_held_out_clip_by_clip_and_others_by_group():
    one = lesson(30)
    groups = ["all" if c == 2 else f"g{k % 4}" for k, c in enumerate(one.targets)]
    torn = torn_apart(one, groups)
    assert len({torn[k] for k in range(30) if one.targets[k] == 2}) == 10
    assert {torn[k] for k in range(30) if one.targets[k] != 2} == {
        "g0",
        "g1",
        "g2",
        "g3",
    }


def test_the_only_clip_of_a_class_does_not_spoil_the_others():
    one = lesson(40)
    kept = np.flatnonzero((one.targets < 2) | (np.arange(40) == 2))
    some = one.some(np.isin(np.arange(40), kept))
    groups = [f"g{k % 5}" for k in range(len(kept))]
    found = choose(some, groups)
    assert found.n_folds > 1
    assert np.isfinite(found.held_out).all()
    best = found.held_out.argmax(axis=1)
    assert np.mean(best == some.targets) > 0.8


def test_a_head_has_to_be_better_by_more_than_chance():
    rng = np.random.default_rng(0)
    plain = rng.normal(1.0, 0.3, 50)
    hardly = plain - 0.01 + 0.3 * rng.standard_normal(50)
    clearly = plain - 0.4
    groups = [f"g{k // 5}" for k in range(50)]
    assert plainest({"a": plain, "b": hardly}, np.ones(50), groups) == "a"
    assert plainest({"a": plain, "b": hardly, "c": clearly}, np.ones(50), groups) == "c"


def test_new_logits_beside_fixed_ones_leave_those_as_they_are():
    one = lesson(80, n_fixed=3, n_trained=1, seed=4)
    found = choose(one, [f"g{k % 8}" for k in range(80)])
    assert found.layer.weight.shape == (1, 5)
    best = np.hstack([one.fixed, found.held_out]).argmax(axis=1)
    own = one.targets == 3
    assert np.mean(best[own] == 3) > 0.7
    assert np.mean(best[~own] == 3) < 0.15


def test_what_one_deployment_says_of_a_class_alone_is_not_believed():
    """Offsets of classes stay together unless many times as much speaks against it."""
    rng = np.random.default_rng(3)
    targets = np.arange(60) % 3
    scores = 2.0 * (targets[:, None] == np.arange(3)) + rng.normal(0, 1, (60, 3))
    scores[:, 0] += 1.0  # as if this class's own deployment were heard too loud
    one = Lesson(np.zeros((60, 1)), np.zeros((60, 0)), targets, np.ones(60), 3)
    found = settle(one, scores)
    assert np.ptp(found.offsets) < 0.5
