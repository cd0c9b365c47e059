"""Figures as plain text, for the command line."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from typing import Any

from seacall.learn.evaluation import Evaluation
from seacall.learn.remarks import remarks
from seacall.models.checkpoint import Card

NAMED = 5
"""Names that are spelt out before the rest is only counted."""
_SHOWN = {
    "macro_f1": "macro F1",
    "balanced_accuracy": "balanced accuracy",
    "accuracy": "accuracy",
    "weighted_f1": "weighted F1",
    "accuracy_at_threshold": "accuracy at threshold",
}


def figures_table(figures: Mapping[str, Mapping[str, Any]]) -> list[str]:
    """Render figures of a model and its baselines as an aligned table.

    Parameters
    ----------
    figures
        For each system, for each figure, ``value`` and ``interval``: as in
        :meth:`Evaluation.as_dict`.
    """
    rows = [["", *_SHOWN.values()]]
    for system, values in figures.items():
        rows.append([system, *(_cell(values[key]) for key in _SHOWN)])
    return table(rows)


def table(rows: list[list[str]]) -> list[str]:
    """Align rows of text; the first row is the header.

    Examples
    --------
    >>> table([["", "F1"], ["teacher", "0.81"]])
    ['           F1', 'teacher  0.81']
    """
    widths = [max(len(row[i]) for row in rows) for i in range(len(rows[0]))]
    return [
        "  ".join(
            cell.ljust(width) if i == 0 else cell.rjust(width)
            for i, (cell, width) in enumerate(zip(row, widths, strict=True))
        ).rstrip()
        for row in rows
    ]


def listed(names: Iterable[str]) -> str:
    """Spell out the first few names, and count the others.

    Examples
    --------
    >>> listed("abcdefg")
    'a, b, c, d, e and 2 more'
    """
    every = list(names)
    more = f" and {len(every) - NAMED:,} more" if len(every) > NAMED else ""
    return ", ".join(every[:NAMED]) + more


def count(n: int, one: str) -> str:
    """Say how many there are.

    Examples
    --------
    >>> count(1, "recording"), count(1200, "recording")
    ('1 recording', '1,200 recordings')
    """
    return f"{n:,} {one}{'' if n == 1 else 's'}"


def evaluation_lines(evaluation: Evaluation) -> list[str]:
    """Render an evaluation: what was measured, the table, what to beware of."""
    return [
        measured_on(evaluation.as_dict()),
        *figures_table(evaluation.as_dict()["figures"]),
        *(f"{r.kind}: {r.text}" for r in remarks(evaluation)),
    ]


def card_lines(card: Card) -> list[str]:
    """Render what a training run ended with."""
    metrics = card.metrics
    if not metrics:
        if card.training.get("all_clips"):
            return ["trained on all recordings, so nothing was measured"]
        return ["no test recordings, so nothing was measured"]
    return [
        measured_on(metrics),
        *figures_table(metrics["figures"]),
        metrics["interval_note"],
    ]


def measured_on(metrics: Mapping[str, Any]) -> str:
    """Say on what figures were measured, and whether they leak.

    Examples
    --------
    >>> measured_on(
    ...     {"n_recordings": 9, "split": "test", "n_deployments": 1, "leaky": True}
    ... )
    '9 test recordings of 1 deployment, some trained on (leaky)'
    """
    n = metrics["n_deployments"]
    leaky = ", some trained on (leaky)" if metrics["leaky"] else ""
    return (
        f"{metrics['n_recordings']} {metrics['split']} recordings of {n} "
        f"deployment{'' if n == 1 else 's'}{leaky}"
    )


def _cell(estimate: Mapping[str, Any]) -> str:
    if estimate["value"] is None:
        return "-"
    text = f"{estimate['value']:.3f}"
    if estimate["interval"]:
        low, high = estimate["interval"]
        text += f" ({low:.2f}-{high:.2f})"
    return text
