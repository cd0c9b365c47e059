"""Classifiers that hear nothing: what a data set gives away without its sound.

A recorder is often one place, one time and one species. Where test recordings come from
deployments that were trained on, a look-up of the deployment can beat every published
network; where they do not, the sample rate alone may still tell much. A model's figures
mean something only beside theirs.
"""

from __future__ import annotations

from collections.abc import Hashable, Sequence
from dataclasses import dataclass

import numpy as np
import numpy.typing as npt

FloatArray = npt.NDArray[np.float64]

MAJORITY = "majority class"
SAMPLE_RATE = "sample rate alone"
DEPLOYMENT = "deployment look-up"
BAND_EDGE = "band edge alone"


@dataclass(frozen=True)
class Rows:
    """What is known of recordings besides their sound; one entry for each."""

    targets: Sequence[int]
    """True classes, from 0."""
    deployments: Sequence[str]
    """Name of each one's deployment; an empty name: not known."""
    sample_rates: Sequence[int]
    """Native rates of the files, before any resampling, Hz."""
    band_edges: Sequence[int] | None = None
    """Where each one's band ends, in thirds of an octave
    (`seacall.audio.band_edge.edge_bin`); None: not measured."""

    def __post_init__(self) -> None:
        lengths = len(self.targets), len(self.deployments), len(self.sample_rates)
        if len(set(lengths)) > 1:
            raise ValueError(
                "targets, deployments and sample_rates must be equally long, got "
                f"{lengths[0]}, {lengths[1]} and {lengths[2]}"
            )
        if self.band_edges is not None and len(self.band_edges) != lengths[0]:
            raise ValueError(
                f"band_edges has {len(self.band_edges)} entries for {lengths[0]} "
                "targets"
            )


def baseline_scores(
    train: Rows, test: Rows, *, n_classes: int
) -> dict[str, FloatArray]:
    """Fit all audio-free baselines on the training rows and apply them to the test.

    Returns
    -------
    scores
        For each baseline by name, one-hot scores ``(n_test, n_classes)``; that of the
        band edge only where it was measured.

    Raises
    ------
    ValueError
        If there is no training row.

    Examples
    --------
    >>> train = Rows([0, 0, 0, 1], ["a", "a", "a", "b"], [48000, 48000, 96000, 96000])
    >>> test = Rows([1, 1], ["b", "new"], [48000, 8000])
    >>> scores = baseline_scores(train, test, n_classes=2)
    >>> scores["deployment look-up"].argmax(axis=1)
    array([1, 0])
    >>> scores["sample rate alone"].argmax(axis=1)
    array([0, 0])
    """

    def by(train_keys: Sequence[Hashable], test_keys: Sequence[Hashable]) -> FloatArray:
        return look_up_scores(train_keys, train.targets, test_keys, n_classes=n_classes)

    scores = {
        DEPLOYMENT: by(_or_none(train.deployments), _or_none(test.deployments)),
        SAMPLE_RATE: by(_plain(train.sample_rates), _plain(test.sample_rates)),
    }
    if train.band_edges is not None and test.band_edges is not None:
        scores[BAND_EDGE] = by(_plain(train.band_edges), _plain(test.band_edges))
    scores[MAJORITY] = by([None] * len(train.targets), [None] * len(test.targets))
    return scores


def look_up_scores(
    train_keys: Sequence[Hashable],
    train_targets: Sequence[int],
    test_keys: Sequence[Hashable],
    *,
    n_classes: int,
) -> FloatArray:
    """Answer each test row with the commonest class of its key in training.

    The fallback for keys that are new, or None (not known), is the commonest class of
    all. Of equally common ones the first counts.

    Returns
    -------
    scores
        One-hot ``(n_test, n_classes)``.

    Raises
    ------
    ValueError
        If there is no training row.
    """
    if not len(train_targets):
        raise ValueError(
            "no training rows: a baseline needs at least one to learn from"
        )
    counts: dict[Hashable, npt.NDArray[np.int64]] = {}
    for key, target in zip(train_keys, train_targets, strict=True):
        counts.setdefault(key, np.zeros(n_classes, np.int64))[target] += 1
    majority = sum(counts.values(), np.zeros(n_classes, np.int64))
    known = {key: count for key, count in counts.items() if key is not None}
    answers = [int(known.get(key, majority).argmax()) for key in test_keys]
    return np.eye(n_classes)[np.array(answers, dtype=np.int64)]


def _or_none(names: Sequence[str]) -> list[Hashable]:
    return [name or None for name in names]


def _plain(numbers: Sequence[int]) -> list[Hashable]:
    return [int(number) for number in numbers]
