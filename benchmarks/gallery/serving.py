"""web_*: how fast the gallery answers among 100,000 pictures, and what a page that is scrolled holds in memory."""

import io
import json
import os
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager
from functools import partial
from pathlib import Path

import numpy as np
import psutil

from benchmarks.bench_stack import kept_up
from benchmarks.figures.bounds import Goal, at_most
from benchmarks.gallery.site import Client, milliseconds, served, together
from benchmarks.harness import Figure
from benchmarks.material import photo
from pictures.decode import small_picture
from pictures.thumbnails import THUMBNAIL, webp

POINTS, FEW = 100_000, 3_000
CLIENTS, SEARCHES = 8, 400
PAGES = 40
# So many show on a wide screen; a browser asks for as many at a time.
SCREEN, CONNECTIONS, SCREENS = 60, 6, 20


def web_search_p95_ms(scratch: Path, quick: bool) -> list[Figure]:
    """95 % of searches by 8 clients, of first pages of the timeline, and of screens of thumbnails are faster."""
    with _gallery(scratch, quick) as port:
        _first_page(Client(port))  # read from the collection
        together(port, CLIENTS, 2 * CLIENTS, _search)
        searches = together(port, CLIENTS, 40 if quick else SEARCHES, _search)
        pages = together(port, 1, 5 if quick else PAGES, lambda client, _: _first_page(client))
        screens = _screens(port, 3 if quick else SCREENS)
    return [
        _figure("web_search_p95_ms", searches, at_most(150, floor=400)),
        _figure("web_page_p95_ms", pages, at_most(300, floor=600)),
        _figure("web_thumbs_60_ms", screens, at_most(400, floor=800)),
    ]


def web_scroll_mb(scratch: Path, quick: bool) -> list[Figure]:
    """Megabytes that the page's process holds at most while Chromium scrolls to the 50,000th picture and beyond."""
    from playwright.sync_api import sync_playwright

    held = []
    with _gallery(scratch, quick) as port, sync_playwright() as playwright:
        browser = playwright.chromium.launch(
            executable_path=os.environ.get("CHROMIUM", "/usr/bin/chromium"),
            args=["--no-sandbox", "--disable-background-networking"],
        )
        # Else the policy of the page refuses what this waits for.
        page = browser.new_page(viewport={"width": 1400, "height": 900}, bypass_csp=True)
        page.goto(f"http://127.0.0.1:{port}/")
        page.locator(".tile.there").first.wait_for(timeout=120_000)
        middle = (FEW if quick else POINTS) // 2
        for place in (*range(0, middle, middle // 25), middle):
            page.evaluate(
                "share => scrollTo({top: share * document.documentElement.scrollHeight})",
                place / (2 * middle),
            )
            page.wait_for_function("[...document.querySelectorAll('.tile.there')].length > 20", timeout=120_000)
            held.append(_renderer_mb())
        numbers = page.evaluate("[...document.querySelectorAll('.tile.there')].map(tile => Number(tile.dataset.index))")
        if not min(numbers) - 200 <= middle <= max(numbers) + 200:
            raise RuntimeError(f"pictures {min(numbers)} to {max(numbers)} are seen, not the one at {middle}")
        browser.close()
    return [Figure("web_scroll_mb", max(held), min(held), max(held), "MB", goal=at_most(300, floor=400))]


@contextmanager
def _gallery(scratch: Path, quick: bool) -> Iterator[int]:
    """The port of a gallery of 100,000 points with a small picture each."""
    points = FEW if quick else POINTS
    settings = {
        "MODELS__CLIP": "null:0:512",
        "MODELS__CAPTIONS": "false",
        "THUMBNAILS__PLACE": str(scratch / "small"),
    }
    _keep_thumbnails(scratch / "small", points)
    with kept_up(scratch, **settings) as stack:
        stack.python("benchmarks.processes.fill", "0", str(points))
        with served(stack) as port:
            yield port


def _keep_thumbnails(place: Path, points: int) -> None:
    """A small picture for each content that `benchmarks.processes.fill` makes up: a few of them, by many names."""
    (place / "00").mkdir(parents=True)
    originals = []
    for number in range(8):
        stream = io.BytesIO()
        photo(np.random.default_rng(number), 1632, 1224).save(stream, "JPEG", quality=88)
        originals.append(place / f"{number}.webp")
        originals[-1].write_bytes(webp(small_picture(stream.getvalue(), 10**9, THUMBNAIL)))
    for number in range(points):
        # A file has 65,000 names at most on ext4.
        os.link(originals[number % 8], place / "00" / f"{number:064x}-{THUMBNAIL}.webp")


def _search(client: Client, turn: int) -> object:
    return client.get(f"/api/v1/search?text=a+search+of+its+own+number+{turn}")


def _first_page(client: Client) -> object:
    """What the gallery asks before the first pictures come."""
    return client.get("/"), client.get("/api/v1/timeline"), client.get("/api/v1/timeline/items?limit=200")


def _screens(port: int, count: int) -> list[float]:
    """Milliseconds of each of `count` screens of thumbnails."""
    client, taken = Client(port), []
    clients = [Client(port) for _ in range(CONNECTIONS)]
    for screen in range(count):
        asked = f"/api/v1/timeline/items?offset={screen * SCREEN}&limit={SCREEN}"
        ids = [item["id"] for item in json.loads(client.get(asked))["items"]]

        def some(number: int, ids: list[str] = ids) -> None:
            for id in ids[number::CONNECTIONS]:
                clients[number].get(f"/api/v1/points/{id}/thumbnail")

        with ThreadPoolExecutor(CONNECTIONS) as pool:
            taken.append(milliseconds(partial(_all_of, pool, some)))
    return taken


def _all_of(pool: ThreadPoolExecutor, some: Callable[[int], None]) -> None:
    for _ in pool.map(some, range(CONNECTIONS)):
        pass


def _renderer_mb() -> float:
    """What the largest page process of the browser holds for itself alone, in MB."""
    found = [0.0]
    for process in psutil.Process().children(recursive=True):
        try:
            if "--type=renderer" in process.cmdline():
                found.append(process.memory_full_info().uss / 1e6)
        except psutil.Error:  # it has just ended
            continue
    return max(found)


def _figure(name: str, taken: list[float], goal: Goal) -> Figure:
    p95 = float(np.percentile(taken, 95))
    return Figure(name, p95, min(taken), max(taken), "ms", goal=goal)
