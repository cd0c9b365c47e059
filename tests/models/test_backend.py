"""Both engines answer alike, whatever the batch."""

from __future__ import annotations

import machine
import numpy as np
import pytest
import tiny

from seacall.audio.features import FEATURE_FACTORS
from seacall.errors import CheckpointError
from seacall.learn.export import export_onnx
from seacall.models import backend
from seacall.models.backend import (
    OnnxClassifier,
    TorchClassifier,
    load_classifier,
    scores_from_logits,
)
from seacall.models.checkpoint import ONNX_NAME, read_card
from seacall.models.network import save_model


@pytest.fixture(scope="module")
def folder(tiny_model):
    return tiny_model


@pytest.fixture(scope="module", params=[OnnxClassifier, TorchClassifier])
def classifier(request, folder):
    return request.param(folder)


def inputs(n_clips: int, n_patches: int, seed: int = 0):
    rng = np.random.default_rng([seed, n_clips, n_patches])
    log_mel = rng.normal(-5, 3, (n_clips, n_patches, 96, 64)).astype(np.float32)
    features = rng.normal(0, 1, (n_clips, 18)) * FEATURE_FACTORS
    return log_mel, features.astype(np.float32)


@pytest.mark.parametrize("n_clips", [1, 2, 7, 16])
@pytest.mark.parametrize("n_patches", [1, 3, 5, 12])
def test_onnx_and_torch_agree(folder, n_clips, n_patches):
    x = inputs(n_clips, n_patches)
    onnx, torch = OnnxClassifier(folder).logits(*x), TorchClassifier(folder).logits(*x)
    assert onnx.dtype == torch.dtype == np.float32
    np.testing.assert_allclose(onnx, torch, atol=1e-4, rtol=0)


def test_the_batch_size_does_not_change_the_logits(classifier):
    log_mel, features = inputs(16, 5)
    whole = classifier.logits(log_mel, features)
    for size in (1, 3, 15):
        parts = [
            classifier.logits(log_mel[k : k + size], features[k : k + size])
            for k in range(0, 16, size)
        ]
        np.testing.assert_allclose(np.concatenate(parts), whole, atol=1e-5, rtol=0)


def test_onnx_gives_the_very_same_logits_in_any_batch_and_none_of_none(folder):
    classifier = OnnxClassifier(folder)
    log_mel, features = inputs(7, 5)
    alone = classifier.logits(log_mel[3:4], features[3:4])
    np.testing.assert_array_equal(classifier.logits(log_mel, features)[3:4], alone)
    assert classifier.logits(log_mel[:0], features[:0]).shape == (0, alone.shape[1])


def test_what_else_is_in_the_batch_does_not_change_a_clips_logits(classifier):
    log_mel, features = inputs(4, 2)
    others, more = inputs(4, 2, seed=1)
    first = classifier.logits(log_mel, features)[0]
    others[0], more[0] = log_mel[0], features[0]
    np.testing.assert_allclose(classifier.logits(others, more)[0], first, atol=1e-5)


@pytest.mark.parametrize("level", [-13.8, 0.0, 5.0])
def test_silence_and_overload_give_finite_logits(classifier, level):
    log_mel = np.full((1, 5, 96, 64), level, np.float32)
    assert np.isfinite(classifier.logits(log_mel, np.zeros((1, 18), np.float32))).all()


def test_the_lightest_engine_is_taken(folder, tmp_path):
    assert isinstance(load_classifier(folder), OnnxClassifier)
    save_model(tiny.network(), tmp_path / "torch", tiny.card())
    assert isinstance(load_classifier(tmp_path / "torch"), TorchClassifier)


def test_a_folder_whose_card_lists_no_weights_is_refused(folder, tmp_path):
    (tmp_path / "card.json").write_text(tiny.card().model_dump_json(), encoding="utf-8")
    with pytest.raises(CheckpointError, match="lists no weights"):
        load_classifier(tmp_path)


def test_a_graph_that_is_none_is_one_line(tmp_path):
    save_model(tiny.network(), tmp_path, tiny.card())
    (tmp_path / ONNX_NAME).write_bytes(b"no graph")
    from seacall.models.checkpoint import write_card

    write_card(tmp_path, read_card(tmp_path))
    with pytest.raises(CheckpointError, match="ONNX Runtime cannot load it") as caught:
        load_classifier(tmp_path)
    assert str(tmp_path / ONNX_NAME) in str(caught.value)


def test_the_exported_file_names_nothing_of_the_machine(folder):
    content = (folder / ONNX_NAME).read_bytes()
    for trace in (*machine.traces(), b"student.py", b"/src/"):
        assert trace not in content


def test_exporting_twice_gives_the_same_bytes(folder, tmp_path):
    save_model(tiny.network(), tmp_path, tiny.card())
    export_onnx(tmp_path)
    assert (tmp_path / ONNX_NAME).read_bytes() == (folder / ONNX_NAME).read_bytes()


def test_an_export_that_answers_differently_is_refused(tmp_path, monkeypatch):
    from seacall.learn import export

    save_model(tiny.network(), tmp_path, tiny.card())
    monkeypatch.setattr(export, "_write", lambda _, path: path.touch())
    monkeypatch.setattr(export, "_difference", lambda *_: 0.01)
    with pytest.raises(CheckpointError, match=r"differ from torch's by 1\.0e-02"):
        export_onnx(tmp_path)
    assert not (tmp_path / ONNX_NAME).exists()


def test_scores_are_a_softmax_that_sums_to_1():
    logits = np.array([[0.0, np.log(3)], [1e4, -1e4]], np.float32)
    scores = scores_from_logits(logits.copy(), tiny.card())
    np.testing.assert_allclose(scores, [[0.25, 0.75], [1, 0]], atol=1e-6)


def test_a_calibration_temperature_divides_the_logits_and_keeps_their_order():
    logits = np.array([[3.0, 1.0, 0.0, -2.0]], np.float32)
    card = tiny.card(calibration_temperature=2.0)
    np.testing.assert_allclose(
        scores_from_logits(logits, card), scores_from_logits(logits / 2, tiny.card())
    )


def test_scores_leave_the_logits_as_they_were():
    logits = np.array([[3.0, 1.0, 0.0, -2.0]], np.float32)
    before = logits.copy()
    scores_from_logits(logits, tiny.card())
    np.testing.assert_array_equal(logits, before)


def test_torch_is_asked_for_only_by_a_folder_without_a_graph(folder, monkeypatch):
    def no_torch(package: str, extra: str) -> None:
        raise AssertionError(f"{package} was asked for")

    monkeypatch.setattr(backend, "require", no_torch)
    load_classifier(folder)
