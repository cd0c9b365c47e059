"""Say in plain words what a comparison with annotations found, and how far it holds."""

from __future__ import annotations

from collections.abc import Mapping, Sequence

from seacall.learn.detection_figures import (
    DetectionFigures,
    DetectionReport,
    rate_key,
)
from seacall.learn.evaluation import Estimate
from seacall.learn.listened import Listening
from seacall.learn.poisson import rate_at_most
from seacall.learn.remarks import Remark
from seacall.learn.sweep import RATES_PER_HOUR
from seacall.learn.text import count, listed, table
from seacall.learn.truth import Truth

FEW_RECORDINGS = 10
"""Below this a bootstrap over recordings is a rough guide at best."""
_DASH = "-"


def remarks_on(
    report: DetectionReport,
    truth: Truth,
    listening: Listening,
    *,
    absent: Mapping[str, int],
) -> tuple[Remark, ...]:
    """Return what a reader must know, warnings first."""
    found = [
        *_about_labels(report, truth, listening),
        *_about_recordings(report, truth, listening, absent),
        *_about_hours(report),
        *(remark for one in report.classes for remark in _about_class(one, report)),
        *_about_scores(listening),
    ]
    return tuple(sorted(found, key=lambda remark: remark.kind == "note"))


def _about_labels(
    report: DetectionReport, truth: Truth, listening: Listening
) -> list[Remark]:
    found = []
    measured = {one.label for one in report.classes}
    for label in truth.labels:
        if label not in measured:
            n = truth.n_by_label[label]
            text = (
                f"{label} ({n:,} annotations) is no class of this model and is left "
                f"out; if it has another name there, say --map '{label}=NAME'."
            )
            found.append(Remark("warning", text))
    if not truth.labels:
        text = "No call is annotated: recall is not known, all detections are false."
        found.append(Remark("warning", text))
    if report.others:
        text = (
            "Detected, and annotated nowhere: "
            + listed(f"{o.label} ({o.n_false_alarms:,})" for o in report.others)
            + ". These are false alarms only if the annotations name all species."
        )
        found.append(Remark("note", text))
    channels = {d.channel for one in listening.recordings for d in one.found}
    if len(channels) > 1:
        text = (
            f"Detections are on {len(channels)} channels; a call that is found on "
            "several of them is one hit, and a false alarm on each of the others."
        )
        found.append(Remark("warning", text))
    return found


def _about_recordings(
    report: DetectionReport,
    truth: Truth,
    listening: Listening,
    absent: Mapping[str, int],
) -> list[Remark]:
    found = []
    if absent:
        text = (
            f"Annotations of {count(len(absent), 'recording')} that nobody listened "
            "to are left out: " + listed(f"{k} ({n:,})" for k, n in absent.items())
        )
        found.append(Remark("warning", text + "."))
    empty = [
        one.searched.path.name
        for one in listening.recordings
        if one.searched.path not in truth.labelled
        and one.searched.path not in truth.left_out
    ]
    if empty and truth.labels:
        counts = (
            "do not count"
            if report.measure.only_annotated
            else "count as free of calls; if nobody looked through them, say "
            "--only-annotated"
        )
        text = f"{count(len(empty), 'recording')} without any annotation {counts}: "
        found.append(Remark("note", text + listed(empty) + "."))
    n = report.n_recordings
    if n == 1:
        text = "There is one recording, so there are no intervals."
        found.append(Remark("warning", text))
    elif n < FEW_RECORDINGS:
        text = (
            f"Intervals come from drawing {n} recordings again and again: with so few "
            "they are a rough guide, and mostly too narrow."
        )
        found.append(Remark("warning", text))
    if report.model:
        text = "Whether the model was trained on these recordings is not known here."
        found.append(Remark("note", text))
    return found


def _about_hours(report: DetectionReport) -> list[Remark]:
    """Say which rates so few hours cannot tell apart."""
    hours = [one.free_h for one in report.classes if one.free_h > 0]
    if not hours or 1 / min(hours) <= min(RATES_PER_HOUR):
        return []
    least = min(report.classes, key=lambda one: one.free_h or float("inf"))
    text = (
        f"Only {least.free_h:.2f} h count without {least.label}: a single false alarm "
        f"is {1 / least.free_h:.2g} an hour. Recall at a lower rate than that is "
        "recall without any, and says little about longer recordings."
    )
    return [Remark("warning", text)]


def _about_class(one: DetectionFigures, report: DetectionReport) -> list[Remark]:
    found = []
    if not one.n_annotations:
        text = f"No annotation of {one.label} lies in what was heard and counts."
        found.append(Remark("warning", text))
    if not one.free_h > 0:
        text = (
            f"There is no time without {one.label}, so false alarms per hour cannot "
            "be given."
        )
        found.append(Remark("warning", text))
    if one.n_on_calls:
        text = (
            f"{one.n_on_calls:,} of {count(one.n_false_alarms, 'false alarm')} of "
            f"{one.label} lie on an annotation all the same: placed badly "
            f"(IoU below {report.measure.iou:g}), or the second on the same call. "
            "Where clips are longer than calls, --window asks what clips can answer."
        )
        found.append(Remark("note", text))
    if report.measure.window_s is not None and one.n_annotations:
        n_windows = one.n_annotations + round(
            one.free_h * 3600 / report.measure.window_s
        )
        text = (
            f"{one.n_annotations / n_windows:.0%} of the windows hold {one.label}: the "
            "average precision of scores drawn at random."
        )
        found.append(Remark("note", text))
    return found


def _about_scores(listening: Listening) -> list[Remark]:
    if listening.has_clips:
        return []
    text = (
        "A table of detections holds no lower scores than its lowest: what a lower "
        "threshold would find is not known."
    )
    return [Remark("note", text)]


def rate_note(one: DetectionFigures, rate: float, *, complete: bool) -> str:
    """Say why a recall at a rate is what it is; empty: nothing is special about it.

    Parameters
    ----------
    complete
        Whether all thresholds could be tried.
    """
    if not one.n_annotations or not one.free_h > 0:
        return "not known"
    if not len(one.curve.thresholds):
        return "nothing was detected"
    reached = float(one.curve.rate.max())
    if reached <= rate and not complete:
        return f"at least: the lowest score gives only {reached:.2g} an hour"
    if one.figures[rate_key(rate)].value == 0 and one.curve.hits.any():
        return "even the highest scores give more false alarms"
    if rate < 1 / one.free_h:
        return f"without any in {one.free_h:.2f} h"
    return ""


def rate_bound_note(one: DetectionFigures) -> str:
    """Say what no false alarm proves; empty if there are some."""
    if one.n_false_alarms or not one.free_h > 0:
        return ""
    return f"at most {rate_at_most(0, one.free_h):.2g} (95 %)"


def lines(report: DetectionReport, remarks: Sequence[Remark]) -> list[str]:
    """Render for people."""
    found = [
        f"{report.origin}: {count(report.n_recordings, 'recording')}, "
        f"{report.heard_h:.2f} h heard, {report.counted_h:.2f} h count; "
        f"{report.measure.in_words}"
    ]
    if report.classes:
        found += ["", *_threshold_table(report), "", *_rate_table(report), ""]
    return [*found, *(f"{r.kind}: {r.text}" for r in remarks)]


def _threshold_table(report: DetectionReport) -> list[str]:
    what = "windows" if report.measure.window_s else "annotations"
    rows = [["at the threshold", what, "hits", "false", *_SHORT.values()]]
    for one in report.classes:
        counts = [one.n_annotations, one.n_hits, one.n_false_alarms]
        cells = [cell(one.figures[name], digits_of(name)) for name in _SHORT]
        rows.append([named(one), *(f"{n:,}" for n in counts), *cells])
    return table(rows)


def _rate_table(report: DetectionReport) -> list[str]:
    complete = bool(report.model)
    header = [f"recall at {rate:g}/h" for rate in RATES_PER_HOUR]
    rows = [["over all thresholds", "average precision", *header]]
    notes = []
    for one in report.classes:
        cells = []
        for rate in RATES_PER_HOUR:
            cells.append(rate_cell(one, rate, complete=complete))
            if note := rate_note(one, rate, complete=complete):
                notes.append(f"  {one.label}, {rate:g} an hour: {note}")
        rows.append([one.label, cell(one.figures["average_precision"]), *cells])
    return [*table(rows), *notes]


_SHORT = {
    "precision": "precision",
    "recall": "recall",
    "f1": "F1",
    "false_alarms_per_hour": "false/h",
}


def named(one: DetectionFigures) -> str:
    """Return a class's name and from which score on it is detected."""
    lowest = "never" if one.threshold is None else f"{one.threshold:.3f}"
    return f"{one.label} ({lowest})"


def rate_cell(one: DetectionFigures, rate: float, *, complete: bool) -> str:
    """Return recall at a rate; with ``>=`` where no lower threshold could be tried."""
    text = cell(one.figures[rate_key(rate)])
    note = rate_note(one, rate, complete=complete)
    return f">={text}" if note.startswith("at least") else text


def digits_of(name: str) -> int:
    """Return how many digits of a figure are worth showing."""
    return 1 if name == "false_alarms_per_hour" else 2


def cell(estimate: Estimate, digits: int = 2) -> str:
    """Render a figure and its interval."""
    if estimate.value is None:
        return _DASH
    text = f"{estimate.value:.{digits}f}"
    if estimate.interval is not None:
        text += f" ({'-'.join(f'{edge:.{digits}f}' for edge in estimate.interval)})"
    return text


def as_dict(report: DetectionReport, remarks: Sequence[Remark]) -> dict[str, object]:
    """Return plain values for JSON."""
    return {
        "origin": report.origin,
        "model": report.model,
        "matching": report.measure.in_words,
        "settings": report.measure.model_dump(mode="json"),
        "n_recordings": report.n_recordings,
        "heard_h": round(report.heard_h, 6),
        "counted_h": round(report.counted_h, 6),
        "classes": {
            one.label: _class_dict(one, complete=bool(report.model))
            for one in report.classes
        },
        "not_annotated": {
            one.label: {
                "n_detections": one.n_false_alarms,
                "per_hour": one.figures["false_alarms_per_hour"].value,
            }
            for one in report.others
        },
        "remarks": [{"kind": r.kind, "text": r.text} for r in remarks],
    }


def _class_dict(one: DetectionFigures, *, complete: bool) -> dict[str, object]:
    return {
        "threshold": one.threshold,
        "n_annotations": one.n_annotations,
        "n_hits": one.n_hits,
        "n_missed": one.n_annotations - one.n_hits,
        "n_false_alarms": one.n_false_alarms,
        "n_false_alarms_on_annotations": one.n_on_calls,
        "free_h": round(one.free_h, 6),
        "false_alarms_per_hour_at_most": rate_at_most(one.n_false_alarms, one.free_h)
        if one.free_h > 0
        else None,
        "figures": {
            name: {"value": e.value, "interval": e.interval}
            for name, e in one.figures.items()
        },
        "at_rates": {
            f"{rate:g}": {
                "threshold": one.thresholds_at[rate],
                "note": rate_note(one, rate, complete=complete),
            }
            for rate in RATES_PER_HOUR
        },
    }
