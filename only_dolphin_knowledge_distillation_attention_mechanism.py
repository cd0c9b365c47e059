"""The original program: distil a student with attention on a folder of recordings.

    python only_dolphin_knowledge_distillation_attention_mechanism.py --root FOLDER

FOLDER has ``train/``, ``test/``, ``validate/`` with recordings and the three tables
``train_metadata.xlsx``, ``test_metadata.xlsx``, ``validate_metadata.xlsx``. A teacher
is trained first unless one is given. seacall does everything; importing this file runs
nothing.
"""

from __future__ import annotations

import argparse
from pathlib import Path

from seacall.cli.original import run


def main(arguments: list[str] | None = None) -> None:
    """Read the command line and run the distillation."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--root", type=Path, default=Path(), help="dataset folder")
    parser.add_argument("--teacher", type=Path, help="trained teacher: folder or .pth")
    parser.add_argument("--weights", help="VGGish checkpoint: path, or download")
    parser.add_argument("--out", type=Path, help="default: FOLDER/output")
    parser.add_argument("--epochs", type=int, default=60)
    parser.add_argument("--device", default="auto", help="cpu, cuda or auto")
    parser.add_argument("--resume", action="store_true", help="go on after a stop")
    run(parser.parse_args(arguments))


if __name__ == "__main__":
    main()
