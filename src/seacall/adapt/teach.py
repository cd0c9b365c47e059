"""Fit a model's last layer, or the layers behind its trunk, to a lesson."""

from __future__ import annotations

from dataclasses import dataclass, replace
from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np

from seacall.adapt.choose import Chosen, choose
from seacall.adapt.clips import Heard
from seacall.adapt.graft import joined_layer
from seacall.adapt.heads import HEADS, Layer
from seacall.adapt.lesson import Material
from seacall.adapt.work import Work
from seacall.errors import require
from seacall.models.embedding import Embedder

if TYPE_CHECKING:
    from torch import nn


@dataclass(frozen=True, eq=False)
class Taught:
    """What was fitted."""

    found: Material
    """With the embeddings that the old model gives."""
    chosen: Chosen
    layer: Layer
    """From embeddings to plain logits of the final classes."""
    before: nn.Sequential | None
    """Layers between what was read of the clips and the embedding; None: none."""
    layers: nn.Sequential | None
    """The same, trained anew; None: they were not."""
    remarks: tuple[str, ...] = ()

    def seen(self, heard: Heard) -> Heard:
        """Return clips with the embeddings that the new model gives."""
        layers = self.layers or self.before
        if layers is None:
            return heard
        from seacall.adapt.fine_tune import run

        return replace(heard, embeddings=run(layers, heard.embeddings))


def behind_trunk(model: Path) -> Embedder:
    """Open a student for training of what lies behind its trunk.

    Raises
    ------
    SettingsError
        If it is none, or has no weights.
    MissingExtraError
        If torch is not installed.
    """
    require("torch", "train")
    from seacall.adapt.fine_tune import Behind

    return Behind(model)


def teach(work: Work, found: Material) -> Taught:
    """Choose a head; with ``fine_tune`` see whether trained layers do better."""
    heads = work.settings.heads or tuple(HEADS)
    if not work.settings.fine_tune:
        chosen = choose(found.lesson, found.groups, heads=heads)
        return Taught(found, chosen, _layer(work, chosen), None, None)
    from seacall.adapt.fine_tune import Behind, fine_tune, too_few

    assert isinstance(work.embedder, Behind)  # for the type checker
    before, behind = work.embedder.layers, found.lesson.embeddings
    lesson = replace(found.lesson, embeddings=work.embedder.embeddings(behind))
    found = replace(found, lesson=lesson)
    chosen = choose(lesson, found.groups, heads=heads)
    frozen = Taught(found, chosen, _layer(work, chosen), before, None)
    reason = too_few(lesson, found.groups) or _other_calibration(work)
    if reason or not chosen.n_folds:
        return replace(frozen, remarks=(reason or "not fine-tuned: see below",))
    old = _fixed_rows(work)
    tuned, losses = fine_tune(before, behind, lesson, found.groups, chosen, old)
    chosen = replace(chosen, losses=chosen.losses | losses)
    if tuned is None:
        said = (
            f"not fine-tuned: held out {losses['fine-tuned']:.3f} nats, frozen "
            f"{losses['frozen']:.3f}, no better than by chance"
        )
        return replace(frozen, chosen=chosen, remarks=(said,))
    n_fixed = len(work.plan.fixed)
    chosen = replace(
        chosen,
        head="fine-tuned",
        held_out=tuned.held_out[:, n_fixed:],
        fixed=tuned.held_out[:, :n_fixed],
    )
    order = work.plan.in_order()
    last = work.undone(Layer(tuned.last.weight[order], tuned.last.bias[order]))
    return Taught(found, chosen, last, before, tuned.layers)


def _layer(work: Work, chosen: Chosen) -> Layer:
    return joined_layer(work.last, work.plan, work.undone(chosen.layer))


def _fixed_rows(work: Work) -> Layer:
    """Return the old last layer's rows of the fixed classes, calibrated."""
    rows = work.plan.fixed_columns()
    old = Layer(work.last.weight[rows], work.last.bias[rows])
    return old.scaled(1.0 / work.calibration.temperature, np.zeros(len(rows)))


def _other_calibration(work: Work) -> str:
    method = work.calibration.method
    if method in ("none", "temperature"):
        return ""
    return f"not fine-tuned: calibration {method} would have to be fitted anew"
