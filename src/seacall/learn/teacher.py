"""Train the teacher: whole, or its own layers behind frozen convolutions."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

import torch
from torch import Tensor, nn

from seacall.augmentation import AugmentSettings
from seacall.config import TeacherSettings, TrainRun
from seacall.data.loader import as_float
from seacall.errors import SettingsError
from seacall.learn.context import ASK_BATCH, RunContext, fit_and_tell
from seacall.learn.dataset import Dataset
from seacall.learn.train import FitResult, LabelLoss
from seacall.models.pretrained import check_sha256, fetch
from seacall.models.vggish import (
    VGGISH_SHA256,
    VGGISH_URL,
    TeacherHead,
    VGGishTeacher,
    load_vggish_convolutions,
)


def train_teacher(
    dataset: Dataset, settings: TrainRun, context: RunContext
) -> tuple[VGGishTeacher, FitResult]:
    """Train a VGGish teacher on a dataset's labels."""
    teacher = VGGishTeacher(num_classes=len(dataset.labels))
    frozen = convolutions_frozen(settings.teacher)
    _start_convolutions(teacher, settings, context, frozen=frozen)
    if settings.teacher.weights is None:
        teacher.scale.fit(torch.from_numpy(dataset.train.log_mel))
    train_set, val_set = dataset.training(), dataset.tensors("val")
    network: nn.Module = teacher
    if frozen:
        _refuse_patch_changes(settings.train.augment)
        network = TeacherHead(teacher)
        embedded = _embedded(teacher, train_set.tensors, context, "train")
        train_set = replace(train_set, tensors=embedded)
        val_set = _embedded(teacher, val_set, context, "val")
    rate = settings.teacher.convolution_rate
    result = fit_and_tell(
        network,
        replace(train_set, tensors=without_logits(train_set.tensors)),
        without_logits(val_set),
        LabelLoss(),
        settings.train,
        context,
        "teacher",
        rates=lambda name: rate if name.startswith("features.") else 1.0,
    )
    return teacher, result


def convolutions_frozen(settings: TeacherSettings) -> bool:
    """Tell whether the convolutions are kept as they start."""
    if settings.convolutions == "auto":
        return settings.weights is not None
    return settings.convolutions == "frozen"


def _refuse_patch_changes(augment: AugmentSettings) -> None:
    if augment.changes_patches():
        raise SettingsError(
            "masks and MixStyle change log-mel patches, which frozen convolutions see "
            "only once; set train.augment.mask.probability and "
            "train.augment.mixstyle.probability to 0, or train the convolutions"
        )


def without_logits(tensors: tuple[Tensor, ...]) -> tuple[Tensor, ...]:
    """Fill the place of a teacher's logits with nothing."""
    return (*tensors, torch.zeros(len(tensors[0]), 0))


def _start_convolutions(
    teacher: VGGishTeacher, run: TrainRun, context: RunContext, *, frozen: bool
) -> None:
    say = context.observer.say
    settings = run.teacher
    then = "kept as they are" if frozen else "trained with the rest"
    if settings.weights is None:
        say(
            "VGGish convolutions: no checkpoint given, so they start at random "
            f"(He et al. 2015) and are {then}"
        )
        return
    if run.front_end.profile != "vggish-16k":
        say(
            f"VGGish was trained with profile vggish-16k, not {run.front_end.profile}: "
            "its weights will be of less use"
        )
    if settings.weights == "download":
        path = fetch(VGGISH_URL, sha256=VGGISH_SHA256)
    else:
        path = Path(settings.weights)
        check_sha256(path, VGGISH_SHA256)
    load_vggish_convolutions(teacher, path)
    say(f"VGGish convolutions: {path.name}, sha256 checked, {then}")


def _embedded(
    teacher: VGGishTeacher,
    tensors: tuple[Tensor, ...],
    context: RunContext,
    name: str,
) -> tuple[Tensor, ...]:
    """Replace patches by what the frozen convolutions make of them."""
    log_mel, features, targets = tensors
    teacher.to(context.device).eval()
    parts = []
    for start in range(0, len(log_mel), ASK_BATCH):
        batch = log_mel[start : start + ASK_BATCH].to(context.device)
        with torch.no_grad():
            parts.append(teacher.embed(as_float(batch)).cpu())
        done = min(start + ASK_BATCH, len(log_mel))
        context.observer.progress(f"convolutions, {name}", done, len(log_mel))
    return torch.cat(parts), features, targets
