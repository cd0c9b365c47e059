"""Take channels out of a student, and let the rest learn to answer as the whole did.

Whole channels are taken (Li et al., "Pruning filters for efficient ConvNets", 2017), so
that the result is a smaller network of the same kind and needs no sparse products. A
channel is worth the sum of its weights' sizes times the size of its batch norm's scale.
The embedding keeps its width: it is what stands for a clip elsewhere.
"""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path
from typing import Any

import torch
from pydantic import Field
from torch import Tensor

from seacall.config import DistillSettings, Settings, StudentSettings, TrainSettings
from seacall.errors import CheckpointError
from seacall.learn.context import RunContext
from seacall.learn.distill import DistillationLoss
from seacall.learn.ensemble import Teacher, ask_teachers
from seacall.learn.export import export_onnx
from seacall.learn.runs import open_dataset
from seacall.learn.student import fit_student
from seacall.learn.train import CHECKPOINT_NAME
from seacall.models.checkpoint import Card, read_card
from seacall.models.network import load_network, save_model
from seacall.models.student import AudioTransformerStudent

_CONVOLUTIONS = (0, 4, 8)
"""Places of the three convolutions in the student's trunk; batch norm follows each."""


class PruneSettings(Settings):
    """How a student is pruned."""

    keep: float = Field(default=0.5, gt=0, lt=1)
    """Share of the channels of each convolution that stays."""
    distill: DistillSettings = DistillSettings(alpha=1.0)
    """How the pruned student learns from the whole one, where a dataset is given:
    answers alone, no labels."""
    train: TrainSettings = TrainSettings(epochs=20, learning_rate=5e-4)
    """The training loop."""


def prune(model: Path, settings: PruneSettings, context: RunContext) -> Card:
    """Prune a student, train it on a dataset's clips, and write a model folder.

    Parameters
    ----------
    model
        Model folder of a student, with ``model.safetensors``.
    context
        Where the dataset lies and the new model goes to.

    Raises
    ------
    CheckpointError
        If it is no student, or has no weights to prune.
    SeacallError
        If the dataset cannot be trained on.
    """
    whole, card = load_network(model), read_card(model)
    if not isinstance(whole, AudioTransformerStudent):
        raise CheckpointError(
            f"{model}: holds a {card.architecture}; only students are pruned"
        )
    torch.manual_seed(settings.train.seed)
    small = pruned(whole, keep=settings.keep)
    _train(small, Teacher(whole, card), settings, context)
    (context.out / CHECKPOINT_NAME).unlink(missing_ok=True)
    return _kept(small, card, settings, context.out)


def pruned(whole: AudioTransformerStudent, *, keep: float) -> AudioTransformerStudent:
    """Return a student with the strongest channels of another, and its weights.

    Parameters
    ----------
    keep
        Share of the channels of each convolution that stays; at least one does.
    """
    state = whole.state_dict()
    chosen = [_strongest(state, place, keep) for place in _CONVOLUTIONS]
    small = AudioTransformerStudent(
        whole.num_additional_features,
        whole.num_classes,
        pooling=whole.pooling,
        channels=tuple(len(one) for one in chosen),
    )
    small.load_state_dict(_thinned(state, chosen, small))
    return small.eval()


def _strongest(state: dict[str, Tensor], place: int, keep: float) -> Tensor:
    """Return the numbers of the channels that stay, in their old order."""
    weights, scale = state[f"cnn.{place}.weight"], state[f"cnn.{place + 1}.weight"]
    worth = weights.abs().flatten(1).sum(1) * scale.abs()
    n_kept = max(1, round(keep * len(worth)))
    return worth.argsort(descending=True)[:n_kept].sort().values


def _thinned(
    state: dict[str, Tensor], chosen: list[Tensor], small: AudioTransformerStudent
) -> dict[str, Tensor]:
    """Return the weights that stay."""
    state = dict(state)
    before: Tensor | None = None
    for place, rows in zip(_CONVOLUTIONS, chosen, strict=True):
        weights = state[f"cnn.{place}.weight"][rows]
        state[f"cnn.{place}.weight"] = weights if before is None else weights[:, before]
        for name in ("weight", "bias", "running_mean", "running_var"):
            state[f"cnn.{place + 1}.{name}"] = state[f"cnn.{place + 1}.{name}"][rows]
        before = rows
    last = chosen[-1]
    own = small.state_dict()
    narrow, wide = "attention.channel.mlp.0.weight", "attention.channel.mlp.2.weight"
    if narrow in state:
        n_hidden = len(own[narrow])
        worth = state[narrow].norm(dim=1) * state[wide].norm(dim=0)
        hidden = worth.argsort(descending=True)[:n_hidden].sort().values
        state[narrow] = state[narrow][hidden][:, last]
        state[wide] = state[wide][last][:, hidden]
    if "squeeze.0.weight" in state:
        state["squeeze.0.weight"] = state["squeeze.0.weight"][:, last]
    return state


def _train(
    small: AudioTransformerStudent,
    teacher: Teacher,
    settings: PruneSettings,
    context: RunContext,
) -> None:
    """Let the pruned student learn the whole one's answers."""
    card, train = teacher.card, settings.train
    dataset = open_dataset(context, card.front_end, train.augment, labels=card.labels)
    asked = ask_teachers([teacher], dataset, card.front_end, train.augment, context)
    train_set = dataset.training()
    fit_student(
        small,
        replace(train_set, tensors=(*train_set.tensors, asked[0])),
        (*dataset.tensors("val"), asked[1]),
        DistillationLoss.of(settings.distill),
        StudentSettings(),
        train,
        context,
        "pruned student",
    )


def _kept(
    small: AudioTransformerStudent, card: Card, settings: PruneSettings, out: Path
) -> Card:
    """Write the model folder; what was measured of the whole student is left out."""
    said = (
        f"Pruned to {100 * settings.keep:g} % of the channels of {card.name}; "
        "calibration, thresholds and limits of the unknown are still those of it."
    )
    changes: dict[str, Any] = {
        "channels": small.channels,
        "teacher": card.name,
        "training": settings.model_dump(mode="json"),
        "metrics": {},
        "limits": (*card.limits, said),
        "files": {},
    }
    save_model(small, out, card.model_copy(update=changes))
    return export_onnx(out)
