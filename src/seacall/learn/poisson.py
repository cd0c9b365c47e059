"""How far a count of false alarms can be trusted: exact limits of a Poisson rate."""

from __future__ import annotations

from scipy.stats import chi2

CONFIDENCE = 0.95


def rate_interval(
    n: int, hours: float, *, confidence: float = CONFIDENCE
) -> tuple[float, float] | None:
    r"""Return the interval of a rate per hour after ``n`` events (Garwood 1936).

    .. math:: [\chi^2_{\alpha/2}(2n) / 2T, \; \chi^2_{1-\alpha/2}(2n+2) / 2T]

    None without any hours. Events are taken to come independently of each other; false
    alarms come in bursts, so the truth may lie further out.

    Examples
    --------
    >>> [round(edge, 2) for edge in rate_interval(3, 2.0)]
    [0.31, 4.38]
    """
    if not hours > 0:
        return None
    alpha = 1 - confidence
    low = float(chi2.ppf(alpha / 2, 2 * n)) / (2 * hours) if n else 0.0
    return low, float(chi2.ppf(1 - alpha / 2, 2 * n + 2)) / (2 * hours)


def rate_at_most(n: int, hours: float, *, confidence: float = CONFIDENCE) -> float:
    """Return the rate per hour that is not exceeded, one-sided.

    For no event at all it is the rule of three: about 3 / T for 95 %.

    Examples
    --------
    >>> round(rate_at_most(0, 0.5), 2)
    5.99
    """
    if not hours > 0:
        return float("inf")
    return float(chi2.ppf(confidence, 2 * n + 2)) / (2 * hours)


def hours_needed(rate: float, *, confidence: float = CONFIDENCE) -> float:
    """Return how many hours without a false alarm show that there are no more.

    Examples
    --------
    >>> round(hours_needed(1.0), 1)
    3.0
    """
    return float(chi2.ppf(confidence, 2)) / (2 * rate)
