"""The command that makes a model's scores mean what they say: calibrate."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer

from seacall.cli.alarms import (
    AlarmSources,
    Deployments,
    Noise,
    PerHour,
    set_for_false_alarms,
)
from seacall.cli.console import Console, finish_with_failures, print_result
from seacall.cli.options import (
    Json,
    Out,
    Quiet,
    Verbose,
    Workers,
    console_for,
    require_training,
)
from seacall.cli.quality import Annotations, Map, OnlyAnnotated
from seacall.errors import SettingsError

if TYPE_CHECKING:
    from seacall.config import FrontEndSettings
    from seacall.data.arrays import ClipArrays
    from seacall.learn.held_out import HeldOut
    from seacall.learn.unknown import Heard
    from seacall.models.backend import Classifier

UNKNOWN_NAME = "unknown.json"
"""Figures of ``evaluate --unknown``."""
_KINDS = ("auto", "none", "temperature", "vector", "platt")


Unknown = Annotated[
    Path | None,
    typer.Option(
        help="Folder with a folder for each kind of sound that is no species, such as "
        "rain or ship; simulated ones are added."
    ),
]
SimulatedUnknown = Annotated[
    bool,
    typer.Option(
        "--simulated-unknown",
        help="Simulated sounds that are no species: silence, hum, wind, rain, ...",
    ),
]


def calibrate(
    model: Annotated[Path, typer.Argument(help="Model folder.")],
    out: Out,
    data: Annotated[
        Path | None,
        typer.Option(
            help="Dataset folder with clips that were not trained on; with "
            "--false-alarms-per-hour recordings with --annotations."
        ),
    ] = None,
    split: Annotated[
        str, typer.Option(help="Which of its recordings: val, test or train.")
    ] = "val",
    predictions: Annotated[
        Path | None,
        typer.Option(
            help="Logits of held-out clips (CSV, NPZ), as evaluate --protocol writes "
            "them, instead of those of a dataset."
        ),
    ] = None,
    target_precision: Annotated[
        float | None,
        typer.Option(
            min=0.01,
            max=1,
            help="Choose each species' threshold so that this share of its answers is "
            "right. Default: thresholds stay as they are.",
        ),
    ] = None,
    confidence: Annotated[
        float, typer.Option(min=0.5, max=0.999, help="How sure that share is to be.")
    ] = 0.8,
    method: Annotated[
        str, typer.Option(help="none, temperature, vector, platt, or auto: the best.")
    ] = "auto",
    unknown: Unknown = None,
    simulated_unknown: SimulatedUnknown = False,
    known_recall: Annotated[
        float,
        typer.Option(
            min=0.5, max=1, help="Share of known clips that each limit keeps."
        ),
    ] = 0.99,
    false_alarms_per_hour: PerHour = None,
    noise: Noise = None,
    annotations: Annotations = None,
    only_annotated: OnlyAnnotated = False,
    map_: Map = None,
    deployments: Deployments = None,
    workers: Workers = 1,
    as_json: Json = False,
    quiet: Quiet = False,
    verbose: Verbose = False,
) -> None:
    """Calibrate a model's scores and thresholds on clips it was not trained on.

    With --false-alarms-per-hour only the thresholds change: half of the recordings of
    --noise (and --data, with --annotations) sets them, the other half measures them.
    """
    console = console_for(quiet=quiet, verbose=verbose)
    if false_alarms_per_hour is not None:
        if predictions is not None or target_precision is not None or unknown:
            raise SettingsError(
                "--false-alarms-per-hour sets thresholds alone; calibrate with other "
                "options first, and then its result with this one"
            )
        set_for_false_alarms(
            AlarmSources(
                model, noise, data, annotations, map_, deployments, only_annotated
            ),
            out,
            false_alarms_per_hour,
            console,
            workers,
            as_json=as_json,
        )
        return
    if noise is not None or annotations or map_ or deployments is not None:
        raise SettingsError(
            "--noise, --annotations, --map and --deployments belong to "
            "--false-alarms-per-hour; add it, or leave them out"
        )
    _check(method, data, predictions)
    require_training()
    from seacall.learn.adjust import adjust, write_adjusted
    from seacall.learn.adjust_report import REPORT_NAME, write_adjust_report
    from seacall.models.backend import load_classifier

    classifier = load_classifier(model)
    with console.live():
        held_out, heard, failures = _clips(
            classifier, data, predictions, split, console, workers
        )
        kinds = None
        if unknown is not None or simulated_unknown:
            kinds, more = hear_kinds(classifier, unknown, console)
            failures += more
        adjusted = adjust(
            classifier.card,
            held_out,
            heard=heard,
            unknown_by_kind=kinds,
            method=None if method == "auto" else method,  # type: ignore[arg-type]
            precision=target_precision,
            confidence=confidence,
            known_recall=known_recall,
        )
        write_adjusted(model, adjusted.card, out)
        write_adjust_report(adjusted, out, title=f"Calibration of {model.name}")
    lines = [*adjusted.lines(), f"model: {out}", f"report: {out / REPORT_NAME}"]
    print_result(lines, adjusted.as_dict(), as_json=as_json)
    finish_with_failures(failures, console)


def _check(method: str, data: Path | None, predictions: Path | None) -> None:
    if method not in _KINDS:
        raise SettingsError(
            f"method {method!r} does not exist; choose one of: {', '.join(_KINDS)}"
        )
    if (data is None) == (predictions is None):
        raise SettingsError(
            "calibrate needs clips that were not trained on; give either --data "
            "DATASET or --predictions FILE"
        )


def _clips(
    classifier: Classifier,
    data: Path | None,
    predictions: Path | None,
    split: str,
    console: Console,
    workers: int,
) -> tuple[HeldOut, Heard | None, list[str]]:
    from seacall.learn.adjust import held_out_clips
    from seacall.learn.dataset import load_dataset
    from seacall.learn.held_out import read_held_out

    card = classifier.card
    if predictions is not None:
        return read_held_out(predictions, card.labels), None, []
    assert data is not None  # for the type checker
    if split not in {"train", "val", "test"}:
        raise SettingsError(
            f"split {split!r} does not exist; choose val, test or train"
        )
    dataset = load_dataset(
        data, card.front_end, observer=console, labels=card.labels, n_workers=workers
    )
    if split == "train" and card.manifest_sha256 == dataset.manifest.fingerprint():
        raise SettingsError(
            f"{data}: its train split is what the model learned from, and would make "
            "every score look right; choose val or test"
        )
    arrays = dataset.arrays(split)  # type: ignore[arg-type]
    held_out, heard = held_out_clips(classifier, arrays, root=data)
    return held_out, heard, [failure.reason for failure in dataset.failures]


def measure_kinds(
    model: Path,
    arrays: ClipArrays,
    *,
    root: Path,
    folder: Path | None,
    out: Path,
    console: Console,
) -> tuple[dict[str, dict[str, Any]], list[str]]:
    """Measure how a model tells a dataset's clips from sounds that are no species.

    Writes ``unknown.json`` into ``out``.

    Returns
    -------
    kinds, failures
        Figures of `seacall.learn.unknown.measure_unknown`, and the reason for each bad
        file.
    """
    import json

    from seacall.learn.adjust import held_out_clips, known_only
    from seacall.learn.unknown import measure_unknown
    from seacall.models.backend import load_classifier

    classifier = load_classifier(model)
    kinds, failures = hear_kinds(classifier, folder, console)
    known, right = known_only(*held_out_clips(classifier, arrays, root=root))
    found = measure_unknown(known, right, kinds, card=classifier.card)
    text = json.dumps(found, indent=2, ensure_ascii=False)
    (out / UNKNOWN_NAME).write_text(text + "\n", encoding="utf-8")
    return found, failures


def hear_kinds(
    classifier: Classifier, folder: Path | None, console: Console
) -> tuple[dict[str, Heard], list[str]]:
    """Hear simulated sounds and those of a folder's sub-folders.

    Returns
    -------
    kinds, failures
        What the model makes of each kind, and the reason for each bad file.
    """
    import numpy as np

    from seacall.learn.unknown import hear
    from seacall.learn.unknown_kinds import SIMULATED, kind_folders, simulated_clips

    rng = np.random.default_rng(0)
    front_end = classifier.card.front_end
    folders = {} if folder is None else kind_folders(folder)
    total = len(SIMULATED) + len(folders)
    kinds: dict[str, Any] = {}
    failures: list[str] = []
    for kind in SIMULATED:
        console.progress("unknown sounds", len(kinds), total, kind)
        name = f"simulated {kind}"
        kinds[name] = hear(classifier, simulated_clips(kind, front_end, rng=rng))
    for kind, paths in folders.items():
        console.progress("unknown sounds", len(kinds), total, kind)
        clips, reasons = _recorded(paths, front_end)
        failures += reasons
        if clips:
            kinds[kind] = hear(classifier, clips)
    console.progress("unknown sounds", total, total)
    return kinds, failures


def _recorded(
    paths: list[Path], front_end: FrontEndSettings
) -> tuple[list[Any], list[str]]:
    from seacall.errors import AudioError
    from seacall.learn.unknown_kinds import recorded_clips

    clips: list[Any] = []
    reasons = []
    for path in paths:
        try:
            clips += recorded_clips(path, front_end)
        except AudioError as error:
            reasons.append(str(error))
    return clips, reasons
