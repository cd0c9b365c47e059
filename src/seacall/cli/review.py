"""The command that takes what people say of detections: review."""

from __future__ import annotations

import getpass
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any, get_args

import typer

from seacall.cli.console import finish_with_failures, print_result
from seacall.cli.options import Json, Quiet, Verbose, console_for
from seacall.errors import SettingsError

if TYPE_CHECKING:
    from seacall.review.nouns import Detected
    from seacall.review.shelf import Shelf


def review(
    folder: Annotated[
        Path, typer.Argument(help="Folder of seacall detect -o or seacall listen -o.")
    ],
    reviewer: Annotated[
        str | None,
        typer.Option(
            "--reviewer", help="Who judges (the user's name).", metavar="NAME"
        ),
    ] = None,
    say: Annotated[
        list[str] | None,
        typer.Option(
            metavar="ID=VERDICT",
            help="Judge a detection: accept, reject, unsure, or the label that it "
            "should have; may be given again.",
        ),
    ] = None,
    undo: Annotated[
        bool, typer.Option("--undo", help="Take back the reviewer's last verdict.")
    ] = False,
    next_: Annotated[
        bool, typer.Option("--next", help="Show what is best looked at next.")
    ] = False,
    sound: Annotated[
        Path | None,
        typer.Option(help="With --next: write its sound there, a WAV file."),
    ] = None,
    label: Annotated[
        str | None, typer.Option(help="With --next: of this class only.")
    ] = None,
    double: Annotated[
        bool,
        typer.Option("--double", help="With --next: first what others judged."),
    ] = False,
    quality: Annotated[
        bool, typer.Option("--quality", help="Show how good the model is, by class.")
    ] = False,
    annotations: Annotated[
        list[Path] | None,
        typer.Option(
            help="With --quality: tables of all calls that a person marked, for the "
            "recall; may be given again."
        ),
    ] = None,
    export: Annotated[
        Path | None,
        typer.Option(help="Folder for labels.csv and Raven tables of what was judged."),
    ] = None,
    import_: Annotated[
        Path | None,
        typer.Option(
            "--import",
            help="Selection table that was edited by hand: its rows become verdicts.",
        ),
    ] = None,
    missing_rejected: Annotated[
        bool,
        typer.Option(
            "--missing-rejected",
            help="With --import: detections without a row were deleted as wrong.",
        ),
    ] = False,
    as_json: Json = False,
    quiet: Quiet = False,
    verbose: Verbose = False,
) -> None:
    """Judge detections, see how good the model is, and export labels to train on."""
    from seacall.review.place import open_place

    console = console_for(quiet=quiet, verbose=verbose)
    place = open_place(folder)
    judging = bool(import_ or say or undo or next_ or sound)
    who = reviewer or (_user() if judging else "")
    failures: list[str] = []
    answer = _Answer()
    if import_ is not None:
        failures += _import(place, import_, who, missing_rejected, answer)
    for one in say or ():
        _say(place, one, who, answer)
    if undo:
        _undo(place, who, answer)
    if export is not None:
        _export(place, export, answer)
    if quality or annotations:
        _quality(place, annotations or [], answer)
    if next_ or sound is not None:
        _next(place, who, answer, label=label, double=double, sound=sound)
    if not answer.values and not failures:
        _summary(place, answer)
    print_result(answer.lines, answer.values, as_json=as_json)
    place.close()
    finish_with_failures(failures, console)


class _Answer:
    """What is printed: lines for people, values for machines."""

    def __init__(self) -> None:
        self.lines: list[str] = []
        self.values: dict[str, Any] = {}


def _user() -> str:
    try:
        return getpass.getuser()
    except (KeyError, OSError) as error:
        raise SettingsError("nobody is logged in; say who you are: --reviewer") from (
            error
        )


def _say(place: Shelf, text: str, who: str, answer: _Answer) -> None:
    from seacall.review.nouns import Answer

    number, _, said = text.partition("=")
    if not number.isdecimal() or not said.strip():
        raise SettingsError(
            f"--say {text!r}: write ID=accept, ID=reject, ID=unsure or ID=LABEL"
        )
    plain = said if said in get_args(Answer) and said != "correct" else "correct"
    target = _detection(place, int(number)).target
    place.notebook.say(
        who,
        target,
        plain,  # type: ignore[arg-type]
        label="" if plain != "correct" else said,
    )
    now = place.detection(int(number))
    answer.lines.append(f"{_line(now)}  {now.settled}")
    answer.values.setdefault("said", []).append(now.as_json())


def _detection(place: Shelf, number: int) -> Detected:
    try:
        return place.detection(number)
    except KeyError as error:
        raise SettingsError(
            f"{place.folder}: has no detection {number}; --next shows one"
        ) from error


def _undo(place: Shelf, who: str, answer: _Answer) -> None:
    taken = place.notebook.undo(who)
    if taken is None:
        answer.lines.append(f"{who}: nothing left to take back")
    else:
        what = f"{taken.answer} {taken.label}".strip()
        where = f"{taken.target.label} at {taken.target.start_s:.3f} s"
        answer.lines.append(f"taken back: {what}, of {where}")
    answer.values["undone"] = None if taken is None else taken.as_json()


def _next(
    place: Shelf,
    who: str,
    answer: _Answer,
    *,
    label: str | None,
    double: bool,
    sound: Path | None,
) -> None:
    from seacall.review.offer import next_for
    from seacall.review.sound import write_sound

    offer = next_for(place, who, label=label, double=double)
    if offer.row is None:
        answer.lines.append("nothing is left")
    else:
        chance = "  (drawn by chance)" if offer.by_chance else ""
        answer.lines += [
            f"{offer.row.id}  {_line(offer.row)}{chance}",
            f"{offer.left} left",
        ]
        if sound is not None:
            answer.lines.append(write_sound(place, offer.row, sound))
    answer.values["next"] = offer.as_json()


def _quality(place: Shelf, tables: list[Path], answer: _Answer) -> None:
    from seacall.review.marked import recalls_of
    from seacall.review.quality import agreement_json, quality_of

    recalls = recalls_of(place, tables) if tables else None
    rows = quality_of(place, recalls=recalls)
    if not rows:
        answer.lines.append("nothing was detected")
    wide = max((len(row.label) for row in rows), default=0)
    for row in rows:
        mark = "!" if row.alarm else " "
        shown = "" if row.precision is None else f"{row.precision:.0%}"
        answer.lines.append(f"{mark} {row.label:<{wide}}  {shown:>4}  {row.text}")
    agreement = agreement_json(place)
    if agreement["n_shared"]:
        alpha = agreement["alpha"]
        beyond = "" if alpha is None else f", Krippendorff's alpha {alpha:.2f}"
        answer.lines.append(
            f"reviewers agree on {agreement['share']:.0%} of "
            f"{agreement['n_shared']} shared detections{beyond}"
        )
    answer.values["quality"] = {
        "rows": [row.as_json() for row in rows],
        "agreement": agreement,
    }


def _export(place: Shelf, out: Path, answer: _Answer) -> None:
    from seacall.review.export import export

    written = export(place, out)
    n_out = len(written.labels.left_out)
    answer.lines += [
        f"{len(written.labels.rows)} labels in {out}"
        + (f"; {n_out} left out, see README.txt there" if n_out else ""),
        f"to train on them: {written.command}",
    ]
    answer.values["export"] = {
        "n": len(written.labels.rows),
        "left_out": list(written.labels.left_out),
        "written": [str(path) for path in written.written],
        "command": written.command,
    }


def _import(
    place: Shelf, table: Path, who: str, missing_rejected: bool, answer: _Answer
) -> list[str]:
    from seacall.review.raven_in import import_table

    read = import_table(place, table, reviewer=who, missing_rejected=missing_rejected)
    answer.lines += read.lines()
    answer.values["import"] = {
        "accepted": read.n_accepted,
        "corrected": read.n_corrected,
        "rejected": read.n_rejected,
        "unmatched": len(read.unmatched),
    }
    return list(read.failures)


def _summary(place: Shelf, answer: _Answer) -> None:
    from seacall.review.nouns import SETTLED, WAITING, Query

    counts = {
        name: place.detections(Query(settled=name, limit=0)).total
        for name in (WAITING, *SETTLED)
    }
    total = sum(counts.values())
    what = ", ".join(f"{n} {name}" for name, n in counts.items() if n)
    lost = len(place.book()[1].lost)
    answer.lines.append(f"{total} detections" + (f": {what}" if what else ""))
    if lost:
        answer.lines.append(
            f"{lost} verdicts are on what is no longer detected; they are kept"
        )
    answer.values |= {"total": total, "settled": counts, "lost": lost}


def _line(one: Detected) -> str:
    from datetime import UTC, datetime, timedelta

    target = one.target
    length_s = target.end_s - target.start_s
    when = ""
    if target.start_us is not None:
        date = datetime(1970, 1, 1, tzinfo=UTC) + timedelta(
            microseconds=target.start_us
        )
        when = f"{date:%Y-%m-%d %H:%M:%S}Z  "
    return (
        f"{when}{one.name}  {target.start_s:.3f} s + {length_s:.1f} s  {target.label}  "
        f"{target.score:.2f}"
    )
