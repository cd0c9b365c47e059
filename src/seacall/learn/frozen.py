"""A recipe for few recordings: distil what lies behind a student's frozen trunk.

Whatever does not change from fold to fold (what the trunk gives of each clip and view,
what EfficientAT hears in it) is computed once in a whole evaluation; what a fold adds
takes seconds.
"""

from __future__ import annotations

import hashlib
from dataclasses import dataclass
from pathlib import Path
from typing import Self

import numpy as np
import torch
from numpy.typing import NDArray
from pydantic import PrivateAttr, model_validator
from torch import Tensor

from seacall.config import (
    FrontEndChoice,
    HeadDistillation,
    HeadTraining,
    Settings,
    StudentSettings,
    TeacherSettings,
)
from seacall.data.arrays import ClipArrays, subset
from seacall.data.cache import FrontEndCache
from seacall.data.views import load_views
from seacall.files import file_sha256
from seacall.learn.context import RunContext
from seacall.learn.dataset import TrainingSet, some_rows, training_set
from seacall.learn.distill import DistillationLoss
from seacall.learn.efficientat import embedded, prototypes_of_clips
from seacall.learn.heard import open_efficientat
from seacall.learn.student import (
    Trunk,
    head_noise,
    load_trunk,
    pooled_by,
    refuse_patch_changes,
)
from seacall.learn.train import fit
from seacall.models.checkpoint import WEIGHTS_NAME, Card, read_card
from seacall.models.mn04 import EfficientATTeacher, efficientat_teacher
from seacall.models.student import AudioTransformerStudent, StudentHead

Float32 = NDArray[np.float32]

_AT_ONCE = 256
"""Clips whose views are in memory together: 150 MB of ten views of 5 s."""


class StudentDistilledRecipe(Settings):
    """A frozen trunk; the layers behind it learn from EfficientAT with prototypes.

    In each fold prototypes of the training clips are computed on what EfficientAT
    hears, and the student learns what these answer to all views of the same clips.
    """

    front_end: FrontEndChoice = FrontEndChoice()
    """That of the run; it must be the trunk's."""
    teacher: TeacherSettings = TeacherSettings()
    """EfficientAT's published weights, as ``weights``."""
    student: StudentSettings = StudentSettings()
    """The model folder of the trunk, as ``start``; it is always kept as it is."""
    head: HeadTraining = HeadTraining()
    """The training loop."""
    head_distill: HeadDistillation = HeadDistillation()
    """How the student learns from the teacher."""
    _kept: dict[Path, _Views] = PrivateAttr(default_factory=dict)

    @model_validator(mode="after")
    def _needs_both(self) -> Self:
        if self.student.start is None or self.teacher.weights is None:
            raise ValueError(
                "the recipe student-distilled needs a trunk and a teacher; name a "
                "model folder (--start FOLDER), and set teacher.weights to the path of "
                'EfficientAT\'s weights or "download"'
            )
        refuse_patch_changes(self.head.augment, "head")
        return self

    def started_from(self) -> tuple[Card, ...]:
        """Return the trunk's card; see `seacall.learn.closed_form.GoesOn`."""
        return (self._trunk().card,)

    def fingerprint(self) -> str:
        """Return what changes with any setting, the trunk and the teacher's weights."""
        values = self.model_dump_json(
            exclude={"student": {"start"}, "teacher": {"weights"}}
        )
        trunk = read_card(Path(str(self.student.start))).files.get(WEIGHTS_NAME, "")
        teacher = str(self.teacher.weights)
        if Path(teacher).is_file():
            teacher = file_sha256(Path(teacher))
        text = f"{values} {trunk} {teacher}"
        return hashlib.sha256(text.encode()).hexdigest()[:16]

    def fit_predict(
        self,
        train: ClipArrays,
        test: ClipArrays,
        *,
        labels: tuple[str, ...],
        seed: int,
        context: RunContext,
    ) -> Float32:
        """Compute the teacher, distil the student, and ask it."""
        torch.manual_seed(seed)
        trunk = self._trunk()
        student = trunk.student(len(labels))
        self._look_at(train, trunk, context)
        self._look_at(test, trunk, context)
        lesson = self._lesson(train, n_classes=len(labels))
        head = self._distilled(student, lesson, seed, context)
        pooled, features = self._tensors(test, n_views=1)
        with torch.no_grad():
            logits: Tensor = head.to("cpu").eval()(pooled, features)
        return logits.numpy()

    def _trunk(self) -> Trunk:
        return load_trunk(Path(str(self.student.start)), self.front_end.front_end())

    def _distilled(
        self,
        student: AudioTransformerStudent,
        lesson: TrainingSet,
        seed: int,
        context: RunContext,
    ) -> StudentHead:
        noise = head_noise(lesson.tensors[0], self.student)
        head = StudentHead(student, noise=noise)
        some = torch.from_numpy(some_rows(len(lesson.deployments)))
        fit(
            head,
            lesson.tensors,
            tuple(part[some] for part in lesson.tensors),
            criterion=DistillationLoss.of(self.head_distill),
            settings=self.head.model_copy(update={"seed": seed}),
            folder=context.out,
            device=context.device,
            n_views=lesson.n_views,
            deployments=lesson.deployments,
            keep="last",
        )
        return head

    def _lesson(self, train: ClipArrays, *, n_classes: int) -> TrainingSet:
        """Return what the student is given of training clips, with what to answer."""
        n_clips, n_views = len(train.clips), self.head.augment.n_views
        kept = [self._kept[clip.path].heard for clip in train.clips]
        heard = np.stack(kept, axis=1).reshape(n_views * n_clips, -1)
        layer = prototypes_of_clips(
            heard[:n_clips], train.targets, train.clips, n_classes=n_classes
        )
        soft = torch.from_numpy(layer.logits(heard).astype(np.float32))
        targets = torch.from_numpy(train.targets).repeat(n_views)
        return TrainingSet(
            (*self._tensors(train, n_views=n_views), targets, soft),
            tuple(clip.deployment for clip in train.clips),
            n_views,
        )

    def _tensors(self, clips: ClipArrays, *, n_views: int) -> tuple[Tensor, Tensor]:
        """Return pooled patches and raw features of clips: all first views first."""
        kept = [self._kept[clip.path] for clip in clips.clips]
        pooled = np.concatenate([[k.pooled[v] for k in kept] for v in range(n_views)])
        raw = np.concatenate([[k.features[v] for k in kept] for v in range(n_views)])
        return torch.from_numpy(pooled), torch.from_numpy(raw)

    def _look_at(self, arrays: ClipArrays, trunk: Trunk, context: RunContext) -> None:
        """Compute what is kept of clips that were not seen before."""
        new = [k for k, c in enumerate(arrays.clips) if c.path not in self._kept]
        for start in range(0, len(new), _AT_ONCE):
            part = subset(arrays, np.array(new[start : start + _AT_ONCE]))
            views = self._views(part, trunk, context)
            self._kept |= {
                clip.path: view for clip, view in zip(part.clips, views, strict=True)
            }

    def _views(
        self, part: ClipArrays, trunk: Trunk, context: RunContext
    ) -> list[_Views]:
        front_end, augment = self.front_end.front_end(), self.head.augment
        views = None
        if augment.n_views > 1:
            views = load_views(
                part.clips,
                front_end,
                augment,
                cache=FrontEndCache.beside(context.data),
                n_workers=context.n_workers,
                progress=lambda k, n: context.observer.progress("views", k, n),
            )
        tensors = training_set([part], views).tensors
        network, _ = open_efficientat(str(self.teacher.weights))
        rate = front_end.profile.sample_rate
        teacher = efficientat_teacher(network, 2, sample_rate=rate)
        found = (
            pooled_by(trunk.network, tensors, context, stage="trunk").numpy(),
            tensors[1].numpy(),
            self._heard(teacher, part, context),
        )
        of_views = [x.reshape(augment.n_views, len(part.clips), -1) for x in found]
        return [
            _Views(*(x[:, k].copy() for x in of_views)) for k in range(len(part.clips))
        ]

    def _heard(
        self, teacher: EfficientATTeacher, part: ClipArrays, context: RunContext
    ) -> Float32:
        """Return what EfficientAT hears in all views, shape ``(n_views * n, 1792)``."""
        front_end, augment = self.front_end.front_end(), self.head.augment
        if self.head_distill.hears == "views":
            return embedded(teacher, part.clips, front_end, augment, context)
        alone = augment.model_copy(update={"n_views": 1})
        heard = embedded(teacher, part.clips, front_end, alone, context)
        return np.tile(heard, (augment.n_views, 1))


@dataclass(frozen=True, eq=False)
class _Views:
    """What is kept of all views of a clip; the first axis is the view."""

    pooled: Float32
    """What the trunk gives, shape ``(n_views, n_pooled)``."""
    features: Float32
    """Raw features, shape ``(n_views, 18)``."""
    heard: Float32
    """What EfficientAT hears, shape ``(n_views, 1792)``."""
