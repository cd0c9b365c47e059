"""The running mean of weights against its formula, with and without a checkpoint."""

from __future__ import annotations

import copy

import pytest
import torch
from torch import nn

from seacall.learn.ema import WeightAverage


def network() -> nn.Module:
    torch.manual_seed(0)
    return nn.Sequential(nn.Linear(3, 2), nn.BatchNorm1d(2))


def step(model: nn.Module, seed: int) -> None:
    torch.manual_seed(seed)
    with torch.no_grad():
        for p in model.parameters():
            p.add_(torch.randn_like(p))
    model(torch.randn(4, 3))  # moves the batch statistics


def test_the_mean_is_the_formula_by_hand():
    model = network()
    average = WeightAverage(model, decay=0.5)
    expected = model[0].weight.detach().clone()
    for t in range(1, 20):
        step(model, t)
        average.update()
        d = min(0.5, (1 + t) / (10 + t))
        expected = d * expected + (1 - d) * model[0].weight.detach()
    torch.testing.assert_close(average.network[0].weight, expected)


def test_batch_statistics_are_averaged_and_whole_numbers_copied():
    model = network()
    average = WeightAverage(model, decay=0.9)
    before = model[1].running_mean.clone()
    step(model, 1)
    average.update()
    d = 2 / 11
    expected = d * before + (1 - d) * model[1].running_mean
    torch.testing.assert_close(average.network[1].running_mean, expected)
    assert average.network[1].num_batches_tracked == 1


def test_the_mean_learns_nothing_itself_and_leaves_the_network_alone():
    model = network()
    average = WeightAverage(model, decay=0.9)
    step(model, 1)
    state = copy.deepcopy(model.state_dict())
    average.update()
    assert not any(p.requires_grad for p in average.network.parameters())
    assert all(p.requires_grad for p in model.parameters())
    for name, value in model.state_dict().items():
        assert torch.equal(value, state[name])


@pytest.mark.parametrize("after", [1, 5])
def test_a_mean_that_was_stored_goes_on_as_if_it_was_not(after):
    model = network()
    whole = WeightAverage(model, decay=0.99)
    for t in range(after):
        step(model, t)
        whole.update()
    state = copy.deepcopy(whole.state_dict())
    other = WeightAverage(model, decay=0.99)
    other.load_state_dict(state)
    step(model, 99)
    whole.update()
    other.update()
    for name, value in whole.network.state_dict().items():
        assert torch.equal(value, other.network.state_dict()[name])
