"""The command that listens: recordings, archives, or scores that were kept."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer

from seacall.cli.console import (
    SETTINGS_NAME,
    Console,
    finish_with_failures,
    keep_settings,
    print_result,
    settings_from,
)
from seacall.cli.engine import Address, EngineName, ScratchFolder, engine_for
from seacall.cli.options import (
    Channel,
    Config,
    Hop,
    Json,
    Model,
    Quiet,
    Threshold,
    Timezone,
    Verbose,
    console_for,
)
from seacall.cli.prior import (
    Depth,
    Latitude,
    Longitude,
    PriorTable,
    Strength,
    prior_of,
)
from seacall.config import DetectRun
from seacall.errors import SettingsError
from seacall.settings import read_toml

if TYPE_CHECKING:
    from seacall.detect.archive import ArchiveResult, Progress

_HYDROPHONE = tuple(
    f"detect.{name}"
    for name in ("sensitivity_db", "gain_db", "full_scale_v", "calibration_db")
)
_TABLES = frozenset({".csv", ".txt", ".tsv", ".json", ".parquet"})


def detect(
    paths: Annotated[
        list[str] | None,
        typer.Argument(
            help="Recordings, folders of them, URLs such as s3://bucket/folder."
        ),
    ] = None,
    model: Model = None,
    out: Annotated[
        Path | None,
        typer.Option(
            "-o",
            "--out",
            help="Folder for scores and detections. Default: print one row a clip.",
        ),
    ] = None,
    file_list: Annotated[
        Path | None,
        typer.Option(help="Text file with one recording a line, beside PATHS."),
    ] = None,
    from_scores: Annotated[
        Path | None,
        typer.Option(
            help="Folder of an earlier run: detect in its scores, without listening "
            "again."
        ),
    ] = None,
    format_: Annotated[
        list[str] | None,
        typer.Option(
            "--format",
            metavar="NAME",
            help="What is written; may be given again (csv and raven).",
        ),
    ] = None,
    hop: Hop = None,
    threshold: Threshold = None,
    channel: Channel = None,
    hold: Annotated[
        float | None,
        typer.Option(help="Share of the threshold at which a detection goes on (1)."),
    ] = None,
    max_gap: Annotated[
        float | None,
        typer.Option(help="Detections no further apart are joined, seconds (0)."),
    ] = None,
    min_duration: Annotated[
        float | None, typer.Option(help="Shorter detections are dropped, seconds (0).")
    ] = None,
    k_of_n: Annotated[
        str | None,
        typer.Option(
            metavar="K/N",
            help="Only where K of N clips in a row reach the threshold, such as 2/3.",
        ),
    ] = None,
    level: Annotated[
        str | None,
        typer.Option(help="What is detected: species, family or group (species)."),
    ] = None,
    sensitivity: Annotated[
        float | None,
        typer.Option(help="Of the hydrophone, dB re 1 V/uPa, such as -176.2."),
    ] = None,
    gain: Annotated[
        float | None, typer.Option(help="Between hydrophone and converter, dB (0).")
    ] = None,
    full_scale: Annotated[
        float | None, typer.Option(help="Voltage of a sample of full scale, V.")
    ] = None,
    calibration: Annotated[
        float | None,
        typer.Option(
            help="Of the whole chain: dB re 1 uPa of full scale, such as 176.1."
        ),
    ] = None,
    prior: PriorTable = None,
    latitude: Latitude = None,
    longitude: Longitude = None,
    depth: Depth = None,
    strength: Strength = None,
    timezone: Timezone = None,
    time_pattern: Annotated[
        str | None,
        typer.Option(
            help="How file names tell the time, such as '*yyyyMMdd_HHmmss' (known "
            "patterns)."
        ),
    ] = None,
    embeddings: Annotated[
        bool | None,
        typer.Option(
            "--embeddings",
            help="Keep embeddings too, so that seacall search can find more like it.",
        ),
    ] = None,
    workers: Annotated[
        int | None,
        typer.Option(min=1, help="Processes (all cores)."),
    ] = None,
    engine: EngineName = "local",
    address: Address = None,
    scratch: ScratchFolder = None,
    config: Config = None,
    as_json: Json = False,
    quiet: Quiet = False,
    verbose: Verbose = False,
) -> None:
    """Detect calls in recordings and archives of any length and number."""
    console = console_for(quiet=quiet, verbose=verbose)
    earlier = _merging_of(from_scores) if config is None else {}
    run = settings_from(
        DetectRun,
        config,
        _with_earlier(
            earlier,
            {
                "model": str(model) if model else None,
                "hop_s": hop,
                "channel": channel_of(channel),
                "threshold": threshold,
                "formats": format_,
                "timezone": timezone,
                "time_pattern": time_pattern,
                "embeddings": embeddings,
                "detect.hold": hold,
                "detect.max_gap_s": max_gap,
                "detect.min_duration_s": min_duration,
                "detect.k_of_n": _k_of_n(k_of_n),
                "detect.level": level,
                "detect.sensitivity_db": sensitivity,
                "detect.gain_db": gain,
                "detect.full_scale_v": full_scale,
                "detect.calibration_db": calibration,
                **prior_of(
                    prior,
                    latitude=latitude,
                    longitude=longitude,
                    depth=depth,
                    strength=strength,
                ),
            },
        ),
    )
    named = paths or []
    made = engine_for(engine, address=address, scratch=scratch, workers=workers)
    if engine != "local" and (out is None or from_scores is not None):
        raise SettingsError(f"--engine {engine} is for runs that listen; add -o OUT")
    if out is None and from_scores is None:
        _print_clips(named, file_list, run, console, as_json=as_json)
        return
    from seacall.detect.recordings import detect_in_scores, detect_recordings
    from seacall.detect.rescore import as_listened

    _check_out(out)
    folder = out or from_scores
    assert folder is not None
    if from_scores is not None:
        _refuse_both(named, file_list)
        result = detect_in_scores(from_scores, folder, run)
        run = as_listened(from_scores, run)
    else:
        recordings = _recordings(named, file_list)
        with console.live():
            result = detect_recordings(
                recordings,
                folder,
                run,
                n_workers=workers,
                engine=made,
                watch=_watch(console),
            )
    keep_settings(run, folder, console, resume=False)
    print_result(_lines(result), vars(result), as_json=as_json)
    finish_with_failures(list(result.failures.values()), console)


def _merging_of(from_scores: Path | None) -> dict[str, Any]:
    """Return how an earlier run came from scores to detections, by dotted name."""
    path = from_scores / SETTINGS_NAME if from_scores is not None else None
    if path is None or not path.is_file():
        return {}
    merging = read_toml(path).get("detect", {})
    return {f"detect.{name}": value for name, value in merging.items()}


def _with_earlier(earlier: dict[str, Any], given: dict[str, Any]) -> dict[str, Any]:
    """Fill in what is not given; a hydrophone is of one piece."""
    said = {name: value for name, value in given.items() if value is not None}
    if any(name in said for name in _HYDROPHONE):
        earlier = {k: v for k, v in earlier.items() if k not in _HYDROPHONE}
    return earlier | said


def _print_clips(
    named: list[str],
    file_list: Path | None,
    run: DetectRun,
    console: Console,
    *,
    as_json: bool,
) -> None:
    """Print one row for each clip: quick, and nothing is kept."""
    from seacall.detect.files import classify_paths
    from seacall.detect.recordings import plan_of
    from seacall.models.backend import load_classifier

    if run.channel == "each":
        raise SettingsError("channel each: rows are not printed by channel; give -o")
    if run.embeddings:
        raise SettingsError("embeddings: there is no folder to keep them in; give -o")
    plan = plan_of(run)
    classifier = load_classifier(plan.model)
    classifier.card = plan.card
    clips: list[dict[str, Any]] = []
    with console.live():
        result = classify_paths(
            _recordings(named, file_list),
            classifier,
            hop_s=run.hop_s,
            take=(lambda found: clips.append(found.as_dict(classifier.card)))
            if as_json
            else None,
            progress=console.progress,
        )
    print_result([], result.as_dict() | {"clips": clips}, as_json=as_json)
    finish_with_failures(list(result.failures.values()), console)


def _recordings(named: list[str], file_list: Path | None) -> list[Path]:
    """List recordings, each once, in the order given."""
    from seacall.audio.locate import gather

    arguments = [*named, *([f"@{file_list}"] if file_list is not None else [])]
    if not arguments:
        raise typer.BadParameter(
            "no recordings are named; give files, folders, URLs or --from-scores"
        )
    return gather(arguments)


def _watch(console: Console) -> Any:
    """Return what shows how far a run is."""
    import time

    started = time.monotonic()

    def watch(progress: Progress) -> None:
        hours, all_hours = progress.audio_done_s / 3600, progress.audio_s / 3600
        speed = progress.audio_done_s / max(time.monotonic() - started, 1e-3)
        console.progress(
            "listening",
            round(progress.audio_done_s),
            round(progress.audio_s),
            f"{progress.n_recordings} files, {hours:.1f} of {all_hours:.1f} h, "
            f"{speed:.0f} times real time",
        )

    return watch


def _lines(result: ArchiveResult) -> list[str]:
    lines = [result.summary()]
    if result.doubts:
        path, why = next(iter(result.doubts.items()))
        n = len(result.doubts)
        more = f" (and {n - 1} more, in recordings.csv)" if n > 1 else ""
        lines.append(f"time in doubt: {Path(path).name}{more}: {why}")
    return [*lines, *(f"written: {path}" for path in result.written)]


def channel_of(text: str | None) -> int | str | None:
    """Read an option that names a channel: its number from 1, mean, or each."""
    if text is None or text in ("mean", "each"):
        return text
    if text.isdecimal() and int(text) > 0:
        return int(text)
    raise SettingsError(
        f"channel {text!r}: is no channel; give its number from 1, mean, or each"
    )


def _k_of_n(text: str | None) -> list[int] | None:
    if text is None:
        return None
    parts = text.replace("-of-", "/").split("/")
    if len(parts) != 2 or not all(part.strip().isdecimal() for part in parts):
        raise SettingsError(f"k-of-n {text!r}: give two numbers such as 2/3")
    return [int(part) for part in parts]


def _check_out(out: Path | None) -> None:
    if out is not None and out.suffix.lower() in _TABLES and not out.is_dir():
        raise SettingsError(
            f"{out}: results are written into a folder; give one such as "
            f"{out.with_suffix('')} (for one row a clip leave -o out, and redirect)"
        )


def _refuse_both(named: list[str], file_list: Path | None) -> None:
    if named or file_list is not None:
        raise SettingsError(
            "--from-scores takes its recordings from the earlier run; leave PATHS out"
        )
