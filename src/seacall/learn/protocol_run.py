"""What an evaluation over folds is told: its settings."""

from __future__ import annotations

from typing import Any, Literal

from pydantic import Field

from seacall.config import (
    DistillSettings,
    FixedTraining,
    FrontEndChoice,
    HeadDistillation,
    HeadTraining,
    Settings,
    StudentSettings,
    TeacherSettings,
)
from seacall.learn.folds import Protocol


class ProtocolRun(Settings):
    """Settings of ``seacall evaluate --protocol``."""

    protocols: tuple[Protocol, ...] = Field(default=("folds",), min_length=1)
    """deployments: each held out in turn; folds: whole deployments; random: leaky."""
    recipes: tuple[str, ...] = Field(default=("student",), min_length=1)
    """What is trained in each fold: names of `seacall.learn.recipes.RECIPES`."""
    n_folds: int = Field(default=5, ge=2)
    """Folds of the protocols folds and random."""
    n_seeds: int = Field(default=3, ge=1)
    """How often all is repeated, with other folds and other initial weights."""
    seed: int = Field(default=0, ge=0)
    """The first seed."""
    species: Literal["all", "scored"] = "all"
    """scored: species with a single deployment are not even trained on."""
    threshold: float = Field(default=0.7, ge=0, le=1)
    """Lowest score that the fall-back from species to family to group answers."""
    n_resamples: int = Field(default=2000, ge=1)
    """Of the bootstrap over deployments."""
    taxa: str | None = None
    """CSV file with more taxa: label, family, group."""
    front_end: FrontEndChoice = FrontEndChoice()
    """From recording to network input."""
    train: FixedTraining = FixedTraining()
    """The training loop of every recipe."""
    teacher: TeacherSettings = TeacherSettings()
    """What a teacher starts from."""
    student: StudentSettings = StudentSettings()
    """The trained student that student-prototypes and student-distilled start from."""
    distill: DistillSettings = DistillSettings()
    """How a student learns from a teacher."""
    head: HeadTraining = HeadTraining()
    """The training loop of student-distilled: layers behind a frozen trunk."""
    head_distill: HeadDistillation = HeadDistillation()
    """How student-distilled learns from its teacher."""
    recipe: dict[str, dict[str, Any]] = Field(default_factory=dict)
    """Settings of one recipe by its name, which win over those above."""

    def sections(self) -> dict[str, Any]:
        """Return the settings that recipes share."""
        found = {name: getattr(self, name) for name in type(self).model_fields}
        return {k: v.model_dump() for k, v in found.items() if isinstance(v, Settings)}
