"""Several models that answer as one: the mean of what their calibrated scores say."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any, Protocol

import numpy as np
from numpy.typing import NDArray

from seacall.audio.frontend import clip_inputs, condition_array
from seacall.errors import CheckpointError, SettingsError
from seacall.models.calibrated import calibrated
from seacall.models.checkpoint import (
    CARD_NAME,
    Calibration,
    Card,
    checked_file,
    read_card,
)

Float32 = NDArray[np.float32]

LEAST_SCORE = 1e-7
"""Smallest score that is told from none: float32 has seven digits."""


class _Model(Protocol):
    card: Card

    def logits(self, x: Float32, features: Float32) -> Float32: ...


def log_scores(logits: NDArray[Any], calibration: Calibration) -> Float32:
    """Return what a member brings in: logarithms of its calibrated scores.

    A score below 1e-7 counts as that, so that no member can veto a class.
    """
    scores = calibrated(logits, calibration)
    return np.asarray(np.log(np.maximum(scores, LEAST_SCORE)), np.float32)


def pooled(members: Sequence[Float32]) -> Float32:
    """Return a committee's logits: the mean of its members' log scores.

    They are left as they sum up: by how much they fall short of a distribution is what
    `seacall.models.unknown.disagreement` reads from them.
    """
    mean = np.mean(np.stack(members), axis=0, dtype=np.float64)
    return np.asarray(mean, np.float32)


class Committee:
    """A committee's folder, run member by member.

    Parameters
    ----------
    folder
        Model folder whose card names members.
    load_member
        What opens a member's folder.

    Raises
    ------
    CheckpointError
        If a member is missing, was changed, or does not fit the others.
    """

    def __init__(self, folder: Path, *, load_member: Callable[[Path], Any]) -> None:
        self.card = read_card(folder)
        for name in self.card.files:
            checked_file(folder, self.card, name)
        self.members: list[_Model] = []
        for member in self.card.members:
            own = folder / member.folder
            if f"{member.folder}/{CARD_NAME}" not in self.card.files:
                raise CheckpointError(
                    f"{folder / CARD_NAME}: lists no {member.folder}/{CARD_NAME}; "
                    "copy the model folder again"
                )
            if read_card(own).members:
                raise CheckpointError(
                    f"{own}: is a committee itself; name its members instead"
                )
            self.members.append(load_member(own))
            _check(self.members[-1].card, self.card, own)

    def logits(self, x: Float32, features: Float32) -> Float32:
        """Return the members' mean log scores.

        See `seacall.models.backend.Classifier`; they are logits, in that their softmax
        is the committee's answer.
        """
        if not len(x):
            return np.empty((0, len(self.card.labels)), np.float32)
        heard = _Heard(self.card, x, features)
        return pooled(
            [
                log_scores(
                    member.logits(*heard.by(member.card)), member.card.calibration
                )
                for member in self.members
            ]
        )


class CommitteeEmbedder(Committee):
    """A committee that gives its members' embeddings, one behind the other.

    See `seacall.models.embedding.Embedder`; ``load_member`` opens embedders.
    """

    members: list[Any]

    @property
    def name(self) -> str:
        """How many members, and the start of their names' sha256."""
        return self.card.name

    @property
    def length(self) -> int:
        """Numbers in an embedding: those of all members."""
        return sum(int(member.length) for member in self.members)

    def embed(self, x: Float32, features: Float32) -> Float32:
        """Describe clips, shape ``(n, length)``."""
        return self.both(x, features)[1]

    def both(self, x: Float32, features: Float32) -> tuple[Float32, Float32]:
        """Return logits and embeddings in one run."""
        if not len(x):
            return self.logits(x, features), np.empty((0, self.length), np.float32)
        heard = _Heard(self.card, x, features)
        found = [(one, *one.both(*heard.by(one.card))) for one in self.members]
        said = [log_scores(z, one.card.calibration) for one, z, _ in found]
        return pooled(said), np.concatenate([e for *_, e in found], axis=1)


class _Heard:
    """Clips as each member takes them; what several take is computed once."""

    def __init__(self, card: Card, x: Float32, features: Float32) -> None:
        self._front_end = card.front_end
        self._given = {(card.front_end.fingerprint(), card.takes): (x, features)}
        self._clips = x if card.takes == "waveform" else None

    def by(self, card: Card) -> tuple[Float32, Float32]:
        """Return what a member with this card is given."""
        key = (card.front_end.fingerprint(), card.takes)
        if key not in self._given:
            self._given[key] = self._through(card)
        return self._given[key]

    def _through(self, card: Card) -> tuple[Float32, Float32]:
        assert self._clips is not None  # a card of patches is that of all members
        clips = list(self._clips)
        if card.front_end != self._front_end:
            rate = self._front_end.profile.sample_rate
            clips = [
                condition_array(y, sample_rate=rate, settings=card.front_end)
                for y in clips
            ]
        inputs = [clip_inputs(y, card.front_end) for y in clips]
        features = np.stack([one.features for one in inputs])
        if card.takes == "waveform":
            return np.stack(clips), features
        return np.stack([one.log_mel for one in inputs]), features


def _check(member: Card, card: Card, folder: Path) -> None:
    if member.labels != card.labels:
        raise CheckpointError(
            f"{folder}: its classes are not the committee's; make the committee again"
        )
    if card.takes == "patches" and (member.front_end, member.takes) != (
        card.front_end,
        card.takes,
    ):
        raise CheckpointError(
            f"{folder}: does not take the committee's patches; make it again"
        )


def member_folders(folder: Path) -> list[Path]:
    """Return the members' folders of a committee, as its card pins them; else itself.

    Raises
    ------
    CheckpointError
        If a member is missing, or was changed.
    """
    if not (folder / CARD_NAME).is_file():
        return [folder]
    card = read_card(folder)
    if not card.members:
        return [folder]
    for name in card.files:
        checked_file(folder, card, name)
    return [folder / member.folder for member in card.members]


def common_card(cards: Sequence[Card], names: Sequence[object]) -> dict[str, Any]:
    """Return what of a committee's card follows from its members' front ends.

    Members of one front end share one pass. Of several the one that hears most is the
    committee's: clips go through it, and from there through each member's own.

    Parameters
    ----------
    names
        Of the members, for messages.

    Raises
    ------
    SettingsError
        If they cannot answer together.
    """
    first = cards[0]
    for card, name in zip(cards, names, strict=True):
        if card.labels != first.labels:
            differing = ", ".join(sorted(set(first.labels) ^ set(card.labels)))
            raise SettingsError(
                f"{name}: its classes are not those of {names[0]} "
                f"({differing or 'their order'}); a committee needs models that were "
                "trained on the same classes"
            )
        if card.front_end.clip != first.front_end.clip:
            raise SettingsError(
                f"{name}: hears {_words(card)}, and {names[0]} {_words(first)}; "
                "a committee needs models that hear the same clips"
            )
    if all((c.front_end, c.takes) == (first.front_end, first.takes) for c in cards):
        return {"front_end": first.front_end, "takes": first.takes}
    widest = max(cards, key=_breadth)
    for card, name in zip(cards, names, strict=True):
        own, host = card.front_end.profile, widest.front_end.profile
        if host.band_hz not in (None, own.band_hz):
            raise SettingsError(
                f"{name}: profile {own.name} hears what {host.name} filters out; make "
                "committees of models of one profile"
            )
    return {"front_end": widest.front_end, "takes": "waveform"}


def _breadth(card: Card) -> tuple[int, bool]:
    profile = card.front_end.profile
    return profile.sample_rate, profile.band_hz is None


def _words(card: Card) -> str:
    clip = card.front_end.clip
    channel = "all channels" if clip.channel is None else f"channel {clip.channel}"
    return f"clips of {clip.duration_s:g} s ({clip.fit}, {channel})"
