"""Routes of what was found: places, lists, one detection, its sound, presence."""

from __future__ import annotations

import io
from collections.abc import Mapping
from typing import Annotated, Any, Literal

import numpy as np
import soundfile
import soxr
from fastapi import APIRouter, Depends, HTTPException, Query, Response
from numpy.typing import NDArray
from pydantic import BaseModel, ConfigDict, Field

from seacall.errors import AudioError
from seacall.review.place import Detected, Place
from seacall.review.place import Query as Wanted
from seacall.web.answers import place_of, without_folders

LONGEST_S = 120.0
"""Of a detection's sound, so much is sent at most, s."""
_LATEST_US = 2**53 - 1
"""What JavaScript still holds as a whole number; the year 2255."""
_Time = Annotated[int | None, Query(ge=-_LATEST_US, le=_LATEST_US)]
_Number = Annotated[int, Field(ge=0, le=_LATEST_US)]
_Text = Annotated[str | None, Query(max_length=1000)]
_Settled = Literal["waiting", "accepted", "corrected", "rejected", "unsure", "disputed"]


def wanted(
    label: _Text = None,
    min_score: Annotated[float, Query(ge=0, le=1)] = 0.0,
    since_us: _Time = None,
    until_us: _Time = None,
    settled: _Settled | None = None,
    source: _Text = None,
    order: Literal["time", "score", "next"] = "time",
    desc: bool = False,
    limit: Annotated[int, Query(ge=1, le=500)] = 100,
    offset: Annotated[int, Query(ge=0, le=10**9)] = 0,
    reviewer: Annotated[str, Query(max_length=200)] = "",
) -> Wanted:
    """Return what is asked for."""
    return Wanted(
        label=label or None,
        min_score=min_score,
        since_us=since_us,
        until_us=until_us,
        settled=settled,
        source=source or None,
        order=order,
        desc=desc,
        limit=limit,
        offset=offset,
        reviewer=reviewer,
    )


class Stretch(BaseModel):
    """How much sound is wanted, and at which rate."""

    model_config = ConfigDict(allow_inf_nan=False)

    before_s: float = Field(default=1.0, ge=0, le=60)
    """Before the detection, s."""
    after_s: float = Field(default=1.0, ge=0, le=60)
    """Behind it, s."""
    rate: int | None = Field(default=None, ge=8_000, le=384_000)
    """Hz; None: the recording's own. Browsers do not play all rates."""


def row_of(place: Place, number: int) -> dict[str, Any]:
    """Return a detection as plain values; a KeyError if there is none."""
    return place.detection(number).as_json()


def place_router(places: Mapping[str, Place]) -> APIRouter:
    """Return the routes.

    Parameters
    ----------
    places
        By id; may grow.
    """
    router = APIRouter(prefix="/api/places")

    @router.get("")
    def all_places() -> list[dict[str, Any]]:
        """List stations and archives."""
        return [_about(place) for place in list(places.values())]

    @router.get("/{place}/detections")
    def detections(
        place: str, query: Annotated[Wanted, Depends(wanted)]
    ) -> dict[str, Any]:
        """List detections that fit."""
        page = place_of(places, place).detections(query)
        return {"total": page.total, "rows": [one.as_json() for one in page.rows]}

    @router.get("/{place}/detections/{number}")
    def detection(place: str, number: _Number) -> dict[str, Any]:
        """Return one detection."""
        return row_of(place_of(places, place), number)

    @router.get("/{place}/detections/{number}/sound.wav", response_class=Response)
    def sound(
        place: str, number: _Number, stretch: Annotated[Stretch, Query()]
    ) -> Response:
        """Return a detection's sound with some of what lies around it."""
        return _sound(place_of(places, place), number, stretch)

    @router.get("/{place}/presence")
    def presence(
        place: str,
        bin_s: Annotated[float, Query(ge=60, le=31 * 86_400)] = 3_600.0,
        label: _Text = None,
    ) -> dict[str, Any]:
        """Tell for each hour how long was listened, and what was detected."""
        found = place_of(places, place).presence(bin_s)
        return {
            "bin_s": found.bin_s,
            "bins_us": found.bins_us.tolist(),
            "effort_s": np.round(found.effort_s, 3).tolist(),
            "counts": {
                name: counts.tolist()
                for name, counts in found.counts.items()
                if label in (None, "", name)
            },
        }

    return router


def _about(place: Place) -> dict[str, Any]:
    return {
        "id": place.id,
        "name": place.name,
        "kind": place.kind,
        "n_detections": place.detections(Wanted(limit=1)).total,
        "labels": list(place.labels),
        "live": place.kind == "station",
    }


def _sound(place: Place, number: int, stretch: Stretch) -> Response:
    one = place.detection(number)
    length_s = one.target.end_s - one.target.start_s
    # Detections of hours have a beginning; all of them would not fit into memory.
    after_s = min(stretch.after_s, LONGEST_S - length_s - stretch.before_s)
    try:
        y, rate, start_s = place.sound(
            number, before_s=stretch.before_s, after_s=after_s
        )
    except AudioError as error:
        raise HTTPException(404, without_folders(str(error))) from error
    wav = _wav(y, rate, stretch.rate or rate)
    headers = {
        "X-Start-Seconds": f"{start_s:.6f}",
        "X-Sample-Rate": str(rate),
        # The same number is the same sound: of a detection that is over.
        "Cache-Control": "private, max-age=3600"
        if one.state == "closed"
        else "no-store",
    }
    return Response(wav, media_type="audio/wav", headers=headers)


def _kept_for(one: Detected) -> str:
    """Let browsers keep the sound of a detection that is over: it is the same."""
    return "private, max-age=3600" if one.state == "closed" else "no-store"


def _wav(y: NDArray[np.float32], rate: int, wanted_rate: int) -> bytes:
    """Return a WAV file: 24 bits, quiet recordings are quiet."""
    if wanted_rate != rate:
        y = soxr.resample(y, rate, wanted_rate)
    stream = io.BytesIO()
    soundfile.write(
        stream, np.clip(y, -1, 1), wanted_rate, format="WAV", subtype="PCM_24"
    )
    return stream.getvalue()
