"""What all settings have in common: frozen, checked, read from and written to TOML."""

from __future__ import annotations

import hashlib
import json
import tomllib
from pathlib import Path
from typing import Any, TypeVar

import tomli_w
from pydantic import BaseModel, ConfigDict, ValidationError

from seacall.errors import SettingsError


class Settings(BaseModel):
    """Base of all settings: immutable, and a misspelt name is an error."""

    model_config = ConfigDict(
        frozen=True,
        extra="forbid",
        allow_inf_nan=False,
        use_attribute_docstrings=True,
    )

    def fingerprint(self) -> str:
        """Return 16 hex digits that change whenever any value changes."""
        text = json.dumps(self.model_dump(mode="json"), sort_keys=True)
        return hashlib.sha256(text.encode()).hexdigest()[:16]


def read_toml(path: Path) -> dict[str, Any]:
    """Read a settings file.

    Raises
    ------
    SettingsError
        If it is missing or is not TOML.
    """
    try:
        return tomllib.loads(path.read_text(encoding="utf-8"))
    except (OSError, UnicodeDecodeError, tomllib.TOMLDecodeError) as error:
        raise SettingsError(
            f"{path}: cannot be read as a settings file ({error}); "
            "give a TOML file, such as the settings.toml of an earlier run"
        ) from error


def write_toml(path: Path, values: dict[str, Any]) -> None:
    """Write settings to a file that ``--config`` reads back, without None values."""
    path.write_text(tomli_w.dumps(_without_none(values)), encoding="utf-8")


def _without_none(value: Any) -> Any:
    if isinstance(value, dict):
        return {k: _without_none(v) for k, v in value.items() if v is not None}
    if isinstance(value, list | tuple):
        return [_without_none(v) for v in value]
    return str(value) if isinstance(value, Path) else value


S = TypeVar("S", bound=Settings)


def checked(kind: type[S], values: dict[str, Any]) -> S:
    """Build settings from plain values, with errors that a user can act on.

    Raises
    ------
    SettingsError
        One line that names each wrong setting, its value and its rule.
    """
    try:
        return kind.model_validate(values)
    except ValidationError as error:
        raise SettingsError("; ".join(_in_words(e) for e in error.errors())) from error


def _in_words(error: Any) -> str:
    where = ".".join(str(part) for part in error["loc"]) or "settings"
    message = error["msg"].removeprefix("Value error, ")
    if error["type"] == "extra_forbidden":
        return f"{where}: there is no such setting"
    return f"{where}={error['input']!r}: {message[0].lower()}{message[1:]}"
