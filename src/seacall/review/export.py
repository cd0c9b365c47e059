"""Write labels to train on as a table for ``seacall prepare``, and as Raven tables."""

from __future__ import annotations

import csv
import io
import shlex
import zipfile
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from itertools import groupby
from pathlib import Path
from tempfile import TemporaryDirectory

from seacall.audio.io import probe
from seacall.detect.outputs import write_outputs
from seacall.errors import SettingsError
from seacall.events import Detection, Searched, Segment
from seacall.files import written_whole
from seacall.review.archive import ArchivePlace
from seacall.review.labels import Label, Labels, labels_of
from seacall.review.shelf import Shelf

TABLE_NAME = "labels.csv"
README_NAME = "README.txt"
COLUMNS = (
    "file_name",
    "species_name",
    "start_s",
    "end_s",
    "deployment",
    "recording",
    "settled",
    "detected_as",
    "score",
    "reviewers",
    "note",
)
"""``seacall prepare`` takes the first six; the others are for people."""


@dataclass(frozen=True)
class Exported:
    """What was written."""

    labels: Labels
    written: tuple[Path, ...]
    command: str
    """What makes a dataset of it."""


def export(place: Shelf, out: Path) -> Exported:
    """Write ``labels.csv``, Raven selection tables, and how they are used.

    Files are named from the folder that holds all of them, which is what ``seacall
    prepare`` is to be given: recordings may be moved as a whole.

    Raises
    ------
    SettingsError
        If nothing is settled yet, or the folder cannot be written.
    AudioError
        If a recording cannot be opened.
    """
    labels = labels_of(place)
    if not labels.rows:
        why = f" ({'; '.join(labels.left_out[:3])})" if labels.left_out else ""
        raise SettingsError(
            f"{place.folder}: nothing is accepted, corrected or rejected yet{why}; "
            "judge some detections first"
        )
    table = out / TABLE_NAME
    command = shlex.join(
        ["seacall", "prepare", str(labels.folder), "--table", str(table)]
    )
    command += " -o DATASET"
    try:
        out.mkdir(parents=True, exist_ok=True)
        with written_whole(table) as part:
            part.write_text(_table(labels), encoding="utf-8", errors="backslashreplace")
        with written_whole(out / README_NAME) as part:
            part.write_text(_readme(labels, command), encoding="utf-8")
    except OSError as error:
        raise SettingsError(
            f"{out}: cannot be written ({error.strerror}); choose another folder"
        ) from error
    raven = write_outputs(
        out,
        lambda: _found(place, labels.rows),
        formats=["raven"],
        folder=labels.folder,
    )
    return Exported(labels, (table, *raven, out / README_NAME), command)


def labels_zip(place: Shelf) -> bytes:
    """Return the same as a zip archive."""
    stream = io.BytesIO()
    with TemporaryDirectory() as name:
        folder = Path(name)
        export(place, folder)
        with zipfile.ZipFile(stream, "w", zipfile.ZIP_DEFLATED) as archive:
            for path in sorted(folder.rglob("*")):
                if path.is_file():
                    archive.write(path, path.relative_to(folder))
    return stream.getvalue()


def _table(labels: Labels) -> str:
    text = io.StringIO()
    writer = csv.writer(text, lineterminator="\n")
    writer.writerow(COLUMNS)
    for one in labels.rows:
        writer.writerow(
            [
                one.path.relative_to(labels.folder),
                one.label,
                f"{one.start_s:.3f}",
                f"{one.end_s:.3f}",
                one.deployment,
                one.recording,
                one.settled,
                one.target.label,
                f"{one.target.score:.6f}",
                "; ".join(one.reviewers),
                one.note,
            ]
        )
    return text.getvalue()


def _readme(labels: Labels, command: str) -> str:
    n = len(labels.rows)
    lines = [
        f"{n} stretches that people judged: {TABLE_NAME}, and Raven selection tables.",
        "What was rejected is called unknown: train on it as on any other class.",
        "",
        command,
        *(["", "Left out:"] if labels.left_out else []),
        *(f"  {line}" for line in labels.left_out),
    ]
    return "\n".join(lines) + "\n"


def _found(
    place: Shelf, rows: Sequence[Label]
) -> Iterator[tuple[Searched, list[Detection]]]:
    """Yield each file with its labels, as a model's detections would be."""
    known = (
        {str(one.path): one for one in place.recordings}
        if isinstance(place, ArchivePlace)
        else {}
    )
    for path, some in groupby(rows, key=lambda one: one.path):
        labels = list(some)
        searched = known.get(labels[0].target.source)
        if searched is None:
            recording = probe(path)
            heard = ((0.0, recording.duration_s),)
            segments = (Segment(0, recording.n_samples),)
            searched = Searched(path, recording, segments, heard)
        yield searched, [_detection(one, searched) for one in labels]


def _detection(one: Label, searched: Searched) -> Detection:
    nyquist = searched.recording.sample_rate / 2 if searched.recording else 1.0
    return Detection(
        path=searched.path,
        start_s=one.start_s,
        end_s=one.end_s,
        low_hz=one.low_hz,
        high_hz=nyquist if one.high_hz is None else min(one.high_hz, nyquist),
        label=one.label,
        score=one.target.score,
        channel=max(1, one.target.channel),
    )
