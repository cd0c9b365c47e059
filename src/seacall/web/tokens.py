"""Keep the token that lets others in, in a file that only its owner reads."""

from __future__ import annotations

import os
import re
import secrets
import stat
from pathlib import Path

from seacall.errors import SettingsError
from seacall.web.settings import SHORTEST_TOKEN


def default_token_file() -> Path:
    """Return where the token is kept if nobody says where (XDG's folder of states)."""
    state = os.environ.get("XDG_STATE_HOME") or Path.home() / ".local" / "state"
    return Path(state) / "seacall" / "token"


def token_in(path: Path) -> str:
    """Return the token of a file; make both if there is none.

    Raises
    ------
    SettingsError
        If others may read the file, or it holds no token, or cannot be written.
    """
    try:
        if not path.exists():
            _write(path, secrets.token_urlsafe(32))
        if path.stat().st_mode & (stat.S_IRWXG | stat.S_IRWXO):
            raise SettingsError(
                f"{path}: may be read by others; run chmod 600 {path}, or name "
                "another --token-file"
            )
        token = path.read_text(encoding="ascii").strip()
    except (OSError, UnicodeDecodeError) as error:
        raise SettingsError(
            f"{path}: cannot be used as a token file ({error}); name another "
            "--token-file"
        ) from error
    if len(token) < SHORTEST_TOKEN or not re.fullmatch(r"[\w.~-]+", token, re.ASCII):
        raise SettingsError(
            f"{path}: holds no token; it takes at least {SHORTEST_TOKEN} letters, "
            "digits, - or _; delete it, and one is made"
        )
    return token


def _write(path: Path, token: str) -> None:
    path.parent.mkdir(parents=True, exist_ok=True, mode=0o700)
    handle = os.open(path, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600)
    with os.fdopen(handle, "w", encoding="ascii") as stream:
        stream.write(f"{token}\n")
