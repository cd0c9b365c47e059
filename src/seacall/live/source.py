"""What a source of sound gives: segments of blocks, and troubles between them."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from threading import Event
from typing import Literal, Protocol

import numpy as np
from numpy.typing import NDArray

from seacall.errors import AudioError, SettingsError

Float32 = NDArray[np.float32]
Kind = Literal["gap", "overrun", "late", "duplicate", "reconnect", "unreadable", "note"]

BLOCK_S = 0.05
"""Sound that is gathered before it is handed on, s: more is delay, less is work."""
_FIRST_WAIT_S, _LONGEST_WAIT_S = 1.0, 60.0
_GOOD_S = 10.0
"""A connection that gave so much sound was one; the next wait is the first again."""


@dataclass(frozen=True)
class Start:
    """A segment begins: time runs without a break until its end."""

    sample_rate: int
    """Hz."""
    n_channels: int
    start: datetime | None
    """When its first sample was recorded, UTC; None: not known."""
    why: str
    """What made it begin."""
    key: str = ""
    """What is listened to once only, a recording of a folder say; empty: a stream."""
    first_sample: int = 0
    """Where it lies in its recording."""


@dataclass(frozen=True)
class Block:
    """Samples that follow those of the block before."""

    y: Float32
    """Shape ``(n, n_channels)``, full scale at +-1."""
    position: int
    """Number of its first sample within the segment."""


@dataclass(frozen=True)
class Trouble:
    """Something that whoever believes the results must know."""

    kind: Kind
    text: str


@dataclass(frozen=True)
class End:
    """The segment is over."""

    why: str


Heard = Start | Block | Trouble | End


class Source(Protocol):
    """Gives sound, block by block."""

    name: str
    """As the user names it."""
    running: bool
    """Sound comes whether it is listened to or not; else it waits."""

    def heard(self, stop: Event) -> Iterator[Heard]:
        """Yield segments until there is no more, or ``stop`` is set.

        Raises
        ------
        SeacallError
            If it can never give anything.
        """
        ...


def begun_before(n_samples: int, sample_rate: int) -> datetime:
    """Return when samples that have just arrived began."""
    return datetime.now(UTC) - timedelta(seconds=n_samples / sample_rate)


def reconnecting(
    connect: Callable[[], Iterator[Heard]],
    stop: Event,
    *,
    first_wait_s: float = _FIRST_WAIT_S,
) -> Iterator[Heard]:
    """Listen to a stream that may break off; each connection is a new segment.

    The first wait doubles up to a minute.

    Parameters
    ----------
    connect
        Connects, and yields until the connection ends. Raises ``OSError`` or
        ``AudioError`` where it breaks. If it returns ``End("over")`` last, the stream
        was of a known length, and is over.
    """
    wait_s = first_wait_s
    while not stop.is_set():
        good_s, rate, ending = 0.0, 1, None
        reason = "the other side closed the stream"
        try:
            for heard in connect():
                if isinstance(heard, Start):
                    rate = heard.sample_rate
                if isinstance(heard, Block):
                    good_s += len(heard.y) / rate
                ending = heard.why if isinstance(heard, End) else None
                yield heard
        except SettingsError:
            raise
        except (OSError, AudioError) as error:
            reason = " ".join(str(error).split())
        if ending == OVER or stop.is_set():
            return
        wait_s = first_wait_s if good_s >= _GOOD_S else wait_s
        yield End(reason)
        yield Trouble("reconnect", f"{reason}; again in {wait_s:g} s")
        stop.wait(wait_s)
        wait_s = min(2 * wait_s, _LONGEST_WAIT_S)


OVER = "over"
"""Why a segment ends behind which nothing can come."""
