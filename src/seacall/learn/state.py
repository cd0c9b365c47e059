"""The state of a training run, epoch by epoch: all that a checkpoint holds."""

from __future__ import annotations

import math
import time
from collections.abc import Callable, Iterable
from dataclasses import asdict
from pathlib import Path
from typing import Any

import numpy as np
import torch
from torch import Tensor, nn
from torch.nn.parallel import DistributedDataParallel

from seacall.config import TrainSettings
from seacall.data.loader import EpochSampler
from seacall.errors import CheckpointError, SeacallError
from seacall.files import written_whole
from seacall.learn import processes
from seacall.learn.batch_augment import BatchAugment
from seacall.learn.ema import WeightAverage
from seacall.learn.epoch import Batch, evaluate_epoch, train_epoch
from seacall.models.device import Precision
from seacall.models.weights import read_pth

Progress = Callable[[int, int, int, dict[str, float]], None]
"""Called after each step with epoch, step, steps in the epoch, figures so far."""

Rates = Callable[[str], float]
"""Step size of a parameter, by its name, as a share of the learning rate."""

CHECKPOINT_NAME = "checkpoint.pt"


class TrainingState:
    """The state of one training run: all that a checkpoint holds."""

    def __init__(
        self,
        network: nn.Module,
        *,
        settings: TrainSettings,
        folder: Path,
        device: torch.device,
        sampler: EpochSampler,
        rates: Rates,
        identity: str,
    ) -> None:
        self.identity = identity
        self.settings = settings
        self.device = device
        self.checkpoint = folder / CHECKPOINT_NAME
        self.network = network.to(device)
        self.average = (
            WeightAverage(self.network, decay=settings.ema_decay)
            if settings.ema_decay
            else None
        )
        self.sampler = sampler
        self.optimizer = torch.optim.AdamW(
            _parameter_groups(network, rates, settings.learning_rate),
            weight_decay=settings.weight_decay,
        )
        self.plateau = torch.optim.lr_scheduler.ReduceLROnPlateau(
            self.optimizer,
            factor=settings.plateau_factor,
            patience=settings.plateau_patience,
        )
        self.precision = Precision(device, enabled=settings.mixed_precision)
        self.parallel: nn.Module = (
            DistributedDataParallel(network) if processes.count() > 1 else network
        )
        self.history: list[dict[str, float]] = []
        self.best_epoch = 0
        self.best_state: dict[str, Tensor] = {}

    @property
    def measured(self) -> nn.Module:
        """The network that is measured and saved."""
        return self.average.network if self.average else self.network

    @property
    def finished(self) -> bool:
        """Whether all epochs are done, or the last good one is too long ago."""
        done = len(self.history)
        waited = done - self.best_epoch
        return done >= self.settings.epochs or waited >= self.settings.stop_patience

    def epoch_of(
        self,
        loader: Iterable[Batch],
        val_loader: Iterable[Batch],
        criterion: nn.Module,
        *,
        on_step: Progress | None,
    ) -> None:
        """Train one epoch, measure it, and write the checkpoint."""
        started = time.perf_counter()
        epoch = len(self.history) + 1
        self.sampler.epoch = epoch
        # Dropout and patches of an epoch depend on nothing that came before it, and
        # differ among processes.
        torch.manual_seed(_epoch_seed(self.settings.seed, epoch))
        learning_rate = self._set_rate(epoch)
        trained = train_epoch(
            self.parallel,
            loader,
            self.optimizer,
            criterion,
            device=self.device,
            precision=self.precision,
            gradient_clip=self.settings.gradient_clip,
            n_patches=self.settings.n_train_patches,
            augment=self._augment(epoch),
            average=self.average,
            on_step=self._report(epoch, on_step),
        )
        # The first process measures for all, so that all take the same decisions.
        held_out = processes.from_first(
            lambda: evaluate_epoch(
                self.measured,
                val_loader,
                criterion,
                device=self.device,
                precision=self.precision,
            )
        )
        _refuse_divergence(epoch, trained.loss, held_out.loss, rate=learning_rate)
        if self.settings.schedule == "plateau" and epoch > self.settings.warmup_epochs:
            self.plateau.step(held_out.loss)
        record = {f"train_{k}": v for k, v in asdict(trained).items()}
        record |= {f"val_{k}": v for k, v in asdict(held_out).items()}
        seconds = time.perf_counter() - started
        self._note(
            {
                "epoch": epoch,
                **record,
                "learning_rate": learning_rate,
                "seconds": seconds,
            }
        )

    def restore(self) -> None:
        """Go on from the checkpoint."""
        state = read_pth(self.checkpoint)
        if state.get("settings") != self.settings.fingerprint():
            raise CheckpointError(
                f"{self.checkpoint}: was written with other settings; resume with "
                "those of its settings.toml, or choose another output folder"
            )
        if state.get("identity") != self.identity:
            raise CheckpointError(
                f"{self.checkpoint}: was written with other clips, another teacher or "
                "another loss; resume with those, or choose another output folder"
            )
        try:
            self.network.load_state_dict(state["network"])
            if self.average:
                self.average.load_state_dict(state["average"])
            self.optimizer.load_state_dict(state["optimizer"])
            self.plateau.load_state_dict(state["plateau"])
            self.precision.scaler.load_state_dict(state["scaler"])
            torch.set_rng_state(state["rng"])
            self.history = state["history"]
            self.best_epoch = state["best_epoch"]
            self.best_state = state["best_state"]
        except (KeyError, RuntimeError, ValueError, TypeError) as error:
            reason = str(error).splitlines()[0]
            raise CheckpointError(
                f"{self.checkpoint}: does not fit this run ({reason}); "
                "choose another output folder"
            ) from error

    def _augment(self, epoch: int) -> BatchAugment:
        seeds = [self.settings.seed, epoch, processes.rank()]
        rng = np.random.default_rng(seeds)
        return BatchAugment(self.settings.augment, rng)

    def _set_rate(self, epoch: int) -> float:
        """Set the step size of an epoch, and return the largest of any parameter."""
        groups = self.optimizer.param_groups
        share = _rate_share(epoch, self.settings)
        if share is not None:
            for group in groups:
                group["lr"] = group["full_rate"] * share
        return float(max(group["lr"] for group in groups))

    def _report(
        self, epoch: int, on_step: Progress | None
    ) -> Callable[[int, dict[str, float]], None] | None:
        if on_step is None or not processes.is_first():
            return None
        n_steps = len(self.sampler)
        return lambda step, figures: on_step(epoch, step, n_steps, figures)

    def _note(self, record: dict[str, float]) -> None:
        self.history.append(record)
        best = self.history[self.best_epoch - 1] if self.best_epoch else None
        if best is None or _rank(record) > _rank(best):
            self.best_epoch = len(self.history)
            self.best_state = {
                name: value.detach().cpu().clone()
                for name, value in self.measured.state_dict().items()
            }
        if processes.is_first():
            self._write()

    def _write(self) -> None:
        state: dict[str, Any] = {
            "settings": self.settings.fingerprint(),
            "identity": self.identity,
            "network": self.network.state_dict(),
            "average": self.average.state_dict() if self.average else None,
            "optimizer": self.optimizer.state_dict(),
            "plateau": _plain(self.plateau.state_dict()),
            "scaler": self.precision.scaler.state_dict(),
            "rng": torch.get_rng_state(),
            "history": self.history,
            "best_epoch": self.best_epoch,
            "best_state": self.best_state,
        }
        self.checkpoint.parent.mkdir(parents=True, exist_ok=True)
        with written_whole(self.checkpoint) as part:
            torch.save(state, part)


def last_weights(folder: Path) -> dict[str, Tensor]:
    """Return the weights that the last epoch was measured with, from its checkpoint."""
    state = read_pth(folder / CHECKPOINT_NAME)
    kept = state["average"] or state["network"]
    return {name: value for name, value in kept.items() if name != "n_steps"}


def _parameter_groups(
    network: nn.Module, rates: Rates, learning_rate: float
) -> list[dict[str, Any]]:
    """Group trained parameters by their step size."""
    groups: dict[float, list[nn.Parameter]] = {}
    for name, parameter in network.named_parameters():
        if parameter.requires_grad:
            groups.setdefault(rates(name), []).append(parameter)
    return [
        {"params": group, "lr": rate * learning_rate, "full_rate": rate * learning_rate}
        for rate, group in groups.items()
    ]


def _rate_share(epoch: int, settings: TrainSettings) -> float | None:
    """Return an epoch's share of the full step size; None: the plateau decides."""
    n_warm = settings.warmup_epochs
    if epoch <= n_warm:
        return epoch / n_warm
    if settings.schedule == "plateau":
        return None
    # Neither end of the cosine: full steps were the warm-up's last epoch, and an epoch
    # without steps would learn nothing.
    done = (epoch - n_warm) / (settings.epochs - n_warm + 1)
    return 0.5 * (1 + math.cos(math.pi * done))


def _refuse_divergence(epoch: int, *losses: float, rate: float) -> None:
    if not all(math.isfinite(loss) for loss in losses):
        raise SeacallError(
            f"epoch {epoch}: the loss is no longer a finite number at a step size of "
            f"{rate:g}; choose a smaller learning rate and another output folder"
        )


def _epoch_seed(seed: int, epoch: int) -> int:
    sequence = np.random.SeedSequence([seed, epoch, processes.rank()])
    return int(sequence.generate_state(1)[0])


def _rank(record: dict[str, float]) -> tuple[float, float]:
    """Order epochs: by validation macro-F1, then by lower validation loss."""
    return record["val_f1"], -record["val_loss"]


def _plain(state: dict[str, Any]) -> dict[str, Any]:
    """Keep what a file without pickled objects can hold."""
    kinds = (int, float, str, bool, list, type(None))
    return {name: value for name, value in state.items() if isinstance(value, kinds)}
