"""From logits to the scores that ``seacall detect`` would give, as a network.

Calibrated; and where a clip is refused, such as silence, ``unknown`` has it all. The
second implementation beside `seacall.models.unknown`, for graphs that leave seacall.
"""

from __future__ import annotations

from collections.abc import Callable

import numpy as np
import torch
from scipy.ndimage import uniform_filter1d
from torch import Tensor, nn

from seacall.deploy.scores_graph import Scores
from seacall.models import unknown
from seacall.models.checkpoint import Card


class ScoresWithRefusals(nn.Module):
    """Calibrate logits, and refuse clips as a card says.

    Parameters
    ----------
    card
        Of the model whose logits come in.
    """

    nothing: Tensor

    def __init__(self, card: Card) -> None:
        super().__init__()
        self.calibrated = Scores(card.calibration, len(card.labels))
        self.refused = Refused(card)
        nothing = torch.zeros(1, len(card.labels))
        nothing[0, -1] = 1.0
        self.register_buffer("nothing", nothing)

    def forward(self, logits: Tensor, log_mel: Tensor) -> Tensor:
        """Score clips.

        Parameters
        ----------
        logits
            Shape ``(batch, n_classes)``.
        log_mel
            Shape ``(batch, n_patches, n_frames, n_mels)``.

        Returns
        -------
        scores
            Shape ``(batch, n_classes)``; each row sums to 1.
        """
        refused = self.refused(logits, log_mel)
        return torch.where(refused[:, None], self.nothing, self.calibrated(logits))


class Refused(nn.Module):
    """See `seacall.models.unknown.reasons_to_refuse`."""

    def __init__(self, card: Card) -> None:
        super().__init__()
        self.rule, self.profile = card.unknown, card.front_end.profile
        frames = card.front_end.n_patches * self.profile.n_frames
        self.n_frames, self.n_mels = frames, self.profile.n_mels
        self.event_strength = EventStrength(frames) if self.rule.needs_events else None
        self.factor = float(20 if self.profile.spectrum == "magnitude" else 10) / (
            np.log(10)
        )

    def forward(self, z: Tensor, log_mel: Tensor) -> Tensor:
        """Tell which clips are refused, shape ``(batch,)``."""
        db = log_mel.reshape(-1, self.n_frames, self.n_mels) * self.factor
        refused = _is_silent(db)
        strength = self.event_strength(db) if self.event_strength else None
        if self.rule.lowest_event_db is not None and strength is not None:
            refused = refused | (strength < self.rule.lowest_event_db)
        # In double precision, as the first implementation is.
        known = self._known(z.double(), strength)
        if known is not None and self.rule.lowest is not None:
            refused = refused | (known < self.rule.lowest)
        return refused

    def _known(self, z: Tensor, strength: Tensor | None) -> Tensor | None:
        if self.rule.method == "none":
            return None
        if self.rule.method != "combined":
            return KNOWNNESS[self.rule.method](z)
        found = torch.zeros_like(z[:, 0])
        for name, weight in self.rule.weights.items():
            if name == unknown.LOG_EVENT and strength is not None:
                value = torch.log(1.0 + torch.clamp_min(strength, 0.0)).double()
            else:
                value = KNOWNNESS[name](z)
            found = found + weight * value
        return found


class EventStrength(nn.Module):
    """See `seacall.models.unknown.event_strength_db`."""

    smoothing: Tensor

    def __init__(self, n_frames: int) -> None:
        super().__init__()
        self.n_frames = n_frames
        # The mean over 150 ms, ends and all, is one matrix.
        every = np.eye(n_frames, dtype=np.float32)
        mean = uniform_filter1d(every, unknown.EVENT_FRAMES, axis=0, mode="nearest")
        self.register_buffer("smoothing", torch.from_numpy(mean))

    def forward(self, db: Tensor) -> Tensor:
        """Measure clips in dB, ``(batch, n_frames, n_mels)``; shape ``(batch,)``."""
        ordered = torch.topk(db.transpose(1, 2), self.n_frames // 2 + 1, dim=2).values
        median = ordered[:, :, -1]
        if self.n_frames % 2 == 0:
            median = (median + ordered[:, :, -2]) / 2
        smooth = self.smoothed(db - median[:, None])
        n_cells = self.n_frames * db.shape[2]
        # The quantile lies between two cells; linear, as NumPy's.
        place = unknown.EVENT_SHARE * (n_cells - 1)
        below = int(place)
        loudest = torch.topk(smooth.reshape(-1, n_cells), n_cells - below, dim=1).values
        lower, upper = loudest[:, -1], loudest[:, max(n_cells - below - 2, 0)]
        return lower + (upper - lower) * (place - below)

    def smoothed(self, db: Tensor) -> Tensor:
        """Return the mean over 150 ms, shape ``(batch, n_frames, n_mels)``."""
        return torch.matmul(self.smoothing, db)


def _is_silent(db: Tensor) -> Tensor:
    inner = db[:, unknown.EDGE_FRAMES : db.shape[1] - unknown.EDGE_FRAMES]
    ranges = inner.amax(dim=1) - inner.amin(dim=1)
    return ranges.amax(dim=1) < unknown.SILENT_DB


def _log_sum_exp(z: Tensor) -> Tensor:
    """Over the last axis."""
    highest = z.amax(dim=-1, keepdim=True)
    total = torch.exp(z - highest).sum(dim=-1)
    return highest[..., 0] + torch.log(total)


def _entropy(z: Tensor) -> Tensor:
    log_p = z - _log_sum_exp(z)[:, None]
    return (torch.exp(log_p) * log_p).sum(dim=1)


KNOWNNESS: dict[str, Callable[[Tensor], Tensor]] = {
    "max_logit": lambda z: z[:, :-1].amax(dim=1),
    "energy": lambda z: _log_sum_exp(z[:, :-1]),
    "max_score": lambda z: torch.softmax(z, dim=1)[:, :-1].amax(dim=1),
    "entropy": _entropy,
    "not_unknown": lambda z: _log_sum_exp(z[:, :-1]) - z[:, -1],
}
"""What logits say of how known clips are; see `seacall.models.unknown.KNOWNNESS`."""
