"""The table of labels that the model in the package is trained with.

    python runs/shipped_table.py RECORDINGS TABLE

RECORDINGS/manifest.csv: columns set, file_name, species_name, deployment, recording.
Species keep the names of the Watkins database; calls of the same species from elsewhere
join them, and what is no animal that can be named becomes ``unknown``.
"""

from __future__ import annotations

import argparse
import csv
from pathlib import Path

COLUMNS = ("file_name", "species_name", "deployment", "recording")
SAME = {
    "humpback_whale": "Humpback_Whale",
    "killer_whale": "Killer_Whale",
    "north_atlantic_right_whale": "Northern_Right_Whale",
}
"""Names of other collections, and those of the Watkins database."""
ELSEWHERE = {"killer_whale_calls", "sanctsound"}
"""Sets whose calls join; of other sets only what is unknown does."""
NOT_NAMED = ("noise", "ambient", "fish", "unlabelled")
"""How labels begin that become ``unknown``."""


def label_of(collection: str, name: str) -> str | None:
    """Return the label that a recording is trained with; None: it is left out."""
    if collection == "watkins":
        return name
    if name.startswith(NOT_NAMED):
        return "unknown"
    return SAME.get(name) if collection in ELSEWHERE else None


def write_table(manifest: Path, table: Path) -> int:
    """Write the table; return the number of its rows."""
    with manifest.open(encoding="utf-8", newline="") as file:
        found = [
            (row, label_of(row["set"], row["species_name"]))
            for row in csv.DictReader(file)
        ]
    rows = [row | {"species_name": label} for row, label in found if label]
    with table.open("w", encoding="utf-8", newline="") as file:
        writer = csv.DictWriter(file, COLUMNS, extrasaction="ignore")
        writer.writeheader()
        writer.writerows(rows)
    return len(rows)


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("recordings", type=Path)
    parser.add_argument("table", type=Path)
    options = parser.parse_args()
    n_rows = write_table(options.recordings / "manifest.csv", options.table)
    print(f"{options.table}: {n_rows} recordings")


if __name__ == "__main__":
    main()
