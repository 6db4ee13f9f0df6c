"""A page of somebody else's in the same browser reads, changes and starts nothing."""

import threading
from collections.abc import Iterator
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer

import pytest
from playwright.sync_api import sync_playwright

from tests.e2e.chromium import chromium
from tests.web.conftest import Site

PAGE = b"<!doctype html><title>A page</title><p>Hello"
# What the stranger's script tries; each tells what it got.
TRIES = """async ({url, id, folder}) => {
  const got = {};
  const picture = new Image();
  got.picture = await new Promise((done) => {
    picture.onload = () => done("seen");
    picture.onerror = () => done("refused");
    picture.src = `${url}/api/v1/points/${id}/thumbnail`;
  });
  got.read = await fetch(`${url}/api/v1/stats`).then(() => "read", () => "refused");
  got.blind = await fetch(`${url}/api/v1/search?text=a`, {mode: "no-cors"}).then((a) => a.type, () => "refused");
  got.simple = await fetch(`${url}/api/v1/ingest_directory`, {
    method: "POST", mode: "no-cors", headers: {"Content-Type": "text/plain"}, body: JSON.stringify({directory: folder}),
  }).then((answer) => answer.type, () => "refused");
  got.json = await fetch(`${url}/api/v1/ingest_directory`, {
    method: "POST", headers: {"Content-Type": "application/json"}, body: JSON.stringify({directory: folder}),
  }).then(() => "read", () => "refused");
  const frame = document.createElement("iframe");
  frame.src = `${url}/jobs`;
  document.body.append(frame);
  await new Promise((done) => (frame.onload = done));
  try { got.frame = frame.contentDocument ? "read" : "closed"; } catch { got.frame = "closed"; }
  return got;
}"""


class Stranger(BaseHTTPRequestHandler):
    """Serves one page."""

    def do_GET(self) -> None:
        self.send_response(200)
        self.send_header("Content-Type", "text/html")
        self.end_headers()
        self.wfile.write(PAGE)

    def log_message(self, *_: object) -> None:
        pass


@pytest.fixture
def stranger() -> Iterator[str]:
    server = ThreadingHTTPServer(("127.0.0.1", 0), Stranger)
    threading.Thread(target=server.serve_forever, daemon=True).start()
    yield f"http://evil.example:{server.server_address[1]}/"
    server.shutdown()
    server.server_close()


def test_a_page_of_somebody_else_reads_changes_and_starts_nothing(site: Site, stranger: str) -> None:
    before = site.get("jobs")
    port = site.url.rpartition(":")[2]
    with sync_playwright() as playwright:
        # As after DNS rebinding, every name leads to this machine.
        arguments = ["--no-sandbox", "--host-resolver-rules=MAP *.example 127.0.0.1"]
        browser = playwright.chromium.launch(executable_path=chromium(), args=arguments)
        page = browser.new_page()
        page.goto(stranger)
        told = {"url": site.url, "id": site.ids["plain-10.png"], "folder": str(site.folder)}
        got = page.evaluate(TRIES, told)
        assert (got["picture"], got["read"], got["json"], got["frame"]) == ("refused", "refused", "refused", "closed")
        assert got["blind"] in ("opaque", "refused")
        assert got["simple"] in ("opaque", "refused")
        # A form needs no script.
        page.set_content(
            f'<form method="post" action="{site.url}/api/v1/jobs/{site.job}/retry"><button>Win</button></form>'
        )
        with page.expect_navigation(timeout=60_000):
            page.get_by_role("button").click()
        assert "A page of another site may not ask this server." in page.content()
        # Our server by the stranger's name: the browser thinks that they are one site.
        page.goto(f"http://evil.example:{port}/")
        assert "web.hosts" in page.content()
        browser.close()
    assert site.get("jobs") == before
