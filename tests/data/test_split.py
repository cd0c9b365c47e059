"""Groups stay whole, species get where they can be learnt and scored."""

from __future__ import annotations

from collections import Counter

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from seacall.data.split import (
    assign_splits,
    choose_groups,
    grouped_folds,
    random_folds,
)
from seacall.errors import AnnotationError

clip_lists = st.lists(
    st.tuples(st.sampled_from("abc"), st.integers(0, 8)), min_size=1, max_size=60
)


def splits_of(clips, seed: int = 0):
    labels = [label for label, _ in clips]
    groups = [f"group {group}" for _, group in clips]
    return assign_splits(labels, groups, rng=np.random.default_rng(seed))


@settings(max_examples=30, deadline=None)
@given(clips=clip_lists)
def test_no_group_is_in_two_splits(clips):
    splits = splits_of(clips)
    places = {(group, split) for (_, group), split in zip(clips, splits, strict=True)}
    assert len(places) == len({group for _, group in clips})


@settings(max_examples=30, deadline=None)
@given(clips=clip_lists)
def test_every_species_is_trained_and_scored_where_its_own_groups_allow(clips):
    # Groups of one species only, so that no species stands in another's way.
    clips = [(label, f"{label}{group}") for label, group in clips]
    splits = splits_of(clips)
    for label in {label for label, _ in clips}:
        own = [i for i, clip in enumerate(clips) if clip[0] == label]
        there = {splits[i] for i in own}
        assert "train" in there
        if len({clips[i][1] for i in own}) >= 2:
            assert there & {"val", "test"}


def test_the_same_seed_gives_the_same_splits():
    clips = [("ab"[k % 2], k // 3) for k in range(60)]
    assert splits_of(clips) == splits_of(clips)


def test_the_shares_are_met_where_groups_are_small():
    clips = [("ab"[k % 2], k // 4) for k in range(400)]
    n = Counter(splits_of(clips))
    assert n["train"] == pytest.approx(280, abs=8)
    assert n["val"] == pytest.approx(60, abs=6)
    assert n["test"] == pytest.approx(60, abs=6)


def test_clips_of_unknown_origin_are_divided_by_species_and_called_leaky():
    labels = ["a"] * 20 + ["b"] * 3 + ["c"]
    groups, rule = choose_groups([""] * 24, [""] * 24)
    assert "random split: leaky" in rule
    splits = assign_splits(labels, groups, rng=np.random.default_rng(0))
    assert Counter(splits[:20]) == {"train": 14, "val": 3, "test": 3}
    assert Counter(splits[20:23]) == {"train": 1, "val": 1, "test": 1}
    assert splits[23] == "train"


def test_auto_takes_the_deployment_then_the_recording_then_the_clip():
    groups, rule = choose_groups(["d", "", ""], ["r", "r", ""])
    assert groups == ["deployment d", "recording r", "clip 2"]
    assert "leaky" in rule
    assert choose_groups(["d", "e"], ["r", ""]).rule == "by deployment"


def test_insisting_on_what_is_not_known_is_an_error():
    with pytest.raises(AnnotationError, match="1 of 2 clips have no deployment"):
        choose_groups(["d", ""], ["r", "s"], by="deployment")


def test_no_clips_give_no_splits():
    assert assign_splits([], [], rng=np.random.default_rng(0)) == []


@settings(max_examples=30, deadline=None)
@given(clips=clip_lists, n_folds=st.integers(2, 5))
def test_folds_keep_groups_whole_and_are_all_used(clips, n_folds):
    labels = [label for label, _ in clips]
    groups = [str(group) for _, group in clips]
    rng = np.random.default_rng(0)
    if len(set(groups)) < n_folds:
        with pytest.raises(AnnotationError, match="number of groups"):
            grouped_folds(labels, groups, n_folds, rng)
        return
    folds = grouped_folds(labels, groups, n_folds, rng)
    assert len(set(zip(groups, folds, strict=True))) == len(set(groups))
    assert set(folds) == set(range(n_folds))


def test_folds_have_every_species_where_it_has_as_many_groups():
    labels = [label for label in "abc" for _ in range(20)]
    groups = [f"{label}{k % 4}" for label in "abc" for k in range(20)]
    folds = grouped_folds(labels, groups, 4, np.random.default_rng(1))
    n = Counter(zip(labels, folds, strict=True))
    assert set(n.values()) == {5}


def test_random_folds_have_the_same_share_of_every_species():
    labels = ["a"] * 40 + ["b"] * 8
    folds = random_folds(labels, 4, np.random.default_rng(0))
    assert set(Counter(folds[:40]).values()) == {10}
    assert set(Counter(folds[40:]).values()) == {2}
    with pytest.raises(AnnotationError, match="n_folds=9"):
        random_folds(["a"], 9, np.random.default_rng(0))
