"""Read no more of a request than is right, and wait no longer for it."""

from __future__ import annotations

import asyncio

from starlette.datastructures import Headers
from starlette.exceptions import HTTPException
from starlette.types import ASGIApp, Message, Receive, Scope, Send

from seacall.web.answers import failure
from seacall.web.settings import ServeSettings

MOST_JSON_BYTES = 65_536
UPLOADS = "/api/uploads"
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
        uploads = scope["path"] == UPLOADS
        most = self._settings.max_upload_bytes if uploads else MOST_JSON_BYTES
        if _announced(Headers(scope=scope)) > most:
            answer = failure(413, _too_long(most), _CLOSE)
            await answer(scope, receive, send)
            return
        limited = _limited(receive, most=most, patience_s=self._settings.body_s)
        await self._app(scope, limited, send)


def _announced(headers: Headers) -> int:
    length = headers.get("content-length", "0")
    return int(length) if length.isdecimal() else 0


def _too_long(most: int) -> str:
    return f"too long; at most {most:,} bytes are taken"


def _limited(receive: Receive, *, most: int, patience_s: float) -> Receive:
    so_far = 0
    over = False

    async def received() -> Message:
        nonlocal so_far, over
        if over:  # what comes behind the body is that the client goes, at any time
            return await receive()
        try:
            async with asyncio.timeout(patience_s):
                message = await receive()
        except TimeoutError:
            text = f"nothing came for {patience_s:g} s"
            raise HTTPException(408, text, _CLOSE) from None
        so_far += len(message.get("body", b""))
        over = not message.get("more_body", False)
        if so_far > most:
            raise HTTPException(413, _too_long(most), _CLOSE)
        return message

    return received
