"""What commands share: progress for people, JSON for machines, errors in one line."""

from __future__ import annotations

import json
import os
import sys
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any, TypeVar

import typer

from seacall.config import Settings, checked, read_toml, write_toml
from seacall.errors import SeacallError, SettingsError

SETTINGS_NAME = "settings.toml"
_TRACES = ("card.json", "checkpoint.pt")
"""Files that a run has begun to write once they are there."""
_DATASET_TRACE = "dataset.json"
EXIT_ERROR = 1
EXIT_USAGE = 2
EXIT_SOME_FAILED = 3
EXIT_INTERRUPTED = 130

S = TypeVar("S", bound=Settings)


class Console:
    """Talks on stderr: lines, and a progress bar where stderr is a terminal."""

    def __init__(self, *, quiet: bool = False) -> None:
        self._quiet = quiet or not _speaks()
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
            if not isinstance(part, dict):
                raise SettingsError(
                    f"{config}: {section} = {part!r} is no section; "
                    f"write [{section}] and its settings below"
                )
        part[last] = value
    return checked(kind, values)


def keep_settings(
    settings: Settings, out: Path, console: Console, *, resume: bool
) -> None:
    """Print a run's settings and store them beside its results.

    Those of a run that has begun already stay as they are.

    Raises
    ------
    SettingsError
        If ``out`` is a dataset, whose own settings would be lost, or a run is to go on
        with other settings than it was begun with.
    """
    if (out / _DATASET_TRACE).exists():
        raise SettingsError(
            f"{out}: is a dataset folder; choose another folder for the model"
        )
    values = settings.model_dump(mode="json")
    for name, value in _flat(values):
        console.say(f"  {name} = {value}")
    path = out / SETTINGS_NAME
    if not any((out / name).exists() for name in _TRACES):
        out.mkdir(parents=True, exist_ok=True)
        store_settings(settings, out)
    elif resume and path.is_file():
        _refuse_other(dict(_flat(values)), dict(_flat(read_toml(path))), path)


def store_settings(settings: Settings, out: Path) -> None:
    """Write a run's settings into its folder, in a form that --config reads back."""
    if _speaks():
        write_toml(out / SETTINGS_NAME, settings.model_dump(mode="json"))


def _refuse_other(wanted: dict[str, Any], kept: dict[str, Any], path: Path) -> None:
    for name in sorted(wanted.keys() | kept.keys()):
        if wanted.get(name) != kept.get(name):
            raise SettingsError(
                f"{name} = {wanted.get(name)}: the run was begun with "
                f"{kept.get(name)}; go on with --config {path}, "
                "or choose another output folder"
            )


def _flat(values: dict[str, Any], prefix: str = "") -> Iterator[tuple[str, Any]]:
    for name, value in values.items():
        if isinstance(value, dict):
            yield from _flat(value, f"{prefix}{name}.")
        else:
            yield prefix + name, value


def print_result(lines: list[str], values: dict[str, Any], *, as_json: bool) -> None:
    """Print a command's result on stdout: a text for people, or JSON."""
    text = json.dumps(values) if as_json else "\n".join(lines)
    if text and _speaks():
        print(text)


def finish_with_failures(reasons: list[str], console: Console) -> None:
    """End with exit code 3 if some files failed, after listing them."""
    if not reasons:
        return
    console.say(f"{len(reasons)} failed, wholly or in part:")
    for reason in reasons:
        console.say(f"  {_one_line(reason)}")
    raise typer.Exit(EXIT_SOME_FAILED)


def guarded(run: Callable[[], None]) -> int:
    """Run the program; turn expected errors into one line and an exit code."""
    try:
        run()
        sys.stdout.flush()
    except KeyboardInterrupt:
        print("seacall: interrupted", file=sys.stderr)
        return EXIT_INTERRUPTED
    except BrokenPipeError:  # whoever read our output has enough, such as head
        os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())
        return EXIT_ERROR
    except (SeacallError, OSError, MemoryError, RuntimeError) as error:
        reason = _in_words(error)
        if reason is None:
            raise
        print(f"seacall: {_one_line(reason)}", file=sys.stderr)
        return EXIT_ERROR
    return 0


def _in_words(error: Exception) -> str | None:
    """Translate an error that a user can do something about; None: it is a bug."""
    if isinstance(error, SeacallError):
        return str(error)
    if isinstance(error, OSError):
        where = f"{error.filename}: " if error.filename else ""
        return (
            f"{where}{error.strerror or error}; check path, permissions and free space"
        )
    out = isinstance(error, MemoryError) or any(
        words in str(error) for words in ("out of memory", "can't allocate memory")
    )
    advice = "choose a smaller --batch-size, fewer --workers or --device cpu"
    return f"out of memory; {advice}" if out else None


def _speaks() -> bool:
    """Tell whether this process prints; of those that torchrun starts only one does."""
    return "TORCHELASTIC_RUN_ID" not in os.environ or os.environ.get("RANK") == "0"


def _one_line(text: str) -> str:
    return " ".join(text.split())
