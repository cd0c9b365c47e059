"""Tables for runs/samana.sh: who trains on what, what is noise, and all scores as one.

    python runs/samana_tables.py plan RECORDINGS OUT
    python runs/samana_tables.py scores OUT

RECORDINGS: ``samana/`` (six recordings of ten minutes, ``windows.csv`` with the labels
``call``, ``noise`` and ``undefined``), ``sanctsound/`` and ``manifest.csv``.

``plan`` copies what is needed into ``OUT/recordings`` and divides it into six folds, in
each of which one recording of Samana and the noise of a sixth of SanctSound's
deployments are kept apart: ``OUT/fold-K/train.csv`` and ``test.txt``;
``OUT/annotations.csv`` says what is a call and what is known to be none. ``scores`` puts
the humpback scores that the folds' ``clips.csv`` hold into ``OUT/adapted.csv``.
"""

from __future__ import annotations

import argparse
import csv
import shutil
from collections import defaultdict
from collections.abc import Iterable, Sequence
from pathlib import Path

LABEL = "Humpback_Whale"
NOISE = ("noise", "ambient")
"""How SanctSound's labels begin that hold no animal."""
SAMANA = "samana/humpback_whale_long_pam"
Rows = list[dict[str, str]]


def read(path: Path) -> Rows:
    """Return the rows of a CSV file."""
    with path.open(encoding="utf-8", newline="") as file:
        return list(csv.DictReader(file))


def write(path: Path, columns: Sequence[str], rows: Iterable[dict[str, str]]) -> None:
    """Write some columns of rows."""
    path.parent.mkdir(parents=True, exist_ok=True)
    with path.open("w", encoding="utf-8", newline="") as file:
        writer = csv.DictWriter(file, columns, extrasaction="ignore")
        writer.writeheader()
        writer.writerows(rows)


def samana_rows(recordings: Path) -> Rows:
    """Return the labelled windows, a row each, by the names of the files here."""
    names = {path.stem: path for path in (recordings / SAMANA).iterdir()}
    return [
        {
            "file": str(names[Path(row["file"]).stem]),
            "start_s": row["begin_s"],
            "end_s": row["end_s"],
            "label": LABEL if row["label"] == "call" else row["label"],
            "deployment": Path(row["file"]).stem,
        }
        for row in read(recordings / "samana" / "windows.csv")
    ]


def noise_rows(recordings: Path) -> Rows:
    """Return SanctSound's recordings of noise, a row each."""
    return [
        {
            "file": str(recordings / row["file_name"]),
            "start_s": "0",
            "end_s": row["duration_s"],
            "label": "noise",
            "deployment": row["deployment"],
        }
        for row in read(recordings / "manifest.csv")
        if row["set"] == "sanctsound" and row["species_name"].startswith(NOISE)
    ]


def stretches(row: dict[str, str], length_s: float = 5.0) -> Rows:
    """Cut what is trained on: windows as they are, noise into up to four clips."""
    n = min(4, int(float(row["end_s"]) // length_s))
    if row["label"] == LABEL or float(row["start_s"]) > 0 or n < 2:
        return [row]
    step = (float(row["end_s"]) - length_s) / (n - 1)
    return [
        row | {"start_s": f"{k * step:.2f}", "end_s": f"{k * step + length_s:.2f}"}
        for k in range(n)
    ]


def copied(rows: Rows, folder: Path) -> Rows:
    """Copy the rows' recordings into one folder; return rows that name the copies."""
    folder.mkdir(parents=True, exist_ok=True)
    for file in dict.fromkeys(row["file"] for row in rows):
        if not (folder / Path(file).name).exists():
            shutil.copyfile(file, folder / Path(file).name)
    return [row | {"file": str(folder / Path(row["file"]).name)} for row in rows]


def plan(recordings: Path, out: Path) -> None:
    """Write the tables of all folds."""
    samana, noise = samana_rows(recordings), noise_rows(recordings)
    rows = copied([*samana, *noise], out / "recordings")
    write(out / "annotations.csv", ("file", "start_s", "end_s", "label"), rows)
    held = sorted({row["deployment"] for row in samana})
    places = sorted({row["deployment"] for row in noise})
    fold_of = {name: k for k, name in enumerate(held)}
    fold_of |= {name: k % len(held) for k, name in enumerate(places)}
    for k in range(len(held)):
        fold = out / f"fold-{k + 1}"
        train = [
            {
                "file_name": part["file"],
                "species_name": LABEL if part["label"] == LABEL else "unknown",
                **part,
            }
            for row in rows
            if fold_of[row["deployment"]] != k and row["label"] != "undefined"
            for part in stretches(row)
        ]
        columns = ("file_name", "species_name", "deployment", "start_s", "end_s")
        write(fold / "train.csv", columns, train)
        test = dict.fromkeys(r["file"] for r in rows if fold_of[r["deployment"]] == k)
        (fold / "test.txt").write_text("\n".join(test) + "\n", encoding="utf-8")
        print(f"{fold}: {len(train)} clips to train on, {len(test)} recordings to test")


def scores(out: Path) -> None:
    """Put the scores of all folds into one table."""
    found: Rows = []
    per_fold: dict[str, int] = defaultdict(int)
    for path in sorted(out.glob("fold-*/clips.csv")):
        for row in read(path):
            per_fold[path.parent.name] += 1
            found.append(row | {"label": LABEL, "score": row[LABEL]})
    write(out / "adapted.csv", ("file", "start_s", "end_s", "label", "score"), found)
    print(f"{out / 'adapted.csv'}: {dict(per_fold)} clips")


def main() -> None:
    """Do what the command line says."""
    parser = argparse.ArgumentParser(description=__doc__)
    steps = parser.add_subparsers(dest="step", required=True)
    planned = steps.add_parser("plan")
    planned.add_argument("recordings", type=Path)
    planned.add_argument("out", type=Path)
    scored = steps.add_parser("scores")
    scored.add_argument("out", type=Path)
    options = parser.parse_args()
    if options.step == "plan":
        plan(options.recordings.resolve(), options.out.resolve())
    else:
        scores(options.out)


if __name__ == "__main__":
    main()
