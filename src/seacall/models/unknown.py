"""Tell clips that no class was made for: silence, background alone, strange sounds.

Before the network: silence, and clips in which nothing stands out from the background
(a spectral gate). Behind it: what the logits say of how known a clip is. All of them
give a number that is *higher for known sounds*, so that one limit refuses the rest.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import numpy as np
from numpy.typing import NDArray
from scipy.special import logsumexp, softmax

from seacall.config import Profile
from seacall.models.checkpoint import Card, UnknownRule

FloatArray = NDArray[np.float64]
Float32 = NDArray[np.float32]

SILENT = "silence"
NO_EVENT = "nothing stands out from the background"
STRANGE = "unlike the sounds of the training"
DISAGREED = "the committee does not agree"

LOG_EVENT = "log_event_strength"
"""Measure beside those of `KNOWNNESS`: log(1 + event strength in dB)."""
SILENT_DB = 0.05
"""A band that moves less than this in a whole clip holds no sound: quantisation alone
moves the quietest band of a 24-bit file by more."""
EDGE_FRAMES = 3
"""Left out at both ends of a clip when looking for silence: an offset of a dead
hydrophone switches on there, and the filters ring."""
_FEW_FRAMES = 25
"""Step between frames that are looked at first."""
EVENT_FRAMES = 15
"""150 ms: the shortest whistles last as long; snaps and drops of rain are over."""
EVENT_SHARE = 0.999
"""Quantile of a clip's cells that counts as its loudest event: of 480 frames and 64
bands the 31st loudest, so that a single cell of noise is none."""


def event_strength_db(log_mel: Float32, profile: Profile) -> FloatArray:
    """Measure how far a clip's loudest event stands out from its own background.

    Each band is compared with its median over the clip, which takes level, recorder
    and steady noise out. The dB values are averaged over 150 ms within a band, and the
    99.9 % quantile of all cells is taken.

    Parameters
    ----------
    log_mel
        Patches, shape ``(n_clips, n_patches, n_frames, n_mels)``, natural logarithm.

    Returns
    -------
    strength
        Shape ``(n_clips,)``, dB. Silence: 0. Steady noise: about 2 to 3.
    """
    # 4 MB, which most models can do without.
    from scipy.ndimage import uniform_filter1d

    cells = _in_db(log_mel, profile)
    events = cells - np.median(cells, axis=1, keepdims=True)
    smooth = uniform_filter1d(events, EVENT_FRAMES, axis=1, mode="nearest")
    flat = smooth.reshape(len(smooth), -1)
    return np.asarray(np.quantile(flat, EVENT_SHARE, axis=1), np.float64)


def is_silent(log_mel: Float32, profile: Profile) -> NDArray[np.bool_]:
    """Tell clips in which nothing moves: digital silence, a constant, a dead sensor.

    Parameters
    ----------
    log_mel
        Patches, shape ``(n_clips, n_patches, n_frames, n_mels)``.

    Returns
    -------
    silent
        Shape ``(n_clips,)``.
    """
    inner = _joined(log_mel)[:, EDGE_FRAMES:-EDGE_FRAMES]
    # A few frames are enough to see that something moves, as it does in nearly all.
    silent = _ranges_db(inner[:, ::_FEW_FRAMES], profile) < SILENT_DB
    silent[silent] = _ranges_db(inner[silent], profile) < SILENT_DB
    return silent


def _ranges_db(frames: Float32, profile: Profile) -> Float32:
    """Return how far the liveliest band moves, dB, shape ``(n_clips,)``."""
    factor = _db_factor(profile)
    # Scaled afterwards: rounding keeps the order, so it makes no difference.
    ranges = frames.max(axis=1) * factor - frames.min(axis=1) * factor
    widest: Float32 = ranges.max(axis=1)
    return widest


def _in_db(log_mel: Float32, profile: Profile) -> Float32:
    """Join a clip's patches in time and turn natural logarithms into dB."""
    db: Float32 = _joined(log_mel) * _db_factor(profile)
    return db


def _joined(log_mel: Float32) -> Float32:
    """Join a clip's patches in time, without copying."""
    n_clips, n_patches, n_frames, n_mels = log_mel.shape
    return log_mel.reshape(n_clips, n_patches * n_frames, n_mels)


def _db_factor(profile: Profile) -> np.float32:
    return np.float32((20 if profile.spectrum == "magnitude" else 10) / np.log(10))


def _max_logit(z: FloatArray) -> FloatArray:
    """Return the highest logit of a species (Hendrycks et al., ICML 2022)."""
    return np.asarray(z[:, :-1].max(axis=1))


def _energy(z: FloatArray) -> FloatArray:
    """Return the negative energy, temperature 1 (Liu et al., NeurIPS 2020, eq. 4).

    Over the species: the last class, trained on noise, is no reason to call a clip
    known.
    """
    return np.asarray(logsumexp(z[:, :-1], axis=1))


def _max_score(z: FloatArray) -> FloatArray:
    """Return the softmax's highest value of a species (Hendrycks, Gimpel 2017)."""
    return np.asarray(softmax(z, axis=1)[:, :-1].max(axis=1))


def _entropy(z: FloatArray) -> FloatArray:
    """Return the softmax's entropy with its sign turned, nats."""
    log_p = z - logsumexp(z, axis=1, keepdims=True)
    return np.asarray((np.exp(log_p) * log_p).sum(axis=1))


def _not_unknown(z: FloatArray) -> FloatArray:
    """Return the log odds against the trained class ``unknown``."""
    return np.asarray(logsumexp(z[:, :-1], axis=1) - z[:, -1])


KNOWNNESS: dict[str, Callable[[FloatArray], FloatArray]] = {
    "max_logit": _max_logit,
    "energy": _energy,
    "max_score": _max_score,
    "entropy": _entropy,
    "not_unknown": _not_unknown,
}
"""What logits ``(n, n_classes)`` say of how known clips are, by name; ``(n,)``."""


def knownness(logits: NDArray[Any], method: str) -> FloatArray:
    """Return how known clips are, shape ``(n,)``: higher means more like the training.

    Raises
    ------
    ValueError
        If there is no such method.
    """
    if method not in KNOWNNESS:
        raise ValueError(f"method {method!r}: choose one of {', '.join(KNOWNNESS)}")
    return KNOWNNESS[method](np.asarray(logits, np.float64))


def disagreement(logits: NDArray[Any]) -> FloatArray:
    """Return how far a committee's members are apart on each clip, nats, ``(n,)``.

    A committee's logits are its members' mean log scores (`seacall.models.committee`).
    With members p_1 .. p_M and their answer q, proportional to exp(mean_m log p_m)::

        mean_m KL(q || p_m) = sum_k q_k (log q_k - mean_m log p_mk) = -log Z,
        Z = sum_k exp(mean_m log p_mk)

    so the sum that makes q a distribution says how far they are apart: 0 where all say
    the same, more the less their scores overlap (Heskes, "Selecting weighting factors
    in logarithmic opinion pools", NIPS 1998, equations 4 to 6).
    """
    return np.asarray(np.maximum(-logsumexp(np.asarray(logits, float), axis=1), 0.0))


def measures(logits: NDArray[Any], event_strength: FloatArray) -> dict[str, FloatArray]:
    """Return all measures of how known clips are, by name, each of shape ``(n,)``."""
    found = {method: knownness(logits, method) for method in KNOWNNESS}
    # Between 2 and 6 dB lies what matters; 20 dB or 40 is all the same.
    return found | {LOG_EVENT: np.log1p(np.maximum(event_strength, 0.0))}


def known_by_rule(
    logits: NDArray[Any], event_strength: FloatArray | None, rule: UnknownRule
) -> FloatArray | None:
    """Return what a rule sets its limit on, shape ``(n,)``; None: it asks for nothing.

    Combined measures need the event strength; without it nothing is asked for.
    """
    if rule.method == "none" or rule.lowest is None:
        return None
    if rule.method != "combined":
        return knownness(logits, rule.method)
    if event_strength is None:
        return None
    found = measures(logits, event_strength)
    parts = [weight * found[name] for name, weight in rule.weights.items()]
    return np.asarray(np.sum(parts, axis=0), np.float64)


def refusals(logits: NDArray[Any], log_mel: Float32, card: Card) -> list[str]:
    """Say of each clip why it is ``unknown`` whatever its scores; empty: it is not.

    Parameters
    ----------
    logits
        Shape ``(n, n_classes)``.
    log_mel
        Patches, shape ``(n, n_patches, 96, 64)``.
    """
    rule, profile = card.unknown, card.front_end.profile
    return reasons_to_refuse(
        logits,
        silent=is_silent(log_mel, profile),
        event_strength=event_strength_db(log_mel, profile)
        if rule.needs_events
        else None,
        rule=rule,
    )


def reasons_to_refuse(
    logits: NDArray[Any],
    *,
    silent: NDArray[np.bool_],
    event_strength: FloatArray | None,
    rule: UnknownRule,
) -> list[str]:
    """Say the same from what `is_silent` and `event_strength_db` found.

    Parameters
    ----------
    event_strength
        Shape ``(n,)``, dB; None: not measured, so that the gate lets all pass.
    """
    reasons = np.full(len(logits), "", dtype=object)
    known = known_by_rule(logits, event_strength, rule)
    if known is not None and rule.lowest is not None:
        reasons[known < rule.lowest] = STRANGE
    if rule.most_disagreement is not None:
        reasons[disagreement(logits) > rule.most_disagreement] = DISAGREED
    if rule.lowest_event_db is not None and event_strength is not None:
        reasons[event_strength < rule.lowest_event_db] = NO_EVENT
    reasons[silent] = SILENT
    return [str(reason) for reason in reasons]


def refuse(scores: Float32, reasons: list[str]) -> Float32:
    """Give all of a refused clip's score to ``unknown``, the last class."""
    refused = np.array([bool(reason) for reason in reasons], bool)
    scores = scores.copy()
    scores[refused] = 0.0
    scores[refused, -1] = 1.0
    return scores
