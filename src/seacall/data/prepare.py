"""Build a dataset folder from recordings: the work of ``seacall prepare``."""

from __future__ import annotations

import os
import shutil
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Self

import numpy as np
from pydantic import Field, model_validator

from seacall.config import FrontEndChoice, Settings, write_toml
from seacall.data.arrays import load_arrays
from seacall.data.cache import FrontEndCache, recording_sha256
from seacall.data.convert import Files, write_wav
from seacall.data.duplicates import (
    AudioPrint,
    Duplicate,
    audio_print,
    find_duplicates,
    join_groups,
)
from seacall.data.manifest import (
    DATASET_FILE,
    SETTINGS_FILE,
    SPLIT_FOLDERS,
    Failure,
    LabelledClip,
    write_manifest,
)
from seacall.data.pool import Progress, map_files
from seacall.data.report import DuplicateNote, PrepareReport, species_rows
from seacall.data.sources import LabelledStretch, SourceContents, read_source
from seacall.data.split import DEFAULT_SHARES, SplitBy, assign_splits, choose_groups
from seacall.errors import AnnotationError, AudioError, SettingsError
from seacall.labels import class_labels, file_stem


class PrepareSettings(Settings):
    """How a dataset is built."""

    split_by: SplitBy = "auto"
    """What stays together: auto takes the deployment, else the recording."""
    shares: tuple[float, float, float] = DEFAULT_SHARES
    """Shares of train, val and test; they sum to 1."""
    seed: int = Field(default=0, ge=0)
    """Seed of the split."""
    front_end: FrontEndChoice = FrontEndChoice()
    """What the features of the tables are made with."""
    min_duration_s: float = Field(default=0.05, ge=0)
    """Shorter clips are left out, s."""
    files: Files = "copy"
    """Whether whole WAV files are copied or linked to."""
    label_column: str | None = None
    """Column of selection tables with the label; None: the first usual one."""

    @model_validator(mode="after")
    def _shares_sum_to_one(self) -> Self:
        if (
            min(self.shares) < 0
            or self.shares[0] == 0
            or abs(sum(self.shares) - 1) > 1e-6
        ):
            raise ValueError(
                f"shares {self.shares} must not be negative, give train something, and "
                "sum to 1"
            )
        return self


def prepare_dataset(
    source: Path,
    out: Path,
    *,
    settings: PrepareSettings,
    table: Path | None = None,
    overwrite: bool = False,
    n_workers: int = 1,
    progress: Progress | None = None,
) -> PrepareReport:
    """Build a dataset folder: WAV files in three splits, three Excel tables.

    Everything is written to a folder beside ``out`` that gets its name at the end: a
    run that was stopped leaves nothing that looks like a dataset.

    Parameters
    ----------
    source
        Folder with recordings; what their labels are taken from, see
        :func:`seacall.data.sources.read_source`.
    out
        The new folder.
    table
        Table of labels, or selection table, or folder of such.
    overwrite
        Replace ``out`` if it is a dataset that was made here.
    n_workers
        Processes; the result is the same.
    progress
        Each file counts twice: read and written, then through the front end.

    Returns
    -------
    report
        With all that was left out, and why.

    Raises
    ------
    SettingsError
        If ``out`` is not empty, or cannot be written to.
    AnnotationError
        If nothing usable is labelled in ``source``.
    AudioError
        If ``source`` holds no recordings.
    """
    _refuse_other_folder(out, source=source, overwrite=overwrite)
    settings.front_end.front_end()  # a wrong profile fails before the work
    contents = read_source(source, table=table, label_column=settings.label_column)
    try:
        with _beside(out) as folder:
            work = _Work(folder, settings, n_workers, progress)
            report = _build(work, contents)
            write_toml(folder / SETTINGS_FILE, settings.model_dump(mode="json"))
            text = "\n".join(report.lines()) + "\n"
            (folder / "report.txt").write_text(text, encoding="utf-8")
    except OSError as error:
        raise SettingsError(
            f"{out}: cannot be written ({error.strerror or error}); choose another "
            "folder, or free some space"
        ) from error
    return report


def _refuse_other_folder(out: Path, *, source: Path, overwrite: bool) -> None:
    inside = (
        out.resolve() == source.resolve() or out.resolve() in source.resolve().parents
    )
    if inside:
        raise SettingsError(
            f"{out}: holds the recordings themselves ({source}); choose another folder"
        )
    if out.exists() and not out.is_dir():
        raise SettingsError(f"{out}: is a file; choose a folder")
    if not out.is_dir() or not any(out.iterdir()):
        return
    if not (out / DATASET_FILE).is_file():
        raise SettingsError(
            f"{out}: is not empty, and not a dataset of seacall; choose another folder"
        )
    if not overwrite:
        raise SettingsError(
            f"{out}: is a dataset already; choose another folder, or replace it "
            "with --overwrite"
        )


@contextmanager
def _beside(out: Path) -> Iterator[Path]:
    """Give a new folder beside ``out``, and at the end put it in its place."""
    out = out.absolute()
    folder = out.with_name(f".{out.name}.unfinished-{os.getpid()}")
    old = out.with_name(f".{out.name}.old-{os.getpid()}")
    shutil.rmtree(folder, ignore_errors=True)
    folder.mkdir(parents=True)
    try:
        yield folder
        if out.exists():
            out.rename(old)
        folder.rename(out)
        shutil.rmtree(old, ignore_errors=True)
    finally:
        shutil.rmtree(folder, ignore_errors=True)


@dataclass(frozen=True)
class _Work:
    """Where and how the dataset is built."""

    folder: Path
    """Not under its own name yet."""
    settings: PrepareSettings
    n_workers: int
    progress: Progress | None

    def stage(self, number: int) -> Progress | None:
        """Return the progress of the first or second half."""
        tell = self.progress
        if tell is None:
            return None
        return lambda done, n: tell(done + number * n, 2 * n)


def _build(work: _Work, contents: SourceContents) -> PrepareReport:
    folder, settings = work.folder, work.settings
    for name in SPLIT_FOLDERS.values():
        (folder / name).mkdir()
    taken, failures = _take_in(work, contents)
    if not taken:
        reason = failures[0].reason if failures else "there is none"
        raise AnnotationError(f"no labelled recording can be used: {reason}")
    clips, rule, duplicates = _divide(taken, settings=settings)
    clips = [_moved(clip, folder) for clip in clips]
    clips, silent = _with_features(work, clips)
    sources = {t.clip.path.name: t.stretch.path for t in taken}
    unusable = tuple(_of_source(failure, sources) for failure in silent)
    notes = tuple(_note(d, taken) for d in duplicates)
    failures = (*contents.failures, *failures, *unusable)
    report = PrepareReport(contents.origin, rule, species_rows(clips), notes, failures)
    write_manifest(
        folder,
        clips,
        front_end=settings.front_end.front_end(),
        notes={"labels": list(class_labels(c.label for c in clips)), "split": rule},
    )
    return report


@dataclass(frozen=True)
class _Job:
    """One stretch that is to become a file."""

    stretch: LabelledStretch
    target: Path
    files: Files
    min_duration_s: float


@dataclass(frozen=True)
class _Taken:
    """A stretch that has become a file; its split is not known yet."""

    stretch: LabelledStretch
    clip: LabelledClip
    audio_print: AudioPrint


def _take_in(
    work: _Work, contents: SourceContents
) -> tuple[list[_Taken], tuple[Failure, ...]]:
    """Read every stretch to its end, and write it as WAV."""
    targets = _file_names(contents.stretches)
    settings = work.settings
    jobs = [
        _Job(stretch, work.folder / name, settings.files, settings.min_duration_s)
        for stretch, name in zip(contents.stretches, targets, strict=True)
    ]
    results = map_files(_take, jobs, n_workers=work.n_workers, progress=work.stage(0))
    taken = [r for r in results if isinstance(r, _Taken)]
    return taken, tuple(r for r in results if isinstance(r, Failure))


def _take(job: _Job) -> _Taken | Failure:
    s = job.stretch
    where = {"start_s": s.start_s, "end_s": s.end_s}
    try:
        known = audio_print(s.path, channel=s.channel, **where)
        recording = write_wav(
            s.path, job.target, channel=s.channel, files=job.files, **where
        )
        if recording.duration_s < job.min_duration_s:
            raise AudioError(
                f"{s.path}: lasts {recording.duration_s:.4g} s, less than "
                f"min_duration_s = {job.min_duration_s:g}; leave it out or lower that"
            )
        sha256 = recording_sha256(job.target)
    except AudioError as error:
        job.target.unlink(missing_ok=True)
        return Failure(s.path, str(error))
    clip = LabelledClip(
        path=job.target,
        label=s.label,
        split="train",
        sample_rate=recording.sample_rate,
        deployment=s.deployment,
        recording=s.recording,
        sha256=sha256,
        duration_s=round(recording.duration_s, 6),
    )
    return _Taken(s, clip, known)


def _file_names(stretches: Sequence[LabelledStretch]) -> list[str]:
    """Choose names that every file system takes, and tells apart."""
    names: list[str] = []
    used: set[str] = set()
    for stretch in stretches:
        label, stem = file_stem(stretch.label), file_stem(stretch.path.stem)
        stem = stem if stem.lower().startswith(label.lower()) else f"{label}_{stem}"
        stem = stem[:150]
        if stretch.start_s is not None:
            stem += f"_{round(stretch.start_s * 1000):08d}ms"
        name, k = f"{stem}.wav", 1
        while name.lower() in used:
            k += 1
            name = f"{stem}_{k}.wav"
        used.add(name.lower())
        names.append(name)
    return names


def _divide(
    taken: Sequence[_Taken], *, settings: PrepareSettings
) -> tuple[list[LabelledClip], str, list[Duplicate]]:
    """Choose each clip's split, such that no two splits share audio."""
    clips = [t.clip for t in taken]
    groups, rule = choose_groups(
        [clip.deployment for clip in clips],
        [clip.recording for clip in clips],
        by=settings.split_by,
    )
    duplicates = find_duplicates([t.audio_print for t in taken], groups)
    splits = assign_splits(
        [clip.label for clip in clips],
        join_groups(groups, duplicates),
        rng=np.random.default_rng(settings.seed),
        shares=settings.shares,
    )
    divided = [replace(c, split=s) for c, s in zip(clips, splits, strict=True)]
    return divided, rule, duplicates


def _moved(clip: LabelledClip, folder: Path) -> LabelledClip:
    target = folder / SPLIT_FOLDERS[clip.split] / clip.path.name
    clip.path.rename(target)
    return replace(clip, path=target)


def _with_features(
    work: _Work, clips: Sequence[LabelledClip]
) -> tuple[list[LabelledClip], tuple[Failure, ...]]:
    arrays = load_arrays(
        clips,
        work.settings.front_end.front_end(),
        labels=class_labels(clip.label for clip in clips),
        cache=FrontEndCache.beside(work.folder),
        n_workers=work.n_workers,
        progress=work.stage(1),
    )
    for failure in arrays.failures:
        failure.path.unlink()
    rows = zip(arrays.clips, arrays.features, strict=True)
    with_features = [
        replace(clip, features=tuple(float(v) for v in values)) for clip, values in rows
    ]
    return with_features, arrays.failures


def _of_source(failure: Failure, sources: dict[str, Path]) -> Failure:
    """Speak of the recording that a file was made from; the file is gone."""
    source = sources[failure.path.name]
    return Failure(source, failure.reason.replace(str(failure.path), str(source)))


def _note(duplicate: Duplicate, taken: Sequence[_Taken]) -> DuplicateNote:
    first, second = taken[duplicate.first], taken[duplicate.second]
    return DuplicateNote(
        first=first.clip.path.name,
        second=second.clip.path.name,
        similarity=duplicate.similarity,
        same_label=first.clip.label == second.clip.label,
    )
