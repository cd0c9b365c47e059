"""Routes of what happens now: health, events, the live feed, figures for monitors."""

from __future__ import annotations

import asyncio
import logging
import threading
from collections.abc import Callable, Mapping
from contextlib import suppress
from typing import Annotated, Any

from fastapi import (
    APIRouter,
    HTTPException,
    Query,
    Request,
    WebSocket,
    WebSocketDisconnect,
)
from fastapi.responses import PlainTextResponse
from starlette.websockets import WebSocketState

from seacall.errors import SeacallError
from seacall.live.status import metrics_of
from seacall.review.place import Place
from seacall.web.answers import place_of
from seacall.web.feed import Feed, Viewer
from seacall.web.security import KNOWN
from seacall.web.station_view import StationView

Log = logging.getLogger("seacall.web")

_LATER = 1013
"""RFC 6455's registry: try again later."""
_NO_PLACE = 1008
_PROMETHEUS = "text/plain; version=0.0.4"


class Stations:
    """What is read of the stations among the places; opened when it is asked for.

    Parameters
    ----------
    places
        All places, by id; may grow.
    row
        Makes a detection of a place plain values, by its number.
    most_viewers
        Those beyond are asked to come again later.
    """

    def __init__(
        self,
        places: Mapping[str, Place],
        row: Callable[[Place, int], dict[str, Any]],
        *,
        most_viewers: int = 256,
    ) -> None:
        self._most_viewers = most_viewers
        self._places, self._row = places, row
        self._views: dict[str, StationView] = {}
        self._feeds: dict[str, Feed] = {}
        self._turn = threading.Lock()

    def view(self, name: str) -> StationView | None:
        """Return what is read of a place; None: it is no station.

        Raises
        ------
        HTTPException
            404, if there is no such place.
        """
        place = place_of(self._places, name)
        if place.kind != "station":
            return None
        with self._turn:
            if name not in self._views:
                self._views[name] = StationView(place.folder)
            return self._views[name]

    def feed(self, name: str) -> Feed | None:
        """Return the live feed of a place; None: it is no station."""
        view = self.view(name)
        if view is None:
            return None
        place = self._places[name]
        with self._turn:
            if name not in self._feeds:
                self._feeds[name] = Feed(view, lambda number: self._row(place, number))
            return self._feeds[name]

    def views(self) -> dict[str, StationView]:
        """Return what is read of each station."""
        # Uploads may add one meanwhile.
        found = {name: self.view(name) for name in list(self._places)}
        return {name: view for name, view in found.items() if view is not None}

    @property
    def n_viewers(self) -> int:
        """How many watch."""
        return sum(feed.n_viewers for feed in self._feeds.values())

    @property
    def is_full(self) -> bool:
        """Whether there is no room for more."""
        return self.n_viewers >= self._most_viewers

    async def close(self) -> None:
        """Let go of everything."""
        for feed in self._feeds.values():
            await feed.close()
        for view in self._views.values():
            view.close()


def live_router(stations: Stations) -> APIRouter:
    """Return the routes."""
    router = APIRouter()

    @router.get("/api/places/{place}/health")
    def health(place: str) -> dict[str, Any]:
        """Tell how a station is."""
        return _station(stations, place).health()

    @router.get("/api/places/{place}/events")
    def events(
        place: str, limit: Annotated[int, Query(ge=1, le=1000)] = 100
    ) -> dict[str, Any]:
        """Tell what happened at a station, newest first."""
        return {"rows": _station(stations, place).events(limit=limit)}

    @router.get("/healthz", response_class=PlainTextResponse)
    def healthz(request: Request) -> PlainTextResponse:
        """Tell whether all stations are well: 200, or 503 and what is wrong.

        What is wrong is told to those who know the token.
        """
        wrong = _troubles(stations)
        told = "\n".join(wrong) if request.scope.get(KNOWN) else "not well"
        text = told if wrong else "ok"
        return PlainTextResponse(f"{text}\n", 503 if wrong else 200)

    @router.get("/metrics", response_class=PlainTextResponse)
    def metrics() -> PlainTextResponse:
        """Tell the stations' figures in Prometheus' text format."""
        found = {name: view.status() for name, view in stations.views().items()}
        text = metrics_of({n: one for n, one in found.items() if one is not None})
        text += (
            "# HELP seacall_viewers Browsers that watch live\n"
            f"# TYPE seacall_viewers gauge\nseacall_viewers {stations.n_viewers}\n"
        )
        return PlainTextResponse(text, media_type=_PROMETHEUS)

    @router.websocket("/api/places/{place}/live")
    async def live(socket: WebSocket, place: str, source: str | None = None) -> None:
        """Send what a station hears, as it hears it."""
        try:
            feed = await asyncio.to_thread(stations.feed, place)
        except (HTTPException, SeacallError):
            feed = None
        if feed is None:
            await socket.close(_NO_PLACE)
            return
        await socket.accept()
        if stations.is_full:
            await socket.close(_LATER)
            return
        viewer = Viewer(source)
        try:
            await feed.join(viewer)
            await _until_one_goes(socket, viewer)
        except SeacallError as error:  # a journal that is busy, or gone
            Log.warning("%s: %s", place, error)
            await socket.close(_LATER)
        finally:
            feed.leave(viewer)

    return router


def _troubles(stations: Stations) -> list[str]:
    try:
        return [
            f"{name}: {text}"
            for name, view in stations.views().items()
            for text in view.troubles()
        ]
    except SeacallError as error:  # a folder that is gone
        return [" ".join(str(error).split())]


def _station(stations: Stations, place: str) -> StationView:
    view = stations.view(place)
    if view is None:
        raise HTTPException(404, f"{place} is no station: nothing is heard there now")
    return view


async def _until_one_goes(socket: WebSocket, viewer: Viewer) -> None:
    tasks = [
        asyncio.create_task(_send(socket, viewer)),
        asyncio.create_task(_hear_out(socket)),
        asyncio.create_task(viewer.overrun.wait()),
    ]
    await asyncio.wait(tasks, return_when=asyncio.FIRST_COMPLETED)
    for task in tasks:
        task.cancel()
    await asyncio.gather(*tasks, return_exceptions=True)
    if viewer.overrun.is_set() and socket.application_state is WebSocketState.CONNECTED:
        # It does not read, and may never read that either.
        with suppress(RuntimeError, WebSocketDisconnect, TimeoutError):
            await asyncio.wait_for(socket.close(_LATER), 1.0)


async def _send(socket: WebSocket, viewer: Viewer) -> None:
    while True:
        await socket.send_text(await viewer.next())


async def _hear_out(socket: WebSocket) -> None:
    """Wait for the viewer's end; what it says is of no interest."""
    while (await socket.receive())["type"] != "websocket.disconnect":
        pass
