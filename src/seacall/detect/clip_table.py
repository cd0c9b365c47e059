"""What a model said of consecutive clips: what thresholds and merging start from."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, fields

import numpy as np
from numpy.typing import NDArray

from seacall.models.backend import scores_from_logits
from seacall.models.checkpoint import Card
from seacall.models.unknown import reasons_to_refuse, refuse

Float32 = NDArray[np.float32]


@dataclass(frozen=True)
class ClipTable:
    """Clips of one segment of one channel of a recording, in order, one row each."""

    start_s: NDArray[np.float64]
    """Seconds from the recording's first sample, shape ``(n,)``."""
    logits: Float32
    """As the network gives them, shape ``(n, n_classes)``."""
    silent: NDArray[np.bool_]
    """Nothing moves in the clip, shape ``(n,)``."""
    event_db: Float32
    """Event strength, where the card asks for it, else NaN; shape ``(n,)``."""
    level_db: Float32
    """Root mean square of the conditioned clip, dB re full scale, ``(n,)``."""
    snr_db: Float32
    """Loudest part above the background of its bands, dB, shape ``(n,)``."""
    low_hz: Float32
    high_hz: Float32
    """Edges of what stands out from the background, shape ``(n,)``."""
    embeddings: NDArray[np.float16] | None = None
    """What the last layer was given, ``(n, length)``; None: not asked for."""

    def __len__(self) -> int:
        return len(self.start_s)

    def refusals(self, card: Card) -> list[str]:
        """Say of each clip why it is ``unknown`` whatever its scores; empty: no."""
        measured = not np.isnan(self.event_db).any()
        return reasons_to_refuse(
            self.logits,
            silent=self.silent,
            event_strength=self.event_db.astype(np.float64) if measured else None,
            rule=card.unknown,
        )

    def scores(self, card: Card) -> Float32:
        """Return calibrated scores, shape ``(n, n_classes)``, as the card has it."""
        return refuse(scores_from_logits(self.logits, card), self.refusals(card))

    @staticmethod
    def joined(parts: Sequence[ClipTable]) -> ClipTable:
        """Put tables of consecutive clips behind each other; at least one."""
        names = [f.name for f in fields(ClipTable) if f.name != "embeddings"]
        columns = {n: np.concatenate([getattr(p, n) for p in parts]) for n in names}
        # Parts without clips need not know how long an embedding is.
        embedded = [p.embeddings for p in parts if p.embeddings is not None]
        whole = np.concatenate(embedded) if embedded else None
        if whole is not None and len(whole) != len(columns["start_s"]):
            raise ValueError("some parts have embeddings and others have none")
        return ClipTable(**columns, embeddings=whole)


def empty_table(n_classes: int) -> ClipTable:
    """Return a table without clips."""
    column = np.empty(0, np.float32)
    return ClipTable(
        start_s=np.empty(0),
        logits=np.empty((0, n_classes), np.float32),
        silent=np.empty(0, bool),
        event_db=column,
        level_db=column,
        snr_db=column,
        low_hz=column,
        high_hz=column,
    )
