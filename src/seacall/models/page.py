"""A model's page in Markdown, written from its card: what it is and is worth."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from seacall.models.checkpoint import NEVER, Card

_FIGURES = {
    "macro_f1": "macro-F1",
    "balanced_accuracy": "balanced accuracy",
    "accuracy": "accuracy",
    "accuracy_of_answered": "accuracy when answered",
    "share_answered": "share answered",
    "calibration_error": "calibration error",
}


def model_page(card: Card, *, name: str, file_bytes: Mapping[str, int]) -> str:
    """Write a model's page.

    Parameters
    ----------
    name
        Heading.
    file_bytes
        Size of each file beside the card, by name.

    Returns
    -------
    text
        Markdown, whose numbers are all the card's.
    """
    parts = [
        f"# {name}",
        *_what_it_is(card, file_bytes),
        "## What it was trained on",
        *_data(card),
        "## What it cannot do",
        *(f"* {limit}" for limit in card.limits or ("Not said.",)),
        "## How good it is",
        *_figures(card.metrics),
        "## From score to answer",
        *_answers(card),
        "## What it says of sounds that it was not made for",
        *_unknown(card),
    ]
    return "\n\n".join(_join_lists(parts)) + "\n"


def _join_lists(parts: list[str]) -> list[str]:
    """Put items of one list, and rows of one table, on lines that follow each other."""
    joined: list[str] = []
    for part in parts:
        same = joined and part[:1] in "*|" and joined[-1][:1] == part[:1]
        if same and part[:1]:
            joined[-1] += "\n" + part
        else:
            joined.append(part)
    return joined


def _what_it_is(card: Card, file_bytes: Mapping[str, int]) -> list[str]:
    profile, clip = card.front_end.profile, card.front_end.clip
    files = ", ".join(f"{name} {size:,} bytes" for name, size in file_bytes.items())
    species = card.labels[:-1]
    return [
        f"{card.architecture}, {card.n_parameters:,} parameters, seed {card.seed}; "
        f"written by seacall {card.seacall_version}. Files: {files}.",
        f"It hears {clip.duration_s:g} s at a time, up to {profile.fmax / 1000:g} kHz "
        f"(front end `{profile.name}`; shorter recordings: {clip.fit}), and tells "
        f"{len(species)} classes and `{card.labels[-1]}`: {', '.join(species)}.",
        f"Teacher: {card.teacher or 'none'}. First weights: "
        f"{card.pretrained or 'random'}.",
    ]


def _data(card: Card) -> list[str]:
    if not card.data:
        return ["Not said."]
    rows = ["| source | recordings | terms | credit |", "|---|---|---|---|"]
    for source in card.data:
        name = f"[{source.name}]({source.url})" if source.url else source.name
        cells = (name, f"{source.n_recordings:,}", source.terms, source.credit)
        rows.append(f"| {' | '.join(cell.replace('|', '/') for cell in cells)} |")
    return rows


def _figures(metrics: Mapping[str, Any]) -> list[str]:
    if not metrics:
        return ["Not measured."]
    systems = metrics["figures"]
    leaky = {
        True: "**Some of them were also trained on: these figures are too high.**",
        False: "None of these deployments was trained on.",
        None: "It is not known whether some of them were trained on.",
    }[metrics.get("leaky")]
    rows = [
        f"{metrics['n_recordings']:,} {metrics['split']} recordings of "
        f"{metrics['n_deployments']} deployments. {leaky} {metrics['interval_note']}",
        "| | " + " | ".join(systems) + " |",
        "|---" * (len(systems) + 1) + "|",
    ]
    for key, words in _FIGURES.items():
        cells = [_cell(figures.get(key)) for figures in systems.values()]
        rows.append(f"| {words} | " + " | ".join(cells) + " |")
    return rows


def _cell(estimate: Mapping[str, Any] | None) -> str:
    if estimate is None or estimate.get("value") is None:
        return "-"
    text = f"{estimate['value']:.3f}"
    interval = estimate.get("interval")
    return text + (f" ({interval[0]:.2f}-{interval[1]:.2f})" if interval else "")


def _answers(card: Card) -> list[str]:
    c = card.calibration
    before_after = ""
    if c.error_before is not None and c.error_after is not None:
        before_after = (
            f" Expected calibration error {c.error_before:.3f} before, "
            f"{c.error_after:.3f} after, on deployments that it was not fitted on."
        )
    where = f", fitted on {c.fitted_on}" if c.fitted_on else ""
    lines = [f"Calibration: {c.method}{where}.{before_after}"]
    if not card.thresholds:
        return [*lines, f"A class is answered from a score of {card.threshold:g} on."]
    goal = ""
    if card.target_precision is not None:
        goal = f", chosen for a precision of {card.target_precision:g}"
    never = [k for k, lowest in card.thresholds.items() if lowest >= NEVER]
    rows = [
        f"| {label} | {'never answered' if lowest >= NEVER else f'{lowest:.3f}'} |"
        for label, lowest in card.thresholds.items()
    ]
    lines.append(f"Lowest score that is answered{goal}; else {card.threshold:.3f}:")
    lines += ["| class | lowest score |", "|---|---|", *rows]
    if never:
        lines.append(f"Never answered, since no score earns it: {', '.join(never)}.")
    return lines


def _unknown(card: Card) -> list[str]:
    rule = card.unknown
    lines = ["* Silence is always answered `unknown`."]
    if rule.lowest_event_db is not None:
        lines.append(
            f"* So is a clip in which nothing stands out from its own background by "
            f"{rule.lowest_event_db:.1f} dB."
        )
    if rule.method != "none" and rule.lowest is not None:
        lines.append(f"* So is a clip whose {rule.method} is below {rule.lowest:.3g}.")
    if rule.fitted_on:
        lines.append(f"* Limits: {rule.fitted_on}.")
    kinds = rule.measured.get("kinds", {})
    if not kinds:
        return [*lines, "How well this works was not measured."]
    rows = [
        "| kind of sound | clips | AUROC | FPR at 95 % recall | answered unknown |",
        "|---|---|---|---|---|",
    ]
    for kind, found in kinds.items():
        rows.append(
            f"| {kind} | {found['n_clips']} | {found['auroc']:.3f} | "
            f"{found['fpr95']:.3f} | {found['share_unknown']:.3f} |"
        )
    return [*lines, *rows]
