"""Patterns of dates in file names, ours and the user's, read by a strict calendar."""

from __future__ import annotations

import re
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta, tzinfo

from seacall.data.time_zones import offset_zone
from seacall.errors import SettingsError

_MONTHS = [
    *("jan", "feb", "mar", "apr", "may", "jun"),
    *("jul", "aug", "sep", "oct", "nov", "dec"),
]

_FIELDS = {
    "Y": r"\d{4}",
    "y": r"\d{2}",
    "m": r"\d{2}",
    "b": r"[A-Za-z]{3}",
    "d": r"\d{2}",
    "j": r"\d{3}",
    "H": r"\d{2}",
    "I": r"\d{2}",
    "M": r"\d{2}",
    "S": r"\d{2}",
    "f": r"\d{1,9}",
    "p": r"[AaPp][Mm]",
    "z": r"Z|UTC|[+-]\d{2}:?\d{2}",
    "s": r"\d{9,10}",
}
"""Fields by their letter in ``strptime``; ``s`` are seconds since 1970."""

_RUNS = {
    "yyyy": "Y",
    "yy": "y",
    "MM": "m",
    "MMM": "b",
    "dd": "d",
    "DDD": "j",
    "HH": "H",
    "mm": "M",
    "ss": "S",
}
"""Fields as runs of letters, as PAMGuard and Java write them."""

_TOKEN = re.compile(r"'[^']*'|y+|M+|d+|D+|H+|m+|s+|S+|.", re.DOTALL)
_CODE = re.compile(r"%(.?)|[^%]", re.DOTALL)
_HALF = r"(?:[ _-]?(?P<p>[AaPp][Mm])(?![A-Za-z]))?"
_ZONE = r"(?P<z>Z(?![A-Za-z])|_?UTC|_[+-]\d{4}(?!\d)|\+\d\d:?\d\d(?!\d)%s)?"
_MINUS = r"|-\d\d:?\d\d(?!\d)"
_DIGITS = "YymdjHIMSfs"


@dataclass(frozen=True)
class TimePattern:
    """A pattern that dates in names are read by."""

    text: str
    """As it was written."""
    regex: re.Pattern[str]
    """Its groups are named by the letters of ``strptime``; it looks ahead, so that
    matches may overlap."""
    fields: frozenset[str]
    n_folders: int = 0
    """Folders above the file whose names belong to it (its slashes)."""

    @property
    def rank(self) -> int:
        """How unlikely it is that a number fits by chance.

        3: year of four digits, date first, to the second; 2: year of four digits; 1:
        year of two digits, to the second; 0: less.
        """
        if "Y" in self.fields:
            date_first = self.text.lstrip("'").startswith("yyyy")
            return 3 if date_first and "S" in self.fields else 2
        return 1 if self.fields >= {"m", "S"} else 0


def compile_pattern(text: str) -> TimePattern:
    """Compile a pattern: letters as PAMGuard has them, or codes of ``strptime``.

    Parameters
    ----------
    text
        With ``%``: the codes %Y %y %m %b %d %j %H %I %p %M %S %f %z, and %s for seconds
        since 1970. Without: yyyy yy MM MMM dd DDD HH mm ss, S for each digit of a
        fraction, words in single quotes. In both ``#`` is any one character, ``*`` any
        number of them, ``/`` separates folders. A pattern that begins with ``#`` begins
        where the name does, any other one may lie anywhere in the name.
        ``hex``: names are seconds since 1970 as eight hexadecimal digits.

    Raises
    ------
    SettingsError
        If it has unknown parts, a part twice, or no date and hour.

    Examples
    --------
    >>> match = compile_pattern("#####yyMMddHHmmss").regex.search("5678.190501190800")
    >>> match["y"], match["S"]
    ('19', '00')
    """
    if text == "hex":
        regex = re.compile(r"(?=^(?P<hex>[0-9A-Fa-f]{8})\Z)")
        return TimePattern(text, regex, frozenset({"hex"}))
    parts = _coded(text) if "%" in text else _lettered(text)
    fields = [part for part, is_field in parts if is_field]
    _check(text, fields)
    return TimePattern(
        text=text,
        regex=re.compile(f"(?=(?P<all>{_regex(text, parts)}))", re.ASCII | re.DOTALL),
        fields=frozenset(fields),
        n_folders=text.count("/"),
    )


def read_time(
    pattern: TimePattern, groups: dict[str, str | None]
) -> tuple[datetime, tzinfo | None]:
    """Return what the parts of a match mean, by a strict calendar.

    Returns
    -------
    local
        Without a zone; UTC where the pattern counts seconds since 1970.
    zone
        The zone that the name gives; None: it gives none.

    Raises
    ------
    ValueError
        If there is no such date or time of day.
    """
    if "hex" in pattern.fields or "s" in pattern.fields:
        seconds = int(groups.get("s") or str(int(groups.get("hex") or "0", 16)))
        epoch = datetime(1970, 1, 1)
        fraction = timedelta(microseconds=_microseconds(groups))
        return epoch + timedelta(seconds=seconds) + fraction, UTC
    four = groups.get("Y")
    year = int(four) if four else _century(int(groups.get("y") or 0))
    day = _day(year, groups)
    return day.replace(
        hour=_hour(groups),
        minute=int(groups.get("M") or 0),
        second=int(groups.get("S") or 0),
        microsecond=_microseconds(groups),
    ), _zone(groups.get("z"))


def _coded(text: str) -> list[tuple[str, bool]]:
    parts = []
    for token in _CODE.finditer(text):
        code = token[1]
        if code is None or code == "%":
            parts.append((token[0][0], False))
        elif code in _FIELDS:
            parts.append((code, True))
        else:
            codes = " ".join(f"%{code}" for code in _FIELDS)
            raise SettingsError(
                f"time pattern {text!r} holds {token[0]!r}; it takes {codes}"
            )
    return parts


def _lettered(text: str) -> list[tuple[str, bool]]:
    parts = []
    for token in _TOKEN.findall(text):
        if token in _RUNS:
            parts.append((_RUNS[token], True))
        elif set(token) == {"S"} and len(token) <= 9:
            parts.append((f"f{len(token)}", True))
        elif token[0] in "yMdDHmsS":
            raise SettingsError(
                f"time pattern {text!r} holds {token!r}; it takes "
                f"{' '.join(_RUNS)} SSS, words in single quotes, # and *"
            )
        else:
            parts += [(character, False) for character in token.strip("'")]
    return parts


def _check(text: str, fields: list[str]) -> None:
    letters = [field[0] for field in fields]
    if twice := {letter for letter in letters if letters.count(letter) > 1}:
        raise SettingsError(
            f"time pattern {text!r} holds {', '.join(sorted(twice))} twice; "
            "put * or # in the place of one"
        )
    found = set(letters)
    dated = found & set("Yy") and ("j" in found or ("d" in found and found & set("mb")))
    timed = "H" in found or {"I", "p"} <= found
    if "s" not in found and not (dated and timed):
        raise SettingsError(
            f"time pattern {text!r} does not give a date and an hour; "
            "write it like *yyyyMMdd_HHmmss or *%Y%m%d_%H%M%S"
        )


def _regex(text: str, parts: list[tuple[str, bool]]) -> str:
    while parts[0] == ("*", False):  # anywhere: found wherever it fits, not only once
        parts = parts[1:]
    pieces = [_piece(part, is_field=is_field) for part, is_field in parts]
    if parts[0] == ("#", False):
        pieces.insert(0, "^")
    elif parts[0][1] and parts[0][0][0] in _DIGITS:
        pieces.insert(0, r"(?<!\d)")
    if parts[-1][1] and parts[-1][0][0] in _DIGITS:
        pieces.append(r"(?!\d)")
    return "".join(pieces) + _ending(
        text, [part[0] for part, is_field in parts if is_field]
    )


def _ending(text: str, letters: list[str]) -> str:
    """Return what may follow a time: AM or PM, and a zone."""
    if "z" in letters or "s" in letters:
        return ""
    if letters[-1] not in "HIMSfp":
        return "(?P<z>Z(?![A-Za-z])|_?UTC)?"
    # 20190501_190800-0400 may as well end at four o'clock, ISO's T190800-0400 cannot.
    minus = "'T'" in text or "f" in letters
    half = "" if {"I", "p"} & set(letters) else _HALF
    return half + _ZONE % (_MINUS if minus else "")


def _piece(part: str, *, is_field: bool) -> str:
    if not is_field:
        return {"#": ".", "*": ".*?"}.get(part) or re.escape(part)
    if part[0] == "f" and len(part) == 2:
        return rf"(?P<f>\d{{{part[1]}}})"
    return f"(?P<{part}>{_FIELDS[part]})"


def _century(year: int) -> int:
    return 1900 + year if year >= 90 else 2000 + year


def _day(year: int, groups: dict[str, str | None]) -> datetime:
    if groups.get("j"):
        if year < 2:
            raise ValueError(f"{year} is no year")
        day = datetime(year, 1, 1) + timedelta(days=int(groups["j"] or 0) - 1)
        if day.year != year:
            raise ValueError(f"{year} has no day {groups['j']}")
        return day
    name = groups.get("b")
    if name is not None and name.lower() not in _MONTHS:
        raise ValueError(f"{name} is no month")
    month = _MONTHS.index(name.lower()) + 1 if name else int(groups.get("m") or 0)
    return datetime(year, month, int(groups.get("d") or 0))


def _hour(groups: dict[str, str | None]) -> int:
    hour = int(groups.get("H") or groups.get("I") or 0)
    half = groups.get("p")
    if half is None:
        return hour
    if not 1 <= hour <= 12:
        if groups.get("H"):
            return hour  # of 24; AM is something else, such as a person
        raise ValueError(f"there is no hour {hour} {half}")
    return hour % 12 + (12 if half.lower() == "pm" else 0)


def _microseconds(groups: dict[str, str | None]) -> int:
    return int(((groups.get("f") or "0") + "000000")[:6])


def _zone(text: str | None) -> tzinfo | None:
    digits = (text or "").strip("_").replace(":", "")
    if digits in {"Z", "UTC"}:
        return UTC
    return offset_zone(digits[0], digits[1:3], digits[3:]) if digits else None
