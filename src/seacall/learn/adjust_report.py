"""One HTML page on a calibration: reliability before and after, thresholds, unknown."""

from __future__ import annotations

import base64
import json
from pathlib import Path

import jinja2

from seacall.learn.adjust import Adjusted
from seacall.learn.plots import plot_reliability

REPORT_NAME = "calibration.html"
FIGURES_NAME = "calibration.json"


def write_adjust_report(adjusted: Adjusted, out: Path, *, title: str) -> None:
    """Write the page, its two plots and the figures as JSON into a model folder."""
    before, after = out / "reliability_before.png", out / "reliability_after.png"
    plot_reliability(adjusted.fitted.before, before)
    plot_reliability(adjusted.fitted.after, after)
    environment = jinja2.Environment(
        loader=jinja2.PackageLoader("seacall.learn"),
        autoescape=True,
        undefined=jinja2.StrictUndefined,
    )
    card, kinds = adjusted.card, adjusted.kinds
    first = next(iter(kinds.values()), {})
    page = environment.get_template("calibration.html").render(
        title=title,
        c=card.calibration,
        remarks=adjusted.remarks,
        before=_data_uri(before),
        after=_data_uri(after),
        losses=adjusted.fitted.losses,
        thresholds=card.thresholds,
        precision=card.target_precision,
        kinds=kinds,
        methods=[key for key, value in first.items() if isinstance(value, dict)],
        rule=card.unknown,
    )
    (out / REPORT_NAME).write_text(page, encoding="utf-8", newline="\n")
    text = json.dumps(adjusted.as_dict(), indent=2, ensure_ascii=False)
    (out / FIGURES_NAME).write_text(text + "\n", encoding="utf-8")


def _data_uri(path: Path) -> str:
    return "data:image/png;base64," + base64.b64encode(path.read_bytes()).decode()
