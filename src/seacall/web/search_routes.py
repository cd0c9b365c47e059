"""The route of a search: more like a detection."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Annotated, Any

from fastapi import APIRouter, Query

from seacall.review.place import Place
from seacall.search.like import like
from seacall.web.answers import place_of


def search_router(places: Mapping[str, Place]) -> APIRouter:
    """Return the routes.

    Parameters
    ----------
    places
        By id; may grow.
    """
    router = APIRouter(prefix="/api/places")

    @router.get("/{place}/like")
    def more_like(
        place: str,
        id: Annotated[int, Query(ge=0, le=2**53 - 1)],
        n: Annotated[int, Query(ge=1, le=500)] = 50,
    ) -> dict[str, list[dict[str, Any]]]:
        """List what is most like a detection."""
        return {"rows": like(place_of(places, place), id, n)}

    return router
