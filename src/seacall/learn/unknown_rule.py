"""Choose how the unknown is told, and set limits that keep the known."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np
from scipy.optimize import minimize
from scipy.special import expit

from seacall.learn.unknown import FloatArray, Heard, auroc, limit_for
from seacall.models.checkpoint import UnknownRule
from seacall.models.unknown import KNOWNNESS, known_by_rule, knownness, measures

KNOWN_RECALL = 0.99
"""Share of known clips that each limit of a rule keeps."""
COMBINED = "combined"
_SHRINKAGE = 0.01
"""Of the weights of standardised measures, beside a mean loss of at most log 2."""


def choose_rule(
    known: Heard,
    unknown_by_kind: Mapping[str, Heard],
    *,
    known_recall: float = KNOWN_RECALL,
) -> UnknownRule:
    """Choose how clips tell that they are unknown, and set the limits.

    The way with the best AUROC, averaged over the kinds, is taken; nothing of it where
    all are at chance or below. Combined measures are rated on each kind with weights
    that were fitted on the others. The spectral gate is set wherever the known clips'
    event strength was measured: what it refuses, no network has to be right about.

    Parameters
    ----------
    known_recall
        Share of the known clips that each of the two limits keeps.
    """
    rated = rate_methods(known, unknown_by_kind)
    best = max(rated, key=lambda method: rated[method])
    told: dict[str, Any] = {
        "fitted_on": f"set on {len(known.logits):,} known clips, of which each keeps "
        f"{known_recall:.0%}; method chosen on {', '.join(unknown_by_kind)}, mean "
        f"AUROC {rated[best]:.3f}",
    }
    if known.event_strength is not None:
        told["lowest_event_db"] = limit_for(known.event_strength, recall=known_recall)
    if rated[best] > 0.5:
        told |= {"method": best, "lowest": 0.0}
        if best == COMBINED:
            told["weights"] = fit_weights(known, list(unknown_by_kind.values()))
        rule = UnknownRule.model_validate(told)
        values = known_by_rule(known.logits, known.event_strength, rule)
        told["lowest"] = limit_for(values, recall=known_recall)  # type: ignore[arg-type]
    return UnknownRule.model_validate(told)


def rate_methods(
    known: Heard, unknown_by_kind: Mapping[str, Heard]
) -> dict[str, float]:
    """Return each way's AUROC, averaged over the kinds.

    Combined measures are there if event strength was measured and there are two kinds
    of which one can be left out.
    """
    rated = {
        method: _mean(
            auroc(knownness(known.logits, method), knownness(other.logits, method))
            for other in unknown_by_kind.values()
        )
        for method in KNOWNNESS
    }
    heard = [known, *unknown_by_kind.values()]
    if len(heard) > 2 and all(one.event_strength is not None for one in heard):
        found = []
        for left_out, other in unknown_by_kind.items():
            rest = [one for kind, one in unknown_by_kind.items() if kind != left_out]
            weights = fit_weights(known, rest)
            found.append(auroc(_combined(known, weights), _combined(other, weights)))
        rated[COMBINED] = _mean(found)
    return rated


def fit_weights(known: Heard, others: Sequence[Heard]) -> dict[str, float]:
    """Fit the weights of all measures that tell known clips from others best.

    Logistic regression on standardised measures, in which the known clips weigh as
    much as all others, and each kind of these the same.

    Returns
    -------
    weights
        Of the measures as they are, by name.
    """
    names = list(_measures(known))
    parts = [np.column_stack(list(_measures(one).values())) for one in (known, *others)]
    x = np.concatenate(parts)
    scale = x.std(axis=0)
    scale[scale == 0] = 1.0
    z = (x - x.mean(axis=0)) / scale
    sizes = [len(part) for part in parts]
    goal = np.r_[np.ones(sizes[0]), np.zeros(len(x) - sizes[0])]
    share = [0.5] + [0.5 / len(others)] * len(others)
    weight = np.concatenate(
        [np.full(n, s / n) for n, s in zip(sizes, share, strict=True)]
    )

    def cost(w: FloatArray) -> tuple[float, FloatArray]:
        a = z @ w[1:] + w[0]
        gap = weight * (expit(a) - goal)
        loss = weight @ (np.logaddexp(0.0, a) - goal * a)
        penalty = _SHRINKAGE * w[1:] @ w[1:] / 2
        return float(loss + penalty), np.r_[gap.sum(), z.T @ gap + _SHRINKAGE * w[1:]]

    found = minimize(cost, np.zeros(1 + len(names)), jac=True, method="L-BFGS-B").x
    return dict(zip(names, (found[1:] / scale).tolist(), strict=True))


def _measures(heard: Heard) -> dict[str, FloatArray]:
    if heard.event_strength is None:
        raise ValueError("combined measures need the event strength of every clip")
    return measures(heard.logits, heard.event_strength)


def _combined(heard: Heard, weights: Mapping[str, float]) -> FloatArray:
    found = _measures(heard)
    parts = [weight * found[name] for name, weight in weights.items()]
    return np.asarray(np.sum(parts, axis=0), np.float64)


def _mean(values: Any) -> float:
    return float(np.mean(list(values)))
