"""What a new class must not swallow: background, and the old classes' sounds."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass, replace
from itertools import islice
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from seacall.audio.calls import choose_animal
from seacall.audio.clips import recording_clips
from seacall.audio.frontend import clip_inputs, condition_array
from seacall.audio.io import find_recordings
from seacall.audio.kind import Kind
from seacall.audio.repertoire import KINDS
from seacall.audio.sea import Sea, sea_noise
from seacall.audio.synth import render
from seacall.config import FrontEndSettings
from seacall.errors import AudioError
from seacall.learn.unknown_kinds import MOST_CLIPS, SIMULATED, SIMULATION_RATE
from seacall.models.embedding import Embedder
from seacall.taxonomy import normalised

Float32 = NDArray[np.float32]
Float64 = NDArray[np.float64]

SILENCE = "silence"
"""The one kind that is refused before the network is asked."""


@dataclass(frozen=True, eq=False)
class Others:
    """Sounds that are of no new class."""

    embeddings: Float64
    """Shape ``(n, n_embedding)``."""
    logits: Float64
    """Of the model as it is, shape ``(n, n_classes)``."""
    groups: tuple[str, ...]
    """Of each: what came together."""
    what: str
    """In words."""


def background(
    embedder: Embedder, folder: Path | None, *, n_noises: int, seed: int
) -> Others:
    """Hear simulated noises of the sea and of people, and recordings without calls.

    Parameters
    ----------
    folder
        Recordings in which no animal of the classes calls; None: simulated ones alone.

    Raises
    ------
    AudioError
        If none of the recordings can be read.
    """
    sounds = _noises(embedder.card.front_end, n_noises, seed)
    found = _heard(sounds, embedder)
    what = f"{len(found.groups)} clips of simulated noise"
    if folder is None:
        return replace(found, what=what)
    recorded = _heard(_recorded(folder, embedder.card.front_end), embedder)
    return joined([found, recorded], f"{what}, {len(recorded.groups)} of {folder}")


def simulated_calls(
    embedder: Embedder, *, but: Sequence[str], n_each: int, seed: int
) -> Others:
    """Hear simulated calls of all species but some: other animals than the new ones.

    Parameters
    ----------
    but
        Labels whose species are left out.
    n_each
        Clips of each species.
    """
    names = {normalised(label) for label in but}
    kinds = [
        kind
        for kind in KINDS
        if not {normalised(kind.common_name), normalised(kind.watkins)} & names
    ]
    found = _heard(_calls(kinds, embedder.card.front_end, n_each, seed), embedder)
    n = len(found.groups)
    return replace(found, what=f"{n} simulated calls of {len(kinds)} other species")


def joined(parts: Sequence[Others], what: str) -> Others:
    """Put several kinds of sounds together."""
    return Others(
        np.concatenate([one.embeddings for one in parts]),
        np.concatenate([one.logits for one in parts]),
        tuple(group for one in parts for group in one.groups),
        what,
    )


Sounds = Iterator[tuple[Float32, str]]
"""Conditioned clips, each of shape ``(clip_length,)``, and what came together."""


def _noises(front_end: FrontEndSettings, n_each: int, seed: int) -> Sounds:
    rng = np.random.default_rng(seed)
    for kind, draw in SIMULATED.items():
        for k in range(n_each if kind != SILENCE else 0):
            y = draw(rng, SIMULATION_RATE, front_end.clip.duration_s)
            level = 10 ** float(rng.uniform(-2.5, -0.1))
            yield _conditioned(y, level, front_end), f"simulated {kind} {k % 2}"


def _calls(
    kinds: Sequence[Kind], front_end: FrontEndSettings, n_each: int, seed: int
) -> Sounds:
    rng = np.random.default_rng(seed)
    duration_s = front_end.clip.duration_s
    for kind in kinds:
        for _ in range(n_each):
            call = kind.choose(rng, choose_animal(rng), duration_s)
            y = render(call, sample_rate=SIMULATION_RATE, duration_s=duration_s)
            sea = sea_noise(
                rng, Sea(), sample_rate=SIMULATION_RATE, duration_s=duration_s
            )
            share = float(10 ** rng.uniform(-1.5, -0.5))
            sea = sea / max(float(np.abs(sea).max()), 1e-12)
            y = y + share * np.abs(y).max() * sea
            yield _conditioned(y, 0.3, front_end), f"simulated {kind.common_name}"


def _conditioned(
    y: NDArray[np.floating], level: float, front_end: FrontEndSettings
) -> Float32:
    y = level * y / max(float(np.abs(y).max()), 1e-12)
    return condition_array(
        y.astype(np.float32), sample_rate=SIMULATION_RATE, settings=front_end
    )


def _recorded(folder: Path, front_end: FrontEndSettings) -> Sounds:
    reasons: list[str] = []
    n = 0
    for path in find_recordings(folder):
        try:
            for _, y in islice(recording_clips(path, front_end), MOST_CLIPS):
                n += 1
                yield y, f"background {path}"
        except AudioError as error:
            reasons.append(str(error))
    if not n:
        raise AudioError(f"{folder}: no recording can be read ({reasons[0]})")


def _heard(sounds: Sounds, embedder: Embedder) -> Others:
    logits, embeddings, groups = [], [], []
    for y, group in sounds:
        inputs = clip_inputs(y, embedder.card.front_end)
        x = y if embedder.card.takes == "waveform" else inputs.log_mel
        z, e = embedder.both(x[None], inputs.features[None])
        logits.append(z)
        embeddings.append(e)
        groups.append(group)
    return Others(
        np.concatenate(embeddings).astype(np.float64),
        np.concatenate(logits).astype(np.float64),
        tuple(groups),
        "",
    )
