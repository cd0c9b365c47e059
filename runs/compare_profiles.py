"""Which front end should be the default? Cross-validation on a prepared dataset.

    python runs/compare_profiles.py DATASET [--folds 4] [--epochs 30] [--seeds 1]

Trains the student alone (no distillation) on each profile, with whole deployments held
out, and once more with random folds, which leak: cuts of one tape lie on both sides.
All three splits of DATASET are pooled. Species with one deployment are trained on and
not scored. One line for each run; macro-F1 over pooled folds.
"""

from __future__ import annotations

import argparse
import tempfile
from pathlib import Path

import numpy as np
import torch
from seacall.config import (
    DEFAULT_PROFILE,
    PROFILES,
    ClipSettings,
    FrontEndSettings,
    TrainSettings,
)
from seacall.data.arrays import load_arrays
from seacall.data.cache import FrontEndCache
from seacall.data.manifest import read_manifest
from seacall.data.split import grouped_folds, random_folds
from seacall.learn.metrics import (
    accuracy,
    balanced_accuracy,
    confusion_matrix,
    macro_f1,
)
from seacall.learn.train import LabelLoss, fit
from seacall.models.student import AudioTransformerStudent

WIDE = PROFILES["wide-48k"]
FRONT_ENDS = {
    "original-16k, pad": (PROFILES["original-16k"], "pad"),
    "original-16k, tile": (PROFILES["original-16k"], "tile"),
    "vggish-16k, tile": (PROFILES["vggish-16k"], "tile"),
    "wide-48k, tile, background kept": (
        WIDE.model_copy(update={"background": "kept"}),
        "tile",
    ),
    "wide-48k, tile, background removed": (
        WIDE.model_copy(update={"background": "removed"}),
        "tile",
    ),
}


def main() -> None:
    """Run all comparisons and print a line for each."""
    parser = argparse.ArgumentParser()
    parser.add_argument("dataset", type=Path)
    parser.add_argument("--folds", type=int, default=4)
    parser.add_argument("--epochs", type=int, default=30)
    parser.add_argument("--seeds", type=int, default=1)
    parser.add_argument("--only", default="", help="part of the front end's name")
    parser.add_argument("--split", default="", help="part of the split's name")
    parser.add_argument(
        "--no-features", action="store_true", help="hide the 18 features (zeros)"
    )
    parser.add_argument(
        "--scorable", action="store_true", help="leave other species out of training"
    )
    options = parser.parse_args()
    manifest = read_manifest(options.dataset)
    cache = FrontEndCache.beside(options.dataset)
    print(f"default profile now: {DEFAULT_PROFILE}")
    for name, (profile, fit_rule) in FRONT_ENDS.items():
        if options.only not in name:
            continue
        clip = ClipSettings.model_validate({"fit": fit_rule})
        front_end = FrontEndSettings(profile=profile, clip=clip)
        clips = scorable_clips(manifest.clips) if options.scorable else manifest.clips
        arrays = load_arrays(clips, front_end, labels=manifest.labels, cache=cache)
        if options.no_features:
            arrays.features[:] = 0
        names = [c.label for c in arrays.clips]
        groups = [c.deployment for c in arrays.clips]
        for seed in range(options.seeds):
            rng = np.random.default_rng(seed)
            folds = {
                "by deployment": grouped_folds(names, groups, options.folds, rng),
                "random (leaky)": random_folds(names, options.folds, rng),
            }
            for how, fold in folds.items():
                if options.split not in how:
                    continue
                figures = cross_validate(
                    arrays, np.asarray(fold), groups, seed, options
                )
                print(f"{name:<36}{how:<16}seed {seed}  {figures}", flush=True)


def cross_validate(arrays, fold, groups, seed, options) -> str:
    """Train on all folds but one, answer that one, pool the answers."""
    n_classes = int(arrays.targets.max()) + 2
    answers = np.zeros(len(fold), np.int64)
    for held_out in range(options.folds):
        train, test = fold != held_out, fold == held_out
        network = fitted(arrays, train, n_classes, seed, options)
        with torch.inference_mode():
            logits = network(
                torch.from_numpy(arrays.log_mel[test]),
                torch.from_numpy(arrays.features[test]),
            )
        answers[test] = logits.argmax(1).numpy()
    scored = scorable(arrays.targets, groups)
    confusion = confusion_matrix(
        arrays.targets[scored], answers[scored], n_classes=n_classes
    )
    return (
        f"macro-F1 {float(macro_f1(confusion)):.3f}  "
        f"balanced accuracy {float(balanced_accuracy(confusion)):.3f}  "
        f"accuracy {float(accuracy(confusion)):.3f}  n {int(scored.sum())}"
    )


def fitted(arrays, train, n_classes, seed, options):
    """Train the student for a fixed number of epochs; the last one counts.

    No part of the held-out fold chooses anything, so the training clips stand in for
    validation, and the best of them by training loss is near the last epoch.
    """
    torch.manual_seed(seed)
    network = AudioTransformerStudent(num_classes=n_classes)
    network.scale.fit(torch.from_numpy(arrays.log_mel[train]))
    tensors = (
        torch.from_numpy(arrays.log_mel[train]),
        torch.from_numpy(arrays.features[train]),
        torch.from_numpy(arrays.targets[train]),
        torch.zeros(int(train.sum()), 0),
    )
    settings = TrainSettings(
        epochs=options.epochs, stop_patience=options.epochs, seed=seed
    )
    a_few = tuple(part[:64] for part in tensors)
    with tempfile.TemporaryDirectory() as folder:
        fit(
            network,
            tensors,
            a_few,
            criterion=LabelLoss(),
            settings=settings,
            folder=Path(folder),
            device=torch.device("cpu"),
        )
    return network.eval()


def scorable_clips(clips):
    """Keep the clips of species with two or more deployments."""
    targets = [sorted({c.label for c in clips}).index(c.label) for c in clips]
    keep = scorable(targets, [c.deployment for c in clips])
    return [clip for clip, kept in zip(clips, keep, strict=True) if kept]


def scorable(targets, groups):
    """Tell which clips are of a species with two or more deployments."""
    deployments = {}
    for target, group in zip(targets, groups, strict=True):
        deployments.setdefault(int(target), set()).add(group)
    return np.array([len(deployments[int(t)]) >= 2 for t in targets])


if __name__ == "__main__":
    main()
