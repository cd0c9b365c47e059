"""The EfficientAT teacher: published weights as they are, prototypes behind them."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
import torch
from numpy.typing import NDArray

from seacall.augmentation import AugmentSettings
from seacall.config import FrontEndSettings, TrainRun
from seacall.data.manifest import LabelledClip
from seacall.learn.context import RunContext
from seacall.learn.dataset import Dataset
from seacall.learn.heard import heard_in, open_efficientat
from seacall.learn.prototypes import (
    LinearLayer,
    balanced_weights,
    prototypes_of_parts,
)
from seacall.learn.train import FitResult
from seacall.models.mn04 import PART_LENGTHS, EfficientATTeacher, efficientat_teacher

Float32 = NDArray[np.float32]


def train_efficientat(
    dataset: Dataset, settings: TrainRun, context: RunContext
) -> tuple[EfficientATTeacher, FitResult]:
    """Put prototypes of a dataset's training clips behind EfficientAT's embedding.

    Raises
    ------
    CheckpointError
        If the weights cannot be downloaded or read, or are another network's.
    """
    front_end = settings.front_end.front_end()
    network, path = open_efficientat(str(settings.teacher.weights))
    rate = front_end.profile.sample_rate
    teacher = efficientat_teacher(network, len(dataset.labels), sample_rate=rate)
    clips = [clip for part in (dataset.train, *dataset.extra) for clip in part.clips]
    parts = (dataset.train, *dataset.extra)
    targets = np.concatenate([part.targets for part in parts])
    heard = embedded(teacher, clips, front_end, settings.train.augment, context)
    set_last_layer(
        teacher,
        prototypes_of_clips(heard, targets, clips, n_classes=len(dataset.labels)),
    )
    context.observer.say(
        f"EfficientAT mn04: {path.name}, kept as published; prototypes of "
        f"{len(np.unique(targets))} classes from {len(clips)} clips "
        f"({len(heard)} views)"
    )
    return teacher, FitResult([], 0)


def embedded(
    teacher: EfficientATTeacher,
    clips: Sequence[LabelledClip],
    front_end: FrontEndSettings,
    augment: AugmentSettings,
    context: RunContext,
) -> Float32:
    """Return the embedding of all views of clips, shape ``(n_views * n, 1792)``."""
    stage = "EfficientAT"
    return heard_in(teacher, clips, front_end, context, stage=stage, augment=augment)


def prototypes_of_clips(
    heard: Float32,
    targets: NDArray[np.int64],
    clips: Sequence[LabelledClip],
    *,
    n_classes: int,
) -> LinearLayer:
    """Compute prototypes from all views of clips; a clip's views share its weight.

    Parameters
    ----------
    heard
        Embeddings, shape ``(n_views * n, 1792)``.
    targets
        Class numbers of the clips, shape ``(n,)``.
    """
    n_views = len(heard) // len(clips)
    weights = balanced_weights(targets, [clip.deployment for clip in clips])
    return prototypes_of_parts(
        heard,
        np.tile(targets, n_views),
        lengths=PART_LENGTHS,
        n_classes=n_classes,
        weights=np.tile(weights, n_views),
    )


def set_last_layer(teacher: EfficientATTeacher, layer: LinearLayer) -> None:
    """Give a teacher its last layer."""
    with torch.no_grad():
        teacher.classifier.weight.copy_(torch.from_numpy(layer.weight))
        teacher.classifier.bias.copy_(torch.from_numpy(layer.bias))
