"""Read a source on a thread of its own, so that it is heard while others work."""

from __future__ import annotations

import queue
import threading
from dataclasses import dataclass
from datetime import timedelta

from seacall.live.source import Block, End, Heard, Source, Start, Trouble, begun_before

CAPACITY = 1_024
"""Items that wait: about 50 s of sound in the blocks that sources give."""


@dataclass(frozen=True)
class Failure:
    """A source that can give nothing more, and why."""

    error: Exception


class Buffered:
    """What a source gave and nobody took yet.

    Sources that wait are made to wait when the buffer is full. From those that go on,
    blocks are thrown away; they leave an overrun, and a new segment behind it.

    Parameters
    ----------
    source
        Read from :meth:`start` on.
    capacity
        Items that are kept.
    """

    def __init__(self, source: Source, *, capacity: int = CAPACITY) -> None:
        self.source = source
        self._queue: queue.Queue[Heard | Failure | None] = queue.Queue(capacity)
        self._stop = threading.Event()
        self._segment: Start | None = None
        self._lost = 0
        self._shift = 0  # samples that were thrown away, or lie in segments before
        self._thread = threading.Thread(
            target=self._pump, name=f"source {source.name}", daemon=True
        )

    def start(self) -> None:
        """Begin to read."""
        self._thread.start()

    def stop(self) -> None:
        """Ask the source to end; what waits can still be taken."""
        self._stop.set()

    def take(self, *, timeout_s: float) -> Heard | Failure | None:
        """Return what is next; None: the source is over.

        Raises
        ------
        TimeoutError
            If nothing came in time.
        """
        try:
            return self._queue.get(timeout=timeout_s)
        except queue.Empty:
            raise TimeoutError from None

    @property
    def fill(self) -> float:
        """How full it is, 0 to 1."""
        return self._queue.qsize() / max(1, self._queue.maxsize)

    def _pump(self) -> None:
        try:
            for heard in self.source.heard(self._stop):
                self._pass_on(heard)
        except Exception as error:  # noqa: BLE001 (whoever waits must hear of it)
            self._put(Failure(error))
        self._put(None)

    def _pass_on(self, heard: Heard) -> None:
        if isinstance(heard, Start):
            self._segment, self._shift = heard, 0
            self._lost = 0
        if not isinstance(heard, Block):
            self._put(heard)
            return
        if self.source.running and self._queue.full():
            self._lost += len(heard.y)
            return
        if self._lost:
            self._mark_overrun(heard)
        self._put(Block(heard.y, heard.position - self._shift))

    def _mark_overrun(self, block: Block) -> None:
        """End the segment, and begin another one with this block."""
        before = self._segment
        assert before is not None
        text = f"{self._lost} samples lost: listening is slower than the sound"
        start = (
            begun_before(len(block.y), before.sample_rate)
            if before.start is None
            else before.start + timedelta(seconds=block.position / before.sample_rate)
        )
        self._put(Trouble("overrun", text))
        self._put(End("overrun"))
        self._put(Start(before.sample_rate, before.n_channels, start, "overrun"))
        self._shift, self._lost = block.position, 0

    def _put(self, heard: Heard | Failure | None) -> None:
        while True:
            try:
                self._queue.put(heard, timeout=0.2)
                return
            except queue.Full:
                if self._stop.is_set() and isinstance(heard, Block):
                    return
