"""What routes answer with: JSON of any text, and errors in one line."""

from __future__ import annotations

import json
import re
from collections.abc import Mapping
from typing import Any, TypeVar

from fastapi import FastAPI, HTTPException, Request
from fastapi.exceptions import RequestValidationError
from fastapi.responses import JSONResponse
from starlette.exceptions import HTTPException as StarletteError

from seacall.errors import SeacallError

P = TypeVar("P")


class Json(JSONResponse):
    """JSON in ASCII: names of files may hold bytes that are no text."""

    def render(self, content: Any) -> bytes:
        """Return the body."""
        text = json.dumps(content, allow_nan=False, separators=(",", ":"))
        return text.encode("ascii")


def place_of(places: Mapping[str, P], name: str) -> P:
    """Return the place of that id.

    Raises
    ------
    HTTPException
        404, if there is none.
    """
    try:
        return places[name]
    except KeyError:
        raise HTTPException(404, f"there is no place {name!r}") from None


def failure(status: int, text: str, headers: Mapping[str, str] | None = None) -> Json:
    """Return an error as all errors are: ``{"detail": "one line"}``."""
    detail = " ".join(text.split())
    return Json({"detail": detail}, status, None if headers is None else {**headers})


def add_error_answers(app: FastAPI) -> None:
    """Let every error of a route become an answer in one line."""

    @app.exception_handler(StarletteError)
    async def http(_: Request, error: StarletteError) -> Json:
        return failure(error.status_code, str(error.detail), error.headers)

    @app.exception_handler(RequestValidationError)
    async def invalid(_: Request, error: RequestValidationError) -> Json:
        return failure(422, "; ".join(_in_words(one) for one in error.errors()))

    @app.exception_handler(SeacallError)
    async def ours(_: Request, error: SeacallError) -> Json:
        return failure(400, without_folders(str(error)))

    @app.exception_handler(KeyError)
    async def missing(_: Request, error: KeyError) -> Json:
        if not (error.args and isinstance(error.args[0], int)):
            raise error  # no number of a detection: a bug
        return failure(404, f"there is no detection {error.args[0]}")


def without_folders(text: str) -> str:
    """Leave the names of files, not where they lie: that is not for all to see."""
    return re.sub(r"(?<![\w:/])/(?:[^/\s:]+/)+", "", text)


def _in_words(error: Mapping[str, Any]) -> str:
    where = ".".join(str(part) for part in error["loc"][1:]) or "request"
    return f"{where}: {error['msg'][0].lower()}{error['msg'][1:]}"
