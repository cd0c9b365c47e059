"""Let in who may come in: by host, origin and token; and say so to the browser.

A page on the internet can make a browser send requests to this machine. What stops it:

* where no token is asked for, the Host header must name an address, or a name that is
  known to be ours: a name of theirs that is made to point here (DNS rebinding) is
  neither;
* WebSockets, and requests that change something, must come from our own page (Origin);
  programs may leave the origin out if they show the token, which no page can send;
* nothing else of ours may be fetched by another site's page (Sec-Fetch-Site);
* the cookie is not sent with requests from other sites (SameSite=Strict).
"""

from __future__ import annotations

import hmac
import logging
import socket
from collections.abc import Mapping
from dataclasses import dataclass
from hashlib import sha256
from http.cookies import CookieError, SimpleCookie
from ipaddress import ip_address
from urllib.parse import parse_qs, urlsplit

from starlette.datastructures import Headers, MutableHeaders
from starlette.responses import HTMLResponse
from starlette.types import ASGIApp, Message, Receive, Scope, Send

from seacall.web.answers import failure
from seacall.web.settings import ServeSettings

Log = logging.getLogger("seacall.web")

STYLES = ("'sha256-fF0LBso7Nz75zaFRDBUefBDvPe19hjaiDnnc8lt+2Js='",)
"""Of the style sheet that wavesurfer.js puts into its shadow root."""
HEADERS = {
    "Content-Security-Policy": "; ".join(
        (
            "default-src 'self'",
            "script-src 'self'",
            " ".join(("style-src 'self'", *STYLES)),
            "object-src 'none'",
            "base-uri 'none'",
            "form-action 'self'",
            "frame-ancestors 'none'",
        )
    ),
    "X-Content-Type-Options": "nosniff",
    "X-Frame-Options": "DENY",
    "Referrer-Policy": "no-referrer",
    "Cross-Origin-Opener-Policy": "same-origin",
    "Cross-Origin-Resource-Policy": "same-origin",
    "Permissions-Policy": "camera=(), geolocation=(), microphone=(), payment=()",
}
"""What every answer tells the browser."""
SAFE = frozenset({"GET", "HEAD", "OPTIONS"})
_OPEN = frozenset({"/healthz"})
"""Whoever watches over servers need not know the token."""
KNOWN = "seacall.known"
"""In a request's scope: whether it may be told everything."""
_DAYS_30 = 30 * 86_400


@dataclass(frozen=True)
class Refusal:
    """Why a request is not let in."""

    status: int
    text: str
    headers: Mapping[str, str] | None = None


class Guard:
    """ASGI middleware before everything else.

    Parameters
    ----------
    app
        What is guarded.
    settings
        Host, names, token.
    """

    def __init__(self, app: ASGIApp, settings: ServeSettings) -> None:
        self._app = app
        self._token = settings.token
        self._names = _own_names(settings)

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Let a request through, or refuse it."""
        if scope["type"] not in ("http", "websocket"):
            await self._app(scope, receive, send)
            return
        send = _with_headers(send, no_store=scope["path"].startswith("/api"))
        headers = Headers(scope=scope)
        refusal = self._refusal(scope, headers)
        if refusal is None and self._enters(scope, headers):
            await self._answer_entering(scope, receive, send)
        elif refusal is None:
            await self._go_on(scope, receive, send)
        elif scope["type"] == "websocket":
            await receive()
            await send({"type": "websocket.close", "code": 1008})
        else:
            answer = failure(refusal.status, refusal.text, refusal.headers)
            await answer(scope, receive, send)

    async def _go_on(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Let it through; what goes wrong there is told in one line, and logged."""
        begun = False

        async def noted(message: Message) -> None:
            nonlocal begun
            begun = True
            await send(message)

        try:
            await self._app(scope, receive, noted)
        except Exception:
            if begun or scope["type"] == "websocket":
                raise
            Log.exception("%s %s", scope["method"], scope["path"])
            answer = failure(500, "this went wrong; the server's log says why")
            await answer(scope, receive, send)

    def _refusal(self, scope: Scope, headers: Headers) -> Refusal | None:
        if not self._is_ours(headers.getlist("host")):
            return Refusal(
                421,
                "this name is not known here; open the address that seacall serve "
                "printed, or give the name with --name",
            )
        knows = self._knows_token(scope, headers)
        by_program = self._token is not None and _bearer(headers) is not None
        if not self._same_site(scope, headers, by_program=by_program):
            return Refusal(403, "only this server's own page may ask for that")
        scope[KNOWN] = knows
        if knows or scope["path"] in _OPEN:
            return None
        return Refusal(
            401,
            "a token is needed; open the address that seacall serve printed",
            {"WWW-Authenticate": "Bearer"},
        )

    def _is_ours(self, hosts: list[str]) -> bool:
        if len(hosts) != 1:
            return False
        try:
            name = urlsplit(f"//{hosts[0]}").hostname or ""
        except ValueError:
            return False
        if self._token is not None:  # a foreign name has no cookie of ours
            return bool(name)
        return name in self._names or _is_address(name)

    def _same_site(self, scope: Scope, headers: Headers, *, by_program: bool) -> bool:
        """Tell whether a request comes from our page, or from no page at all."""
        if by_program:  # with a token that is checked behind this
            return True
        path = scope["path"]
        foreign = headers.get("sec-fetch-site", "none") not in ("same-origin", "none")
        if foreign and (path.startswith("/api") or path == "/metrics"):
            return False
        if scope["type"] == "http" and scope["method"] in SAFE:
            return True
        origins = headers.getlist("origin")
        return len(origins) == 1 and _address(origins[0]) == headers["host"].lower()

    def _knows_token(self, scope: Scope, headers: Headers) -> bool:
        if self._token is None:
            return True
        given = _bearer(headers)
        if given is not None:
            return _same(given, self._token)
        name, value = cookie_of(self._token)
        if _same(_cookie(headers, name), value):
            return True
        return self._enters(scope, headers)

    def _enters(self, scope: Scope, headers: Headers) -> bool:
        """Tell whether this is the address that was printed, with the right token."""
        if scope["type"] != "http" or scope["path"] != "/" or self._token is None:
            return False
        query = parse_qs(scope["query_string"].decode("latin-1"), max_num_fields=20)
        return _same(query.get("token", [""])[0], self._token)

    async def _answer_entering(
        self, scope: Scope, receive: Receive, send: Send
    ) -> None:
        """Put the token into a cookie, and take it out of the address."""
        assert self._token is not None
        kept = "=".join(cookie_of(self._token))
        cookie = f"{kept}; HttpOnly; SameSite=Strict; Path=/; Max-Age={_DAYS_30}"
        secure = "; Secure" if scope.get("scheme") == "https" else ""
        # Not by a redirect: it would count as coming from the site whose link was
        # followed, a mail say, and the cookie would not be sent.
        page = (
            '<!doctype html><link rel="icon" href="/static/icon.svg">'
            '<meta http-equiv="refresh" content="0;url=/">'
        )
        answer = HTMLResponse(page, headers={"Set-Cookie": cookie + secure})
        await answer(scope, receive, send)


def cookie_of(token: str) -> tuple[str, str]:
    """Return name and value of the cookie: it opens this server, and tells no token.

    The name differs by token: cookies do not know ports, and a machine may have two
    servers.
    """
    digest = sha256(b"seacall cookie " + token.encode()).hexdigest()
    return f"seacall_{digest[:8]}", digest[8:]


def _own_names(settings: ServeSettings) -> frozenset[str]:
    host = socket.gethostname().lower()
    names = {"localhost", host, f"{host.partition('.')[0]}.local", *settings.names}
    return frozenset(name.lower() for name in names if name)


def _is_address(name: str) -> bool:
    """Tell whether a host is an IP address: these cannot be made to point elsewhere."""
    try:
        ip_address(name)
    except ValueError:
        return False
    return True


def _address(origin: str) -> str | None:
    """Return host and port of an origin, as a Host header would name them."""
    try:
        parts = urlsplit(origin)
    except ValueError:
        return None
    return parts.netloc.lower() if parts.scheme in ("http", "https") else None


def _bearer(headers: Headers) -> str | None:
    kind, _, value = headers.get("authorization", "").partition(" ")
    return value.strip() if kind.lower() == "bearer" else None


def _cookie(headers: Headers, name: str) -> str:
    try:
        cookies = SimpleCookie(headers.get("cookie", ""))
    except CookieError:
        return ""
    return cookies[name].value if name in cookies else ""


def _same(given: str, right: str) -> bool:
    """Compare in a time that tells nothing of how much was right."""
    return hmac.compare_digest(given.encode("utf-8", "replace"), right.encode())


def _with_headers(send: Send, *, no_store: bool) -> Send:
    async def sent(message: Message) -> None:
        if message["type"] == "http.response.start":
            headers = MutableHeaders(scope=message)
            for name, value in HEADERS.items():
                headers[name] = value
            headers.setdefault("Cache-Control", "no-store" if no_store else "no-cache")
        await send(message)

    return sent
