"""What a model may ask of a dataset's clips; waveforms are read when it does."""

from __future__ import annotations

from collections.abc import Iterable
from functools import partial

from seacall.audio.frontend import ClipInputs, first_clip
from seacall.data.arrays import ClipArrays
from seacall.models.checkpoint import Card


def inputs_of(arrays: ClipArrays, rows: Iterable[int], card: Card) -> list[ClipInputs]:
    """Return what a model with this card may ask of some clips."""
    return [
        ClipInputs(
            arrays.log_mel[i],
            arrays.features[i],
            waveform=partial(first_clip, arrays.clips[i].path, card.front_end),
        )
        for i in rows
    ]
