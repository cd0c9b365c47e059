"""What a sample can say: intervals of shares, and whether a share has dropped.

Detections of one recording are alike: ten false alarms by one boat are not ten. The
effective size of a sample is its size over the design effect (Kish 1965): how much more
the shares of recordings vary than single draws would.
"""

from __future__ import annotations

from collections.abc import Hashable, Sequence

import numpy as np
from scipy.special import betainc, betaln
from scipy.stats import beta

CONFIDENCE = 0.95
_FEWEST = 5
"""Recordings below which their spread says nothing."""


def share_interval(
    n_good: float, n: float, *, confidence: float = CONFIDENCE
) -> tuple[float, float]:
    """Return the interval of a share (Clopper and Pearson 1934): never too narrow.

    Parameters
    ----------
    n_good, n
        Counts; need not be whole where sizes are effective ones.

    Examples
    --------
    >>> [round(edge, 4) for edge in share_interval(9, 10)]
    [0.555, 0.9975]
    """
    if n <= 0:
        return 0.0, 1.0
    alpha, n_bad = 1 - confidence, n - n_good
    low = float(beta.ppf(alpha / 2, n_good, n_bad + 1)) if n_good > 0 else 0.0
    high = float(beta.ppf(1 - alpha / 2, n_good + 1, n_bad)) if n_bad > 0 else 1.0
    return low, high


def design_effect(good: Sequence[bool], clusters: Sequence[Hashable]) -> float:
    """Return how many draws of a sample are worth one independent one, at least 1.

    Variance of the share between clusters (linearised ratio) over that of single
    draws; 1 where there are fewer than five clusters, or nothing varies.

    Examples
    --------
    >>> round(design_effect([True] * 30 + [False] * 30, [k // 10 for k in range(60)]))
    12
    """
    y = np.asarray(good, float)
    names = {name: k for k, name in enumerate(dict.fromkeys(clusters))}
    at = np.array([names[name] for name in clusters], int)
    m, n = len(names), len(y)
    share = y.mean() if n else 0.0
    if m < _FEWEST or share in (0.0, 1.0):
        return 1.0
    residuals = np.bincount(at, weights=y - share, minlength=m)
    between = m / (m - 1) * float((residuals**2).sum()) / n**2
    return max(1.0, between / (share * (1 - share) / n))


def evidence_of_drop(n_good: float, n_bad: float, *, expected: float) -> float:
    r"""Return how strongly a sample speaks against a share of at least ``expected``.

    .. math:: E = \frac{1}{p_0} \int_0^{p_0}
        \left(\frac{q}{p_0}\right)^k \left(\frac{1-q}{1-p_0}\right)^m dq

    While the share is what is expected or higher, each of these ratios is a
    supermartingale, and so is their mean: it ever exceeds :math:`1/\alpha` with a
    probability of at most :math:`\alpha` (Ville 1939), however often it is looked at.
    See Ramdas et al. 2023, "Game-theoretic statistics and safe anytime-valid
    inference".

    Examples
    --------
    >>> evidence_of_drop(9, 1, expected=0.9) < 1
    True
    >>> evidence_of_drop(5, 10, expected=0.9) > 1000
    True
    """
    p = min(max(expected, 1e-9), 1 - 1e-9)
    k, m = max(n_good, 0.0), max(n_bad, 0.0)
    inside = float(betainc(k + 1, m + 1, p))
    if inside <= 0:
        return 0.0
    log = betaln(k + 1, m + 1) + np.log(inside)
    log -= np.log(p) + k * np.log(p) + m * np.log1p(-p)
    return float(np.exp(min(log, 700.0)))


def dropped(
    good: Sequence[bool],
    clusters: Sequence[Hashable],
    *,
    expected: float,
    false_alarm: float,
) -> bool:
    """Tell whether a share has dropped below what is expected.

    Parameters
    ----------
    good, clusters
        Of each draw, in the order in which they were judged.
    false_alarm
        Probability with which chance alone may ever say so.
    """
    effect = design_effect(good, clusters)
    n_good = sum(good) / effect
    n_bad = (len(good) - sum(good)) / effect
    return evidence_of_drop(n_good, n_bad, expected=expected) >= 1 / false_alarm
