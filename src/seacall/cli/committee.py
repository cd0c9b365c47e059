"""The command that lets several models answer as one: committee."""

from __future__ import annotations

import shutil
from pathlib import Path
from typing import Annotated, Any

import typer

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
from seacall.errors import SeacallError, SettingsError


def committee(
    models: Annotated[
        list[Path],
        typer.Argument(help="Model folders that know the same classes; two or more."),
    ],
    out: Out,
    data: Annotated[
        Path | None,
        typer.Option(
            help="Dataset folder with clips that none was trained on: calibrates the "
            "committee, and sets how much its members may disagree."
        ),
    ] = None,
    split: Annotated[
        str, typer.Option(help="Which of its recordings: val, test or train.")
    ] = "val",
    known_recall: Annotated[
        float,
        typer.Option(min=0.5, max=1, help="Share of known clips that the limit keeps."),
    ] = 0.99,
    workers: Workers = 1,
    as_json: Json = False,
    quiet: Quiet = False,
    verbose: Verbose = False,
) -> None:
    """Put models together: the mean of their log scores answers.

    The result is a model folder that every other command takes. Its members may differ
    in seed, kind and profile; each costs as much as it does alone.
    """
    from seacall.models.committee_folder import plan_committee, write_committee
    from seacall.models.describe import describe

    console = console_for(quiet=quiet, verbose=verbose)
    plan = plan_committee(models)
    if data is None:
        write_committee(plan, out)
        lines = [
            "note: not calibrated, and silent on disagreement; give --data, or use "
            "seacall calibrate"
        ]
        failures: list[str] = []
        more: dict[str, Any] = {}
    else:
        lines, more, failures = _calibrated(
            plan, out, data, split, known_recall, console, workers
        )
    found = describe(out)
    print_result([*found.lines(), *lines], found.as_dict() | more, as_json=as_json)
    finish_with_failures(failures, console)


def _calibrated(
    plan: Any,
    out: Path,
    data: Path,
    split: str,
    known_recall: float,
    console: Console,
    workers: int,
) -> tuple[list[str], dict[str, Any], list[str]]:
    """Write a committee whose scores mean what they say on clips of a split."""
    require_training()
    from seacall.learn.adjust import adjust, held_out_clips
    from seacall.learn.adjust_report import REPORT_NAME, write_adjust_report
    from seacall.learn.dataset import load_dataset
    from seacall.models.backend import load_classifier
    from seacall.models.checkpoint import write_card
    from seacall.models.committee_folder import write_committee

    if split not in {"train", "val", "test"}:
        raise SettingsError(
            f"split {split!r} does not exist; choose val, test or train"
        )
    card = plan.card
    with console.live():
        dataset = load_dataset(
            data,
            card.front_end,
            observer=console,
            labels=card.labels,
            n_workers=workers,
        )
        heard = {one.manifest_sha256 for one in plan.cards}
        if split == "train" and dataset.manifest.fingerprint() in heard:
            raise SettingsError(
                f"{data}: its train split is what a member learned from, and would "
                "make every score look right; choose val or test"
            )
        arrays = dataset.arrays(split)  # type: ignore[arg-type]
        write_committee(plan, out)
        try:
            classifier = load_classifier(out)
            held_out, known = held_out_clips(classifier, arrays, root=data)
            adjusted = adjust(
                classifier.card, held_out, heard=known, known_recall=known_recall
            )
        except SeacallError:
            shutil.rmtree(out)  # it was made here, and is not what was asked for
            raise
        write_card(out, adjusted.card)
        write_adjust_report(adjusted, out, title=f"Calibration of {out.name}")
    failures = [failure.reason for failure in dataset.failures]
    lines = [*adjusted.lines(), f"report: {out / REPORT_NAME}"]
    return lines, adjusted.as_dict(), failures
