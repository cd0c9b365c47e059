"""Listen to recordings in which false alarms are counted, and write the new model."""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from pathlib import Path

from seacall.audio.io import find_recordings
from seacall.config import DetectRun, write_toml
from seacall.data.tables import read_table, text_of
from seacall.detect.archive import Plan, Progress, listen
from seacall.detect.store import Store
from seacall.errors import AnnotationError, SettingsError
from seacall.learn.adjust import write_adjusted
from seacall.learn.alarm_places import Place, groups_of
from seacall.learn.detection_sources import (
    SETTINGS_NAME,
    is_run,
    read_annotations,
    read_run,
)
from seacall.learn.false_alarms import AlarmCalibration, calibrate_false_alarms
from seacall.learn.listened import Listening
from seacall.learn.observe import Observer
from seacall.learn.truth import check_labels, names_of, truth_of
from seacall.models.checkpoint import read_card

FIGURES_NAME = "false_alarms.json"
_FILE_COLUMNS = ("file_name", "file", "filename", "path")


@dataclass(frozen=True)
class AlarmData:
    """Recordings in which false alarms are counted."""

    noise: Path | None
    """Folder of recordings without any call, or a run that listened to them."""
    annotated: Path | None
    """The same with calls, which are marked."""
    annotations: Sequence[Path]
    names: Mapping[str, str]
    """What annotations' labels are called by the model."""
    deployments: Path | None
    """Table that says of each recording what deployment it is of."""
    only_annotated: bool
    """In annotated recordings only stretches with a label count."""


def calibrate_on_recordings(
    model: Path,
    data: AlarmData,
    *,
    out: Path,
    per_hour: float,
    observer: Observer,
    n_workers: int = 1,
) -> tuple[AlarmCalibration, list[str]]:
    """Set a model's thresholds for a false alarm rate, and write it as a new folder.

    What is heard is kept in ``out/heard``, so that another rate takes seconds.

    Returns
    -------
    calibration, failures
        And the reason for each recording, or row, that was left out.

    Raises
    ------
    SeacallError
        If something cannot be read, or there is too little of it.
    """
    if data.noise is None and data.annotated is None:
        raise SettingsError(
            "false alarms are counted where no animal calls; give --noise FOLDER, or "
            "--data FOLDER with --annotations"
        )
    if (data.annotated is None) != (not data.annotations):
        raise SettingsError(
            "--data and --annotations belong together: recordings, and what calls there"
        )
    if out.exists() and out.samefile(model):
        raise SettingsError(
            f"{out}: is the model itself; choose another folder for the new one"
        )
    parts: dict[str, Listening] = {}
    failures: list[str] = []
    for name, source in {"noise": data.noise, "annotated": data.annotated}.items():
        if source is not None:
            folder = _heard(model, source, out / "heard" / name, observer, n_workers)
            parts[name], more = read_run(folder, model=model)
            failures += more
    every = tuple(one for part in parts.values() for one in part.recordings)
    listening = replace(next(iter(parts.values())), recordings=every)
    annotated = set(parts["annotated"].recordings) if "annotated" in parts else set()
    marks = read_annotations(data.annotations, parts.get("annotated", listening))
    truth = truth_of(marks, names=names_of(listening.labels, data.names))
    check_labels(truth, listening.labels)
    paths = [one.searched.path for one in every]
    groups = groups_of(paths, _deployments(data.deployments))
    found = calibrate_false_alarms(
        read_card(model),
        [Place(one, groups[one.searched.path], one in annotated) for one in every],
        listening=listening,
        truth=truth,
        per_hour=per_hour,
        only_annotated=data.only_annotated,
        observer=observer,
    )
    write_adjusted(model, found.card, out)
    text = json.dumps(found.as_dict(), indent=2, ensure_ascii=False)
    (out / FIGURES_NAME).write_text(text + "\n", encoding="utf-8")
    failures += [failure.reason for failure in marks.failures]
    failures += [f"{name}: annotated, not listened to" for name in marks.absent]
    return found, failures


def _heard(
    model: Path, source: Path, folder: Path, observer: Observer, n_workers: int
) -> Path:
    """Return a run over the recordings: the one that was given, or a new one."""
    if is_run(source):
        return source
    run = DetectRun(model=str(model))
    plan = Plan(model, read_card(model))

    def watch(progress: Progress) -> None:
        done, whole = progress.audio_done_s, progress.audio_s
        observer.progress(f"listening, {source.name}", round(done), round(whole))

    folder.mkdir(parents=True, exist_ok=True)
    with Store(folder) as store:
        write_toml(folder / SETTINGS_NAME, run.model_dump(mode="json"))
        listen(find_recordings(source), store, plan, n_workers=n_workers, watch=watch)
    return folder


def _deployments(path: Path | None) -> dict[str, str]:
    """Read deployments by the recordings' names, without folder and ending."""
    if path is None:
        return {}
    table = read_table(path)
    name = next((c for c in _FILE_COLUMNS if c in table.columns), None)
    if name is None or "deployment" not in table.columns:
        raise AnnotationError(
            f"{path}: needs the columns file_name and deployment; it has "
            f"{', '.join(table.columns) or 'none'}"
        )
    return {
        Path(text_of(row[name])).stem.lower(): text_of(row["deployment"])
        for row in table.rows
    }
