"""Write what a comparison with annotations found: JSON, CSV, a curve, one HTML page."""

from __future__ import annotations

import csv
import json
from collections.abc import Iterable, Sequence
from pathlib import Path
from typing import Any

from seacall.files import written_whole
from seacall.learn.detection_figures import (
    DetectionFigures,
    DetectionReport,
    rate_key,
)
from seacall.learn.detection_plot import plot_det
from seacall.learn.detection_words import (
    as_dict,
    digits_of,
    rate_bound_note,
    rate_note,
)
from seacall.learn.evaluation import LEVEL, Estimate
from seacall.learn.remarks import Remark
from seacall.learn.report import data_uri, flat, page_environment, versions
from seacall.learn.sweep import RATES_PER_HOUR

REPORT_NAME = "report.html"
JSON_NAME = "figures.json"
CSV_NAME = "figures.csv"
CURVE_NAME = "det.csv"
PLOT_NAME = "det.png"
CURVE_COLUMNS = (
    "label",
    "threshold",
    "hits",
    "false_alarms",
    "recall",
    "miss_rate",
    "precision",
    "false_alarms_per_hour",
)
_AT_THRESHOLD = ("precision", "recall", "f1", "false_alarms_per_hour")
_DASH = "\u2013"


def write_detection_report(
    report: DetectionReport, remarks: Sequence[Remark], out: Path
) -> None:
    """Write ``figures.json``, ``figures.csv``, ``det.csv``, ``det.png`` and the page.

    Without any curve there is no ``det.png``, and one of an earlier time is removed.
    """
    out.mkdir(parents=True, exist_ok=True)
    text = json.dumps(as_dict(report, remarks), indent=2, ensure_ascii=False)
    _write_text(out / JSON_NAME, text + "\n")
    figures = [_row(one) for one in report.classes]
    columns = list(figures[0]) if figures else ["label"]
    _write_csv(out / CSV_NAME, columns, figures)
    _write_csv(out / CURVE_NAME, CURVE_COLUMNS, _curve_rows(report.classes))
    plot = out / PLOT_NAME
    drawn = plot_det(report.classes, plot)
    if not drawn:
        plot.unlink(missing_ok=True)
    _write_text(out / REPORT_NAME, _page(report, remarks, plot if drawn else None))


def _write_text(path: Path, text: str) -> None:
    with written_whole(path) as part:
        # "replace": a file name that is not UTF-8 must not stop the report.
        part.write_text(text, encoding="utf-8", errors="replace", newline="\n")


def _write_csv(
    path: Path, columns: Sequence[str], rows: Iterable[dict[str, Any]]
) -> None:
    with (
        written_whole(path) as part,
        part.open("w", encoding="utf-8", newline="") as file,
    ):
        writer = csv.DictWriter(file, columns, lineterminator="\n")
        writer.writeheader()
        writer.writerows(rows)


def _row(one: DetectionFigures) -> dict[str, Any]:
    """Return a class as a row: each figure with the ends of its interval."""
    row: dict[str, Any] = {
        "label": one.label,
        "threshold": one.threshold,
        "n_annotations": one.n_annotations,
        "n_hits": one.n_hits,
        "n_false_alarms": one.n_false_alarms,
        "free_h": round(one.free_h, 6),
    }
    for name, estimate in one.figures.items():
        low, high = estimate.interval or (None, None)
        row |= {name: estimate.value, f"{name}_low": low, f"{name}_high": high}
    return row


def _curve_rows(classes: Sequence[DetectionFigures]) -> Iterable[dict[str, Any]]:
    for one in classes:
        curve = one.curve
        columns = (
            [one.label] * len(curve.thresholds),
            *(
                values.tolist()
                for values in (
                    curve.thresholds,
                    curve.hits[0],
                    curve.false_alarms[0],
                    curve.recall[0],
                    1 - curve.recall[0],
                    curve.precision[0],
                    curve.rate[0],
                )
            ),
        )
        for values in zip(*columns, strict=True):
            cells = ["" if value != value else value for value in values]  # NaN
            yield dict(zip(CURVE_COLUMNS, cells, strict=True))


def _page(report: DetectionReport, remarks: Sequence[Remark], plot: Path | None) -> str:
    complete = bool(report.model)
    settings = report.measure.model_dump(mode="json")
    return (
        page_environment()
        .get_template("detections.html")
        .render(
            title="Detections against annotations",
            r=report,
            classes=[_shown(one, complete=complete) for one in report.classes],
            others=[_shown(one, complete=complete) for one in report.others],
            remarks=remarks,
            rates=[f"{rate:g}" for rate in RATES_PER_HOUR],
            det=data_uri(plot) if plot else "",
            complete=complete,
            has_intervals=any(
                e.interval for one in report.classes for e in one.figures.values()
            ),
            level=f"{LEVEL:.0%}",
            about={
                "detections": report.origin,
                "model": report.model or _DASH,
                "recordings": f"{report.n_recordings:,}",
                "heard, h": f"{report.heard_h:.4g}",
                "counted, h": f"{report.counted_h:.4g}",
            },
            settings=flat({k: v for k, v in settings.items() if v != {}}),
            versions=versions(),
        )
    )


def _shown(one: DetectionFigures, *, complete: bool) -> dict[str, Any]:
    """Return a class as the page shows it."""
    cells = {
        name: _cell(one.figures[name], digits_of(name))
        for name in (*_AT_THRESHOLD, "average_precision")
    }
    cells["false_alarms_per_hour"]["why"] = rate_bound_note(one)
    return {
        "label": one.label,
        "threshold": "never" if one.threshold is None else f"{one.threshold:.3f}",
        "n_annotations": one.n_annotations,
        "n_hits": one.n_hits,
        "n_false_alarms": one.n_false_alarms,
        **cells,
        "at_rates": [_rate_cell(one, r, complete=complete) for r in RATES_PER_HOUR],
    }


def _rate_cell(one: DetectionFigures, rate: float, *, complete: bool) -> dict[str, str]:
    found = _cell(one.figures[rate_key(rate)], 2)
    found["why"] = rate_note(one, rate, complete=complete)
    if found["why"].startswith("at least"):
        found["value"] = f"\u2265 {found['value']}"
    return found


def _cell(estimate: Estimate, digits: int) -> dict[str, str]:
    if estimate.value is None:
        return {"value": _DASH, "interval": "", "why": ""}
    interval = ""
    if estimate.interval is not None:
        interval = " to ".join(f"{edge:.{digits}f}" for edge in estimate.interval)
    return {"value": f"{estimate.value:.{digits}f}", "interval": interval, "why": ""}
