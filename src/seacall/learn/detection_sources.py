"""Read what was detected, from a run's folder or from a table, and what was marked."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable
from dataclasses import replace
from pathlib import Path

from seacall.audio.clips import ClipGrid
from seacall.audio.io import find_recordings, probe
from seacall.config import DetectRun, checked, read_toml
from seacall.data.annotations import Marks, read_marks
from seacall.detect.archive import found_in
from seacall.detect.rescore import card_for
from seacall.detect.store import LEDGER_NAME, Store
from seacall.errors import AnnotationError, AudioError, SettingsError
from seacall.events import Detection, Searched, Segment
from seacall.labels import UNKNOWN
from seacall.learn.listened import Listened, Listening, SegmentClips
from seacall.learn.text import listed

SETTINGS_NAME = "settings.toml"
DEFAULT_SCORE = 1.0
"""Of detections in a table without scores: all are equally sure."""


def read_listening(
    source: Path, *, recordings: Path | None = None, threshold: float | None = None
) -> tuple[Listening, list[str]]:
    """Read what a model detected.

    Parameters
    ----------
    source
        Folder that ``seacall detect -o`` wrote; or a table of detections, as Raven,
        Audacity or CSV have it, or a folder of such tables.
    recordings
        Folder of the recordings that a table is about, all of which were listened to
        from start to end. A run knows its own.
    threshold
        Lowest score that counts; None: as it was detected.

    Returns
    -------
    listening, failures
        Recordings of which something was heard; and the reason for each of the others.

    Raises
    ------
    SettingsError
        If there is no such run, or a table comes without its recordings.
    AnnotationError, AudioError
        If the table, or the folder of recordings, cannot be used.
    """
    if is_run(source):
        if recordings is not None:
            raise SettingsError(
                f"{recordings}: {source} knows its own recordings; leave the folder out"
            )
        return read_run(source, threshold=threshold)
    if source.is_dir() and (source / SETTINGS_NAME).is_file():
        raise SettingsError(
            f"{source}: holds no {LEDGER_NAME}; give the folder that seacall detect -o "
            "wrote, or a table of detections"
        )
    if recordings is None:
        raise SettingsError(
            f"{source}: a table does not say what was listened to; give the folder of "
            "its recordings too, before --detections"
        )
    return _read_tables(source, recordings, threshold)


def is_run(folder: Path) -> bool:
    """Say whether a folder holds the scores of ``seacall detect -o``."""
    return (folder / LEDGER_NAME).is_file()


def read_run(
    folder: Path, *, model: Path | None = None, threshold: float | None = None
) -> tuple[Listening, list[str]]:
    """Read a run's scores, and detect in them.

    Parameters
    ----------
    model
        The model that made them, perhaps calibrated anew; None: as it was then.
    threshold
        Lowest score that counts; None: the card's.

    Returns
    -------
    listening, failures
        As `read_listening`.

    Raises
    ------
    SettingsError
        If another model made the scores, or nothing was heard.
    """
    run = DetectRun()
    if (folder / SETTINGS_NAME).is_file():
        run = checked(DetectRun, read_toml(folder / SETTINGS_NAME))
    # The card of the run is kept with its scores; the model itself may be gone.
    run = run.model_copy(update={"model": None if model is None else str(model)})
    if threshold is not None:
        run = run.model_copy(update={"threshold": (str(threshold),)})
    with Store(folder, writable=False) as store:
        card = card_for(store, run)
        grid = ClipGrid.of(card.front_end, hop_s=store.key.get("hop"))
        n_classes = len(card.labels)
        listened = [
            Listened(
                searched,
                tuple(found),
                tuple(
                    SegmentClips(channel or 1, segment, table)
                    for channel, segment, table in store.tables(
                        entry, grid, n_classes=n_classes
                    )
                ),
            )
            for (entry, _), (searched, found) in zip(
                store.searched(grid), found_in(store, card, run.detect), strict=True
            )
        ]
    return _with_something_heard(
        Listening(tuple(listened), f"run {folder}", card=card, settings=run.detect)
    )


def _read_tables(
    source: Path, folder: Path, threshold: float | None
) -> tuple[Listening, list[str]]:
    paths = find_recordings(folder)
    marks = read_marks([source], recordings=paths)
    if marks.absent:
        raise AnnotationError(
            f"{source}: has detections in {listed(marks.absent)}, not found in "
            f"{folder}; give the folder of all its recordings"
        )
    found: dict[Path, list[Detection]] = {path: [] for path in paths}
    for one, score in zip(marks.annotations, marks.scores, strict=True):
        score = DEFAULT_SCORE if score is None else score
        if one.label != UNKNOWN and (threshold is None or score >= threshold):
            detection = Detection(
                path=one.path,
                start_s=one.start_s,
                end_s=one.end_s,
                low_hz=one.low_hz or 0.0,
                high_hz=one.high_hz or 0.0,
                label=one.label,
                score=score,
                channel=one.channel,
            )
            found.setdefault(one.path, []).append(detection)
    listened = [Listened(_whole(path), tuple(some)) for path, some in found.items()]
    listening, failures = _with_something_heard(
        Listening(tuple(listened), f"table {source}")
    )
    return listening, [*failures, *(f.reason for f in marks.failures)]


def _whole(path: Path) -> Searched:
    """Say that all of a recording was heard, if it can be opened."""
    try:
        recording = probe(path)
    except AudioError as error:
        return Searched(path, None, failure=str(error))
    heard = ((0.0, recording.duration_s),) if recording.n_samples else ()
    return Searched(path, recording, (Segment(0, recording.n_samples),), heard)


def _with_something_heard(listening: Listening) -> tuple[Listening, list[str]]:
    """Leave out recordings of which nothing was heard."""
    heard = tuple(r for r in listening.recordings if r.searched.heard_s > 0)
    failures = [r.searched.failure for r in listening.recordings if r.searched.failure]
    if not heard:
        reason = f" ({failures[0]})" if failures else ""
        raise SettingsError(
            f"{listening.origin}: nothing was heard of any recording{reason}; "
            "listen to them first"
        )
    return replace(listening, recordings=heard), failures


def read_annotations(paths: Iterable[Path], listening: Listening) -> Marks:
    """Read annotations of the recordings that were listened to.

    Those of other recordings are counted as absent.
    """
    heard = [one.searched.path for one in listening.recordings]
    marks = read_marks(paths, recordings=heard)
    known, same = set(heard), {path.resolve(): path for path in heard}
    absent = Counter(marks.absent)
    kept = []
    for one, score in zip(marks.annotations, marks.scores, strict=True):
        path = one.path if one.path in known else same.get(one.path.resolve())
        if path is None:
            absent[one.path.name] += 1
        else:
            kept.append((replace(one, path=path), score))
    return Marks(
        tuple(one for one, _ in kept),
        tuple(score for _, score in kept),
        marks.failures,
        dict(sorted(absent.items())),
    )
