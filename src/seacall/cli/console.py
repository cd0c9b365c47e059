"""What commands share: progress for people, JSON for machines, errors in one line."""

from __future__ import annotations

import json
import sys
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any, TypeVar

import typer

from seacall.config import Settings, checked, read_toml, write_toml

SETTINGS_NAME = "settings.toml"
EXIT_ERROR = 1
EXIT_SOME_FAILED = 3
EXIT_INTERRUPTED = 130

S = TypeVar("S", bound=Settings)


class Console:
    """Talks on stderr: lines, and a progress bar where stderr is a terminal."""

    def __init__(self, *, quiet: bool = False) -> None:
        self._quiet = quiet
        self._bar: Any = None
        self._tasks: dict[str, Any] = {}

    def say(self, line: str) -> None:
        """Print a line for people."""
        if self._quiet:
            return
        if self._bar is None:
            print(line, file=sys.stderr, flush=True)
        else:
            self._bar.console.print(line, markup=False, highlight=False)

    def progress(self, stage: str, done: int, total: int, note: str = "") -> None:
        """Show how far a stage is."""
        if self._bar is None:
            return
        if stage not in self._tasks:
            self._tasks[stage] = self._bar.add_task(stage, total=total, note="")
        task = self._tasks[stage]
        self._bar.update(task, completed=done, total=total, note=note)
        if done >= total:
            self._bar.remove_task(task)
            del self._tasks[stage]

    @contextmanager
    def live(self) -> Iterator[Console]:
        """Show progress while the context lasts."""
        if self._quiet or not sys.stderr.isatty():
            yield self
            return
        from rich.console import Console as RichConsole
        from rich.progress import (
            BarColumn,
            Progress,
            TextColumn,
            TimeRemainingColumn,
        )

        with Progress(
            TextColumn("{task.description}"),
            BarColumn(bar_width=24),
            TextColumn("{task.percentage:>3.0f} %"),
            TimeRemainingColumn(compact=True),
            TextColumn("{task.fields[note]}"),
            console=RichConsole(stderr=True),
        ) as bar:
            self._bar = bar
            try:
                yield self
            finally:
                self._bar = None


def settings_from(kind: type[S], config: Path | None, overrides: dict[str, Any]) -> S:
    """Combine defaults, a settings file and command-line options, the last winning.

    Parameters
    ----------
    overrides
        Values by dotted name (``train.epochs``); None means not given.
    """
    values: dict[str, Any] = dict(read_toml(config)) if config else {}
    for name, value in overrides.items():
        if value is None:
            continue
        *sections, last = name.split(".")
        part = values
        for section in sections:
            part = part.setdefault(section, {})
        part[last] = value
    return checked(kind, values)


def keep_settings(settings: Settings, out: Path, console: Console) -> None:
    """Print a run's settings and store them beside its results."""
    out.mkdir(parents=True, exist_ok=True)
    values = settings.model_dump(mode="json")
    write_toml(out / SETTINGS_NAME, values)
    for name, value in _flat(values):
        console.say(f"  {name} = {value}")


def _flat(values: dict[str, Any], prefix: str = "") -> Iterator[tuple[str, Any]]:
    for name, value in values.items():
        if isinstance(value, dict):
            yield from _flat(value, f"{prefix}{name}.")
        else:
            yield prefix + name, value


def print_result(lines: list[str], values: dict[str, Any], *, as_json: bool) -> None:
    """Print a command's result on stdout: a text for people, or JSON."""
    text = json.dumps(values, ensure_ascii=False) if as_json else "\n".join(lines)
    print(text)


def finish_with_failures(reasons: list[str], console: Console) -> None:
    """End with exit code 3 if some files failed, after listing them."""
    if not reasons:
        return
    console.say(f"{len(reasons)} left out:")
    for reason in reasons:
        console.say(f"  {reason}")
    raise typer.Exit(EXIT_SOME_FAILED)


def guarded(run: Callable[[], None]) -> int:
    """Run the program; turn expected errors into one line and an exit code."""
    from seacall.errors import SeacallError

    try:
        run()
    except SeacallError as error:
        print(f"seacall: {_one_line(str(error))}", file=sys.stderr)
        return EXIT_ERROR
    except KeyboardInterrupt:
        print("seacall: interrupted", file=sys.stderr)
        return EXIT_INTERRUPTED
    return 0


def _one_line(text: str) -> str:
    return " ".join(text.split())
