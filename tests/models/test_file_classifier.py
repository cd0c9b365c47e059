"""Single ONNX files: those that were exported, and those from elsewhere."""

from __future__ import annotations

import json
from pathlib import Path

import numpy as np
import onnx
import pytest
import tomli_w
from onnx import TensorProto, helper
from sounds import noise, tone, write_wav

import seacall
from seacall.errors import CheckpointError
from seacall.models.backend import load_classifier, scores_from_logits
from seacall.models.file_classifier import card_of

RATE, CLIP_S = 8_000, 0.5
LENGTH = 4_000
ABOUT = {
    "labels": ["Low", "High"],
    "sample_rate": RATE,
    "clip_s": CLIP_S,
    "activation": "sigmoid",
    "threshold": 0.5,
}


def write_foreign(
    folder: Path, *, shape=("n", LENGTH), about=ABOUT, kind="toml"
) -> Path:
    """A toy model: a clip is High if neighbouring samples differ, else Low.

    logit = (20 d - 1) * (-10, 10) with d the mean absolute difference of neighbours.
    """
    folder.mkdir(parents=True, exist_ok=True)
    axis = len(shape) - 1

    def constant(name: str, values: object, dtype: int = TensorProto.FLOAT):
        array = np.array(values)
        return helper.make_tensor(name, dtype, array.shape, array.ravel().tolist())

    graph = helper.make_graph(
        [
            helper.make_node("Reshape", ["audio", "flat"], ["y"]),
            helper.make_node("Slice", ["y", "one", "end", "axis"], ["later"]),
            helper.make_node("Slice", ["y", "zero", "last", "axis"], ["earlier"]),
            helper.make_node("Sub", ["later", "earlier"], ["steps"]),
            helper.make_node("Abs", ["steps"], ["sizes"]),
            helper.make_node("ReduceMean", ["sizes", "axis"], ["mean"], keepdims=1),
            helper.make_node("Mul", ["mean", "gain"], ["scaled"]),
            helper.make_node("Sub", ["scaled", "half"], ["high"]),
            helper.make_node("Mul", ["high", "signs"], ["classes"]),
        ],
        "toy",
        [helper.make_tensor_value_info("audio", TensorProto.FLOAT, shape)],
        [helper.make_tensor_value_info("classes", TensorProto.FLOAT, [None, 2])],
        [
            constant("flat", [-1, LENGTH], TensorProto.INT64),
            constant("one", [1], TensorProto.INT64),
            constant("zero", [0], TensorProto.INT64),
            constant("end", [LENGTH], TensorProto.INT64),
            constant("last", [LENGTH - 1], TensorProto.INT64),
            constant("axis", [1], TensorProto.INT64),
            constant("gain", [20.0]),
            constant("half", [1.0]),
            constant("signs", [[-10.0, 10.0]]),
        ],
    )
    assert axis >= 0
    model = helper.make_model(graph, opset_imports=[helper.make_opsetid("", 18)])
    model.ir_version = 10
    onnx.save(model, folder / "toy.onnx")
    text = tomli_w.dumps(about) if kind == "toml" else json.dumps(about)
    (folder / f"toy.{kind}").write_text(text, encoding="utf-8")
    return folder / "toy.onnx"


def recording(folder: Path) -> Path:
    """1 s at 1.5 kHz, then 1 s at 100 Hz, at another rate than the model's."""
    high = tone(1_500, sample_rate=16_000, duration_s=1.0)
    low = tone(100, sample_rate=16_000, duration_s=1.0)
    y = np.concatenate([high, low]) + 1e-3 * noise(sample_rate=16_000, duration_s=2.0)
    return write_wav(folder / "a.wav", y, 16_000)


@pytest.mark.parametrize("kind", ["toml", "json"])
@pytest.mark.parametrize(
    "shape", [("n", LENGTH), (1, 1, LENGTH), (LENGTH,), ("n", "t")]
)
def test_a_model_from_elsewhere_answers_through_the_same_protocol(
    tmp_path, shape, kind
):
    path = write_foreign(tmp_path, shape=shape, kind=kind)
    clips = seacall.classify(recording(tmp_path), path)
    assert [c["answer"] for c in clips] == ["High", "High", "Low", "Low"]
    for clip in clips:
        assert sum(clip["scores"].values()) == pytest.approx(1, abs=1e-5)
        assert list(clip["scores"]) == ["Low", "High", "unknown"]


def test_scores_are_those_that_the_activation_gives(tmp_path):
    path = write_foreign(tmp_path)
    classifier = load_classifier(path)
    y = 0.1 * noise(sample_rate=RATE, duration_s=CLIP_S).astype(np.float32)
    size = float(np.abs(np.diff(y)).mean())
    wanted = 1 / (1 + np.exp(-10 * (20 * size - 1)))
    logits = classifier.logits(y[None], np.zeros((1, 18), np.float32))
    scores = scores_from_logits(logits, classifier.card)[0]
    np.testing.assert_allclose(scores[:2], [1 - wanted, wanted], atol=1e-5)


def test_what_no_class_claims_is_unknown(tmp_path):
    from seacall.models.foreign import ForeignCard

    card = ForeignCard.model_validate(ABOUT | {"activation": "none"})
    scores = np.exp(card.logits(np.array([[0.2, 0.1], [0.9, 0.9], [0.0, 0.0]])))
    np.testing.assert_allclose(
        scores, [[0.2, 0.1, 0.7], [0.5, 0.5, 0.0], [0.0, 0.0, 1.0]], atol=1e-6
    )


def test_silence_is_unknown_whatever_the_model_says(tmp_path):
    path = write_foreign(tmp_path)
    quiet = write_wav(tmp_path / "q.wav", np.zeros(RATE), RATE)
    assert {c["reason"] for c in seacall.classify(quiet, path)} == {"silence"}


@pytest.mark.parametrize(
    ("change", "said"),
    [
        ({"clip_s": 1.0}, "takes 4000 samples"),
        ({"labels": ["A", "B", "C"]}, "gives 2 numbers and its card names 3"),
        ({"input": "sound"}, "has inputs audio"),
        ({"output": "scores"}, "has outputs classes"),
        ({"activation": "tanh"}, "activation"),
        ({"sample_rate": 0}, "sample_rate"),
        ({"labels": ["A", "A"]}, "must differ"),
        ({"weights": 1}, "there is no such setting"),
    ],
)
def test_a_card_that_does_not_fit_is_refused_in_one_line(tmp_path, change, said):
    path = write_foreign(tmp_path, about=ABOUT | change)
    sound = write_wav(tmp_path / "a.wav", noise(sample_rate=RATE), RATE)
    with pytest.raises(seacall.SeacallError, match=said):
        seacall.classify(sound, path)


def test_a_file_without_a_card_says_what_to_do(tmp_path):
    path = write_foreign(tmp_path)
    (tmp_path / "toy.toml").unlink()
    with pytest.raises(CheckpointError, match="put a card beside it"):
        load_classifier(path)
    (tmp_path / "toy.json").write_text("[1]")
    with pytest.raises(CheckpointError, match="no JSON object"):
        load_classifier(path)


def test_a_file_that_is_no_graph_is_refused(tmp_path):
    (tmp_path / "a.onnx").write_bytes(b"nothing")
    with pytest.raises(CheckpointError, match="ONNX Runtime cannot load it"):
        card_of(tmp_path / "a.onnx")


def test_the_same_file_has_the_same_name_and_another_another(tmp_path):
    first = card_of(write_foreign(tmp_path / "a"))
    again = card_of(write_foreign(tmp_path / "b"))
    other = card_of(write_foreign(tmp_path / "c", shape=(LENGTH,)))
    assert first.weights == again.weights != other.weights
