"""A model and what it is to learn: its material, from all that is at hand."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path

import numpy as np

from seacall.adapt.clips import Heard, read_clips
from seacall.adapt.heads import Layer
from seacall.adapt.lesson import (
    Material,
    Part,
    background_part,
    bank_part,
    calls_part,
    clips_part,
    material,
)
from seacall.adapt.others import background, simulated_calls
from seacall.adapt.plan import Plan
from seacall.adapt.settings import AdaptSettings
from seacall.errors import AnnotationError
from seacall.models.bank import Bank, read_bank
from seacall.models.checkpoint import Calibration
from seacall.models.embedding import Embedder

_N_CALLS = 2
"""Simulated calls of each species, beside what is known of the old classes."""


@dataclass(frozen=True, eq=False)
class Work:
    """A model and what it is to learn."""

    model: Path
    embedder: Embedder
    last: Layer
    plan: Plan
    settings: AdaptSettings
    old: Path | None
    negatives: Path | None

    @property
    def calibration(self) -> Calibration:
        """The old one, where its classes stay."""
        if self.settings.mode == "only":
            return Calibration()
        return self.embedder.card.calibration

    def material(self, heard: Heard) -> tuple[Material, dict[str, str]]:
        """Join the user's clips with the background and the old classes' sounds."""
        rest = background(
            self.embedder,
            self.negatives,
            n_noises=self.settings.n_noises,
            seed=self.settings.seed,
        )
        parts = clips_part(heard, self.plan, self.calibration)
        measured_on = {"background": rest.what}
        parts.append(background_part(rest, self.plan, self.calibration))
        old, measured_on["old"] = self._old_parts()
        return material([*parts, *old], self.plan), measured_on

    def _old_parts(self) -> tuple[list[Part], str]:
        """Return what the new classes must leave alone, the best that is at hand."""
        rng = np.random.default_rng(self.settings.seed)
        if self.old is not None:
            kept = read_clips(self.old, self.embedder)
            parts = clips_part(kept, self.plan, self.calibration)
            parts = [part for part in parts if part.kind == "old"]
            if not parts:
                raise AnnotationError(
                    f"{self.old}: none of its labels ({', '.join(kept.counts())}) is "
                    "an old class that stays; label them as the model does, or leave "
                    "--old out"
                )
            n = sum(len(part.targets) for part in parts)
            return parts, f"{n} clips of {self.old}"
        calls = simulated_calls(
            self.embedder, but=self.plan.new, n_each=_N_CALLS, seed=self.settings.seed
        )
        parts = [calls_part(calls, self.plan, self.calibration)]
        drawn = self._drawn(rng)
        if drawn is None:
            return parts, calls.what
        what = f"{len(drawn.targets)} embeddings drawn around the classes, {calls.what}"
        return [drawn, *parts], what

    def _drawn(self, rng: np.random.Generator) -> Part | None:
        """Return embeddings drawn of the old classes, if the model says where."""
        bank = self.bank()
        # What is to be trained lies before the embeddings that could be drawn.
        if bank is None or not self.plan.fixed or self.settings.fine_tune:
            return None
        return bank_part(
            bank,
            self.last,
            self.plan,
            self.calibration,
            rng=rng,
            n_each=self.settings.n_drawn,
        )

    def bank(self) -> Bank | None:
        """Return where the old classes lie, if the model says so."""
        card, length = self.embedder.card, self.last.weight.shape[1]
        return read_bank(self.model, card, length=length)

    def undone(self, layer: Layer) -> Layer:
        """Return a layer's plain logits, which the old calibration is applied to."""
        if self.calibration.method in ("temperature", "vector"):
            return layer.scaled(self.calibration.temperature, np.zeros(len(layer.bias)))
        return layer
