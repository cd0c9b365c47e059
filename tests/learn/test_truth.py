from pathlib import Path

import pytest
from heard import annotation

from seacall.data.annotations import Marks
from seacall.errors import AnnotationError, SettingsError
from seacall.learn.stretches import as_stretches
from seacall.learn.truth import check_labels, names_of, read_map, truth_of

KNOWN = ("Humpback_Whale", "Killer_Whale")
A = Path("a.wav")
MARKS = (
    annotation("a.wav", 0, 2, "call"),
    annotation("a.wav", 4, 6, "Noise"),
    annotation("a.wav", 5, 8, "undefined"),
    annotation("b.wav", 1, 2, "killer whale"),
)


def truth(names=None, **more):
    marks = Marks(MARKS, (None,) * len(MARKS), (), {})
    return truth_of(marks, names=names_of(KNOWN, names or {}), **more)


def test_labels_are_mapped_and_differ_not_by_case_or_underscores():
    found = truth({"Call": "humpback whale"})
    assert found.labels == ("Humpback_Whale", "Killer_Whale")
    assert found.calls_of(A, "Humpback_Whale").tolist() == [[0, 2]]
    assert found.calls_of(A, "Killer_Whale").shape == (0, 2)
    assert found.n_by_label["Humpback_Whale"] == 1


def test_noise_counts_as_time_without_a_call_and_undefined_does_not_count():
    found = truth()
    heard = as_stretches([(0, 10)])
    assert found.counted(A, heard, only=False).tolist() == [[0, 5], [8, 10]]
    assert found.counted(A, heard, only=True).tolist() == [[0, 2], [4, 5]]
    nobody = Path("c.wav")
    assert found.counted(nobody, heard, only=False).tolist() == [[0, 10]]
    assert found.counted(nobody, heard, only=True).shape == (0, 2)
    assert "noise" not in [label.lower() for label in found.labels]


def test_what_says_that_there_is_no_call_can_be_named():
    assert "call" not in truth(negative=["call", "noise"]).labels
    assert truth(left_out=["call"]).labels == ("Killer_Whale", "undefined")


def test_annotations_and_detections_without_a_common_class_are_an_error():
    marks = Marks((annotation("a.wav", 0, 1, "x"),), (None,), (), {})
    with pytest.raises(AnnotationError, match="name x, the detections Humpback_Whale"):
        check_labels(truth_of(marks, names={}), KNOWN)
    assert check_labels(truth(), KNOWN) == ("Killer_Whale",)


@pytest.mark.parametrize("text", ["call", "=x", "call="])
def test_a_map_without_two_sides_is_refused(text):
    with pytest.raises(SettingsError, match="need LABEL=NAME"):
        read_map([text])
