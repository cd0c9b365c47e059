"""Prove that an adapted model answers as the old one about the old classes."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np

from seacall.adapt.heads import Layer
from seacall.adapt.plan import Plan
from seacall.audio.frontend import clip_inputs
from seacall.deploy.proof_sounds import synthetic_sounds
from seacall.errors import CheckpointError
from seacall.models.embedding import load_embedder

TOLERANCE = 1e-4
"""Largest difference of logits that is let through, as in exports."""


def prove(
    old: Path, new: Path, plan: Plan, layer: Layer, *, moved: bool = False
) -> dict[str, Any]:
    """Ask both models about simulated calls, noises and extremes.

    Old classes that stay must get the logits they had, and all classes those of the
    layer that was fitted.

    Parameters
    ----------
    old, new
        Model folders.
    layer
        What the new one's last layer should be.
    moved
        Whether layers before it were trained too: old logits may differ then, and it is
        told how often the best old class is another.

    Returns
    -------
    report
        Plain values, for ``verify.json``.

    Raises
    ------
    CheckpointError
        If they differ by more than `TOLERANCE`.
    """
    before, after = load_embedder(old), load_embedder(new)
    front_end = before.card.front_end
    rate, duration_s = front_end.profile.sample_rate, front_end.clip.duration_s
    kept, own, n, n_same = 0.0, 0.0, 0, 0
    columns = [plan.labels.index(label) for label in plan.fixed]
    for sound in synthetic_sounds(rate=rate, duration_s=duration_s):
        inputs = clip_inputs(sound.y, front_end)
        x = sound.y if before.card.takes == "waveform" else inputs.log_mel
        was, _ = before.both(x[None], inputs.features[None])
        now, embedding = after.both(x[None], inputs.features[None])
        n += 1
        wanted = layer.logits(embedding)
        scale = max(1.0, float(np.abs(wanted).max()))
        own = max(own, float(np.abs(wanted - now).max()) / scale)
        if columns:
            apart = np.abs(was[:, plan.fixed_columns()] - now[:, columns]).max()
            kept = max(kept, float(apart))
            best = [z.argmax() for z in (was[:, plan.fixed_columns()], now[:, columns])]
            n_same += int(best[0] == best[1])
    worst = own if moved else max(kept, own)
    if not worst <= TOLERANCE:
        raise CheckpointError(
            f"{new}: its logits differ from the old model's, or from the layer that "
            f"was fitted, by {worst:.1e}, allowed is {TOLERANCE:.0e}; report this"
        )
    return {
        "adapt: old classes": {
            "n_clips": n,
            "old_logits_differ_by": kept,
            "same_best_old_class": n_same,
            "fitted_logits_differ_by": own,
            "allowed": TOLERANCE,
        }
    }
