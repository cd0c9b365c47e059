"""Recordings in, scores out: the one inference path, for a clip as for an archive."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from itertools import islice
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from seacall.audio.frontend import (
    ClipInputs,
    clip_inputs,
    recording_clips,
)
from seacall.events import Clip
from seacall.labels import UNKNOWN
from seacall.models.backend import Classifier, scores_from_logits
from seacall.models.checkpoint import Card

Float32 = NDArray[np.float32]

BATCH_SIZE = 16
"""Clips given to the network at once; the scores do not depend on it."""


@dataclass(frozen=True)
class ClipScores:
    """What the model says of one clip."""

    clip: Clip
    scores: Float32
    """Calibrated, shape ``(n_classes,)``, sum 1."""

    def answer(self, card: Card) -> tuple[str, float]:
        """Return the answered label and the best class's score.

        Below the card's threshold the answer is ``unknown``.
        """
        best = int(np.argmax(self.scores))
        score = float(self.scores[best])
        return (card.labels[best] if score >= card.threshold else UNKNOWN), score

    def as_dict(self, card: Card) -> dict[str, Any]:
        """Return plain values for JSON."""
        answer, score = self.answer(card)
        return {
            "file": str(self.clip.path),
            "start_s": round(self.clip.start_s, 3),
            "end_s": round(self.clip.end_s, 3),
            "answer": answer,
            "score": score,
            "scores": dict(zip(card.labels, self.scores.tolist(), strict=True)),
        }


def score_inputs(classifier: Classifier, inputs: Sequence[ClipInputs]) -> Float32:
    """Score clips that the front end has been through.

    Returns
    -------
    scores
        Calibrated, shape ``(n_clips, n_classes)``; each row sums to 1.
    """
    logits = classifier.logits(
        np.stack([one.log_mel for one in inputs]),
        np.stack([one.features for one in inputs]),
    )
    return scores_from_logits(logits, classifier.card)


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
        inputs = [clip_inputs(y, front_end) for _, y in batch]
        scores = score_inputs(classifier, inputs)
        for (clip, _), row in zip(batch, scores, strict=True):
            yield ClipScores(clip=clip, scores=row)
