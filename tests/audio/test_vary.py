"""What is chosen at random: within its range, as often as it should, repeatably."""

from __future__ import annotations

import numpy as np
import pytest
import sounds

from seacall.audio.vary import (
    SEA_RATE,
    Change,
    apply_change,
    choose_change,
    simulated_background,
)
from seacall.augmentation import AugmentSettings
from seacall.config import checked
from seacall.errors import SettingsError


def noise(seed: int = 0) -> np.ndarray:
    y = sounds.noise(sample_rate=16_000, duration_s=0.5, seed=seed)
    return y.astype(np.float32)


KINDS = (
    "speed",
    "shift",
    "echo",
    "background",
    "equaliser",
    "band_limit",
    "resample",
    "gain",
)


def with_probability(probability: float, *kinds: str) -> AugmentSettings:
    """All other kinds are off."""
    return AugmentSettings.model_validate(
        {k: {"probability": probability if k in kinds else 0.0} for k in KINDS}
    )


def changes(settings: AugmentSettings, n: int = 300) -> list[Change]:
    rng = np.random.default_rng(0)
    return [choose_change(rng, settings) for _ in range(n)]


def test_with_all_probabilities_zero_nothing_is_changed():
    y = noise()
    assert set(changes(with_probability(0.0))) == {Change()}
    assert np.array_equal(apply_change(y, Change(), sample_rate=16_000), y)


@pytest.mark.parametrize("kind", KINDS)
def test_each_kind_alone_changes_the_clip_and_keeps_its_shape(kind):
    y = noise(seed=1)
    other = noise(seed=2)
    for change in changes(with_probability(1.0, kind), 5):
        assert change != Change()
        found = apply_change(y, change, sample_rate=16_000, background=other)
        assert found.shape == y.shape
        assert found.dtype == np.float32
        assert np.isfinite(found).all()


@pytest.mark.parametrize("kind", KINDS)
def test_a_kind_is_chosen_as_often_as_its_probability_says(kind):
    share = np.mean([c != Change() for c in changes(with_probability(0.3, kind), 2000)])
    assert share == pytest.approx(0.3, abs=0.05)  # five standard deviations


def test_switching_one_kind_off_leaves_the_others_as_they_were():
    both = changes(with_probability(1.0, "speed", "gain"))
    alone = changes(with_probability(1.0, "gain"))
    assert [c.gain_db for c in both] == [c.gain_db for c in alone]


def test_the_same_generator_chooses_the_same():
    settings = AugmentSettings()
    assert changes(settings) == changes(settings)
    other = choose_change(np.random.default_rng(1), settings)
    assert other != changes(settings)[0]


def test_what_is_chosen_lies_in_its_range():
    settings = with_probability(1.0, *KINDS)
    for c in changes(settings):
        assert settings.speed.factor[0] <= c.speed <= settings.speed.factor[1]
        assert 0 <= c.shift < 1
        low, high = settings.echo.level_db
        assert all(abs(f) <= 10 ** (high / 20) for _, f in c.echoes)
        assert len(c.echoes) == settings.echo.n_echoes
        low, high = settings.background.snr_db
        assert low <= c.snr_db <= high
        assert all(abs(db) <= settings.equaliser.range_db for _, db in c.equaliser)
        assert c.low_hz or c.high_hz
        low, high = settings.band_limit.high_hz
        assert c.high_hz is None or low <= c.high_hz <= high
        low, high = settings.resample.rate_hz
        assert low <= c.rate_hz <= high


def test_the_equaliser_covers_the_whole_band():
    for c in changes(with_probability(1.0, "equaliser")):
        assert c.equaliser[0][0] <= 20
        assert c.equaliser[-1][0] >= 24_000


def test_corners_are_uniform_over_the_logarithm():
    hz = [c.high_hz for c in changes(with_probability(1.0, "band_limit"), 2000)]
    middle = np.sqrt(3_000 * 20_000)
    assert np.mean([f < middle for f in hz if f]) == pytest.approx(0.5, abs=0.06)


def test_a_missing_background_is_an_error():
    with pytest.raises(ValueError, match="need a background"):
        apply_change(np.ones(9, np.float32), Change(snr_db=3.0), sample_rate=8_000)


def test_the_simulated_sea_is_repeatable_and_of_unit_power():
    first, again, other = (
        simulated_background(np.random.default_rng(k), duration_s=0.2)
        for k in (1, 1, 2)
    )
    assert np.array_equal(first, again)
    assert not np.array_equal(first, other)
    assert len(first) == round(0.2 * SEA_RATE)
    assert np.mean(first**2) == pytest.approx(1, rel=1e-4)


@pytest.mark.parametrize(
    ("values", "named"),
    [
        ({"speed": {"factor": (1.2, 0.8)}}, "need factor to ascend"),
        ({"band_limit": {"low_hz": (0.0, 100.0)}}, "band_limit.low_hz"),
        ({"mixup": {"probability": 1.5}}, "mixup.probability"),
        ({"n_views": 0}, "n_views"),
    ],
)
def test_a_wrong_setting_is_named_in_one_line(values, named):
    with pytest.raises(SettingsError, match=named):
        checked(AugmentSettings, values)
