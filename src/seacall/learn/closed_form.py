"""Recipes in closed form: a trained network's embedding, and prototypes.

Each clip is embedded once in a whole evaluation; what a fold adds is a closed form.
"""

from __future__ import annotations

import hashlib
from collections.abc import Callable
from pathlib import Path
from typing import Protocol, Self, runtime_checkable

import numpy as np
import torch
from numpy.typing import NDArray
from pydantic import PrivateAttr, model_validator

from seacall.config import (
    FrontEndChoice,
    Settings,
    StudentSettings,
    TeacherSettings,
)
from seacall.data.arrays import ClipArrays, subset
from seacall.learn.context import RunContext
from seacall.learn.efficientat import prototypes_of_clips
from seacall.learn.heard import heard_in, open_efficientat
from seacall.learn.prototypes import balanced_weights, prototypes
from seacall.learn.student import load_trunk
from seacall.models.checkpoint import WEIGHTS_NAME, Card, read_card
from seacall.models.mn04 import efficientat_teacher

Float32 = NDArray[np.float32]


@runtime_checkable
class GoesOn(Protocol):
    """A recipe whose network was trained before, outside the folds."""

    def started_from(self) -> tuple[Card, ...]:
        """Return the cards of what was trained before.

        Raises
        ------
        SeacallError
            If one cannot be used.
        """
        ...


class StudentPrototypesRecipe(Settings):
    """A trained student's embedding, kept as it is, and prototypes of the classes."""

    front_end: FrontEndChoice = FrontEndChoice()
    """That of the run; it must be the student's."""
    student: StudentSettings = StudentSettings()
    """The model folder of the student, as ``start``."""
    _kept: dict[Path, Float32] = PrivateAttr(default_factory=dict)

    @model_validator(mode="after")
    def _needs_a_start(self) -> Self:
        if self.student.start is None:
            raise ValueError(
                "the recipe student-prototypes needs a trained student; name its model "
                "folder: --start FOLDER"
            )
        return self

    def started_from(self) -> tuple[Card, ...]:
        """Return the student's card; see `GoesOn`."""
        return (load_trunk(self._folder, self.front_end.front_end()).card,)

    def fingerprint(self) -> str:
        """Return what changes with any setting and with the student's weights."""
        weights = read_card(self._folder).files.get(WEIGHTS_NAME, "")
        values = self.model_dump_json(exclude={"student": {"start"}})
        return hashlib.sha256(f"{values} {weights}".encode()).hexdigest()[:16]

    def fit_predict(
        self,
        train: ClipArrays,
        test: ClipArrays,
        *,
        labels: tuple[str, ...],
        seed: int,
        context: RunContext,
    ) -> Float32:
        """Compare the clips asked about with each class's mean; draws nothing."""
        trunk = load_trunk(self._folder, self.front_end.front_end())

        def embed(arrays: ClipArrays) -> Float32:
            tensors = (
                torch.from_numpy(arrays.log_mel),
                torch.from_numpy(arrays.features),
            )
            return trunk.embeddings(tensors, context, stage="embedding clips")

        layer = prototypes(
            _embedded(train, embed, self._kept),
            train.targets,
            n_classes=len(labels),
            weights=balanced_weights(train.targets, _deployments(train)),
        )
        return layer.logits(_embedded(test, embed, self._kept)).astype(np.float32)

    @property
    def _folder(self) -> Path:
        return Path(str(self.student.start))


class EfficientATRecipe(Settings):
    """EfficientAT mn04 as published, and prototypes of the classes."""

    front_end: FrontEndChoice = FrontEndChoice()
    """That of the run: how clips are cut and conditioned."""
    teacher: TeacherSettings = TeacherSettings()
    """The published weights, as ``weights``."""
    _kept: dict[Path, Float32] = PrivateAttr(default_factory=dict)

    @model_validator(mode="after")
    def _needs_weights(self) -> Self:
        if self.teacher.weights is None:
            raise ValueError(
                "the recipe efficientat needs published weights; set teacher.weights "
                'to a path or "download"'
            )
        return self

    def fit_predict(
        self,
        train: ClipArrays,
        test: ClipArrays,
        *,
        labels: tuple[str, ...],
        seed: int,
        context: RunContext,
    ) -> Float32:
        """Compare the clips asked about with each class's mean; draws nothing."""
        front_end = self.front_end.front_end()

        def embed(arrays: ClipArrays) -> Float32:
            network, _ = open_efficientat(str(self.teacher.weights))
            rate = front_end.profile.sample_rate
            teacher = efficientat_teacher(network, len(labels), sample_rate=rate)
            stage = "EfficientAT"
            return heard_in(teacher, arrays.clips, front_end, context, stage=stage)

        heard = _embedded(train, embed, self._kept)
        layer = prototypes_of_clips(
            heard, train.targets, train.clips, n_classes=len(labels)
        )
        return layer.logits(_embedded(test, embed, self._kept)).astype(np.float32)


def _embedded(
    arrays: ClipArrays,
    embed: Callable[[ClipArrays], Float32],
    kept: dict[Path, Float32],
) -> Float32:
    """Return embeddings ``(n, n_embedding)``, computed for clips that are not kept."""
    new = [k for k, clip in enumerate(arrays.clips) if clip.path not in kept]
    if new:
        found = embed(subset(arrays, np.array(new)))
        kept |= {arrays.clips[k].path: x for k, x in zip(new, found, strict=True)}
    return np.stack([kept[clip.path] for clip in arrays.clips])


def _deployments(arrays: ClipArrays) -> list[str]:
    return [clip.deployment for clip in arrays.clips]
