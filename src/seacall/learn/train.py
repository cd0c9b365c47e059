"""The one training loop, for teacher and student alike.

It knows nothing of recordings or of distillation: it gets batches, a network and a
criterion, and keeps in a folder what it needs to go on after a kill.
"""

from __future__ import annotations

import hashlib
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Literal

import torch
import torch.nn.functional as F
from torch import Tensor, nn

from seacall.config import TrainSettings
from seacall.data.loader import (
    EpochSampler,
    group_numbers,
    ordered_loader,
    training_loader,
)
from seacall.errors import SeacallError
from seacall.learn import processes
from seacall.learn.state import CHECKPOINT_NAME as CHECKPOINT_NAME
from seacall.learn.state import Progress, Rates, TrainingState


class LabelLoss(nn.Module):
    """Cross-entropy with the labels; a teacher's logits are not looked at."""

    def forward(
        self, logits: Tensor, _teacher_logits: Tensor, targets: Tensor
    ) -> Tensor:
        """Return the mean loss of a batch."""
        return F.cross_entropy(logits, targets)


@dataclass(frozen=True)
class FitResult:
    """What a training run ended with; the network holds the chosen epoch's weights."""

    history: list[dict[str, float]]
    """One entry an epoch: losses, accuracies, F1, learning rate, seconds; none where
    nothing was searched for."""
    best_epoch: int
    """Counted from 1; 0: there was none."""


def long_enough(settings: TrainSettings, sampler: EpochSampler) -> TrainSettings:
    """Return settings with as many epochs as make ``min_steps`` steps."""
    epochs = max(settings.epochs, -(-settings.min_steps // len(sampler)))
    return settings.model_copy(update={"epochs": epochs})


def fit(
    network: nn.Module,
    train: tuple[Tensor, ...],
    val: tuple[Tensor, ...],
    *,
    criterion: nn.Module,
    settings: TrainSettings,
    folder: Path,
    device: torch.device,
    rates: Rates = lambda _name: 1.0,
    n_views: int = 1,
    deployments: Sequence[str] | None = None,
    resume: bool = False,
    keep: Literal["best", "last"] = "best",
    on_step: Progress | None = None,
    on_epoch: Callable[[dict[str, float]], None] | None = None,
) -> FitResult:
    """Train a network and leave the best or the last epoch's weights in it.

    AdamW, linear warm-up, then smaller steps when the validation loss stands still, or
    along a cosine; ends early when the validation macro-F1 has. After each epoch the
    whole state goes to ``folder/checkpoint.pt``: a run that was killed and resumed
    gives the same weights, bit for bit in one process on a CPU, as one that was not.

    Parameters
    ----------
    train, val
        Network input, raw features, class numbers and, for distillation, the teacher's
        logits, or what else the criterion compares with: tensors with the same first
        axis. Log-mel may be in fixed point.
    folder
        Where the checkpoint is kept.
    rates
        Step size of each parameter by name, as a share of the learning rate.
    n_views
        Views of each clip in ``train``: first all clips' first views, then all second
        ones, and so on. An epoch draws one of each clip.
    deployments
        Of each clip of ``train``, without its views; ``balance="deployment"`` needs it.
    resume
        Go on from ``folder/checkpoint.pt`` if it is there.
    keep
        The best epoch's weights, or the last one's: then all epochs are trained, and
        ``val`` decides nothing.

    Raises
    ------
    CheckpointError
        If the checkpoint belongs to other settings or another network.
    SeacallError
        If memory runs out, or the loss is no longer a finite number.
    """
    sampler = _sampler(train[2], settings, n_views, deployments)
    settings = long_enough(settings, sampler)
    if keep == "last":
        settings = settings.model_copy(update={"stop_patience": settings.epochs})
    run = TrainingState(
        network,
        settings=settings,
        folder=folder,
        device=device,
        sampler=sampler,
        rates=rates,
        identity=_identity(train, val, criterion, n_views, deployments or ()),
    )
    if resume and run.checkpoint.is_file():
        run.restore()
    loader = training_loader(train, sampler=run.sampler)
    val_loader = ordered_loader(val, batch_size=4 * settings.batch_size)
    try:
        while not run.finished:
            run.epoch_of(loader, val_loader, criterion, on_step=on_step)
            if on_epoch and processes.is_first():
                on_epoch(run.history[-1])
    except (RuntimeError, MemoryError) as error:
        if not _is_out_of_memory(error):
            raise
        raise SeacallError(
            f"out of memory on {device} with batch_size={settings.batch_size}; "
            "choose a smaller batch size or another device"
        ) from error
    if keep == "last":
        network.load_state_dict(run.measured.state_dict())
        return FitResult(history=run.history, best_epoch=len(run.history))
    network.load_state_dict(run.best_state)
    return FitResult(history=run.history, best_epoch=run.best_epoch)


def _sampler(
    targets: Tensor,
    settings: TrainSettings,
    n_views: int,
    deployments: Sequence[str] | None,
) -> EpochSampler:
    n_clips = len(targets) // n_views
    return EpochSampler(
        n_clips,
        batch_size=settings.batch_size,
        seed=settings.seed,
        rank=processes.rank(),
        world_size=processes.count(),
        n_views=n_views,
        groups=group_numbers(settings.balance, targets[:n_clips].numpy(), deployments),
    )


def _is_out_of_memory(error: Exception) -> bool:
    """Tell whether memory ran out: torch says so in different ways on each device."""
    kinds = (torch.OutOfMemoryError, MemoryError)
    return isinstance(error, kinds) or "can't allocate memory" in str(error)


def _identity(
    train: tuple[Tensor, ...],
    val: tuple[Tensor, ...],
    criterion: nn.Module,
    n_views: int,
    deployments: Sequence[str],
) -> str:
    """Return a hash of what a run learns from, besides its settings.

    Features and class numbers stand for the clips, the teacher's answers for the
    teacher: its logits differ in the last digits from one machine to the next.
    """
    loss = {k: v for k, v in vars(criterion).items() if isinstance(v, float | str)}
    about = (type(criterion).__name__, loss, n_views, tuple(deployments))
    found = hashlib.sha256(repr(about).encode())
    for _, features, targets, *logits in (train, val):
        answers = [part.argmax(1) for part in logits if part.shape[1]]
        for part in (features, targets, *answers):
            found.update(part.numpy().tobytes())
    return found.hexdigest()
