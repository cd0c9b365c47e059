"""Audacity label tracks: one for each recording."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager

from seacall.detect.outputs.target import Take, Target, opened_text
from seacall.detect.outputs.values import (
    Axis,
    band_hz,
    cell,
    in_order,
    seconds,
    was_heard,
)
from seacall.events import Detection, Searched

ENDING = ".labels.txt"


@contextmanager
def audacity_labels(target: Target) -> Iterator[Take]:
    """Write a label track for each recording to ``audacity/``."""
    folder = target.out / "audacity"
    folder.mkdir(parents=True, exist_ok=True)
    target.written.append(folder)

    def take(searched: Searched, found: list[Detection]) -> None:
        if not was_heard(searched):
            return
        path = target.named(searched.path, under="audacity", ending=ENDING)
        with opened_text(path) as stream:
            axis = Axis.of(searched.recording)
            for detection in in_order(found):
                stream.write(_label(axis, searched, detection))

    yield take


def _label(axis: Axis, searched: Searched, detection: Detection) -> str:
    """Write one label: a line for times and text, and always one for frequencies.

    The score belongs to the text: readers drop a fourth column, and some fail where
    only a part of the labels have frequencies.
    """
    begin, end = axis.stretch_us(detection)
    low_hz, high_hz = band_hz(detection, searched.recording)
    text = f"{cell(detection.label)} {detection.score:.2f}"
    return (
        f"{seconds(begin)}\t{seconds(end)}\t{text}\n\\\t{low_hz:.6f}\t{high_hz:.6f}\n"
    )
