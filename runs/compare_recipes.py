"""Which way of training is better? One recipe with other settings, and the difference.

    python runs/compare_recipes.py DATASET VARIANTS.toml OUT

VARIANTS.toml holds settings of ``seacall evaluate --protocol`` (protocols, n_seeds,
teacher, student, head ...) and a table for each way, the first of which the others are
compared with::

    [way."labels alone"]
    kind = "student-distilled"
    head_distill = { alpha = 0.0 }

Prints macro-F1 with its interval over deployments and the paired difference to the
first: the same resamples of deployments for both. Stopped, it goes on where it was.
"""

from __future__ import annotations

import argparse
import tomllib
from pathlib import Path

import numpy as np

from seacall.learn import recipes
from seacall.learn.bootstrap import percentile_interval
from seacall.learn.context import RunContext
from seacall.learn.evaluation import LEVEL
from seacall.learn.frozen import StudentDistilledRecipe
from seacall.learn.observe import Silent
from seacall.learn.protocol import ProtocolResult, ProtocolRun, run_protocol
from seacall.learn.protocol_report import write_protocol
from seacall.learn.protocol_words import number, title_of
from seacall.models.device import choose_device

SHOWN = (
    "macro_f1",
    "accuracy",
    "recording_macro_f1",
    "pairs_right",
    "family_balanced_accuracy",
    "calibration_error_raw",
)

_VIEWS: dict[str, dict] = {}
"""What frozen trunks and EfficientAT gave, by what decides it."""


class SharedViews(StudentDistilledRecipe):
    """As its parent; ways with the same trunk and views compute them once."""

    def model_post_init(self, context: object, /) -> None:
        """Take what another way has computed."""
        super().model_post_init(context)
        augment = self.head.augment.model_dump_json(exclude={"mixup"})
        key = f"{self.front_end} {self.student.start} {self.teacher.weights} {augment}"
        self._kept = _VIEWS.setdefault(key, {})


KINDS = recipes.RECIPES | {"student-distilled": SharedViews}


def main() -> None:
    """Run all ways and print a table."""
    parser = argparse.ArgumentParser()
    parser.add_argument("dataset", type=Path)
    parser.add_argument("variants", type=Path)
    parser.add_argument("out", type=Path)
    options = parser.parse_args()
    values = tomllib.loads(options.variants.read_text("utf-8"))
    ways = values.pop("way")
    for name, way in ways.items():
        # Not recipes of the package: known under these names while the script runs.
        recipes.RECIPES[name] = KINDS[way.pop("kind")]
    settings = ProtocolRun(**values, recipes=tuple(ways), recipe=ways)
    context = RunContext(
        data=options.dataset,
        out=options.out,
        device=choose_device("cpu"),
        observer=Silent(),
    )
    report = run_protocol(settings, context)
    write_protocol(report, options.out)
    for result in report.results:
        print("\n".join(table(result)), flush=True)


def table(result: ProtocolResult) -> list[str]:
    """Return a Markdown table with a row for each way."""
    out = [
        f"{title_of(result)}, {LEVEL:.0%} intervals over deployments",
        f"| | difference | by seed | {' | '.join(SHOWN)} |",
        "|" + "---|" * (len(SHOWN) + 3),
    ]
    first = result.systems[result.recipes[0]]
    for name in result.recipes:
        own = result.systems[name]
        difference = "-"
        if own is not first:
            value = own.figures["macro_f1"].value - first.figures["macro_f1"].value
            draws = own.headline_draws - first.headline_draws
            low, high = percentile_interval(draws, level=LEVEL)
            difference = f"{value:+.3f} ({low:+.3f} to {high:+.3f})"
        seeds = ", ".join(f"{x:.3f}" for x in np.array(own.by_seed["macro_f1"]))
        cells = [number(own.figures[key]) for key in SHOWN]
        shown = [
            c["value"] + (f" ({c['interval']})" if c["interval"] else "") for c in cells
        ]
        out.append(f"| {name} | {difference} | {seeds} | {' | '.join(shown)} |")
    return out


if __name__ == "__main__":
    main()
