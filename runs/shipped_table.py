"""The table of labels that the model in the package is trained with.

    python runs/shipped_table.py RECORDINGS TABLE [--elsewhere]

RECORDINGS/manifest.csv: columns set, file_name, species_name, duration_s, recording,
deployment. The cuts of the Watkins database with their species; and of what is no
animal that can be named (set sanctsound: noise, ambient sound, fish) up to four
stretches of 5 s, spread over the recording, as ``unknown``.

With ``--elsewhere`` instead the calls of the same species in the other collections:
other recorders, kept apart to be asked about.
"""

from __future__ import annotations

import argparse
import csv
from collections.abc import Iterator
from pathlib import Path

COLUMNS = (
    *("file_name", "species_name", "deployment", "recording"),
    *("start_s", "end_s"),
)
SAME = {
    "humpback_whale": "Humpback_Whale",
    "killer_whale": "Killer_Whale",
    "north_atlantic_right_whale": "Northern_Right_Whale",
}
"""Names of other collections, and those of the Watkins database."""
ELSEWHERE = {"killer_whale_calls", "sanctsound"}
"""The other collections."""
NOT_NAMED = ("noise", "ambient", "fish")
"""How labels of the set sanctsound begin that become ``unknown``."""
STRETCH_S = 5.0
MAX_STRETCHES = 4


def label_of(collection: str, name: str, *, elsewhere: bool = False) -> str | None:
    """Return the label that a recording is used with; None: it is left out."""
    if elsewhere:
        return SAME.get(name) if collection in ELSEWHERE else None
    if collection == "sanctsound" and name.startswith(NOT_NAMED):
        return "unknown"
    return name if collection == "watkins" else None


def stretches(duration_s: float) -> Iterator[tuple[str, str]]:
    """Yield start and end of stretches, s; empty where the whole file is short."""
    n = max(1, min(MAX_STRETCHES, int(duration_s // STRETCH_S)))
    if n == 1:
        yield "", ""
        return
    for k in range(n):
        start_s = (duration_s - STRETCH_S) * k / (n - 1)
        yield f"{start_s:.2f}", f"{start_s + STRETCH_S:.2f}"


def write_table(manifest: Path, table: Path, *, elsewhere: bool = False) -> int:
    """Write the table; return the number of its rows."""
    rows = []
    with manifest.open(encoding="utf-8", newline="") as file:
        for row in csv.DictReader(file):
            label = label_of(row["set"], row["species_name"], elsewhere=elsewhere)
            if label is None:
                continue
            whole = label != "unknown"
            parts = [("", "")] if whole else stretches(float(row["duration_s"]))
            for start_s, end_s in parts:
                part = {"species_name": label, "start_s": start_s, "end_s": end_s}
                rows.append(row | part)
    with table.open("w", encoding="utf-8", newline="") as file:
        writer = csv.DictWriter(file, COLUMNS, extrasaction="ignore")
        writer.writeheader()
        writer.writerows(rows)
    return len(rows)


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("recordings", type=Path)
    parser.add_argument("table", type=Path)
    parser.add_argument("--elsewhere", action="store_true")
    options = parser.parse_args()
    manifest = options.recordings / "manifest.csv"
    n_rows = write_table(manifest, options.table, elsewhere=options.elsewhere)
    print(f"{options.table}: {n_rows} rows")


if __name__ == "__main__":
    main()
