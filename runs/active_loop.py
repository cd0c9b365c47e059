"""Five rounds of ten labels: does choosing what to label pay, against random picking?

    python runs/active_loop.py DATASET MODEL PNG [--draws 20]
    python runs/active_loop.py DATASET WEIGHTS.safetensors PNG --mn04 MODEL

DATASET is a folder of seacall prepare; MODEL a model folder that never heard its labels,
whose embeddings are used (with --mn04, EfficientAT's published weights behind MODEL's
front end). In each draw two fifths of the deployments are put aside to test on; of the
other clips ten are chosen and labelled in each of five rounds. After each round a
logistic head learns from the labels so far. Printed and drawn: macro-F1 on the
deployments put aside, over the classes with at least three clips on both sides.

"chosen" is `seacall.search.pick.choose`, which is what seacall search --next calls.
"""

from __future__ import annotations

import argparse
import warnings
from pathlib import Path

import numpy as np
from sklearn.linear_model import LogisticRegression
from sklearn.metrics import f1_score

from seacall.audio.frontend import clip_inputs, first_clip
from seacall.data.manifest import read_manifest
from seacall.errors import AudioError
from seacall.models.backend import scores_from_logits
from seacall.models.embedding import load_embedder
from seacall.search.pick import (
    Labelled,
    choose,
    margins,
    scores_by_means,
    typical,
    uncertain_and_diverse,
)
from seacall.search.rows import unit_vectors

ROUNDS, EACH = 5, 10
WAYS = ("random", "uncertain", "uncertain, diverse", "typical", "chosen")


def embedded(data: Path, model: Path, weights: Path | None) -> dict[str, np.ndarray]:
    """Embed each clip of the dataset once."""
    embedder = load_embedder(model)
    front_end = embedder.card.front_end
    other = None if weights is None else efficientat(weights, front_end)
    manifest = read_manifest(data)
    clips = [
        clip for split in ("train", "val", "test") for clip in manifest.split(split)
    ]
    found = {name: [] for name in ("x", "scores", "label", "deployment")}
    for clip in clips:
        try:
            y = first_clip(clip.path, front_end)
        except AudioError as error:
            print(error)
            continue
        inputs = clip_inputs(y, front_end)
        logits, x = embedder.both(inputs.log_mel[None], inputs.features[None])
        found["x"].append(x[0] if other is None else other(y))
        found["scores"].append(scores_from_logits(logits, embedder.card)[0])
        found["label"].append(clip.label)
        found["deployment"].append(clip.deployment)
    return {name: np.array(values) for name, values in found.items()}


def efficientat(weights: Path, front_end):
    """Return what embeds a waveform with the published EfficientAT."""
    import torch

    from seacall.learn.heard import open_efficientat
    from seacall.models.mn04 import efficientat_teacher

    network, _ = open_efficientat(str(weights))
    rate = front_end.profile.sample_rate
    teacher = efficientat_teacher(network, 2, sample_rate=rate).eval()

    def embed(y: np.ndarray) -> np.ndarray:
        with torch.inference_mode():
            return teacher.embed(torch.from_numpy(np.asarray(y))[None])[0].numpy()

    return embed


def put_aside(clips: dict[str, np.ndarray], seed: int) -> tuple[np.ndarray, list[int]]:
    """Choose test deployments so that most classes lie on both sides."""
    rng = np.random.default_rng(seed)
    names = np.unique(clips["deployment"])
    best: tuple[np.ndarray, list[int]] | None = None
    for _ in range(50):
        chosen = rng.choice(names, len(names) * 2 // 5, replace=False)
        test = np.isin(clips["deployment"], chosen)
        classes = [
            int(c)
            for c in np.unique(clips["target"])
            if min((clips["target"][s] == c).sum() for s in (test, ~test)) >= 3
        ]
        if best is None or len(classes) > len(best[1]):
            best = test, classes
    return best


def next_ten(way: str, x, scores, labelled: Labelled | None, rng) -> np.ndarray:
    """Choose ten of the clips that have no label."""
    if way == "chosen":
        return choose(x, EACH, scores=scores, labelled=labelled, rng=rng)
    known = x[:0] if labelled is None else labelled.vectors
    if way == "typical":
        return typical(x, EACH, known=known, rng=rng)
    if way == "random" or labelled is None:  # nothing is known to be uncertain of
        return rng.choice(len(x), EACH, replace=False)
    by_labels, _ = scores_by_means(x, labelled)
    if way == "uncertain":
        return np.argsort(margins(by_labels), kind="stable")[:EACH]
    return uncertain_and_diverse(x, by_labels, EACH, rng=rng)


def curve(way: str, clips: dict[str, np.ndarray], seed: int) -> list[float]:
    """Return macro-F1 after each round of one draw."""
    test, classes = put_aside(clips, seed)
    x, target = clips["unit"], clips["target"]
    rng = np.random.default_rng([seed, WAYS.index(way)])
    pool, labelled, found = np.flatnonzero(~test), np.empty(0, np.int64), []
    for _ in range(ROUNDS):
        free = np.setdiff1d(pool, labelled)
        known = Labelled(x[labelled], target[labelled]) if len(labelled) else None
        new = next_ten(way, x[free], clips["scores"][free], known, rng)
        labelled = np.append(labelled, free[new])
        answers = learnt(x[labelled], target[labelled], x[test])
        found.append(
            f1_score(
                target[test], answers, labels=classes, average="macro", zero_division=0
            )
        )
    return found


def learnt(x, target, asked) -> np.ndarray:
    """Answer with a head that learnt from the labels so far."""
    if len(np.unique(target)) < 2:
        return np.full(len(asked), target[0])
    head = LogisticRegression(C=30, max_iter=500, class_weight="balanced")
    return head.fit(x, target).predict(asked)


def draw(curves: dict[str, np.ndarray], path: Path, title: str) -> None:
    """Draw the curves: means over the draws, and their standard errors."""
    import matplotlib as mpl

    mpl.use("Agg")
    from matplotlib import pyplot

    figure, axes = pyplot.subplots(figsize=(5.6, 3.6), dpi=100, layout="constrained")
    n_labels = EACH * np.arange(1, ROUNDS + 1)
    shown = {"random": "0.45", "uncertain": "tab:blue", "typical": "tab:green"}
    for way, colour in (shown | {"chosen": "tab:red"}).items():
        mean = curves[way].mean(axis=0)
        error = curves[way].std(axis=0, ddof=1) / np.sqrt(len(curves[way]))
        name = "chosen (--next)" if way == "chosen" else way
        axes.plot(n_labels, mean, "o-", color=colour, label=name)
        axes.fill_between(
            n_labels, mean - error, mean + error, color=colour, alpha=0.15
        )
    axes.set(xlabel="labels", ylabel="macro-F1, other deployments", title=title)
    axes.set_xticks(n_labels)
    axes.set_ylim(bottom=0)
    axes.grid(alpha=0.3)
    axes.legend(frameon=False)
    figure.savefig(path)


def main() -> None:
    """Embed, draw, print."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("data", type=Path)
    parser.add_argument("model", type=Path)
    parser.add_argument("png", type=Path)
    parser.add_argument("--mn04", type=Path, metavar="MODEL")
    parser.add_argument("--draws", type=int, default=20)
    given = parser.parse_args()
    model, weights = (given.mn04, given.model) if given.mn04 else (given.model, None)
    clips = embedded(given.data, model, weights)
    clips["unit"] = unit_vectors(clips["x"])[0].astype(np.float64)
    names, clips["target"] = np.unique(clips["label"], return_inverse=True)
    n_classes = [len(put_aside(clips, seed)[1]) for seed in range(given.draws)]
    print(
        f"{len(clips['unit'])} clips, {len(names)} classes, "
        f"{len(np.unique(clips['deployment']))} deployments; {given.draws} draws, "
        f"{min(n_classes)} to {max(n_classes)} classes scored"
    )
    warnings.filterwarnings("ignore")
    curves = {
        way: np.array([curve(way, clips, seed) for seed in range(given.draws)])
        for way in WAYS
    }
    for way, values in curves.items():
        gain = values[:, -1] - curves["random"][:, -1]
        error = gain.std(ddof=1) / np.sqrt(len(gain))
        means = "  ".join(f"{value:.3f}" for value in values.mean(axis=0))
        print(
            f"{way:<20}{means}  last round against random {gain.mean():+.3f} "
            f"(standard error {error:.3f}, better in {(gain > 0).sum()} of {len(gain)})"
        )
    draw(curves, given.png, "Five rounds of ten labels")


if __name__ == "__main__":
    main()
