"""A simulated folder is what a user would have, and its truth is true."""

from __future__ import annotations

import csv
import hashlib
from pathlib import Path

import numpy as np
import pytest
import soundfile

from seacall.audio.repertoire import KINDS
from seacall.audio.sea import Sea, sea_noise
from seacall.audio.transmission import record
from seacall.config import checked
from seacall.data.deployments import choose_deployment
from seacall.data.simulate import SimulationSettings, simulate_dataset
from seacall.errors import SettingsError

SMALL = SimulationSettings(n_species=4, n_deployments=3, n_clips=3, max_duration_s=3.0)


def read_rows(table: Path) -> list[dict[str, str]]:
    with table.open(encoding="utf-8", newline="") as file:
        return list(csv.DictReader(file))


def digest(folder: Path) -> str:
    value = hashlib.sha256()
    for path in sorted(p for p in folder.rglob("*") if p.is_file()):
        value.update(path.relative_to(folder).as_posix().encode() + path.read_bytes())
    return value.hexdigest()


@pytest.fixture(scope="module")
def table(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("simulated") / "sea"
    return simulate_dataset(folder, settings=SMALL)


def test_every_row_has_its_file_and_every_file_its_row(table: Path) -> None:
    rows = read_rows(table)
    files = {
        p.relative_to(table.parent).as_posix() for p in table.parent.rglob("*.wav")
    }
    assert {row["file_name"] for row in rows} == files
    assert len(rows) == len(files) > 20
    assert list(rows[0]) == [
        "file_name",
        "species_name",
        "deployment",
        "recording",
        "call_start_s",
        "call_end_s",
        "snr_db",
    ]


def test_files_are_16_bit_mono_not_clipped_and_not_silent(table: Path) -> None:
    for row in read_rows(table):
        path = table.parent / row["file_name"]
        info = soundfile.info(path)
        assert (info.format, info.subtype, info.channels) == ("WAV", "PCM_16", 1)
        assert 0.5 < info.duration <= 3.0
        y, _ = soundfile.read(path)
        assert 1e-4 < np.abs(y).max() <= 0.9001


def test_the_same_seed_gives_the_same_bytes_and_another_seed_others(
    table: Path, tmp_path: Path
) -> None:
    again = simulate_dataset(tmp_path / "again", settings=SMALL)
    assert digest(again.parent) == digest(table.parent)
    other = SMALL.model_copy(update={"seed": 1, "n_deployments": 1})
    other_table = simulate_dataset(tmp_path / "other", settings=other)
    assert digest(other_table.parent) != digest(table.parent)


def test_calls_lie_within_their_files_and_noise_has_no_call(table: Path) -> None:
    for row in read_rows(table):
        if row["species_name"] == "unknown":
            assert row["call_start_s"] == row["call_end_s"] == row["snr_db"] == ""
            continue
        assert row["species_name"].startswith("Simulated ")
        end_s = soundfile.info(table.parent / row["file_name"]).duration
        assert 0.0 <= float(row["call_start_s"]) < float(row["call_end_s"])
        assert float(row["call_end_s"]) <= end_s + 1e-3


def test_deployments_have_their_own_rates_recordings_and_animals(table: Path) -> None:
    rows = read_rows(table)
    rates: dict[str, set[int]] = {}
    owner: dict[str, set[tuple[str, str]]] = {}
    for row in rows:
        rate = soundfile.info(table.parent / row["file_name"]).samplerate
        rates.setdefault(row["deployment"], set()).add(rate)
        who = (row["deployment"], row["species_name"])
        owner.setdefault(row["recording"], set()).add(who)
    assert sorted(rates) == ["D01", "D02", "D03"]
    assert all(len(r) == 1 for r in rates.values())
    assert len(set.union(*rates.values())) == 3
    assert all(len(who) == 1 for who in owner.values())
    assert len(owner) < len(rows)


def test_a_deployments_noise_ends_at_its_own_band_limit() -> None:
    ends_hz = []
    for index in range(5):
        one = choose_deployment(index, seed=0, n_species=2, n_clips=1)
        rate = one.sample_rate
        rng = np.random.default_rng(0)
        wet = Sea(rain_db=80.0)
        noise = sea_noise(rng, wet, sample_rate=rate, duration_s=2.0)
        power = np.abs(np.fft.rfft(record(noise, one.recorder, sample_rate=rate))) ** 2
        above = np.cumsum(power[::-1])[::-1] / power.sum()
        ends_hz.append(np.searchsorted(-above, -0.01) / len(power) * rate / 2)
    ends_hz.sort()
    assert ends_hz[-1] > 1.5 * ends_hz[0]
    assert len({round(hz / 100) for hz in ends_hz}) == 5


def test_classes_are_uneven_and_present_in_most_deployments() -> None:
    counts = np.array(
        [
            choose_deployment(i, seed=0, n_species=len(KINDS), n_clips=8).n_clips
            for i in range(14)
        ]
    )
    assert counts.shape == (14, len(KINDS) + 1)
    assert ((counts > 0).mean(axis=0) > 0.8).all()
    assert (counts[:, -1] > 0).all()
    assert counts.max() > 3 * counts[counts > 0].min()
    assert counts.mean() == pytest.approx(8.0, rel=0.25)


@pytest.mark.parametrize(
    ("names", "folder"),
    [
        ("simulated", "Simulated_Beluga"),
        ("real", "Beluga"),
        ("watkins", "Beluga_White_Whale"),
    ],
)
def test_chosen_species_are_there_under_the_names_asked_for(
    names: str, folder: str, tmp_path: Path
) -> None:
    values = {"species": ["beluga", "Ross Seal"], "names": names}
    few = {"n_deployments": 1, "n_clips": 2, "max_duration_s": 1.5}
    settings = checked(SimulationSettings, values | few)
    rows = read_rows(simulate_dataset(tmp_path / "sea", settings=settings))
    assert {Path(row["file_name"]).parts[0] for row in rows} >= {folder, "unknown"}
    assert len({row["species_name"] for row in rows}) == 3


def test_a_species_says_the_same_whoever_else_is_there(tmp_path: Path) -> None:
    few = {"n_deployments": 1, "n_clips": 2, "max_duration_s": 1.5}
    alone = checked(SimulationSettings, {"species": ["Killer Whale"], **few})
    both = checked(SimulationSettings, {"species": ["Killer Whale", "Walrus"], **few})
    first = simulate_dataset(tmp_path / "alone", settings=alone).parent
    second = simulate_dataset(tmp_path / "both", settings=both).parent
    killer = "Simulated_Killer_Whale"
    assert digest(first / killer) == digest(second / killer)


def test_two_processes_write_the_same_bytes_as_one(table: Path, tmp_path: Path) -> None:
    done: list[tuple[int, int]] = []
    again = simulate_dataset(
        tmp_path / "again",
        settings=SMALL,
        n_workers=2,
        progress=lambda n, of: done.append((n, of)),
    )
    assert digest(again.parent) == digest(table.parent)
    assert done == [(n, 15) for n in range(1, 16)]  # 3 deployments, 4 species, unknown


def test_any_recorder_may_be_slow_and_then_hears_no_dolphins(tmp_path: Path) -> None:
    settings = SimulationSettings(
        species=("Spinner Dolphin", "Right Whale"),
        n_deployments=14,
        n_clips=1,
        max_duration_s=1.0,
        recorders="any",
        snr_db=(-3.0, 30.0),
    )
    table = simulate_dataset(tmp_path / "sea", settings=settings)
    rates: dict[str, set[int]] = {}
    for row in read_rows(table):
        y, rate = soundfile.read(table.parent / row["file_name"])
        assert np.isfinite(y).all()
        assert np.abs(y).max() > 1e-4
        rates.setdefault(row["species_name"], set()).add(rate)
    assert min(rates["Simulated Right Whale"]) <= 10_000
    assert min(rates["Simulated Spinner Dolphin"]) > 16_000
    assert len(set.union(*rates.values())) > 5


def test_half_of_the_files_are_shorter_than_2_s(tmp_path: Path) -> None:
    settings = SimulationSettings(n_species=1, n_deployments=1, n_clips=40)
    table = simulate_dataset(tmp_path / "sea", settings=settings)
    lengths_s = [soundfile.info(p).duration for p in table.parent.rglob("*.wav")]
    assert np.mean(np.array(lengths_s) < 2.0) == pytest.approx(0.5, abs=0.2)
    assert max(lengths_s) > 4.0


def test_loud_calls_stand_out_where_the_table_says(tmp_path: Path) -> None:
    settings = SMALL.model_copy(update={"snr_db": (40.0, 40.0), "n_deployments": 1})
    table = simulate_dataset(tmp_path / "sea", settings=settings)
    # A bearded seal's or humpback's call is one dense stretch: compare inside, before.
    for row in read_rows(table):
        if row["species_name"] != "Simulated Humpback Whale":
            continue
        y, rate = soundfile.read(table.parent / row["file_name"])
        y = np.diff(y)  # the sea's own low frequencies are loud
        first = round(float(row["call_start_s"]) * rate)
        before, after = y[: first - 10], y[first : first + rate // 2]
        assert after.std() > 2 * before.std()


@pytest.mark.parametrize(
    ("values", "words"),
    [
        ({"n_species": 99}, "n_species=99"),
        ({"n_species": 0}, "n_species=0"),
        ({"species": ["Unicorn"]}, "'Unicorn' is not simulated; choose among"),
        ({"species": ["Walrus", "walrus"]}, "named twice"),
        ({"names": "latin"}, "names"),
        ({"min_duration_s": 5.0, "max_duration_s": 2.0}, "min_duration_s <"),
        ({"snr_db": (10.0, 0.0)}, "least <= most"),
        ({"specis": 3}, "there is no such setting"),
    ],
)
def test_impossible_settings_are_named_in_one_line(
    values: dict[str, object], words: str
) -> None:
    with pytest.raises(SettingsError, match=words) as caught:
        checked(SimulationSettings, values)
    assert "\n" not in str(caught.value)


def test_a_folder_that_holds_something_is_left_alone(tmp_path: Path) -> None:
    (tmp_path / "mine.txt").write_text("precious")
    with pytest.raises(SettingsError, match="not empty"):
        simulate_dataset(tmp_path, settings=SMALL)
    assert [p.name for p in tmp_path.iterdir()] == ["mine.txt"]


def test_a_file_in_the_folders_place_is_an_error(tmp_path: Path) -> None:
    (tmp_path / "sea").write_text("a file")
    with pytest.raises(SettingsError, match="cannot be written"):
        simulate_dataset(tmp_path / "sea", settings=SMALL)
