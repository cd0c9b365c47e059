"""Scores from logits, against scipy and against what is known without computing."""

from __future__ import annotations

import numpy as np
import pytest
import tiny
from hypothesis import given
from hypothesis import strategies as st
from hypothesis.extra import numpy as some
from pydantic import ValidationError
from scipy.special import expit, logit, softmax

from seacall.errors import CheckpointError
from seacall.models.calibrated import calibrated, log_odds, shared_out
from seacall.models.checkpoint import Calibration, read_card, write_card

LOGITS = np.random.default_rng(0).normal(0, 3, (50, 4)).astype(np.float32)
ANY = some.arrays(
    np.float32,
    st.tuples(st.integers(1, 5), st.integers(2, 6)),
    elements=st.floats(-80, 80, width=32),
)


def test_without_calibration_scores_are_the_softmax():
    found = calibrated(LOGITS, Calibration())
    np.testing.assert_allclose(found, softmax(LOGITS, axis=1), atol=1e-6)
    assert found.dtype == np.float32


def test_log_odds_are_those_of_the_softmax():
    expected = logit(softmax(LOGITS.astype(np.float64), axis=1))
    np.testing.assert_allclose(log_odds(LOGITS), expected, atol=1e-6)


def test_log_odds_do_not_change_when_all_logits_do():
    np.testing.assert_allclose(log_odds(LOGITS + 7), log_odds(LOGITS), atol=1e-4)


def test_platt_with_slope_1_and_no_offset_is_the_softmax():
    same = Calibration(method="platt", slopes=(1.0,) * 4, offsets=(0.0,) * 4)
    expected = softmax(LOGITS, axis=1)
    np.testing.assert_allclose(calibrated(LOGITS, same), expected, atol=1e-6)


def test_what_no_class_claims_is_unknown():
    found = shared_out(np.array([[0.2, 0.1, 0.0]]))
    np.testing.assert_allclose(found, [[0.2, 0.1, 0.7]], atol=1e-7)


def test_claims_of_more_than_everything_are_divided_by_their_sum():
    found = shared_out(np.array([[0.9, 0.6, 0.0]]))
    np.testing.assert_allclose(found, [[0.6, 0.4, 0.0]], atol=1e-7)


def test_platt_by_hand():
    settings = Calibration(method="platt", slopes=(0.5, 1.0), offsets=(-1.0, -2.0))
    (row,) = calibrated(np.array([[3.0, 1.0]]), settings)
    first = expit(0.5 * 2 - 1)
    np.testing.assert_allclose(row, [first, 1 - first], atol=1e-6)


def test_offsets_are_added_after_the_temperature():
    settings = Calibration(method="vector", temperature=2.0, offsets=(1.0, 0, 0, 0))
    expected = softmax(LOGITS / 2 + np.array([1.0, 0, 0, 0]), axis=1)
    np.testing.assert_allclose(calibrated(LOGITS, settings), expected, atol=1e-6)


@given(logits=ANY, slope=st.floats(0, 20), offset=st.floats(-20, 20))
def test_any_logits_give_scores_that_sum_to_1(logits, slope, offset):
    n = logits.shape[1]
    for settings in (
        Calibration(method="temperature", temperature=0.1 + slope),
        Calibration(method="platt", slopes=(slope,) * n, offsets=(offset,) * n),
    ):
        scores = calibrated(logits, settings)
        assert ((scores >= 0) & (scores <= 1 + 1e-6)).all()
        np.testing.assert_allclose(scores.sum(axis=1), 1, atol=1e-5)


def test_an_old_card_with_one_temperature_reads_as_it_was_meant():
    card = tiny.card(calibration_temperature=1.5)
    assert card.calibration == Calibration(method="temperature", temperature=1.5)
    assert tiny.card(calibration_temperature=1.0).calibration == Calibration()


def test_a_calibration_reads_back_as_it_was_written(tmp_path):
    settings = {"method": "platt", "slopes": (1.0,) * 4, "offsets": (0.1,) * 4}
    card = write_card(tmp_path, tiny.card(calibration=settings))
    assert read_card(tmp_path) == card


@pytest.mark.parametrize(
    "calibration",
    [
        {"method": "platt"},
        {"method": "platt", "slopes": (1.0,) * 3, "offsets": (0.0,) * 3},
        {"method": "vector", "slopes": (1.0,) * 4, "offsets": (0.0,) * 4},
        {"method": "none", "offsets": (0.0,) * 4},
    ],
)
def test_a_calibration_for_other_classes_is_refused(calibration):
    with pytest.raises(ValidationError, match="of 4 classes needs"):
        tiny.card(calibration=calibration)


def test_thresholds_of_classes_that_do_not_exist_are_refused(tmp_path):
    write_card(tmp_path, tiny.card())
    path = tmp_path / "card.json"
    text = path.read_text().replace('"thresholds": {}', '"thresholds": {"Yeti": 0.5}')
    path.write_text(text)
    with pytest.raises(CheckpointError, match=r"do not exist: \['Yeti'\]"):
        read_card(tmp_path)
