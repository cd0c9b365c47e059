"""The command that makes recordings."""

from __future__ import annotations

import csv
import json

import soundfile

from seacall.config import checked, read_toml
from seacall.data.simulate import SimulationSettings

FEW = ("--n-clips", "1", "--n-deployments", "2", "--seed", "5")


def test_simulate_writes_a_folder_that_prepare_reads(seacall, tmp_path):
    out = tmp_path / "sea"
    ended = seacall(
        *("simulate", "-o", out, "--species", "Ross Seal", "--species", "walrus"),
        *("--names", "real", "--recorders", "modern", "--snr-db", "10", "20", *FEW),
    )
    assert ended.code == 0, ended.err
    text = (out / "recordings.csv").read_text(encoding="utf-8")
    rows = list(csv.DictReader(text.splitlines()))
    assert {row["species_name"] for row in rows} == {"Ross Seal", "Walrus", "unknown"}
    assert soundfile.info(out / rows[0]["file_name"]).samplerate >= 32_000
    settings = checked(SimulationSettings, read_toml(out / "settings.toml"))
    assert settings.seed == 5
    assert settings.repertoire == "full"
    assert settings.snr_db == (10.0, 20.0)
    ended = seacall("prepare", out, "-o", tmp_path / "dataset", "--json")
    assert ended.code == 0, ended.err


def test_simulate_makes_every_species_unless_some_are_named(seacall, tmp_path):
    ended = seacall(
        *("simulate", "-o", tmp_path / "sea", *FEW, "--recorders", "modern", "--json")
    )
    assert ended.code == 0, ended.err
    result = json.loads(ended.out)
    assert result["n_files"] >= 19
    folders = {p.name for p in (tmp_path / "sea").iterdir() if p.is_dir()}
    assert {"Simulated_Ross_Seal", "Simulated_Beluga", "unknown"} <= folders


def test_a_species_that_is_not_simulated_is_named(seacall, tmp_path):
    ended = seacall("simulate", "-o", tmp_path / "sea", "--species", "Unicorn")
    assert ended.code == 1
    assert "'Unicorn' is not simulated" in ended.error
    assert "settings=" not in ended.error
