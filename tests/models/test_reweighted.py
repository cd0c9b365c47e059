"""Scores, weighed by how likely each species is."""

from __future__ import annotations

from datetime import UTC, datetime

import numpy as np
from hypothesis import given
from hypothesis import strategies as st

from seacall.models.reweighted import reweighted, with_prior
from seacall.prior import PriorRow, SpeciesPrior

LABELS = ("Fin_Whale", "Ross_Seal", "unknown")


def prior(*rows: dict[str, object]) -> SpeciesPrior:
    return SpeciesPrior(rows=tuple(PriorRow(**row) for row in rows))


@given(
    st.lists(st.floats(0.01, 1), min_size=3, max_size=3),
    st.lists(st.floats(0.01, 100), min_size=3, max_size=3),
)
def test_weights_give_what_bayes_rule_says_of_two_places(shares, odds):
    """Likelihoods of a sound, and shares of species at two places, are the truth."""
    likelihood = np.array(shares)
    there = np.array([0.5, 0.3, 0.2])
    here = there * odds / (there * odds).sum()
    scores = likelihood * there / (likelihood * there).sum()
    expected = likelihood * here / (likelihood * here).sum()
    found = reweighted(scores[None].astype(np.float32), here / there)
    np.testing.assert_allclose(found[0], expected, atol=1e-6)


def test_without_a_prior_scores_are_left_bit_for_bit_as_they_are(rng):
    scores = rng.dirichlet(np.ones(3), 5).astype(np.float32)
    assert with_prior(scores, None, labels=LABELS, times=[None] * 5) is scores


def test_each_clip_is_weighed_by_its_own_month():
    scores = np.full((2, 3), 1 / 3, np.float32)
    times = [datetime(2024, 7, 31, 23, tzinfo=UTC), datetime(2024, 8, 1, tzinfo=UTC)]
    only_july = prior({"label": "Ross_Seal", "months": (7,), "weight": 0.1})
    july, august = with_prior(scores, only_july, labels=LABELS, times=times)
    np.testing.assert_allclose(july, np.array([1, 0.1, 1]) / 2.1, rtol=1e-6)
    np.testing.assert_allclose(august, 1 / 3, rtol=1e-6)


def test_a_sound_that_is_beyond_doubt_stays_so_where_nobody_expects_it():
    scores = np.array([[0.0, 1.0, 0.0]], np.float32)
    never = prior({"label": "Ross_Seal", "weight": 0})
    found = with_prior(scores, never, labels=LABELS, times=[None])
    np.testing.assert_array_equal(found, scores)
