from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from seacall.errors import AnnotationError
from seacall.learn.folds import ALWAYS_TRAINED, PROTOCOLS, make_folds, scored_clips

LABELS = ["orca"] * 4 + ["beluga"] * 4 + ["walrus"] * 3
DEPLOYMENTS = ["a", "a", "b", "b", "b", "c", "c", "c", "d", "d", "d"]


def folds(protocol, *, labels=LABELS, deployments=DEPLOYMENTS, n_folds=2, seed=0):
    rng = np.random.default_rng(seed)
    return make_folds(labels, deployments, protocol=protocol, n_folds=n_folds, rng=rng)


def test_each_deployment_is_held_out_alone():
    found = folds("deployments")
    assert found.n_folds == 3
    assert found.fold.tolist() == [0, 0, 1, 1, 1, 2, 2, 2, -1, -1, -1]


@pytest.mark.parametrize("protocol", PROTOCOLS)
def test_a_species_of_one_deployment_is_always_trained_on_and_never_scored(protocol):
    found = folds(protocol)
    assert (found.fold[-3:] == ALWAYS_TRAINED).all()
    assert found.scored.tolist() == [True] * 8 + [False] * 3


@pytest.mark.parametrize("protocol", PROTOCOLS)
def test_every_scored_clip_is_held_out_once(protocol):
    found = folds(protocol)
    assert (found.fold[found.scored] >= 0).all()
    assert set(found.fold[found.scored].tolist()) == set(range(found.n_folds))


def test_random_folds_tear_deployments_apart():
    labels, deployments = ["orca", "beluga"] * 20, ["a"] * 20 + ["b"] * 20
    found = folds("random", labels=labels, deployments=deployments)
    assert len(set(found.fold[:20].tolist())) == 2


def test_an_unscored_species_is_held_out_with_its_deployment():
    labels, deployments = ["orca", "orca", "walrus"], ["a", "b", "b"]
    found = folds("deployments", labels=labels, deployments=deployments)
    assert found.fold.tolist() == [0, 1, 1]
    assert found.scored.tolist() == [True, True, False]


def test_without_a_species_of_two_deployments_nothing_can_be_scored():
    with pytest.raises(AnnotationError, match="no species has two deployments"):
        folds("deployments", labels=["orca", "beluga"], deployments=["a", "b"])


def test_more_folds_than_deployments_are_refused():
    with pytest.raises(AnnotationError, match="n_folds=9"):
        folds("folds", n_folds=9)


def test_a_species_that_a_fold_holds_out_altogether_is_named():
    found = folds("folds", labels=["orca"] * 2, deployments=["a", "b"])
    assert found.untrained(np.zeros(2, np.int64)) == ()
    together = type(found)(fold=np.array([0, 0, 1]), scored=np.array([True] * 3))
    assert together.untrained(np.array([4, 4, 2])) == (2, 4)


rows = st.lists(
    st.tuples(st.sampled_from("uvwx"), st.sampled_from("abcdef")), min_size=4
)


@given(rows, st.integers(2, 4), st.integers(0, 99), st.sampled_from(sorted(PROTOCOLS)))
def test_no_deployment_is_in_two_folds(pairs, n_folds, seed, protocol):
    labels, deployments = [p[0] for p in pairs], [p[1] for p in pairs]
    try:
        found = folds(
            protocol, labels=labels, deployments=deployments, n_folds=n_folds, seed=seed
        )
    except AnnotationError:
        return
    assert (found.scored == scored_clips(labels, deployments)).all()
    if protocol != "random":
        for name in set(deployments):
            mine = np.array(deployments) == name
            assert len(set(found.fold[mine].tolist())) == 1


def test_unknown_is_held_out_with_its_deployments_and_scored_as_no_species():
    labels = ["orca", "orca", "beluga", "unknown", "unknown", "unknown"]
    deployments = ["a", "b", "b", "c", "c", "d"]
    folds = make_folds(
        labels,
        deployments,
        protocol="deployments",
        n_folds=2,
        rng=np.random.default_rng(0),
    )
    assert folds.scored.tolist() == [True, True, False, False, False, False]
    assert folds.n_folds == 4
    assert folds.fold[3] == folds.fold[4] != folds.fold[5]
    assert (folds.fold >= 0).all()
