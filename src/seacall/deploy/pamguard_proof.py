"""Prove that a package for PAMGuard answers as its model does."""

from __future__ import annotations

import tempfile
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from importlib.metadata import version
from itertools import groupby
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from seacall.audio import io
from seacall.audio.framing import fit_clip
from seacall.audio.frontend import clip_inputs, condition_array
from seacall.deploy.pamguard_engine import run_saved_model
from seacall.deploy.pamguard_package import MODEL_NAME, size_ms
from seacall.deploy.pamguard_transforms import load_audio_scipy, segment_length
from seacall.deploy.proof_sounds import MOST_RECORDINGS, synthetic_sounds
from seacall.detect.classify import judge_inputs
from seacall.errors import AudioError, CheckpointError
from seacall.models.backend import Classifier, load_classifier
from seacall.models.checkpoint import Card
from seacall.models.decide import answers_at

Float32 = NDArray[np.float32]

TOLERANCE = 1e-4
"""Largest difference of scores between the graph and the model that is let through."""
_BATCH_SIZE = 8


@dataclass(frozen=True)
class _Segment:
    """What PAMGuard would give the graph, and what seacall says of the same sound."""

    name: str
    y: Float32
    """As the transforms hand it on, shape ``(n_samples,)``."""
    expected: Float32
    """Scores, shape ``(n_classes,)``."""


def prove(saved_model: bytes, model: Path, *, audio: Path | None) -> dict[str, Any]:
    """Run a package's graph in TensorFlow beside the model itself.

    Parameters
    ----------
    saved_model
        Contents of ``saved_model.pb``.
    model
        Model folder.
    audio
        Folder of recordings, to measure what PAMGuard's way of keeping and resampling
        sound costs; None: it is not measured.

    Returns
    -------
    proof
        ``graph``: both were given the same samples. ``transforms``: the graph what
        PAMGuard makes of recordings, the model the recordings themselves.

    Raises
    ------
    CheckpointError
        If the scores of the same samples differ by more than :data:`TOLERANCE`, or an
        answer does.
    """
    classifier = load_classifier(model)
    graph = _compared(saved_model, classifier.card, list(_synthetic(classifier)))
    proof: dict[str, Any] = {
        "engine": f"TensorFlow {_tensorflow_version()}",
        "tolerance": TOLERANCE,
        "graph": graph,
    }
    if not graph["max"] <= TOLERANCE or graph["n_changed"]:
        raise CheckpointError(
            f"{model}: in TensorFlow its scores differ by {graph['max']:.1e} (allowed "
            f"is {TOLERANCE:.0e}), {graph['n_changed']} of {graph['n']} answers do, "
            f"most on {graph['worst']!r}; report this with the version of TensorFlow"
        )
    if audio is not None:
        recorded = list(_recorded(classifier, audio))
        proof["transforms"] = _compared(saved_model, classifier.card, recorded)
    return proof


def _compared(
    saved_model: bytes, card: Card, segments: Sequence[_Segment]
) -> dict[str, Any]:
    """Compare the graph's scores with the expected ones."""
    segments = sorted(segments, key=lambda one: len(one.y))
    found = _graph_scores(saved_model, [one.y for one in segments])
    expected = np.stack([one.expected for one in segments])
    apart = np.abs(found - expected)
    lowest = card.lowest_scores
    changed = answers_at(found, lowest) != answers_at(expected, lowest)
    return {
        "n": len(segments),
        "max": float(apart.max()),
        "quantile_999": float(np.quantile(apart, 0.999)),
        "n_changed": int(changed.sum()),
        "worst": segments[int(apart.max(axis=1).argmax())].name,
    }


def _graph_scores(saved_model: bytes, segments: Sequence[Float32]) -> Float32:
    """Run segments, in the order of their lengths, in batches of one length."""
    batches = []
    for _, same in groupby(segments, key=len):
        one_length = list(same)
        for first in range(0, len(one_length), _BATCH_SIZE):
            batches.append(np.stack(one_length[first : first + _BATCH_SIZE]))
    with tempfile.TemporaryDirectory() as place:
        Path(place, MODEL_NAME).write_bytes(saved_model)
        return np.concatenate(run_saved_model(Path(place), batches))


def _synthetic(classifier: Classifier) -> Iterator[_Segment]:
    """Give sounds at the model's rate: nothing but the graph can make a difference."""
    card = classifier.card
    clip, rate = card.front_end.clip, card.front_end.profile.sample_rate
    for k, sound in enumerate(synthetic_sounds(rate=rate, duration_s=clip.duration_s)):
        y = load_audio_scipy(sound.y, rate_in=rate, rate_out=rate)
        for name, cut in _cuts(k, sound.name, y):
            fitted = fit_clip(cut, length=len(y), fit=clip.fit)
            yield _Segment(name, cut, _scores(classifier, fitted, rate))


def _cuts(k: int, name: str, y: Float32) -> Iterator[tuple[str, Float32]]:
    """Give a sound whole, and some in lengths that PAMGuard's segments may have."""
    yield name, y
    if k == 0:
        yield f"{name}, a sample longer", np.append(y, y[:1])
    if k == 1:
        yield f"{name}, a sample shorter", y[:-1]
    if k == 2:
        yield f"{name}, a third", y[: len(y) // 3]


def _recorded(classifier: Classifier, folder: Path) -> Iterator[_Segment]:
    """Give the first segment of each recording below a folder."""
    paths = io.find_recordings(folder)
    chosen = np.linspace(0, len(paths) - 1, min(len(paths), MOST_RECORDINGS))
    card = classifier.card
    for path in (paths[k] for k in np.unique(chosen.round().astype(int))):
        try:
            y, rate = _first_segment(path, card)
        except AudioError:
            continue
        kept = load_audio_scipy(
            y, rate_in=rate, rate_out=card.front_end.profile.sample_rate
        )
        name = str(path.relative_to(folder))
        yield _Segment(name, kept, _scores(classifier, y, rate))


def _first_segment(path: Path, card: Card) -> tuple[Float32, int]:
    rate = io.probe(path).sample_rate
    length = segment_length(size_ms=size_ms(card), sample_rate=rate)
    parts: list[Float32] = []
    for block in io.read_blocks(path, channel=card.front_end.clip.channel):
        parts.append(block)
        if sum(map(len, parts)) >= length:
            break
    y = np.concatenate([np.empty(0, np.float32), *parts])[:length]
    if len(y) == 0:
        raise AudioError(f"{path}: holds no sample; leave it out")
    return y, rate


def _scores(classifier: Classifier, y: Float32, sample_rate: int) -> Float32:
    """Score a sound as ``seacall detect`` does, shape ``(n_classes,)``."""
    front_end = classifier.card.front_end
    clip = condition_array(y, sample_rate=sample_rate, settings=front_end)
    scores: Float32 = judge_inputs(classifier, [clip_inputs(clip, front_end)]).scores[0]
    return scores


def _tensorflow_version() -> str:
    for name in ("tensorflow", "tensorflow-cpu"):
        try:
            return version(name)
        except ModuleNotFoundError:
            continue
    return "of unknown version"
