"""Prototypes: a last layer without a search, and what must not change it."""

from __future__ import annotations

import numpy as np
import pytest
from sklearn.linear_model import Ridge

from seacall.learn.prototypes import (
    balanced_weights,
    joined,
    prototypes,
    prototypes_of_parts,
)


def clips(seed: int = 0, *, n: int = 60, n_numbers: int = 7):
    """Embeddings of three classes in unequal deployments."""
    rng = np.random.default_rng(seed)
    targets = rng.permutation(np.repeat([0, 1, 2], (n // 2, n // 3, n // 6)))
    places = rng.integers(4, size=n)
    deployments = [f"{t}-{d}" for t, d in zip(targets, places, strict=True)]
    x = rng.normal(size=(n, n_numbers)) * np.arange(1, n_numbers + 1)
    return x + targets[:, None], targets, deployments


def layer_of(x, targets, deployments, n_classes=3, **changes):
    weights = balanced_weights(targets, deployments)
    return prototypes(x, targets, n_classes=n_classes, weights=weights, **changes)


def test_prototypes_are_what_ridge_regression_becomes_when_its_penalty_grows():
    x, targets, deployments = clips()
    weights = balanced_weights(targets, deployments)
    mean = weights @ x
    z = (x - mean) / np.sqrt(weights @ (x - mean) ** 2)
    ridge = Ridge(alpha=1e7).fit(z, np.eye(3)[targets], sample_weight=weights)
    new = clips(1)[0]
    theirs = ((new - mean) / np.sqrt(weights @ (x - mean) ** 2)) @ ridge.coef_.T
    ours = layer_of(x, targets, deployments).logits(new)
    slope = (ours * theirs).sum() / (theirs**2).sum()
    np.testing.assert_allclose(ours, slope * theirs, rtol=1e-5, atol=1e-6)


def test_two_clips_of_two_numbers_by_hand():
    x = np.array([[0.0, 5.0], [4.0, 5.0]])
    layer = prototypes(x, np.array([0, 1]), n_classes=2, weights=np.full(2, 0.5))
    # The first number becomes -1 and 1; the second never moves and says nothing.
    np.testing.assert_allclose(layer.weight, [[-0.75, 0.0], [0.75, 0.0]])
    np.testing.assert_allclose(layer.logits(np.array([[2.0, 9.0]])), [[0.0, 0.0]])


def test_the_logits_of_the_training_clips_deviate_as_asked():
    x, targets, deployments = clips()
    weights = balanced_weights(targets, deployments)
    logits = layer_of(x, targets, deployments, sharpness=2.0).logits(x)
    assert np.sqrt((weights @ logits**2).mean()) == pytest.approx(2.0)


def test_units_and_offsets_of_the_embedding_do_not_matter():
    x, targets, deployments = clips()
    units, offsets = np.linspace(0.5, 20, 7), np.linspace(-9, 9, 7)
    plain = layer_of(x, targets, deployments).logits(x)
    changed = x * units + offsets
    other = layer_of(changed, targets, deployments).logits(changed)
    np.testing.assert_allclose(other, plain, atol=1e-9)


def test_to_copy_a_deployments_clips_changes_nothing():
    x, targets, deployments = clips()
    again = [k for k, name in enumerate(deployments) if name == deployments[0]]
    rows = np.concatenate([np.arange(len(x)), np.repeat(again, 5)])
    one = layer_of(x, targets, deployments)
    other = layer_of(x[rows], targets[rows], [deployments[k] for k in rows])
    np.testing.assert_allclose(other.weight, one.weight)
    np.testing.assert_allclose(other.bias, one.bias)


def test_a_class_without_a_clip_is_never_the_best():
    x, targets, deployments = clips()
    layer = layer_of(x, targets, deployments, n_classes=4)
    logits = layer.logits(x)
    assert np.all(layer.weight[3] == 0)
    assert logits[:, 3].max() < logits[:, :3].min() - 9
    three = layer_of(x, targets, deployments)
    np.testing.assert_allclose(layer.weight[:3], three.weight)


def test_a_number_that_hardly_moved_in_training_does_not_decide():
    x, targets, deployments = clips()
    quiet = np.zeros((len(x), 1))
    quiet[0] = 1e-9
    layer = layer_of(np.concatenate([x, quiet], axis=1), targets, deployments)
    loud = np.concatenate([x[:1], [[1.0]]], axis=1)
    plain = layer_of(x, targets, deployments).logits(x[:1])
    assert np.abs(layer.logits(loud) - plain).max() < 0.1


def test_parts_of_an_embedding_count_the_same_whatever_their_length():
    x, targets, deployments = clips()
    weights = balanced_weights(targets, deployments)
    whole = prototypes_of_parts(
        x, targets, lengths=(2, 5), n_classes=3, weights=weights
    )
    parts = [layer_of(p, targets, deployments) for p in (x[:, :2], x[:, 2:])]
    mean = (parts[0].logits(x[:, :2]) + parts[1].logits(x[:, 2:])) / 2
    np.testing.assert_allclose(whole.logits(x), mean)
    assert np.array_equal(joined(parts).weight, whole.weight)


def test_embeddings_that_are_all_alike_give_logits_of_zero():
    layer = layer_of(np.ones((6, 3)), np.arange(6) % 3, list("aabbcc"))
    assert np.array_equal(layer.logits(np.ones((1, 3))), np.zeros((1, 3)))


def test_clips_are_needed():
    with pytest.raises(ValueError, match="need clips"):
        prototypes(np.ones((0, 3)), np.zeros(0, int), n_classes=2, weights=np.ones(0))
