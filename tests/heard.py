"""Makes what a model would have heard: clips whose scores a test chooses."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import tiny

from seacall.detect.clip_table import ClipTable
from seacall.detection import DetectSettings
from seacall.events import Annotation, Recording, Searched, Segment
from seacall.learn.listened import Listened, Listening, SegmentClips

RATE = 16_000
LABELS = tiny.LABELS  # three species and unknown; clips of 1 s


def clip_table(scores, *, hop_s=1.0):
    """Clips in a row; of the first classes' scores, the rest is ``unknown``."""
    table = np.atleast_2d(np.asarray(scores, dtype=np.float64))
    if table.shape[0] == 1 and np.ndim(scores) == 1:
        table = table.T  # scores of the first class alone
    n, given = table.shape
    full = np.full((n, len(LABELS)), 1e-9)
    full[:, :given] = np.maximum(table, 1e-9)
    full[:, -1] = np.maximum(1 - full[:, :-1].sum(axis=1), 1e-9)
    column = np.zeros(n, np.float32)
    return ClipTable(
        start_s=np.arange(n) * hop_s,
        logits=np.log(full).astype(np.float32),
        silent=np.zeros(n, bool),
        event_db=column + np.float32(np.nan),
        level_db=column - 20,
        snr_db=column + 10,
        low_hz=column + 100,
        high_hz=column + 1000,
    )


def listened(name, scores, *, card, settings=None, hop_s=1.0):
    """A recording whose clips have these scores."""
    from seacall.detect.merge import detections

    table = clip_table(scores, hop_s=hop_s)
    n_samples = round(((len(table) - 1) * hop_s + 1.0) * RATE)
    recording = Recording(Path(name), RATE, 1, n_samples, "PCM_16")
    segment = Segment(0, n_samples)
    searched = Searched(
        recording.path, recording, (segment,), ((0.0, n_samples / RATE),)
    )
    found = detections(
        table,
        searched=searched,
        channel=1,
        segment=segment,
        card=card,
        settings=settings or DetectSettings(),
    )
    return Listened(searched, tuple(found), (SegmentClips(1, segment, table),))


def listening(recordings, *, threshold=0.5, settings=None, hop_s=1.0, **changes):
    """A run over recordings, given as scores by name."""
    card = tiny.card(threshold=threshold, **changes)
    settings = settings or DetectSettings()
    return Listening(
        tuple(
            listened(name, scores, card=card, settings=settings, hop_s=hop_s)
            for name, scores in recordings.items()
        ),
        "run test",
        card=card,
        settings=settings,
    )


def annotation(name, start_s, end_s, label=LABELS[0]):
    """A person's mark."""
    return Annotation(Path(name), float(start_s), float(end_s), label)
