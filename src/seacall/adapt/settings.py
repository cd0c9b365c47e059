"""Settings of ``seacall adapt``."""

from __future__ import annotations

from typing import Literal

from pydantic import Field

from seacall.settings import Settings

Mode = Literal["add", "replace", "only"]


class AdaptSettings(Settings):
    """How a model gets classes from a few labelled clips."""

    mode: Mode = "add"
    """add: clips of classes that exist already only guard them; replace: they teach
    these classes anew; only: the folder's classes and unknown are all that is left."""
    label_column: str | None = None
    """Column of selection tables with the label; None: the first usual one."""
    heads: tuple[str, ...] = ()
    """Heads to choose from, by name; empty: all. The first one is taken where nothing
    can be held out."""
    fine_tune: bool = False
    """Train the layers behind a student's trunk too, with the old model as teacher;
    kept only where it does better on what was held out. Needs torch."""
    most_false: float = Field(default=0.01, gt=0, lt=1)
    """Share of the background, and of other classes' clips, that may be answered with
    a new class: its threshold is raised until it is no more."""
    n_noises: int = Field(default=8, ge=2)
    """Clips of each simulated kind of background (wind, rain, ship, ...)."""
    n_drawn: int = Field(default=40, ge=2)
    """Embeddings drawn of each old class where the model says where they lie."""
    min_duration_s: float = Field(default=0.05, gt=0)
    """Shorter clips are left out, s."""
    seed: int = Field(default=0, ge=0)
    """Seed of simulated sounds and drawn embeddings."""
