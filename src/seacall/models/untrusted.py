"""Read JSON that others wrote: small, shallow, and told in one short line."""

from __future__ import annotations

import json
import math
from collections.abc import Iterable
from itertools import chain, islice
from pathlib import Path
from typing import Any

MAX_JSON_BYTES = 4_000_000
"""A hundred times the card of the model in the package."""
MAX_DEPTH = 40
"""Levels of lists and dictionaries; cards have six. The writers of JSON give up at a
few hundred, which would make a card that can be read and not be kept."""
MAX_VALUES = 200_000
"""Values in one file. Pickled lists that hold each other count as often as they would
be written: a few bytes can stand for more than any memory holds."""
_MAX_LINE = 300


def read_json(path: Path) -> Any:
    """Read a JSON file.

    Raises
    ------
    ValueError
        If it is no JSON, too large, or too deep.
    OSError
        If it cannot be read.
    """
    n_bytes = path.stat().st_size
    if n_bytes > MAX_JSON_BYTES:
        raise ValueError(
            f"{n_bytes:,} bytes, at most {MAX_JSON_BYTES:,} are read as JSON"
        )
    try:
        content = json.loads(path.read_text(encoding="utf-8"))
    except RecursionError:
        raise ValueError(f"more than {MAX_DEPTH} levels") from None
    check_plain(content, finite=False)
    return content


def check_plain(content: Any, *, finite: bool = True) -> None:
    """Check that a value could be written as JSON, and would be short.

    Parameters
    ----------
    finite
        False: let numbers that are not finite through.

    Raises
    ------
    ValueError
        If it is too deep or too large, or holds something else than text, finite
        numbers, truth values, lists and dictionaries.
    """
    room = MAX_VALUES
    level = [content]
    for _ in range(MAX_DEPTH):
        if finite and not all(map(_is_finite, level)):
            raise ValueError("it has a number that is not finite")
        inner = chain.from_iterable(map(_inner, level))
        level = list(islice(inner, room + 1))
        room -= len(level)
        if room < 0:
            raise ValueError(f"more than {MAX_VALUES:,} values")
        if not level:
            return
    raise ValueError(f"more than {MAX_DEPTH} levels")


def _inner(value: Any) -> Iterable[Any]:
    """Return what a list or dictionary holds; refuse what is no plain value."""
    if isinstance(value, dict):
        return chain(value, value.values())
    if isinstance(value, list | tuple):
        return value
    if value is not None and not isinstance(value, str | int | float):
        raise ValueError(f"a {type(value).__name__} is no plain value")
    return ()


def _is_finite(value: Any) -> bool:
    return not isinstance(value, float) or math.isfinite(value)


def one_line(text: str) -> str:
    r"""Shorten a text that may hold others' words, for one line of a terminal.

    Examples
    --------
    >>> one_line("a\nb\x1b[2J")
    'a b?[2J'
    """
    text = " ".join(text[: 4 * _MAX_LINE].split())
    text = "".join(c if c.isprintable() else "?" for c in text)
    return text if len(text) <= _MAX_LINE else text[: _MAX_LINE - 3] + "..."
