"""Run a model over a dataset's recordings and write everything that was found.

What is measured is what ships: scores come from ``detect.classify``.
"""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

import numpy as np

from seacall.data.arrays import ClipArrays
from seacall.data.split import Split
from seacall.detect.classify import BATCH_SIZE, score_inputs
from seacall.errors import AnnotationError, CheckpointError, MissingExtraError
from seacall.learn.baselines import Rows, baseline_scores
from seacall.learn.dataset import Dataset
from seacall.learn.embedding_map import (
    FIGURES_NAME,
    MAP_NAME,
    embed_clips,
    write_map,
)
from seacall.learn.embedding_probe import lines as map_lines
from seacall.learn.evaluate import evaluate_predictions
from seacall.learn.evaluation import Evaluation
from seacall.learn.inputs import inputs_of as inputs_of
from seacall.learn.metrics import FloatArray
from seacall.learn.observe import Observer
from seacall.learn.plots import plot_confusion, plot_per_class, plot_reliability
from seacall.learn.predictions import Predictions, write_predictions
from seacall.learn.report import write_report
from seacall.learn.tables import write_misclassified
from seacall.models.backend import Classifier, load_classifier
from seacall.models.checkpoint import Card
from seacall.models.embedding import load_embedder

METRICS_NAME = "metrics.json"
REPORT_NAME = "report.html"


def predict(
    classifier: Classifier,
    arrays: ClipArrays,
    *,
    root: Path,
    split: Split,
    observer: Observer,
) -> Predictions:
    """Score all clips of a split.

    Raises
    ------
    AnnotationError
        If the split has no clip that can be used.
    """
    n_clips = len(arrays.targets)
    if not n_clips:
        raise AnnotationError(
            f"{root}: its {split} split holds no recording that can be used; "
            "choose another split"
        )
    parts = []
    for start in range(0, n_clips, BATCH_SIZE):
        rows = range(start, min(start + BATCH_SIZE, n_clips))
        parts.append(score_inputs(classifier, inputs_of(arrays, rows, classifier.card)))
        observer.progress(f"scoring, {split}", rows.stop, n_clips)
    return Predictions(
        labels=classifier.card.labels,
        targets=arrays.targets,
        scores=np.concatenate(parts).astype(np.float64),
        file_names=tuple(
            clip.path.relative_to(root).as_posix() for clip in arrays.clips
        ),
        deployments=tuple(clip.deployment for clip in arrays.clips),
        sample_rates=np.array([clip.sample_rate for clip in arrays.clips]),
        split=split,
    )


def measure(
    model: Path,
    dataset: Dataset,
    *,
    out: Path,
    observer: Observer,
    misclassified_name: str = "misclassified_samples.xlsx",
    history: Sequence[Mapping[str, Any]] | None = None,
    split: Split = "test",
    threshold: float | None = None,
) -> Evaluation:
    """Measure a model folder on one split and write tables, plots and the report.

    Writes ``metrics.json``, ``predictions.csv``, ``confusion.png``, ``per_class.png``,
    ``reliability.png``, ``report.html``, ``embedding_map.html`` with its figures, and
    the misclassified recordings as Excel.

    Parameters
    ----------
    model
        Model folder.
    out
        Folder to write into; made if it is not there.
    history
        The training run's epochs, for the report.
    threshold
        Smallest score that counts as an answer; None: the card's, by class.

    Raises
    ------
    AnnotationError
        If the split has no clip that can be used.
    CheckpointError
        If the model cannot be loaded.
    """
    classifier = load_classifier(model)
    arrays = dataset.arrays(split)
    predictions = predict(
        classifier, arrays, root=dataset.manifest.root, split=split, observer=observer
    )
    evaluation = evaluate_predictions(
        predictions,
        baselines=_baselines(dataset, arrays, n_classes=len(predictions.labels)),
        train_deployments=_train_deployments(classifier.card, dataset),
        rng=np.random.default_rng(0),
        threshold=_lowest(classifier.card) if threshold is None else threshold,
    )
    out.mkdir(parents=True, exist_ok=True)
    write_predictions(predictions, out / "predictions.csv")
    write_misclassified(predictions, out / misclassified_name)
    text = json.dumps(evaluation.as_dict(), indent=2, ensure_ascii=False)
    (out / METRICS_NAME).write_text(text + "\n", encoding="utf-8")
    sorted_by = _map(model, dataset, classifier.card, out=out, observer=observer)
    _report(evaluation, classifier.card, out=out, history=history, sorted_by=sorted_by)
    return evaluation


def summary(evaluation: Evaluation) -> dict[str, Any]:
    """Return the figures that belong into a model's card."""
    found = evaluation.as_dict()
    keys = (
        "split",
        "n_recordings",
        "n_deployments",
        "leaky",
        "interval_level",
        "interval_note",
        "figures",
    )
    return {key: found[key] for key in keys}


def _lowest(card: Card) -> float | tuple[float, ...]:
    return card.lowest_scores if card.thresholds else card.threshold


def _train_deployments(card: Card, dataset: Dataset) -> set[str] | None:
    """Return what the model was trained on; None if it was on another dataset.

    Deployments of its first weights and of its teacher count, wherever they were.
    """
    if card.manifest_sha256 != dataset.manifest.fingerprint():
        return None
    return {clip.deployment for clip in dataset.train.clips} | set(card.deployments)


def _baselines(
    dataset: Dataset, arrays: ClipArrays, *, n_classes: int
) -> dict[str, FloatArray]:
    """Return the baselines' scores; none where the dataset has nothing to train on."""
    if not len(dataset.train.targets):
        return {}
    return baseline_scores(_rows(dataset.train), _rows(arrays), n_classes=n_classes)


def _rows(arrays: ClipArrays) -> Rows:
    return Rows(
        targets=arrays.targets.tolist(),
        deployments=[clip.deployment for clip in arrays.clips],
        sample_rates=[clip.sample_rate for clip in arrays.clips],
    )


def _map(
    model: Path, dataset: Dataset, card: Card, *, out: Path, observer: Observer
) -> list[str]:
    """Draw the map of all of a dataset's clips; say what they are sorted by.

    A model without an embedding has none, and nothing is said.
    """
    # What an earlier evaluation drew must not stand beside this one's figures.
    for name in (MAP_NAME, FIGURES_NAME):
        (out / name).unlink(missing_ok=True)
    try:
        embedder = load_embedder(model)
    except (CheckpointError, MissingExtraError) as error:
        observer.say(f"no embedding map: {error}")
        return []
    parts = [dataset.train, dataset.val, dataset.test]
    found = embed_clips(
        embedder,
        parts[:1] if dataset.all_clips else parts,
        root=dataset.manifest.root,
        observer=observer,
        rng=np.random.default_rng(0),
    )
    return map_lines(write_map(found, out, title=f"Embedding map: {card.name}"))


def _report(
    evaluation: Evaluation,
    card: Card,
    *,
    out: Path,
    history: Sequence[Mapping[str, Any]] | None,
    sorted_by: Sequence[str],
) -> None:
    plots = {
        "confusion": out / "confusion.png",
        "per_class": out / "per_class.png",
        "reliability": out / "reliability.png",
    }
    plot_confusion(evaluation.confusion, evaluation.labels, plots["confusion"])
    plot_per_class(evaluation.classes, plots["per_class"])
    plot_reliability(evaluation.reliability, plots["reliability"])
    if history:
        plots["curves"] = out / "curves.png"
    write_report(
        evaluation,
        path=out / REPORT_NAME,
        title=f"{card.architecture}: {evaluation.split} recordings",
        settings={**card.training, "front_end": card.front_end.model_dump(mode="json")},
        plots=plots,
        model_info={
            "architecture": card.architecture,
            "parameters": card.n_parameters,
            "multiply-adds a clip": card.n_multiply_adds,
            "teacher": card.teacher,
            "profile": card.front_end.profile.name,
            "short clips": card.front_end.clip.fit,
            "training table": card.manifest_sha256[:12],
            "seed": card.seed,
        },
        history=history,
        sorted_by=sorted_by,
    )
