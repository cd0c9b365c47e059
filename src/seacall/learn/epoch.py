"""One pass over the clips: learning from them, or measuring on them."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Sequence
from dataclasses import asdict, dataclass
from typing import Any

import numpy as np
import torch
from torch import Tensor, nn

from seacall.data.loader import as_float
from seacall.learn import processes
from seacall.learn.batch_augment import BatchAugment, Varied
from seacall.learn.ema import WeightAverage
from seacall.learn.metrics import confusion_matrix, macro_f1
from seacall.models.device import Precision

Batch = Sequence[Tensor]
"""Network input, raw features, class numbers, and the teacher's logits if cached."""


@dataclass(frozen=True)
class EpochFigures:
    """Means over the clips of one epoch."""

    loss: float
    accuracy: float
    """0 to 1."""
    f1: float
    """Macro-F1 over the classes that occur, 0 to 1."""


def train_epoch(
    network: nn.Module,
    loader: Iterable[Batch],
    optimizer: torch.optim.Optimizer,
    criterion: nn.Module,
    *,
    device: torch.device | str,
    teacher: nn.Module | None = None,
    precision: Precision | None = None,
    gradient_clip: float = 1.0,
    n_patches: int = 0,
    augment: BatchAugment | None = None,
    average: WeightAverage | None = None,
    on_step: Callable[[int, dict[str, float]], None] | None = None,
) -> EpochFigures:
    """Train for one epoch.

    Parameters
    ----------
    loader
        Yields batches; see :data:`Batch`.
    criterion
        Called with logits, the teacher's logits and class numbers.
    teacher
        Asked at each step when the batches hold no cached logits.
    n_patches
        Patches drawn at random from each clip; 0: all of them.
    augment
        Varies each batch after the teacher was asked about it.
    average
        Takes in the weights after each step.
    """
    device = torch.device(device)
    precision = precision or Precision(device, enabled=False)
    network.train()
    if teacher is not None:
        teacher.eval()
    tally = _Tally()
    for step, batch in enumerate(loader):
        x, features, targets, *cached = (part.to(device) for part in batch)
        x = as_float(x)
        with torch.no_grad():
            asked = cached[0] if cached else _ask(teacher, x, features)
        x = _draw_patches(x, n_patches)
        varied = augment(x, features) if augment else Varied(x, features)
        optimizer.zero_grad(set_to_none=True)
        with precision.autocast():
            logits = network(varied.x, varied.features)
        loss = _loss(criterion, logits.float(), asked, targets, varied)
        _descend(loss, network, optimizer, precision, gradient_clip=gradient_clip)
        if average:
            average.update()
        tally.add(loss, class_logits(criterion, logits), targets)
        if on_step:
            on_step(step + 1, asdict(tally.own_figures()))
    return tally.figures()


def evaluate_epoch(
    network: nn.Module,
    loader: Iterable[Batch],
    criterion: nn.Module,
    *,
    device: torch.device | str,
    precision: Precision | None = None,
) -> EpochFigures:
    """Measure a network without changing it."""
    device = torch.device(device)
    precision = precision or Precision(device, enabled=False)
    network.eval()
    tally = _Tally()
    with torch.inference_mode():
        for batch in loader:
            x, features, targets, *cached = (part.to(device) for part in batch)
            with precision.autocast():
                logits = network(as_float(x), features).float()
            asked = cached[0] if cached else logits
            loss = criterion(logits, asked, targets)
            tally.add(loss, class_logits(criterion, logits), targets)
    return tally.own_figures()


def class_logits(criterion: nn.Module, outputs: Tensor) -> Tensor:
    """Return the logits of classes among all that a network answers.

    A criterion that looks at more of it says by ``n_classes`` how many columns, the
    first, are classes.
    """
    return outputs[:, : getattr(criterion, "n_classes", None)]


class _Tally:
    """Sums over an epoch, from which its figures are made."""

    def __init__(self) -> None:
        self._loss = 0.0
        self._n = 0
        self._confusion: np.ndarray[Any, Any] | None = None

    def add(self, loss: Tensor, logits: Tensor, targets: Tensor) -> None:
        n_classes = logits.shape[1]
        confusion = confusion_matrix(
            targets.cpu().numpy(), logits.argmax(1).cpu().numpy(), n_classes=n_classes
        )
        self._loss += float(loss.detach()) * len(targets)
        self._n += len(targets)
        self._confusion = (
            confusion if self._confusion is None else self._confusion + confusion
        )

    def own_figures(self) -> EpochFigures:
        """Return the figures of this process's clips so far."""
        return self._figures(self._loss, self._n, self._confusion)

    def figures(self) -> EpochFigures:
        """Return the figures over all processes, which all must ask for."""
        loss, n, confusion = processes.total(self._loss, self._n, self._confusion)
        return self._figures(loss, n, confusion)

    @staticmethod
    def _figures(loss: float, n: int, confusion: Any) -> EpochFigures:
        if n == 0:
            raise ValueError("need at least one batch, got none")
        # Plain numbers: a checkpoint with numpy's would be refused when it is read.
        return EpochFigures(
            loss=float(loss / n),
            accuracy=float(np.trace(confusion) / n),
            f1=float(macro_f1(confusion)),
        )


def _ask(teacher: nn.Module | None, x: Tensor, features: Tensor) -> Tensor:
    if teacher is None:
        return torch.empty(0, device=x.device)
    logits: Tensor = teacher(x, features)
    return logits


def _loss(
    criterion: nn.Module,
    logits: Tensor,
    asked: Tensor,
    targets: Tensor,
    varied: Varied,
) -> Tensor:
    """Return the loss; of mixed clips, that to both their targets, mixed alike.

    Cross-entropy and Kullback-Leibler divergence are linear in the target but for a
    constant, so that this is the loss to the mixed target (Zhang et al. 2018, mixup).
    """
    own: Tensor = criterion(logits, asked, targets)
    if varied.partners is None:
        return own
    k = varied.partners
    other: Tensor = criterion(logits, asked[k] if len(asked) else asked, targets[k])
    return varied.weight * own + (1 - varied.weight) * other


def _draw_patches(x: Tensor, n_patches: int) -> Tensor:
    """Draw patches from each clip, ``(batch, patches, 96, 64)``, without repeats."""
    if not n_patches or x.dim() != 4 or x.shape[1] <= n_patches:
        return x
    order = torch.rand(x.shape[:2]).argsort(dim=1)[:, :n_patches].to(x.device)
    return x[torch.arange(len(x), device=x.device)[:, None], order]


def _descend(
    loss: Tensor,
    network: nn.Module,
    optimizer: torch.optim.Optimizer,
    precision: Precision,
    *,
    gradient_clip: float,
) -> None:
    scaler = precision.scaler
    scaler.scale(loss).backward()  # type: ignore[no-untyped-call]
    scaler.unscale_(optimizer)
    nn.utils.clip_grad_norm_(network.parameters(), gradient_clip)
    scaler.step(optimizer)
    scaler.update()
