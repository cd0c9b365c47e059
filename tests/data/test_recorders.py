"""Instruments of any age are all there, and few deployments have many rates."""

from __future__ import annotations

import numpy as np
import pytest

from seacall.data.recorders import ANY_RATES, SAMPLE_RATES, Setup, choose_setup


def setups(seed: int, n: int, recorders: str = "any") -> list[tuple[int, Setup]]:
    return [
        choose_setup(
            np.random.default_rng([seed, index]),
            index,
            seed=seed,
            recorders=recorders,  # type: ignore[arg-type]
        )
        for index in range(n)
    ]


@pytest.mark.parametrize("seed", range(5))
def test_as_many_deployments_as_rates_have_each_rate_once(seed: int) -> None:
    rates = [rate for rate, _ in setups(seed, len(ANY_RATES))]
    assert sorted(rates) == sorted(ANY_RATES)


@pytest.mark.parametrize("seed", range(15))
def test_four_deployments_have_low_and_high_rates(seed: int) -> None:
    rates = [rate for rate, _ in setups(seed, 4)]
    assert min(rates) < 30_000 < max(rates)


def test_modern_recorders_take_turns_and_add_nothing() -> None:
    found = setups(0, 5, "modern")
    assert tuple(rate for rate, _ in found) == SAMPLE_RATES
    for _, setup in found:
        assert setup.chain.hiss_db is None
        assert setup.chain.flutter == setup.chain.reverberation_s == 0.0


def test_any_instrument_may_be_a_tape_a_pool_a_towed_array_or_a_mooring() -> None:
    chains = [setup.chain for _, setup in setups(1, 200)]
    tape = np.mean([chain.flutter > 0 for chain in chains])
    pool = np.mean([chain.reverberation_s > 0 for chain in chains])
    moving = np.mean([chain.flow_db is not None for chain in chains])
    assert tape == pytest.approx(0.35, abs=0.1)
    assert pool == pytest.approx(0.1, abs=0.07)
    assert moving == pytest.approx(0.35, abs=0.1)


def test_responses_lie_within_the_files_band() -> None:
    for rate, setup in setups(2, 100):
        recorder = setup.recorder
        assert 0.0 < recorder.high_pass_hz <= 1_500.0
        assert recorder.high_pass_hz < 0.5 * rate
        assert 0.1 * rate < recorder.low_pass_hz < 0.5 * rate
        assert setup.range_m > 0.0
        assert setup.water_depth_m > 1.0
