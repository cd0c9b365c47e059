"""Every simulated species is a species, says its own, and says it again by its seed."""

from __future__ import annotations

import numpy as np
import pytest

from seacall.audio.calls import Animal, choose_animal
from seacall.audio.kind import Kind, bout, company
from seacall.audio.repertoire import KINDS, N_FIRST, kinds_named
from seacall.audio.synth import Call, Clicks, Tone, render
from seacall.taxonomy import TAXA, normalised, taxon_of

RATE = 96_000
EVERY = pytest.mark.parametrize("kind", KINDS, ids=lambda kind: kind.common_name)


def named(name: str) -> Kind:
    return kinds_named([name])[0]


def calls_of(name: str, n: int, duration_s: float = 4.0) -> list[Call]:
    kind = named(name)
    generators = [np.random.default_rng([7, i]) for i in range(n)]
    return [kind.choose(rng, choose_animal(rng), duration_s) for rng in generators]


def peak_hz(y: np.ndarray) -> float:  # type: ignore[type-arg]
    return float(np.abs(np.fft.rfft(y)).argmax() * RATE / len(y))


def test_names_are_all_different_and_the_ten_of_the_demo_come_first() -> None:
    assert len({normalised(kind.label) for kind in KINDS}) == len(KINDS)
    assert [kind.common_name for kind in KINDS[:10]] == [
        *("Bottlenose Dolphin", "Sperm Whale", "Humpback Whale", "Killer Whale"),
        *("Bearded Seal", "Right Whale", "Common Dolphin", "Walrus"),
        *("Bowhead Whale", "Beluga"),
    ]


@EVERY
def test_the_taxonomy_knows_every_name(kind: Kind) -> None:
    assert kind.label == f"Simulated {kind.common_name}"
    assert normalised(kind.label) in TAXA
    if kind.watkins:
        assert taxon_of(kind.watkins) == taxon_of(kind.label)


@EVERY
def test_the_same_seed_says_the_same_and_another_animal_something_else(
    kind: Kind,
) -> None:
    one, other = Animal(signature=1), Animal(pitch=1.1, tempo=0.9, signature=2)
    first = kind.choose(np.random.default_rng(3), one, 2.0)
    assert kind.choose(np.random.default_rng(3), one, 2.0) == first
    assert kind.choose(np.random.default_rng(3), other, 2.0) != first
    assert kind.choose(np.random.default_rng(4), one, 2.0) != first


@EVERY
def test_short_and_long_stretches_hold_sound(kind: Kind) -> None:
    for duration_s in (0.6, 6.0):
        rng = np.random.default_rng(5)
        call = kind.choose(rng, choose_animal(rng), duration_s)
        y = render(call, sample_rate=RATE, duration_s=duration_s)
        assert np.isfinite(y).all()
        assert np.abs(y).max() > 0.05
        assert len(call) < 200


@pytest.mark.parametrize(
    ("name", "lowest_hz", "highest_hz"),
    [
        ("Fin Whale", 14.0, 95.0),  # 20-Hz and 40-Hz calls
        ("Blue Whale", 13.0, 120.0),
        ("Sei Whale", 28.0, 120.0),
        ("Leopard Seal", 120.0, 4_400.0),
        ("Ross Seal", 180.0, 8_000.0),
        ("Long-Finned Pilot Whale", 200.0, 25_000.0),  # Courts et al. 2020
        ("False Killer Whale", 2_500.0, 14_500.0),  # Sanino and Fowle 2006, whistles
        ("Spinner Dolphin", 2_000.0, 27_000.0),
    ],
)
def test_tones_peak_in_the_published_range(
    name: str, lowest_hz: float, highest_hz: float
) -> None:
    for call in calls_of(name, 20):
        for tone in [unit for unit in call if isinstance(unit, Tone)][:2]:
            duration_s = tone.end_s + 0.05
            y = render((tone,), sample_rate=RATE, duration_s=duration_s)
            assert lowest_hz <= peak_hz(y) <= highest_hz


def test_dolphins_whistle_click_and_buzz_in_company() -> None:
    calls = calls_of("Clymene Dolphin", 60)
    with_clicks = [any(isinstance(u, Clicks) for u in call) for call in calls]
    with_tones = [any(isinstance(u, Tone) for u in call) for call in calls]
    assert 0.3 < np.mean(with_clicks) < 0.9
    assert 0.6 < np.mean(with_tones) < 0.95
    steps_s = [
        np.median(np.diff(u.times_s))
        for call in calls
        for u in call
        if isinstance(u, Clicks)
    ]
    assert min(steps_s) < 0.01 < 0.02 < max(steps_s)  # burst pulses, echolocation
    overlapping = [
        sum(isinstance(u, Tone) and u.start_s < 1.0 < u.end_s for u in call)
        for call in calls
    ]
    assert max(overlapping) >= 2


def test_most_groups_of_false_killer_whales_click() -> None:
    calls = calls_of("False Killer Whale", 200, 2.0)
    clicks = np.array([any(isinstance(u, Clicks) for u in call) for call in calls])
    tones = np.array([any(isinstance(u, Tone) for u in call) for call in calls])
    assert np.mean(clicks & ~tones) == pytest.approx(0.29, abs=0.09)
    assert np.mean(tones & ~clicks) == pytest.approx(0.16, abs=0.09)


def test_sperm_whales_click_slowly_in_codas_and_in_creaks() -> None:
    steps_s = [
        float(np.median(np.diff(u.times_s)))
        for call in calls_of("Sperm Whale", 80, 8.0)
        for u in call
        if isinstance(u, Clicks) and len(u.times_s) > 2
    ]
    assert sum(step < 0.06 for step in steps_s) > 2  # creaks
    assert sum(0.1 < step < 0.35 for step in steps_s) > 5  # codas
    assert sum(0.4 < step < 1.5 for step in steps_s) > 20  # usual clicks


def test_right_whales_call_upwards_and_fire_gunshots() -> None:
    calls = calls_of("Right Whale", 60)
    shots = [call for call in calls if all(isinstance(u, Clicks) for u in call)]
    assert 2 < len(shots) < 25
    rising = [
        isinstance(call[0], Tone) and call[0].knots_hz[-1] > 1.5 * call[0].knots_hz[0]
        for call in calls
    ]
    assert 0.3 < np.mean(rising) < 0.8


def test_a_ross_seals_two_voices_are_no_harmonics_and_share_their_rhythm() -> None:
    pairs = [
        call[:2]
        for call in calls_of("Ross Seal", 30)
        if len(call) > 1 and call[0].start_s == call[1].start_s
    ]
    assert len(pairs) > 5
    for first, second in pairs:
        assert isinstance(first, Tone)
        assert isinstance(second, Tone)
        ratio = second.knots_hz[0] / first.knots_hz[0]
        assert abs(ratio - round(ratio)) > 0.1
        assert first.pulse_hz == second.pulse_hz


@pytest.mark.parametrize("seed", range(3))
@pytest.mark.parametrize("kind", KINDS[:N_FIRST], ids=lambda kind: kind.common_name)
def test_the_plain_repertoire_of_the_first_species_keeps_to_their_bands(
    kind: Kind, seed: int
) -> None:
    plain = kind.limited_to("plain")
    assert plain.choose is not kind.choose
    assert kind.limited_to("full") == kind
    rng = np.random.default_rng(seed)
    call = plain.choose(rng, choose_animal(rng), 3.0)
    y = render(call, sample_rate=RATE, duration_s=3.0)
    power = np.abs(np.fft.rfft(y)) ** 2
    hz = np.fft.rfftfreq(len(y), 1 / RATE)
    assert kind.band_hz[0] < (hz * power).sum() / power.sum() < kind.band_hz[1]


def test_a_species_without_a_plain_repertoire_says_all_it_knows() -> None:
    seal = named("Ross Seal")
    assert seal.limited_to("plain") == seal


def test_plainly_a_right_whale_calls_upwards_alone() -> None:
    kind = named("Right Whale").limited_to("plain")
    for seed in range(10):
        call = kind.choose(np.random.default_rng(seed), Animal(), 4.0)
        assert all(isinstance(unit, Tone) for unit in call)
        assert all(u.knots_hz[-1] > u.knots_hz[0] for u in call if isinstance(u, Tone))


def test_bouts_end_in_time_and_hold_at_least_one_unit() -> None:
    rng = np.random.default_rng(0)
    tone = Tone(0.5, (1e3, 2e3))
    units = bout(rng, lambda: tone, (0.1, 0.2), 3.0)
    assert 3 <= len(units) <= 5
    assert max(unit.end_s for unit in units) <= 3.0
    assert len(bout(rng, lambda: tone, (0.1, 0.2), 0.2)) == 1


def test_company_is_quieter_and_may_be_absent() -> None:
    def choose(rng: np.random.Generator, animal: Animal, duration_s: float) -> Call:
        return (Tone(duration_s, (1e3, 2e3)),)

    rng = np.random.default_rng(0)
    assert company(rng, choose, 1.0, mean_others=0.0) == ()
    others = company(rng, choose, 1.0, mean_others=50.0)
    assert len(others) > 20
    assert all(-15.0 <= unit.gain_db <= -2.0 for unit in others)


def test_species_are_found_by_any_of_their_names() -> None:
    for name in ("Northern_Right_Whale", "simulated right whale", "right whale"):
        assert named(name).label == "Simulated Right Whale"
    with pytest.raises(ValueError, match="'Kraken' is not simulated"):
        kinds_named(["Kraken"])
