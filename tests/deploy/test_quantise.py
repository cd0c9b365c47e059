"""Smaller numbers: the same answers, from files in which they really are smaller."""

from __future__ import annotations

import numpy as np
import onnx
import onnxruntime
import pytest
import tiny

from seacall.audio.frontend import clip_inputs
from seacall.deploy.graphs import network_graph
from seacall.deploy.quantise import calibration_inputs, in_fp16, in_int8
from seacall.models.checkpoint import read_card


@pytest.fixture(scope="module")
def model(tmp_path_factory):
    return tiny.write_model(tmp_path_factory.mktemp("quantise") / "model")


@pytest.fixture(scope="module")
def clips(model):
    return list(calibration_inputs(read_card(model).front_end))


def fresh(model):
    return network_graph(model, read_card(model))


def run(network, inputs) -> np.ndarray:
    session = onnxruntime.InferenceSession(
        network.SerializeToString(), providers=["CPUExecutionProvider"]
    )
    return np.concatenate([session.run(["logits"], one)[0] for one in inputs])


def weights(network, data_type: int) -> int:
    return sum(
        int(np.prod(tensor.dims))
        for tensor in network.graph.initializer
        if tensor.data_type == data_type
    )


def test_int8_answers_almost_as_float_does(model, clips):
    quantised = in_int8(fresh(model), iter(clips[::2]))
    others = clips[1::2]
    expected, found = run(fresh(model), others), run(quantised, others)
    spread = expected.max() - expected.min()
    assert 0 < np.abs(found - expected).max() < 0.3 * spread
    assert np.abs(found - expected).mean() < 0.02 * spread
    assert np.mean(found.argmax(1) == expected.argmax(1)) >= 0.9


def test_nearly_all_weights_are_int8(model, clips):
    quantised = in_int8(fresh(model), iter(clips[:4]))
    assert weights(quantised, onnx.TensorProto.INT8) > 45_000
    assert weights(quantised, onnx.TensorProto.FLOAT) < 4_000
    assert len(quantised.SerializeToString()) < 120_000


def test_the_same_clips_give_the_same_bytes(model, clips):
    first, second = (in_int8(fresh(model), iter(clips[:4])) for _ in range(2))
    assert first.SerializeToString() == second.SerializeToString()


def test_float16_weights_are_the_nearest_to_the_float_ones(model, clips):
    plain, small = fresh(model), in_fp16(fresh(model))
    onnx.checker.check_model(small, full_check=True)
    kept = {t.name.removesuffix("/fp16"): t for t in small.graph.initializer}
    for tensor in plain.graph.initializer:
        values = onnx.numpy_helper.to_array(tensor)
        if values.dtype == np.float32:
            found = onnx.numpy_helper.to_array(kept[tensor.name]).astype(np.float32)
            np.testing.assert_allclose(found, values, rtol=2**-11, atol=6e-8)
    assert len(small.SerializeToString()) < 0.65 * len(plain.SerializeToString())
    np.testing.assert_allclose(run(small, clips), run(plain, clips), atol=0.02)


def test_calibration_clips_are_the_same_each_time_and_none_is_strange(model, clips):
    front_end = read_card(model).front_end
    again = next(iter(calibration_inputs(front_end)))
    np.testing.assert_array_equal(again["log_mel"], clips[0]["log_mel"])
    assert len(clips) > 30
    for one in clips:
        assert np.isfinite(one["log_mel"]).all()
        assert np.isfinite(one["features"]).all()


def test_recordings_are_calibrated_on_too(model, clips, tmp_path):
    from sounds import noise, write_wav

    y = noise(sample_rate=16_000, duration_s=1.0)
    for k in range(3):
        write_wav(tmp_path / f"{k}.wav", y * (k + 1) / 4, 16_000)
    front_end = read_card(model).front_end
    found = list(calibration_inputs(front_end, tmp_path))
    assert len(found) == len(clips) + 2  # every other one
    assert found[-1]["log_mel"].shape == (1, *clip_inputs(y, front_end).log_mel.shape)
