"""A contact sheet in a real browser: on a wide screen and on a phone, with names that try to break it."""

import json
import re
from html import escape, unescape
from pathlib import Path

import pytest
from playwright.sync_api import expect, sync_playwright

from producer.pages.contact_sheet import Section, contact_sheet
from tests.e2e.chromium import chromium, page
from tests.producer.browser_pages import HOSTILE, hostile_page, jpeg

# A machine that does much else is slow, and no test is about time.
expect.set_options(timeout=60_000)
# The sheet itself runs no script, so one around it looks into it.
AROUND = """<!doctype html><meta charset="utf-8"><iframe width="{width}" height="6000" srcdoc="{sheet}"></iframe>
<pre id="seen"></pre><script>
onload = () => {{
  const inside = document.querySelector("iframe").contentDocument, all = (name) => [...inside.querySelectorAll(name)];
  all("img").forEach((picture) => {{ picture.loading = "eager"; }});
  setTimeout(() => {{
    const cards = all("li").map((card) => card.getBoundingClientRect());
    document.getElementById("seen").textContent = JSON.stringify({{
      title: inside.title, width: inside.documentElement.scrollWidth, scripts: all("script").length,
      loaded: all("img").filter((picture) => picture.naturalWidth > 0).length, pictures: all("img").length,
      columns: new Set(cards.map((card) => Math.round(card.left))).size,
      widest: Math.max(...all("p, h1, h2").map((text) => text.getBoundingClientRect().right)),
      reached: all("a").filter((link) => {{ link.focus(); return inside.activeElement === link; }}).length,
    }});
  }}, 500);
}};
</script>"""


@pytest.mark.parametrize(("width", "columns"), [(1400, 5), (390, 2)])
def test_it_fits_the_screen_shows_every_picture_and_runs_nothing(tmp_path: Path, width: int, columns: int) -> None:
    file = tmp_path / "around.html"
    file.write_text(AROUND.format(width=width, sheet=escape(hostile_page())), encoding="utf-8")
    document = page(file.as_uri(), tmp_path / "profile")
    found = re.search(r'<pre id="seen">(.*?)</pre>', document, re.DOTALL)
    assert found
    seen = json.loads(unescape(found[1]))
    assert seen["title"].startswith("Pages <script>")
    assert seen["scripts"] == 0
    assert seen["loaded"] == seen["pictures"] == len(HOSTILE) + 2
    assert seen["reached"] == len(HOSTILE) + 1
    assert seen["columns"] == columns
    assert max(seen["width"], seen["widest"]) <= width


def test_a_file_that_no_browser_shows_is_looked_at_by_a_larger_picture(tmp_path: Path) -> None:
    row = {"uri": "file:///album/a.heic", "format": "HEIF"}
    file = tmp_path / "sheet.html"
    sheet = contact_sheet("Album", "1 picture", [Section("", [row])], {row["uri"]: jpeg()}, {row["uri"]: jpeg()})
    file.write_text(sheet, encoding="utf-8")
    with sync_playwright() as playwright:
        browser = playwright.chromium.launch(executable_path=chromium(), args=["--no-sandbox"])
        page = browser.new_page(viewport={"width": 390, "height": 844})
        page.goto(file.as_uri())
        large = page.locator(".large")
        expect(large).to_be_hidden()
        page.get_by_role("listitem").get_by_role("link").first.click()
        expect(large).to_be_visible()
        box = large.bounding_box()
        assert box == {"x": 0, "y": 0, "width": 390, "height": 844}
        assert large.get_by_role("link", name="the file itself").get_attribute("href") == row["uri"]
        large.get_by_role("link", name="close", exact=True).click()
        expect(large).to_be_hidden()
        browser.close()
