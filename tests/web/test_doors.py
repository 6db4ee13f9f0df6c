"""Who may come in: by which name, from which page, with which token, and with how much."""

from collections.abc import Iterator

import httpx
import pytest

from tests.web.conftest import Site, serve, stop

HTML = {"Accept": "text/html"}


@pytest.fixture(scope="module")
def shut(site: Site) -> Iterator[httpx.Client]:
    """A server for other machines, on the same collection, with a token of each scope as its headers by name."""
    process, url = serve(site.home, "--address", "0.0.0.0", DARKROOM__WEB__REQUESTS="400")
    with httpx.Client(base_url=url, timeout=60) as client:
        yield client
    stop(process)


@pytest.fixture(scope="module", autouse=True)
def tokens(site: Site) -> dict[str, str]:
    """Scope -> a token that has it."""
    made = {}
    for scope in ("read", "ingest", "admin"):
        done = site.home.run("token", "create", f"for {scope}", "--scope", scope, module="darkroom")
        assert done.returncode == 0, done.stderr
        made[scope] = done.stdout.strip()
    return made


def bearer(token: str) -> dict[str, str]:
    return {"Authorization": f"Bearer {token}"}


@pytest.mark.parametrize("host", ["evil.example", "evil.example:8765", "127.0.0.1.evil.example", "", "localhost.evil"])
def test_a_name_that_is_not_ours_gets_nothing(site: Site, host: str) -> None:
    answer = site.http.get("/api/v1/stats", headers={"Host": host})
    assert answer.status_code == 421
    assert "web.hosts" in answer.json()["detail"]


@pytest.mark.parametrize("host", ["localhost", "LOCALHOST:99", "127.0.0.1", "[::1]:8765", "192.168.1.7"])
def test_localhost_and_addresses_are_names_of_ours(site: Site, host: str) -> None:
    assert site.http.get("/healthz", headers={"Host": host}).status_code == 200


@pytest.mark.parametrize(
    "headers",
    [
        {"Origin": "https://evil.example"},
        {"Origin": "null"},
        {"Origin": "http://127.0.0.1:1"},
        {"Sec-Fetch-Site": "cross-site", "Sec-Fetch-Mode": "no-cors", "Sec-Fetch-Dest": "image"},
        {"Sec-Fetch-Site": "same-site", "Sec-Fetch-Mode": "cors", "Sec-Fetch-Dest": "empty"},
        {"Sec-Fetch-Site": "cross-site", "Sec-Fetch-Mode": "navigate", "Sec-Fetch-Dest": "iframe"},
    ],
)
def test_a_page_of_another_site_reads_and_starts_nothing(site: Site, headers: dict[str, str]) -> None:
    thumbnail = f"/api/v1/points/{site.ids['plain-10.png']}/thumbnail"
    assert site.http.get(thumbnail, headers=headers).status_code == 403
    begun = site.http.post("/api/v1/ingest_directory", json={"directory": "/"}, headers=headers)
    assert begun.status_code == 403
    assert site.http.get("/", headers=headers).status_code == 403


def test_a_link_from_another_site_leads_to_a_page_and_to_no_answer(site: Site) -> None:
    link = {"Sec-Fetch-Site": "cross-site", "Sec-Fetch-Mode": "navigate", "Sec-Fetch-Dest": "document"}
    assert site.http.get("/", headers=link).status_code == 200
    assert site.http.get("/api/v1/stats", headers=link).status_code == 403


def test_our_own_pages_may_ask(site: Site) -> None:
    own = {"Origin": site.url, "Sec-Fetch-Site": "same-origin"}
    assert site.http.post("/api/v1/search", json={"text": "a circle"}, headers=own).status_code == 200


def test_every_answer_tells_browsers_to_be_careful(site: Site) -> None:
    for path in ("/", "/api/v1/stats", f"/api/v1/points/{site.ids['plain-10.png']}/original", "/static/api.js", "/no"):
        headers = site.http.get(path).headers
        assert headers["x-content-type-options"] == "nosniff", path
        assert "default-src 'none'" in headers["content-security-policy"]
        assert "'unsafe-inline'" not in headers["content-security-policy"].partition("script-src")[2].partition(";")[0]
        assert headers["cross-origin-resource-policy"] == "same-origin"
        assert "server" not in headers


def test_what_is_too_large_is_refused_whatever_its_header_says(site: Site) -> None:
    def endless() -> Iterator[bytes]:
        for _ in range(60):
            yield bytes(1 << 20)

    answer = site.http.post("/api/v1/embed", content=endless(), headers={"Content-Type": "application/json"})
    assert answer.status_code == 413
    honest = site.http.post("/api/v1/embed", content=bytes(60 << 20), headers={"Content-Type": "application/json"})
    assert honest.status_code == 413


def test_elsewhere_nobody_comes_in_without_a_token(shut: httpx.Client) -> None:
    for path in ("stats", "search?text=a", "jobs", "timeline", "points/x/original", "jobs/events"):
        answer = shut.get(f"/api/v1/{path}")
        assert answer.status_code == 401, path
        assert answer.headers["www-authenticate"] == "Bearer"
    assert shut.get("/api/v1/stats", headers=bearer("darkroom_wrong")).status_code == 401
    page = shut.get("/?q=a", headers=HTML)
    assert (page.status_code, page.headers["location"]) == (303, "/login?next=%2F%3Fq%3Da")
    assert shut.get("/healthz").status_code == 200


def test_a_scope_lets_in_what_it_says(shut: httpx.Client, tokens: dict[str, str]) -> None:
    assert shut.get("/api/v1/stats", headers=bearer(tokens["read"])).status_code == 200
    begun = shut.post("/api/v1/ingest_directory", json={"directory": "/"}, headers=bearer(tokens["read"]))
    assert (begun.status_code, "the scope ingest" in begun.json()["detail"]) == (403, True)
    assert shut.get("/metrics", headers=bearer(tokens["ingest"])).status_code == 403
    assert shut.get("/metrics", headers=bearer(tokens["admin"])).status_code == 200


def test_elsewhere_only_listed_folders_are_ingested(shut: httpx.Client, tokens: dict[str, str], site: Site) -> None:
    asked = {"directory": str(site.folder)}
    answer = shut.post("/api/v1/ingest_directory", json=asked, headers=bearer(tokens["ingest"]))
    assert (answer.status_code, "web.roots" in answer.json()["detail"]) == (403, True)


def test_a_token_opens_the_pages_by_a_cookie_that_scripts_cannot_read(
    shut: httpx.Client, tokens: dict[str, str]
) -> None:
    wrong = shut.post("/login", data={"token": "darkroom_wrong"})
    assert (wrong.status_code, "There is no such token" in wrong.text) == (401, True)
    right = shut.post("/login", data={"token": tokens["read"], "next": "/jobs"})
    assert (right.status_code, right.headers["location"]) == (303, "/jobs")
    cookie = right.headers["set-cookie"].lower()
    assert "httponly" in cookie
    assert "samesite=lax" in cookie
    assert shut.get("/jobs").status_code == 200
    assert shut.get("/api/v1/stats").status_code == 200
    shut.cookies.clear()


@pytest.mark.parametrize("there", ["//evil.example", "https://evil.example", "/\\evil.example", "javascript:alert(1)"])
def test_the_page_to_log_in_leads_nowhere_else(shut: httpx.Client, there: str) -> None:
    assert shut.get("/login", params={"next": there}).status_code == 400


def test_a_revoked_token_is_out_at_once(shut: httpx.Client, site: Site) -> None:
    secret = site.home.run("token", "create", "short", module="darkroom").stdout.strip()
    assert shut.get("/api/v1/jobs", headers=bearer(secret)).status_code == 200
    assert site.home.run("token", "revoke", "short", module="darkroom").returncode == 0
    assert shut.get("/api/v1/jobs", headers=bearer(secret)).status_code == 401


def test_tokens_are_guessed_a_few_times_a_minute_and_no_more(shut: httpx.Client) -> None:
    # Minutes are those of the clock: these may fall into two or three, and one of them has more than its twenty.
    codes = [shut.get("/api/v1/jobs", headers=bearer(f"darkroom_{guess}")).status_code for guess in range(63)]
    assert 429 in codes
    assert codes[0] == 401
