"""What is trained in each fold of an evaluation, by name.

A recipe is its settings and one method, so that what is stored with a result is all
that made it. A further recipe is a class with ``fit_predict`` and one line in
`RECIPES`.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import replace
from typing import Any, Protocol

import numpy as np
import numpy.typing as npt
import torch
from torch import Tensor, nn

from seacall.config import (
    DistillSettings,
    FixedTraining,
    FrontEndChoice,
    Settings,
    TeacherSettings,
    TrainRun,
    TrainSettings,
    checked,
)
from seacall.data.arrays import ClipArrays
from seacall.data.cache import FrontEndCache
from seacall.data.loader import clip_tensors
from seacall.data.manifest import Manifest
from seacall.data.views import Views, load_views
from seacall.errors import SettingsError
from seacall.learn.closed_form import EfficientATRecipe, StudentPrototypesRecipe
from seacall.learn.context import RunContext, logits_of
from seacall.learn.dataset import (
    Dataset,
    TrainingSet,
    some_of,
    some_rows,
    training_set,
)
from seacall.learn.distill import DistillationLoss
from seacall.learn.frozen import StudentDistilledRecipe
from seacall.learn.observe import Observer
from seacall.learn.state import CHECKPOINT_NAME, last_weights
from seacall.learn.teacher import convolutions_frozen, train_teacher, without_logits
from seacall.learn.train import LabelLoss, fit
from seacall.models.student import AudioTransformerStudent
from seacall.models.vggish import TeacherHead

Logits = npt.NDArray[np.float32]


class Recipe(Protocol):
    """Trains something on clips, and asks it about others."""

    def fit_predict(
        self,
        train: ClipArrays,
        test: ClipArrays,
        *,
        labels: tuple[str, ...],
        seed: int,
        context: RunContext,
    ) -> Logits:
        """Train on some clips and answer others, which must not influence anything.

        Parameters
        ----------
        train, test
            What the run's front end made of the clips. A recipe with a front end of its
            own reads ``train.clips[k].path``.
        labels
            All classes; targets are their indices.
        seed
            Of all that is drawn at random.
        context
            Device, observer, and in ``out`` an empty folder for files in between.

        Returns
        -------
        logits
            ``(n_test, n_classes)``.
        """
        ...

    def fingerprint(self) -> str:
        """Return what changes with any setting, as `seacall.config.Settings` do."""
        ...


class StudentRecipe(Settings):
    """The student alone: labels, no teacher."""

    front_end: FrontEndChoice = FrontEndChoice()
    """That of the run; changed views of the training clips go through it."""
    train: FixedTraining = FixedTraining()
    """The training loop."""

    def fit_predict(
        self,
        train: ClipArrays,
        test: ClipArrays,
        *,
        labels: tuple[str, ...],
        seed: int,
        context: RunContext,
    ) -> Logits:
        """Train the student on the labels."""
        clips = _with_views(train, self.front_end, self.train, context)
        clips = replace(clips, tensors=without_logits(clips.tensors))
        scale = torch.from_numpy(train.log_mel)
        return _student_logits(
            clips, scale, test, LabelLoss(), self.train, labels, seed, context
        )


class TeacherRecipe(Settings):
    """The VGGish teacher."""

    front_end: FrontEndChoice = FrontEndChoice()
    """That of the run; the teacher's weights have an opinion on it."""
    teacher: TeacherSettings = TeacherSettings()
    """What the teacher starts from."""
    train: FixedTraining = FixedTraining()
    """The training loop."""

    def fit_predict(
        self,
        train: ClipArrays,
        test: ClipArrays,
        *,
        labels: tuple[str, ...],
        seed: int,
        context: RunContext,
    ) -> Logits:
        """Train the teacher on the labels."""
        teacher = self.trained(train, labels=labels, seed=seed, context=context)
        return _logits(teacher, test, context)

    def trained(
        self,
        train: ClipArrays,
        *,
        labels: tuple[str, ...],
        seed: int,
        context: RunContext,
    ) -> nn.Module:
        """Train the teacher, and return it as the last epoch left it."""
        quiet = replace(context, observer=_OnlyProgress(context.observer))
        torch.manual_seed(seed)
        run = TrainRun(
            network="vggish",
            front_end=self.front_end,
            teacher=self.teacher,
            train=_fixed(self.train, seed),
        )
        views = _views(train, self.front_end, self.train, context)
        teacher, _ = train_teacher(_as_dataset(train, labels, views), run, quiet)
        frozen = convolutions_frozen(self.teacher)
        _take_last_epoch(TeacherHead(teacher) if frozen else teacher, context)
        return teacher


class DistilledRecipe(TeacherRecipe):
    """The student, distilled from a teacher that was trained in the same fold."""

    distill: DistillSettings = DistillSettings()
    """How the student learns from the teacher."""
    teacher_train: FixedTraining | None = None
    """The teacher's training loop; None: the student's."""

    def fit_predict(
        self,
        train: ClipArrays,
        test: ClipArrays,
        *,
        labels: tuple[str, ...],
        seed: int,
        context: RunContext,
    ) -> Logits:
        """Train the teacher, then the student on its logits and the labels."""
        as_teacher = self.model_copy(update={"train": self.teacher_train or self.train})
        teacher = as_teacher.trained(train, labels=labels, seed=seed, context=context)
        (context.out / CHECKPOINT_NAME).unlink(missing_ok=True)
        clips = _with_views(train, self.front_end, self.train, context)
        soft = logits_of(teacher, clips.tensors, context, stage="teacher")
        clips = replace(clips, tensors=(*clips.tensors, soft))
        return _student_logits(
            clips,
            torch.from_numpy(train.log_mel),
            test,
            DistillationLoss.of(self.distill),
            self.train,
            labels,
            seed,
            context,
        )


RECIPES: dict[
    str,
    type[
        StudentRecipe
        | TeacherRecipe
        | StudentPrototypesRecipe
        | StudentDistilledRecipe
        | EfficientATRecipe
    ],
] = {
    "student": StudentRecipe,
    "teacher": TeacherRecipe,
    "distilled": DistilledRecipe,
    "student-prototypes": StudentPrototypesRecipe,
    "student-distilled": StudentDistilledRecipe,
    "efficientat": EfficientATRecipe,
}
"""What can be trained in the folds, by name."""


def make_recipe(
    name: str, shared: Mapping[str, Any], own: Mapping[str, Any] | None = None
) -> Recipe:
    """Build a recipe from the settings that all share and those of its own.

    Parameters
    ----------
    shared
        Sections by name, such as ``train``; a recipe takes those that it has.
    own
        Settings of this recipe only, which win.

    Raises
    ------
    SettingsError
        If there is no such recipe or a setting is wrong.
    """
    if name not in RECIPES:
        raise SettingsError(
            f"recipe {name!r} does not exist; choose one of: {', '.join(RECIPES)}"
        )
    kind = RECIPES[name]
    taken = {key: value for key, value in shared.items() if key in kind.model_fields}
    return checked(kind, _merged(taken, own or {}))


def _merged(base: Mapping[str, Any], over: Mapping[str, Any]) -> dict[str, Any]:
    merged = dict(base)
    for key, value in over.items():
        both = isinstance(value, Mapping) and isinstance(merged.get(key), Mapping)
        merged[key] = _merged(merged[key], value) if both else value
    return merged


def _views(
    train: ClipArrays,
    front_end: FrontEndChoice,
    settings: TrainSettings,
    context: RunContext,
) -> Views | None:
    """Return changed views of training clips, which all folds share on disk."""
    if settings.augment.n_views < 2:
        return None
    return load_views(
        train.clips,
        front_end.front_end(),
        settings.augment,
        cache=FrontEndCache.beside(context.data),
        n_workers=context.n_workers,
        progress=lambda done, total: context.observer.progress("views", done, total),
    )


def _with_views(
    train: ClipArrays,
    front_end: FrontEndChoice,
    settings: TrainSettings,
    context: RunContext,
) -> TrainingSet:
    return training_set([train], _views(train, front_end, settings, context))


def _student_logits(
    clips: TrainingSet,
    scale: Tensor,
    test: ClipArrays,
    criterion: nn.Module,
    settings: TrainSettings,
    labels: tuple[str, ...],
    seed: int,
    context: RunContext,
) -> Logits:
    torch.manual_seed(seed)
    student = AudioTransformerStudent(num_classes=len(labels))
    student.scale.fit(scale)
    fit(
        student,
        clips.tensors,
        _some(clips.tensors, len(scale)),
        criterion=criterion,
        settings=_fixed(settings, seed),
        folder=context.out,
        device=context.device,
        n_views=clips.n_views,
        deployments=clips.deployments,
        on_epoch=lambda record: context.observer.progress(
            "student", int(record["epoch"]), settings.epochs
        ),
    )
    _take_last_epoch(student, context)
    return _logits(student, test, context)


def _fixed(settings: TrainSettings, seed: int) -> TrainSettings:
    """Return the settings without early stopping, with the fold's seed."""
    values = settings.model_dump()
    return TrainSettings(**values | {"stop_patience": settings.epochs, "seed": seed})


def _take_last_epoch(network: nn.Module, context: RunContext) -> None:
    """Replace the best epoch's weights by the last: which is best is not known."""
    network.load_state_dict(last_weights(context.out))


def _logits(network: nn.Module, arrays: ClipArrays, context: RunContext) -> Logits:
    asked = logits_of(network, clip_tensors(arrays), context, stage="held-out clips")
    return asked.numpy().astype(np.float32)


def _some(tensors: tuple[Tensor, ...], n_clips: int) -> tuple[Tensor, ...]:
    """Return some of the clips' first views."""
    rows = torch.from_numpy(some_rows(n_clips))
    return tuple(part[rows] for part in tensors)


def _as_dataset(
    train: ClipArrays, labels: tuple[str, ...], views: Views | None
) -> Dataset:
    """Return training clips as a dataset whose other splits are some of the same."""
    few = some_of(train)
    root = train.clips[0].path.parent
    manifest = Manifest(
        root=root,
        clips=train.clips,
        failures=(),
        labels=labels,
        front_end_fingerprint=None,
    )
    return Dataset(
        manifest=manifest,
        labels=labels,
        train=train,
        val=few,
        test=few,
        views=views,
    )


class _OnlyProgress:
    """An observer that passes on progress, and nothing that would repeat each fold."""

    def __init__(self, observer: Observer) -> None:
        self._observer = observer

    def say(self, line: str) -> None:
        """Drop a line."""

    def progress(self, stage: str, done: int, total: int, note: str = "") -> None:
        """Pass on progress."""
        self._observer.progress(stage, done, total, note)
