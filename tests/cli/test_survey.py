"""The command survey, as a user runs it."""

from __future__ import annotations

import json
from pathlib import Path

import pytest
from sounds import noise, write_wav


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    for k in range(3):
        path = tmp_path / "in" / "reef" / f"5678.24030100000{k}.wav"
        write_wav(path, noise(seed=k), 48_000)
    return tmp_path / "in"


def test_good_recordings_end_with_code_0_and_a_table(folder: Path, seacall) -> None:
    done = seacall("survey", str(folder))
    assert done.code == 0, done.err
    assert done.out.startswith("3 recordings, 3 s, 288 kB")
    assert "2024-03-01 00:00" in done.out


def test_a_bad_file_is_listed_and_ends_with_code_3(folder: Path, seacall) -> None:
    (folder / "reef" / "bad one.wav").write_text("no audio")
    out = folder.parent / "out"
    done = seacall("survey", str(folder), "-o", str(out))
    assert done.code == 3
    assert "bad one.wav: is not audio that can be read" in done.err
    names = {path.name for path in out.iterdir()}
    assert {"survey.csv", "survey.json", "survey.html"} <= names


def test_json_is_the_only_output_if_asked_for(folder: Path, seacall) -> None:
    (folder / "list.txt").write_text("reef/5678.240301000001.wav\n")
    done = seacall("survey", f"@{folder / 'list.txt'}", "--json")
    assert json.loads(done.out)["n_files"] == 1
    done = seacall(
        "survey", "--file-list", str(folder / "list.txt"), "--json", "--quiet"
    )
    assert json.loads(done.out)["recorded_s"] == 1.0


@pytest.mark.parametrize(
    ("arguments", "words"),
    [
        ((), "nothing to survey"),
        (("nowhere/",), "nowhere: no such file"),
        (("--timezone", "Mars/North", "x.wav"), "Mars/North"),
        (("--time-pattern", "!", "x.wav"), "!"),
    ],
)
def test_what_cannot_be_done_is_one_line(
    arguments: tuple[str, ...], words: str, seacall
) -> None:
    done = seacall("survey", *arguments)
    assert done.code != 0
    assert words in done.err + done.out
    assert "Traceback" not in done.err


def test_a_folder_that_cannot_be_written_is_one_line(folder: Path, seacall) -> None:
    blocked = folder.parent / "file"
    blocked.touch()
    done = seacall("survey", str(folder), "-o", str(blocked / "out"))
    assert done.code == 1
    assert "cannot be written" in done.err
    assert done.err.count("\n") == 1
