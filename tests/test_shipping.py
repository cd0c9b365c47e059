"""What the model in the package is made with: its table, its figures, its settings."""

from __future__ import annotations

import csv
import importlib.util
import json
import re
from pathlib import Path

import numpy as np
import pytest
import soundfile
import tiny
from scipy import signal

from seacall.config import DistillRun, checked
from seacall.errors import SeacallError
from seacall.learn.protocol_run import ProtocolRun
from seacall.models.checkpoint import read_card
from seacall.models.shipped import shipped_folder
from seacall.settings import read_toml

RUNS = Path(__file__).resolve().parents[1] / "runs"


def script(name: str):
    spec = importlib.util.spec_from_file_location(name, RUNS / f"{name}.py")
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    return module


@pytest.mark.parametrize(
    ("collection", "name", "label"),
    [
        ("watkins", "Humpback_Whale", "Humpback_Whale"),
        ("killer_whale_calls", "killer_whale", "Killer_Whale"),
        ("sanctsound", "north_atlantic_right_whale", "Northern_Right_Whale"),
        ("sanctsound", "blue_whale", None),
        ("sanctsound", "dolphin_unspecified", None),
        ("sanctsound", "noise_rain", "unknown"),
        ("sanctsound", "ambient_soundscape", "unknown"),
        ("sanctsound", "fish_and_snapping_shrimp", "unknown"),
        ("unlabelled", "unlabelled_underwater", None),
        ("samana", "humpback_whale_long_pam", None),
    ],
)
def test_each_recording_is_trained_on_with_a_label_or_left_out(collection, name, label):
    assert script("shipped_table").label_of(collection, name) == label


def test_the_table_has_a_row_for_each_cut_stretch_and_made_noise(tmp_path):
    rows = [
        "set,file_name,species_name,duration_s,deployment,recording",
        'watkins,watkins/a.wav,Ross_Seal,90,ship,"tape 1, side 2"',
        "sanctsound,sanctsound/b.wav,gray_whale,5,buoy,r",
        "sanctsound,sanctsound/c.wav,noise_rain,16,buoy,r",
        "sanctsound,sanctsound/d.wav,noise_rain,4.8,buoy,r",
        "sanctsound,sanctsound/e.wav,humpback_whale,12,buoy,r",
    ]
    (tmp_path / "manifest.csv").write_text("\n".join(rows) + "\n", encoding="utf-8")
    noise = tmp_path / "steady_noise" / "pink" / "pink-00.flac"
    noise.parent.mkdir(parents=True)
    noise.touch()
    assert script("shipped_table").write_table(tmp_path, tmp_path / "table.csv") == 8
    with (tmp_path / "table.csv").open(newline="") as file:
        found = list(csv.DictReader(file))
    labels = ["Ross_Seal"] + 4 * ["unknown"] + 2 * ["Humpback_Whale"] + ["unknown"]
    assert [row["species_name"] for row in found] == labels
    assert found[0]["recording"] == "tape 1, side 2"
    times = [(row["start_s"], row["end_s"]) for row in found]
    assert times[1:4] == [("0.00", "5.00"), ("5.50", "10.50"), ("11.00", "16.00")]
    assert times[0] == times[4] == times[7] == ("", "")
    assert found[7]["file_name"] == "steady_noise/pink/pink-00.flac"
    assert found[7]["deployment"] == "steady pink"


def test_steady_noise_has_the_colours_that_it_is_called_by(tmp_path):
    """Level in octaves, by a periodogram of SciPy: 0, 3 and 6 dB less each."""
    steady = script("steady_noise")
    assert steady.write_noise(tmp_path, n_clips=1, seed=0) == len(steady.KINDS)
    for kind, slope_db in {"white": 0.0, "pink": -3.01, "brown": -6.02}.items():
        y, rate = soundfile.read(tmp_path / kind / f"{kind}-00.flac")
        assert (len(y), rate) == (240_000, 48_000)
        hz, power = signal.welch(y, rate, nperseg=8192)
        some = (hz > 50) & (hz < 2_000)  # above, brown noise drowns in 16 bits
        fitted = np.polyfit(np.log2(hz[some]), 10 * np.log10(power[some]), 1)[0]
        assert fitted == pytest.approx(slope_db, abs=0.4)


def test_the_student_in_the_package_is_made_as_the_recipe_makes_it():
    """What was measured by the protocol is what is trained on all clips."""
    values = read_toml(RUNS / "frozen.toml")
    values["student"]["start"] = "trunk"
    run = checked(DistillRun, values)
    measured = checked(ProtocolRun, read_toml(RUNS / "shipped_protocol.toml"))
    assert run.student.trunk == "frozen"
    assert run.train.model_dump() == measured.head.model_dump()
    head = measured.head_distill.model_dump()
    assert run.hears == head.pop("hears")
    assert run.distill.model_dump() == head


def protocol_file(folder: Path, **changes: object) -> Path:
    figures = {"macro_f1": {"value": 0.4, "interval": [0.3, 0.5]}}
    protocol = {
        "what": "each deployment held out in turn",
        "leaky": False,
        "n_folds": 30,
        "recipes": ["student-distilled"],
        "recipes_that_heard_clips_before": [],
        "systems": {
            "student-distilled": {"figures": figures},
            "majority class": {"figures": figures},
        },
    }
    found = {
        "n_scored_clips": 700,
        "n_scored_deployments": 28,
        "interval_level": 0.95,
        "n_seeds": 3,
        "scored_species": {"a": {}, "b": {}},
        "protocols": [protocol | changes],
    }
    path = folder / "protocol.json"
    path.write_text(json.dumps(found), encoding="utf-8")
    return path


def test_a_model_trained_on_all_clips_is_shipped_with_its_recipes_figures(tmp_path):
    ship_model = script("ship_model")
    model = tiny.write_model(tmp_path / "model")
    about = tmp_path / "about.toml"
    about.write_text(
        'limits = ["Small."]\n[[data]]\nname = "Sea"\nterms = "MIT"\n', "utf-8"
    )
    metrics = ship_model.protocol_metrics(protocol_file(tmp_path), "student-distilled")
    ship_model.ship(model, about, tmp_path / "out", metrics)
    card = read_card(tmp_path / "out")
    assert card.metrics["figures"]["model"]["macro_f1"]["value"] == 0.4
    assert list(card.metrics["figures"]) == ["model", "majority class"]
    page = (tmp_path / "out" / ship_model.PAGE_NAME).read_text("utf-8")
    assert "700 held-out recordings of 28 deployments. None of these" in page
    assert "| macro-F1 | 0.400 (0.30-0.50) |" in page


def test_no_path_of_a_machine_is_in_the_card_of_the_package():
    text = json.dumps(read_card(shipped_folder()).training)
    assert not re.search(r'"[/~]', text)


def test_a_gate_that_the_facts_ask_for_joins_the_models_own_rule(tmp_path):
    ship_model = script("ship_model")
    rule = {"method": "not_unknown", "lowest": 0.5}
    model = tiny.write_model(tmp_path / "model", unknown=rule)
    about = tmp_path / "about.toml"
    about.write_text(
        'limits = ["Small."]\n[unknown]\nlowest_event_db = 3.3\n'
        '[[data]]\nname = "Sea"\nterms = "MIT"\n',
        "utf-8",
    )
    ship_model.ship(model, about, tmp_path / "out")
    unknown = read_card(tmp_path / "out").unknown
    assert (unknown.method, unknown.lowest) == ("not_unknown", 0.5)
    assert unknown.lowest_event_db == 3.3


def test_a_trunk_that_heard_the_clips_makes_the_shipped_figures_leaky(tmp_path):
    path = protocol_file(
        tmp_path, recipes_that_heard_clips_before=["student-distilled"]
    )
    found = script("ship_model").protocol_metrics(path, "student-distilled")
    assert found["leaky"] is True


def test_a_recipe_that_was_not_measured_is_refused(tmp_path):
    with pytest.raises(SeacallError, match="has no recipe 'teacher'"):
        script("ship_model").protocol_metrics(protocol_file(tmp_path), "teacher")
