"""How long work tells whoever started it what it is doing."""

from __future__ import annotations

from typing import Protocol


class Observer(Protocol):
    """Receives what a run has to say."""

    def say(self, line: str) -> None:
        """Take a line for people: what was found, chosen or left out."""
        ...

    def progress(self, stage: str, done: int, total: int, note: str = "") -> None:
        """Take how far a stage is; ``done == total`` ends it."""
        ...


class Silent:
    """An observer that drops everything."""

    def say(self, line: str) -> None:
        """Drop a line."""

    def progress(self, stage: str, done: int, total: int, note: str = "") -> None:
        """Drop progress."""
