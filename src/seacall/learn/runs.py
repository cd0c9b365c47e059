"""Whole training runs: a dataset folder in, a model folder with its figures out.

The output folder of a run is a model folder (``card.json``, ``model.safetensors``,
``model.onnx`` for a student) with the run's settings, curves and evaluation beside it.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace
from importlib import metadata
from pathlib import Path
from typing import Any

import torch
from torch import Tensor, nn

from seacall.augmentation import AugmentSettings
from seacall.config import (
    DistillRun,
    FrontEndSettings,
    StudentSettings,
    TrainRun,
)
from seacall.data.manifest import Failure
from seacall.errors import SettingsError
from seacall.learn import processes
from seacall.learn.context import RunContext
from seacall.learn.dataset import Dataset, load_dataset, require_trainable
from seacall.learn.distill import DistillationLoss
from seacall.learn.efficientat import train_efficientat
from seacall.learn.ensemble import Teacher, ask_teachers, load_teachers
from seacall.learn.heard import takes_waveforms
from seacall.learn.outputs import STUDENT_FILES, TEACHER_FILES, finish
from seacall.learn.student import (
    first_student,
    fit_student,
    heard_by,
    train_student,
)
from seacall.learn.teacher import train_teacher
from seacall.learn.train import CHECKPOINT_NAME
from seacall.models.checkpoint import CARD_NAME, Card, read_card


@dataclass(frozen=True)
class RunResult:
    """What a training run ended with."""

    card: Card
    """Of the model folder, figures included."""
    failures: tuple[Failure, ...]
    """Recordings and rows that were left out."""


def train(settings: TrainRun, context: RunContext) -> RunResult:
    """Train a teacher, or a student alone, on a dataset folder's labels.

    Raises
    ------
    SeacallError
        Any of its kinds, in one line, for wrong settings, data or files.
    """
    with processes.group(context.device):
        front_end = settings.front_end.front_end()
        views = settings.train.augment
        if settings.network == "efficientat":  # it is given waveforms, not patches
            views = AugmentSettings()
        dataset = open_dataset(context, front_end, views, all_clips=settings.all_clips)
        torch.manual_seed(settings.train.seed)
        network: nn.Module
        is_teacher = settings.network != "student"
        if settings.network == "vggish":
            network, result = train_teacher(dataset, settings, context)
        elif settings.network == "efficientat":
            network, result = train_efficientat(dataset, settings, context)
        else:
            network, result = train_student(dataset, settings, context)
        starts = _starts(settings.student)
        first = settings.teacher.weights if is_teacher else None
        card = card_of(
            network,
            dataset,
            front_end,
            seed=settings.train.seed,
            training=settings.model_dump(mode="json"),
            pretrained=starts[0].name if starts else first,
            heard_before=starts,
        )
        names = TEACHER_FILES if is_teacher else STUDENT_FILES
        if processes.is_first():
            card = finish(network, result, card, dataset, names, context)
        return RunResult(card, dataset.failures)


def distill(
    teacher_path: Path | Sequence[Path], settings: DistillRun, context: RunContext
) -> RunResult:
    """Distil a student from one or more trained teachers on a dataset folder.

    The teachers are asked once about each view of each clip. Their classes are the
    student's; so is the first one's front end, if the settings name no other.

    Parameters
    ----------
    teacher_path
        Model folder, or ``.pth`` file with metadata, of each teacher.

    Raises
    ------
    SeacallError
        Any of its kinds, in one line, for wrong settings, data or files.
    """
    paths = [teacher_path] if isinstance(teacher_path, Path) else list(teacher_path)
    if not paths:
        raise SettingsError("no teacher given; name one or more model folders")
    with processes.group(context.device):
        teachers = load_teachers(paths)
        chosen, first = settings.front_end, teachers[0].card
        front_end = chosen.front_end() if chosen else first.front_end
        augment = settings.train.augment
        dataset = open_dataset(
            context,
            front_end,
            augment,
            labels=first.labels,
            all_clips=settings.all_clips,
        )
        torch.manual_seed(settings.train.seed)
        student = first_student(dataset, settings.student, front_end)
        asked = _ask(teachers, dataset, settings, front_end, context)
        train_set = dataset.training()
        result = fit_student(
            student,
            replace(train_set, tensors=(*train_set.tensors, asked[0])),
            (*dataset.tensors("val"), asked[1]),
            DistillationLoss.of(settings.distill),
            settings.student,
            settings.train,
            context,
            "student",
        )
        starts = _starts(settings.student)
        card = card_of(
            student,
            dataset,
            front_end,
            seed=settings.train.seed,
            training=settings.model_dump(mode="json"),
            teacher=" + ".join(teacher.name for teacher in teachers),
            pretrained=starts[0].name if starts else None,
            heard_before=[*(teacher.card for teacher in teachers), *starts],
        )
        _compare_sizes(student, teachers, context)
        if processes.is_first():
            card = finish(student, result, card, dataset, STUDENT_FILES, context)
        return RunResult(card, dataset.failures)


def _ask(
    teachers: Sequence[Teacher],
    dataset: Dataset,
    settings: DistillRun,
    front_end: FrontEndSettings,
    context: RunContext,
) -> tuple[Tensor, Tensor]:
    """Return what teachers say of all views to train on, and of clips to validate."""
    augment = settings.train.augment
    if settings.hears == "views":
        return ask_teachers(teachers, dataset, front_end, augment, context)
    clips = replace(dataset, views=None)
    alone = augment.model_copy(update={"n_views": 1})
    train, val = ask_teachers(teachers, clips, front_end, alone, context)
    return train.repeat(augment.n_views, 1), val


def _starts(settings: StudentSettings) -> tuple[Card, ...]:
    """Return the card of what a student starts from."""
    return () if settings.start is None else (read_card(Path(settings.start)),)


def _compare_sizes(
    student: nn.Module, teachers: Sequence[Teacher], context: RunContext
) -> None:
    n_student = _n_parameters(student)
    n_teacher = sum(_n_parameters(teacher.network) for teacher in teachers)
    context.observer.say(
        f"student {n_student:,} parameters, teacher {n_teacher:,}: "
        f"{100 * (1 - n_student / n_teacher):.2f} % fewer"
    )


def open_dataset(
    context: RunContext,
    front_end: FrontEndSettings,
    augment: AugmentSettings,
    labels: tuple[str, ...] | None = None,
    *,
    all_clips: bool = False,
) -> Dataset:
    """Read what a run is to train on, say what it is, and make its folder.

    Parameters
    ----------
    all_clips
        See :func:`seacall.learn.dataset.load_dataset`.

    Raises
    ------
    SettingsError
        If the output folder holds a run already.
    AnnotationError
        If there is nothing to train on.
    """
    _refuse_used_folder(context.out, resume=context.resume)
    dataset = load_dataset(
        context.data,
        front_end,
        observer=context.observer,
        labels=labels,
        extra=context.extra,
        augment=augment,
        all_clips=all_clips,
        n_workers=context.n_workers,
    )
    require_trainable(dataset)
    context.out.mkdir(parents=True, exist_ok=True)
    context.observer.say(
        f"{_counted(dataset)}; {len(dataset.labels)} classes; "
        f"profile {front_end.profile.name}; {context.device.type}"
    )
    for manifest, arrays in zip(dataset.extra_manifests, dataset.extra, strict=True):
        context.observer.say(f"{len(arrays.targets)} more from {manifest.root}")
    if augment.n_views > 1:
        context.observer.say(f"{augment.n_views} views of each clip to train on")
    return dataset


def _counted(dataset: Dataset) -> str:
    n_train, n_val, n_test = (
        len(part.targets) for part in (dataset.train, dataset.val, dataset.test)
    )
    if dataset.all_clips:
        return f"all {n_train} clips to train on, none to validate or test"
    return f"{n_train} clips to train on, {n_val} to validate, {n_test} to test"


def _refuse_used_folder(out: Path, *, resume: bool) -> None:
    unfinished = (out / CHECKPOINT_NAME).exists()
    if (out / CARD_NAME).exists() and not unfinished:
        raise SettingsError(
            f"{out}: holds a finished model already; "
            "choose another output folder, or remove it"
        )
    if unfinished and not resume:
        raise SettingsError(
            f"{out}: holds an unfinished run; go on with --resume, "
            "or choose another output folder"
        )


def card_of(
    network: nn.Module,
    dataset: Dataset,
    front_end: FrontEndSettings,
    *,
    seed: int,
    training: dict[str, Any],
    teacher: str | None = None,
    pretrained: str | None = None,
    heard_before: Sequence[Card] = (),
) -> Card:
    """Return the card of a network that was trained on a dataset.

    Parameters
    ----------
    heard_before
        Cards of models that it learnt from: a teacher, what it started from.
    """
    architecture: Any = type(network).__name__
    if dataset.extra_manifests:
        extra = {m.root.name: m.fingerprint() for m in dataset.extra_manifests}
        training = {**training, "extra": extra}
    return Card(
        seacall_version=metadata.version("seacall"),
        architecture=architecture,
        takes="waveform" if takes_waveforms(network) else "patches",
        labels=dataset.labels,
        front_end=front_end,
        seed=seed,
        teacher=teacher,
        pretrained=pretrained,
        manifest_sha256=dataset.manifest.fingerprint(),
        deployments=heard_by(dataset, heard_before),
        training=training,
    )


def _n_parameters(network: nn.Module) -> int:
    return sum(p.numel() for p in network.parameters())
