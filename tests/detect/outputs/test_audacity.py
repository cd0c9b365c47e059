"""Audacity labels hold times, frequencies and scores, and crowsetta reads them."""

from __future__ import annotations

from pathlib import Path

import pytest
from found import AWKWARD_NAMES, archives, detected, given, searched
from hypothesis import HealthCheck, settings
from hypothesis import given as drawn

from seacall.detect.outputs import write_outputs

crowsetta = pytest.importorskip("crowsetta")


def write(out: Path, *found) -> Path:
    write_outputs(out, given(found), formats=["audacity"], folder=Path("/data"))
    return out / "audacity"


def test_every_label_has_its_frequencies_and_its_score_in_the_text(tmp_path):
    one = searched()
    folder = write(tmp_path, (one, [detected(one, 7, 9), detected(one, 1, 2)]))
    assert (folder / "a.wav.labels.txt").read_text() == (
        "1.000000\t2.000000\tKiller Whale 0.93\n\\\t500.000000\t4000.000000\n"
        "7.000000\t9.000000\tKiller Whale 0.93\n\\\t500.000000\t4000.000000\n"
    )


@pytest.mark.filterwarnings("ignore")  # of the other reader
@drawn(found=archives())
@settings(
    deadline=None,
    max_examples=20,
    suppress_health_check=[HealthCheck.function_scoped_fixture],
)
def test_crowsetta_reads_the_labels_back(tmp_path, found):
    folder = write(tmp_path, *found)
    for one, detections in found:
        path = folder / f"{one.path.name}.labels.txt"
        if not detections:
            assert one.recording is None or path.read_text() == ""
            continue
        boxes = crowsetta.formats.bbox.AudBBox.from_file(path).to_bbox()
        rows = sorted(
            detections, key=lambda d: (d.start_s, d.end_s, d.label, d.channel)
        )
        for box, detection in zip(boxes, rows, strict=True):
            assert box.onset == pytest.approx(detection.start_s, abs=2e-6)
            assert box.offset == pytest.approx(detection.end_s, abs=2e-6)
            assert box.low_freq == pytest.approx(detection.low_hz, abs=1e-5)
            assert box.high_freq <= one.recording.sample_rate / 2
            assert box.label == f"{detection.label} {detection.score:.2f}"


def test_recordings_that_nobody_heard_have_no_labels(tmp_path):
    bad = searched("/data/bad.wav", opened=False)
    unheard = searched("/data/x.wav", heard=(), failure="unreadable")
    assert list(write(tmp_path, (bad, []), (unheard, [])).iterdir()) == []


@pytest.mark.parametrize("name", AWKWARD_NAMES, ids=repr)
def test_awkward_names_have_their_labels(tmp_path, name):
    one = searched(f"/data/{name}")
    written = list(write(tmp_path, (one, [detected(one, label="a\tb\nc")])).iterdir())
    assert len(written) == 1
    assert written[0].read_text().splitlines()[0].split("\t")[2] == "a b c 0.93"
