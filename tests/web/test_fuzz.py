"""Requests that fit the server's own description, and those that nearly do."""

from __future__ import annotations

from contextlib import suppress

import pytest
import schemathesis
import served
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from hypothesis.errors import Unsatisfiable
from schemathesis import GenerationMode

from seacall.web.bodies import UPLOADS

FEW = settings(
    max_examples=6, deadline=None, suppress_health_check=[*HealthCheck], database=None
)


@pytest.fixture(scope="module")
def described(station_folder, archive_folder, tmp_path_factory):
    places = served.places_of(station_folder, archive_folder)
    uploads = tmp_path_factory.mktemp("uploads")
    # Processes that look at recordings are for other tests; here none gets so far.
    with served.served(places, uploads=uploads, min_free_gb=1e9) as server:
        yield server


@pytest.mark.parametrize("mode", [GenerationMode.POSITIVE, GenerationMode.NEGATIVE])
def test_no_request_breaks_the_server(described, mode):
    schema = schemathesis.openapi.from_url(f"{described.url}/api/openapi.json")
    operations = [found.ok() for found in schema.get_all_operations()]
    if mode is GenerationMode.NEGATIVE:  # of any text in a path none is wrong
        operations = [one for one in operations if one.query or one.body]
    assert len(operations) >= 8
    n_asked = 0
    for operation in operations:
        with suppress(Unsatisfiable):  # it takes nothing that could be wrong
            n_asked += ask(described, operation.as_strategy(generation_mode=mode))
    assert n_asked >= 40
    assert described.answers()


def ask(server: served.Served, cases: st.SearchStrategy) -> int:
    n_asked = 0

    @FEW
    @given(case=cases, place=st.sampled_from(["station", "archive", None]))
    def each(case, place):
        nonlocal n_asked
        n_asked += 1
        if place and "place" in (case.path_parameters or {}):
            case.path_parameters["place"] = place  # chance finds none that is there
        answer = case.call(headers=server.ours, timeout=20)
        if case.path == UPLOADS and answer.status_code == 507:  # as it is told to
            return
        known = case.path == "/healthz" and answer.status_code == 503
        assert answer.status_code < 500 or known, case.as_curl_command()
        if answer.status_code >= 400 and not known:
            assert [*answer.json()] == ["detail"]
            assert "\n" not in answer.json()["detail"]

    each()
    return n_asked
