"""Read no more of a request than is right, and wait no longer for it."""

from __future__ import annotations

import asyncio
import time
from dataclasses import dataclass

from starlette.datastructures import Headers
from starlette.exceptions import HTTPException
from starlette.types import ASGIApp, Message, Receive, Scope, Send

from seacall.web.answers import failure
from seacall.web.settings import ServeSettings

MOST_JSON_BYTES = 65_536
UPLOADS = "/api/uploads"
_SLOWEST = 5_000.0
"""Of an upload, bytes in a second: slower ones take a place from others."""
_CLOSE = {"Connection": "close"}


class Bodies:
    """ASGI middleware: limits of length and patience for what comes in.

    A length that is announced is judged before any of it is read; one that is not, as
    it comes. The connection is closed behind a refusal: what is still sent is not read.

    Parameters
    ----------
    app
        What gets the rest.
    settings
        Limits.
    """

    def __init__(self, app: ASGIApp, settings: ServeSettings) -> None:
        self._app = app
        self._settings = settings

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Pass a request on, with a body that has an end."""
        if scope["type"] != "http":
            await self._app(scope, receive, send)
            return
        headers = Headers(scope=scope)
        pace = self._pace(scope["path"])
        if "content-length" in headers and "transfer-encoding" in headers:
            # Proxies before us may take the other one for the right one.
            await failure(400, "two lengths", _CLOSE)(scope, receive, send)
        elif _announced(headers) > pace.most:
            await failure(413, pace.too_long, _CLOSE)(scope, receive, send)
        else:
            await self._app(scope, _limited(receive, pace), send)

    def _pace(self, path: str) -> Pace:
        body_s = self._settings.body_s
        if path == UPLOADS:
            return Pace(self._settings.max_upload_bytes, body_s, _SLOWEST)
        return Pace(MOST_JSON_BYTES, body_s, MOST_JSON_BYTES)


@dataclass(frozen=True)
class Pace:
    """How much may come, and how slowly."""

    most: int
    """Bytes."""
    patience_s: float
    """Longest wait for the next bytes, and before the pace is judged, s."""
    slowest: float
    """Bytes in a second, from then on."""

    @property
    def too_long(self) -> str:
        """What is said of more."""
        return f"too long; at most {self.most:,} bytes are taken"

    def left_s(self, so_far: int, passed_s: float) -> float:
        """Return how long the next bytes may take, s."""
        due_s = self.patience_s + so_far / self.slowest
        return max(0.0, min(self.patience_s, due_s - passed_s))


def _announced(headers: Headers) -> int:
    length = headers.get("content-length", "0")
    return int(length) if length.isdecimal() else 0


def _limited(receive: Receive, pace: Pace) -> Receive:
    so_far, over, began = 0, False, time.monotonic()

    async def received() -> Message:
        nonlocal so_far, over
        if over:  # what comes behind the body is that the client goes, at any time
            return await receive()
        left_s = pace.left_s(so_far, time.monotonic() - began)
        try:
            async with asyncio.timeout(left_s):
                message = await receive()
        except TimeoutError:
            raise HTTPException(408, "too little came for too long", _CLOSE) from None
        so_far += len(message.get("body", b""))
        over = not message.get("more_body", False)
        if so_far > pace.most:
            raise HTTPException(413, pace.too_long, _CLOSE)
        return message

    return received
