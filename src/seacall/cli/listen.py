"""The command that listens to sound as it comes: listen."""

from __future__ import annotations

import json
import signal
import sys
import threading
from datetime import datetime, timedelta
from typing import TYPE_CHECKING, Annotated, Any

import typer

from seacall.cli.console import (
    EXIT_INTERRUPTED,
    finish_with_failures,
    keep_settings,
    settings_from,
)
from seacall.cli.detect import channel_of
from seacall.cli.options import (
    Channel,
    Config,
    Hop,
    Model,
    Out,
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
from seacall.errors import AudioError

if TYPE_CHECKING:
    from seacall.live.station import Reported


def listen(
    sources: Annotated[
        list[str],
        typer.Argument(
            metavar="SOURCE...",
            help="A recording, - (raw samples on standard input), tcp://HOST:PORT, "
            "udp://HOST:PORT, http(s)://..., hls+https://..., folder:PATH, card:NAME.",
        ),
    ],
    out: Out,
    model: Model = None,
    rate: Annotated[
        int | None, typer.Option(help="Of raw sound and sound cards, Hz.")
    ] = None,
    channels: Annotated[
        int | None, typer.Option(help="Of raw sound and sound cards (1).")
    ] = None,
    format_: Annotated[
        str | None,
        typer.Option(
            "--format",
            metavar="NAME",
            help="Of raw sound: s16le, s16be, s24le, s24be, s32le, f32le (s16le).",
        ),
    ] = None,
    speed: Annotated[
        float | None,
        typer.Option(min=0, help="Of recordings: times real time, 0: all it can (1)."),
    ] = None,
    hop: Hop = None,
    threshold: Threshold = None,
    channel: Channel = None,
    prior: PriorTable = None,
    latitude: Latitude = None,
    longitude: Longitude = None,
    depth: Depth = None,
    strength: Strength = None,
    timezone: Timezone = None,
    dry_run: Annotated[
        bool, typer.Option("--dry-run", help="Print alerts in place of sending them.")
    ] = False,
    config: Config = None,
    as_json: Annotated[
        bool, typer.Option("--json", help="Print a line of JSON for each change.")
    ] = False,
    quiet: Quiet = False,
    verbose: Verbose = False,
) -> None:
    """Listen to streams, sound cards and growing folders, for as long as it is let."""
    from seacall.live.listen import listen as listen_to
    from seacall.live.settings import ListenRun

    console = console_for(quiet=quiet, verbose=verbose)
    run = settings_from(
        ListenRun,
        config,
        {
            "model": str(model) if model else None,
            "rate": rate,
            "channels": channels,
            "format": format_,
            "speed": speed,
            "hop_s": hop,
            "threshold": threshold,
            "channel": channel_of(channel),
            "timezone": timezone,
            **prior_of(
                prior,
                latitude=latitude,
                longitude=longitude,
                depth=depth,
                strength=strength,
            ),
        },
    )
    ending = _Ending()
    keep_settings(run, out, console, resume=False)
    result = listen_to(
        sources,
        out,
        run,
        report=_printer(as_json=as_json),
        stop=ending.asked,
        dry_run=_print_alert if dry_run else None,
    )
    console.say(result.summary())
    if result.failures and not result.heard_s:
        raise AudioError("; ".join(result.failures.values()))
    finish_with_failures([f"{k}: {v}" for k, v in result.failures.items()], console)
    if ending.interrupted:
        raise typer.Exit(EXIT_INTERRUPTED)


class _Ending:
    """Ctrl-C, or systemd, asks for an end; the second Ctrl-C does not wait for it."""

    def __init__(self) -> None:
        self.asked = threading.Event()
        self.interrupted = False
        if threading.current_thread() is threading.main_thread():
            signal.signal(signal.SIGINT, self._interrupt)
            signal.signal(signal.SIGTERM, lambda *_: self.asked.set())

    def _interrupt(self, *_: object) -> None:
        if self.asked.is_set():
            raise KeyboardInterrupt
        self.interrupted = True
        self.asked.set()


def _printer(*, as_json: bool) -> Any:
    """Return what prints changes: for people each detection once, when it begins."""

    def show(reported: Reported) -> None:
        if as_json:
            print(json.dumps(_values(reported)), flush=True)
        elif reported.change.kind == "begun":
            print(_line(reported), flush=True)

    return show


def _line(reported: Reported) -> str:
    one = reported.change.detection
    level = "" if one.level_db is None else f"{one.level_db:7.1f} {one.level_unit}"
    when = _shown(one.start) if one.start else f"{one.start_s:.3f} s"
    return f"{when}  {one.label}  {one.score:.2f}  {level}  {reported.source}"


def _shown(when: datetime) -> str:
    rounded = when + timedelta(microseconds=500)
    return f"{rounded:%Y-%m-%d %H:%M:%S}.{rounded.microsecond // 1000:03d}Z"


def _values(reported: Reported) -> dict[str, Any]:
    one = reported.change.detection
    values = vars(one) | {
        "start": one.start.isoformat() if one.start else None,
        "source": reported.source,
        "detection": reported.number,
        "change": reported.change.kind,
    }
    del values["path"]
    return values


def _print_alert(_rule: object, about: dict[str, Any]) -> None:
    print(f"alert: {json.dumps(about)}", file=sys.stderr, flush=True)
