"""Ask one or more teachers, each through its own front end, about the same clips."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

import torch
from torch import Tensor, nn

from seacall.augmentation import AugmentSettings
from seacall.config import FrontEndSettings
from seacall.data.arrays import ClipArrays
from seacall.data.manifest import LabelledClip
from seacall.errors import AnnotationError, CheckpointError
from seacall.learn.context import RunContext, logits_of
from seacall.learn.dataset import Dataset, load_dataset
from seacall.learn.heard import logits_of_waveforms, takes_waveforms
from seacall.models.checkpoint import Card
from seacall.models.committee import log_scores, member_folders
from seacall.models.network import load_model


@dataclass(frozen=True)
class Teacher:
    """A trained network and its card."""

    network: nn.Module
    card: Card

    @property
    def name(self) -> str:
        """Its architecture and the start of its weights' sha256."""
        return self.card.name


def load_teachers(paths: Sequence[Path]) -> tuple[Teacher, ...]:
    """Load models that know the same classes; a committee is all of its members.

    Raises
    ------
    CheckpointError
        If one cannot be loaded, or its classes are not the first one's.
    """
    paths = [member for path in paths for member in member_folders(path)]
    teachers = tuple(Teacher(*load_model(path)) for path in paths)
    first = teachers[0].card.labels
    for path, teacher in zip(paths, teachers, strict=True):
        own = teacher.card.labels
        if own != first:
            differing = ", ".join(sorted(set(first) ^ set(own))) or "their order"
            raise CheckpointError(
                f"{path}: its classes are not those of {paths[0]} ({differing}); "
                "give teachers that were trained on the same classes"
            )
    return teachers


def ask_teachers(
    teachers: Sequence[Teacher],
    dataset: Dataset,
    front_end: FrontEndSettings,
    augment: AugmentSettings,
    context: RunContext,
) -> tuple[Tensor, Tensor]:
    """Ask all teachers about the clips that a student is trained on and validated with.

    One teacher answers with its logits. Of several the logarithms of the calibrated
    scores are averaged, so that none outweighs the others by being too sure of itself;
    a score below 1e-7 counts as that.

    Parameters
    ----------
    dataset
        The student's clips and views.
    front_end
        What they went through. A teacher with another one hears the same clips and the
        same changed views through its own.

    Returns
    -------
    train, val
        Shape ``(n, n_classes)`` each; all views of the training clips.

    Raises
    ------
    AnnotationError
        If some clips can be read through one front end and not through another.
    """
    alone = len(teachers) == 1
    answers = []
    for number, teacher in enumerate(teachers, start=1):
        name = "teacher" if alone else f"teacher {number}"
        asked = _asked(teacher, dataset, front_end, augment, context, name=name)
        answers.append(
            asked if alone else [_log_scores(part, teacher.card) for part in asked]
        )
    train, val = (torch.stack(same).mean(dim=0) for same in zip(*answers, strict=True))
    return train, val


def _asked(
    teacher: Teacher,
    dataset: Dataset,
    front_end: FrontEndSettings,
    augment: AugmentSettings,
    context: RunContext,
    *,
    name: str,
) -> list[Tensor]:
    """Return one teacher's logits of the training clips and of those to validate."""
    network, own_front_end = teacher.network, teacher.card.front_end
    if takes_waveforms(network):
        parts = (dataset.train, *dataset.extra)
        clips = [clip for part in parts for clip in part.clips]
        asked: list[tuple[str, Sequence[LabelledClip], AugmentSettings | None]] = [
            ("train", clips, augment),
            ("val", dataset.val.clips, None),
        ]
        return [
            logits_of_waveforms(
                network,
                part,
                own_front_end,
                context,
                stage=f"{name}, {split}",
                augment=views,
            )
            for split, part, views in asked
        ]
    own = dataset
    if own_front_end != front_end:
        own = _through(own_front_end, dataset, augment, context)
    train, val = own.training().tensors, own.tensors("val")
    return [
        logits_of(network, part, context, stage=f"{name}, {split}")
        for split, part in (("train", train), ("val", val))
    ]


def _log_scores(logits: Tensor, card: Card) -> Tensor:
    return torch.from_numpy(log_scores(logits.numpy(), card.calibration))


def _through(
    front_end: FrontEndSettings,
    dataset: Dataset,
    augment: AugmentSettings,
    context: RunContext,
) -> Dataset:
    """Return the same clips and views through another front end."""
    own = load_dataset(
        dataset.manifest.root,
        front_end,
        observer=context.observer,
        labels=dataset.labels,
        extra=[manifest.root for manifest in dataset.extra_manifests],
        augment=augment,
        n_workers=context.n_workers,
    )
    for mine, theirs in (
        (dataset.train, own.train),
        (dataset.val, own.val),
        *zip(dataset.extra, own.extra, strict=True),
    ):
        _refuse_other_clips(mine, theirs, front_end)
    return own


def _refuse_other_clips(
    mine: ClipArrays, theirs: ClipArrays, front_end: FrontEndSettings
) -> None:
    differing = {c.path for c in mine.clips} ^ {c.path for c in theirs.clips}
    if differing:
        raise AnnotationError(
            f"{min(differing)}: can be used with one profile only, and another is "
            f"{front_end.profile.name}; remove it, or choose teachers of one profile"
        )
