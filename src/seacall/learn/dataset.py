"""A dataset folder as training sees it: its table checked, its clips in memory."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path

from torch import Tensor

from seacall.config import FrontEndSettings
from seacall.data.arrays import ClipArrays, load_arrays
from seacall.data.cache import FrontEndCache
from seacall.data.duplicates import check_leaks
from seacall.data.loader import clip_tensors
from seacall.data.manifest import Failure, Manifest, read_manifest
from seacall.data.split import Split
from seacall.errors import AnnotationError
from seacall.learn.observe import Observer


@dataclass(frozen=True)
class Dataset:
    """Training, validation and test clips of one folder, all through one front end."""

    manifest: Manifest
    labels: tuple[str, ...]
    """Classes in the order of the targets; the last is ``unknown``."""
    train: ClipArrays
    val: ClipArrays
    test: ClipArrays

    def tensors(self, split: Split) -> tuple[Tensor, ...]:
        """Return a split's patches, raw features and class numbers as tensors."""
        return clip_tensors(self.arrays(split))

    def arrays(self, split: Split) -> ClipArrays:
        """Return one split."""
        return {"train": self.train, "val": self.val, "test": self.test}[split]

    @property
    def failures(self) -> tuple[Failure, ...]:
        """Everything that was left out, with reasons."""
        parts = (self.train.failures, self.val.failures, self.test.failures)
        return sum(parts, self.manifest.failures)


def load_dataset(
    root: Path,
    front_end: FrontEndSettings,
    *,
    observer: Observer,
    labels: tuple[str, ...] | None = None,
    n_workers: int = 1,
) -> Dataset:
    """Read a dataset folder and run its clips through the front end.

    Parameters
    ----------
    labels
        Classes of a model that was trained before; None: those of the training clips.
        A clip of any other species counts as ``unknown``.

    Raises
    ------
    AnnotationError
        If the tables are wrong, the same audio lies in two splits, or training has
        fewer than two classes or no clip that can be used.
    """
    manifest = read_manifest(root)
    check_leaks(manifest)
    labels = labels or manifest.labels
    cache = FrontEndCache.beside(root)

    def load(split: Split) -> ClipArrays:
        return load_arrays(
            manifest.split(split),
            front_end,
            labels=labels,
            cache=cache,
            features_fingerprint=manifest.front_end_fingerprint,
            n_workers=n_workers,
            progress=lambda done, total: observer.progress(
                f"front end, {split}", done, total
            ),
        )

    return Dataset(
        manifest=manifest,
        labels=labels,
        train=load("train"),
        val=load("val"),
        test=load("test"),
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
