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
    for label in plan.new:
        n, n_groups = counts[label], heard.n_groups(label)
        if n < FEW_CLIPS:
            yield (
                f"{label}: {n} clip{'' if n == 1 else 's'}; expect a first sorting, "
                f"not an answer; {FEW_CLIPS} and more of several deployments do better"
            )
        if n > 1 and n_groups == 1:
            yield (
                f"{label}: all {n} clips are of one group ({heard.rule}); they were "
                "held out from each other, so its recall is too good: the model may "
                "have learned its recorder, and nothing here could show that"
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
    for label in plan.new:
        own = rates[labels == label] / 2
        highest = float(own.max())
        if highest < _NARROW * top:
            yield (
                f"{label}: its recordings end at {highest:,.0f} Hz and the model hears "
                f"up to {top:,.0f} Hz; it may know the class by that edge. Resample "
                "what you will search to the same rate, or give --negatives of it"
            )
        elif own.min() < 0.5 * highest:
            yield (
                f"{label}: recordings end between {own.min():,.0f} and {highest:,.0f} "
                "Hz; a class of several bandwidths is learned less well"
            )
