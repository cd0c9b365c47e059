"""The model that comes with the package: its graph, its card, a page on it."""

from __future__ import annotations

from pathlib import Path


def shipped_folder() -> Path:
    """Return the model folder that lies in the package."""
    return Path(__file__).resolve().parent
