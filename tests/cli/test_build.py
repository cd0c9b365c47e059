"""The commands that make models, and the original's program."""

from __future__ import annotations

import importlib.util
import json
import shutil
from pathlib import Path

import pandas as pd
import programs
import pytest
import tiny

from seacall.cli.console import Console, keep_settings
from seacall.config import DistillRun, TrainRun, checked, read_toml
from seacall.models.checkpoint import WEIGHTS_NAME, read_card
from seacall.models.network import load_model_for_inference

ROOT = Path(__file__).resolve().parents[2]
PROGRAM = ROOT / "only_dolphin_knowledge_distillation_attention_mechanism.py"
SHORT = ("--epochs", "2", "--batch-size", "4", "--device", "cpu")


def test_train_takes_the_datasets_front_end_and_stores_settings_that_repeat_it(
    seacall, tiny_dataset, tmp_path
):
    first, second = tmp_path / "first", tmp_path / "second"
    ended = seacall(
        *("train", tiny_dataset, "-o", first, "--network", "student", *SHORT)
    )
    assert ended.code == 0, ended.err
    assert f"model: {first}" in ended.out
    assert "train.epochs = 2" in ended.err
    settings = checked(TrainRun, read_toml(first / "settings.toml"))
    assert settings.model_dump(mode="json") == read_card(first).training
    assert read_card(first).front_end == tiny.FRONT_END.front_end()
    ended = seacall(
        *("train", tiny_dataset, "-o", second, "--config", first / "settings.toml"),
        *("--device", "cpu", "--json"),
    )
    assert ended.code == 0, ended.err
    assert json.loads(ended.out)["architecture"] == "AudioTransformerStudent"
    assert (first / WEIGHTS_NAME).read_bytes() == (second / WEIGHTS_NAME).read_bytes()


def test_a_settings_file_without_a_front_end_leaves_the_datasets(
    seacall, tiny_dataset, tmp_path
):
    (tmp_path / "short.toml").write_text("[train]\nepochs = 1\n")
    out = tmp_path / "out"
    ended = seacall(
        *("train", tiny_dataset, "-o", out, "--network", "student", "--device", "cpu"),
        *("--config", tmp_path / "short.toml"),
    )
    assert ended.code == 0, ended.err
    assert read_card(out).front_end == tiny.FRONT_END.front_end()


def test_distill_says_how_much_smaller_the_student_is(
    seacall, tiny_teacher, tiny_dataset, tmp_path
):
    out = tmp_path / "out"
    ended = seacall(
        *("distill", tiny_teacher, tiny_dataset, "-o", out, *SHORT),
        *("--temperature", "2", "--alpha", "0.5"),
    )
    assert ended.code == 0, ended.err
    assert "% fewer" in ended.err
    settings = checked(DistillRun, read_toml(out / "settings.toml"))
    assert settings.distill.distill_temperature == 2
    assert settings.distill.alpha == 0.5


def test_training_beside_a_bad_recording_ends_with_3_and_names_it(
    seacall, tiny_dataset, tmp_path
):
    data = Path(shutil.copytree(tiny_dataset, tmp_path / "data"))
    bad = sorted((data / "train").glob("*.wav"))[0]
    bad.write_bytes(b"no sound")
    ended = seacall(
        *("train", data, "-o", tmp_path / "out", "--network", "student", *SHORT)
    )
    assert ended.code == 3
    assert bad.name in ended.err
    assert (tmp_path / "out" / "card.json").is_file()


def test_going_on_with_other_settings_is_refused_and_the_old_ones_stay(
    seacall, tiny_dataset, tmp_path
):
    out = tmp_path / "out"
    speaker = Console(quiet=True)
    keep_settings(tiny.STUDENT_RUN, out, speaker, resume=False)
    (out / "checkpoint.pt").touch()
    before = (out / "settings.toml").read_bytes()
    ended = seacall(
        *("train", tiny_dataset, "-o", out, "--network", "student", "--resume"),
        *("--epochs", "3", "--batch-size", "4", "--device", "cpu"),
    )
    assert ended.code == 1
    assert "train.epochs = 3: the run was begun with 2" in ended.error
    assert (out / "settings.toml").read_bytes() == before


# ------------------------------------------------------------------ the original


def test_importing_the_original_program_does_nothing(tmp_path, monkeypatch, capsys):
    monkeypatch.chdir(tmp_path)
    spec = importlib.util.spec_from_file_location("original", PROGRAM)
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    assert callable(module.main)
    assert list(tmp_path.iterdir()) == []
    assert capsys.readouterr() == ("", "")


def test_importing_the_original_program_loads_no_torch(tmp_path):
    done = programs.run(
        "-c",
        f"import sys; sys.path.insert(0, {str(ROOT)!r})\n"
        f"import {PROGRAM.stem}\nassert 'torch' not in sys.modules",
        cwd=tmp_path,
    )
    assert (done.code, done.out, done.err) == (0, "", "")
    assert list(tmp_path.iterdir()) == []


@pytest.fixture
def original(capfd):
    """Run the original program in this process."""
    spec = importlib.util.spec_from_file_location("original", PROGRAM)
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)

    def run(*arguments: object) -> tuple[int, str]:
        with pytest.raises(SystemExit) as ended:
            module.main([str(argument) for argument in arguments])
        return int(ended.value.code or 0), capfd.readouterr().err

    return run


def test_the_original_program_names_what_is_missing(original, tmp_path):
    code, err = original("--root", tmp_path)
    assert code == 1
    assert err.count("\n") == 1
    assert "train_metadata.xlsx" in err


@pytest.fixture
def described(tiny_dataset, tmp_path) -> Path:
    """A folder as the description has it: its columns alone, six files in each part."""
    root = tmp_path / "root"
    root.mkdir()
    for folder in ("train", "validate", "test"):
        table = pd.read_excel(tiny_dataset / f"{folder}_metadata.xlsx")
        table = table.groupby("species_name").head(2)
        unknown = ["deployment", "recording", "sha256", "duration_s"]
        table = table.drop(columns=unknown)
        table.to_excel(root / f"{folder}_metadata.xlsx", index=False)
        for name in table["file_name"]:
            (root / folder).mkdir(exist_ok=True)
            shutil.copy(tiny_dataset / folder / name, root / folder / name)
    return root


def test_the_original_program_distils_from_a_given_teacher(
    original, described, tiny_teacher
):
    code, err = original(
        *("--root", described, "--epochs", "2", "--device", "cpu"),
        *("--teacher", tiny_teacher),
    )
    assert code == 0, err
    card = read_card(described / "output")
    assert card.teacher.startswith("VGGishTeacher")
    assert card.front_end == tiny.FRONT_END.front_end()
    assert not (described / "output" / "teacher").exists()
    settings = checked(DistillRun, read_toml(described / "output" / "settings.toml"))
    assert settings.model_dump(mode="json") == card.training


@pytest.mark.slow
def test_the_original_program_runs_on_a_folder_as_described(described):
    done = programs.run(
        PROGRAM, "--root", described, "--epochs", "1", "--device", "cpu"
    )
    assert done.code == 0, done.err
    assert "student: " in done.err
    out = described / "output"
    for name in (
        "best_student_with_attention_model.pth",
        "final_student_model_with_attention.pth",
        "student_with_attention_misclassified_samples.xlsx",
        "train_vs_val_student_with_attention.xlsx",
    ):
        assert (out / name).is_file()
    assert read_card(out / "teacher").architecture == "VGGishTeacher"
    card = read_card(out)
    assert card.front_end.profile.name == "original-16k"
    assert card.front_end.clip.fit == "pad"
    assert card.front_end.n_patches == 5
    model, config = load_model_for_inference(
        out / "final_student_model_with_attention.pth"
    )
    assert type(model).__name__ == "AudioTransformerStudent"
    assert tuple(config["labels"]) == tiny.LABELS
