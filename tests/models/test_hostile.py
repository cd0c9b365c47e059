"""What a stranger's model folder may hold: refused in one line, and soon."""

from __future__ import annotations

import io
import json
import resource
import shutil
import struct
import time
import zipfile
from pathlib import Path

import numpy as np
import onnx
import pytest
import tiny
import torch
from hypothesis import given, settings
from hypothesis import strategies as st
from onnx import TensorProto, helper

from seacall.errors import CheckpointError
from seacall.files import file_sha256
from seacall.models.backend import OnnxClassifier
from seacall.models.checkpoint import CARD_NAME, ONNX_NAME, WEIGHTS_NAME
from seacall.models.describe import describe
from seacall.models.network import load_model
from seacall.models.pretrained import download, fetch
from seacall.models.untrusted import MAX_DEPTH, check_plain, one_line, read_json
from seacall.models.weights import read_state_dict

MOST_S = 2.0
"""A refusal takes milliseconds; a machine that others use, longer."""
MOST_MB = 500


@pytest.fixture(scope="module")
def good(tmp_path_factory) -> Path:
    return tiny.write_model(tmp_path_factory.mktemp("good") / "model")


@pytest.fixture
def folder(good, tmp_path) -> Path:
    return Path(shutil.copytree(good, tmp_path / "model"))


def changed_card(folder: Path, **values: object) -> Path:
    path = folder / CARD_NAME
    content = json.loads(path.read_text(encoding="utf-8"))
    for name, value in values.items():
        *sections, last = name.split("__")
        part = content
        for section in sections:
            part = part[section]
        part[last] = value
    path.write_text(json.dumps(content), encoding="utf-8")
    return folder


def with_graph(folder: Path, content: bytes) -> Path:
    """Put a graph in place and let the card vouch for it."""
    (folder / ONNX_NAME).write_bytes(content)
    files = {ONNX_NAME: file_sha256(folder / ONNX_NAME)}
    return changed_card(folder, files=files)


def use(folder: Path) -> None:
    classifier = OnnxClassifier(folder)
    x, features = np.zeros((1, 1, 96, 64)), np.zeros((1, 18))
    classifier.logits(x.astype(np.float32), features.astype(np.float32))


def refused(call, *arguments, match: str) -> None:
    """It is one short line, it comes at once, and costs no memory."""
    before_mb = peak_mb()
    started = time.perf_counter()
    with pytest.raises(CheckpointError, match=match) as caught:
        call(*arguments)
    assert time.perf_counter() - started < MOST_S
    assert peak_mb() - before_mb < MOST_MB
    assert str(caught.value).isprintable()
    assert len(str(caught.value)) < 800


def peak_mb() -> float:
    return resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1024


@pytest.mark.parametrize(
    "name", ["../x", "/etc/passwd", "..", ".", "", "a/b", "a\\b", "a\n", "-x", "é"]
)
def test_a_card_names_files_in_its_own_folder_alone(folder, name):
    refused(describe, changed_card(folder, files={name: "0" * 64}), match="files")


@pytest.mark.parametrize(
    ("values", "match"),
    [
        ({"a\nb\x1b[2J" + "x" * 100_000: 1}, "a b"),
        ({"labels": ["x" * 1_000_000] * 2 + ["unknown"]}, "labels"),
        ({"labels": ["x" * 1_000_000, "unknown"]}, "at most 200 characters"),
        ({"labels": ["a\x1b[2J", "unknown"]}, "can be printed"),
        ({"thresholds": {"z\n" * 10_000: 0.5}}, "do not exist"),
        ({"schema_version": "1\n" * 10_000}, "schema_version"),
        ({"metrics": {"x": float("nan")}}, "not finite"),
        ({"training": {"x": [float("-inf")]}}, "not finite"),
        ({"front_end__clip__duration_s": 1e12}, "at most"),
        ({"front_end__profile__n_fft": 2**34}, "n_fft"),
        ({"front_end__profile__sample_rate": 10**12}, "sample_rate"),
        ({"front_end__profile__n_mels": 10**9}, "n_mels"),
    ],
    ids=range(12),
)
def test_huge_and_strange_values_in_a_card_are_refused(folder, values, match):
    refused(use, changed_card(folder, **values), match=match)


def test_a_card_of_hundreds_of_megabytes_is_not_read(folder):
    with (folder / CARD_NAME).open("wb") as file:
        file.truncate(3_000_000_000)
    refused(use, folder, match="at most 4,000,000")


@pytest.mark.parametrize("depth", [MAX_DEPTH, 900, 100_000])
def test_a_card_of_many_levels_is_refused(folder, depth):
    nested = '{"schema_version": 1, "training": ' + '{"a":' * depth + "1" + "}" * depth
    (folder / CARD_NAME).write_text(nested + "}")
    refused(use, folder, match=f"more than {MAX_DEPTH} levels")


def test_the_card_of_another_model_is_noticed(folder):
    refused(use, changed_card(folder, labels=["A", "B", "unknown"]), match="another")


def test_a_card_that_takes_something_else_is_noticed(folder):
    refused(use, changed_card(folder, takes="waveform"), match="another model")


def graph_of(*nodes: onnx.NodeProto, weights: tuple[TensorProto, ...] = ()) -> bytes:
    inputs = [
        helper.make_tensor_value_info("log_mel", 1, ["batch", "patches", 96, 64]),
        helper.make_tensor_value_info("features", 1, ["batch", 18]),
    ]
    logits = [helper.make_tensor_value_info("logits", 1, None)]
    graph = helper.make_graph(list(nodes), "g", inputs, logits, list(weights))
    opset = [helper.make_opsetid("", 18)]
    return helper.make_model(
        graph, opset_imports=opset, ir_version=9
    ).SerializeToString()


SAME = helper.make_node("Identity", ["w"], ["logits"])


def test_a_graph_that_claims_ten_gigabytes_is_refused(folder):
    huge = TensorProto(name="w", data_type=1, dims=[50_000, 50_000])
    refused(use, with_graph(folder, graph_of(SAME, weights=(huge,))), match="cannot")


@pytest.mark.parametrize("place", ["../../../../etc/passwd", "/etc/passwd"])
def test_a_graph_whose_weights_lie_elsewhere_is_refused(folder, place):
    weights = TensorProto(name="w", data_type=1, dims=[100], data_location=1)
    weights.external_data.add(key="location", value=place)
    content = graph_of(SAME, weights=(weights,))
    refused(use, with_graph(folder, content), match="ONNX Runtime cannot load it")


def test_a_graph_that_fails_on_the_way_is_the_files_fault(folder):
    shape = helper.make_tensor("s", 7, [2], [7, 7])
    node = helper.make_node("Reshape", ["features", "s"], ["logits"])
    content = graph_of(node, weights=(shape,))
    refused(use, with_graph(folder, content), match="card")


def test_a_tensor_of_ten_gigabytes_in_a_header_is_refused(tmp_path):
    path = tmp_path / WEIGHTS_NAME
    one = {"dtype": "F32", "shape": [50_000, 50_000], "data_offsets": [0, 10**10]}
    header = json.dumps({"a": one}).encode()
    for length in (len(header), 10**12, 2**63):
        path.write_bytes(struct.pack("<Q", length) + header)
        refused(read_state_dict, path, match="cannot be read as weights")


def bomb(path: Path, part: str) -> Path:
    """Pack 600 MB of zeros into one part of a good file."""
    saved = io.BytesIO()
    torch.save({"a": torch.zeros(4)}, saved)
    with zipfile.ZipFile(saved) as whole, zipfile.ZipFile(path, "w", 8) as packed:
        for info in whole.infolist():
            content = whole.read(info)
            if info.filename.endswith(part):
                content += bytes(600_000_000)
            packed.writestr(info.filename, content)
    return path


@pytest.mark.parametrize("part", ["data/0", "data.pkl"])
def test_a_bomb_in_a_pth_file_is_not_unpacked(tmp_path, part):
    path = bomb(tmp_path / "bomb.pth", part)
    assert path.stat().st_size < 2_000_000
    refused(read_state_dict, path, match="unpacks to 600,0")


def test_a_number_that_stands_for_a_huge_tensor_is_refused(tmp_path):
    path = tmp_path / "x.pth"
    torch.save({"a": torch.zeros(1).expand(10**7, 10**4)}, path)
    refused(read_state_dict, path, match="larger than what is stored")


@pytest.mark.parametrize("wide", [False, True])
def test_lists_that_hold_each_other_many_times_are_refused(tmp_path, wide):
    inner: list[object] = [1]
    for _ in range(3 if wide else 35):
        inner = [inner] * (10_000 if wide else 2)
    config = {**tiny.card().model_dump(mode="json"), "training": {"x": inner}}
    path = tmp_path / "x.pth"
    torch.save(
        {"model_state_dict": tiny.network().state_dict(), "config": config}, path
    )
    refused(load_model, path, match="metadata cannot be used")


@pytest.mark.parametrize(
    "url",
    [
        "file:///etc/passwd",
        "ftp://127.0.0.1/x",
        "data:text/plain,x",
        "x",
        "http:///x",
        "http://127.0.0.1/",
        "http://127.0.0.1/..",
        "http://127.0.0.1/a%2Fb",
        "http://127.0.0.1/.x",
        "http://127.0.0.1:99999999/x",
        "http://[/x",
    ],
)
def test_only_named_files_of_the_web_are_downloaded(tmp_path, url):
    folder = tmp_path / "kept"
    with pytest.raises(CheckpointError):
        fetch(url, sha256="0" * 64, folder=folder)
    with pytest.raises(CheckpointError):
        download(url, tmp_path / "x")
    assert not folder.exists() or not list(folder.iterdir())


def test_plain_values_are_small_shallow_and_finite(tmp_path):
    path = tmp_path / "x.json"
    path.write_text('{"a": [1, null, "b", {"c": true}]}')
    assert read_json(path) == {"a": [1, None, "b", {"c": True}]}
    with pytest.raises(ValueError, match="not finite"):
        check_plain(json.loads("[1e999]"))
    with pytest.raises(ValueError, match="set is no plain value"):
        check_plain({"a": {1, 2}})


@given(text=st.text())
def test_any_text_becomes_one_short_line(text):
    line = one_line(text)
    assert line.isprintable()
    assert len(line) <= 300


_GRAPH = graph_of(
    helper.make_node("Add", ["features", "w"], ["sum"]),
    helper.make_node("Identity", ["sum"], ["logits"]),
    weights=(helper.make_tensor("w", 1, [18], [0.5] * 18),),
)


@settings(max_examples=80, deadline=None)
@given(
    places=st.lists(
        st.tuples(st.integers(0, len(_GRAPH) - 1), st.integers(0, 255)),
        min_size=1,
        max_size=4,
    )
)
def test_changed_bytes_of_a_graph_give_answers_or_one_error(
    good, tmp_path_factory, places
):
    folder = tmp_path_factory.mktemp("fuzz") / "model"
    folder.mkdir()
    shutil.copy(good / CARD_NAME, folder)
    content = bytearray(_GRAPH)
    for place, value in places:
        content[place] = value
    labels = [f"class {k}" for k in range(17)]
    changed_card(with_graph(folder, bytes(content)), labels=[*labels, "unknown"])
    reason = ""
    try:
        use(folder)
    except CheckpointError as error:
        reason = str(error)
    assert "\n" not in reason
