"""What every training run needs: where, on what, and whom to tell."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path

import torch
from torch import Tensor, nn

from seacall.config import TrainSettings
from seacall.data.loader import as_float, ordered_loader
from seacall.learn.dataset import TrainingSet
from seacall.learn.observe import Observer
from seacall.learn.state import Rates
from seacall.learn.train import FitResult, fit
from seacall.models.device import Precision

ASK_BATCH = 8
"""Clips put through a network at once outside training: 40 patches, some 500 MB of
activations in VGGish."""


@dataclass(frozen=True)
class RunContext:
    """Where a run reads and writes, and on what it computes."""

    data: Path
    """Dataset folder."""
    out: Path
    """Output folder."""
    device: torch.device
    observer: Observer
    resume: bool = False
    """Go on after a kill."""
    n_workers: int = 1
    """Processes for the front end."""
    extra: tuple[Path, ...] = ()
    """Dataset folders whose training clips are added."""


def fit_and_tell(
    network: nn.Module,
    train_set: TrainingSet,
    val_set: tuple[Tensor, ...],
    criterion: nn.Module,
    settings: TrainSettings,
    context: RunContext,
    what: str,
    *,
    rates: Rates = lambda _name: 1.0,
) -> FitResult:
    """Train a network, report how far it is, and how it ended.

    With all clips to train on there is nothing to validate: all epochs are trained, the
    last counts, and no history is returned.
    """
    last, everything = "", train_set.all_clips

    def on_step(epoch: int, step: int, n_steps: int, so_far: dict[str, float]) -> None:
        n_epochs = max(settings.epochs, -(-settings.min_steps // n_steps))
        done, total = (epoch - 1) * n_steps + step, n_epochs * n_steps
        note = (
            f"epoch {epoch}/{n_epochs} loss {so_far['loss']:.3f} "
            f"acc {so_far['accuracy']:.2f} F1 {so_far['f1']:.2f}{last}"
        )
        context.observer.progress(what, done, total, note)

    def on_epoch(record: dict[str, float]) -> None:
        nonlocal last
        validated = "" if everything else f"val F1 {record['val_f1']:.2f} "
        last = f" | {validated}lr {record['learning_rate']:.1e}"

    result = fit(
        network,
        train_set.tensors,
        val_set,
        criterion=criterion,
        settings=settings,
        folder=context.out,
        device=context.device,
        rates=rates,
        n_views=train_set.n_views,
        deployments=train_set.deployments,
        resume=context.resume,
        keep="last" if everything else "best",
        on_step=on_step,
        on_epoch=on_epoch,
    )
    network.to("cpu")
    if everything:
        context.observer.progress(what, 1, 1)
        context.observer.say(f"{what}: trained for {len(result.history)} epochs")
        return FitResult([], result.best_epoch)
    best = result.history[result.best_epoch - 1]
    context.observer.progress(what, 1, 1)
    context.observer.say(
        f"{what}: best epoch {result.best_epoch} of {len(result.history)}, "
        f"validation macro-F1 {best['val_f1']:.3f}, accuracy {best['val_accuracy']:.3f}"
    )
    return result


def logits_of(
    network: nn.Module,
    tensors: tuple[Tensor, ...],
    context: RunContext,
    *,
    stage: str,
    half: bool = True,
) -> Tensor:
    """Ask a network once about every clip.

    Parameters
    ----------
    tensors
        Patches, also in fixed point, raw features, and more that is not looked at.
    stage
        What to call this when telling how far it is.
    half
        In half precision where that is faster.

    Returns
    -------
    logits
        Shape ``(n, n_classes)``, on the CPU.
    """
    network = network.to(context.device).eval()
    precision = Precision(context.device, enabled=half)
    parts: list[Tensor] = []
    n_clips = len(tensors[0])
    for log_mel, features in ordered_loader(tensors[:2], batch_size=ASK_BATCH):
        with torch.no_grad(), precision.autocast():
            patches = as_float(log_mel.to(context.device))
            logits = network(patches, features.to(context.device))
        parts.append(logits.float().cpu())
        done = min(len(parts) * ASK_BATCH, n_clips)
        context.observer.progress(stage, done, n_clips)
    return torch.cat(parts)
