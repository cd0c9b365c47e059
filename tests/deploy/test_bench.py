"""What a model costs: every stage is timed, and the parts are the whole."""

from __future__ import annotations

import json

import programs
import pytest
import tiny

from seacall.deploy.bench import WHOLE, bench
from seacall.errors import CheckpointError
from seacall.models.checkpoint import ONNX_NAME


@pytest.fixture(scope="module")
def model(tmp_path_factory):
    return tiny.write_model(tmp_path_factory.mktemp("bench") / "model")


@pytest.fixture(scope="module")
def found(model):
    return bench(model, rounds=9, sample_rate=16_000)


def test_every_stage_takes_time_and_the_chain_takes_the_most(found):
    assert list(found.stages_ms) == [
        "read",
        "filter and resample",
        "features",
        "log-mel",
        "network",
        "calibration",
        WHOLE,
    ]
    assert all(ms > 0 for ms in found.stages_ms.values())
    assert max(found.stages_ms, key=found.stages_ms.__getitem__) == WHOLE


def test_size_speed_and_memory_are_those_of_the_model(model, found):
    assert found.file_bytes[ONNX_NAME] == (model / ONNX_NAME).stat().st_size
    assert found.n_parameters < 60_000
    assert found.times_real_time == pytest.approx(1e3 / found.stages_ms[WHOLE])
    assert 30 < found.memory_mb < 1_000  # numpy alone takes 15 MB


def test_it_is_said_in_words_and_as_json(model):
    done = programs.run("-m", "seacall", "bench", model, "--rounds", "2")
    assert done.code == 0, done.err
    assert "times real time" in done.out
    done = programs.run("-m", "seacall", "bench", model, "--rounds", "1", "--json")
    assert json.loads(done.out)["duration_s"] == 1.0


def test_a_folder_that_is_no_model_is_named(tmp_path):
    with pytest.raises(CheckpointError, match="is no model folder"):
        bench(tmp_path)


def test_whoever_runs_a_model_without_a_filter_does_not_load_scipys():
    program = (
        "import sys; import seacall.detect.classify, seacall.models.backend;"
        "print('scipy.signal' in sys.modules)"
    )
    done = programs.run("-c", program)
    assert done.out.strip() == "False", done.err
