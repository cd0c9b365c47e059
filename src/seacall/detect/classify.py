"""Recordings in, scores out: the one inference path, for a clip as for an archive."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass, replace
from functools import partial
from pathlib import Path
from typing import Any, TypeVar

import numpy as np
from numpy.typing import NDArray

from seacall.audio import io
from seacall.audio.clips import ClipGrid, stretch_clips
from seacall.audio.frontend import ClipInputs, clip_inputs
from seacall.detect.clip_table import ClipTable, empty_table
from seacall.detect.embeddings import outputs
from seacall.detect.measures import clip_measures
from seacall.detect.units import Unit, UnitResult
from seacall.errors import AudioError, SettingsError
from seacall.events import Clip, Segment
from seacall.labels import UNKNOWN
from seacall.models.backend import Classifier, load_classifier, scores_from_logits
from seacall.models.checkpoint import Card
from seacall.models.decide import answers_at
from seacall.models.unknown import event_strength_db, is_silent, refusals, refuse
from seacall.taxonomy import fall_back

Item = TypeVar("Item")
Float16 = NDArray[np.float16]
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
    logits, _ = _outputs(classifier, inputs, log_mel)
    reasons = refusals(logits, log_mel, card)
    scores = refuse(scores_from_logits(logits, card), reasons)
    return Judged(logits=logits, scores=scores, refusals=reasons)


def _outputs(
    classifier: Classifier, inputs: Sequence[ClipInputs], log_mel: Float32
) -> tuple[Float32, Float16 | None]:
    card = classifier.card
    x = log_mel if card.takes == "patches" else _waveforms(inputs, card)
    return outputs(classifier, x, np.stack([one.features for one in inputs]))


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


def score_unit(
    unit: Unit,
    classifier: Classifier,
    *,
    grid: ClipGrid,
    batch_size: int = BATCH_SIZE,
) -> UnitResult:
    """Score the clips of a unit.

    Returns
    -------
    result
        Its table, and why it is shorter than it should be if it is: clips before a
        point at which the recording ceases to be readable are kept.
    """
    parts = [empty_table(len(classifier.card.labels))]
    try:
        for part in unit_tables(unit, classifier, grid=grid, batch_size=batch_size):
            parts.append(part)
    except AudioError as error:
        return UnitResult(unit, ClipTable.joined(parts), str(error))
    return UnitResult(unit, ClipTable.joined(parts))


def unit_tables(
    unit: Unit, classifier: Classifier, *, grid: ClipGrid, batch_size: int = BATCH_SIZE
) -> Iterator[ClipTable]:
    """Score the clips of a unit batch by batch, with memory flat in their number.

    Raises
    ------
    AudioError
        If the recording cannot be read, or ceases to be readable: the clips before
        that point have been yielded.
    """
    front_end = classifier.card.front_end.with_channel(unit.channel)
    offset_s = unit.segment.first_sample / unit.sample_rate
    clips = stretch_clips(unit.stretch, front_end, grid=grid)
    for batch in _batches(clips, batch_size):
        starts_s = [offset_s + grid.start_s(k) for k, _ in batch]
        yield clip_table(
            [y for _, y in batch], starts_s, classifier, sample_rate=unit.sample_rate
        )


def clip_table(
    clips: Sequence[Float32],
    starts_s: Sequence[float],
    classifier: Classifier,
    *,
    sample_rate: int,
) -> ClipTable:
    """Score conditioned clips, each of shape ``(clip_length,)``, and measure them.

    Parameters
    ----------
    starts_s
        Where they lie, s from the recording's first sample.
    sample_rate
        Of the recording, Hz: above half of it nothing was recorded.
    """
    card = classifier.card
    inputs = [
        replace(clip_inputs(y, card.front_end), waveform=partial(np.asarray, y))
        for y in clips
    ]
    log_mel = np.stack([one.log_mel for one in inputs])
    profile = card.front_end.profile
    n = len(clips)
    logits, embeddings = _outputs(classifier, inputs, log_mel)
    return ClipTable(
        start_s=np.asarray(starts_s, np.float64),
        logits=logits,
        silent=is_silent(log_mel, profile),
        event_db=(
            event_strength_db(log_mel, profile).astype(np.float32)
            if card.unknown.needs_events
            else np.full(n, np.nan, np.float32)
        ),
        **clip_measures(np.stack(clips), log_mel, profile, sample_rate=sample_rate),
        embeddings=embeddings,
    )


def _batches(items: Iterator[Item], size: int) -> Iterator[list[Item]]:
    """Yield items ``size`` at a time; those before an error come before it."""
    batch: list[Item] = []
    try:
        for item in items:
            batch.append(item)
            if len(batch) == size:
                yield batch
                batch = []
    except AudioError:
        if batch:
            yield batch
        raise
    if batch:
        yield batch


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
    card = classifier.card
    recording = io.probe(path)
    whole = Unit(
        path,
        recording.sample_rate,
        card.front_end.clip.channel,
        Segment(0, recording.n_samples),
        segment_number=0,
        first_clip=0,
        n_clips=None,
    )
    grid = ClipGrid.of(card.front_end, hop_s=hop_s)
    for table in unit_tables(whole, classifier, grid=grid, batch_size=batch_size):
        yield from clip_scores(path, table, card)


def clip_scores(path: Path, table: ClipTable, card: Card) -> Iterator[ClipScores]:
    """Yield the clips of a table one by one."""
    duration_s = card.front_end.clip.duration_s
    scores, reasons = table.scores(card), table.refusals(card)
    for start_s, row, reason in zip(table.start_s, scores, reasons, strict=True):
        clip = Clip(path, float(start_s), float(start_s) + duration_s)
        yield ClipScores(clip, row, reason)


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
