"""Views are decided by seed, clip and number; 16 bits are enough to keep them in."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from hypothesis.extra import numpy as hnp
from sounds import chirp, noise, tone, write_wav

from seacall.audio.frontend import first_clip
from seacall.audio.vary import Change, choose_change
from seacall.augmentation import AugmentSettings
from seacall.config import ClipSettings, FrontEndSettings, get_profile
from seacall.data import views as views_module
from seacall.data.cache import FrontEndCache, labelled_inputs
from seacall.data.fixed import from_fixed, to_fixed
from seacall.data.manifest import LabelledClip
from seacall.data.views import Views, background, load_views, view_rng, views_key
from seacall.errors import AudioError

RATE = 16_000
SECOND = ClipSettings(duration_s=1.0)
FRONT_END = FrontEndSettings(profile=get_profile("vggish-16k"), clip=SECOND)
WIDE = FrontEndSettings(profile=get_profile("wide-48k"), clip=SECOND)
OFF = {
    name: {"probability": 0.0}
    for name in (
        "speed",
        "shift",
        "echo",
        "background",
        "equaliser",
        "band_limit",
        "resample",
        "gain",
    )
}
THREE = AugmentSettings(n_views=3)


@pytest.fixture
def clips(tmp_path) -> list[LabelledClip]:
    paths = [
        write_wav(
            tmp_path / f"{k}.wav",
            chirp(500.0 + 200 * k, sample_rate=RATE)
            + noise(sample_rate=RATE, sigma=0.01, seed=k),
            RATE,
        )
        for k in range(4)
    ]
    return [LabelledClip(path, "Fin", "train", RATE) for path in paths]


def views_of(
    clips: list[LabelledClip],
    augment: AugmentSettings = THREE,
    cache: Path | None = None,
    **more,
) -> Views:
    return load_views(clips, FRONT_END, augment, cache=FrontEndCache(cache), **more)


def same(a: Views, b: Views) -> bool:
    return np.array_equal(a.log_mel, b.log_mel) and np.array_equal(
        a.features, b.features
    )


# ------------------------------------------------------------------ fixed point


@given(hnp.arrays(np.float32, 20, elements=st.floats(-31, 31, width=32)))
def test_sixteen_bits_cost_less_than_a_thousandth(log_mel):
    assert np.abs(from_fixed(to_fixed(log_mel)) - log_mel).max() <= 2**-11


def test_codes_survive_another_round():
    codes = np.arange(-32_768, 32_768).astype(np.int16)
    assert np.array_equal(to_fixed(from_fixed(codes)), codes)


def test_the_loudest_and_the_quietest_clip_are_within_the_range(tmp_path):
    for name in ("original-16k", "vggish-16k", "wide-48k"):
        front_end = FrontEndSettings(profile=get_profile(name), clip=SECOND)
        square = np.sign(tone(4_000.0)) * np.sign(tone(1.0))
        for y in (square, 1e-5 * square):
            path = write_wav(tmp_path / "y.wav", y)
            assert np.abs(labelled_inputs(path, front_end).log_mel).max() < 31


# ------------------------------------------------------------------ what they are


def test_there_is_one_view_less_than_asked_for_and_each_is_another(clips):
    found = views_of(clips)
    assert found.log_mel.shape == (2, 4, 1, 96, 64)
    assert found.log_mel.dtype == np.int16
    assert found.features.shape == (2, 4, 18)
    assert not np.array_equal(found.log_mel[0], found.log_mel[1])
    plain = [labelled_inputs(clip.path, FRONT_END).log_mel for clip in clips]
    for view in found.log_mel:
        assert not np.array_equal(view, to_fixed(np.stack(plain)))


def test_with_every_change_off_a_view_is_the_clip(clips):
    found = views_of(clips, AugmentSettings.model_validate({"n_views": 2, **OFF}))
    for k, clip in enumerate(clips):
        plain = labelled_inputs(clip.path, FRONT_END)
        assert np.array_equal(found.log_mel[0, k], to_fixed(plain.log_mel))
        assert np.array_equal(found.features[0, k], plain.features)


def test_views_are_the_same_with_any_number_of_processes(clips):
    assert same(views_of(clips, n_workers=1), views_of(clips, n_workers=2))


def test_a_view_depends_on_no_other_clip_and_not_on_the_order(clips):
    all_of_them = views_of(clips)
    alone = views_of([clips[2]])
    assert np.array_equal(all_of_them.log_mel[:, 2], alone.log_mel[:, 0])


def test_another_seed_gives_other_views(clips):
    other = THREE.model_copy(update={"seed": 1})
    assert not same(views_of(clips), views_of(clips, other))


def test_more_views_keep_the_first_ones(clips):
    more = views_of(clips, THREE.model_copy(update={"n_views": 5}))
    assert np.array_equal(more.log_mel[:2], views_of(clips).log_mel)


def test_the_same_change_is_made_at_another_sample_rate(tmp_path):
    """A band limit at 3 kHz is at 3 kHz through either front end."""
    limit = {"probability": 1.0, "low_hz": (3_000, 3_000), "high_hz": (4_000, 4_000)}
    augment = AugmentSettings.model_validate({"n_views": 2, **OFF, "band_limit": limit})
    path = write_wav(tmp_path / "y.wav", noise())
    for front_end in (FRONT_END, WIDE):
        rng = view_rng(augment, "ab" * 32, 1)
        change = choose_change(rng, augment)
        assert change == choose_change(view_rng(augment, "ab" * 32, 1), augment)
        y = first_clip(path, front_end)
        changed = views_module.apply_change(
            y, change, sample_rate=front_end.profile.sample_rate
        )
        hz = np.fft.rfftfreq(len(y), 1 / front_end.profile.sample_rate)
        kept = np.abs(np.fft.rfft(changed)) / np.abs(np.fft.rfft(y))
        inside = (hz > 3_050) & (hz < 3_950)
        assert np.median(kept[inside]) == pytest.approx(1, abs=0.01)
        if change.high_hz:
            assert np.median(kept[hz > 8_000 - 1]) < 0.01 or hz[-1] <= 8_000
        if change.low_hz:
            assert np.median(kept[hz < 1_500]) < 0.01


# ------------------------------------------------------------------ what is kept


def test_the_second_time_nothing_is_computed(clips, tmp_path, monkeypatch):
    first = views_of(clips, cache=tmp_path / "kept")
    monkeypatch.setattr(views_module, "clip_inputs", None)
    assert same(first, views_of(clips, cache=tmp_path / "kept"))
    assert same(first, views_of(clips, n_workers=2, cache=tmp_path / "kept"))


def test_a_damaged_view_is_computed_anew(clips, tmp_path):
    first = views_of(clips, cache=tmp_path / "kept")
    for path in (tmp_path / "kept").rglob("*.npz"):
        path.write_bytes(path.read_bytes()[:50])
    assert same(first, views_of(clips, cache=tmp_path / "kept"))


def test_the_key_changes_with_what_decides_a_view_and_with_nothing_else():
    key = views_key(THREE)
    for values in ({"n_views": 9}, {"mixup": {"probability": 1.0}}):
        assert views_key(AugmentSettings.model_validate(values)) == key
    for values in ({"seed": 1}, {"gain": {"probability": 0.9}}):
        assert views_key(AugmentSettings.model_validate(values)) != key


# ------------------------------------------------------------------ backgrounds


def with_folder(folder: Path) -> AugmentSettings:
    own = {"probability": 1.0, "folder": str(folder)}
    return AugmentSettings.model_validate({"n_views": 2, **OFF, "background": own})


@pytest.mark.parametrize("duration_s", [0.3, 4.0])
def test_a_real_background_is_a_stretch_of_a_recording(tmp_path, duration_s):
    write_wav(tmp_path / "sea.wav", tone(2_000.0, duration_s=duration_s))
    change = Change(snr_db=5.0, background_seed=7)
    found = background(change, with_folder(tmp_path), FRONT_END)
    assert found.shape == (RATE,)
    level = np.abs(np.fft.rfft(found * np.hanning(RATE)))
    assert np.argmax(level) == pytest.approx(2_000, abs=2)


def test_a_simulated_background_is_the_same_waveform_at_both_rates():
    change = Change(snr_db=5.0, background_seed=7)
    low, high = (background(change, THREE, f) for f in (FRONT_END, WIDE))
    assert len(low) == 16_000
    assert len(high) == 48_000
    spectra = [np.fft.rfft(y)[100:5_000] / len(y) for y in (low, high)]
    correlation = np.abs(np.vdot(*spectra)) / np.prod(
        [np.linalg.norm(s) for s in spectra]
    )
    assert correlation > 0.99


def test_other_backgrounds_make_other_views(clips, tmp_path):
    folder = tmp_path / "sea"
    write_wav(folder / "a.wav", noise(seed=50))
    first = views_key(with_folder(folder))
    write_wav(folder / "b.wav", noise(seed=51))
    views_module._background_files.cache_clear()
    assert views_key(with_folder(folder)) != first


def test_a_folder_without_backgrounds_is_one_line(clips, tmp_path):
    (tmp_path / "empty").mkdir()
    with pytest.raises(AudioError, match="empty: holds no recordings"):
        views_of(clips, with_folder(tmp_path / "empty"))
