"""Set thresholds by false alarms: what ``calibrate --false-alarms-per-hour`` does."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path
from typing import Annotated

import typer

from seacall.cli.console import Console, finish_with_failures, print_result
from seacall.cli.options import require_training

PerHour = Annotated[
    float | None,
    typer.Option(
        min=0.001,
        help="Set each class's threshold so that it gives no more false alarms per "
        "hour, on recordings of --noise, --data or both.",
    ),
]
Noise = Annotated[
    Path | None,
    typer.Option(
        help="Folder of recordings in which no animal calls, or a run of seacall "
        "detect -o over them."
    ),
]
Deployments = Annotated[
    Path | None,
    typer.Option(
        help="Table with file_name and deployment: recordings of one deployment stay "
        "on one side."
    ),
]


@dataclass(frozen=True)
class AlarmSources:
    """What the command line names."""

    model: Path
    noise: Path | None
    data: Path | None
    annotations: list[Path] | None
    names: list[str] | None
    deployments: Path | None
    only_annotated: bool


def set_for_false_alarms(
    sources: AlarmSources,
    out: Path,
    per_hour: float,
    console: Console,
    workers: int,
    *,
    as_json: bool,
) -> None:
    """Listen, set the thresholds, print; exit code 3 if something was left out."""
    require_training()
    from seacall.learn.false_alarm_runs import AlarmData, calibrate_on_recordings
    from seacall.learn.truth import read_map

    data = AlarmData(
        noise=sources.noise,
        annotated=sources.data,
        annotations=sources.annotations or [],
        names=read_map(sources.names or []),
        deployments=sources.deployments,
        only_annotated=sources.only_annotated,
    )
    with console.live():
        found, failures = calibrate_on_recordings(
            sources.model,
            data,
            out=out,
            per_hour=per_hour,
            observer=console,
            n_workers=workers,
        )
    lines = [*found.lines(), f"model: {out}"]
    print_result(lines, found.as_dict(), as_json=as_json)
    finish_with_failures(failures, console)
