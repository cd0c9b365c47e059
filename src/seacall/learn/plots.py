"""PNG plots of an evaluation, drawn without any global state."""

from __future__ import annotations

import warnings
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt
from matplotlib.axes import Axes
from matplotlib.backends.backend_agg import FigureCanvasAgg
from matplotlib.figure import Figure
from matplotlib.ticker import LogLocator, MaxNLocator, NullLocator

from seacall.learn.evaluation import ClassFigures
from seacall.learn.metrics import calibration_error, class_scores

Column = npt.NDArray[np.float64]

DPI = 150
# Okabe and Ito (2008): told apart by all forms of colour vision, and in grey.
BLUE, ORANGE, INK, GREY = "#0072B2", "#D55E00", "#1f2933", "#8a949e"
GRID = "#e4e8ec"


def plot_confusion(confusion: npt.ArrayLike, labels: Sequence[str], path: Path) -> None:
    """Draw a confusion matrix: counts as numbers, shares of each row as colour.

    Parameters
    ----------
    confusion
        Counts ``(n_classes, n_classes)``; rows: true class, columns: answered class.
    labels
        Names in the same order; ``unknown`` is last.
    path
        PNG file to write.
    """
    counts = np.asarray(confusion, dtype=np.int64)
    n_classes = len(labels)
    cell = float(np.clip(30 / n_classes, 0.22, 0.5))  # inches
    figure = Figure(figsize=(cell * n_classes, cell * n_classes))
    axes = figure.add_axes((0, 0, 1, 1))
    support = counts.sum(axis=1)
    shares = counts / np.maximum(support, 1)[:, None]
    # Square roots: a tenth of a row is to be seen, not only a half.
    colours = np.sqrt(shares)
    axes.imshow(colours, cmap="Blues", vmin=0, vmax=1.15, aspect="equal")
    _shade_absent(axes, support)
    if cell > 0.25:
        _write_counts(axes, counts, colours > 0.7, size=min(11.0, 22 * cell))
    _label_classes(axes, counts, labels, labelsize=min(11.0, 30 * cell))
    axes.set_xlabel("answered", fontsize=12, color=INK, labelpad=10)
    axes.set_ylabel("true  (recordings)", fontsize=12, color=INK, labelpad=10)
    save(figure, path)


def _shade_absent(axes: Axes, support: npt.NDArray[np.int64]) -> None:
    for row in np.flatnonzero(support == 0):
        axes.axhspan(row - 0.5, row + 0.5, facecolor="#f1f3f5", zorder=1)


def _write_counts(
    axes: Axes,
    counts: npt.NDArray[np.int64],
    dark: npt.NDArray[np.bool_],
    *,
    size: float,
) -> None:
    for row, column in np.argwhere(counts):
        text = str(counts[row, column])
        axes.text(
            column,
            row,
            text,
            ha="center",
            va="center",
            fontsize=size * min(1.0, 3.6 / max(len(text), 1)),
            fontweight="bold" if row == column else "normal",
            color="white" if dark[row, column] else INK,
        )


def _label_classes(
    axes: Axes,
    counts: npt.NDArray[np.int64],
    labels: Sequence[str],
    *,
    labelsize: float,
) -> None:
    n_classes = len(labels)
    support = counts.sum(axis=1)
    ticks = np.arange(n_classes)
    rows = [f"{label}  ({n:,})" for label, n in zip(labels, support, strict=True)]
    axes.set_xticks(
        ticks, list(labels), rotation=45, ha="right", rotation_mode="anchor"
    )
    axes.set_yticks(ticks, rows)
    recall = class_scores(counts).recall
    right = axes.secondary_yaxis("right")
    right.set_yticks(ticks, ["" if np.isnan(r) else f"{r:.0%}" for r in recall])
    right.set_ylabel("recall", fontsize=12, color=INK, labelpad=8)
    for side in (axes.xaxis, axes.yaxis, right.yaxis):
        side.set_tick_params(length=0, pad=5, labelsize=labelsize, labelcolor=INK)
    for text in (*axes.get_xticklabels(), *axes.get_yticklabels()):
        text.set_parse_math(False)
    axes.set_xticks(np.arange(1, n_classes) - 0.5, minor=True)
    axes.set_yticks(np.arange(1, n_classes) - 0.5, minor=True)
    axes.grid(which="minor", color=GRID, linewidth=0.6)
    axes.tick_params(which="minor", length=0)
    for draw in (axes.axhline, axes.axvline):  # sets "unknown" apart
        draw(n_classes - 1.5, color=GREY, linewidth=1.2)
    for spine in (*axes.spines.values(), *right.spines.values()):
        spine.set_color(GREY)
        spine.set_linewidth(0.8)


def plot_per_class(classes: Sequence[ClassFigures], path: Path) -> None:
    """Draw precision, recall and F1 of each class, the best F1 on top.

    Classes without a recording are left out.
    """
    shown = sorted((c for c in classes if c.support), key=lambda c: c.f1 or 0.0)
    height = max(1.2, 0.3 * len(shown))
    figure = Figure(figsize=(6.5, height))
    axes = figure.add_axes((0, 0, 1, 1))
    places = np.arange(len(shown))
    axes.barh(
        places, [c.f1 or 0.0 for c in shown], height=0.62, color="#cfe0ec", label="F1"
    )
    for key, marker, colour in (("precision", "D", ORANGE), ("recall", "o", BLUE)):
        found = [(getattr(c, key), p) for c, p in zip(shown, places, strict=True)]
        xy = np.array([pair for pair in found if pair[0] is not None], dtype=np.float64)
        x, y = xy.reshape(-1, 2).T
        axes.scatter(
            x, y, marker=marker, s=30, color=colour, label=key, zorder=3, clip_on=False
        )
    axes.set_yticks(places, [f"{c.label}  ({c.support:,})" for c in shown])
    for text in axes.get_yticklabels():
        text.set_parse_math(False)
    axes.set(xlim=(0, 1), ylim=(-0.7, len(shown) - 0.3))
    tidy(axes, grid="x")
    axes.tick_params(axis="y", labelsize=9.5)
    axes.legend(
        loc="lower left", bbox_to_anchor=(0, 1.0), ncols=3, frameon=False, fontsize=9.5
    )
    save(figure, path)


def plot_reliability(bins: npt.ArrayLike, path: Path) -> None:
    """Draw how often the model is right against how sure it says it is.

    Parameters
    ----------
    bins
        ``(3, n_bins)`` of `seacall.learn.metrics.reliability_bins`.
    path
        PNG file to write.
    """
    counts = np.asarray(bins, dtype=np.float64)
    n, score_sum, right = counts
    edges = np.linspace(0, 1, len(n) + 1)
    used = n > 0
    figure = Figure(figsize=(5.2, 5.6))
    above, below = figure.subplots(
        2, 1, sharex=True, height_ratios=(3.4, 1), gridspec_kw={"hspace": 0.09}
    )
    above.plot([0, 1], [0, 1], color=GREY, linewidth=1, linestyle=(0, (4, 3)))
    above.text(0.03, 0.95, "too modest", color=GREY, fontsize=9)
    above.text(0.97, 0.05, "too sure", color=GREY, fontsize=9, ha="right")
    above.plot(
        score_sum[used] / n[used],
        right[used] / n[used],
        color=BLUE,
        marker="o",
        markersize=5,
        linewidth=1.6,
    )
    above.set(ylim=(0, 1.02), xlim=(0, 1), ylabel="accuracy")
    error = float(calibration_error(counts))
    above.set_title(f"expected calibration error {error:.3f}", fontsize=10, loc="left")
    below.bar(edges[:-1], n, width=np.diff(edges), align="edge", color="#9dc0d9")
    below.set(xlabel="best score", ylabel="recordings")
    below.yaxis.set_major_locator(MaxNLocator(3, integer=True))
    tidy(above, grid="both")
    tidy(below, grid="y")
    save(figure, path)


def plot_curves(history: Sequence[Mapping[str, Any]], path: Path) -> None:
    """Draw a training run: loss, accuracy, macro-F1 and learning rate by epoch.

    Parameters
    ----------
    history
        One mapping for each epoch with the keys ``epoch``, ``train_loss``,
        ``train_accuracy``, ``train_f1``, ``val_loss``, ``val_accuracy``, ``val_f1``
        and ``learning_rate``. Missing values leave gaps.
    path
        PNG file to write.
    """
    figure = Figure(figsize=(9.6, 6.2))
    grid = figure.subplots(2, 2, sharex=True, gridspec_kw={"wspace": 0.2})
    panels: list[Axes] = list(grid.flat)
    epochs = _column(history, "epoch")
    for axes, (key, title) in zip(panels, _PAIRS.items(), strict=False):
        for part, colour in (("train", ORANGE), ("val", BLUE)):
            values = _column(history, f"{part}_{key}")
            marker = "o" if len(history) < 3 else ""
            axes.plot(epochs, values, color=colour, label=part, marker=marker)
        axes.set_title(title, fontsize=10.5, loc="left", color=INK)
    panels[0].legend(frameon=False, fontsize=9.5)
    for axes in panels[1:3]:
        axes.set_ylim(0, 1)
    _draw_rate(panels[3], epochs, _column(history, "learning_rate"))
    for axes in panels:
        tidy(axes, grid="y")
        axes.xaxis.set_major_locator(MaxNLocator(8, integer=True))
    for axes in panels[2:]:
        axes.set_xlabel("epoch", color=INK)
    _mark_best(panels, epochs, _column(history, "val_f1"))
    save(figure, path)


_PAIRS = {"loss": "loss", "accuracy": "accuracy", "f1": "macro-F1"}


def _draw_rate(axes: Axes, epochs: Column, rate: Column) -> None:
    axes.plot(epochs, rate, color=INK, drawstyle="steps-mid")
    axes.set_title("learning rate", fontsize=10.5, loc="left", color=INK)
    if (rate > 0).any():
        axes.set_yscale("log")
        axes.yaxis.set_major_locator(LogLocator(subs=(1, 2, 5)))
        axes.yaxis.set_major_formatter("{x:g}")
        axes.yaxis.set_minor_locator(NullLocator())


def _mark_best(panels: Sequence[Axes], epochs: Column, val_f1: Column) -> None:
    if not np.isfinite(val_f1).any():
        return
    best = np.nanargmax(val_f1)
    for axes in panels:
        axes.axvline(
            epochs[best], color=GREY, linewidth=1, linestyle=(0, (2, 2)), zorder=1
        )
    panels[2].set_title(
        f"best {val_f1[best]:.3f}, epoch {epochs[best]:g}",
        fontsize=9,
        loc="right",
        color=GREY,
    )


def _column(history: Sequence[Mapping[str, Any]], key: str) -> Column:
    values = [epoch.get(key) for epoch in history]
    return np.array([np.nan if v is None else v for v in values], dtype=np.float64)


def tidy(axes: Axes, *, grid: str) -> None:
    """Leave of a plot's frame what is needed; ``grid`` is ``x``, ``y`` or ``both``."""
    for side in ("top", "right"):
        axes.spines[side].set_visible(False)
    for side in ("left", "bottom"):
        axes.spines[side].set_color(GREY)
    axes.grid(axis=grid, color=GRID, linewidth=0.8)  # type: ignore[arg-type]
    axes.set_axisbelow(True)
    axes.tick_params(color=GREY, labelcolor=INK, labelsize=9)


def save(figure: Figure, path: Path) -> None:
    """Write a figure as PNG, no label cut off."""
    FigureCanvasAgg(figure)
    with warnings.catch_warnings():
        # A label in a script that the font lacks is drawn as boxes: no reason to stop.
        warnings.filterwarnings("ignore", message="Glyph .* missing from")
        # "tight" grows the picture until no label is cut off.
        figure.savefig(
            path,
            dpi=DPI,
            format="png",
            bbox_inches="tight",
            pad_inches=0.15,
            facecolor="white",
        )
