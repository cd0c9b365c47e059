"""Say what a result from few clips is worth, and what to beware of."""

from __future__ import annotations

from collections.abc import Iterator, Sequence

import numpy as np

from seacall.adapt.choose import Chosen
from seacall.adapt.clips import Heard
from seacall.adapt.guards import Guards
from seacall.adapt.plan import Plan
from seacall.adapt.settings import AdaptSettings
from seacall.labels import UNKNOWN
from seacall.models.checkpoint import Card

FEW_CLIPS = 8
"""Fewer clips of a class than these say little."""
_NARROW = 0.75
"""Share of the band that the others have from which on a class's band is the same."""


def remarks_on(
    heard: Heard,
    plan: Plan,
    chosen: Chosen,
    guards: Guards,
    old: Card,
    settings: AdaptSettings,
) -> list[str]:
    """Return what a user should know before relying on the result."""
    remarks = [*_on_clips(heard, plan), *_on_bands(heard, plan, old)]
    if chosen.n_folds == 0:
        remarks.append(
            "nothing could be held out, since each class has one clip: recall and "
            "thresholds are those of the clips themselves and too good; add clips of "
            "another deployment or recording"
        )
    elif "leaky" in heard.rule:
        remarks.append(
            "no deployment or recording is known: clips of one recording may have been "
            "held out from each other, and figures are too good; put clips into "
            "species/deployment folders, or give a table"
        )
    exist = sorted(set(heard.labels) & set(plan.fixed) - {UNKNOWN})
    if exist:
        remarks.append(
            f"{', '.join(exist)}: classes of the model already; their clips guarded "
            "them and taught nothing (--replace teaches them anew)"
        )
    return remarks + list(guards.warnings(settings.most_false))


def limits_of(heard: Heard, plan: Plan, remarks: Sequence[str]) -> list[str]:
    """Return sentences for the card: what was taught on what, and the remarks."""
    counts = heard.counts()
    taught = ", ".join(
        f"{label} ({counts[label]} clips of {heard.n_groups(label)} groups)"
        for label in plan.new
    )
    return [f"Adapted: {taught}; grouped {heard.rule}.", *(f"{r}." for r in remarks)]


def _on_clips(heard: Heard, plan: Plan) -> Iterator[str]:
    counts = heard.counts()
    few = [f"{k} {counts[k]}" for k in plan.new if counts[k] < FEW_CLIPS]
    if few:
        yield (
            f"few clips: {', '.join(few)}; expect a first sorting, not an answer; "
            f"{FEW_CLIPS} and more of several deployments do better"
        )
    one = [k for k in plan.new if counts[k] > 1 and heard.n_groups(k) == 1]
    if one:
        yield (
            f"all clips of one group ({heard.rule}): {', '.join(one)}; they were held "
            "out from each other, so that recall is too good: the model may have "
            "learned a recorder, and nothing here could show that"
        )
    if heard.n_longer:
        yield (
            f"{heard.n_longer} recordings are much longer than a clip and only their "
            "start was heard; cut them, or give start_s and end_s in a table"
        )


def _on_bands(heard: Heard, plan: Plan, old: Card) -> Iterator[str]:
    """Yield classes whose recordings reach less high than the model hears."""
    top = min(old.front_end.profile.sample_rate / 2, old.front_end.profile.fmax)
    rates = np.array(heard.rates)
    labels = np.array(heard.labels)
    narrow, mixed = [], []
    for label in plan.new:
        own = rates[labels == label] / 2
        highest = float(own.max())
        if highest < _NARROW * top:
            narrow.append(f"{label} at {highest:,.0f} Hz")
        elif own.min() < 0.5 * min(highest, top):
            mixed.append(f"{label} at {own.min():,.0f} to {highest:,.0f} Hz")
    if narrow:
        yield (
            f"recordings end below the {top:,.0f} Hz that the model hears: "
            f"{', '.join(narrow)}; it may know a class by that edge. Give --negatives "
            "of the same rate, and search recordings of the same rate"
        )
    if mixed:
        yield (
            f"recordings of several bandwidths: {', '.join(mixed)}; such a class is "
            "learned less well"
        )
