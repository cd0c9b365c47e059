"""One HTML file that tells a reviewer what was measured and how far to believe it."""

from __future__ import annotations

import base64
import math
import platform
from collections.abc import Mapping, Sequence
from importlib import metadata
from pathlib import Path
from typing import Any

import jinja2

from seacall.learn.evaluation import HEADLINE, LEVEL, MODEL, Estimate, Evaluation
from seacall.learn.remarks import remarks
from seacall.learn.tables import CURVE_COLUMNS

SHOWN_MISTAKES = 30
MANY_RECORDINGS = 200
"""From here on a third digit is worth showing: one recording is less than 0.005."""
PACKAGES = ("seacall", "numpy", "scipy", "torch", "onnxruntime", "scikit-learn")

# Figure: name, what it says, whether it means something for one-hot scores.
_PLAIN_ROWS = (
    ("macro_f1", "Macro-F1", "each species counts the same", True),
    ("balanced_accuracy", "Balanced accuracy", "mean recall of the species", True),
    ("accuracy", "Accuracy", "share of recordings answered right", True),
    ("weighted_f1", "Weighted F1", "each recording counts the same", True),
)
_THRESHOLD_ROWS = (
    (
        "accuracy_at_threshold",
        "Accuracy",
        "too unsure counts as \u201cunknown\u201d",
        True,
    ),
    (
        "macro_f1_at_threshold",
        "Macro-F1",
        "too unsure counts as \u201cunknown\u201d",
        True,
    ),
    (
        "weighted_f1_at_threshold",
        "Weighted F1",
        "too unsure counts as \u201cunknown\u201d",
        True,
    ),
    ("share_answered", "Share answered", "recordings at or above the threshold", False),
    (
        "accuracy_of_answered",
        "Accuracy when answered",
        "right among the answered",
        False,
    ),
)
_CALIBRATION_ROWS = (
    (
        "calibration_error",
        "Calibration error",
        "mean gap between score and accuracy; lower is better",
        False,
    ),
)


def write_report(
    evaluation: Evaluation,
    *,
    path: Path,
    title: str,
    settings: Mapping[str, Any],
    plots: Mapping[str, Path],
    model_info: Mapping[str, Any],
    history: Sequence[Mapping[str, Any]] | None = None,
    sorted_by: Sequence[str] = (),
) -> None:
    """Write the report: one file that needs no network, no script and no other file.

    Parameters
    ----------
    evaluation
        What to report.
    path
        HTML file to write.
    title
        Heading of the page.
    settings
        Settings of the run; nested mappings are flattened to dotted names.
    plots
        PNG files by name: ``confusion``, ``per_class``, ``reliability``, ``curves``.
        A section whose plot is missing is left out.
    model_info
        What the model is: name, parameters, front end, hash.
    history
        Training history as in `seacall.learn.tables.write_curves`.
    sorted_by
        What `seacall.learn.embedding_probe.lines` says of the map beside the report;
        empty: there is none.
    """
    environment = page_environment()
    digits = 3 if evaluation.n_recordings >= MANY_RECORDINGS else 2
    environment.filters["share"] = lambda value: _number(value, digits)
    environment.filters["score"] = lambda value: _number(value, 3)
    environment.filters["fraction"] = lambda value: f"{value or 0:.3f}"
    page = environment.get_template("report.html").render(
        title=title,
        e=evaluation,
        remarks=remarks(evaluation),
        level=f"{LEVEL:.0%}",
        headline=evaluation.figures[MODEL][HEADLINE],
        systems=tuple(evaluation.figures),
        blocks=_blocks(evaluation, digits),
        margins={k: _cell(m, digits, sign=True) for k, m in evaluation.margins.items()},
        threshold=_threshold(evaluation.threshold),
        classes=evaluation.classes,
        mistakes=evaluation.mistakes[:SHOWN_MISTAKES],
        plots={name: data_uri(file) for name, file in plots.items()},
        history=_history(history or ()),
        sorted_by=tuple(sorted_by),
        curve_columns=CURVE_COLUMNS,
        model_info=flat(model_info),
        settings=flat(settings),
        versions=versions(),
    )
    # "replace": a file name that is not UTF-8 must not stop the report.
    path.write_text(page, encoding="utf-8", errors="replace", newline="\n")


def page_environment() -> jinja2.Environment:
    """Return what renders pages: whatever stands in a name, it is shown as text."""
    return jinja2.Environment(
        loader=jinja2.PackageLoader("seacall.learn"),
        autoescape=True,
        undefined=jinja2.StrictUndefined,
        trim_blocks=True,
        lstrip_blocks=True,
    )


def _blocks(evaluation: Evaluation, digits: int) -> list[dict[str, Any]]:
    threshold = _threshold(evaluation.threshold)
    parts = (
        ("Best class, always answered", _PLAIN_ROWS),
        (f"With a threshold of {threshold}", _THRESHOLD_ROWS),
        ("Calibration", _CALIBRATION_ROWS),
    )
    return [
        {
            "title": title,
            "rows": [
                {
                    "name": name,
                    "meaning": meaning,
                    "cells": {
                        system: _cell(own[key], digits)
                        if for_look_ups or system == MODEL
                        else None
                        for system, own in evaluation.figures.items()
                    },
                }
                for key, name, meaning, for_look_ups in rows
            ],
        }
        for title, rows in parts
    ]


def _cell(estimate: Estimate, digits: int, *, sign: bool = False) -> dict[str, str]:
    value = _number(estimate.value, digits, sign=sign)
    if estimate.interval is None:
        return {"value": value, "interval": ""}
    low, high = (_number(edge, digits, sign=sign) for edge in estimate.interval)
    return {"value": value, "interval": f"{low} to {high}"}


def _number(value: float | None, digits: int, *, sign: bool = False) -> str:
    if value is None or not math.isfinite(value):
        return "\u2013"
    text = f"{value:{'+' if sign else ''}.{digits}f}"
    return text.replace("-", "\u2212")


def _threshold(threshold: float | tuple[float, ...]) -> str:
    if isinstance(threshold, float):
        return f"{threshold:g}"
    return f"{min(threshold):.2f} to {max(threshold):.2f}, by class"


def _history(history: Sequence[Mapping[str, Any]]) -> list[list[str]]:
    return [[_curve(epoch.get(key)) for key in CURVE_COLUMNS] for epoch in history]


def _curve(value: Any) -> str:
    if value is None:
        return "\u2013"
    return f"{value:.4g}" if isinstance(value, float) else str(value)


def flat(values: Mapping[str, Any], prefix: str = "") -> dict[str, str]:
    """Return nested settings as texts by dotted name."""
    found: dict[str, str] = {}
    for key, value in values.items():
        if isinstance(value, Mapping):
            found |= flat(value, f"{prefix}{key}.")
        else:
            found[f"{prefix}{key}"] = _text(value)
    return found


def _text(value: Any) -> str:
    if isinstance(value, bool):
        return "yes" if value else "no"
    if value is None:
        return "\u2013"
    if isinstance(value, list | tuple):
        return ", ".join(_text(part) for part in value)
    return f"{value:g}" if isinstance(value, float) else str(value)


def versions() -> dict[str, str]:
    """Return the versions of what computed the figures."""
    found = {"python": platform.python_version()}
    for package in PACKAGES:
        try:
            found[package] = metadata.version(package)
        except metadata.PackageNotFoundError:
            continue
    return found


def data_uri(path: Path) -> str:
    """Return a PNG file as it is embedded in a page."""
    return "data:image/png;base64," + base64.b64encode(path.read_bytes()).decode()
