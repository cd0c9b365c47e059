"""Recordings in, scores out: the one inference path, for a clip as for an archive."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass, replace
from functools import partial
from itertools import islice
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from seacall.audio.clips import recording_clips
from seacall.audio.frontend import (
    ClipInputs,
    clip_inputs,
)
from seacall.errors import SettingsError
from seacall.events import Clip
from seacall.labels import UNKNOWN
from seacall.models.backend import Classifier, load_classifier, scores_from_logits
from seacall.models.checkpoint import Card
from seacall.models.decide import answers_at
from seacall.models.unknown import refusals, refuse
from seacall.taxonomy import fall_back

Float32 = NDArray[np.float32]

BATCH_SIZE = 16
"""Clips given to the network at once; the scores do not depend on it."""
_NO_SPECIES = 2.0
"""A threshold that no score reaches: species are answered by their own thresholds."""


@dataclass(frozen=True)
class ClipScores:
    """What the model says of one clip."""

    clip: Clip
    scores: Float32
    """Calibrated, shape ``(n_classes,)``, sum 1."""
    refusal: str = ""
    """Why the clip is ``unknown`` whatever it sounds like, such as silence."""

    def answer(self, card: Card) -> tuple[str, float]:
        """Return the answered label and the best class's score.

        Below the class's threshold the answer is ``unknown``.
        """
        answer = int(answers_at(self.scores[None], card.lowest_scores)[0])
        return (*card.labels, UNKNOWN)[answer], float(self.scores.max())

    def fallback(self, card: Card) -> str:
        """Return the answer, or else the family, the group, or ``unknown``.

        Groups are toothed whales, baleen whales and seals. The scores of a family's
        species are added up and have to reach the card's threshold together.
        """
        answer, _ = self.answer(card)
        if answer != UNKNOWN:
            return answer
        lowest: dict[str, float] = {
            "species": _NO_SPECIES,
            "family": card.threshold,
            "group": card.threshold,
        }
        return fall_back(self.scores[None], card.labels, threshold=lowest)[0].text

    def reason(self, card: Card) -> str:
        """Say why the answer is ``unknown``; empty where a species is answered."""
        if self.refusal or self.answer(card)[0] != UNKNOWN:
            return self.refusal
        best = int(self.scores.argmax())
        if best == len(card.labels) - 1:
            return f"sounds most like {UNKNOWN}"
        lowest = card.lowest_scores[best]
        return f"{card.labels[best]} needs a score of {lowest:.2f}"

    def as_dict(self, card: Card) -> dict[str, Any]:
        """Return plain values for JSON."""
        answer, score = self.answer(card)
        return {
            "file": str(self.clip.path),
            "start_s": round(self.clip.start_s, 3),
            "end_s": round(self.clip.end_s, 3),
            "answer": answer,
            "score": score,
            "fallback": self.fallback(card),
            "reason": self.reason(card),
            "scores": dict(zip(card.labels, self.scores.tolist(), strict=True)),
        }


@dataclass(frozen=True)
class Judged:
    """What the model says of a batch of clips."""

    logits: Float32
    """As the network gives them, shape ``(n_clips, n_classes)``."""
    scores: Float32
    """Calibrated, shape ``(n_clips, n_classes)``; a refused clip is all ``unknown``."""
    refusals: list[str]
    """Why each clip is refused; empty: it is not."""


def judge_inputs(classifier: Classifier, inputs: Sequence[ClipInputs]) -> Judged:
    """Run the network on clips that the front end has been through, and judge them."""
    card = classifier.card
    log_mel = np.stack([one.log_mel for one in inputs])
    x = log_mel if card.takes == "patches" else _waveforms(inputs, card)
    logits = classifier.logits(x, np.stack([one.features for one in inputs]))
    reasons = refusals(logits, log_mel, card)
    scores = refuse(scores_from_logits(logits, card), reasons)
    return Judged(logits=logits, scores=scores, refusals=reasons)


def _waveforms(inputs: Sequence[ClipInputs], card: Card) -> Float32:
    """Return the clips for a model that takes them as they are, ``(n, clip_length)``.

    Raises
    ------
    SettingsError
        If they were not kept.
    """
    found = [one.waveform() for one in inputs if one.waveform is not None]
    if len(found) < len(inputs):
        raise SettingsError(
            f"{card.name} takes waveforms, which are not at hand here; "
            "use a model that takes patches, such as a student distilled from it"
        )
    return np.stack(found)


def score_inputs(classifier: Classifier, inputs: Sequence[ClipInputs]) -> Float32:
    """Score clips that the front end has been through.

    Returns
    -------
    scores
        Calibrated, shape ``(n_clips, n_classes)``; each row sums to 1. Of clips that
        the card refuses, such as silence, ``unknown`` has it all.
    """
    return judge_inputs(classifier, inputs).scores


def classify_recording(
    path: Path,
    classifier: Classifier,
    *,
    hop_s: float | None = None,
    batch_size: int = BATCH_SIZE,
) -> Iterator[ClipScores]:
    """Score a recording clip by clip, in order, with memory flat in its length.

    Parameters
    ----------
    hop_s
        From one clip's start to the next, s; None: clips lie end to end.

    Raises
    ------
    AudioError
        If the recording cannot be read, or ceases to be readable: the clips before
        that point have been yielded.
    """
    front_end = classifier.card.front_end
    clips = recording_clips(path, front_end, hop_s=hop_s)
    while batch := list(islice(clips, batch_size)):
        inputs = [
            replace(clip_inputs(y, front_end), waveform=partial(np.asarray, y))
            for _, y in batch
        ]
        judged = judge_inputs(classifier, inputs)
        for k, (clip, _) in enumerate(batch):
            yield ClipScores(clip, judged.scores[k], judged.refusals[k])


def classify(
    path: Path | str, model: Path | str | None = None, *, hop_s: float | None = None
) -> list[dict[str, Any]]:
    """Say what calls in each clip of a recording.

    Parameters
    ----------
    path
        Recording.
    model
        Model folder; None: the model that comes with the package.
    hop_s
        From one clip's start to the next, s; None: clips lie end to end.

    Returns
    -------
    clips
        For each clip ``file``, ``start_s``, ``end_s``, ``answer``, ``score``,
        ``fallback``, ``reason`` and the ``scores`` by class.

    Raises
    ------
    AudioError
        If the recording cannot be read.
    CheckpointError
        If the model cannot be loaded.
    """
    classifier = load_classifier(None if model is None else Path(model))
    found = classify_recording(Path(path), classifier, hop_s=hop_s)
    return [clip.as_dict(classifier.card) for clip in found]
