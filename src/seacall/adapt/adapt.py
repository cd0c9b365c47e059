"""Teach a model new classes from a few labelled clips: ``seacall adapt``."""

from __future__ import annotations

import json
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from seacall.adapt.choose import Chosen
from seacall.adapt.clips import Heard, read_clips
from seacall.adapt.graft import read_last_layer, write_model
from seacall.adapt.guards import Guards, choose_thresholds, measure
from seacall.adapt.heads import HEADS
from seacall.adapt.lesson import Material
from seacall.adapt.plan import Plan, plan_classes
from seacall.adapt.proof import prove
from seacall.adapt.remarks import limits_of, remarks_on
from seacall.adapt.settings import AdaptSettings
from seacall.adapt.teach import Taught, behind_trunk, teach
from seacall.adapt.tested import measure_test
from seacall.adapt.work import Work
from seacall.data.manifest import Failure
from seacall.errors import SettingsError
from seacall.files import written_whole
from seacall.labels import UNKNOWN
from seacall.models.bank import Bank, bank_of, write_bank
from seacall.models.calibrated import calibrated
from seacall.models.checkpoint import (
    CARD_NAME,
    VERIFY_NAME,
    Calibration,
    Card,
    UnknownRule,
    read_card,
    write_card,
)
from seacall.models.embedding import load_embedder
from seacall.models.shipped import shipped_folder

Float64 = NDArray[np.float64]
Tell = Callable[[str, int, int], None]

REPORT_NAME = "adapt.json"


@dataclass(frozen=True, eq=False)
class Adapted:
    """What came of it."""

    out: Path
    card: Card
    plan: Plan
    chosen: Chosen
    guards: Guards
    remarks: tuple[str, ...]
    """What to beware of."""
    failures: tuple[Failure, ...]
    """Clips that were left out, and why."""
    test: dict[str, Any] | None
    """Figures on clips that were kept for that; None: there were none."""

    def lines(self) -> list[str]:
        """Return the result for people."""
        found = self.chosen
        how = (
            f"chosen on {found.n_folds} folds" if found.n_folds else "nothing held out"
        )
        tried = ", ".join(f"{k} {v:.3f}" for k, v in found.losses.items())
        lines = [
            f"{self.out}: {len(self.card.labels) - 1} classes and {UNKNOWN}, taught: "
            f"{', '.join(self.plan.new)}",
            f"head: {found.head} ({how}; loss: {tried})",
            *self.guards.lines(),
        ]
        if self.test:
            lines.append(
                f"test clips: {self.test['n_clips']}, accuracy "
                f"{self.test['accuracy']:.2f}, answered {self.test['answered']:.0%}, "
                f"of these right {self.test['answered_right']:.0%}"
            )
        return lines + [f"beware: {remark}" for remark in self.remarks]

    def as_dict(self) -> dict[str, Any]:
        """Return plain values for JSON."""
        return {
            "out": str(self.out),
            "labels": list(self.card.labels),
            "taught": list(self.plan.new),
            "head": self.chosen.head,
            "n_folds": self.chosen.n_folds,
            "losses": self.chosen.losses,
            "slope": self.chosen.settled.slope,
            "guards": self.guards.as_dict(),
            "test": self.test,
            "remarks": list(self.remarks),
            "left_out": [failure.reason for failure in self.failures],
        }


def adapt(
    model: Path | None,
    folder: Path,
    out: Path,
    *,
    settings: AdaptSettings,
    table: Path | None = None,
    old: Path | None = None,
    negatives: Path | None = None,
    test: Path | None = None,
    tell: Tell = lambda stage, done, n: None,
) -> Adapted:
    """Write a model folder that knows new classes beside, or in place of, old ones.

    Parameters
    ----------
    model
        Model folder; None: the model that comes with the package.
    folder, table
        Labelled clips, as :func:`seacall.adapt.clips.read_clips` takes them.
    out
        New model folder.
    old
        Labelled clips of the old classes, which the new ones must leave alone; None:
        what the model's own ``embeddings.npy`` says, else simulated calls.
    negatives
        Recordings in which nothing of the classes calls, beside simulated noise.
    test
        Labelled clips that the result is measured on; copies of them in ``folder`` are
        left out.
    tell
        Told stage, done and total.

    Raises
    ------
    SettingsError
        If ``out`` is a model folder already, or a head does not exist.
    AnnotationError, AudioError
        If there is nothing to learn from.
    CheckpointError, MissingExtraError
        If the model cannot be read, or written anew.
    """
    model = model or shipped_folder()
    _refuse(out, model, settings)
    embedder = behind_trunk(model) if settings.fine_tune else load_embedder(model)
    last = read_last_layer(model, embedder.card)
    tested = None
    if test is not None:
        tested = read_clips(test, embedder, tell=lambda k, n: tell("test clips", k, n))
    heard = read_clips(
        folder,
        embedder,
        table=table,
        label_column=settings.label_column,
        min_duration_s=settings.min_duration_s,
        without=tested.prints if tested else (),
        tell=lambda k, n: tell("clips", k, n),
    )
    plan = plan_classes(embedder.card.labels, heard.labels, mode=settings.mode)
    work = Work(model, embedder, last, plan, settings, old, negatives)
    found, measured_on = work.material(heard)
    taught = teach(work, found)
    found, chosen = taught.found, taught.chosen
    card, guards = _judged(work, found, chosen, measured_on)
    remarks = [
        *taught.remarks,
        *remarks_on(heard, plan, chosen, guards, embedder.card, settings),
    ]
    card = card.model_copy(
        update={
            "deployments": tuple(sorted({*card.deployments, *heard.deployments()})),
            "limits": (*card.limits, *limits_of(heard, plan, remarks)),
            "metrics": {"adapted": guards.as_dict(), "before": embedder.card.metrics},
        }
    )
    card = _written(work, card, taught, taught.seen(heard), out)
    result = Adapted(
        out,
        card,
        plan,
        chosen,
        guards,
        tuple(remarks),
        heard.failures,
        measure_test(card, taught.layer, taught.seen(tested)) if tested else None,
    )
    text = json.dumps(result.as_dict(), indent=2, ensure_ascii=False)
    with written_whole(out / REPORT_NAME) as part:
        part.write_text(text + "\n", encoding="utf-8")
    return result


def _refuse(out: Path, model: Path, settings: AdaptSettings) -> None:
    if (out / CARD_NAME).exists() or out.is_file():
        raise SettingsError(
            f"{out}: is a model already, or a file; choose another folder"
        )
    odd = [name for name in settings.heads if name not in HEADS]
    if odd:
        raise SettingsError(
            f"head {odd[0]!r} does not exist; choose of: {'; '.join(HEADS)}"
        )
    card = read_card(model)
    if card.architecture not in _ADAPTABLE:
        raise SettingsError(
            f"{model}: a {card.architecture} has no one embedding; adapt a student or "
            "teacher that seacall trained"
        )


_ADAPTABLE = ("AudioTransformerStudent", "VGGishTeacher", "EfficientATTeacher")


def _judged(
    work: Work, found: Material, chosen: Chosen, measured_on: dict[str, str]
) -> tuple[Card, Guards]:
    """Choose thresholds, measure what comes of them, and write both into the card."""
    plan, card, settings = work.plan, work.embedder.card, work.settings
    card = card.model_copy(
        update={
            "labels": plan.labels,
            "calibration": _calibration(card, plan, work.calibration),
            "files": {},
            "teacher": card.name,
            "training": {"adapt": settings.model_dump(mode="json")},
            "thresholds": {k: v for k, v in card.thresholds.items() if k in plan.fixed},
        }
    )
    if settings.mode == "only":
        rule = UnknownRule(lowest_event_db=card.unknown.lowest_event_db)
        card = card.model_copy(update={"unknown": rule})
    scores = _scores(work, found, chosen, card.calibration)
    chosen_thresholds = choose_thresholds(
        scores, found, plan, most_false=settings.most_false
    )
    card = card.model_copy(update={"thresholds": card.thresholds | chosen_thresholds})
    guards = measure(
        scores,
        found,
        plan,
        lowest=card.lowest_scores,
        held_out=chosen.n_folds > 0,
        measured_on=measured_on,
    )
    return card, guards


def _scores(
    work: Work, found: Material, chosen: Chosen, calibration: Calibration
) -> Float64:
    """Return calibrated scores in the order of the final classes."""
    fixed = found.lesson.fixed if chosen.fixed is None else chosen.fixed
    both = np.hstack([fixed, chosen.held_out])[:, work.plan.in_order()]
    if calibration.method in ("temperature", "vector"):
        calibration = Calibration()  # what was fixed is calibrated already
    return calibrated(both, calibration).astype(np.float64)


def _calibration(card: Card, plan: Plan, old: Calibration) -> Calibration:
    """Return the old calibration with room for new classes: as they are."""
    if old.method not in ("vector", "platt"):
        return old
    columns = {label: k for k, label in enumerate(card.labels)}

    def moved(values: tuple[float, ...], new: float) -> tuple[float, ...]:
        return tuple(
            values[columns[k]] if k in plan.fixed and values else new
            for k in plan.labels
        )

    slopes = moved(old.slopes, 1.0) if old.method == "platt" else ()
    return old.model_copy(update={"slopes": slopes, "offsets": moved(old.offsets, 0.0)})


def _written(work: Work, card: Card, taught: Taught, heard: Heard, out: Path) -> Card:
    """Write the folder: model, card, where classes lie, and the proof."""
    card = write_model(work.model, card, taught.layer, out, layers=taught.layers)
    write_bank(out, _bank(work, heard, moved=taught.layers is not None))
    report = prove(
        work.model, out, work.plan, taught.layer, moved=taught.layers is not None
    )
    with written_whole(out / VERIFY_NAME) as part:
        part.write_text(json.dumps(report, indent=2) + "\n", encoding="utf-8")
    return write_card(out, card)


def _bank(work: Work, heard: Heard, *, moved: bool) -> Bank:
    """Return where all classes lie: the old ones' places are kept, if known."""
    plan = work.plan
    rows = [k for k, label in enumerate(heard.labels) if label in plan.labels]
    targets = np.array([plan.labels.index(heard.labels[k]) for k in rows], np.int64)
    own = bank_of(heard.embeddings[rows], targets, n_classes=len(plan.labels))
    old = work.bank()
    if old is None or moved:
        return own
    means = own.means
    for k, label in enumerate(plan.labels):
        if label in plan.fixed and label in plan.old:
            means[k] = old.means[plan.old.index(label)]
    return Bank(means, old.factor, old.rest)
