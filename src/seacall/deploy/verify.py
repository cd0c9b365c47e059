"""Prove that two models answer alike, end to end, or say where they do not."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from itertools import chain
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from seacall.audio.features import FEATURE_FACTORS
from seacall.audio.frontend import clip_inputs, condition_array
from seacall.deploy.proof import (
    TOLERANCES,
    Difference,
    Proof,
    Tolerance,
    beyond,
)
from seacall.deploy.proof_sounds import ProofSound, recorded_sounds, synthetic_sounds
from seacall.deploy.rounding import exact_inputs
from seacall.deploy.sides import Answers, Side, open_side
from seacall.errors import CheckpointError, SettingsError
from seacall.labels import UNKNOWN
from seacall.learn.metrics import confusion_matrix, macro_f1
from seacall.models.checkpoint import Card
from seacall.models.decide import answers_at
from seacall.models.unknown import refusals, refuse

Float32 = NDArray[np.float32]


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
    raw = not (a.file.conditioned and b.file.conditioned)
    found = [_answered(side, sounds, rate, raw=raw) for side in (a, b)]
    names = [sound.name for sound in sounds]
    (first, decided), (second, decided_again) = found
    precision = max(a.file.precision, b.file.precision, key=list(TOLERANCES).index)
    rounding = _own_rounding((a, b), (first, second), sounds, rate if raw else None)
    apart = np.abs(first.logits.astype(np.float64) - second.logits).max(axis=1)
    limit = tolerance or TOLERANCES[precision]
    excess = np.nan_to_num(apart - limit.roundings * rounding, nan=np.inf)
    f1, n_labelled = _macro_f1(sounds, decided, decided_again, a.card.labels)
    proof = Proof(
        a=a.name,
        b=b.name,
        precision=precision,
        tolerance=limit,
        n_synthetic=sum(sound.label is None for sound in sounds),
        n_recorded=sum(sound.label is not None for sound in sounds),
        differences={
            **_differences(first, second, names),
            "rounding": Difference(
                float(rounding.max()),
                float(np.quantile(rounding, 0.999, method="lower")),
                names[int(rounding.argmax())],
            ),
        },
        changed=[
            {"clip": name, "a": one, "b": other}
            for name, one, other in zip(names, decided, decided_again, strict=True)
            if one != other
        ],
        f1=f1,
        n_labelled=n_labelled,
        excess=float(excess.max()),
        excess_clip=names[int(excess.argmax())],
    )
    proof.beyond.extend(beyond(proof))
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
    side: Side, sounds: Sequence[ProofSound], rate: int, *, raw: bool
) -> tuple[Answers, list[str]]:
    """Return what a side says of clips, and what it answers in the end.

    Parameters
    ----------
    raw
        Whether the clips have not been through filter and resampler.
    """
    parts, decided = [], []
    for sound in sounds:
        y = sound.y
        if raw and side.file.conditioned:
            y = condition_array(y, sample_rate=rate, settings=side.card.front_end)
        answers = side.answers(y[None])
        parts.append(answers)
        decided.append(_decision(answers, y, side))
    return _joined(parts), decided


def _decision(answers: Answers, y: Float32, side: Side) -> str:
    card = side.card
    if answers.answer is not None:  # what users of the file alone would be told
        return card.labels[int(answers.answer[0])]
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


def _own_rounding(
    sides: Sequence[Side],
    found: Sequence[Answers],
    sounds: Sequence[ProofSound],
    raw_rate: int | None,
) -> NDArray[np.float64]:
    """Return how far a side's logits lie from exact ones, ``(n,)``; 0: not known."""
    for side, answers in zip(sides, found, strict=True):
        parts = []
        for k, sound in enumerate(sounds):
            settings = side.card.front_end
            inputs = exact_inputs(sound.y, rate=raw_rate, settings=settings)
            exact = side.network(*inputs)
            if exact is None:
                break
            parts.append(float(np.abs(exact[0] - answers.logits[k]).max()))
        if len(parts) == len(sounds):
            return np.array(parts)
    return np.zeros(len(sounds))


def _joined(parts: Sequence[Answers]) -> Answers:
    def whole(name: str) -> Any:
        values = [getattr(part, name) for part in parts]
        return None if values[0] is None else np.concatenate(values)

    return Answers(*map(whole, ("logits", "scores", "features", "log_mel", "answer")))


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
