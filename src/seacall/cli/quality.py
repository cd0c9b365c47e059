"""Compare detections with annotations: what ``evaluate --detections`` does."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import Annotated, Any

import typer

from seacall.cli.console import Console, finish_with_failures, print_result
from seacall.cli.options import require_training
from seacall.errors import SettingsError

Detections = Annotated[
    Path | None,
    typer.Option(
        help="Folder that seacall detect -o wrote, or a table of detections (Raven, "
        "Audacity, CSV; then give the folder of recordings first): compare it with "
        "--annotations."
    ),
]
Annotations = Annotated[
    list[Path] | None,
    typer.Option(
        help="Table of annotations (Raven, Audacity, CSV) or a folder of them; may be "
        "given again."
    ),
]
Iou = Annotated[
    float | None,
    typer.Option(
        min=0.01,
        max=1,
        help="A detection answers an annotation if they share this much of their "
        "union (0.5).",
    ),
]
Window = Annotated[
    float | None,
    typer.Option(
        min=0.01,
        help="Compare windows of so many seconds instead: is the class there, was it "
        "detected?",
    ),
]
OnlyAnnotated = Annotated[
    bool,
    typer.Option(
        "--only-annotated",
        help="Only stretches that have a label count, be it noise.",
    ),
]
Negative = Annotated[
    list[str] | None,
    typer.Option(help="Label that says there is no call; may be given again (noise)."),
]
LeaveOut = Annotated[
    list[str] | None,
    typer.Option(
        help="Label of stretches that do not count; may be given again (unlabelled, "
        "undefined, unknown)."
    ),
]
Map = Annotated[
    list[str] | None,
    typer.Option(
        "--map",
        metavar="LABEL=NAME",
        help="What the annotations call LABEL the detections call NAME; may be given "
        "again.",
    ),
]


def measure_settings(
    *,
    iou: float | None,
    window: float | None,
    only_annotated: bool,
    negative: Sequence[str] | None,
    leave_out: Sequence[str] | None,
    names: Sequence[str] | None,
) -> dict[str, Any]:
    """Return what was given, by the names of `DetectionMeasure`."""
    given = {
        "iou": iou,
        "window_s": window,
        "only_annotated": only_annotated or None,
        "negative": negative,
        "left_out": leave_out,
        "names": names,
    }
    return {name: value for name, value in given.items() if value is not None}


def refuse_without_detections(given: dict[str, Any]) -> None:
    """Raise if options of a comparison were given without --detections."""
    if given:
        raise SettingsError(
            f"{', '.join(sorted(given))}: belong to --detections; add it, or leave "
            "them out"
        )


def compare(
    detections: Path,
    annotations: Sequence[Path] | None,
    recordings: Path | None,
    out: Path,
    console: Console,
    given: dict[str, Any],
    *,
    threshold: float | None,
    as_json: bool,
) -> None:
    """Compare, print, and end with exit code 3 if something was left out."""
    require_training()
    from seacall.config import checked
    from seacall.learn.detection_evaluate import evaluate_detections
    from seacall.learn.detection_figures import DetectionMeasure
    from seacall.learn.detection_report import REPORT_NAME
    from seacall.learn.truth import read_map

    if not annotations:
        raise SettingsError(
            "detections are compared with what people marked; give --annotations TABLE"
        )
    if "iou" in given and "window_s" in given:
        raise SettingsError("--iou and --window exclude each other; leave one out")
    if out.exists() and detections.exists() and out.samefile(detections):
        raise SettingsError(f"{out}: is the run itself; choose another folder")
    values = given | {"names": read_map(given.get("names", []))}
    with console.live():
        found = evaluate_detections(
            detections,
            annotations,
            measure=checked(DetectionMeasure, values),
            out=out,
            observer=console,
            recordings=recordings,
            threshold=threshold,
        )
    text = [*found.lines(), f"report: {out / REPORT_NAME}"]
    print_result(text, found.as_dict(), as_json=as_json)
    finish_with_failures(list(found.failures), console)
