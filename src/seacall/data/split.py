"""Divide clips among train, val and test so that no deployment is in two of them."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from typing import Literal, NamedTuple

import numpy as np
from numpy.typing import NDArray

from seacall.errors import AnnotationError

Split = Literal["train", "val", "test"]
SPLITS: tuple[Split, ...] = ("train", "val", "test")
SplitBy = Literal["auto", "deployment", "recording", "random"]
DEFAULT_SHARES = (0.7, 0.15, 0.15)
"""Shares of train, val and test."""

# What a split that leaves a species out costs, beside deviations from the shares, which
# cost at most 2 for a species. A species that is never trained is worst, then one that
# is trained and never scored.
_NOT_TRAINED = 1_000.0
_NOT_SCORED = 100.0
_NOT_IN_BOTH = 2.0
_UNEVEN = 0.3  # for each species by which val and test differ in number
_N_SWAPS = 40
_N_RESTARTS = 8
_MAX_PROPOSALS = 30_000  # in one of the restarts: about a second


class Grouping(NamedTuple):
    """Which clips must stay together."""

    groups: list[str]
    """Name of each clip's group."""
    rule: str
    """What was done, in words, for the report."""


def choose_groups(
    deployments: Sequence[str], recordings: Sequence[str], *, by: SplitBy = "auto"
) -> Grouping:
    """Say which clips must stay together.

    Parameters
    ----------
    deployments, recordings
        Of each clip; an empty string where it is not known.
    by
        ``auto`` takes the deployment where it is known, else the recording, else the
        clip alone. ``deployment`` and ``recording`` insist on theirs. ``random`` keeps
        nothing together.

    Raises
    ------
    AnnotationError
        If ``by`` insists on something that some clip does not have.
    """
    n = len(deployments)
    if by == "random":
        return Grouping(
            [f"clip {i}" for i in range(n)], "random split: leaky (asked for)"
        )
    if by != "auto":
        names = deployments if by == "deployment" else recordings
        missing = sum(not name for name in names)
        if missing:
            raise AnnotationError(
                f"{missing} of {n} clips have no {by}, and the split goes by it; "
                f"fill the column {by!r} of the table, or split by 'auto'"
            )
        return Grouping([f"{by} {name}" for name in names], f"by {by}")
    groups = [
        _group_name(i, deployment, recording)
        for i, (deployment, recording) in enumerate(
            zip(deployments, recordings, strict=True)
        )
    ]
    return Grouping(groups, _rule(groups))


def _group_name(index: int, deployment: str, recording: str) -> str:
    if deployment:
        return f"deployment {deployment}"
    return f"recording {recording}" if recording else f"clip {index}"


def _rule(groups: Sequence[str]) -> str:
    kinds = [group.split(" ", 1)[0] for group in groups]
    n = {kind: kinds.count(kind) for kind in ("deployment", "recording", "clip")}
    known = [kind for kind in ("deployment", "recording") if n[kind]]
    if not known:
        return "random split: leaky (no deployment or recording is known)"
    if len(known) == 1 and not n["clip"]:
        return f"by {known[0]}"
    parts = [f"{n[kind]} clips by {kind}" for kind in known]
    if n["clip"]:
        parts.append(f"{n['clip']} at random (leaky: nothing is known of them)")
    return ", ".join(parts)


def assign_splits(
    labels: Sequence[str],
    groups: Sequence[str],
    *,
    rng: np.random.Generator,
    shares: tuple[float, float, float] = DEFAULT_SHARES,
) -> list[Split]:
    """Divide clips among train, val and test, whole groups only.

    Every species gets into train where the groups allow it; a species with at least two
    groups gets into val or test as well. Within that, the clips of each species come as
    near to ``shares`` as a local search finds. Clips that are each their own group are
    divided by species at random.

    Parameters
    ----------
    labels, groups
        Of each clip. Clips of one group end in one split.
    rng
        Decides among equals; the same state gives the same splits.
    shares
        Of train, val and test; they sum to 1.

    Returns
    -------
    splits
        In the order of the clips.
    """
    if len(labels) == 0:
        return []
    if len(set(groups)) == len(groups):
        chosen = _divide_by_clip(labels, rng=rng, shares=shares)
        return [SPLITS[k] for k in chosen]
    counts, group_of = _count(labels, groups)
    tries = [_search(counts, rng=rng, shares=shares) for _ in range(_N_RESTARTS)]
    _, best = min(tries, key=lambda found: found[0])
    return [SPLITS[best[g]] for g in group_of]


def grouped_folds(
    labels: Sequence[str],
    groups: Sequence[str],
    n_folds: int,
    rng: np.random.Generator,
) -> list[int]:
    """Divide clips into folds for cross-validation, whole groups only.

    Groups go one by one, those with the most clips of one species first, to the fold
    where the shares of every species stay most even.

    Returns
    -------
    folds
        Index of each clip's fold, 0 to ``n_folds - 1``.

    Raises
    ------
    AnnotationError
        If there are fewer groups than folds.
    """
    counts, group_of = _count(labels, groups)
    if not 2 <= n_folds <= len(counts):
        raise AnnotationError(
            f"n_folds={n_folds}: need at least 2, and at most the number of groups "
            f"({len(counts)}); choose another, or collect more deployments"
        )
    share = counts / counts.sum(axis=0)
    order = rng.permutation(len(counts))
    order = order[np.argsort(-counts[order].max(axis=1), kind="stable")]
    in_fold = np.zeros((n_folds, counts.shape[1]))
    n_groups = np.zeros(n_folds)
    fold_of = np.zeros(len(counts), int)
    for g in order:
        # What adding the group to each fold does to the sum of squares: small where
        # its species are rare so far; then where few groups are.
        grown = ((in_fold + share[g]) ** 2 - in_fold**2).sum(axis=1)
        total = (in_fold + share[g]).sum(axis=1)
        fold = np.lexsort((n_groups, total, np.round(grown, 9)))[0]
        in_fold[fold] += share[g]
        n_groups[fold] += 1
        fold_of[g] = fold
    return [int(fold_of[g]) for g in group_of]


def random_folds(
    labels: Sequence[str], n_folds: int, rng: np.random.Generator
) -> list[int]:
    """Divide clips into folds at random within each species: leaky, for comparison.

    Raises
    ------
    AnnotationError
        If there are fewer clips than folds.
    """
    if not 2 <= n_folds <= len(labels):
        raise AnnotationError(
            f"n_folds={n_folds}: need at least 2, and at most the number of clips "
            f"({len(labels)})"
        )
    folds = np.zeros(len(labels), int)
    next_fold = 0
    for label in sorted(set(labels)):
        clips = rng.permutation(_positions(labels, label))
        folds[clips] = (next_fold + np.arange(len(clips))) % n_folds
        next_fold += len(clips)
    return [int(fold) for fold in folds]


def _count(
    labels: Sequence[str], groups: Sequence[str]
) -> tuple[NDArray[np.int_], NDArray[np.intp]]:
    """Return clips per group and species, and each clip's group."""
    if len(labels) != len(groups):
        raise ValueError(f"{len(labels)} labels, but {len(groups)} groups")
    names, label_of = np.unique(
        np.asarray(labels, object).astype(str), return_inverse=True
    )
    kinds, group_of = np.unique(
        np.asarray(groups, object).astype(str), return_inverse=True
    )
    counts = np.zeros((len(kinds), len(names)), int)
    np.add.at(counts, (group_of, label_of), 1)
    return counts, group_of


def _positions(labels: Sequence[str], label: str) -> NDArray[np.intp]:
    return np.flatnonzero([other == label for other in labels])


def _divide_by_clip(
    labels: Sequence[str],
    *,
    rng: np.random.Generator,
    shares: tuple[float, float, float],
) -> NDArray[np.int_]:
    chosen = np.zeros(len(labels), int)
    for label in sorted(set(labels)):
        clips = rng.permutation(_positions(labels, label))
        n_val, n_test = (
            max(round(share * len(clips)), int(share > 0)) for share in shares[1:]
        )
        # Train keeps at least one; test goes before val.
        n_test = min(n_test, len(clips) - 1)
        n_val = min(n_val, len(clips) - 1 - n_test)
        chosen[clips[:n_test]] = 2
        chosen[clips[n_test : n_test + n_val]] = 1
    return chosen


def _search(
    counts: NDArray[np.int_],
    *,
    rng: np.random.Generator,
    shares: tuple[float, float, float],
) -> tuple[float, NDArray[np.int_]]:
    """Start with all groups in train; move one or swap two while that helps.

    Returns
    -------
    cost, splits
        ``splits`` has the index of each group's split.
    """
    n_groups = (counts > 0).sum(axis=0)
    target = np.asarray(shares)[:, None]
    chosen = np.zeros(len(counts), int)
    n = np.stack([counts.sum(axis=0), *np.zeros((2, counts.shape[1]))])
    best = _cost(n, n_groups, target)
    n_left = _MAX_PROPOSALS
    while n_left > 0:
        before = best
        for changes in _proposals(chosen, rng=rng):
            n_left -= 1
            moved = n.copy()
            for g, split in changes:
                moved[chosen[g]] -= counts[g]
                moved[split] += counts[g]
            cost = _cost(moved, n_groups, target)
            if cost < best - 1e-9:
                n, best = moved, cost
                for g, split in changes:
                    chosen[g] = split
        if best == before:
            break
    return best, chosen


def _proposals(
    chosen: NDArray[np.int_], *, rng: np.random.Generator
) -> Iterator[list[tuple[int, int]]]:
    """Yield changes to try, in random order: one group moved, or two swapped.

    ``chosen`` may change while this runs; each change is one of what then stands.
    """
    n_swaps = min(_N_SWAPS, _MAX_PROPOSALS // (4 * len(chosen)))
    for g in rng.permutation(len(chosen)):
        for step in rng.permutation([1, 2]):
            yield [(g, (chosen[g] + step) % 3)]
        for h in rng.integers(len(chosen), size=n_swaps):
            if chosen[g] != chosen[h]:
                yield [(g, chosen[h]), (h, chosen[g])]


def _cost(
    n: NDArray[np.float64], n_groups: NDArray[np.int_], target: NDArray[np.float64]
) -> float:
    there = n > 0
    off = np.abs(n / n.sum(axis=0) - target).sum()
    off_all = np.abs(n.sum(axis=1) / n.sum() - target[:, 0]).sum()
    cost = off + off_all + _NOT_TRAINED * (~there[0]).sum()
    if target[1:].any():
        held_out = there[1:]
        cost += _NOT_SCORED * (~held_out.any(axis=0) & (n_groups >= 2)).sum()
        cost += _NOT_IN_BOTH * (~held_out.all(axis=0) & (n_groups >= 3)).sum()
        cost += _UNEVEN * abs(int(held_out[0].sum()) - int(held_out[1].sum()))
    return float(cost)
