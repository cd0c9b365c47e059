"""What an evaluation over folds found, in words: rows of tables, and what to beware of.

One set of rows serves the command line, the CSV file, Markdown and the report.
"""

from __future__ import annotations

import csv
from collections.abc import Sequence
from pathlib import Path

from seacall.learn.baselines import DEPLOYMENT
from seacall.learn.evaluation import LEVEL, Estimate
from seacall.learn.folds import PROTOCOLS
from seacall.learn.metrics import FloatArray
from seacall.learn.protocol import ProtocolReport, ProtocolResult
from seacall.learn.protocol_figures import FIGURES, NOT_SCORED
from seacall.learn.remarks import FEW_DEPLOYMENTS, Remark
from seacall.learn.text import table

DASH = "\u2013"
MAIN = (
    "macro_f1",
    "evened_macro_f1",
    "accuracy",
    "balanced_accuracy",
    "weighted_f1",
)
COARSE = (
    "family_balanced_accuracy",
    "group_balanced_accuracy",
    "recording_macro_f1",
    "recording_accuracy",
    "pairs_right",
)
SURENESS = (
    "species_share",
    "species_right",
    "family_share",
    "family_right",
    "group_share",
    "group_right",
    "answered_share",
    "answered_right",
)
CALIBRATION = ("calibration_error_raw", "calibration_error")
CSV_COLUMNS = ("protocol", "leaky", "system", "kind", "figure", "value", "low", "high")

_SHORT = {
    "evened_macro_f1": "evened",
    "family_balanced_accuracy": "family",
    "group_balanced_accuracy": "group",
    "recording_macro_f1": "recordings F1",
    "recording_accuracy": "recordings acc.",
    "pairs_right": "sp. x depl. right",
    "species_share": "species",
    "species_right": "right",
    "family_share": "family",
    "family_right": "right",
    "group_share": "group",
    "group_right": "right",
    "answered_share": "any",
    "answered_right": "right",
    "calibration_error_raw": "cal. error before",
    "calibration_error": "after",
}


def title_of(result: ProtocolResult) -> str:
    """Say how clips were held out, and whether that leaks.

    Examples
    --------
    >>> from types import SimpleNamespace
    >>> title_of(SimpleNamespace(protocol="random", leaky=True, n_folds=5))
    'LEAKY: random folds (5 folds)'
    """
    what = PROTOCOLS[result.protocol].removesuffix(", leaky")
    text = f"{what} ({result.n_folds} folds)"
    return f"LEAKY: {text}" if result.leaky else text[0].upper() + text[1:]


def flags_of(result: ProtocolResult, name: str) -> list[str]:
    """Return what a row must say of itself, so that no row is taken for another."""
    flags = ["leaky"] if result.is_leaky(name) else []
    if name == DEPLOYMENT and result.protocol != "random":
        flags.append("at chance by design")
    return flags


def header_of(keys: Sequence[str]) -> list[str]:
    """Return the header of a table of figures."""
    return ["", *(_SHORT.get(key, FIGURES[key].title) for key in keys)]


def number(estimate: Estimate | None) -> dict[str, str]:
    """Write a figure and its interval; dashes where there is none."""
    if estimate is None or estimate.value is None:
        return {"value": DASH, "interval": ""}
    interval = ""
    if estimate.interval is not None:
        interval = "{:.2f}-{:.2f}".format(*estimate.interval)
    return {"value": f"{estimate.value:.2f}", "interval": interval}


def rows(
    result: ProtocolResult,
    keys: Sequence[str],
    *,
    only_recipes: bool = False,
    intervals: bool = True,
) -> list[list[str]]:
    """Return a header and a row for each system, such as ``0.21 (0.15-0.30)``."""
    found = [header_of(keys)]
    for name in result.recipes if only_recipes else result.systems:
        flags = flags_of(result, name)
        cells = [name + (f" [{', '.join(flags)}]" if flags else "")]
        for key in keys:
            parts = number(result.systems[name].figures.get(key))
            bracket = f" ({parts['interval']})" if parts["interval"] else ""
            cells.append(parts["value"] + (bracket if intervals else ""))
        found.append(cells)
    return found


def about(report: ProtocolReport) -> str:
    """Say what was measured on."""
    n_seeds = report.settings.n_seeds
    return (
        f"{report.n_clips:,} clips of {len(report.scored)} species from "
        f"{report.n_deployments} deployments are scored; mean of {n_seeds} "
        f"seed{'' if n_seeds == 1 else 's'}; in brackets {LEVEL:.0%} intervals over "
        "deployments"
    )


def remarks(report: ProtocolReport) -> list[Remark]:
    """Return what a reader must know, warnings first."""
    found = [
        *_about_leaks(report),
        *_about_leads(report),
        *_about_species(report),
        *_about_deployments(report),
    ]
    return sorted(found, key=lambda remark: remark.kind == "note")


def _about_leaks(report: ProtocolReport) -> list[Remark]:
    found = []
    if report.pooled.leaky:
        text = (
            "Some clips have neither deployment nor recording, so nothing could be "
            f"kept together ({report.pooled.rule}): all figures are too high."
        )
        found.append(Remark("warning", text))
    if any(result.protocol == "random" for result in report.results):
        text = (
            "Random folds have clips of one deployment on both sides. Their rows show "
            "what such a split pretends, not what a model can do."
        )
        found.append(Remark("warning", text))
    for name in dict.fromkeys(k for result in report.results for k in result.heard):
        text = (
            f"{name} goes on from a model that was trained on some of these "
            "deployments: its figures are too high."
        )
        found.append(Remark("warning", text))
    for name in dict.fromkeys(k for r in report.results for k in r.not_known):
        text = (
            f"What {name} goes on from does not say which deployments it was trained "
            "on; if some of these are among them, its figures are too high."
        )
        found.append(Remark("warning", text))
    return found


def _about_leads(report: ProtocolReport) -> list[Remark]:
    found = []
    for result in report.results:
        below, unsure = [], []
        for name, (_, lead) in result.leads.items():
            value = lead.value or 0.0
            if value <= 0:
                below.append(f"{name} (by {abs(value):.2f})")
            elif lead.interval and lead.interval[0] <= 0:
                low, high = lead.interval
                unsure.append(f"{name} ({value:+.2f}, {low:+.2f} to {high:+.2f})")
        (best,) = {over for over, _ in result.leads.values()}
        start = (
            f"{title_of(result)}: the look-up \u201c{best}\u201d hears nothing, and "
        )
        if below:
            text = f"{start}its macro-F1 is at least as high as of {', '.join(below)}."
            found.append(Remark("warning", text))
        if unsure:
            text = f"{start}the lead over it is not certain of {', '.join(unsure)}."
            found.append(Remark("warning", text))
    return found


def _about_species(report: ProtocolReport) -> list[Remark]:
    found = []
    if report.not_scored:
        text = (
            "From a single deployment, and so trained on but not scored: "
            f"{', '.join(report.not_scored)}. An answer with one of them is an error."
        )
        found.append(Remark("note", text))
    untrained = {name for r in report.results for name in r.untrained}
    if untrained:
        text = (
            "Some fold held out all clips of a species, which nothing can then answer: "
            f"{', '.join(sorted(untrained))}. Take the protocol deployments, or more "
            "folds."
        )
        found.append(Remark("warning", text))
    if any(result.protocol != "random" for result in report.results):
        text = (
            "The deployment look-up can only answer the commonest species where "
            "deployments are held out whole: it is at chance by design, and stands "
            "there as a check. Look-ups learn from scored species only."
        )
        found.append(Remark("note", text))
    return found


def _about_deployments(report: ProtocolReport) -> list[Remark]:
    found = []
    if report.n_deployments < FEW_DEPLOYMENTS:
        text = (
            f"There are only {report.n_deployments} deployments: the intervals are a "
            "rough guide, and rather too narrow."
        )
        found.append(Remark("warning", text))
    few = [name for name, (_, n) in report.scored.items() if n == 2]
    if few:
        text = (
            "Scored on two deployments only, so that each is heard by a network that "
            f"knows the species from one: {', '.join(few)}."
        )
        found.append(Remark("note", text))
    if report.pooled.n_shared:
        text = (
            f"{report.pooled.n_shared} pairs of recordings in different deployments "
            "share audio; those deployments are held out together."
        )
        found.append(Remark("note", text))
    return found


def lines(report: ProtocolReport) -> list[str]:
    """Return everything as plain text, for the command line."""
    out = [about(report)]
    for result in report.results:
        fall_back = (
            f"fall-back at {report.settings.threshold:g}: share of clips, of these "
            "right"
        )
        out += ["", title_of(result), *table(rows(result, MAIN))]
        out += ["", *table(rows(result, COARSE))]
        short = rows(
            result, (*SURENESS, *CALIBRATION), only_recipes=True, intervals=False
        )
        out += ["", f"{fall_back}; calibration error", *table(short)]
    out += ["", *(f"{r.kind}: {r.text}" for r in remarks(report))]
    return out


def write_csv(report: ProtocolReport, path: Path) -> None:
    """Write all figures, one in each row."""
    with path.open("w", encoding="utf-8", newline="") as file:
        writer = csv.writer(file)
        writer.writerow(CSV_COLUMNS)
        for result in report.results:
            for name, measured in result.systems.items():
                kind = "recipe" if name in result.recipes else "look-up"
                for key, estimate in measured.figures.items():
                    low, high = estimate.interval or ("", "")
                    value = "" if estimate.value is None else estimate.value
                    known = [
                        result.protocol,
                        int(result.is_leaky(name)),
                        name,
                        kind,
                        key,
                    ]
                    writer.writerow([*known, value, low, high])


def markdown(report: ProtocolReport) -> str:
    """Return the tables as Markdown."""
    out = [about(report) + "."]
    for result in report.results:
        out += ["", f"### {title_of(result)}", "", *_pipes(rows(result, MAIN))]
        out += ["", *_pipes(rows(result, COARSE))]
        parts = rows(result, (*SURENESS, *CALIBRATION), only_recipes=True)
        out += [
            "",
            f"Fall-back at {report.settings.threshold:g}: share of clips that are "
            "answered with a species, else a family, else a group, and how many of "
            "these are right. Calibration error before and after.",
            "",
            *_pipes(parts),
        ]
    out += ["", *(f"- {r.text}" for r in remarks(report))]
    return "\n".join(out) + "\n"


def _pipes(cells: list[list[str]]) -> list[str]:
    def line(row: list[str]) -> str:
        return f"| {' | '.join(row)} |"

    rule = "|" + "---|" * len(cells[0])
    return [line(cells[0]), rule, *(line(row) for row in cells[1:])]


def worst_confusion(
    names: tuple[str, ...], counts: FloatArray, species: str
) -> tuple[str, float] | None:
    """Return what a species is most often taken for, and for which share of it.

    Examples
    --------
    >>> import numpy as np
    >>> counts = np.array([[6.0, 3.0, 1.0], [0.0, 4.0, 0.0], [0.0, 0.0, 0.0]])
    >>> worst_confusion(("orca", "beluga", "not scored"), counts, "orca")
    ('beluga', 0.3)
    """
    row = counts[names.index(species)].copy()
    total = row.sum()
    row[names.index(species)] = 0
    if not row.any():
        return None
    name = names[int(row.argmax())]
    words = "a species that is not scored" if name == NOT_SCORED else name
    return words, float(row.max() / total)
