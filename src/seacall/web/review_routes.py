"""Routes of reviews: verdicts, what is next, quality, thresholds, labels."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import Annotated, Any

from fastapi import APIRouter, HTTPException, Query, Response
from pydantic import BaseModel, ConfigDict, Field

from seacall.review.alarms import threshold_rows
from seacall.review.export import labels_zip
from seacall.review.notebook import LONGEST_NAME, LONGEST_NOTE
from seacall.review.nouns import Answer
from seacall.review.offer import next_for
from seacall.review.place import Place
from seacall.review.quality import agreement_json, quality_of
from seacall.review.shelf import Shelf
from seacall.web.answers import place_of

_LONGEST_LABEL = 200
_Reviewer = Annotated[str, Query(min_length=1, max_length=LONGEST_NAME)]
_Number = Annotated[int, Field(ge=0, le=2**53 - 1)]
_MOST_SKIPPED = 200


class Said(BaseModel):
    """A verdict as it is sent."""

    model_config = ConfigDict(extra="forbid")

    reviewer: str = Field(min_length=1, max_length=LONGEST_NAME)
    """Who says so."""
    verdict: Answer
    """What is said."""
    label: str | None = Field(default=None, max_length=_LONGEST_LABEL)
    """What it is, if corrected."""
    note: str | None = Field(default=None, max_length=LONGEST_NOTE)
    """Whatever else is to be known."""


class Wished(BaseModel):
    """A threshold as it is sent."""

    model_config = ConfigDict(extra="forbid")

    label: str = Field(min_length=1, max_length=_LONGEST_LABEL)
    """Of which class."""
    threshold: float | None = Field(ge=0, le=1, allow_inf_nan=False)
    """Lowest score that is shown; null: the run's own."""


def review_router(places: Mapping[str, Place]) -> APIRouter:
    """Return the routes.

    Parameters
    ----------
    places
        By id; may grow.
    """
    router = APIRouter(prefix="/api/places/{place}")

    def shelf(name: str) -> Shelf:
        place = place_of(places, name)
        if not isinstance(place, Shelf):
            raise HTTPException(404, f"{name}: holds nothing to review")
        return place

    _add_verdicts(router, shelf)
    _add_figures(router, shelf)
    return router


def _add_verdicts(router: APIRouter, shelf: Callable[[str], Shelf]) -> None:
    @router.post("/detections/{number}/verdicts")
    def say(place: str, number: _Number, said: Said) -> dict[str, Any]:
        """Keep a verdict; return the detection as it is now."""
        on = shelf(place)
        target = on.detection(number).target
        on.notebook.say(
            said.reviewer,
            target,
            said.verdict,
            label=said.label or "",
            note=said.note or "",
        )
        return on.detection(number).as_json()

    @router.delete("/verdicts/last")
    def undo(place: str, reviewer: _Reviewer) -> dict[str, Any]:
        """Take back a reviewer's last verdict; return its detection."""
        return {"row": _undone(shelf(place), reviewer)}

    @router.get("/next")
    def following(
        place: str,
        reviewer: _Reviewer,
        label: Annotated[str | None, Query(max_length=_LONGEST_LABEL)] = None,
        skip: Annotated[list[_Number] | None, Query(max_length=_MOST_SKIPPED)] = None,
        double: bool = False,
    ) -> dict[str, Any]:
        """Return what is best looked at next."""
        offer = next_for(
            shelf(place),
            reviewer,
            label=label or None,
            skip=skip or (),
            double=double,
        )
        return offer.as_json()


def _add_figures(router: APIRouter, shelf: Callable[[str], Shelf]) -> None:
    @router.get("/quality")
    def quality(place: str) -> dict[str, Any]:
        """Tell how good the model is here, by class, and how far reviewers agree."""
        on = shelf(place)
        rows = [row.as_json() for row in quality_of(on)]
        return {"rows": rows, "agreement": agreement_json(on)}

    @router.get("/thresholds")
    def thresholds(place: str) -> dict[str, Any]:
        """Tell what thresholds would bring."""
        return {"rows": [row.as_json() for row in threshold_rows(shelf(place))]}

    @router.put("/thresholds")
    def set_threshold(place: str, wished: Wished) -> dict[str, Any]:
        """Hide detections of a class below a score; nothing is deleted."""
        on = shelf(place)
        if wished.label not in on.labels:
            raise HTTPException(404, f"there is no class {wished.label!r}")
        on.notebook.set_threshold(wished.label, wished.threshold)
        return thresholds(place)

    @router.get("/labels.zip", response_class=Response)
    def labels(place: str) -> Response:
        """Return what was judged, as tables to train on."""
        on = shelf(place)
        headers = {"Content-Disposition": f'attachment; filename="{on.id}-labels.zip"'}
        body = labels_zip(on)
        return Response(body, media_type="application/zip", headers=headers)


def _undone(place: Shelf, reviewer: str) -> dict[str, Any] | None:
    taken = place.notebook.undo(reviewer)
    if taken is None:
        return None
    columns, book = place.book()
    at = columns.at_key(taken.target.key)
    return None if at is None else place.rows(columns, book, [at])[0].as_json()
