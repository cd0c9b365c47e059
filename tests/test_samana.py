"""The tables behind runs/samana.sh: what is tested was not trained on."""

from __future__ import annotations

import csv
import importlib.util
from pathlib import Path

import pytest

PATH = Path(__file__).parents[1] / "runs" / "samana_tables.py"


@pytest.fixture
def tables():
    spec = importlib.util.spec_from_file_location("samana_tables", PATH)
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    return module


def rows_of(path):
    with path.open(encoding="utf-8", newline="") as file:
        return list(csv.DictReader(file))


@pytest.fixture
def recordings(tables, tmp_path):
    folder = tmp_path / "recordings"
    (folder / tables.SAMANA).mkdir(parents=True)
    windows = ["file,begin_s,end_s,label,raw_comment"]
    for k in range(6):
        (folder / tables.SAMANA / f"S{k}.flac").touch()
        windows += [f"S{k}.wav,{4 * n},{4 * n + 4},{label},0.5" for n, label in
                    enumerate(("call", "noise", "undefined"))]  # fmt: skip
    (folder / "samana" / "windows.csv").write_text("\n".join(windows))
    manifest = ["set,file_name,species_name,duration_s,deployment"]
    for k in range(14):
        name = f"sanctsound/noise/N{k}.flac"
        (folder / name).parent.mkdir(parents=True, exist_ok=True)
        (folder / name).touch()
        manifest.append(f"sanctsound,{name},noise_rain,{5 + 9 * (k % 3)},d{k // 2}")
    manifest.append("sanctsound,sanctsound/x.flac,blue_whale,5,d0")
    (folder / "manifest.csv").write_text("\n".join(manifest))
    return folder


def test_no_recording_and_no_deployment_is_both_trained_on_and_tested(
    tables, recordings, tmp_path
):
    tables.plan(recordings, tmp_path / "out")
    tested = []
    for k in range(6):
        fold = tmp_path / "out" / f"fold-{k + 1}"
        train = rows_of(fold / "train.csv")
        test = (fold / "test.txt").read_text().split()
        assert not {row["file_name"] for row in train} & set(test)
        held = [n for n in range(14) if any(f"N{n}." in name for name in test)]
        deployments = {f"d{n // 2}" for n in held}
        assert not deployments & {row["deployment"] for row in train}
        assert {row["species_name"] for row in train} == {tables.LABEL, "unknown"}
        assert len([row for row in train if row["species_name"] == tables.LABEL]) == 5
        tested += test
    assert len(tested) == len(set(tested)) == 20
    labels = [row["label"] for row in rows_of(tmp_path / "out" / "annotations.csv")]
    assert labels.count(tables.LABEL) == 6
    assert labels.count("undefined") == 6  # kept: such stretches do not count


def test_scores_of_all_folds_come_together(tables, tmp_path):
    for k in (1, 2):
        folder = tmp_path / f"fold-{k}"
        folder.mkdir()
        text = f"file,start_s,end_s,{tables.LABEL},unknown\na{k}.wav,0,5,0.{k},0.1\n"
        (folder / "clips.csv").write_text(text)
    tables.scores(tmp_path)
    found = rows_of(tmp_path / "adapted.csv")
    assert [(row["file"], row["score"]) for row in found] == [
        ("a1.wav", "0.1"),
        ("a2.wav", "0.2"),
    ]
    assert {row["label"] for row in found} == {tables.LABEL}
