from __future__ import annotations

import numpy as np
import pytest
from scipy.special import softmax

from seacall.learn.even_alarms import even_offsets, evened_apart


@pytest.fixture
def held_out(rng):
    """Answers to clips of four classes, three deployments each, and a fifth class."""
    targets = np.repeat(np.arange(4), 30)
    deployments = [f"{t}-{k % 3}" for k, t in enumerate(targets.tolist())]
    logits = rng.normal(size=(len(targets), 5))
    logits[np.arange(len(targets)), targets] += 2
    return logits, targets, deployments


def false_alarms(logits, targets):
    """Mean score of each class over the clips of all other classes, classes alike."""
    scores = softmax(logits, axis=1)
    rates = []
    for k in range(scores.shape[1]):
        others = [j for j in np.unique(targets) if j != k]
        rates.append(np.mean([scores[targets == j, k].mean() for j in others]))
    return np.array(rates)


def test_all_classes_have_the_same_false_alarms_afterwards(held_out):
    logits, targets, deployments = held_out
    biased = logits + np.array([3.0, 0.0, -2.0, 1.0, 0.5])
    assert np.ptp(np.log(false_alarms(biased, targets))) > 2
    evened = biased + even_offsets(biased, targets, deployments)
    rates = false_alarms(evened, targets)
    np.testing.assert_allclose(rates, rates.mean(), rtol=0.02)


def test_a_constant_that_is_added_to_a_class_changes_no_answer(held_out):
    logits, targets, deployments = held_out
    biased = logits + np.array([4.0, 0.0, -1.0, 0.0, 2.0])
    fair = evened_apart(logits, targets, deployments)
    same = evened_apart(biased, targets, deployments)
    np.testing.assert_allclose(softmax(same, 1), softmax(fair, 1), atol=0.02)
    assert (biased.argmax(axis=1) != logits.argmax(axis=1)).mean() > 0.2
    assert (same.argmax(axis=1) != fair.argmax(axis=1)).mean() < 0.02


def test_the_offsets_of_a_deployment_come_from_the_others_alone(held_out):
    logits, targets, deployments = held_out
    own = np.array(deployments) == "1-2"
    changed = np.where(own[:, None], -7.0 * logits, logits)
    names = [d for d in deployments if d != "1-2"]
    expected = even_offsets(logits[~own], targets[~own], names)
    found = evened_apart(changed, targets, deployments)[own] - changed[own]
    np.testing.assert_allclose(found, np.tile(expected, (own.sum(), 1)), atol=0.05)


def test_a_deployment_with_many_clips_counts_as_much_as_one_with_few(held_out):
    logits, targets, deployments = held_out
    often = np.repeat(np.flatnonzero(targets == 2)[::3], 9)
    rows = np.r_[np.arange(len(targets)), often]
    repeated = even_offsets(logits[rows], targets[rows], [deployments[k] for k in rows])
    np.testing.assert_allclose(
        repeated, even_offsets(logits, targets, deployments), atol=0.02
    )


def test_a_class_that_is_hard_to_find_is_not_punished():
    # A clip of class 0 is never sure; others are never taken for it more than for 1.
    logits = np.log([[0.4, 0.3, 0.3], [0.1, 0.8, 0.1], [0.1, 0.1, 0.8]])
    offsets = even_offsets(logits, np.arange(3), ["a", "b", "c"])
    assert offsets[0] > max(offsets[1], offsets[2])


def test_with_a_single_class_there_is_nothing_to_even_out(rng):
    logits = rng.normal(size=(4, 3))
    same = evened_apart(logits, np.zeros(4, np.int64), list("aabb"))
    np.testing.assert_array_equal(same, logits)
