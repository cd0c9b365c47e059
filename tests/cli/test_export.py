"""The commands that take a model elsewhere, as a user runs them."""

from __future__ import annotations

import json

import pytest
import tiny
from sounds import noise, tone, write_wav

from seacall.cli.export import KIND_NAMES
from seacall.deploy.kinds import KINDS


@pytest.fixture(scope="module")
def model(tmp_path_factory):
    folder = tmp_path_factory.mktemp("export") / "model"
    return tiny.write_model(folder, threshold=0.3)


def test_the_help_names_every_kind():
    assert set(KIND_NAMES) == set(KINDS)


def test_export_verify_and_detect_give_one_answer(seacall, model, tmp_path):
    out = tmp_path / "new" / "whale.onnx"
    ended = seacall("export", model, "-o", out, "--json")
    assert ended.code == 0, ended.err
    said = json.loads(ended.out)
    assert (said["kind"], said["path"]) == ("onnx", str(out))
    assert said["n_bytes"] == out.stat().st_size
    assert said["verify"]["proved"]
    y = tone(3_600, sample_rate=16_000, duration_s=3.0)
    y += noise(sample_rate=16_000, duration_s=3.0, sigma=0.02)
    sound = write_wav(tmp_path / "audio" / "a.wav", y, 16_000)
    by_folder = json.loads(seacall("detect", sound, "-m", model, "--json").out)
    by_file = json.loads(seacall("detect", sound, "-m", out, "--json").out)
    for one, other in zip(by_folder["clips"], by_file["clips"], strict=True):
        assert one["answer"] == other["answer"]
        for label, score in one["scores"].items():
            assert other["scores"][label] == pytest.approx(score, abs=1e-4)
    report = tmp_path / "report.json"
    ended = seacall("verify", model, out, "--audio", tmp_path / "audio", "-o", report)
    assert ended.code == 0, ended.err
    assert "28 synthetic, 1 recorded" in ended.out
    assert ended.out.splitlines()[-1].startswith(f"{out} answers as {model} does")
    assert json.loads(report.read_text())["proved"]
    ended = seacall("info", out)
    assert "AudioTransformerStudent" in ended.out


def test_an_archive_is_listened_to_with_a_file(seacall, model, tmp_path):
    out = tmp_path / "whale.onnx"
    assert seacall("export", model, "-o", out, "--to", "onnx-network").code == 0
    sound = write_wav(tmp_path / "a.wav", noise(sample_rate=16_000), 16_000)
    ended = seacall("detect", sound, "-m", out, "-o", tmp_path / "run")
    assert ended.code == 0, ended.err
    assert (tmp_path / "run" / "detections.csv").is_file()


def test_verify_ends_with_one_line_and_code_1_beyond_tolerance(
    seacall, model, tmp_path
):
    import shutil

    from seacall.models.checkpoint import read_card, write_card

    other = tmp_path / "other"
    shutil.copytree(model, other)
    write_card(other, read_card(other).model_copy(update={"threshold": 0.9}))
    ended = seacall("verify", model, other)
    assert ended.code == 1
    assert "their thresholds differ" in ended.error
    assert "28 clips" in ended.out


@pytest.mark.parametrize(
    ("arguments", "said"),
    [
        (["--to", "wav"], "--to wav: is no kind of file; choose one of onnx"),
        (["--rate", "12"], "rate=12"),
        (["--rate", "47999"], "too many phases"),
    ],
)
def test_export_refuses_what_it_cannot_do(seacall, model, tmp_path, arguments, said):
    ended = seacall("export", model, "-o", tmp_path / "a.onnx", *arguments)
    assert ended.code == 1
    assert said in ended.error
    assert list(tmp_path.iterdir()) == []
