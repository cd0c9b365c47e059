"""From scores to answers."""

from __future__ import annotations

import numpy as np
import pytest
import tiny

from seacall.errors import SettingsError
from seacall.models import describe
from seacall.models.decide import answers_at, with_thresholds


def test_each_class_has_its_own_threshold_and_the_others_the_common_one():
    card = tiny.card(threshold=0.6, thresholds={"Fin Whale": 0.9})
    assert card.lowest_scores == (0.6, 0.9, 0.6, 0.6)
    scores = [[0.65, 0.35, 0, 0], [0.15, 0.85, 0, 0], [0.1, 0.9, 0, 0]]
    assert answers_at(scores, card.lowest_scores).tolist() == [0, 4, 1]


def test_a_class_with_threshold_1_is_never_answered():
    scores = np.array([[1.0, 0.0]], np.float32)
    assert answers_at(scores, [1.0, 0.5]).tolist() == [2]
    assert answers_at(scores, [0.999, 0.5]).tolist() == [0]


def test_a_plain_threshold_replaces_those_of_the_classes():
    card = tiny.card(thresholds={"Fin Whale": 0.9})
    assert with_thresholds(card, ["0.4"]).lowest_scores == (0.4,) * 4


@pytest.mark.parametrize("order", [1, -1])
def test_one_classes_threshold_goes_beside_the_others(order):
    card = tiny.card(thresholds={"Fin Whale": 0.9})
    found = with_thresholds(card, ["Minke Whale=0.3"])
    assert found.lowest_scores == (0.7, 0.9, 0.3, 0.7)
    found = with_thresholds(card, ["0.5", "Minke Whale=0.3"][::order])
    assert found.lowest_scores == (0.5, 0.5, 0.3, 0.5)
    assert with_thresholds(card, []) == card


def test_a_label_may_hold_an_equals_sign():
    card = tiny.card(labels=("a=b", "unknown"))
    assert with_thresholds(card, ["a=b=0.2"]).thresholds == {"a=b": 0.2}


@pytest.mark.parametrize("text", ["1.5", "-0.1", "nan", "much", "", "Fin Whale="])
def test_a_threshold_that_is_no_share_is_refused(text):
    with pytest.raises(SettingsError, match="need a number from 0 to 1"):
        with_thresholds(tiny.card(), [text])


def test_a_class_that_does_not_exist_lists_those_that_do():
    with pytest.raises(SettingsError, match="no class 'Yeti'; choose one of: Béluga"):
        with_thresholds(tiny.card(), ["Yeti=0.5"])


def test_a_channel_goes_into_the_front_end():
    front_end = tiny.card().front_end
    assert front_end.with_channel(2).clip.channel == 2
    assert front_end.with_channel(2).clip.fit == front_end.clip.fit


@pytest.mark.parametrize(
    ("thresholds", "words"),
    [
        ({}, "0.7 for every class"),
        ({"low": 0.5}, "0.7, but low 0.50"),
        ({"low": 0.5, "high": 0.9}, "0.50 to 0.90 by class"),
        ({"low": 0.5, "high": 1.0}, "0.50 to 0.50 by class; never answered: high"),
    ],
)
def test_thresholds_are_told_as_they_count(thresholds, words):
    card = tiny.card(labels=("low", "high", "unknown"), thresholds=thresholds)
    assert describe._threshold(card) == words
