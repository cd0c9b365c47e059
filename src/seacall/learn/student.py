"""Train a student on labels alone: from nothing, another's trunk, or prototypes."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace
from pathlib import Path

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor, nn

from seacall.augmentation import AugmentSettings
from seacall.config import (
    FrontEndSettings,
    StudentSettings,
    TrainRun,
    TrainSettings,
)
from seacall.errors import CheckpointError, SettingsError
from seacall.learn.context import RunContext, fit_and_tell, logits_of
from seacall.learn.dataset import Dataset, TrainingSet
from seacall.learn.prototypes import LinearLayer, balanced_weights, prototypes
from seacall.learn.teacher import without_logits
from seacall.learn.train import FitResult, LabelLoss
from seacall.models.checkpoint import Card, read_card
from seacall.models.network import load_network
from seacall.models.student import AudioTransformerStudent, StudentHead

Float32 = NDArray[np.float32]

_LAST_LAYER = "classifier."


def train_student(
    dataset: Dataset, settings: TrainRun, context: RunContext
) -> tuple[AudioTransformerStudent, FitResult]:
    """Train a student on a dataset's labels, without a teacher.

    Raises
    ------
    SeacallError
        Any of its kinds, if what it is to start from cannot be used.
    """
    front_end = settings.front_end.front_end()
    if settings.student.head == "prototypes":
        trunk = load_trunk(Path(str(settings.student.start)), front_end)
        return _student_of_prototypes(trunk, dataset, context)
    student = first_student(dataset, settings.student, front_end)
    train_set = dataset.training()
    result = fit_student(
        student,
        replace(train_set, tensors=without_logits(train_set.tensors)),
        without_logits(dataset.tensors("val")),
        LabelLoss(),
        settings.student,
        settings.train,
        context,
        "student alone",
    )
    return student, result


def first_student(
    dataset: Dataset, settings: StudentSettings, front_end: FrontEndSettings
) -> AudioTransformerStudent:
    """Return a student as it starts: at random, or with a trained student's trunk.

    Raises
    ------
    SeacallError
        Any of its kinds, if what it is to start from cannot be used.
    """
    if settings.start is None:
        return fresh_student(dataset)
    return load_trunk(Path(settings.start), front_end).student(len(dataset.labels))


def fit_student(
    student: AudioTransformerStudent,
    train_set: TrainingSet,
    val_set: tuple[Tensor, ...],
    criterion: nn.Module,
    settings: StudentSettings,
    train: TrainSettings,
    context: RunContext,
    what: str,
) -> FitResult:
    """Train a student, or only the layers behind its trunk if that is frozen.

    Raises
    ------
    SettingsError
        If a frozen trunk is to be trained on patches that change in each batch.
    """
    if settings.trunk == "trained":
        return fit_and_tell(
            student, train_set, val_set, criterion, train, context, what
        )
    refuse_patch_changes(train.augment, "train")
    pooled = pooled_by(student, train_set.tensors, context, stage="trunk, train")
    seen = pooled_by(student, val_set, context, stage="trunk, val")
    student.to("cpu")
    return fit_and_tell(
        StudentHead(student, noise=head_noise(pooled, settings)),
        replace(train_set, tensors=(pooled, *train_set.tensors[1:])),
        (seen, *val_set[1:]),
        criterion,
        train,
        context,
        what,
    )


def refuse_patch_changes(augment: AugmentSettings, section: str) -> None:
    """Refuse augmentation that a frozen trunk would not see.

    Parameters
    ----------
    section
        Name of the settings that ``augment`` is in.

    Raises
    ------
    SettingsError
        If patches are to be changed in each batch.
    """
    if augment.changes_patches():
        raise SettingsError(
            "masks and MixStyle change log-mel patches, which a frozen trunk sees only "
            f"once; set {section}.augment.mask.probability and "
            f"{section}.augment.mixstyle.probability to 0, or train the trunk"
        )


def pooled_by(
    student: AudioTransformerStudent,
    tensors: tuple[Tensor, ...],
    context: RunContext,
    *,
    stage: str,
) -> Tensor:
    """Return what a student's trunk makes of clips, shape ``(n, n_pooled)``.

    In full precision, and with the statistics of its batch norms as they are.
    """
    return logits_of(_Trunk(student), tensors, context, stage=stage, half=False)


def head_noise(pooled: Tensor, settings: StudentSettings) -> Tensor | None:
    """Return the deviation of the noise on each pooled number, ``(n_pooled,)``."""
    if not settings.trunk_noise:
        return None
    return settings.trunk_noise * pooled.std(dim=0, correction=0)


def fresh_student(dataset: Dataset) -> AudioTransformerStudent:
    """Return a student at random whose input scale is that of the training clips."""
    student = AudioTransformerStudent(num_classes=len(dataset.labels))
    student.scale.fit(torch.from_numpy(dataset.train.log_mel))
    return student


@dataclass(frozen=True, eq=False)
class Trunk:
    """A trained student whose last layer is to be replaced."""

    network: AudioTransformerStudent
    card: Card

    def student(
        self, n_classes: int, layer: LinearLayer | None = None
    ) -> AudioTransformerStudent:
        """Return a student with this trunk.

        Parameters
        ----------
        layer
            Its last layer; None: at random.
        """
        student = AudioTransformerStudent(num_classes=n_classes)
        state = self.network.state_dict()
        kept = {k: v for k, v in state.items() if not k.startswith(_LAST_LAYER)}
        student.load_state_dict(kept, strict=False)
        if layer is not None:
            last = student.classifier[-1]
            assert isinstance(last, nn.Linear)  # for the type checker
            with torch.no_grad():
                last.weight.copy_(torch.from_numpy(layer.weight))
                last.bias.copy_(torch.from_numpy(layer.bias))
        return student.eval()

    def embeddings(
        self, tensors: tuple[Tensor, ...], context: RunContext, *, stage: str
    ) -> Float32:
        """Return what the last layer is given of each clip, shape ``(n, 96)``.

        In full precision: prototypes blow up what hardly differs among clips.
        """
        network = _Embedding(self.network)
        found = logits_of(network, tensors, context, stage=stage, half=False)
        return found.numpy()


def load_trunk(folder: Path, front_end: FrontEndSettings) -> Trunk:
    """Load a student to go on from.

    Parameters
    ----------
    folder
        Model folder.
    front_end
        What its clips will go through.

    Raises
    ------
    CheckpointError
        If it is no model folder, or the model is no student.
    SettingsError
        If it was trained behind another front end.
    """
    card = read_card(folder)
    if card.architecture != AudioTransformerStudent.__name__:
        raise CheckpointError(
            f"{folder}: holds a {card.architecture}, and a student goes on from a "
            f"student; give the folder of an {AudioTransformerStudent.__name__}"
        )
    if card.front_end != front_end:
        raise SettingsError(
            f"{folder}: was trained with {_words(card.front_end)}, not with "
            f"{_words(front_end)}; give its own front end, or another start"
        )
    network = load_network(folder)
    assert isinstance(network, AudioTransformerStudent)  # for the type checker
    return Trunk(network.eval(), card)


def heard_by(dataset: Dataset, before: Sequence[Card]) -> tuple[str, ...]:
    """Return the deployments that a model has heard when it was trained on a dataset.

    Parameters
    ----------
    before
        Cards of models that it learnt from: a teacher, what it started from.
    """
    found = {name for card in before for name in card.deployments}
    parts = (dataset.train, *dataset.extra)
    found |= {clip.deployment for part in parts for clip in part.clips}
    return tuple(sorted(found - {""}))


def _student_of_prototypes(
    trunk: Trunk, dataset: Dataset, context: RunContext
) -> tuple[AudioTransformerStudent, FitResult]:
    clips = dataset.training()
    embedded = trunk.embeddings(clips.tensors, context, stage="embedding clips")
    targets = clips.tensors[2].numpy()
    # Views of a clip share its weight.
    weights = np.tile(
        balanced_weights(targets[: len(clips.deployments)], clips.deployments),
        clips.n_views,
    )
    layer = prototypes(
        embedded, targets, n_classes=len(dataset.labels), weights=weights
    )
    context.observer.say(
        f"prototypes of {len(np.unique(targets))} classes from "
        f"{len(clips.deployments)} clips; trunk of {trunk.card.name}, kept as it is"
    )
    return trunk.student(len(dataset.labels), layer), FitResult([], 0)


class _Trunk(nn.Module):
    """A student that stops behind its pooling."""

    def __init__(self, student: AudioTransformerStudent) -> None:
        super().__init__()
        self.student = student

    def forward(self, log_mel: Tensor, _features: Tensor) -> Tensor:
        return self.student.pool(log_mel)


class _Embedding(nn.Module):
    """A student that stops before its last layer."""

    def __init__(self, student: AudioTransformerStudent) -> None:
        super().__init__()
        self.student = student

    def forward(self, log_mel: Tensor, features: Tensor) -> Tensor:
        return self.student.embed(log_mel, features)


def _words(front_end: FrontEndSettings) -> str:
    clip = front_end.clip
    return f"profile {front_end.profile.name}, clips of {clip.duration_s:g} s"
