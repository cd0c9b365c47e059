"""What few clips are worth: few_shot.py DATASET -o OUT --trunk MODEL [--weights MN04].

Two tables, each on recordings of deployments that were not learned from:

1. k clips a species, all species new: accuracy, macro-F1 and AUROC, for embeddings of a
   student that never heard the dataset (--trunk: pretrained on simulated calls) and of
   EfficientAT mn04 (--weights), by head, and as `seacall adapt` chooses among heads.
2. Species added to a model of the others, one after another: how many of their clips
   are found, how many of old species' clips and of the background are taken for them,
   with what stands for the old species: nothing, simulated calls, means and covariance
   (``embeddings.npy``), their clips.

DATASET: as `seacall prepare` writes it; OUT gets few_shot.json and embeddings.npz.
"""

from __future__ import annotations

import argparse
import json
from pathlib import Path
from typing import Any

import numpy as np
import torch
from scipy.stats import rankdata

from seacall.adapt.choose import choose
from seacall.adapt.guards import choose_thresholds, measure
from seacall.adapt.heads import HEADS, Layer, Lesson, logistic, prototypes
from seacall.adapt.lesson import Part, bank_part, equal_shares, material
from seacall.adapt.others import background, simulated_calls
from seacall.adapt.plan import Plan, plan_classes
from seacall.data.arrays import load_arrays
from seacall.data.cache import FrontEndCache
from seacall.data.manifest import read_manifest
from seacall.labels import UNKNOWN
from seacall.learn.context import RunContext
from seacall.learn.heard import heard_in, open_efficientat
from seacall.learn.metrics import confusion_matrix, macro_f1
from seacall.learn.observe import Silent
from seacall.models.bank import bank_of
from seacall.models.calibrated import calibrated
from seacall.models.checkpoint import Calibration
from seacall.models.decide import answers_at
from seacall.models.embedding import load_embedder
from seacall.models.mn04 import efficientat_teacher

SHOTS = (1, 2, 4, 8, 16, 32)
N_CHOSEN = 2
"""Draws in which heads are chosen among, which takes most of the time."""
FITS = {
    "prototypes": prototypes,
    "ridge": HEADS["ridge, penalty 10"],
    "logistic": HEADS["logistic, penalty 0.1"],
}
GUARDS = (
    "nothing",
    "simulated calls",
    "means and covariance",
    "both",
    "their clips",
)


class Clips:
    """A dataset's clips: labels, deployments, embeddings by name."""

    def __init__(self, found: dict[str, np.ndarray]) -> None:
        self.labels, self.deployments = found["labels"], found["deployments"]
        self.x = {
            k[2:]: v.astype(np.float64) for k, v in found.items() if k[:2] == "x "
        }
        self.noise = {k[2:]: v for k, v in found.items() if k[:2] == "n "}
        self.calls = {k[2:]: v for k, v in found.items() if k[:2] == "c "}
        species = [k for k in np.unique(self.labels) if k != UNKNOWN]
        self.species = [str(k) for k in species if self.n_deployments(k) > 1]

    def n_deployments(self, label: str) -> int:
        return len(np.unique(self.deployments[self.labels == label]))


def embedded(options: argparse.Namespace) -> Clips:
    kept = options.out / "embeddings.npz"
    if kept.is_file():
        return Clips(dict(np.load(kept)))
    trunk = load_embedder(options.trunk)
    front_end = trunk.card.front_end
    manifest = read_manifest(options.dataset)
    arrays = load_arrays(
        manifest.clips,
        front_end,
        labels=manifest.labels,
        cache=FrontEndCache.beside(options.dataset),
        features_fingerprint=manifest.front_end_fingerprint,
    )
    found = {
        "labels": np.array([c.label for c in arrays.clips]),
        "deployments": np.array([c.deployment for c in arrays.clips]),
        "x student": trunk.embed(arrays.log_mel, arrays.features),
        "n student": background(trunk, None, n_noises=8, seed=0).embeddings,
        "c student": simulated_calls(trunk, but=(), n_each=2, seed=0).embeddings,
    }
    if options.weights:
        context = RunContext(
            options.dataset, options.out, torch.device("cpu"), Silent()
        )
        network, _ = open_efficientat(str(options.weights))
        rate = front_end.profile.sample_rate
        teacher = efficientat_teacher(network, 2, sample_rate=rate)
        found["x mn04"] = heard_in(
            teacher, arrays.clips, front_end, context, stage="mn04"
        )
    np.savez(kept, **found)
    return Clips(found)


def drawn(
    clips: Clips, label: str, k: int, allowed: np.ndarray, rng: np.random.Generator
) -> list[int]:
    """Draw k clips of a species, in turn from each deployment."""
    rows = np.flatnonzero(allowed & (clips.labels == label))
    places = rng.permutation(np.unique(clips.deployments[rows]))
    pools = [list(rng.permutation(rows[clips.deployments[rows] == p])) for p in places]
    found: list[int] = []
    while len(found) < k and any(pools):
        for pool in pools:
            if pool and len(found) < k:
                found.append(int(pool.pop()))
    return found


def from_nothing(
    clips: Clips, name: str, head: str, k: int, draw: int
) -> tuple[np.ndarray, np.ndarray]:
    """Return logits of a head on all scored clips, each deployment left out."""
    x, rng = clips.x[name], np.random.default_rng(draw)
    scored = np.isin(clips.labels, clips.species)
    logits = np.zeros((len(x), len(clips.species)))
    for place in np.unique(clips.deployments[scored]):
        test = scored & (clips.deployments == place)
        train = scored & (clips.deployments != place)
        rows = [drawn(clips, s, k, train, rng) for s in clips.species]
        picked = np.concatenate(rows)
        targets = np.repeat(np.arange(len(rows)), [len(r) for r in rows])
        groups = [str(g) for g in clips.deployments[picked]]
        none = np.zeros((len(picked), 0))
        lesson = Lesson(
            x[picked], none, targets, equal_shares(targets, groups), len(rows)
        )
        layer = choose(lesson, groups).layer if head == "chosen" else FITS[head](lesson)
        logits[test] = layer.logits(x[test])
    truth = np.array([clips.species.index(k) for k in clips.labels[scored]])
    return logits[scored], truth


def figures(z: np.ndarray, truth: np.ndarray) -> list[float]:
    """Return accuracy, macro-F1, and AUROC one against the rest, mean of classes."""
    best = z.argmax(axis=1)
    table = confusion_matrix(truth, best, n_classes=z.shape[1])
    areas = []
    for c in range(z.shape[1]):
        own, ranks = truth == c, rankdata(z[:, c])
        n, m = own.sum(), (~own).sum()
        areas.append((ranks[own].sum() - n * (n + 1) / 2) / (n * m))
    return [
        float(np.mean(best == truth)),
        float(macro_f1(table)),
        float(np.mean(areas)),
    ]


def few_shot_table(clips: Clips, heads: list[str], n_draws: int) -> dict[str, Any]:
    found: dict[str, Any] = {}
    for head in heads:
        for name in clips.x if head in ("prototypes", "ridge") else ["student"]:
            for k in SHOTS:
                draws = [
                    figures(*from_nothing(clips, name, head, k, draw))
                    for draw in range(n_draws if head in FITS else N_CHOSEN)
                ]
                mean, spread = np.mean(draws, axis=0), np.std(draws, axis=0)
                found[f"{name}, {head}, k={k}"] = [mean.tolist(), spread.tolist()]
                text = " ".join(f"{m:.3f}+-{s:.3f}" for m, s in zip(mean, spread))
                print(f"{name:8} {head:10} k={k:2}  {text}", flush=True)
    return found


def added(
    clips: Clips, new: str, k: int, guard: str, draw: int, fold: list[str]
) -> dict[str, float] | None:
    """Add a species to a model of the others; ask about deployments left out."""
    x, rng = clips.x["student"], np.random.default_rng(draw)
    out = np.isin(clips.deployments, fold)
    known = [*(s for s in clips.species if s != new), UNKNOWN]
    old_rows = ~out & np.isin(clips.labels, known)
    if not (clips.labels[out] == new).any() or not (clips.labels[~out] == new).any():
        return None
    targets = np.array([known.index(label) for label in clips.labels[old_rows]])
    groups = [str(g) for g in clips.deployments[old_rows]]
    lesson = Lesson(
        x[old_rows],
        np.zeros((len(targets), 0)),
        targets,
        equal_shares(targets, groups),
        len(known),
    )
    last = logistic(lesson, penalty=0.01)
    plan = plan_classes(tuple(known), [new], mode="add")
    picked = drawn(clips, new, k, ~out, rng)
    parts = [
        part("new", x[picked], last, plan, [new] * k, clips.deployments[picked]),
        part("background", clips.noise["student"], last, plan, UNKNOWN, None),
    ]
    parts += guarding(clips, guard, last, plan, old_rows, targets, len(known), rng)
    found = material(parts, plan)
    chosen = choose(found.lesson, found.groups)
    both = np.hstack([found.lesson.fixed, chosen.held_out])[:, plan.in_order()]
    held = calibrated(both, Calibration()).astype(np.float64)
    threshold = choose_thresholds(held, found, plan, most_false=0.01)
    lowest = [threshold.get(label, 0.3) for label in plan.labels]
    told = measure(
        held, found, plan, lowest=lowest, held_out=chosen.n_folds > 0, measured_on={}
    )
    asked = out & np.isin(clips.labels, [*known, new])
    was = last.logits(x[asked])
    full = np.hstack([was, chosen.layer.logits(x[asked])])[:, plan.in_order()]
    scores = calibrated(full, Calibration()).astype(np.float64)
    return judged(clips.labels[asked], was, scores, plan, known, new, lowest, told)


def part(
    kind: str, x: np.ndarray, last: Layer, plan: Plan, labels: Any, places: Any
) -> Part:
    names = [labels] * len(x) if isinstance(labels, str) else labels[: len(x)]
    targets = np.array([plan.target(name) for name in names], np.int64)
    if places is None:
        places = [f"{kind} {k % 10}" for k in range(len(x))]
    return Part(kind, x, last.logits(x), targets, tuple(str(p) for p in places))


def guarding(
    clips: Clips,
    guard: str,
    last: Layer,
    plan: Plan,
    rows: np.ndarray,
    targets: np.ndarray,
    n_classes: int,
    rng: np.random.Generator,
) -> list[Part]:
    x = clips.x["student"]
    if guard == "their clips":
        labels = [str(k) for k in clips.labels[rows]]
        return [part("old", x[rows], last, plan, labels, clips.deployments[rows])]
    found = []
    if guard in ("means and covariance", "both"):
        bank = bank_of(x[rows], targets, n_classes=n_classes)
        one = bank_part(bank, last, plan, Calibration(), rng=rng, n_each=40)
        found += [one] if one else []
    if guard in ("simulated calls", "both"):
        calls = clips.calls["student"]
        z = last.logits(calls)
        answers = [plan.fixed[c] for c in z.argmax(axis=1)]
        found.append(part("old", calls, last, plan, answers, None))
    return found


def judged(
    labels: np.ndarray,
    was: np.ndarray,
    scores: np.ndarray,
    plan: Plan,
    known: list[str],
    new: str,
    lowest: list[float],
    told: Any,
) -> dict[str, float]:
    names = np.array([*plan.labels, UNKNOWN])
    best = names[scores.argmax(axis=1)]
    answers = names[answers_at(scores, np.asarray(lowest))]
    before = np.array(known)[was.argmax(axis=1)]
    own, old = labels == new, (labels != new) & (labels != UNKNOWN)
    noise = labels == UNKNOWN
    wrong = own & (best != new)
    return {
        "n_own": float(own.sum()),
        "n_old": float(old.sum()),
        "n_noise": float(noise.sum()),
        "found_best": float((best[own] == new).sum()),
        "found_answered": float((answers[own] == new).sum()),
        "old_best": float((best[old] == new).sum()),
        "old_answered": float((answers[old] == new).sum()),
        "noise_answered": float((answers[noise] == new).sum()),
        "old_right_before": float((before[old] == labels[old]).sum()),
        "old_right_after": float((best[old] == labels[old]).sum()),
        "sure_when_wrong": float(scores.max(axis=1)[wrong].sum()),
        "n_wrong": float(wrong.sum()),
        "told_recall": told.classes[0].best,
    }


def added_table(clips: Clips, guards: list[str], n_draws: int) -> dict[str, Any]:
    """Each species in turn, five folds of deployments, by k and guard."""
    places = np.unique(clips.deployments[np.isin(clips.labels, clips.species)])
    noise = np.unique(clips.deployments[clips.labels == UNKNOWN])
    folds = [[*places[f::5], *noise[f::5]] for f in range(5)]
    found: dict[str, Any] = {}
    for guard in guards:
        for k in (1, 4, 16):
            total: dict[str, float] = {}
            n = 0
            for new in clips.species:
                for fold in folds:
                    for draw in range(n_draws):
                        one = added(clips, new, k, guard, draw, fold)
                        n += one is not None
                        for name, value in (one or {}).items():
                            total[name] = total.get(name, 0.0) + value
            found[f"{guard}, k={k}"] = shares(total, n)
            print(f"{guard:22} k={k:2}", shares(total, n), flush=True)
    return found


def shares(total: dict[str, float], n: int) -> dict[str, float]:
    of = {"found": "n_own", "old": "n_old", "noise": "n_noise", "sure": "n_wrong"}
    shown = {
        name: round(value / max(total[of[name.split("_")[0]]], 1.0), 4)
        for name, value in total.items()
        if name.split("_")[0] in of
    }
    return shown | {"told_recall": round(total["told_recall"] / n, 4), "n_runs": n}


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("dataset", type=Path)
    parser.add_argument("-o", "--out", type=Path, required=True)
    parser.add_argument("--trunk", type=Path, required=True)
    parser.add_argument("--weights", type=Path)
    parser.add_argument("--draws", type=int, default=5)
    parser.add_argument("--added-draws", type=int, default=1)
    parser.add_argument("--guards", nargs="*", choices=GUARDS)
    options = parser.parse_args()
    options.out.mkdir(parents=True, exist_ok=True)
    clips = embedded(options)
    print(f"{len(clips.species)} species of two deployments and more", flush=True)
    result: dict[str, Any] = {}
    guards = options.guards or list(GUARDS)
    result["added"] = added_table(clips, guards, options.added_draws)
    result |= {
        "few_shot": few_shot_table(clips, ["prototypes", "ridge"], options.draws)
    }
    # What is searched for takes most of the time.
    result["searched"] = few_shot_table(clips, ["logistic", "chosen"], options.draws)
    (options.out / "few_shot.json").write_text(json.dumps(result, indent=1))


if __name__ == "__main__":
    main()
