"""What an evaluation found: figures with intervals, counts, mistakes."""

from __future__ import annotations

from dataclasses import asdict, dataclass
from typing import Any

from seacall.learn.metrics import FloatArray, IntArray
from seacall.learn.predictions import Mistake

MODEL = "model"
"""Name of the model's own figures, beside those of the baselines."""
HEADLINE = "macro_f1"
"""The figure by which a model is compared with the baselines."""
LEVEL = 0.95
"""Share of resamples that an interval holds."""


@dataclass(frozen=True)
class Estimate:
    """One figure with its interval."""

    value: float | None
    """None: it cannot be computed, such as the accuracy of no answers."""
    interval: tuple[float, float] | None
    """Low and high of the bootstrap over deployments; None: there is none."""


@dataclass(frozen=True)
class ClassFigures:
    """The figures of one class, without a threshold."""

    label: str
    support: int
    """Recordings that are this class."""
    n_deployments: int
    """Deployments that they come from."""
    precision: float | None
    """None: never answered."""
    recall: float | None
    """None: does not occur."""
    f1: float | None
    """None: neither occurs nor is answered."""


@dataclass(frozen=True, eq=False)
class Evaluation:
    """What `evaluate_predictions` found."""

    split: str
    labels: tuple[str, ...]
    n_recordings: int
    n_deployments: int
    """Deployments in the measured split, as far as they are known."""
    n_without_deployment: int
    """Recordings whose deployment is not known."""
    shared_deployments: tuple[str, ...] | None
    """Measured deployments that were trained on; None: training is not known."""
    leaky: bool | None
    """Whether there are any; None: not known."""
    threshold: float | tuple[float, ...]
    """Lowest score that is answered; one number, or one for each class."""
    n_resamples: int
    interval_note: str
    """How the intervals were made, or why there are none."""
    figures: dict[str, dict[str, Estimate]]
    """For the model and each baseline, each figure of
    `seacall.learn.evaluate.STATISTICS`."""
    margins: dict[str, Estimate]
    """For each baseline, the model's macro-F1 less its own."""
    classes: tuple[ClassFigures, ...]
    confusion: IntArray
    """``(n_classes, n_classes)``, rows: truth; the best class, without a threshold."""
    confusion_at_threshold: IntArray
    """The same; below the threshold the answer is the last class."""
    reliability: FloatArray
    """``(3, n_bins)`` of `seacall.learn.metrics.reliability_bins`."""
    mistakes: tuple[Mistake, ...]
    """The most confident first."""

    @property
    def baselines(self) -> tuple[str, ...]:
        """Names of the baselines."""
        return tuple(self.margins)

    def as_dict(self) -> dict[str, Any]:
        """Return plain values for a JSON file; the mistakes only as their number."""
        return {
            "split": self.split,
            "n_recordings": self.n_recordings,
            "n_deployments": self.n_deployments,
            "n_without_deployment": self.n_without_deployment,
            "leaky": self.leaky,
            "shared_deployments": _plain(self.shared_deployments),
            "threshold": _plain(self.threshold),
            "interval_level": LEVEL,
            "interval_note": self.interval_note,
            "n_resamples": self.n_resamples,
            "figures": {
                name: {key: _plain(asdict(e)) for key, e in estimates.items()}
                for name, estimates in self.figures.items()
            },
            "margins": {k: _plain(asdict(e)) for k, e in self.margins.items()},
            "classes": [asdict(figures) for figures in self.classes],
            "labels": list(self.labels),
            "confusion": self.confusion.tolist(),
            "confusion_at_threshold": self.confusion_at_threshold.tolist(),
            "reliability": dict(
                zip(
                    ("n", "score_sum", "n_right"),
                    self.reliability.tolist(),
                    strict=True,
                )
            ),
            "n_mistakes": len(self.mistakes),
        }


def _plain(value: Any) -> Any:
    if isinstance(value, dict):
        return {key: _plain(part) for key, part in value.items()}
    return list(value) if isinstance(value, tuple) else value
