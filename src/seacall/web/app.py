"""Put the server together: guard, limits, routes, the page."""

from __future__ import annotations

from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from importlib import metadata
from pathlib import Path
from typing import Any

from fastapi import FastAPI
from fastapi.responses import FileResponse
from starlette.staticfiles import StaticFiles

from seacall.review.place import Place
from seacall.web.answers import Json, add_error_answers
from seacall.web.bodies import Bodies
from seacall.web.live_routes import Stations, live_router
from seacall.web.place_routes import place_router, row_of
from seacall.web.review_routes import review_router
from seacall.web.search_routes import search_router
from seacall.web.security import Guard
from seacall.web.settings import ServeSettings
from seacall.web.upload_routes import upload_router
from seacall.web.uploads import Uploads

STATIC = Path(__file__).with_name("static")


def create_app(
    places: dict[str, Place],
    settings: ServeSettings = ServeSettings(),  # noqa: B008 (frozen)
) -> FastAPI:
    """Return the server's application.

    Parameters
    ----------
    places
        Stations and archives by id; grows when recordings are uploaded.
    settings
        Who may reach it, and what may be sent to it.
    """
    stations = Stations(places, row_of, most_viewers=settings.n_connections // 2)
    folder = settings.uploads
    uploads = None if folder is None else Uploads(folder, settings, places)

    @asynccontextmanager
    async def lifespan(_: FastAPI) -> AsyncIterator[None]:
        if uploads is not None:
            uploads.start()
        yield
        if uploads is not None:
            await uploads.close()
        await stations.close()

    app = FastAPI(
        title="seacall",
        version=metadata.version("seacall"),
        lifespan=lifespan,
        default_response_class=Json,
        openapi_url="/api/openapi.json",
        docs_url=None,  # these load scripts from elsewhere
        redoc_url=None,
    )
    # The last one that is added is the first that is asked.
    app.add_middleware(Bodies, settings=settings)
    app.add_middleware(Guard, settings=settings)
    add_error_answers(app)
    app.include_router(live_router(stations))
    app.include_router(place_router(places))
    app.include_router(review_router(places))
    app.include_router(search_router(places))
    app.include_router(upload_router(uploads))
    _add_about(app, settings)
    _add_page(app)
    return app


def _add_about(app: FastAPI, settings: ServeSettings) -> None:
    @app.get("/api/about")
    def about() -> dict[str, Any]:
        """Tell what this server is, and takes."""
        return {
            "version": metadata.version("seacall"),
            "token_needed": settings.token is not None,
            "uploads": settings.uploads is not None,
            "max_upload_bytes": settings.max_upload_bytes,
        }


def _add_page(app: FastAPI) -> None:
    @app.get("/", include_in_schema=False)
    def page() -> FileResponse:
        return FileResponse(STATIC / "index.html")

    app.mount("/static", StaticFiles(directory=STATIC), name="static")
