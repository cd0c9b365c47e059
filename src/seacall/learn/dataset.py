"""A dataset folder as training sees it: its table checked, its clips in memory."""

from __future__ import annotations

import logging
from collections.abc import Sequence
from dataclasses import dataclass, replace
from pathlib import Path

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor

from seacall.augmentation import AugmentSettings
from seacall.config import FrontEndSettings
from seacall.data.arrays import ClipArrays, load_arrays, subset
from seacall.data.cache import FrontEndCache
from seacall.data.fixed import to_fixed
from seacall.data.leaks import check_leaks
from seacall.data.loader import clip_tensors
from seacall.data.manifest import Failure, Manifest, read_manifest
from seacall.data.split import Split
from seacall.data.views import Views, load_views
from seacall.errors import AnnotationError
from seacall.labels import class_labels
from seacall.learn.observe import Observer

logger = logging.getLogger(__name__)

IntArray = NDArray[np.int64]

_LOOKED_AT = 64
"""Training clips on which the loop measures itself where none are held out."""


@dataclass(frozen=True)
class TrainingSet:
    """What a network is trained on: clips, perhaps in several views each."""

    tensors: tuple[Tensor, ...]
    """Network input, raw features, class numbers: all clips' first views, then all
    second ones, and so on. With several views log-mel is in fixed point."""
    deployments: tuple[str, ...]
    """Of each clip, without its views."""
    n_views: int = 1
    all_clips: bool = False
    """Whether nothing was kept back to validate."""


def training_set(clips: Sequence[ClipArrays], views: Views | None) -> TrainingSet:
    """Put clips and their changed views together.

    Parameters
    ----------
    clips
        One or more sets.
    views
        Of all the sets' clips, one set after the other; None: there are none.
    """
    deployments = tuple(c.deployment for part in clips for c in part.clips)
    parts = [clip_tensors(part) for part in clips]
    if views is None:
        if len(parts) == 1:
            return TrainingSet(parts[0], deployments)
        tensors = tuple(torch.cat(same) for same in zip(*parts, strict=True))
        return TrainingSet(tensors, deployments)
    n_views = 1 + len(views.log_mel)
    first = [to_fixed(part.log_mel) for part in clips]
    log_mel = np.concatenate([*first, *views.log_mel])
    features = np.concatenate([*(part.features for part in clips), *views.features])
    targets = torch.cat([part[2] for part in parts]).repeat(n_views)
    tensors = torch.from_numpy(log_mel), torch.from_numpy(features), targets
    return TrainingSet(tensors, deployments, n_views)


@dataclass(frozen=True)
class Dataset:
    """Training, validation and test clips of one folder, all through one front end."""

    manifest: Manifest
    labels: tuple[str, ...]
    """Classes in the order of the targets; the last is ``unknown``."""
    train: ClipArrays
    val: ClipArrays
    test: ClipArrays
    extra: tuple[ClipArrays, ...] = ()
    """Training clips of other folders."""
    extra_manifests: tuple[Manifest, ...] = ()
    """Of those folders."""
    views: Views | None = None
    """Changed views of all training clips, the extra ones included."""
    all_clips: bool = False
    """Whether ``train`` holds the clips of all splits; then ``val`` is some of the same
    and tells nothing, and ``test`` is empty."""

    def training(self) -> TrainingSet:
        """Return all that is trained on, with the extra clips and all views."""
        found = training_set((self.train, *self.extra), self.views)
        return replace(found, all_clips=self.all_clips)

    def tensors(self, split: Split) -> tuple[Tensor, ...]:
        """Return a split's patches, raw features and class numbers as tensors."""
        return clip_tensors(self.arrays(split))

    def arrays(self, split: Split) -> ClipArrays:
        """Return one split."""
        return {"train": self.train, "val": self.val, "test": self.test}[split]

    @property
    def failures(self) -> tuple[Failure, ...]:
        """Everything that was left out, with reasons."""
        splits = (self.train,) if self.all_clips else (self.train, self.val, self.test)
        arrays = (*splits, *self.extra)
        tables = (self.manifest, *self.extra_manifests)
        parts = [part.failures for part in tables] + [one.failures for one in arrays]
        return tuple(failure for part in parts for failure in part)


def load_dataset(
    root: Path,
    front_end: FrontEndSettings,
    *,
    observer: Observer,
    labels: tuple[str, ...] | None = None,
    extra: Sequence[Path] = (),
    augment: AugmentSettings | None = None,
    all_clips: bool = False,
    n_workers: int = 1,
) -> Dataset:
    """Read a dataset folder and run its clips through the front end.

    Parameters
    ----------
    labels
        Classes of a model that was trained before; None: those of the training clips.
        A clip of any other species counts as ``unknown``.
    extra
        Dataset folders whose training clips are added; their other clips are not
        looked at, and their species make no classes.
    augment
        What views of the training clips are made; None: none.
    all_clips
        Train on the clips of all splits. The classes are then those of all of them.

    Raises
    ------
    AnnotationError
        If the tables are wrong, the same audio lies in two splits, or training has
        fewer than two classes or no clip that can be used.
    """
    manifest = read_manifest(root)
    others = tuple(read_manifest(folder) for folder in extra)
    check_leaks(manifest, others)
    _warn_of_shared_deployments(manifest, others)
    own = class_labels(c.label for c in manifest.clips) if all_clips else ()
    labels = labels or own or manifest.labels

    def load(of: Manifest, split: Split) -> ClipArrays:
        name = split if of is manifest else of.root.name
        whole = all_clips and of is manifest
        return load_arrays(
            manifest.clips if whole else of.split(split),
            front_end,
            labels=labels,
            cache=FrontEndCache.beside(of.root),
            features_fingerprint=of.front_end_fingerprint,
            n_workers=n_workers,
            progress=lambda done, total: observer.progress(
                f"front end, {name}", done, total
            ),
        )

    train, more = load(manifest, "train"), tuple(load(one, "train") for one in others)
    views = None
    if augment is not None and augment.n_views > 1:
        views = load_views(
            [clip for part in (train, *more) for clip in part.clips],
            front_end,
            augment,
            cache=FrontEndCache.beside(root),
            n_workers=n_workers,
            progress=lambda done, total: observer.progress("views", done, total),
        )
    if all_clips:
        val, test = some_of(train), subset(train, np.arange(0))
    else:
        val, test = load(manifest, "val"), load(manifest, "test")
    return Dataset(
        manifest=manifest,
        labels=labels,
        train=train,
        val=val,
        test=test,
        extra=more,
        extra_manifests=others,
        views=views,
        all_clips=all_clips,
    )


def some_of(clips: ClipArrays) -> ClipArrays:
    """Return some clips that the loop can measure itself on where none are held out."""
    return subset(clips, some_rows(len(clips.targets)))


def some_rows(n: int) -> IntArray:
    """Return the numbers of some of ``n`` clips, evenly spread."""
    return np.unique(np.linspace(0, n - 1, min(n, _LOOKED_AT)).astype(np.int64))


def _warn_of_shared_deployments(manifest: Manifest, extra: Sequence[Manifest]) -> None:
    held_out = {c.deployment for c in manifest.clips if c.split != "train"} - {""}
    for one in extra:
        shared = sorted(held_out & {c.deployment for c in one.split("train")})
        if shared:
            logger.warning(
                "%s: trains on deployments of the same name as some of %s that "
                "validate or test: %s; if they are the same, leave them out",
                one.root,
                manifest.root,
                ", ".join(shared[:5]),
            )


def require_trainable(dataset: Dataset) -> None:
    """Check that a network can be trained on a dataset.

    Raises
    ------
    AnnotationError
        If training or validation has no clips, or training only one class.
    """
    root = dataset.manifest.root
    for name, arrays in (("train", dataset.train), ("validate", dataset.val)):
        if not len(arrays.targets):
            raise AnnotationError(
                f"{root / name}: holds no recording that can be used; "
                "training needs some in train and in validate"
            )
    if len(set(dataset.train.targets.tolist())) < 2:
        raise AnnotationError(
            f"{root / 'train'}: holds one class only; training needs two or more"
        )
