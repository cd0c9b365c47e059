"""Keep what a proof found: beside the file that was proved, and in the model folder."""

from __future__ import annotations

import json
import os
from pathlib import Path
from typing import Any

from seacall.deploy.proof import Proof
from seacall.files import file_sha256, written_whole
from seacall.models.checkpoint import VERIFY_NAME, read_card, write_card
from seacall.models.shipped import shipped_folder


def keep_report(model: Path, out: Path, kind: str, proof: Proof) -> dict[str, Any]:
    """Write a proof beside the exported file, and into the folder that it came from.

    A folder that may not be written, and the one in the package, stay as they are.

    Parameters
    ----------
    model
        Model folder; its card lists the report from then on.
    out
        What was exported.

    Returns
    -------
    report
        As it is written.
    """
    report = {
        "kind": kind,
        "file": out.name,
        "sha256": file_sha256(out) if out.is_file() else None,
        "model": dict(read_card(model).weights),
        **proof.as_dict(),
    }
    _write(out.with_name(f"{out.name}.{VERIFY_NAME}"), report)
    if model.resolve() != shipped_folder().resolve() and os.access(model, os.W_OK):
        kept = read_reports(model)
        _write(model / VERIFY_NAME, kept | {f"{kind}: {out.name}": report})
        write_card(model, read_card(model))
    return report


def read_reports(model: Path) -> dict[str, Any]:
    """Return the proofs that a model folder carries, by kind and file name.

    A file that is none of ours, or was damaged, holds none: it is written anew.
    """
    try:
        kept = json.loads((model / VERIFY_NAME).read_text(encoding="utf-8"))
    except (OSError, ValueError, RecursionError):
        return {}
    return kept if isinstance(kept, dict) else {}


def _write(path: Path, content: dict[str, Any]) -> None:
    text = json.dumps(content, indent=2, ensure_ascii=False)
    with written_whole(path) as part:
        part.write_text(text + "\n", encoding="utf-8")
