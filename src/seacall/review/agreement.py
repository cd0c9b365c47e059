"""How far reviewers agree, beyond what chance alone would do."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from itertools import combinations
from typing import Any

from seacall.review.nouns import Verdict


@dataclass(frozen=True)
class Agreement:
    """What several reviewers said of the same detections."""

    n_shared: int
    """Detections that at least two judged, and were sure of."""
    share: float | None
    """Pairs of verdicts that say the same; None: there are none."""
    alpha: float | None
    """Krippendorff's alpha: 1 all agree, 0 as by chance; None: not defined."""
    kappas: dict[str, float]
    """Cohen's kappa of each two reviewers, by ``A / B``; where it is defined."""

    def as_json(self) -> dict[str, Any]:
        """Return it as plain values."""
        return {
            "n_shared": self.n_shared,
            "share": self.share,
            "alpha": self.alpha,
            "kappas": self.kappas,
        }


def agreement_of(said: Iterable[Sequence[Verdict]]) -> Agreement:
    """Compare reviewers by what they said the sound is.

    Parameters
    ----------
    said
        Verdicts of each detection, one of each reviewer. Who is unsure is left out.
    """
    units = [_meanings(verdicts) for verdicts in said]
    units = [unit for unit in units if len(unit) > 1]
    pairs = [a == b for unit in units for a, b in combinations(unit.values(), 2)]
    reviewers = sorted({name for unit in units for name in unit})
    kappas = {}
    for one, other in combinations(reviewers, 2):
        both = [(u[one], u[other]) for u in units if one in u and other in u]
        kappa = cohen_kappa(both)
        if kappa is not None:
            kappas[f"{one} / {other}"] = kappa
    return Agreement(
        len(units),
        sum(pairs) / len(pairs) if pairs else None,
        krippendorff_alpha([list(unit.values()) for unit in units]),
        kappas,
    )


def _meanings(verdicts: Sequence[Verdict]) -> dict[str, str]:
    """Return what each reviewer takes the sound for; ``""``: not what was detected."""
    return {
        one.reviewer: {"accept": one.target.label, "correct": one.label}.get(
            one.answer, ""
        )
        for one in verdicts
        if one.answer != "unsure"
    }


def cohen_kappa(pairs: Sequence[tuple[str, str]]) -> float | None:
    r"""Return Cohen's kappa of two reviewers (Cohen 1960).

    .. math:: \kappa = (p_o - p_e) / (1 - p_e)

    None where there is nothing, or both always say one and the same.

    Examples
    --------
    >>> cohen_kappa([("a", "a"), ("a", "b"), ("b", "b"), ("b", "b")])
    0.5
    """
    n = len(pairs)
    first, second = Counter(a for a, _ in pairs), Counter(b for _, b in pairs)
    by_chance = sum(first[name] * second[name] for name in first)
    if n == 0 or by_chance == n * n:
        return None
    observed = sum(a == b for a, b in pairs) / n
    return (observed - by_chance / n**2) / (1 - by_chance / n**2)


def krippendorff_alpha(units: Iterable[Sequence[str]]) -> float | None:
    r"""Return Krippendorff's alpha for names (nominal data), any number of reviewers.

    .. math:: \alpha = 1 - D_o / D_e

    From the table of coincidences: each pair of values of a unit of :math:`m` counts
    :math:`1 / (m - 1)`. Source: K. Krippendorff, "Computing Krippendorff's
    Alpha-Reliability", 2011. None where all values are the same.
    """
    values: Counter[str] = Counter()
    differing = 0.0
    for unit in units:
        if len(unit) < 2:
            continue
        counts = Counter(unit)
        values.update(counts)
        unlike = len(unit) ** 2 - sum(n * n for n in counts.values())
        differing += unlike / (len(unit) - 1)
    n = sum(values.values())
    expected = n * n - sum(m * m for m in values.values())
    return None if expected == 0 else 1 - (n - 1) * differing / expected
