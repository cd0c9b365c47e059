"""Routes of recordings that are sent: take them, tell how far they are."""

from __future__ import annotations

from typing import Annotated, Any

from fastapi import APIRouter, HTTPException, Query, Request

from seacall.web.bodies import UPLOADS
from seacall.web.uploads import Uploads

_BODY = {
    "requestBody": {
        "required": True,
        "content": {
            "application/octet-stream": {
                "schema": {"type": "string", "format": "binary"}
            }
        },
    }
}


def upload_router(uploads: Uploads | None) -> APIRouter:
    """Return the routes.

    Parameters
    ----------
    uploads
        Where recordings go; None: none are taken.
    """
    router = APIRouter(prefix="/api")

    @router.post(UPLOADS.removeprefix("/api"), status_code=202, openapi_extra=_BODY)
    async def upload(
        request: Request, name: Annotated[str, Query(min_length=1, max_length=1000)]
    ) -> dict[str, Any]:
        """Take a recording; it is listened to behind those that came before."""
        length = request.headers.get("content-length", "")
        n_bytes = int(length) if length.isdecimal() else None
        job = await _open(uploads).take(name, request.stream(), length=n_bytes)
        return job.as_json()

    @router.get("/jobs")
    async def jobs() -> dict[str, Any]:
        """List recordings that came since the server started, newest first."""
        found = () if uploads is None else reversed(uploads.jobs.values())
        return {"rows": [job.as_json() for job in found]}

    @router.get("/jobs/{job}")
    async def job(job: str) -> dict[str, Any]:
        """Tell how far a recording is."""
        found = None if uploads is None else uploads.jobs.get(job)
        if found is None:
            raise HTTPException(404, f"there is no job {job!r}")
        return found.as_json()

    return router


def _open(uploads: Uploads | None) -> Uploads:
    if uploads is None:
        raise HTTPException(
            403, "no recordings are taken here; start seacall serve with --uploads"
        )
    return uploads
