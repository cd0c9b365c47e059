"""The table of labels that the model in the package is trained with.

    python runs/shipped_table.py RECORDINGS TABLE

RECORDINGS/manifest.csv: columns set, file_name, species_name, duration_s, recording,
deployment. The cuts of the Watkins database with their species; the calls of the same
species in other collections (call catalogues of killer whales, SanctSound); and of what
is no animal that can be named (SanctSound: noise, ambient sound, fish) ``unknown``. Of
recordings of SanctSound up to four stretches of 5 s, spread over the recording. In
RECORDINGS/steady_noise, if it is there, what ``runs/steady_noise.py`` wrote, each kind
as a deployment of ``unknown``.

Left out: blue and fin whales, two recordings each of calls below the 50 Hz at which the
front end begins; gray, sei and minke whales, two recordings or one each; dolphins and
others whose species nobody named; humpbacks off Samana, whose recorder ends at 1 kHz,
which alone would tell them.
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
OTHERS = ("sanctsound", "killer_whale_calls")
"""Collections whose calls of the same species are trained on as well."""
STEADY = "steady_noise"
"""Folder of noise that was made."""
NOT_NAMED = ("noise", "ambient", "fish")
"""How labels of the set sanctsound begin that become ``unknown``."""
STRETCH_S = 5.0
MAX_STRETCHES = 4


def label_of(collection: str, name: str) -> str | None:
    """Return the label that a recording is used with; None: it is left out."""
    if collection == "watkins":
        return name
    if collection == "sanctsound" and name.startswith(NOT_NAMED):
        return "unknown"
    return (
        SAME.get(name) if collection in ("sanctsound", "killer_whale_calls") else None
    )


def stretches(duration_s: float) -> Iterator[tuple[str, str]]:
    """Yield start and end of stretches, s; empty where the whole file is short."""
    n = max(1, min(MAX_STRETCHES, int(duration_s // STRETCH_S)))
    if n == 1:
        yield "", ""
        return
    for k in range(n):
        start_s = (duration_s - STRETCH_S) * k / (n - 1)
        yield f"{start_s:.2f}", f"{start_s + STRETCH_S:.2f}"


def recorded(manifest: Path) -> Iterator[dict[str, str]]:
    """Yield the rows of what was recorded."""
    with manifest.open(encoding="utf-8", newline="") as file:
        for row in csv.DictReader(file):
            label = label_of(row["set"], row["species_name"])
            if label is None:
                continue
            whole = row["set"] != "sanctsound"
            parts = [("", "")] if whole else stretches(float(row["duration_s"]))
            for start_s, end_s in parts:
                part = {"species_name": label, "start_s": start_s, "end_s": end_s}
                yield row | part


def made(recordings: Path) -> Iterator[dict[str, str]]:
    """Yield the rows of steady noise."""
    for path in sorted(recordings.glob(f"{STEADY}/*/*.flac")):
        yield {
            "file_name": path.relative_to(recordings).as_posix(),
            "species_name": "unknown",
            "deployment": f"steady {path.parent.name}",
            "recording": path.stem,
        }


def write_table(recordings: Path, table: Path) -> int:
    """Write the table; return the number of its rows."""
    rows = [*recorded(recordings / "manifest.csv"), *made(recordings)]
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
    n_rows = write_table(options.recordings, options.table)
    print(f"{options.table}: {n_rows} rows")


if __name__ == "__main__":
    main()
