import time

import numpy as np
import pytest

from seacall.learn.bootstrap import (
    bootstrap_interval,
    bootstrap_weights,
    percentile_interval,
    resample,
)
from seacall.learn.metrics import accuracy, confusion_matrix, macro_f1


def rng():
    return np.random.default_rng(0)


def test_each_resample_draws_as_many_groups_as_there_are():
    weights = bootstrap_weights(7, rng=rng(), n_resamples=50)
    assert weights.shape == (50, 7)
    assert (weights.sum(axis=1) == 7).all()


def test_a_resample_is_the_table_of_the_recordings_drawn():
    generator = rng()
    targets, answers = generator.integers(0, 3, (2, 40))
    groups = np.arange(40) % 4
    tables = confusion_matrix(targets, answers, n_classes=3, groups=groups)
    weights = bootstrap_weights(4, rng=generator, n_resamples=5)
    for row, table in zip(weights, resample(tables, weights), strict=True):
        drawn = np.repeat(np.arange(40), row[groups].astype(int))
        expected = confusion_matrix(targets[drawn], answers[drawn], n_classes=3)
        np.testing.assert_array_equal(table, expected)


def test_one_group_has_no_interval():
    assert bootstrap_interval(accuracy, [[[8, 2], [0, 0]]], rng=rng()) is None


def test_groups_that_are_alike_have_an_interval_without_width():
    tables = [[[3, 1], [0, 4]]] * 10
    low, high = bootstrap_interval(macro_f1, tables, rng=rng())
    assert low == high == pytest.approx(macro_f1(np.array(tables[0])))


def test_recordings_that_repeat_their_deployment_do_not_narrow_the_interval():
    once = np.array([[[1, 0], [0, 0]]] * 6 + [[[0, 1], [0, 0]]] * 6)
    wide = bootstrap_interval(accuracy, once, rng=rng())
    assert bootstrap_interval(accuracy, once * 100, rng=rng()) == wide


def test_the_interval_holds_the_truth_about_as_often_as_it_says():
    generator = rng()
    hits = 0
    for _ in range(200):
        right = generator.binomial(5, 0.7, size=40)
        tables = np.zeros((40, 2, 2))
        tables[:, 0, 0], tables[:, 0, 1] = right, 5 - right
        low, high = bootstrap_interval(accuracy, tables, rng=generator, level=0.9)
        hits += low <= 0.7 <= high
    assert 0.82 <= hits / 200 <= 0.97


def test_the_same_generator_gives_the_same_interval():
    tables = confusion_matrix(
        rng().integers(0, 3, 60),
        rng().integers(0, 3, 60),
        n_classes=3,
        groups=np.arange(60) % 6,
    )
    first = bootstrap_interval(macro_f1, tables, rng=rng())
    assert first == bootstrap_interval(macro_f1, tables, rng=rng())


def test_resamples_without_a_figure_are_left_out():
    assert percentile_interval([np.nan, 0.5, 0.5]) == (0.5, 0.5)
    assert percentile_interval([np.nan]) is None


def test_a_thousand_resamples_of_many_deployments_take_little_time():
    generator = rng()
    tables = generator.integers(0, 3, (300, 20, 20))
    start = time.process_time()
    bootstrap_interval(macro_f1, tables, rng=generator)
    assert time.process_time() - start < 2
