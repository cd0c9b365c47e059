"""What is known of the segment that is heard, and of all that was heard before."""

from __future__ import annotations

from dataclasses import dataclass, field
from datetime import datetime

import numpy as np
from numpy.typing import NDArray

from seacall.live.clock import StreamClock
from seacall.live.levels import Seconds
from seacall.live.listener import Listener
from seacall.live.snippets import Snippets
from seacall.live.source import Start

Float32 = NDArray[np.float32]


@dataclass
class HeardChannel:
    """What belongs to a channel of the segment that is heard."""

    number: int
    """Counted from 1; 0: the mean of all."""
    listener: Listener
    snippets: Snippets

    def of(self, y: Float32) -> Float32:
        """Return its samples, shape ``(n,)``, of ``(n, n_channels)``."""
        if self.number == 0:
            mixed = y.mean(axis=1) if y.shape[1] > 1 else y[:, 0]
            return np.ascontiguousarray(mixed, np.float32)
        return np.ascontiguousarray(y[:, self.number - 1])


@dataclass
class HeardSegment:
    """The segment that is heard."""

    number: int
    start: Start
    channels: list[HeardChannel]
    seconds: Seconds
    clock: StreamClock | None
    n_samples: int = 0
    skipped: bool = False
    """It was heard before."""


@dataclass
class Counts:
    """What came of a source so far."""

    heard_s: float = 0.0
    n_clips: int = 0
    detections: dict[str, int] = field(default_factory=dict)
    last_sound: datetime | None = None
    n_segments: int = 0
    events: dict[str, int] = field(default_factory=dict)
    """Number of each kind, those that were not written one by one too."""
