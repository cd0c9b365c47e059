"""Calibration as a network of its own: logits in, calibrated scores out."""

from __future__ import annotations

import torch
from torch import Tensor, nn

from seacall.models.checkpoint import Calibration


class Scores(nn.Module):
    """From logits to scores; see :func:`seacall.models.calibrated.calibrated`.

    Parameters
    ----------
    calibration
        Of the model's card.
    n_classes
        The last class is ``unknown``.
    """

    slopes: Tensor
    offsets: Tensor

    def __init__(self, calibration: Calibration, n_classes: int) -> None:
        super().__init__()
        self.method = calibration.method
        self.temperature = calibration.temperature
        for name in ("slopes", "offsets"):
            values = getattr(calibration, name) or (0.0,) * n_classes
            self.register_buffer(name, torch.tensor(values, dtype=torch.float32))

    def forward(self, logits: Tensor) -> Tensor:
        """Calibrate logits, shape ``(batch, n_classes)``."""
        if self.method != "platt":
            return torch.softmax(logits / self.temperature + self.offsets, dim=1)
        shares = torch.sigmoid(self._log_odds(logits) * self.slopes + self.offsets)
        total = shares.sum(dim=1, keepdim=True)
        left = torch.clamp_min(1.0 - total, 0.0)
        scores = shares / torch.clamp_min(total, 1.0)
        return torch.cat([scores[:, :-1], scores[:, -1:] + left], dim=1)

    def _log_odds(self, logits: Tensor) -> Tensor:
        """Return ``z_k - log sum_{j != k} exp(z_j)``, one class left out at a time."""
        n = self.slopes.shape[0]
        odds = []
        for k in range(n):
            others = torch.cat([logits[:, :k], logits[:, k + 1 :]], dim=1)
            odds.append(logits[:, k] - torch.logsumexp(others, dim=1))
        return torch.stack(odds, dim=1)
