"""Give a trained model new ways from logits to answers, and write it as a new folder.

The weights stay; calibration, thresholds and what counts as unknown go into the card.
"""

from __future__ import annotations

import shutil
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np

from seacall.data.arrays import ClipArrays
from seacall.errors import AnnotationError, SettingsError
from seacall.learn.calibrate import METHODS, Fitted, Method, calibrate
from seacall.learn.held_out import HeldOut
from seacall.learn.measure import inputs_of
from seacall.learn.metrics import calibration_error
from seacall.learn.thresholds import CONFIDENCE, Thresholds, thresholds_for_precision
from seacall.learn.unknown import SHIPPED, Heard, hear, limit_for, measure_unknown
from seacall.learn.unknown_rule import KNOWN_RECALL, choose_rule
from seacall.models.backend import Classifier
from seacall.models.checkpoint import (
    CARD_NAME,
    Card,
    UnknownRule,
    read_card,
    write_card,
)
from seacall.models.committee import LEAST_SCORE
from seacall.models.unknown import disagreement


@dataclass(frozen=True, eq=False)
class Adjusted:
    """A new card, and what was found on the way to it."""

    card: Card
    fitted: Fitted
    remarks: tuple[str, ...]
    """What a user has to know, a sentence each."""
    kinds: dict[str, dict[str, Any]]
    """Figures of `seacall.learn.unknown.measure_unknown`; empty: not measured."""

    def lines(self) -> list[str]:
        """Render for people."""
        c = self.card.calibration
        losses = ", ".join(f"{k} {v:.3f}" for k, v in self.fitted.losses.items())
        after = "not measured" if c.error_after is None else f"{c.error_after:.3f}"
        found = [
            f"calibrated on {c.fitted_on}",
            f"negative log-likelihood on deployments left out: {losses}",
            f"calibration: {c.method}; expected calibration error {c.error_before:.3f} "
            f"before, {after} after, on deployments that it was not fitted on",
        ]
        if self.card.target_precision is not None:
            found.append(
                f"thresholds for a precision of {self.card.target_precision:g}:"
            )
            found += [f"  {k}: {v:.3f}" for k, v in self.card.thresholds.items()]
        return [
            *found,
            *unknown_lines(self.kinds),
            *(f"note: {r}" for r in self.remarks),
        ]

    def as_dict(self) -> dict[str, Any]:
        """Return plain values for JSON."""
        return {
            "card": self.card.model_dump(mode="json"),
            "losses": dict(self.fitted.losses),
            "remarks": list(self.remarks),
            "unknown": self.kinds,
        }


def held_out_clips(
    classifier: Classifier, arrays: ClipArrays, *, root: Path
) -> tuple[HeldOut, Heard]:
    """Ask a model about clips of deployments that it was not trained on.

    Raises
    ------
    AnnotationError
        If there is no clip that can be used.
    """
    if not len(arrays.targets):
        raise AnnotationError(
            f"{root}: holds no recording that can be used; choose another split"
        )
    rows = range(len(arrays.targets))
    heard = hear(classifier, inputs_of(arrays, rows, classifier.card))
    found = HeldOut(
        labels=classifier.card.labels,
        logits=heard.logits,
        targets=arrays.targets,
        deployments=tuple(clip.deployment for clip in arrays.clips),
    )
    return found, heard


def known_only(held_out: HeldOut, heard: Heard | None) -> tuple[Heard, Any]:
    """Leave out clips of ``unknown``.

    Returns
    -------
    known, right
        What is left, and whether the best species of each is the true one.
    """
    mask = held_out.targets < len(held_out.labels) - 1
    best = held_out.logits[:, :-1].argmax(axis=1)
    right = (best == held_out.targets)[mask]
    if heard is None:
        return Heard(held_out.logits[mask]), right
    return heard.only(mask), right


def adjust(
    card: Card,
    held_out: HeldOut,
    *,
    heard: Heard | None = None,
    unknown_by_kind: Mapping[str, Heard] | None = None,
    method: Method | None = None,
    precision: float | None = None,
    confidence: float = CONFIDENCE,
    known_recall: float = KNOWN_RECALL,
) -> Adjusted:
    """Fit calibration, thresholds and the rule for the unknown.

    Parameters
    ----------
    held_out
        Logits of clips from deployments that were not trained on.
    heard
        The same clips with their event strength; None: the gate stays as it is.
    unknown_by_kind
        Clips that no species made; None: the rule for the unknown stays as it is.
    method
        Kind of calibration; None: chosen on deployments left out.
    precision
        Aim of the thresholds; None: 0.7, or whatever the card has, stays.
    """
    fitted = calibrate(held_out, methods=METHODS if method is None else (method,))
    update: dict[str, Any] = {"calibration": fitted.calibration}
    remarks = list(_calibration_remarks(fitted))
    if precision is not None:
        found = thresholds_for_precision(
            fitted.scores,
            held_out.targets,
            labels=held_out.labels,
            precision=precision,
            confidence=confidence,
            n_seeds=held_out.n_seeds,
        )
        update |= _threshold_update(found, precision)
        remarks += found.remarks
    card = card.model_copy(update=update)
    kinds: dict[str, dict[str, Any]] = {}
    if card.members:
        limited = limit_disagreement(card.unknown, held_out, known_recall=known_recall)
        card = card.model_copy(update={"unknown": limited})
    if unknown_by_kind:
        known, right = known_only(held_out, heard)
        rule = choose_rule(known, unknown_by_kind, known_recall=known_recall)
        second = {"most_disagreement": card.unknown.most_disagreement}
        rule = rule.model_copy(update=second)
        card = card.model_copy(update={"unknown": rule})
        kinds = measure_unknown(known, right, unknown_by_kind, card=card)
        card = card.model_copy(update={"unknown": _told(rule, kinds)})
    return Adjusted(card=card, fitted=fitted, remarks=tuple(remarks), kinds=kinds)


def limit_disagreement(
    rule: UnknownRule, held_out: HeldOut, *, known_recall: float
) -> UnknownRule:
    """Set how much a committee's members may disagree, as a second opinion.

    Parameters
    ----------
    held_out
        A committee's logits of clips that no member was trained on.
    known_recall
        Share of the clips of species that the limit keeps.
    """
    known, _ = known_only(held_out, None)
    if not len(known.logits):
        return rule
    limit = -limit_for(-disagreement(known.logits), recall=known_recall)
    fitted_on = rule.fitted_on or (
        f"set on {len(known.logits):,} known clips, of which each keeps "
        f"{known_recall:.0%}"
    )
    # Above 0: members that agree to the last digit are no reason to refuse.
    limit = max(limit, LEAST_SCORE)
    return rule.model_copy(update={"most_disagreement": limit, "fitted_on": fitted_on})


def _threshold_update(found: Thresholds, precision: float) -> dict[str, Any]:
    return {
        "threshold": found.common,
        "thresholds": found.by_label,
        "target_precision": precision,
    }


def _calibration_remarks(fitted: Fitted) -> list[str]:
    found = []
    if fitted.calibration.error_after is None:
        found.append(
            "All clips are of one deployment: how well the calibration holds on "
            "another is not known."
        )
    elif calibration_error(fitted.after) >= calibration_error(fitted.before):
        found.append(
            "The calibration error is no smaller after than before: these clips do "
            "not tell how sure the model may be."
        )
    return found


def _told(rule: UnknownRule, kinds: dict[str, dict[str, Any]]) -> UnknownRule:
    """Keep in the card what a reader needs: the model as it is shipped, by kind."""
    told = {
        kind: {
            "n_clips": figures["n_clips"],
            "share_unknown": round(figures["share_unknown"], 4),
            **{key: round(value, 4) for key, value in figures[SHIPPED].items()},
        }
        for kind, figures in kinds.items()
    }
    return rule.model_copy(update={"measured": {"kinds": told}})


def unknown_lines(kinds: Mapping[str, Mapping[str, Any]]) -> list[str]:
    """Render the AUROC of each method and kind, and what comes out in the end."""
    from seacall.learn.text import table

    if not kinds:
        return []
    first = next(iter(kinds.values()))
    methods = [key for key, value in first.items() if isinstance(value, dict)]
    rows = [["AUROC against", "clips", *methods, "FPR at 95 %", "OSCR", "unknown"]]
    for kind, figures in kinds.items():
        shipped = figures[SHIPPED]
        rows.append(
            [
                kind,
                f"{figures['n_clips']:,}",
                *(f"{figures[method]['auroc']:.3f}" for method in methods),
                f"{shipped['fpr95']:.3f}",
                f"{shipped['oscr']:.3f}",
                f"{figures['share_unknown']:.3f}",
            ]
        )
    means = [np.mean([f[m]["auroc"] for f in kinds.values()]) for m in methods]
    rows.append(["mean", "", *(f"{mean:.3f}" for mean in means), "", "", ""])
    return table(rows)


def write_adjusted(model: Path, card: Card, out: Path) -> Card:
    """Copy a model folder's weights, and write the new card beside them.

    Raises
    ------
    SettingsError
        If ``out`` is the model itself, or holds another card.
    """
    if out.exists() and out.samefile(model):
        raise SettingsError(
            f"{out}: is the model itself; choose another folder for the new one"
        )
    if (out / CARD_NAME).exists() and read_card(out).files != card.files:
        raise SettingsError(f"{out}: holds another model; choose another folder")
    out.mkdir(parents=True, exist_ok=True)
    for name in card.files:
        (out / name).parent.mkdir(exist_ok=True)  # of a committee's member
        shutil.copyfile(model / name, out / name)
    return write_card(out, card)
