"""LiteRT files: what is in them, what they answer, and what is refused."""

from __future__ import annotations

import importlib.util
import io
import json
import zipfile
from pathlib import Path

import graph_numpy
import numpy as np
import pytest

from seacall.deploy.exported import ExportSettings
from seacall.deploy.graphs import network_graph
from seacall.deploy.kinds import export
from seacall.deploy.litert import _patch_shapes, saved_model
from seacall.deploy.litert_bytes import _rounded, _scales
from seacall.deploy.proof import Tolerance
from seacall.deploy.quantise import calibration_inputs
from seacall.deploy.verify import verify
from seacall.errors import CheckpointError, MissingExtraError, SettingsError
from seacall.models.backend import load_classifier
from seacall.models.checkpoint import read_card
from seacall.models.file_card import FileDescription, metadata_of, read_metadata
from seacall.models.litert_file import (
    CARD_NAME,
    LABELS_NAME,
    read_litert,
    write_litert,
)

needs_litert = pytest.mark.skipif(
    importlib.util.find_spec("tensorflow") is None
    or importlib.util.find_spec("ai_edge_litert") is None,
    reason="needs the extra litert-export",
)
MODEL = b"\x1c\0\0\0TFL3 is how the bytes of a model begin" * 40


@pytest.fixture(scope="module")
def clips(model):
    return list(calibration_inputs(read_card(model).front_end))[:12]


@pytest.fixture(scope="module")
def float_file(model, tmp_path_factory):
    out = tmp_path_factory.mktemp("litert") / "model.tflite"
    return export(model, out, to="litert", settings=ExportSettings()).path


@pytest.fixture(scope="module")
def int8_file(model, tmp_path_factory):
    out = tmp_path_factory.mktemp("litert") / "int8.tflite"
    return export(model, out, to="litert-int8", settings=ExportSettings()).path


@pytest.fixture
def file(model, tmp_path) -> Path:
    """A file whose model is none; all else is as it should be."""
    return written(tmp_path / "a.tflite", model)


def written(path: Path, model: Path) -> Path:
    card = read_card(model)
    about = FileDescription(takes="patches", rate=16_000, length=16_000)
    metadata = metadata_of(card, about)
    write_litert(path, MODEL, metadata=metadata, labels=card.labels)
    return path


def logits(classifier, clips) -> np.ndarray:
    one = [classifier.logits(c["log_mel"], c["features"]) for c in clips]
    return np.concatenate(one)


def test_the_network_in_tensorflow_gives_the_models_logits(model, clips):
    card = read_card(model)
    graph = saved_model(network_graph(model, card), _patch_shapes(card))
    found = np.concatenate([graph_numpy.run(graph, one) for one in clips])
    expected = logits(load_classifier(model), clips)
    np.testing.assert_allclose(found, expected, atol=2e-5)


def test_what_a_file_says_of_itself_is_read_back_and_any_unzip_shows_it(file, model):
    found, metadata = read_litert(file)
    card, about = read_metadata(metadata, path=file)
    assert found == MODEL
    assert file.read_bytes().startswith(MODEL)  # what reads the model sees no zip
    assert card.labels == read_card(model).labels
    assert card.lowest_scores == read_card(model).lowest_scores
    assert about.takes == "patches"
    with zipfile.ZipFile(file) as behind:
        assert behind.read(LABELS_NAME).decode().splitlines() == list(card.labels)
        assert json.loads(behind.read(CARD_NAME))["thresholds"]


def test_the_same_model_gives_the_same_bytes(file, model, tmp_path):
    assert file.read_bytes() == written(tmp_path / "b.tflite", model).read_bytes()


@pytest.mark.parametrize("place", [3, 100, len(MODEL) - 1])
def test_a_model_that_was_changed_is_refused(file, place):
    content = bytearray(file.read_bytes())
    content[place] ^= 1
    file.write_bytes(content)
    with pytest.raises(CheckpointError, match="was changed"):
        read_litert(file)


def with_card(content: bytes) -> bytes:
    out = io.BytesIO()
    with zipfile.ZipFile(out, "w", zipfile.ZIP_DEFLATED) as behind:
        behind.writestr(CARD_NAME, content)
    return MODEL + out.getvalue()


@pytest.mark.parametrize(
    "content",
    [
        b"",
        MODEL,
        with_card(b"{}"),
        with_card(b"[1]"),
        with_card(b'{"model_bytes": 4}'),
        with_card(b'{"model_bytes": "-4", "model_sha256": ""}'),
        with_card(b"[" * 100_000),
        with_card(b" " * 30_000_000),
        with_card(b"\xff\xfe"),
    ],
    ids=["empty", "no-zip", "no-keys", "list", "number", "sign", "deep", "bomb", "bin"],
)
def test_what_is_no_file_of_ours_is_refused_in_one_line(tmp_path, content):
    path = tmp_path / "a.tflite"
    path.write_bytes(content)
    with pytest.raises(CheckpointError, match="is no LiteRT file") as caught:
        load_classifier(path)
    assert "\n" not in str(caught.value)
    assert len(str(caught.value)) < 600


def test_a_file_cut_short_anywhere_is_refused(file):
    content = file.read_bytes()
    for end in range(0, len(content), 97):
        file.write_bytes(content[:end])
        with pytest.raises(CheckpointError, match="is no LiteRT file"):
            read_litert(file)


def test_without_litert_the_extra_is_named(file, monkeypatch):
    monkeypatch.setattr(importlib.util, "find_spec", lambda name: None)
    with pytest.raises(MissingExtraError, match=r"seacall\[litert\]"):
        load_classifier(file)


def test_without_tensorflow_the_extra_is_named(model, tmp_path, monkeypatch):
    monkeypatch.setattr(importlib.util, "find_spec", lambda name: None)
    out = tmp_path / "a.tflite"
    with pytest.raises(MissingExtraError, match=r"seacall\[litert-export\]"):
        export(model, out, to="litert", settings=ExportSettings())
    assert not out.exists()


@pytest.mark.parametrize(
    ("name", "rate", "said"),
    [("a.onnx", None, "end in .tflite"), ("a.tflite", 24_000, "leave it out")],
)
def test_what_litert_files_cannot_be_is_refused(model, tmp_path, name, rate, said):
    with pytest.raises(SettingsError, match=said):
        export(model, tmp_path / name, to="litert", settings=ExportSettings(rate=rate))


def test_int8_weights_are_the_nearest_steps_and_zero_stays_zero():
    weights = np.random.default_rng(0).normal(size=(5, 3, 3, 2)).astype(np.float32)
    weights[2] = 0
    weights[:, 0, 0, 0] = 0
    for by_channel, n_scales in ((True, 5), (False, 1)):
        scale = _scales(weights, by_channel=by_channel)
        assert scale.shape == (n_scales,)
        steps = scale.reshape(-1, 1, 1, 1)
        found = _rounded(weights, scale)
        assert np.abs(found).max() == 127
        assert (found[:, 0, 0, 0] == 0).all()
        assert (np.abs(found * steps - weights) <= 0.5001 * steps).all()


@needs_litert
def test_a_float_file_gives_the_models_logits(model, float_file, clips):
    expected = logits(load_classifier(model), clips)
    np.testing.assert_allclose(
        logits(load_classifier(float_file), clips), expected, atol=1e-5
    )


@needs_litert
def test_an_int8_file_is_small_and_answers_almost_alike(model, int8_file, clips):
    content, metadata = read_litert(int8_file)
    assert json.loads(metadata["seacall.file"])["precision"] == "int8"
    assert len(content) < 70_000  # 50,000 weights
    expected = logits(load_classifier(model), clips)
    found = logits(load_classifier(int8_file), clips)
    spread = expected.max() - expected.min()
    assert 0 < np.abs(found - expected).max() < 0.1 * spread
    assert (found.argmax(1) == expected.argmax(1)).mean() >= 0.9


@needs_litert
def test_its_weights_are_int8_but_for_the_layer_that_sees_raw_features(int8_file):
    from ai_edge_litert.interpreter import Interpreter

    model, _ = read_litert(int8_file)
    details = Interpreter(model_content=model).get_tensor_details()
    by_type = {np.int8: 0, np.float32: 0}
    for one in details:
        if one["dtype"] in by_type and len(one["shape"]) in (2, 4):
            n = int(np.prod(one["shape"]))
            by_type[one["dtype"]] += n if one["dtype"] is np.int8 else 0
            if tuple(one["shape"]) == (32, 18):
                assert one["dtype"] is np.float32
    assert by_type[np.int8] > 45_000


@needs_litert
def test_the_same_export_gives_the_same_bytes(model, int8_file, tmp_path):
    out = tmp_path / "again.tflite"
    export(model, out, to="litert-int8", settings=ExportSettings())
    assert out.read_bytes() == int8_file.read_bytes()


@needs_litert
def test_a_waveform_file_holds_the_front_end(model, tmp_path):
    out = tmp_path / "wave.tflite"
    result = export(model, out, to="litert-waveform", settings=ExportSettings())
    assert result.report["proved"]
    assert result.report["differences"].keys() >= {"features", "log_mel", "scores"}


@needs_litert
def test_verify_tells_int8_from_float(model, float_file, int8_file):
    assert verify(model, float_file).beyond == []
    proof = verify(float_file, int8_file, tolerance=Tolerance())
    assert any("logits differ" in sentence for sentence in proof.beyond)
