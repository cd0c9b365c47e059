"""What would give away the machine that a file was made on."""

from __future__ import annotations

import sys
import tempfile
from pathlib import Path


def traces() -> list[bytes]:
    """Return paths of this machine: its folders, and the places that tests work in."""
    tops = [f"/{folder.name}/" for folder in Path("/").iterdir() if folder.is_dir()]
    places = [Path.home(), Path.cwd(), Path(sys.prefix), Path(tempfile.gettempdir())]
    # A home of "/" would be in everything.
    named = [str(place) for place in places if len(place.parts) > 1]
    return [text.encode() for text in [*tops, *named, "site-packages", ".py"]]
