"""Train the layers behind a student's trunk, with the old model as their teacher.

The clips of new classes are learned from their labels; all others from what the old
model says of them, so that old classes do not fade (Li, Hoiem 2016, "Learning without
forgetting").
"""

from __future__ import annotations

import copy
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np
from numpy.typing import NDArray
from scipy.special import log_softmax, softmax

from seacall.adapt.choose import Chosen, fold_numbers, plainest, torn_apart
from seacall.adapt.heads import HEADS, Layer, Lesson
from seacall.adapt.settle import soft_targets
from seacall.errors import SettingsError
from seacall.models.backend import TorchClassifier
from seacall.models.checkpoint import WEIGHTS_NAME, read_card
from seacall.models.embedding import embedder_name

if TYPE_CHECKING:
    from torch import nn

Float32 = NDArray[np.float32]
Float64 = NDArray[np.float64]

LEAST_CLIPS = 20
"""Of each new class: fewer say too little to move the layers that all classes share."""
LEAST_GROUPS = 3
_STEPS = 150
_LEARNING_RATE = 1e-3
_WEIGHT_DECAY = 0.05


class Behind(TorchClassifier):
    """A student seen from behind its trunk: what its last layers are given.

    An `seacall.models.embedding.Embedder` whose embeddings are the trunk's pooled
    numbers and the processed features.

    Raises
    ------
    SettingsError
        If the model is no student, or has no weights to train.
    MissingExtraError
        If torch is not installed.
    """

    def __init__(self, folder: Path) -> None:
        card = read_card(folder)
        is_student = card.architecture == "AudioTransformerStudent"
        if not is_student or WEIGHTS_NAME not in card.files:
            raise SettingsError(
                f"{folder}: --fine-tune needs a student with {WEIGHTS_NAME}; leave it "
                "out, or give the folder that distill wrote"
            )
        super().__init__(folder)
        self.layers: nn.Sequential = self._network.embedding  # type: ignore[assignment]
        self.length = int(self.layers[0].in_features)  # type: ignore[arg-type]
        self.name = embedder_name(self.card)

    def embed(self, x: Float32, features: Float32) -> Float32:
        """Return what the last layers are given, ``(n, length)``."""
        return self.both(x, features)[1]

    def both(self, x: Float32, features: Float32) -> tuple[Float32, Float32]:
        """Return logits, and what the last layers are given."""
        kept: list[Float32] = []

        def keep(_layer: Any, given: tuple[Any, ...], _output: Any) -> None:
            kept.append(given[0].detach().numpy().astype(np.float32))

        hook = self.layers[0].register_forward_hook(keep)
        try:
            return self.logits(x, features), kept[0]
        finally:
            hook.remove()

    def embeddings(self, behind: Float64) -> Float64:
        """Run the layers up to the embedding."""
        return run(self.layers, behind)


@dataclass(frozen=True, eq=False)
class FineTuned:
    """Layers that did better on held-out deployments than frozen ones."""

    layers: nn.Sequential
    """Up to the embedding."""
    last: Layer
    """From there to the logits of all classes, in the order fixed, trained."""
    held_out: Float64
    """Logits of all classes, in that order, by layers that did not see the clip."""
    losses: dict[str, float]
    """Mean cross-entropy of what was held out: frozen, fine-tuned."""


def too_few(lesson: Lesson, groups: tuple[str, ...]) -> str:
    """Say why there is too little to fine-tune on; empty: there is enough."""
    names = np.asarray(groups)
    for own in lesson.is_trained.T:
        n, n_groups = int(own.sum()), len(np.unique(names[own]))
        if own.any() and (n < LEAST_CLIPS or n_groups < LEAST_GROUPS):
            return (
                f"not fine-tuned: a class has {n} clips of {n_groups} groups, and "
                f"{LEAST_CLIPS} of {LEAST_GROUPS} are the least that can show a gain"
            )
    return ""


def fine_tune(
    layers: nn.Sequential,
    behind: Float64,
    lesson: Lesson,
    groups: tuple[str, ...],
    chosen: Chosen,
    last: Layer,
) -> tuple[FineTuned | None, dict[str, float]]:
    """Train layers without each fold; keep them only if they do better there.

    Parameters
    ----------
    layers
        The student's, up to its embedding.
    behind
        What they are given of each clip, ``(n, n_behind)``.
    lesson
        With the embeddings that they give now.
    chosen
        The frozen head.
    last
        The old last layer's rows of the fixed classes, calibrated as ``lesson.fixed``.

    Returns
    -------
    found, losses
        None where frozen layers are as good; mean losses of both.
    """
    truth = soft_targets(lesson)
    held = np.empty_like(truth)
    folds = fold_numbers(torn_apart(lesson, groups), lesson.targets)
    for fold in np.unique(folds):
        inside = folds == fold
        part = lesson.some(~inside)
        new = HEADS[chosen.head](part).scaled(
            chosen.settled.slope, chosen.settled.offsets
        )
        tuned = _trained(layers, behind[~inside], part, _stacked(last, new))
        held[inside] = tuned[1].logits(run(tuned[0], behind[inside]))
    losses = {
        "frozen": chosen.settled.losses,
        "fine-tuned": -(truth * log_softmax(held, axis=1)).sum(axis=1),
    }
    means = {
        k: float(lesson.weights @ v / lesson.weights.sum()) for k, v in losses.items()
    }
    if plainest(losses, lesson.weights, groups) == "frozen":
        return None, means
    tuned = _trained(layers, behind, lesson, _stacked(last, chosen.layer))
    return FineTuned(tuned[0], tuned[1], held, means), means


def run(layers: nn.Sequential, x: Float64) -> Float64:
    """Run torch layers on an array."""
    import torch

    with torch.inference_mode():
        found = layers(torch.from_numpy(np.asarray(x, np.float32)))
    return np.asarray(found.numpy(), np.float64)


def _stacked(old: Layer, new: Layer) -> Layer:
    return Layer(
        np.vstack([old.weight, new.weight]), np.concatenate([old.bias, new.bias])
    )


def _trained(
    layers: nn.Sequential, behind: Float64, lesson: Lesson, start: Layer
) -> tuple[nn.Sequential, Layer]:
    """Train copies of the layers and of the last one; all clips in each step."""
    import torch
    from torch import nn

    torch.manual_seed(0)
    x = torch.from_numpy(behind.astype(np.float32))
    wanted = torch.from_numpy(_wanted(lesson).astype(np.float32))
    w = torch.from_numpy((lesson.weights / lesson.weights.sum()).astype(np.float32))
    deep = copy.deepcopy(layers)
    last = nn.Linear(*reversed(start.weight.shape))
    with torch.no_grad():
        last.weight.copy_(torch.from_numpy(start.weight))
        last.bias.copy_(torch.from_numpy(start.bias))
    numbers = [*deep.parameters(), *last.parameters()]
    for one in numbers:
        one.requires_grad_(True)
    steps = torch.optim.AdamW(numbers, lr=_LEARNING_RATE, weight_decay=_WEIGHT_DECAY)
    for _ in range(_STEPS):
        log_p = torch.log_softmax(last(deep(x)), dim=1)
        loss = -(w * (wanted * log_p).sum(dim=1)).sum()
        steps.zero_grad()
        loss.backward()  # type: ignore[no-untyped-call]
        steps.step()
    found = [p.detach().numpy().astype(np.float64) for p in (last.weight, last.bias)]
    return deep.eval(), Layer(found[0], found[1])


def _wanted(lesson: Lesson) -> Float64:
    """Return what each clip is to be answered with: its label, or as the old model."""
    before = np.zeros((len(lesson.targets), lesson.fixed.shape[1] + lesson.n_trained))
    before[:, : lesson.fixed.shape[1]] = softmax(lesson.fixed, axis=1)
    own = np.asarray(lesson.is_trained.any(axis=1))
    return np.where(own[:, None], soft_targets(lesson), before)
