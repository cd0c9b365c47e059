"""The command that listens to sound as it comes."""

from __future__ import annotations

import json
import os
import re

import pytest
import stations
from stations import RATE, record


def test_listen_prints_one_line_for_each_detection(seacall, tiny_model, tmp_path):
    path = record(tmp_path / "20260501_120000.wav", 4.0)
    options = ("-m", tiny_model, "--speed", 0, "--threshold", 0.3)
    ended = seacall("listen", path, "-o", tmp_path / "o", *options)
    assert ended.code == 0
    lines = ended.out.splitlines()
    assert lines
    for line in lines:
        assert re.match(r"2026-05-01 12:00:0\d\.\d{3}Z  \S.*  0\.\d\d  .*dBFS", line)
    assert "heard 0.00 h" in ended.err
    assert (tmp_path / "o" / "settings.toml").is_file()


def test_listen_prints_json_and_nothing_else(seacall, tiny_model, tmp_path):
    path = record(tmp_path / "a.wav", 3.0)
    options = ("-m", tiny_model, "--speed", 0, "--threshold", 0.3, "--json")
    ended = seacall("listen", path, "-o", tmp_path / "o", *options)
    kinds = [json.loads(line)["change"] for line in ended.out.splitlines()]
    assert kinds[0] == "begun"
    assert kinds[-1] == "ended"


def test_settings_of_a_station_are_read_back(seacall, tiny_model, tmp_path):
    path = record(tmp_path / "a.wav", 1.0)
    config = tmp_path / "station.toml"
    config.write_text(
        "speed = 0.0\n[[alerts]]\nname = 'a'\ncommand = ['false']\n"
        "quiet = ['22:00', '06:00']\n[[environment]]\nsource = 'x.csv'\n"
    )
    options = ("-m", tiny_model, "--threshold", 0.3, "--dry-run")
    first = seacall("listen", path, "-o", tmp_path / "o", "--config", config, *options)
    assert first.code == 0
    settings = tmp_path / "o" / "settings.toml"
    again = seacall("listen", path, "-o", tmp_path / "o", "--config", settings)
    assert again.code == 0


def test_alerts_are_printed_in_a_dry_run(seacall, tiny_model, tmp_path):
    path = record(tmp_path / "a.wav", 2.0)
    config = tmp_path / "station.toml"
    config.write_text("[[alerts]]\nname = 'a'\nwebhook = 'http://127.0.0.1:9/'\n")
    options = ("-m", tiny_model, "--speed", 0, "--threshold", 0.3, "--dry-run")
    ended = seacall("listen", path, "-o", tmp_path / "o", "--config", config, *options)
    alerts = [line for line in ended.err.splitlines() if line.startswith("alert: ")]
    assert len(alerts) == len(ended.out.splitlines()) > 0
    assert json.loads(alerts[0].removeprefix("alert: "))["alert"] == "a"


@pytest.mark.parametrize(
    ("arguments", "code", "words"),
    [
        (("nothing.wav",), 1, "is no source"),
        (("-",), 1, "give --rate"),
        (("-", "--rate", 5), 1, "1000 to 500000"),
        (("-", "--channel", "left"), 1, "is no channel"),
        ((), 2, None),
    ],
)
def test_what_cannot_be_listened_to_is_one_line(
    seacall, tiny_model, tmp_path, arguments, code, words
):
    ended = seacall("listen", *arguments, "-o", tmp_path / "o", "-m", tiny_model)
    assert ended.code == code
    assert words is None or words in ended.error


def test_a_source_that_fails_among_others_ends_with_3(seacall, tiny_model, tmp_path):
    good, bad = record(tmp_path / "a.wav", 1.0), tmp_path / "b.wav"
    bad.write_bytes(b"no sound")
    options = ("-m", tiny_model, "--speed", 0)
    ended = seacall("listen", good, bad, "-o", tmp_path / "o", *options)
    assert ended.code == 3
    assert "b.wav" in ended.err
    alone = seacall("listen", bad, "-o", tmp_path / "p", *options)
    assert alone.code == 1


def test_a_source_that_is_named_twice_is_refused(seacall, tiny_model, tmp_path):
    path = record(tmp_path / "a.wav", 1.0)
    ended = seacall("listen", path, path, "-o", tmp_path / "o", "-m", tiny_model)
    assert ended.code == 1
    assert "named twice" in ended.error


def test_raw_sound_on_standard_input_is_heard(tiny_model, tmp_path):
    import programs

    reader, writer = os.pipe()
    data = stations.sound(2.5).tobytes()
    os.write(writer, data[:60_000])  # no more than a pipe takes
    os.close(writer)
    done = programs.run(
        *("-m", "seacall", "listen", "-", "--rate", RATE, "-m", tiny_model),
        *("-o", tmp_path / "o", "--threshold", "0.3", "--json"),
        stdin=reader,
    )
    os.close(reader)
    assert done.code == 0, done.err
    assert json.loads(done.out.splitlines()[-1])["change"] == "ended"
