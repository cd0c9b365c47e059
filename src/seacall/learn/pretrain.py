"""Teach a student's trunk on labelled clips, simulated ones say, before the real ones.

It learns to tell the classes, and to say what a network that knows AudioSet hears. What
is kept of it is the embedding: prototypes of other classes are put on it afterwards.
"""

from __future__ import annotations

from dataclasses import dataclass, replace

import numpy as np
import torch
import torch.nn.functional as F
from numpy.typing import NDArray
from torch import Tensor, nn

from seacall.config import FrontEndSettings, PretrainRun
from seacall.data.arrays import ClipArrays
from seacall.files import file_sha256
from seacall.learn import processes
from seacall.learn.context import RunContext, fit_and_tell
from seacall.learn.dataset import Dataset
from seacall.learn.heard import heard_in, open_efficientat
from seacall.learn.outputs import STUDENT_FILES, finish
from seacall.learn.runs import RunResult, card_of, open_dataset
from seacall.learn.student import fresh_student
from seacall.learn.teacher import without_logits
from seacall.models.mn04 import efficientat_teacher
from seacall.models.student import N_EMBEDDING, AudioTransformerStudent

Float32 = NDArray[np.float32]
Float64 = NDArray[np.float64]

_TINY = 1e-3
"""Smallest deviation of a number that is told from none."""


class PretrainLoss(nn.Module):
    r"""Cross-entropy with smoothed labels, and the distance to another's embedding.

    .. math::
        L = CE(p, y) + \beta \, \frac{1}{K} \sum_k w_k (f_k - t_k)^2

    Parameters
    ----------
    n_classes
        Columns of a network's answer that are logits; the others are :math:`f`.
    weights
        Of the components, :math:`w`, shape ``(n_components,)``.
    feature_weight
        :math:`\beta`.
    label_smoothing
        Share of each label that is spread over all classes.
    """

    weights: Tensor

    def __init__(
        self,
        n_classes: int,
        weights: Tensor,
        *,
        feature_weight: float,
        label_smoothing: float,
    ) -> None:
        super().__init__()
        self.n_classes = n_classes
        self.register_buffer("weights", weights)
        self.feature_weight = feature_weight
        self.label_smoothing = label_smoothing

    def forward(self, answers: Tensor, wanted: Tensor, targets: Tensor) -> Tensor:
        """Return the mean loss of a batch.

        Parameters
        ----------
        answers
            Logits, then features, shape ``(batch, n_classes + n_components)``.
        wanted
            The features of the other network, ``(batch, n_components)``.
        targets
            Class numbers, shape ``(batch,)``.
        """
        n = self.n_classes
        loss = F.cross_entropy(
            answers[:, :n], targets, label_smoothing=self.label_smoothing
        )
        if wanted.shape[1] == 0:
            return loss
        apart = (answers[:, n:] - wanted).square() * self.weights
        return loss + self.feature_weight * apart.mean()


@dataclass(frozen=True, eq=False)
class Components:
    """Principal components of an embedding, each brought to deviation 1.

    Every number of the embedding is standardised first, so that large ones do not
    outshout the others.
    """

    mean: Float64
    """Of each number, shape ``(n_numbers,)``."""
    axes: Float64
    """From standardised numbers to components, ``(n_numbers, n_components)``."""
    deviation: Float64
    """Of each component before it was brought to 1, ``(n_components,)``, descending."""

    @property
    def weights(self) -> Float64:
        """Root of each component's deviation over the mean one: what to heed most."""
        return np.asarray(np.sqrt(self.deviation / self.deviation.mean()))

    def of(self, embeddings: NDArray[np.floating]) -> Float32:
        """Return the components of embeddings, shape ``(n, n_components)``."""
        found = (embeddings - self.mean) @ self.axes / self.deviation
        return np.asarray(found, np.float32)


def principal_components(
    embeddings: NDArray[np.floating], *, n_components: int
) -> Components:
    """Find the directions in which embeddings differ most.

    Parameters
    ----------
    embeddings
        Shape ``(n, n_numbers)``.
    n_components
        At most; fewer where the embeddings lie in fewer dimensions.
    """
    x = np.asarray(embeddings, np.float64)
    mean, scale = x.mean(axis=0), x.std(axis=0) + _TINY
    _, sizes, axes = np.linalg.svd((x - mean) / scale, full_matrices=False)
    deviation = sizes / np.sqrt(len(x))
    n = max(1, min(n_components, int((deviation > _TINY).sum())))
    return Components(
        mean=mean,
        axes=axes[:n].T / scale[:, None],
        deviation=np.maximum(deviation[:n], _TINY),
    )


def pretrain(settings: PretrainRun, context: RunContext) -> RunResult:
    """Teach a student on a dataset folder's labels and on what EfficientAT hears.

    Returns
    -------
    result
        Of a model folder with the dataset's own classes.

    Raises
    ------
    SeacallError
        Any of its kinds, in one line, for wrong settings, data or files.
    """
    with processes.group(context.device):
        front_end = settings.front_end.front_end()
        dataset = open_dataset(context, front_end, settings.train.augment)
        lesson = _lesson(dataset, settings, front_end, context)
        torch.manual_seed(settings.train.seed)
        network = _WithFeatures(fresh_student(dataset), len(lesson.weights))
        train_set = dataset.training()
        wanted = lesson.train.repeat(train_set.n_views, 1)
        result = fit_and_tell(
            network,
            replace(train_set, tensors=(*train_set.tensors, wanted)),
            (*dataset.tensors("val"), lesson.val),
            PretrainLoss(
                len(dataset.labels),
                lesson.weights,
                feature_weight=settings.feature_weight,
                label_smoothing=settings.label_smoothing,
            ).to(context.device),
            settings.train,
            context,
            "trunk",
        )
        student = network.student
        card = card_of(
            student,
            dataset,
            front_end,
            seed=settings.train.seed,
            training=settings.model_dump(mode="json"),
            teacher=lesson.teacher,
        )
        if processes.is_first():
            card = finish(student, result, card, dataset, STUDENT_FILES, context)
        return RunResult(card, dataset.failures)


@dataclass(frozen=True, eq=False)
class _Lesson:
    """What a trunk learns beside the labels."""

    train: Tensor
    """Components of what another network hears, ``(n, n_components)``."""
    val: Tensor
    weights: Tensor
    """Of the components, shape ``(n_components,)``."""
    teacher: str | None = None
    """Whose components they are."""


def _lesson(
    dataset: Dataset,
    settings: PretrainRun,
    front_end: FrontEndSettings,
    context: RunContext,
) -> _Lesson:
    parts = (dataset.train, *dataset.extra)
    if settings.weights is None or settings.feature_weight == 0:
        train, val = (
            without_logits((torch.zeros(n),))[-1]
            for n in (sum(len(p.targets) for p in parts), len(dataset.val.targets))
        )
        return _Lesson(train, val, torch.zeros(0))
    network, path = open_efficientat(settings.weights)
    rate = front_end.profile.sample_rate
    teacher = efficientat_teacher(network, 2, sample_rate=rate)

    def heard(of: ClipArrays, name: str) -> Float32:
        stage = f"EfficientAT, {name}"
        return heard_in(teacher, of.clips, front_end, context, stage=stage)

    embedded = np.concatenate([heard(part, "train") for part in parts])
    found = principal_components(embedded, n_components=settings.n_components)
    context.observer.say(
        f"EfficientAT mn04: {path.name}; {len(found.deviation)} components of what it "
        f"hears in {len(embedded)} clips are learnt beside the labels"
    )
    return _Lesson(
        train=torch.from_numpy(found.of(embedded)),
        val=torch.from_numpy(found.of(heard(dataset.val, "val"))),
        weights=torch.from_numpy(found.weights.astype(np.float32)),
        teacher=f"EfficientAT mn04 {file_sha256(path)[:12]}, its embedding",
    )


class _WithFeatures(nn.Module):
    """A student that also says what another network would hear."""

    def __init__(self, student: AudioTransformerStudent, n_features: int) -> None:
        super().__init__()
        self.student = student
        self.features = nn.Linear(N_EMBEDDING, n_features) if n_features else None

    def forward(self, log_mel: Tensor, features: Tensor) -> Tensor:
        embedding = self.student.embed(log_mel, features)
        logits: Tensor = self.student.classifier(embedding)
        if self.features is None:
            return logits
        return torch.cat([logits, self.features(embedding)], dim=1)
