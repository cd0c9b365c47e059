"""From logits to the answer in the end, as a network: refusals, then thresholds."""

from __future__ import annotations

import numpy as np
import torch
import torch.nn.functional as F
from torch import Tensor, nn

from seacall.deploy.pamguard_scores import EventStrength, Refused
from seacall.deploy.scores_graph import Scores
from seacall.models import unknown
from seacall.models.checkpoint import NEVER, Card


class ScoresAndAnswer(nn.Module):
    """Calibrate logits, and answer as `seacall.models.decide.answers_at` does.

    Parameters
    ----------
    card
        Of the model whose logits come in.
    """

    lowest: Tensor
    answered: Tensor

    def __init__(self, card: Card) -> None:
        super().__init__()
        self.n_classes = len(card.labels)
        self.calibrated = Scores(card.calibration, self.n_classes)
        self.refused = Refused(card)
        if self.refused.event_strength is not None:
            self.refused.event_strength = _PooledEvents(self.refused.n_frames)
        lowest = np.asarray(card.lowest_scores)
        self.register_buffer("lowest", torch.from_numpy(lowest.astype(np.float32)))
        self.register_buffer("answered", torch.from_numpy(lowest < NEVER))

    def forward(self, logits: Tensor, log_mel: Tensor) -> tuple[Tensor, Tensor]:
        """Answer clips.

        Parameters
        ----------
        logits
            Shape ``(batch, n_classes)``.
        log_mel
            Shape ``(batch, n_patches, n_frames, n_mels)``.

        Returns
        -------
        scores
            Shape ``(batch, n_classes)``; nothing is refused in them.
        answer
            Number of the class, shape ``(batch,)``; the last one, ``unknown``, where a
            clip is refused or no score is high enough.
        """
        scores = self.calibrated(logits)
        best = torch.argmax(scores, dim=1)
        enough = torch.amax(scores, dim=1) >= self.lowest[best]
        known = enough & self.answered[best] & ~self.refused(logits, log_mel)
        return scores, torch.where(known, best, self.n_classes - 1)


class _PooledEvents(EventStrength):
    """As its parent; the mean over 150 ms takes no matrix, which is a megabyte."""

    def smoothed(self, db: Tensor) -> Tensor:
        """Return the mean over 150 ms, shape ``(batch, n_frames, n_mels)``."""
        half = unknown.EVENT_FRAMES // 2
        padded = F.pad(db.transpose(1, 2), (half, half), mode="replicate")
        pooled = F.avg_pool1d(padded, unknown.EVENT_FRAMES, stride=1)
        return pooled.transpose(1, 2)
