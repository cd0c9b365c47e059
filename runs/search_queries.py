"""How is a query best made of examples, and of what it is not? Measured on real calls.

    python runs/search_queries.py DATASET MODEL

Each species with clips of two deployments is looked for: k clips of one deployment are
the examples, all clips of all other deployments the archive. The unlike are the first
j wrong answers of the plain query, as somebody who searches would mark them; they are
left out of the archive then. Printed: average precision and the share of right ones
among the first ten, means over species and deployments, two draws of each. DATASET and
MODEL as for runs/active_loop.py, whose embeddings these are.
"""

from __future__ import annotations

import sys
import warnings
from collections import defaultdict
from pathlib import Path

import numpy as np
from active_loop import embedded
from sklearn.linear_model import LogisticRegression
from sklearn.metrics import average_precision_score


def unit(x: np.ndarray) -> np.ndarray:
    """Scale rows to length 1."""
    return x / np.maximum(np.linalg.norm(x, axis=1, keepdims=True), 1e-12)


def ways(archive: np.ndarray, like: np.ndarray, unlike: np.ndarray) -> dict:
    """Return the archive's scores by each way of making a query; all of length 1."""
    mean = like.mean(axis=0)
    found = {
        "mean": archive @ mean,
        "best of the examples": (archive @ like.T).max(axis=1),
        "centred mean": unit(archive - archive.mean(axis=0))
        @ unit(like - archive.mean(axis=0)).mean(axis=0),
        "logistic head": archive @ logistic(archive, like, unlike),
        "discriminant": archive @ discriminant(archive, like, unlike),
    }
    if len(unlike):
        for share in (0.25, 0.5, 0.75):
            found[f"mean less {share}"] = archive @ (mean - share * unlike.mean(axis=0))
    return found


def logistic(archive, like, unlike) -> np.ndarray:
    """Fit a head to the examples against the unlike and clips of the archive."""
    rng = np.random.default_rng(0)
    some = archive[rng.choice(len(archive), min(500, len(archive)), replace=False)]
    x = np.concatenate([like, unlike, some])
    parts = [(len(like), 1.0), (len(unlike), 0.5), (len(some), 0.5)]
    weights = np.concatenate([np.full(n, w / max(n, 1)) for n, w in parts])
    target = np.arange(len(x)) < len(like)
    head = LogisticRegression(C=100, max_iter=500)
    return head.fit(x, target, sample_weight=2 * len(like) * weights).coef_[0]


def discriminant(archive, like, unlike) -> np.ndarray:
    """Fisher's direction, the archive's covariance shrunk by half."""
    mean = archive.mean(axis=0)
    against = (unlike.mean(axis=0) + mean) / 2 if len(unlike) else mean
    spread = np.cov(archive.T)
    spread += np.trace(spread) / len(spread) * np.eye(len(spread))
    return np.linalg.solve(spread, like.mean(axis=0) - against)


def main() -> None:
    """Embed, ask, print."""
    warnings.filterwarnings("ignore")
    clips = embedded(Path(sys.argv[1]), Path(sys.argv[2]), None)
    x, label, deployment = unit(clips["x"]), clips["label"], clips["deployment"]
    for k, j in ((1, 0), (3, 0), (10, 0), (3, 3), (10, 10)):
        rng = np.random.default_rng(1)
        found = defaultdict(list)
        for species in sorted(set(label) - {"unknown"}):
            for place in sorted(set(deployment[label == species])):
                here = np.flatnonzero((label == species) & (deployment == place))
                rest = np.flatnonzero(deployment != place)
                if (label[rest] == species).sum() < 3:
                    continue
                for _ in range(2):
                    like = x[rng.choice(here, min(k, len(here)), replace=False)]
                    order = rest[np.argsort(-(x[rest] @ like.mean(axis=0)))]
                    wrong = order[label[order] != species][:j]
                    left = np.setdiff1d(rest, wrong)
                    right = label[left] == species
                    for way, scores in ways(x[left], like, x[wrong]).items():
                        first = right[np.argsort(-scores)[:10]].mean()
                        found[way].append((average_precision_score(right, scores), first))
        n = len(found["mean"])
        print(f"{k} like, {j} unlike; {n} queries")
        for way, values in found.items():
            precision, first = np.mean(values, axis=0)
            print(f"  {way:<22}{precision:.3f}  {first:.3f}")


if __name__ == "__main__":
    main()
