"""Write everything that an evaluation over folds found."""

from __future__ import annotations

import json
import tempfile
from collections.abc import Sequence
from pathlib import Path
from typing import Any

from seacall.files import written_whole
from seacall.learn.folds import PROTOCOLS
from seacall.learn.plots import plot_confusion, plot_reliability
from seacall.learn.protocol import ProtocolReport, ProtocolResult
from seacall.learn.protocol_figures import Measured
from seacall.learn.protocol_words import (
    CALIBRATION,
    COARSE,
    DASH,
    MAIN,
    SURENESS,
    about,
    flags_of,
    header_of,
    markdown,
    number,
    remarks,
    title_of,
    worst_confusion,
    write_csv,
)
from seacall.learn.report import data_uri, flat, page_environment, versions

JSON_NAME = "protocol.json"
TABLE_NAME = "protocol.csv"
MARKDOWN_NAME = "protocol.md"
REPORT_NAME = "report.html"


def write_protocol(report: ProtocolReport, out: Path) -> None:
    """Write ``protocol.json``, ``protocol.csv``, ``protocol.md`` and ``report.html``.

    Parameters
    ----------
    out
        Folder to write into; made if it is not there.
    """
    out.mkdir(parents=True, exist_ok=True)
    text = json.dumps(report.as_dict(), indent=1, ensure_ascii=False)
    _write(out / JSON_NAME, text + "\n")
    with written_whole(out / TABLE_NAME) as part:
        write_csv(report, part)
    _write(out / MARKDOWN_NAME, markdown(report))
    _write(out / REPORT_NAME, _page(report))


def _write(path: Path, text: str) -> None:
    with written_whole(path) as part:
        # "replace": a name that is not UTF-8 must not stop the report.
        part.write_text(text, encoding="utf-8", errors="replace", newline="\n")


def _page(report: ProtocolReport) -> str:
    environment = page_environment()
    environment.filters["share"] = lambda v: DASH if v is None else f"{v:.2f}"
    environment.filters["fraction"] = lambda v: f"{v or 0:.3f}"
    return environment.get_template("protocol.html").render(
        title="How good on a recorder never heard",
        about=about(report),
        remarks=remarks(report),
        parts=[_part(result) for result in report.results],
        species=_species(report),
        threshold=f"{report.settings.threshold:g}",
        n_seeds=report.settings.n_seeds,
        dataset=_dataset(report),
        settings=flat(report.settings.model_dump(mode="json")),
        versions=versions(),
    )


def _part(result: ProtocolResult) -> dict[str, Any]:
    everything = tuple(result.systems)
    return {
        "id": result.protocol,
        "title": title_of(result),
        "leaky": result.leaky,
        "main": _table(result, MAIN, everything),
        "coarse": _table(result, COARSE, everything),
        "sure": _table(result, (*SURENESS, *CALIBRATION), result.recipes),
        # Plots of figures that mean nothing would be looked at all the same.
        "plots": [
            _plots(name, result.systems[name])
            for name in result.recipes
            if not result.is_leaky(name)
        ],
    }


def _table(
    result: ProtocolResult, keys: Sequence[str], names: Sequence[str]
) -> dict[str, Any]:
    rows = []
    for name in names:
        figures = result.systems[name].figures
        rows.append(
            {
                "name": name,
                "flags": flags_of(result, name),
                "recipe": name in result.recipes,
                "cells": [number(figures.get(key)) for key in keys],
            }
        )
    return {"header": header_of(keys), "rows": rows}


def _plots(name: str, measured: Measured) -> dict[str, str]:
    """Draw confusion and reliability, as they are embedded in the page."""
    found = {"name": name}
    with tempfile.TemporaryDirectory(prefix="seacall-plots-") as folder:
        path = Path(folder) / "plot.png"
        for level, (names, counts) in measured.confusion.items():
            plot_confusion(counts, names, path)
            found[level] = data_uri(path)
        for key, bins in measured.reliability.items():
            plot_reliability(bins, path)
            found[key] = data_uri(path)
    return found


def _species(report: ProtocolReport) -> list[dict[str, Any]]:
    tables = []
    for result in report.results:
        for name in result.recipes:
            measured = result.systems[name]
            names, counts = measured.confusion["species"]
            leaky = ", leaky" if result.is_leaky(name) else ""
            what = PROTOCOLS[result.protocol].removesuffix(", leaky")
            ranked = sorted(measured.classes, key=lambda c: -(c.f1 or 0.0))
            tables.append(
                {
                    "title": f"{name}, {what}{leaky}",
                    "classes": [
                        (c, worst_confusion(names, counts, c.label)) for c in ranked
                    ],
                }
            )
    return tables


def _dataset(report: ProtocolReport) -> dict[str, str]:
    return {
        "clips": f"{len(report.pooled.deployments):,}",
        "scored clips": f"{report.n_clips:,}",
        "scored species": str(len(report.scored)),
        "scored deployments": str(report.n_deployments),
        "held together": report.pooled.rule,
        "table": report.pooled.fingerprint[:12],
    }
