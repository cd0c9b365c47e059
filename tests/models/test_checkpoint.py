"""A model folder: its card says what it is, and nothing else in it is used."""

from __future__ import annotations

import json
import shutil
from pathlib import Path

import pytest
import tiny
import torch
from hypothesis import given, settings
from hypothesis import strategies as st

from seacall.errors import CheckpointError
from seacall.models.checkpoint import (
    CARD_NAME,
    WEIGHTS_NAME,
    Card,
    checked_file,
    read_card,
    write_card,
)
from seacall.models.describe import describe
from seacall.models.network import load_network, save_model


@pytest.fixture(scope="module")
def saved(tmp_path_factory) -> Path:
    folder = tmp_path_factory.mktemp("saved") / "model"
    save_model(tiny.network(), folder, tiny.card())
    return folder


@pytest.fixture
def folder(saved, tmp_path) -> Path:
    """A copy that a test may damage."""
    return Path(shutil.copytree(saved, tmp_path / "model"))


def change(folder: Path, **values: object) -> None:
    path = folder / CARD_NAME
    content = json.loads(path.read_text(encoding="utf-8")) | values
    path.write_text(json.dumps(content), encoding="utf-8")


def refused(folder: Path, match: str) -> None:
    with pytest.raises(CheckpointError, match=match) as caught:
        load_network(folder)
    assert str(folder) in str(caught.value)
    assert "\n" not in str(caught.value)


def test_a_card_reads_back_as_it_was_written(tmp_path):
    card = tiny.card(
        threshold=0.55,
        thresholds={"Fin Whale": 0.9},
        calibration={"method": "temperature", "temperature": 1.3},
        teacher="VGGishTeacher abc",
        training={"epochs": 2, "x": None},
        metrics={"macro_f1": {"value": 0.5, "interval": [0.1, 0.9]}},
    )
    written = write_card(tmp_path, card)
    assert read_card(tmp_path) == written == card
    assert [p.name for p in tmp_path.iterdir()] == [CARD_NAME]


def test_the_card_lists_the_sha256_of_the_weights_and_the_sizes(folder):
    card = read_card(folder)
    assert list(card.files) == [WEIGHTS_NAME]
    assert card.n_parameters < 60_000
    assert card.n_multiply_adds > 1_000_000
    assert checked_file(folder, card, WEIGHTS_NAME) == folder / WEIGHTS_NAME


def test_a_saved_network_loads_with_the_same_weights(folder):
    expected = tiny.network().state_dict()
    for name, value in load_network(folder).state_dict().items():
        assert torch.equal(value, expected[name])


@pytest.mark.parametrize("place", [8, 1000, -1])
def test_one_changed_byte_of_the_weights_is_noticed(folder, place):
    path = folder / WEIGHTS_NAME
    content = bytearray(path.read_bytes())
    content[place] ^= 1
    path.write_bytes(bytes(content))
    refused(folder, "sha256 starts with")


def test_missing_weights_are_named(folder):
    (folder / WEIGHTS_NAME).unlink()
    refused(folder, rf"{WEIGHTS_NAME}: no such file")


def test_weights_that_the_card_does_not_list_are_not_used(folder):
    change(folder, files={})
    refused(folder, f"lists no {WEIGHTS_NAME}")


@pytest.mark.parametrize(
    ("values", "match"),
    [
        ({"colour": "blue"}, "colour"),
        ({"schema_version": 2}, "schema_version is 2"),
        ({"schema_version": "1"}, "schema_version is '1'"),
        ({"schema_version": None}, "schema_version is None"),
        ({"architecture": "ResNet"}, "architecture"),
        ({"labels": ["unknown"]}, "labels"),
        ({"labels": ["A", "B"]}, "the last must be 'unknown'"),
        ({"labels": ["A", "A", "unknown"]}, "must differ"),
        ({"threshold": 1.5}, "threshold"),
        ({"threshold": float("nan")}, "threshold"),
        ({"calibration_temperature": 0}, "calibration_temperature"),
        ({"calibration_temperature": float("inf")}, "calibration_temperature"),
        ({"files": {WEIGHTS_NAME: ""}}, "files"),
        ({"files": {WEIGHTS_NAME: "0"}}, "files"),
        ({"front_end": None}, "front_end"),
    ],
)
def test_a_card_that_is_not_ours_is_refused(folder, values, match):
    change(folder, **values)
    refused(folder, match)


@pytest.mark.parametrize(
    "text",
    [
        b"",
        b"[]",
        b"null",
        b"3",
        b"{",
        b"\xff\xfe",
        b'{"schema_version": 1}',
        b'{"schema_version": ' + b"1" * 5_000 + b"}",
        b"[" * 100_000,
    ],
    ids=range(9),
)
def test_a_damaged_card_is_refused(folder, text):
    (folder / CARD_NAME).write_bytes(text)
    refused(folder, CARD_NAME)


def test_another_class_count_than_the_weights_is_refused(folder):
    change(folder, labels=["A", "B", "unknown"])
    refused(folder, "has shape")


def test_another_architecture_than_the_weights_is_refused(folder):
    change(folder, architecture="VGGishTeacher")
    refused(folder, "is no VGGishTeacher")


@pytest.mark.parametrize("name", ["nothing", "file"])
def test_what_is_no_model_folder_is_named(tmp_path, name):
    (tmp_path / "file").touch()
    refused(tmp_path / name, "is no model folder")


_CARD = json.dumps(tiny.card().model_dump(mode="json"), ensure_ascii=False).encode()


def is_card_or_one_error(folder: Path, content: bytes) -> None:
    (folder / CARD_NAME).write_bytes(content)
    reason = ""
    try:
        assert isinstance(read_card(folder), Card)
    except CheckpointError as error:
        reason = str(error)
    assert "\n" not in reason


@settings(max_examples=150, deadline=None)
@given(content=st.binary(max_size=200))
def test_any_bytes_are_a_card_or_one_error(tmp_path_factory, content):
    is_card_or_one_error(tmp_path_factory.mktemp("fuzz"), content)


@settings(max_examples=150, deadline=None)
@given(
    place=st.integers(0, len(_CARD) - 1),
    n_removed=st.integers(0, 40),
    added=st.one_of(st.binary(max_size=8), st.just(b"1" * 5_000), st.just(b"NaN")),
)
def test_a_changed_card_is_a_card_or_one_error(
    tmp_path_factory, place, n_removed, added
):
    content = _CARD[:place] + added + _CARD[place + n_removed :]
    is_card_or_one_error(tmp_path_factory.mktemp("fuzz"), content)


json_values = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats() | st.text(max_size=5),
    lambda inner: (
        st.lists(inner, max_size=3)
        | st.dictionaries(st.text(max_size=5), inner, max_size=3)
    ),
    max_leaves=5,
)


@settings(max_examples=150, deadline=None)
@given(name=st.sampled_from(sorted(Card.model_fields)), value=json_values)
def test_any_value_in_a_card_is_taken_or_refused(tmp_path_factory, name, value):
    content = json.dumps(json.loads(_CARD) | {name: value}).encode()
    is_card_or_one_error(tmp_path_factory.mktemp("fuzz"), content)


def test_a_description_says_size_profile_and_classes(folder):
    text = "\n".join(describe(folder).lines())
    for part in ("AudioTransformerStudent", "original-16k", "Béluga blanc", "bytes"):
        assert part in text
    assert describe(folder).as_dict()["fewer_parameters"] is None


def test_a_description_compares_with_the_teacher(folder, tmp_path):
    save_model(
        tiny.network("VGGishTeacher"), tmp_path / "t", tiny.card("VGGishTeacher")
    )
    found = describe(folder, teacher=tmp_path / "t")
    assert found.as_dict()["fewer_parameters"] >= 0.99
    assert "% fewer parameters than VGGishTeacher" in found.lines()[-1]


def test_a_description_checks_the_files(folder):
    (folder / WEIGHTS_NAME).write_bytes(b"other")
    with pytest.raises(CheckpointError, match="sha256"):
        describe(folder)
