"""What PAMGuard's ways of keeping and resampling sound cost a model.

    python -m bench.pamguard FOLDER [--every N]

FOLDER holds a folder of recordings for each species. The first clip of each recording
is scored three times: as ``seacall detect`` hears it; as PAMGuard's transform
``load_audio_scipy`` hands it on (what packages ask for); and as ``load_audio`` does.
Macro-F1 is over the species in the folder that the model knows; recordings that it was
trained on are among them, so that only the differences say something.
"""

from __future__ import annotations

import argparse
from collections.abc import Callable
from pathlib import Path

import numpy as np
from numpy.typing import NDArray
from scipy import interpolate, signal
from sklearn.metrics import f1_score

from seacall.audio import io
from seacall.audio.frontend import clip_inputs, condition_array
from seacall.deploy.pamguard_transforms import (
    FULL_SCALE,
    kept_samples,
    load_audio_scipy,
    segment_length,
)
from seacall.detect.classify import judge_inputs
from seacall.models.backend import load_classifier
from seacall.models.decide import answers_at

Float32 = NDArray[np.float32]


def load_audio(y: Float32, *, rate_in: int, rate_out: int) -> Float32:
    """Do as the transform of that name: what is resampled is twice as loud."""
    kept = kept_samples(y) / FULL_SCALE
    if rate_in == rate_out:
        return kept.astype(np.float32)
    n = int(len(kept) * (rate_out / rate_in))
    x = np.arange(len(kept)) / (len(kept) - 1)
    at = np.arange(n) / n
    if rate_out < rate_in:
        low_pass = signal.butter(4, rate_out / 2, fs=rate_in, output="sos")
        kept = signal.sosfilt(low_pass, kept)
        resampled = interpolate.CubicSpline(x, kept, bc_type="natural")(at)
    else:
        resampled = np.interp(at, x, kept)
    return ((2 * FULL_SCALE * resampled).astype(int) / FULL_SCALE).astype(np.float32)


def untouched(y: Float32, *, rate_in: int, rate_out: int) -> Float32:
    """Return what seacall hears."""
    return y


WAYS: dict[str, Callable[..., Float32]] = {
    "seacall": untouched,
    "load_audio_scipy": load_audio_scipy,
    "load_audio": load_audio,
}


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("folder", type=Path)
    parser.add_argument("--every", type=int, default=1, help="every so manieth file")
    given = parser.parse_args()
    classifier = load_classifier()
    card = classifier.card
    front_end = card.front_end
    rate_out = front_end.profile.sample_rate
    logits: dict[str, list[Float32]] = {way: [] for way in WAYS}
    scores: dict[str, list[Float32]] = {way: [] for way in WAYS}
    labels, rates = [], []
    for path in io.find_recordings(given.folder)[:: given.every]:
        rate = io.probe(path).sample_rate
        length = segment_length(
            size_ms=1_000 * front_end.clip.duration_s, sample_rate=rate
        )
        y = np.concatenate(list(io.read_blocks(path, channel=None)))[:length]
        labels.append(path.parent.name)
        rates.append(rate)
        for way, transform in WAYS.items():
            heard = transform(y, rate_in=rate, rate_out=rate_out)
            clip = condition_array(
                heard,
                sample_rate=rate if way == "seacall" else rate_out,
                settings=front_end,
            )
            judged = judge_inputs(classifier, [clip_inputs(clip, front_end)])
            logits[way].append(judged.logits[0])
            scores[way].append(judged.scores[0])
    report(card, labels, rates, logits, scores, rate_out)


def report(card, labels, rates, logits, scores, rate_out) -> None:  # type: ignore[no-untyped-def]
    classes = [label for label in card.labels if label in set(labels)]
    known = np.array([label in classes for label in labels])
    truth = np.array(
        [label in classes and card.labels.index(label) for label in labels]
    )
    own = answers_at(np.stack(scores["seacall"]), card.lowest_scores)
    best = np.stack(scores["seacall"]).argmax(axis=1)
    same_rate = np.mean(np.array(rates) == rate_out)
    print(
        f"{len(labels)} recordings, {known.sum()} of {len(classes)} species that the "
        f"model knows, {same_rate:.0%} at the model's rate"
    )
    print("| way | logits: median, 99.9 % | same answer | same best | macro-F1 |")
    for way in WAYS:
        apart = np.abs(np.stack(logits[way]) - np.stack(logits["seacall"]))
        found = answers_at(np.stack(scores[way]), card.lowest_scores)
        first = np.stack(scores[way]).argmax(axis=1)
        f1 = np.nan
        if known.any():
            f1 = f1_score(
                truth[known],
                first[known],
                labels=[card.labels.index(label) for label in classes],
                average="macro",
                zero_division=0,
            )
        print(
            f"| {way} | {np.median(apart):.3f}, {np.quantile(apart, 0.999):.2f} "
            f"| {np.mean(found == own):.1%} | {np.mean(first == best):.1%} | {f1:.3f} |"
        )


if __name__ == "__main__":
    main()
