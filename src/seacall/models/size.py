"""How big a network is: parameters, bytes, multiply-adds."""

from __future__ import annotations

from dataclasses import dataclass

import torch
from torch import Tensor, nn


@dataclass(frozen=True)
class ModelSize:
    """What a network costs."""

    n_parameters: int
    n_bytes: int
    """Bytes of the weights as they are kept in memory."""
    n_multiply_adds: int
    """For one clip; convolutions and fully connected layers."""


def model_size(
    network: nn.Module, *, n_patches: int = 5, shape: tuple[int, ...] | None = None
) -> ModelSize:
    """Count a classifier's parameters, bytes and multiply-adds.

    Parameters
    ----------
    network
        Takes patches ``(1, n_patches, 96, 64)`` and features ``(1, 18)``.
    n_patches
        Patches in one clip.
    shape
        Of one clip, for a network that takes something else; None: patches.
    """
    parameters = list(network.parameters())
    return ModelSize(
        n_parameters=sum(p.numel() for p in parameters),
        n_bytes=sum(p.numel() * p.element_size() for p in parameters),
        n_multiply_adds=_multiply_adds(network, shape=shape or (n_patches, 96, 64)),
    )


def _multiply_adds(network: nn.Module, *, shape: tuple[int, ...]) -> int:
    total = 0

    def count(layer: nn.Module, _inputs: tuple[Tensor, ...], output: Tensor) -> None:
        nonlocal total
        if isinstance(layer, nn.Conv2d):
            # Each output value is a sum over one kernel of each input channel.
            total += output.numel() * layer.weight[0].numel()
        elif isinstance(layer, nn.Linear):
            total += output.numel() * layer.in_features

    hooks = [layer.register_forward_hook(count) for layer in network.modules()]
    was_training = network.training
    try:
        with torch.inference_mode():
            network.eval()(torch.zeros(1, *shape), torch.zeros(1, 18))
    finally:
        network.train(was_training)
        for hook in hooks:
            hook.remove()
    return total
