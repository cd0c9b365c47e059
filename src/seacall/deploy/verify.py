"""Prove that two models answer alike, end to end, or say where they do not."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field
from itertools import chain
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray
from pydantic import Field

from seacall.audio.features import FEATURE_FACTORS
from seacall.audio.frontend import clip_inputs, condition_array
from seacall.deploy.proof_sounds import ProofSound, recorded_sounds, synthetic_sounds
from seacall.deploy.sides import Answers, Side, open_side
from seacall.errors import CheckpointError, SettingsError
from seacall.labels import UNKNOWN
from seacall.learn.metrics import confusion_matrix, macro_f1
from seacall.models.checkpoint import Card
from seacall.models.decide import answers_at
from seacall.models.unknown import refusals, refuse
from seacall.settings import Settings

Float32 = NDArray[np.float32]


class Tolerance(Settings):
    """How far two models may lie apart."""

    logits: float | None = Field(default=1e-4, ge=0)
    """Largest difference of any logit; None: any."""
    same_decisions: float = Field(default=1.0, ge=0, le=1)
    """Share of clips that must be answered alike."""
    macro_f1: float | None = Field(default=None, ge=0)
    """Most points, of 100, by which the macro-F1 may be lower; None: any. Counts where
    labels are known."""


TOLERANCES: dict[str, Tolerance] = {
    "float32": Tolerance(),
    "float16": Tolerance(logits=None, same_decisions=0.995, macro_f1=0.5),
    "int8": Tolerance(logits=None, same_decisions=0.99, macro_f1=0.5),
}
"""By the coarser precision of the two."""


@dataclass(frozen=True)
class Difference:
    """How far one quantity lies apart, over all clips."""

    largest: float
    """Largest absolute difference; NaN against a number is infinite."""
    p999: float
    """99.9 % of the differences are smaller."""
    clip: str
    """Name of the clip with the largest one."""

    def as_dict(self) -> dict[str, Any]:
        """Return plain values for JSON."""
        return {"max": self.largest, "p99.9": self.p999, "clip": self.clip}


@dataclass(frozen=True)
class Proof:
    """What a comparison found."""

    a: str
    b: str
    """The two sides: a model folder or a file each."""
    precision: str
    """Which tolerance holds: the coarser precision of the two."""
    tolerance: Tolerance
    n_synthetic: int
    n_recorded: int
    differences: dict[str, Difference]
    """Of features (divided by their usual size), log-mel, logits and scores."""
    changed: list[dict[str, str]]
    """Clips that are answered otherwise: name and both answers."""
    f1: tuple[float, float] | None
    """Macro-F1 of both over recordings whose label is known."""
    n_labelled: int = 0
    beyond: list[str] = field(default_factory=list)
    """What lies beyond tolerance, a sentence each; empty: proved."""

    @property
    def n_clips(self) -> int:
        """Clips that both answered."""
        return self.n_synthetic + self.n_recorded

    @property
    def summary(self) -> str:
        """Say in one line whether they answer alike."""
        if self.beyond:
            return (
                f"{self.b} does not answer as {self.a} does: {'; '.join(self.beyond)}"
            )
        worst = self.differences["logits"].largest
        same = self.n_clips - len(self.changed)
        return (
            f"{self.b} answers as {self.a} does: {same} of {self.n_clips} clips alike, "
            f"logits within {worst:.1e}"
        )

    def as_dict(self) -> dict[str, Any]:
        """Return plain values for JSON."""
        return {
            "a": self.a,
            "b": self.b,
            "proved": not self.beyond,
            "summary": self.summary,
            "beyond": self.beyond,
            "tolerance": {
                "precision": self.precision,
                **self.tolerance.model_dump(mode="json"),
            },
            "n_synthetic": self.n_synthetic,
            "n_recorded": self.n_recorded,
            "n_labelled": self.n_labelled,
            "differences": {k: d.as_dict() for k, d in self.differences.items()},
            "changed": self.changed,
            "macro_f1": self.f1,
        }

    def lines(self) -> list[str]:
        """Say it in words: a small report."""
        rows = [
            f"  {name:<10}{d.largest:>10.1e}{d.p999:>10.1e}   {d.clip}"
            for name, d in self.differences.items()
        ]
        lines = [
            f"{self.n_clips} clips: {self.n_synthetic} synthetic, "
            f"{self.n_recorded} recorded",
            f"  {'':<10}{'largest':>10}{'99.9 %':>10}   where",
            *rows,
            f"decisions changed: {len(self.changed)}",
            *(f"  {c['clip']}: {c['a']} -> {c['b']}" for c in self.changed[:10]),
        ]
        if self.f1 is not None:
            before, after = self.f1
            lines.append(
                f"macro-F1 over {self.n_labelled} labelled recordings: {before:.4f} -> "
                f"{after:.4f}"
            )
        return [*lines, self.summary]


def verify(
    a: Path,
    b: Path,
    *,
    audio: Path | None = None,
    tolerance: Tolerance | None = None,
) -> Proof:
    """Run two models over the same clips and compare all that they compute.

    Parameters
    ----------
    a, b
        Model folders or exported files.
    audio
        Folder of recordings, used beside synthetic sounds. A recording whose folder
        has the name of a class counts for the macro-F1.
    tolerance
        None: that of the coarser precision of the two.

    Raises
    ------
    CheckpointError
        If one of them cannot be run, or their classes differ.
    SettingsError
        If they take different waveforms.
    AudioError
        If the folder holds no recording that can be read.
    """
    sides = open_side(a), open_side(b)
    return compare(*sides, audio=audio, tolerance=tolerance)


def compare(
    a: Side, b: Side, *, audio: Path | None = None, tolerance: Tolerance | None = None
) -> Proof:
    """Compare two opened sides; see :func:`verify`."""
    _refuse_other_classes(a, b)
    sounds = list(_sounds(a, b, audio))
    rate = _rate(a, b)
    found = [_answered(side, sounds, rate) for side in (a, b)]
    names = [sound.name for sound in sounds]
    (first, decided), (second, decided_again) = found
    precision = max(a.file.precision, b.file.precision, key=list(TOLERANCES).index)
    f1, n_labelled = _macro_f1(sounds, decided, decided_again, a.card.labels)
    proof = Proof(
        a=a.name,
        b=b.name,
        precision=precision,
        tolerance=tolerance or TOLERANCES[precision],
        n_synthetic=sum(sound.label is None for sound in sounds),
        n_recorded=sum(sound.label is not None for sound in sounds),
        differences=_differences(first, second, names),
        changed=[
            {"clip": name, "a": one, "b": other}
            for name, one, other in zip(names, decided, decided_again, strict=True)
            if one != other
        ],
        f1=f1,
        n_labelled=n_labelled,
    )
    proof.beyond.extend(_beyond(proof))
    if precision == "float32":
        proof.beyond.extend(_other_rules(a.card, b.card))
    return proof


def _refuse_other_classes(a: Side, b: Side) -> None:
    if a.card.labels != b.card.labels:
        own = [label for label in a.card.labels if label not in b.card.labels]
        what = f"{own[0]!r} is none of the second's" if own else "their order differs"
        raise CheckpointError(
            f"{a.name} and {b.name} have different classes ({what}); "
            "compare a model with what was exported from it"
        )


def _rate(a: Side, b: Side) -> int:
    """Return the rate at which clips are made: a recorder's where one takes that."""
    raw = [side for side in (a, b) if not side.file.conditioned]
    rates = {side.file.rate for side in raw or (a, b)}
    if len(rates) > 1:
        raise SettingsError(
            f"{a.name} takes {a.file.rate} Hz and {b.name} {b.file.rate} Hz; "
            "compare each with the model folder"
        )
    return rates.pop()


def _sounds(a: Side, b: Side, audio: Path | None) -> Iterator[ProofSound]:
    front_end, rate = a.card.front_end, _rate(a, b)
    parts = [synthetic_sounds(rate=rate, duration_s=front_end.clip.duration_s)]
    if audio is not None:
        conditioned = a.file.conditioned and b.file.conditioned
        parts.append(
            recorded_sounds(audio, front_end, rate=rate, conditioned=conditioned)
        )
    return chain(*parts)


def _answered(
    side: Side, sounds: Sequence[ProofSound], rate: int
) -> tuple[Answers, list[str]]:
    """Return what a side says of clips, and what it answers in the end."""
    parts, decided = [], []
    for sound in sounds:
        y = sound.y
        if side.file.conditioned and rate != side.file.rate:
            y = condition_array(y, sample_rate=rate, settings=side.card.front_end)
        answers = side.answers(y[None])
        parts.append(answers)
        decided.append(_decision(answers, y, side))
    return _joined(parts), decided


def _decision(answers: Answers, y: Float32, side: Side) -> str:
    card = side.card
    log_mel = answers.log_mel
    if log_mel is None and side.file.conditioned:
        log_mel = clip_inputs(y, card.front_end).log_mel[None]
    scores = answers.scores
    if log_mel is not None:
        scores = refuse(scores, refusals(answers.logits, log_mel, card))
    return _answer(scores, card)


def _answer(scores: Float32, card: Card) -> str:
    answer = int(answers_at(scores, card.lowest_scores)[0])
    return (*card.labels, UNKNOWN)[answer]


def _joined(parts: Sequence[Answers]) -> Answers:
    def whole(name: str) -> Any:
        values = [getattr(part, name) for part in parts]
        return None if values[0] is None else np.concatenate(values)

    return Answers(*map(whole, ("logits", "scores", "features", "log_mel")))


def _differences(a: Answers, b: Answers, names: Sequence[str]) -> dict[str, Difference]:
    """Compare what both sides tell; log-mel of another shape is not compared."""
    found = {}
    for name in ("features", "log_mel", "logits", "scores"):
        first, second = getattr(a, name), getattr(b, name)
        if first is None or second is None or first.shape != second.shape:
            continue
        scale = FEATURE_FACTORS if name == "features" else np.float32(1)
        found[name] = _difference(first / scale, second / scale, names)
    return found


def _difference(a: Float32, b: Float32, names: Sequence[str]) -> Difference:
    with np.errstate(invalid="ignore"):
        apart = np.abs(a.astype(np.float64) - b)
    apart[np.isnan(apart)] = np.inf
    apart[np.isnan(a) & np.isnan(b)] = 0.0
    largest = apart.reshape(len(apart), -1).max(axis=1)
    worst = int(largest.argmax())
    # Without interpolation: between a number and infinity there is none.
    p999 = float(np.quantile(apart, 0.999, method="lower"))
    return Difference(float(largest[worst]), p999, names[worst])


def _macro_f1(
    sounds: Sequence[ProofSound],
    a: Sequence[str],
    b: Sequence[str],
    labels: tuple[str, ...],
) -> tuple[tuple[float, float] | None, int]:
    known = [k for k, sound in enumerate(sounds) if sound.label in labels]
    if not known:
        return None, 0
    truth = [labels.index(str(sounds[k].label)) for k in known]
    values = []
    for decided in (a, b):
        answered = [labels.index(decided[k]) for k in known]
        table = confusion_matrix(truth, answered, n_classes=len(labels))
        values.append(float(macro_f1(table)))
    return (values[0], values[1]), len(known)


def _other_rules(a: Card, b: Card) -> Iterator[str]:
    """Say which rules differ from score to answer: no clip may have shown it."""
    if a.lowest_scores != b.lowest_scores:
        yield "their thresholds differ"
    first, second = (card.unknown.model_dump(exclude={"measured"}) for card in (a, b))
    if first != second:
        yield "their rules for unknown differ"


def _beyond(proof: Proof) -> Iterator[str]:
    """Say what lies beyond tolerance."""
    allowed = proof.tolerance
    apart = proof.differences["logits"]
    if allowed.logits is not None and not apart.largest <= allowed.logits:
        yield (
            f"logits differ by {apart.largest:.1e} ({apart.clip}), allowed is "
            f"{allowed.logits:.0e}"
        )
    # Scores follow from logits; where they do not, the calibration is another.
    scores = proof.differences["scores"]
    if allowed.logits is not None and not scores.largest <= allowed.logits:
        yield f"scores differ by {scores.largest:.1e} ({scores.clip})"
    share = 1 - len(proof.changed) / proof.n_clips
    if share < allowed.same_decisions:
        first = proof.changed[0]
        yield (
            f"{len(proof.changed)} of {proof.n_clips} decisions changed (first: "
            f"{first['clip']}, {first['a']} -> {first['b']}), allowed are "
            f"{1 - allowed.same_decisions:.1%}"
        )
    if proof.f1 is not None and allowed.macro_f1 is not None:
        lost = 100 * (proof.f1[0] - proof.f1[1])
        if lost > allowed.macro_f1:
            yield (
                f"macro-F1 is {lost:.2f} points lower, allowed are {allowed.macro_f1:g}"
            )
