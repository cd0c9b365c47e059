"""Layers behind the trunk: trained where it helps, old classes as they were."""

from __future__ import annotations

import numpy as np
import pytest
import torch
from torch import nn

from seacall.adapt.choose import choose
from seacall.adapt.fine_tune import fine_tune, run, too_few
from seacall.adapt.heads import Layer, Lesson

N, N_BEHIND, N_EMBEDDING = 160, 8, 6


@pytest.fixture(scope="module")
def blind():
    """Layers that do not let through what the new class differs by."""
    torch.manual_seed(0)
    layers = nn.Sequential(
        nn.Linear(N_BEHIND, N_EMBEDDING), nn.LayerNorm(N_EMBEDDING), nn.ReLU()
    )
    with torch.no_grad():
        layers[0].weight[:, -1] = 0.0
    return layers.eval()


def clips(layers, *, seen: bool) -> tuple[np.ndarray, Lesson, Layer, tuple[str, ...]]:
    """Two old classes and a new one, each in eight groups.

    The new class differs from the first one by the last number alone, unless ``seen``.
    """
    rng = np.random.default_rng(1)
    targets = np.arange(N) % 3
    means = np.zeros((3, N_BEHIND))
    means[0, 0], means[1, 1], means[2, 0], means[2, -1] = 3, 3, 3, 4
    if seen:
        means[2, 0], means[2, 2] = 0, 5
    behind = means[targets] + 0.5 * rng.standard_normal((N, N_BEHIND))
    x = run(layers, behind)
    old = targets < 2
    columns = np.linalg.lstsq(x[old], 6.0 * np.eye(2)[targets[old]] - 3.0, rcond=None)
    last = Layer(columns[0].T, np.zeros(2))
    groups = tuple(f"g{k // 3 % 8}" for k in range(N))
    lesson = Lesson(x, last.logits(x), targets, np.ones(N), 1)
    return behind, lesson, last, groups


def test_what_frozen_layers_hide_is_learned_and_old_answers_stay(blind):
    behind, lesson, last, groups = clips(blind, seen=False)
    chosen = choose(lesson, groups)
    found, losses = fine_tune(blind, behind, lesson, groups, chosen, last)
    assert found is not None
    assert losses["fine-tuned"] < losses["frozen"] - 0.1
    old = lesson.targets < 2
    before = lesson.fixed[old].argmax(axis=1)
    after = found.held_out[old].argmax(axis=1)
    assert np.mean(before == after) > 0.9
    z = found.last.logits(run(found.layers, behind))
    assert np.mean(z.argmax(axis=1) == lesson.targets) > 0.9


def test_layers_that_show_all_stay_frozen(blind):
    behind, lesson, last, groups = clips(blind, seen=True)
    found, losses = fine_tune(
        blind, behind, lesson, groups, choose(lesson, groups), last
    )
    assert losses["frozen"] < 0.3
    assert found is None or losses["fine-tuned"] < losses["frozen"]


def test_the_layers_that_are_given_stay_as_they_are(blind):
    behind, lesson, last, groups = clips(blind, seen=False)
    before = [p.clone() for p in blind.parameters()]
    fine_tune(blind, behind, lesson, groups, choose(lesson, groups), last)
    for was, now in zip(before, blind.parameters(), strict=True):
        assert torch.equal(was, now)


def test_too_few_clips_or_groups_are_said(blind):
    _, lesson, _, groups = clips(blind, seen=False)
    assert too_few(lesson, groups) == ""
    assert "53 clips of 1 groups" in too_few(lesson, ("one",) * N)
    few = lesson.some(np.arange(N) < 12)
    assert "4 clips of" in too_few(few, groups[:12])
