"""Compare a run's detections, or a table of them, with annotations: read to report."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

from seacall.learn.detection_figures import (
    DetectionMeasure,
    DetectionReport,
    measure_detections,
)
from seacall.learn.detection_report import write_detection_report
from seacall.learn.detection_sources import read_annotations, read_listening
from seacall.learn.detection_words import as_dict, lines, remarks_on
from seacall.learn.observe import Observer
from seacall.learn.remarks import Remark
from seacall.learn.truth import check_labels, names_of, truth_of


@dataclass(frozen=True, eq=False)
class DetectionEvaluation:
    """What came of a comparison."""

    report: DetectionReport
    remarks: tuple[Remark, ...]
    failures: tuple[str, ...]
    """Why recordings, or rows of tables, were left out."""

    def lines(self) -> list[str]:
        """Render for people."""
        return lines(self.report, self.remarks)

    def as_dict(self) -> dict[str, object]:
        """Return plain values for JSON."""
        return as_dict(self.report, self.remarks)


def evaluate_detections(
    source: Path,
    annotations: Sequence[Path],
    *,
    measure: DetectionMeasure,
    out: Path,
    observer: Observer,
    recordings: Path | None = None,
    threshold: float | None = None,
) -> DetectionEvaluation:
    """Measure detections against annotations, and write the report.

    Parameters
    ----------
    source
        Folder of ``seacall detect -o``, or a table of detections with scores.
    annotations
        Tables, and folders of tables.
    out
        Folder to write into; made if it is not there.
    recordings
        Folder of the recordings that a table is about.
    threshold
        Lowest score that counts; None: as it was detected.

    Raises
    ------
    SeacallError
        If something cannot be read, or annotations and detections share no class.
    """
    listening, failures = read_listening(
        source, recordings=recordings, threshold=threshold
    )
    marks = read_annotations(annotations, listening)
    truth = truth_of(
        marks,
        names=names_of(listening.labels, measure.names),
        negative=measure.negative,
        left_out=measure.left_out,
    )
    check_labels(truth, listening.labels)
    report = measure_detections(listening, truth, measure=measure, observer=observer)
    remarks = remarks_on(report, truth, listening, absent=marks.absent)
    write_detection_report(report, remarks, out)
    reasons = (*failures, *(failure.reason for failure in marks.failures))
    return DetectionEvaluation(report, remarks, reasons)
