"""What a reader must know before believing the figures, in plain words."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Literal

import numpy as np

from seacall.learn.evaluation import HEADLINE, MODEL, Evaluation
from seacall.models.checkpoint import NEVER

FEW_DEPLOYMENTS = 10
"""Below this a bootstrap over deployments is a rough guide at best."""
NAMED = 8
"""Names that are spelt out before the rest is only counted."""


@dataclass(frozen=True)
class Remark:
    """One thing to know."""

    kind: Literal["warning", "note"]
    """A warning says that the figures do not mean what they seem to mean."""
    text: str


def remarks(evaluation: Evaluation) -> tuple[Remark, ...]:
    """Return warnings and notes about an evaluation, warnings first."""
    found = [
        *_about_deployments(evaluation),
        *_about_baselines(evaluation),
        *_about_intervals(evaluation),
        *_about_classes(evaluation),
        *_about_thresholds(evaluation),
    ]
    return tuple(sorted(found, key=lambda remark: remark.kind == "note"))


def _about_deployments(e: Evaluation) -> list[Remark]:
    if e.leaky:
        shared = e.shared_deployments or ()
        text = (
            f"{len(shared):,} of the {e.n_deployments:,} measured deployments were "
            f"also trained on ({_listed(shared)}). These figures do not tell how the "
            "model does on a recorder that it has never heard: split by deployment."
        )
        return [Remark("warning", text)]
    if e.leaky is None:
        text = (
            "It is not known whether the model was trained on the deployments that it "
            "is measured on. If it was, the figures are too high."
        )
        return [Remark("warning", text)]
    text = (
        "None of the measured deployments was trained on, so the deployment look-up "
        "can only answer the majority class."
    )
    return [Remark("note", text)]


def _about_baselines(e: Evaluation) -> list[Remark]:
    found = []
    for name, margin in e.margins.items():
        better = [
            f"{words} {theirs:.3f} against {mine:.3f}"
            for key, words in (("accuracy", "accuracy"), (HEADLINE, "macro-F1"))
            if (mine := e.figures[MODEL][key].value) is not None
            and (theirs := e.figures[name][key].value) is not None
            and theirs >= mine
        ]
        if better:
            text = (
                f"The baseline {_quoted(name)} hears nothing and does at least as well "
                f"as the model: {', '.join(better)}."
            )
            found.append(Remark("warning", text))
        elif margin.interval and margin.interval[0] <= 0:
            text = (
                f"The model\u2019s lead over {_quoted(name)} is not certain: the "
                f"interval of the difference in macro-F1 ({margin.interval[0]:.3f} to "
                f"{margin.interval[1]:.3f}) holds zero."
            )
            found.append(Remark("warning", text))
    return found


def _about_intervals(e: Evaluation) -> list[Remark]:
    if not e.n_resamples:
        return [Remark("warning", e.interval_note)]
    if e.n_deployments < FEW_DEPLOYMENTS:
        text = (
            f"There are only {e.n_deployments} deployments: the intervals are a rough "
            "guide, and rather too narrow."
        )
        return [Remark("warning", text)]
    return []


def _about_classes(e: Evaluation) -> list[Remark]:
    absent = tuple(c.label for c in e.classes if not c.support)
    single = tuple(c.label for c in e.classes if c.n_deployments == 1)
    found = []
    if absent:
        text = (
            f"Without a recording here, and so left out of macro-F1 and balanced "
            f"accuracy: {len(absent)} of {len(e.classes)} classes ({_listed(absent)})."
        )
        found.append(Remark("note", text))
    if single and e.n_deployments > 1:
        text = (
            f"From one deployment only, so that their rows show how one recorder went: "
            f"{len(single)} of {len(e.classes)} classes ({_listed(single)})."
        )
        found.append(Remark("note", text))
    return found


def _about_thresholds(e: Evaluation) -> list[Remark]:
    lowest = np.broadcast_to(np.asarray(e.threshold), (len(e.labels),))
    never = tuple(
        label for label, value in zip(e.labels, lowest, strict=True) if value >= NEVER
    )
    if not never:
        return []
    text = (
        f"Never answered, since their threshold is 1: {len(never)} of "
        f"{len(e.labels)} classes ({_listed(never)})."
    )
    return [Remark("note", text)]


def _quoted(name: str) -> str:
    return f"\u201c{name}\u201d"


def _listed(names: tuple[str, ...]) -> str:
    rest = len(names) - NAMED
    return ", ".join(names[:NAMED]) + (f" and {rest} more" if rest > 0 else "")
