"""A running mean of a network's weights, which is steadier than the weights."""

from __future__ import annotations

import copy

import torch
from torch import Tensor, nn


class WeightAverage:
    r"""Exponential moving average of weights and batch statistics.

    After step :math:`t` the mean is :math:`d \cdot mean + (1 - d) \cdot weights` with
    :math:`d = \min(decay, (1 + t) / (10 + t))`: early on, when the first weights are no
    good yet, it forgets faster. Whole numbers (batch norm's counter) are copied.

    Parameters
    ----------
    network
        What is trained; the mean starts from its weights.
    decay
        Share that the mean keeps in each step, from 0 to 1.

    References
    ----------
    Polyak and Juditsky 1992; the schedule of ``tf.train.ExponentialMovingAverage``.
    """

    def __init__(self, network: nn.Module, *, decay: float) -> None:
        self.network = copy.deepcopy(network)
        """Holds the mean; is never trained."""
        self._trained = network
        self.network.requires_grad_(False)
        self.decay = decay
        self.n_steps = 0

    @torch.no_grad()
    def update(self) -> None:
        """Take in the network's weights after a step."""
        self.n_steps += 1
        decay = min(self.decay, (1 + self.n_steps) / (10 + self.n_steps))
        state = self._trained.state_dict()
        for name, mean in self.network.state_dict().items():
            if mean.is_floating_point():
                mean.lerp_(state[name], 1 - decay)
            else:
                mean.copy_(state[name])

    def state_dict(self) -> dict[str, Tensor | int]:
        """Return what a checkpoint keeps."""
        return {"n_steps": self.n_steps, **self.network.state_dict()}

    def load_state_dict(self, state: dict[str, Tensor | int]) -> None:
        """Take up what a checkpoint kept."""
        weights = dict(state)
        self.n_steps = int(weights.pop("n_steps"))
        self.network.load_state_dict(weights)
