"""How settings of detection are checked, and what a hydrophone's figures come to."""

from __future__ import annotations

import numpy as np
import pytest

from seacall.detection import DetectSettings
from seacall.errors import SettingsError
from seacall.settings import checked, read_toml, write_toml


@pytest.mark.parametrize(
    ("values", "says"),
    [
        ({"hold": 0.0}, "hold"),
        ({"hold": 1.1}, "hold"),
        ({"max_gap_s": -1.0}, "max_gap_s"),
        ({"max_gap_s": 1e300}, "max_gap_s"),
        ({"min_duration_s": float("nan")}, "min_duration_s"),
        ({"k_of_n": (3, 2)}, "3,2: need k <= n"),
        ({"k_of_n": (0, 2)}, "k_of_n"),
        ({"level": "genus"}, "level"),
        ({"sensitivity_db": 176.2, "full_scale_v": 1.0}, "sensitivity_db=176.2"),
        ({"sensitivity_db": -176.2}, "needs full_scale_v"),
        ({"gain_db": 20.0}, "give sensitivity_db"),
        ({"full_scale_v": 1.0}, "give sensitivity_db"),
        ({"calibration_db": -176.2}, "calibration_db"),
        ({"calibration_db": 176.2, "gain_db": 2.0}, "leave out"),
        (
            {"calibration_db": 176.2, "sensitivity_db": -180, "full_scale_v": 1},
            "leave out",
        ),
    ],
)
def test_a_wrong_setting_is_named_with_its_rule(values, says):
    with pytest.raises(SettingsError, match=says):
        checked(DetectSettings, values)


def test_settings_are_read_back_from_their_file(tmp_path):
    settings = DetectSettings(k_of_n=(2, 3), hold=0.5, calibration_db=176.1)
    write_toml(tmp_path / "s.toml", settings.model_dump())
    assert checked(DetectSettings, read_toml(tmp_path / "s.toml")) == settings


def test_without_a_hydrophone_levels_are_those_of_the_file():
    assert DetectSettings().level_unit == "dBFS"
    assert DetectSettings().level_offset_db == 0


def test_a_known_pressure_gives_its_level_back():
    # 1 Pa is 120 dB re 1 uPa. A hydrophone of -180 dB re 1 V/uPa makes 1 mV of it, an
    # amplifier of 40 dB 0.1 V, and a converter that is full at 2 V samples of 0.05.
    settings = DetectSettings(sensitivity_db=-180, gain_db=40, full_scale_v=2.0)
    assert settings.level_unit == "dB re 1 uPa"
    assert 20 * np.log10(0.05) + settings.level_offset_db == pytest.approx(120)


def test_an_end_to_end_calibration_is_the_level_of_full_scale():
    settings = DetectSettings(calibration_db=176.1)
    assert settings.level_unit == "dB re 1 uPa"
    assert settings.level_offset_db == pytest.approx(176.1)
