"""Say at most so often what happens again and again, and count the rest."""

from __future__ import annotations

import time
from collections import Counter
from collections.abc import Callable

AT_ONCE = 5
"""Events of a kind that are said one by one; those that follow only once a minute."""
PAUSE_S = 60.0


class Throttle:
    """Decides which of many like events are said.

    A stream that is out of step has twenty a second: none of them tells more than the
    first, and all of them together fill the disk.

    Parameters
    ----------
    clock
        Seconds.
    """

    def __init__(self, clock: Callable[[], float] = time.monotonic) -> None:
        self._clock = clock
        self._since: dict[str, float] = {}
        self._said: Counter[str] = Counter()
        self._unsaid: Counter[str] = Counter()

    def words(self, kind: str, text: str) -> str | None:
        """Return what is to be said of an event; None: nothing now.

        Examples
        --------
        >>> throttle = Throttle(lambda: 0.0)
        >>> [throttle.words("gap", "a") for _ in range(7)]
        ['a', 'a', 'a', 'a', 'a', None, None]
        """
        now = self._clock()
        if now - self._since.get(kind, -PAUSE_S) >= PAUSE_S:
            self._since[kind] = now
            # A flood that goes on is said once a minute, a new one from its start.
            self._said[kind] = AT_ONCE - 1 if self._unsaid[kind] else 0
        if self._said[kind] >= AT_ONCE:
            self._unsaid[kind] += 1
            return None
        self._said[kind] += 1
        n = self._unsaid.pop(kind, 0)
        return f"{text} (and {n} more before)" if n else text

    def rest(self) -> dict[str, int]:
        """Return how many of each kind were not said, and forget them."""
        rest = {kind: n for kind, n in self._unsaid.items() if n}
        self._unsaid.clear()
        return rest
