"""The timeline as a picture for slides and papers, where matplotlib is installed."""

from __future__ import annotations

import warnings
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import numpy as np

from seacall.detect.outputs.drawing import LEVEL_NAMES, levels
from seacall.detect.outputs.picture import Panel, Section
from seacall.errors import MissingExtraError, require
from seacall.files import written_whole

DPI = 150
MOST_PANELS = 24
INK, SOFT = "#1b2730", "#5b6873"
COLOURS = ("#ffffff", "#e4eaee", "#a9cfe6", "#57a3d1", "#0a6ca8", "#063a5c")
"""Nobody listened, nothing detected, and the levels: as in the page."""
NAMES = ("nobody listened", "listened, nothing detected", *LEVEL_NAMES)


def write_png(path: Path, sections: Sequence[Section]) -> bool:
    """Draw the panels below one another; False if matplotlib is not installed."""
    try:
        require("matplotlib", "train")
    except MissingExtraError:
        return False
    drawn = [(s.title, panel) for s in sections for panel in s.panels][:MOST_PANELS]
    if not drawn:
        return False
    figure = _figure(drawn)
    with written_whole(path) as part, warnings.catch_warnings():
        warnings.simplefilter("ignore")  # a letter that the font does not have
        figure.savefig(part, format="png", dpi=DPI)
    return True


def _figure(drawn: Sequence[tuple[str, Panel]]) -> Any:
    from matplotlib.backends.backend_agg import FigureCanvasAgg
    from matplotlib.figure import Figure

    heights = [_height(panel) for _, panel in drawn]
    margin, legend = 0.75, 0.75  # inches above each panel, and for the legend
    total = sum(heights) + margin * len(heights) + legend
    figure = Figure(figsize=(11, total), facecolor="white")
    FigureCanvasAgg(figure)
    top = total - 0.1
    for (folder, panel), height in zip(drawn, heights, strict=True):
        top -= margin + height
        axes = figure.add_axes((0.2, (top + 0.3) / total, 0.77, height / total))
        _draw(axes, panel, folder)
    _legend(figure)
    return figure


def _height(panel: Panel) -> float:
    return 1.4 if panel.by_hour else 0.27 * len(panel.rows)


def _draw(axes: Any, panel: Panel, folder: str) -> None:
    from matplotlib.colors import ListedColormap

    level = levels(panel.shares) + 1
    n_rows, n_columns = level.shape
    axes.set_facecolor("white")
    axes.patch.set_hatch("////")
    axes.patch.set_edgecolor("#d5dbe0")
    cells = np.ma.masked_equal(level, 0)
    axes.imshow(
        cells,
        cmap=ListedColormap(COLOURS),
        vmin=-0.5,
        vmax=len(COLOURS) - 0.5,
        aspect="auto",
        interpolation="nearest",
        extent=(0, n_columns, n_rows, 0),
    )
    if panel.lengths:
        _blank_behind(axes, panel.lengths, n_columns)
    if not panel.by_hour:
        axes.hlines(range(1, n_rows), 0, n_columns, color="white", lw=1.5)
    title = f"{folder}: {panel.title}" if folder else panel.title
    # Names of files may hold dollars: they are no formulas.
    axes.set_title(
        _short(title, 60),
        loc="left",
        fontsize=10,
        color=INK,
        weight="bold",
        parse_math=False,
    )
    axes.set_title(panel.note, loc="right", fontsize=8, color=SOFT)
    every = 6 if panel.by_hour else 1
    places = [k if every > 1 else k + 0.5 for k in range(0, n_rows, every)]
    names = [_short(panel.rows[k]) for k in range(0, n_rows, every)]
    axes.set_yticks(places, names, parse_math=False)
    axes.set_xticks([p for p, _ in panel.ticks], [text for _, text in panel.ticks])
    axes.tick_params(labelsize=8, colors=SOFT, length=3)
    for spine in axes.spines.values():
        spine.set_visible(False)


def _blank_behind(axes: Any, lengths: Sequence[float], n_columns: int) -> None:
    """Leave white what lies behind the end of each recording: it is no gap."""
    for k, length in enumerate(lengths):
        if length < n_columns:
            axes.fill_between([length, n_columns], k, k + 1, color="white", lw=0)


def _legend(figure: Any) -> None:
    from matplotlib.patches import Patch

    patches = [
        Patch(facecolor=colour, label=name, edgecolor="#d5dbe0")
        for colour, name in zip(COLOURS, NAMES, strict=True)
    ]
    patches[0].set_hatch("////")
    figure.legend(
        handles=patches,
        title="Blue: share of the time listened to in which the species was detected",
        title_fontsize=8,
        loc="lower center",
        ncols=6,
        fontsize=8,
        frameon=False,
    )


def _short(name: str, longest: int = 27) -> str:
    plain = _plain(name)
    if len(plain) <= longest:
        return plain
    return f"{plain[: longest - 1]}\N{HORIZONTAL ELLIPSIS}"


def _plain(text: str) -> str:
    """Escape what is no letter in any font: of names that are not UTF-8."""
    return text.encode("utf-8", "backslashreplace").decode()
