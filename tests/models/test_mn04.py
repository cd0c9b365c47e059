"""The EfficientAT teacher hears what was asked for, at both speeds."""

from __future__ import annotations

import numpy as np
import pytest
import torch
from sounds import noise, tone

from seacall.models.efficientat import EfficientAT, load_efficientat
from seacall.models.mn04 import (
    N_EMBEDDING,
    PART_LENGTHS,
    EfficientATTeacher,
    efficientat_teacher,
    mn04_log_mel,
)

RATE = 48_000


@pytest.fixture(scope="module")
def teacher() -> EfficientATTeacher:
    torch.manual_seed(0)
    network = EfficientAT()
    # Of random weights batch norm would leave hardly anything.
    with torch.no_grad():
        for name, value in network.state_dict().items():
            if name.endswith("running_var"):
                value.uniform_(0.1, 0.5)
    return efficientat_teacher(network, 3, sample_rate=RATE)


def loudest_band(y: np.ndarray, speed: float) -> int:
    return int(mn04_log_mel(y, sample_rate=RATE, speed=speed).max(axis=1).argmax())


def call(hz: float) -> np.ndarray:
    """A tone of a quarter of the clip, so that it is no background."""
    y = noise(sample_rate=RATE, duration_s=2.0, sigma=1e-3, seed=1)
    y[: RATE // 2] += tone(hz, sample_rate=RATE, duration_s=0.5, amplitude=0.1)
    return y.astype(np.float32)


def test_at_half_speed_a_tone_is_heard_an_octave_lower():
    assert loudest_band(call(8_000.0), 0.5) == loudest_band(call(4_000.0), 1.0)
    assert loudest_band(call(8_000.0), 1.0) > loudest_band(call(4_000.0), 1.0)


def test_a_tone_above_the_networks_hearing_is_heard_at_half_speed():
    y = call(20_000.0)
    full = mn04_log_mel(y, sample_rate=RATE)
    half = mn04_log_mel(y, sample_rate=RATE, speed=0.5)
    assert half.shape[1] == 2 * full.shape[1]
    assert half.max() > full.max() + 0.5


def test_the_level_and_the_recorders_response_are_taken_out():
    y = call(3_000.0)
    quiet = mn04_log_mel(0.01 * y, sample_rate=RATE)
    np.testing.assert_allclose(quiet, mn04_log_mel(y, sample_rate=RATE), atol=1e-3)
    background = np.quantile(quiet, 0.3, axis=1)
    np.testing.assert_allclose(background, -0.8, atol=1e-6)


def test_silence_gives_numbers():
    log_mel = mn04_log_mel(np.zeros(RATE, np.float32), sample_rate=RATE)
    np.testing.assert_allclose(log_mel, -0.8, atol=1e-6)


def test_the_embedding_is_the_networks_own_and_a_block_before_at_each_speed(teacher):
    y = call(5_000.0)
    found = teacher.embed(torch.from_numpy(y)[None])[0]
    assert found.shape == (N_EMBEDDING,) == (sum(PART_LENGTHS),) == (1_792,)
    parts = found.split(PART_LENGTHS)
    for k, speed in enumerate((1.0, 0.5)):
        log_mel = mn04_log_mel(y, sample_rate=RATE, speed=speed)
        with torch.no_grad():
            maps = teacher.network.features(torch.from_numpy(log_mel)[None, None])
            block = teacher.network.features[:15](torch.from_numpy(log_mel)[None, None])
        torch.testing.assert_close(parts[2 * k], maps.mean(dim=(2, 3))[0])
        torch.testing.assert_close(
            parts[2 * k + 1],
            torch.cat([block.mean(3).flatten(), block.amax(3).flatten()]),
        )


def test_logits_do_not_depend_on_what_else_is_in_the_batch(teacher):
    clips = torch.from_numpy(np.stack([call(hz) for hz in (1e3, 6e3, 15e3)]))
    with torch.no_grad():
        together = teacher(clips, torch.zeros(3, 18))
        alone = torch.cat([teacher(one[None]) for one in clips])
    torch.testing.assert_close(together, alone, atol=1e-4, rtol=1e-4)


def test_training_mode_leaves_what_is_heard_as_it_is(teacher):
    clips = torch.from_numpy(call(2_000.0)[None])
    before = teacher.embed(clips)
    torch.testing.assert_close(teacher.train().embed(clips), before)
    teacher.eval()


def test_the_rate_of_the_waveforms_travels_with_the_weights(teacher):
    assert int(teacher.state_dict()["sample_rate"]) == RATE


@pytest.mark.real
def test_the_published_weights_load(real_data):
    network = load_efficientat(real_data / "weights" / "mn04_as.safetensors")
    teacher = efficientat_teacher(network, 4, sample_rate=RATE)
    found = teacher.embed(torch.from_numpy(call(5_000.0)[None]))
    assert 0.01 < float(found.std()) < 10
