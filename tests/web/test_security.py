"""Who is let in: tried with real servers, browsers' headers and raw sockets."""

from __future__ import annotations

import http.client
import stat

import httpx
import pytest
import served
from served import TOKEN
from websockets.exceptions import InvalidStatus

from seacall.errors import SettingsError
from seacall.settings import checked
from seacall.web.security import cookie_of
from seacall.web.settings import ServeSettings, is_local
from seacall.web.tokens import token_in

UPLOAD = "/api/uploads?name=a.wav"


@pytest.fixture(scope="module")
def local(station_folder):
    with served.served(served.places_of(station_folder)) as one:
        yield one


@pytest.fixture(scope="module")
def guarded(station_folder):
    places = served.places_of(station_folder)
    with served.served(places, token=TOKEN) as one:
        yield one


@pytest.mark.parametrize(
    "host", ["evil.example", "127.0.0.1.evil.example", "evil:80", "[::1", "", "a b"]
)
def test_names_that_are_made_to_point_here_are_refused(local, host):
    assert local.get("/api/places", headers={"Host": host}).status_code in (400, 421)
    assert local.get("/", headers={"Host": host}).status_code in (400, 421)


def test_a_token_where_none_is_asked_for_opens_nothing(local):
    headers = {"Authorization": "Bearer anything", "Origin": "http://evil.example"}
    assert httpx.post(local.url + UPLOAD, headers=headers).status_code == 403


def test_two_servers_on_a_machine_keep_cookies_apart():
    first, second = cookie_of(TOKEN), cookie_of(TOKEN + "x")
    assert first[0] != second[0]
    assert first[1] != second[1]
    assert TOKEN not in "".join(first)


def test_two_hosts_are_refused(local):
    head = f"GET /api/about HTTP/1.1\r\nHost: {local.host}\r\nHost: evil\r\n\r\n"
    with local.raw() as raw:
        raw.sendall(head.encode())
        raw.shutdown(1)
        assert served.status_of(served.read_all(raw)) in (400, 421)


@pytest.mark.parametrize("host", ["localhost", "localhost:8765", "[::1]:8765"])
def test_own_names_are_let_in(local, host):
    assert local.get("/api/about", headers={"Host": host}).status_code == 200


def test_a_name_that_was_given_is_let_in(station_folder):
    places = served.places_of(station_folder)
    with served.served(places, names=("Sea.example",)) as one:
        assert one.get("/api/about", headers={"Host": "sea.EXAMPLE"}).status_code == 200
        assert one.get("/api/about", headers={"Host": "a.example"}).status_code == 421


def test_with_a_token_any_name_will_do_and_none_helps(guarded):
    host = {"Host": "sea.university.example"}
    assert guarded.get("/api/places", headers=host).status_code == 401
    bearer = {"Authorization": f"Bearer {TOKEN}"}
    assert guarded.get("/api/places", headers=host | bearer).status_code == 200
    origin = {"Origin": "http://sea.university.example"}
    answer = httpx.post(guarded.url + UPLOAD, headers=host | origin, content=b"x")
    assert answer.status_code == 401


@pytest.mark.parametrize(
    "headers",
    [
        {},
        {"Origin": "http://evil.example"},
        {"Origin": "null"},
        {"Origin": "http://127.0.0.1"},
        {"Origin": "http://127.0.0.1:1"},
        {"Origin": "http://["},
        {"Origin": "file://127.0.0.1"},
    ],
)
def test_what_changes_something_must_come_from_our_page(local, headers):
    answer = httpx.post(local.url + UPLOAD, headers=headers, content=b"x")
    assert answer.status_code == 403
    assert "own page" in answer.json()["detail"]


def test_another_site_cannot_read_nor_change_with_our_origin_forged(local):
    foreign = {"Sec-Fetch-Site": "cross-site"}
    assert local.get("/api/places", headers=foreign).status_code == 403
    assert local.get("/metrics", headers=foreign).status_code == 403
    assert local.get("/", headers=foreign).status_code == 200  # a link that is followed
    answer = httpx.post(local.url + UPLOAD, headers=local.ours | foreign, content=b"x")
    assert answer.status_code == 403
    assert "own page" in answer.json()["detail"]


@pytest.mark.parametrize("origin", [None, "http://evil.example", "http://127.0.0.1:1"])
def test_a_websocket_of_another_site_is_refused(local, origin):
    with pytest.raises(InvalidStatus) as error:
        local.watch("station", origin=origin).close()
    assert error.value.response.status_code == 403


def test_a_websocket_to_a_foreign_name_is_refused(local):
    with pytest.raises(InvalidStatus) as error:
        local.watch(
            "station",
            origin="http://evil.example",
            additional_headers={"Host": "evil.example"},
        ).close()
    assert error.value.response.status_code in (400, 403)


def test_no_method_but_those_of_a_route(local):
    for method in ("PUT", "DELETE", "PATCH"):
        answer = httpx.request(method, f"{local.url}/api/places", headers=local.ours)
        assert answer.status_code == 405
    assert httpx.options(f"{local.url}/api/places").status_code == 405


@pytest.mark.parametrize(
    "headers",
    [
        {},
        {"Authorization": "Bearer wrong"},
        {"Authorization": f"Basic {TOKEN}"},
        {"Authorization": "Bearer"},
        {"Cookie": f"{cookie_of(TOKEN)[0]}={TOKEN}"},
        {"Cookie": f"{cookie_of(TOKEN)[0]}="},
        {"Cookie": "a=b; ;;=\x7f"},
    ],
)
@pytest.mark.parametrize(
    "path", ["/", "/api/places", "/metrics", "/static/index.html", "/?token=wrong"]
)
def test_without_the_token_nothing_is_told(guarded, headers, path):
    answer = guarded.get(path, headers=headers)
    assert answer.status_code == 401
    assert answer.headers["www-authenticate"] == "Bearer"
    assert "set-cookie" not in answer.headers
    assert TOKEN not in answer.text


def test_programs_show_the_token_and_need_no_origin(guarded):
    bearer = {"Authorization": f"Bearer {TOKEN}"}
    assert guarded.get("/api/places", headers=bearer).status_code == 200
    answer = httpx.post(guarded.url + UPLOAD, headers=bearer, content=b"x")
    assert "start seacall serve with --uploads" in answer.json()["detail"]
    with guarded.watch("station", origin=None, additional_headers=bearer) as viewer:
        assert served.received(viewer, "hello")


def test_a_wrong_bearer_is_not_helped_by_a_cookie(guarded):
    headers = {"Authorization": "Bearer x", "Cookie": "=".join(cookie_of(TOKEN))}
    assert guarded.get("/api/places", headers=headers).status_code == 401


def test_the_printed_address_leaves_a_cookie_that_lets_in(guarded):
    with httpx.Client(base_url=guarded.url) as browser:
        entering = browser.get(f"/?token={TOKEN}")
        cookie = entering.headers["set-cookie"]
        assert "HttpOnly" in cookie
        assert "SameSite=Strict" in cookie
        assert TOKEN not in cookie
        assert TOKEN not in entering.text
        assert browser.get("/api/places").status_code == 200
        # The cookie alone does not help another site's page.
        assert browser.post(UPLOAD, content=b"x").status_code == 403
        kept = {"Cookie": cookie.partition(";")[0]}
    with guarded.watch("station", additional_headers=kept) as viewer:
        assert served.received(viewer, "hello")
    with pytest.raises(InvalidStatus):
        guarded.watch(
            "station", additional_headers=kept, origin="http://evil.example"
        ).close()


def test_the_token_opens_no_other_path_by_query(guarded):
    assert guarded.get(f"/api/places?token={TOKEN}").status_code == 401


def test_whoever_watches_over_servers_learns_no_more_than_that(guarded):
    answer = guarded.get("/healthz")
    assert answer.status_code == 503
    assert answer.text == "not well\n"
    bearer = {"Authorization": f"Bearer {TOKEN}"}
    assert "station" in guarded.get("/healthz", headers=bearer).text


@pytest.mark.parametrize("path", ["/", "/api/places", "/static/x", "/healthz"])
def test_every_answer_tells_the_browser_what_it_may_do(local, path):
    headers = local.get(path).headers
    policy = dict(
        part.strip().partition(" ")[::2]
        for part in headers["content-security-policy"].split(";")
    )
    assert policy["script-src"] == policy["default-src"] == "'self'"
    assert "unsafe" not in headers["content-security-policy"]
    assert policy["frame-ancestors"] == "'none'"
    assert headers["x-content-type-options"] == "nosniff"
    assert headers["cross-origin-resource-policy"] == "same-origin"
    assert headers["referrer-policy"] == "no-referrer"
    assert "server" not in headers


TRAVERSALS = [
    "/static/../app.py",
    "/static/..%2fapp.py",
    "/static/%2e%2e/%2e%2e/settings.toml",
    "/static/..%5capp.py",
    "/static//etc/passwd",
    "/static/%00",
    "/api/places/..%2f..%2fetc/detections",
    "/api/places/%2e%2e/detections",
    "/api/places/station/detections/..%2f1",
    "/api/jobs/..%2f..%2fetc%2fpasswd",
    "//etc/passwd",
    "/../../etc/passwd",
]


@pytest.mark.parametrize("path", TRAVERSALS)
def test_no_path_leads_out(local, path):
    connection = http.client.HTTPConnection("127.0.0.1", local.port, timeout=20)
    connection.request("GET", path)  # as it is: httpx would tidy it up
    answer = connection.getresponse()
    assert answer.status in (400, 404, 422)
    assert len(answer.read()) < 500
    connection.close()


def test_other_addresses_need_a_token():
    for host in ("0.0.0.0", "::", "192.168.1.7", "station.local"):
        assert not is_local(host)
        with pytest.raises(SettingsError, match="give a token"):
            checked(ServeSettings, {"host": host})
        assert checked(ServeSettings, {"host": host, "token": TOKEN})
    for host in ("127.0.0.1", "127.8.8.8", "::1", "localhost"):
        assert is_local(host)


def test_a_token_is_made_once_in_a_file_of_its_own(tmp_path):
    path = tmp_path / "a" / "token"
    token = token_in(path)
    assert len(token) >= 40
    assert token_in(path) == token
    assert stat.S_IMODE(path.stat().st_mode) == 0o600
    assert token_in(tmp_path / "other") != token


def test_a_token_that_others_may_read_is_refused(tmp_path):
    path = tmp_path / "token"
    token_in(path)
    path.chmod(0o640)
    with pytest.raises(SettingsError, match="chmod 600"):
        token_in(path)


@pytest.mark.parametrize("text", ["", "short", "x" * 30 + " y", "é" * 30])
def test_a_file_without_a_good_token_is_refused(tmp_path, text):
    path = tmp_path / "token"
    path.write_text(text, encoding="utf-8")
    path.chmod(0o600)
    with pytest.raises(SettingsError, match="token"):
        token_in(path)


def test_a_token_is_not_printed_with_the_settings():
    assert TOKEN not in repr(ServeSettings(token=TOKEN))
