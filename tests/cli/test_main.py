"""The program: help, versions, exit codes, and errors in one line."""

from __future__ import annotations

import json
import shutil
import sys
import tomllib

import pytest
import tiny
from sounds import noise, write_wav

import seacall as package
from seacall.cli import console
from seacall.cli.main import app
from seacall.config import TrainRun, checked, read_toml
from seacall.errors import AudioError, SettingsError

COMMANDS = sorted(
    command.name or command.callback.__name__ for command in app.registered_commands
)


def test_the_commands_are_those_of_the_documents():
    expected = ["demo", "detect", "distill", "evaluate", "info", "prepare", "train"]
    assert expected == [name for name in COMMANDS if name in expected]


@pytest.mark.parametrize("flag", ["--help", "-h"])
def test_help_lists_every_command_with_a_sentence(seacall, flag):
    ended = seacall(flag)
    assert ended.code == 0
    for name in COMMANDS:
        (line,) = [li for li in ended.out.splitlines() if li.split()[:1] == [name]]
        assert len(line.split()) > 3


@pytest.mark.parametrize("name", COMMANDS)
def test_every_command_has_help(seacall, name):
    ended = seacall(name, "--help")
    assert ended.code == 0
    assert f"seacall {name}" in ended.out or f" {name} " in ended.out
    assert ended.err == ""


def test_every_option_has_help():
    import typer

    group = typer.main.get_command(app)
    for command in group.commands.values():
        for parameter in command.params:
            assert getattr(parameter, "help", "x"), (command.name, parameter.name)


def test_the_version_is_shown(seacall):
    ended = seacall("--version")
    assert (ended.code, ended.out) == (0, f"seacall {package.__version__}\n")


@pytest.mark.parametrize(
    "arguments",
    [
        (),
        ("nonsense",),
        ("train",),
        ("train", "data"),
        ("train", "data", "-o", "out", "--epochs", "none"),
        ("train", "data", "-o", "out", "--epochs", "0"),
        ("train", "data", "-o", "out", "--colour", "blue"),
        ("detect",),
        ("evaluate", "m", "d", "-o", "o", "--threshold", "2"),
    ],
)
def test_wrong_usage_ends_with_2(seacall, arguments):
    ended = seacall(*arguments)
    assert ended.code == 2
    assert ended.out == "" or "Usage" in ended.out + ended.err


def test_an_interrupt_ends_with_130(seacall, monkeypatch, tiny_model, tmp_path):
    from seacall.detect import files

    def interrupted(*_args, **_kwargs):
        raise KeyboardInterrupt

    monkeypatch.setattr(files, "classify_recording", interrupted)
    path = write_wav(tmp_path / "a.wav", noise(duration_s=0.2))
    ended = seacall("detect", path, "-m", tiny_model)
    assert ended.code == 130
    assert ended.error == "seacall: interrupted"


@pytest.mark.parametrize(
    ("error", "words"),
    [
        (AudioError("a\nb   c"), "a b c"),
        (PermissionError(13, "Permission denied", "/x/y"), "/x/y: Permission denied"),
        (OSError(28, "No space left on device"), "No space left on device; check"),
        (MemoryError(), "out of memory"),
        (RuntimeError("CUDA out of memory. Tried\nto"), "out of memory; choose"),
        (RuntimeError("DefaultCPUAllocator: can't allocate memory"), "out of memory"),
    ],
)
def test_errors_of_the_world_are_one_line_and_exit_code_1(capsys, error, words):
    def fail() -> None:
        raise error

    assert console.guarded(fail) == 1
    err = capsys.readouterr().err
    assert words in err
    assert err.count("\n") == 1


def test_a_bug_is_not_hidden():
    def bug() -> None:
        raise RuntimeError("index out of bounds")

    with pytest.raises(RuntimeError, match="out of bounds"):
        console.guarded(bug)


# ------------------------------------------------------------------ wrong input


@pytest.mark.parametrize("verb", ["train", "evaluate", "distill"])
def test_a_missing_dataset_is_named(seacall, verb, tiny_model, tmp_path):
    first = [] if verb == "train" else [tiny_model]
    ended = seacall(verb, *first, tmp_path / "none", "-o", tmp_path / "out")
    assert ended.code == 1
    assert f"{tmp_path / 'none'}: no such folder" in ended.error


@pytest.mark.parametrize("verb", ["train", "evaluate", "distill"])
def test_a_folder_that_is_no_dataset_is_named(seacall, verb, tiny_model, tmp_path):
    (tmp_path / "folder").mkdir()
    first = [] if verb == "train" else [tiny_model]
    ended = seacall(verb, *first, tmp_path / "folder", "-o", tmp_path / "out")
    assert ended.code == 1
    assert "seacall prepare" in ended.error


def test_a_missing_folder_of_recordings_is_named(seacall, tmp_path):
    ended = seacall("prepare", tmp_path / "none", "-o", tmp_path / "out")
    assert ended.code == 1
    assert str(tmp_path / "none") in ended.error


@pytest.mark.parametrize("verb", ["train", "prepare"])
def test_an_unknown_profile_lists_those_that_exist(
    seacall, verb, tiny_dataset, tmp_path
):
    ended = seacall(verb, tiny_dataset, "-o", tmp_path / "out", "--profile", "8k")
    assert ended.code == 1
    for name in ("'8k'", *package.PROFILES):
        assert name in ended.error


@pytest.mark.parametrize(
    ("option", "value", "words"),
    [
        ("--network", "resnet", "network='resnet'"),
        ("--convolutions", "some", "teacher.convolutions='some'"),
        ("--fit", "stretch", "front_end.fit='stretch'"),
        ("--learning-rate", "0", "train.learning_rate=0"),
        ("--learning-rate", "nan", "train.learning_rate=nan"),
        ("--device", "banana", "device 'banana' cannot be used"),
        ("--weights", "none.pth", "none.pth"),
    ],
)
def test_a_wrong_setting_is_named_with_its_value(
    seacall, tiny_dataset, tmp_path, option, value, words
):
    ended = seacall("train", tiny_dataset, "-o", tmp_path / "out", option, value)
    assert ended.code == 1
    assert words in ended.error
    assert not (tmp_path / "out" / "card.json").exists()


@pytest.mark.parametrize(
    ("text", "words"),
    [
        ("epoch = 3", "epoch: there is no such setting"),
        ("[train]\nepochs = 3\nlerning_rate = 1", "train.lerning_rate: there is no"),
        ("[train]\nepochs = 'three'", "train.epochs='three'"),
        ("[train]\nepochs = 0", "train.epochs=0"),
        ("train = 5", "train = 5 is no section"),
        ("[train\n", "cannot be read as a settings file"),
        ("\x00", "cannot be read as a settings file"),
    ],
)
def test_a_wrong_settings_file_is_one_line_that_names_the_key(
    seacall, tiny_dataset, tmp_path, text, words
):
    (tmp_path / "c.toml").write_text(text)
    ended = seacall(
        *("train", tiny_dataset, "-o", tmp_path / "out", "--seed", "1"),
        *("--config", tmp_path / "c.toml"),
    )
    assert ended.code == 1
    assert words in ended.error


def test_a_missing_settings_file_is_named(seacall, tiny_dataset, tmp_path):
    ended = seacall(
        "train", tiny_dataset, "-o", tmp_path / "o", "--config", tmp_path / "c.toml"
    )
    assert ended.code == 1
    assert str(tmp_path / "c.toml") in ended.error


def test_an_out_folder_that_cannot_be_made_is_named(seacall, tiny_dataset, tmp_path):
    (tmp_path / "file").touch()
    ended = seacall("train", tiny_dataset, "-o", tmp_path / "file" / "out")
    assert ended.code == 1
    assert str(tmp_path / "file") in ended.error


def test_an_out_folder_that_holds_a_model_is_left_as_it_is(
    seacall, tiny_dataset, tiny_student, tiny_teacher
):
    for verb, out in (("train", tiny_student), ("distill", tiny_student)):
        before = {path: path.read_bytes() for path in out.iterdir()}
        first = [tiny_teacher] if verb == "distill" else []
        ended = seacall(verb, *first, tiny_dataset, "-o", out, "--epochs", "1")
        assert ended.code == 1
        assert "holds a" in ended.error
        assert "model already" in ended.error
        assert {path: path.read_bytes() for path in out.iterdir()} == before


def test_a_teacher_that_is_no_model_is_named(seacall, tiny_dataset, tmp_path):
    ended = seacall("distill", tmp_path / "t", tiny_dataset, "-o", tmp_path / "out")
    assert ended.code == 1
    assert str(tmp_path / "t") in ended.error


def test_a_missing_extra_says_how_to_get_it(seacall, tiny_dataset, tmp_path):
    hidden = {name: sys.modules[name] for name in ("torch",) if name in sys.modules}
    sys.modules["torch"] = None
    try:
        ended = seacall("train", tiny_dataset, "-o", tmp_path / "out")
    finally:
        del sys.modules["torch"]
        sys.modules |= hidden
    assert ended.code == 1
    assert "pip install 'seacall[train]'" in ended.error


# ------------------------------------------------------------------ settings


def test_options_win_over_the_file_and_the_file_over_the_defaults(tmp_path):
    (tmp_path / "c.toml").write_text("[train]\nepochs = 3\nbatch_size = 5\n")
    settings = console.settings_from(
        TrainRun, tmp_path / "c.toml", {"train.epochs": 4, "train.seed": None}
    )
    assert settings.train.epochs == 4
    assert settings.train.batch_size == 5
    assert settings.train.learning_rate == 1e-3


def test_settings_that_were_kept_read_back_the_same(tmp_path):
    wanted = tiny.TEACHER_RUN
    speaker = console.Console(quiet=True)
    console.keep_settings(wanted, tmp_path, speaker, resume=False)
    values = read_toml(tmp_path / console.SETTINGS_NAME)
    assert checked(TrainRun, values) == wanted


@pytest.mark.parametrize("trace", ["card.json", "checkpoint.pt"])
def test_settings_of_a_run_that_has_begun_are_not_overwritten(tmp_path, trace):
    speaker = console.Console(quiet=True)
    console.keep_settings(tiny.TEACHER_RUN, tmp_path, speaker, resume=False)
    (tmp_path / trace).touch()
    before = (tmp_path / console.SETTINGS_NAME).read_bytes()
    console.keep_settings(tiny.STUDENT_RUN, tmp_path, speaker, resume=False)
    assert (tmp_path / console.SETTINGS_NAME).read_bytes() == before


@pytest.mark.parametrize("verb", ["train", "distill"])
def test_a_dataset_is_no_place_for_a_model(
    seacall, tiny_dataset, tiny_teacher, verb, tmp_path
):
    folder = tmp_path / "dataset"
    shutil.copytree(tiny_dataset, folder)
    (folder / "dataset.json").write_text("{}")
    before = {path: path.read_bytes() for path in folder.iterdir() if path.is_file()}
    first = [tiny_teacher] if verb == "distill" else []
    ended = seacall(verb, *first, folder, "-o", folder)
    assert ended.code == 1
    assert "is a dataset folder" in ended.error
    after = {path: path.read_bytes() for path in folder.iterdir() if path.is_file()}
    assert after == before


def test_a_run_does_not_go_on_with_other_settings_of_any_section(tmp_path):
    speaker = console.Console(quiet=True)
    console.keep_settings(tiny.DISTILL_RUN, tmp_path, speaker, resume=False)
    (tmp_path / "checkpoint.pt").touch()
    console.keep_settings(tiny.DISTILL_RUN, tmp_path, speaker, resume=True)
    other = tiny.DISTILL_RUN.model_copy(
        update={"distill": tiny.DISTILL_RUN.distill.model_copy(update={"alpha": 0.1})}
    )
    with pytest.raises(
        SettingsError, match=r"distill\.alpha = 0\.1: .* begun with 0\.7"
    ):
        console.keep_settings(other, tmp_path, speaker, resume=True)


def test_every_setting_is_printed(capsys, tmp_path):
    console.keep_settings(tiny.TEACHER_RUN, tmp_path, console.Console(), resume=False)
    err = capsys.readouterr().err
    for name in ("train.epochs = 2", "front_end.profile = original-16k"):
        assert name in err


# ------------------------------------------------------------------ prepare


def test_prepare_builds_a_dataset_and_says_what_it_found(seacall, tmp_path):
    source = tiny.write_recordings(tmp_path / "in")
    (source / "Fin Whale" / "north" / "bad.wav").write_bytes(b"no sound")
    ended = seacall(
        *("prepare", source, "-o", tmp_path / "out"),
        *("--profile", "original-16k", "--fit", "pad"),
    )
    assert ended.code == 3
    assert "by deployment" in ended.out
    assert "bad.wav" in ended.err
    for name in ("train", "validate", "test"):
        assert (tmp_path / "out" / f"{name}_metadata.xlsx").is_file()
    kept = tomllib.loads((tmp_path / "out" / "settings.toml").read_text())
    assert kept["front_end"]["profile"] == "original-16k"


def test_prepare_prints_json_and_nothing_else(seacall, tmp_path):
    source = tiny.write_recordings(tmp_path / "in")
    ended = seacall("prepare", source, "-o", tmp_path / "out", "--json")
    assert ended.code == 0
    assert len(json.loads(ended.out)["species"]) == 3


@pytest.mark.parametrize("column", ["Call", None])
def test_prepare_takes_labels_from_the_column_that_is_named(seacall, tmp_path, column):
    for k in range(4):
        y = noise(sample_rate=16_000, duration_s=3.0, seed=k)
        write_wav(tmp_path / "in" / f"{k}.wav", y, 16_000)
    lines = [
        "Selection\tBegin Path\tFile Offset (s)\tBegin Time (s)\tEnd Time (s)\t"
        "Species\tCall"
    ]
    for k in range(4):
        path = tmp_path / "in" / f"{k}.wav"
        lines.append(f"{k + 1}\t{path}\t0.5\t0.5\t2.0\tBeluga\t{'AB'[k % 2]} call")
    (tmp_path / "t.txt").write_text("\n".join(lines) + "\n")
    options = ["--label-column", column] if column else []
    ended = seacall(
        *("prepare", tmp_path / "in", "-o", tmp_path / "out", "--json"),
        *("--table", tmp_path / "t.txt", "--split-by", "random", *options),
    )
    assert ended.code == 0, ended.err
    labels = {row["label"] for row in json.loads(ended.out)["species"]}
    assert labels == ({"A call", "B call"} if column else {"Beluga"})


# ------------------------------------------------------------------ info


def test_info_shows_a_model_without_torch(seacall, tiny_student):
    ended = seacall("info", tiny_student)
    assert ended.code == 0
    for words in ("AudioTransformerStudent", "parameters", "bytes", "multiply-adds"):
        assert words in ended.out


def test_info_compares_with_the_teacher(seacall, tiny_student, tiny_teacher):
    ended = seacall("info", tiny_student, "--teacher", tiny_teacher)
    assert "% fewer parameters than VGGishTeacher" in ended.out
    found = seacall("info", tiny_student, "--teacher", tiny_teacher, "--json")
    assert json.loads(found.out)["fewer_parameters"] >= 0.99


def test_info_of_what_is_no_model_is_one_line(seacall, tmp_path):
    ended = seacall("info", tmp_path)
    assert ended.code == 1
    assert "is no model folder" in ended.error
