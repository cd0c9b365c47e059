"""Draw detection error trade-off curves: calls missed against false alarms per hour."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

import numpy as np
from matplotlib.axes import Axes
from matplotlib.figure import Figure
from matplotlib.ticker import FuncFormatter

from seacall.learn.detection_figures import DetectionFigures
from seacall.learn.plots import GREY, INK, save, tidy
from seacall.learn.sweep import RATES_PER_HOUR

# Okabe and Ito (2008), without the yellow that is lost on white.
COLOURS = ("#0072B2", "#D55E00", "#009E73", "#CC79A7", "#56B4E9", "#E69F00", INK)
STYLES = ("-", (0, (5, 2)), (0, (1.5, 1.5)))
MOST_CURVES = len(COLOURS) * len(STYLES)


def plot_det(classes: Sequence[DetectionFigures], path: Path) -> bool:
    """Draw the curve of each class that has one; those with most annotations first.

    The rate is on a logarithmic scale; what gives no false alarm at all is drawn at the
    left edge. At each rate it is the fewest misses of any threshold with no more false
    alarms, in steps: what `Sweep.recall_at` gives.

    Returns
    -------
    drawn
        False, and no file, where no class has a curve.
    """
    shown = [c for c in classes if c.n_annotations and c.free_h > 0]
    shown = [c for c in shown if len(c.curve.thresholds)]
    shown = sorted(shown, key=lambda c: -c.n_annotations)[:MOST_CURVES]
    if not shown:
        return False
    figure = Figure(figsize=(7.2, 4.6))
    axes = figure.add_subplot()
    edge = _left_edge(shown)
    highest = max(float(c.curve.rate.max()) for c in shown)
    for k, one in enumerate(shown):
        _draw(axes, one, k, edge)
    axes.set_xscale("log")
    axes.set_xlim(edge, max(highest * 1.3, 2 * max(RATES_PER_HOUR)))
    axes.set_ylim(0, 1.02)
    axes.yaxis.set_major_formatter(FuncFormatter(lambda y, _: f"{y:.0%}"))
    axes.xaxis.set_major_formatter(
        FuncFormatter(lambda x, _: "none" if x <= edge * 1.01 else f"{x:g}")
    )
    axes.set_xlabel("false alarms per hour", color=INK)
    axes.set_ylabel("annotations missed", color=INK)
    for rate in RATES_PER_HOUR:
        if rate > edge:
            axes.axvline(
                rate, color=GREY, linewidth=0.9, linestyle=(0, (2, 2)), zorder=1
            )
    tidy(axes, grid="y")
    _legend(axes, shown)
    save(figure, path)
    return True


def _left_edge(shown: Sequence[DetectionFigures]) -> float:
    """Return a decade below the lowest rate that occurs, or that is asked for."""
    rates = [c.curve.rate[c.curve.rate > 0].min(initial=np.inf) for c in shown]
    lowest = min(*map(float, rates), *RATES_PER_HOUR) if rates else min(RATES_PER_HOUR)
    return float(10 ** (np.floor(np.log10(lowest)) - (0 if lowest < 0.1 else 1)))


def _draw(axes: Axes, one: DetectionFigures, k: int, edge: float) -> None:
    rate, missed = one.curve.rate[0], 1 - one.curve.recall[0]
    order = np.argsort(rate, kind="stable")
    x = np.r_[edge, np.maximum(rate[order], edge)]
    # Far down all clips merge into a few long detections: more misses, fewer false
    # alarms. Nobody chooses such a threshold, so what counts is the best up to a rate.
    y = np.minimum.accumulate(np.r_[1.0, missed[order]])
    colour = COLOURS[k % len(COLOURS)]
    axes.plot(
        x,
        y,
        color=colour,
        linestyle=STYLES[k // len(COLOURS)],
        linewidth=1.7,
        drawstyle="steps-post",
        label=f"{one.label}  ({one.n_annotations:,})",
    )
    now = one.figures["false_alarms_per_hour"].value
    recall = one.figures["recall"].value
    if now is not None and recall is not None:
        axes.plot(
            max(now, edge),
            1 - recall,
            marker="o",
            markersize=7,
            markerfacecolor="white",
            markeredgecolor=colour,
            markeredgewidth=1.8,
            clip_on=False,
            zorder=4,
        )


def _legend(axes: Axes, shown: Sequence[DetectionFigures]) -> None:
    legend = axes.legend(
        loc="lower left",
        bbox_to_anchor=(0, 1.0),
        ncols=1 if len(shown) == 1 else 2,
        frameon=False,
        fontsize=9.5,
    )
    for text in legend.get_texts():
        text.set_parse_math(False)
