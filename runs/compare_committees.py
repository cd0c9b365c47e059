"""What is a committee worth? Students of several seeds together, against one alone.

    python runs/compare_committees.py PREDICTIONS.csv [--sizes 1 2 3 5]
    python runs/compare_committees.py FOLDER

PREDICTIONS.csv is what ``seacall evaluate DATASET --protocol deployments --recipe R
--seeds N`` writes below ``predictions``: each clip answered by networks that never
heard its deployment. All committees of each size that the seeds allow are formed as
``seacall committee`` does, from scores that are calibrated on other deployments.
Prints, with intervals over deployments, what they are worth on species; and the AUROC
of species against clips of ``unknown`` from sites that were held out as well. FOLDER is
what ``distil_committee.py`` wrote: one member, all of them, and the student distilled.
"""

from __future__ import annotations

import argparse
import csv
from collections.abc import Callable
from itertools import combinations
from pathlib import Path

import numpy as np
from scipy.special import softmax

from seacall.labels import UNKNOWN
from seacall.learn.bootstrap import bootstrap_weights, percentile_interval
from seacall.learn.calibrate import calibration_temperature
from seacall.learn.protocol_figures import Measured, measure_system
from seacall.learn.protocol_tables import Asked, calibrated_apart
from seacall.models.checkpoint import Calibration
from seacall.models.committee import log_scores, pooled
from seacall.models.unknown import disagreement, knownness
from seacall.taxonomy import TAXA

N_DRAWS = 2000
LOGIT = "logit_"
WAYS: dict[str, Callable[[np.ndarray], np.ndarray]] = {
    "score of unknown": lambda z: -softmax(z, axis=1)[:, -1],
    "not_unknown": lambda z: knownness(z, "not_unknown"),
    "agreement": lambda z: -disagreement(z),
}
"""How known clips are, from a committee's logits."""


def read(path: Path) -> tuple[list[dict[str, str]], tuple[str, ...], np.ndarray]:
    """Return a row for each clip, the classes, and logits ``(n_seeds, n, classes)``."""
    with path.open(encoding="utf-8", newline="") as file:
        rows = [row for row in csv.DictReader(file) if row["scored"] == "1"]
    labels = tuple(k.removeprefix(LOGIT) for k in rows[0] if k.startswith(LOGIT))
    seeds = sorted({row["seed"] for row in rows}, key=int)
    by_seed = [{r["file_name"]: r for r in rows if r["seed"] == seed} for seed in seeds]
    names = sorted(by_seed[0])
    logits = [
        [[float(own[n][LOGIT + k]) for k in labels] for n in names] for own in by_seed
    ]
    return [by_seed[0][n] for n in names], labels, np.array(logits)


def members(logits: np.ndarray, targets: np.ndarray, places: np.ndarray) -> np.ndarray:
    """Return each seed's log scores ``(n_seeds, n, classes)``, calibrated elsewhere.

    A temperature is fitted on the species of all other deployments.
    """
    known = targets < logits.shape[2] - 1
    found = []
    for z in logits:
        said = np.empty(z.shape, np.float32)
        scores = calibrated_apart(z[known], targets[known], places[known])
        said[known] = np.log(np.maximum(scores, 1e-7))
        t = calibration_temperature(z[known], targets[known]) or 1.0
        said[~known] = log_scores(
            z[~known], Calibration(method="temperature", temperature=t)
        )
        found.append(said)
    return np.stack(found)


def auroc(known: np.ndarray, other: np.ndarray, w: np.ndarray, v: np.ndarray) -> float:
    """Return the AUROC of weighted clips."""
    order = np.argsort(other)
    below = np.concatenate([[0.0], np.cumsum(v[order])])
    rising = other[order]
    left = np.searchsorted(rising, known, side="left")
    right = np.searchsorted(rising, known, side="right")
    return float(w @ (below[left] + below[right]) / 2 / (w.sum() * v.sum()))


def told(value: float, draws: np.ndarray, sign: str = "") -> str:
    """Return a figure with its interval."""
    low, high = percentile_interval(draws) or (value, value)
    return f"{value:{sign}.3f} ({low:{sign}.3f} to {high:{sign}.3f})"


class Measure:
    """Measures systems on the clips of one table."""

    def __init__(self, rows: list[dict[str, str]], labels: tuple[str, ...]) -> None:
        self.targets = np.array([labels.index(row["species_name"]) for row in rows])
        names = np.array([row["deployment"] for row in rows])
        self.places = np.unique(names, return_inverse=True)[1]
        self.known = self.targets < labels.index(UNKNOWN)
        recordings = np.array([row["recording"] for row in rows])
        self.asked = Asked(
            labels=labels,
            targets=self.targets[self.known],
            deployments=tuple(names[self.known].tolist()),
            recordings=tuple(recordings[self.known].tolist()),
            taxa=TAXA,
            threshold=0.7,
        )
        rng = np.random.default_rng(0)
        n = self.asked.n_deployments
        self.weights = bootstrap_weights(n, rng=rng, n_resamples=N_DRAWS)
        n = int(self.places.max()) + 1
        drawn = bootstrap_weights(n, rng=rng, n_resamples=300)[:, self.places]
        self.drawn = np.vstack([np.ones(len(rows)), drawn])
        self.first: Measured | None = None

    def members(self, logits: np.ndarray) -> np.ndarray:
        """Return log scores as a committee's members bring them in."""
        return members(logits, self.targets, self.places)

    def show(self, name: str, whole: np.ndarray) -> None:
        """Print figures of systems, ``(n_systems, n, classes)``, and their mean lead."""
        known = self.known
        raw = softmax(whole[:, known].astype(np.float64), axis=2)
        again = np.stack(
            [
                calibrated_apart(z[known], self.targets[known], self.places[known])
                for z in whole
            ]
        )
        found = measure_system(again, self.asked, raw=raw, weights=self.weights)
        self.first = self.first or found
        print(f"\n{name}: {len(whole)}")
        for key, one in found.figures.items():
            low, high = one.interval or (np.nan, np.nan)
            value = np.nan if one.value is None else one.value
            print(f"  {key:<24}{value:.3f} ({low:.3f} to {high:.3f})")
        if found.headline_draws is not None and self.first.headline_draws is not None:
            draws = found.headline_draws - self.first.headline_draws
            values = [one.figures["macro_f1"].value or 0 for one in (found, self.first)]
            print(
                f"  {'macro-F1 less one alone':<24}{told(values[0] - values[1], draws, '+')}"
            )
        for way, rate in WAYS.items():
            rated = [rate(z.astype(np.float64)) for z in whole]
            by_draw = np.array(
                [
                    np.mean(
                        [auroc(v[known], v[~known], w[known], w[~known]) for v in rated]
                    )
                    for w in self.drawn
                ]
            )
            print(f"  {'AUROC, ' + way:<24}{told(by_draw[0], by_draw[1:])}")


def main() -> None:
    """Read, form committees, measure and print."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("predictions", type=Path)
    parser.add_argument("--sizes", type=int, nargs="+", default=[1, 2, 3, 5])
    given = parser.parse_args()
    if given.predictions.is_dir():
        distilled(given.predictions)
        return
    rows, labels, logits = read(given.predictions)
    measure = Measure(rows, labels)
    said = measure.members(logits)
    for size in given.sizes:
        sets = combinations(range(len(said)), size)
        measure.show(
            f"committees of {size}",
            np.stack([pooled(list(said[list(one)])) for one in sets]),
        )


def distilled(folder: Path) -> None:
    """Print what was kept of a committee by a student that learned from it."""
    tables = [read(path) for path in sorted(folder.glob("members-*.csv"))]
    measure = Measure(*tables[0][:2])
    said = [measure.members(logits) for *_, logits in tables]
    measure.show("one member", np.concatenate(said))
    measure.show("all members", np.stack([pooled(list(one)) for one in said]))
    measure.show("distilled", measure.members(read(folder / "distilled.csv")[2]))


if __name__ == "__main__":
    main()
