"""The pages in a real browser, for a phone and for a wide screen: what people do there works, and nothing is amiss."""

import re
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest
from playwright.sync_api import Browser, Page, Route, expect, sync_playwright

from models.scenes import Scene
from tests.e2e.chromium import chromium
from tests.e2e.ingests import draw_pictures
from tests.until import until
from tests.web.conftest import FILES, HOSTILE, Site

AXE = Path(__file__).parent / "vendor" / "axe.min.js"
WIDTHS = [1400, 390]
PAGES = ["/", "/?q=a+circle", "/jobs", "/duplicates", "/collection"]
Open = Callable[..., Page]
# A machine that does much else is slow, and no test is about time.
expect.set_options(timeout=60_000)


@pytest.fixture(scope="module")
def browser() -> Iterator[Browser]:
    with sync_playwright() as playwright:
        browser = playwright.chromium.launch(executable_path=chromium(), args=["--no-sandbox"])
        yield browser
        browser.close()


@pytest.fixture
def open_page(site: Site, browser: Browser) -> Iterator[Open]:
    """Opens a page of the site; at the end no script has complained and nobody else was asked for anything."""
    complaints: list[str] = []
    contexts = []

    def open_it(path: str = "/", width: int = 1400) -> Page:
        context = browser.new_context(
            viewport={"width": width, "height": 800 if width > 600 else 844},
            has_touch=width < 600,
            base_url=site.url,
        )
        contexts.append(context)
        page = context.new_page()
        page.set_default_timeout(60_000)
        page.on("console", lambda said: complaints.append(said.text) if said.type in ("error", "warning") else None)
        page.on("pageerror", lambda error: complaints.append(str(error)))
        page.on("request", lambda asked: None if is_own(asked.url) else complaints.append(f"asked {asked.url}"))
        page.goto(path)
        return page

    def is_own(url: str) -> bool:
        return url.startswith((f"{site.url}/", "blob:", "data:"))

    yield open_it
    for context in contexts:
        context.close()
    assert complaints == []


@pytest.mark.parametrize("width", WIDTHS)
def test_the_pictures_stand_in_the_order_of_time_and_have_their_sizes_before_they_come(
    open_page: Open, width: int
) -> None:
    page = open_page("/", width)
    expect(page.locator("#count")).to_have_text(f"{FILES + 1} pictures")
    headings = page.locator(".month")
    expect(headings.first).to_have_text("May 2024")
    expect(page.locator(".tile.there").first).to_be_visible()
    box = page.locator(".tile").first.bounding_box()
    assert box
    assert box["width"] == pytest.approx(box["height"], abs=1)
    # The width is filled, and no row is wider than the page.
    assert page.evaluate("document.documentElement.scrollWidth <= innerWidth")


@pytest.mark.parametrize("width", WIDTHS)
def test_words_are_searched_and_the_address_is_a_link_to_the_results(
    open_page: Open, scenes: list[Scene], width: int
) -> None:
    page = open_page("/", width)
    sentence = scenes[10].sentence
    page.get_by_role("searchbox").fill(sentence)
    page.keyboard.press("Enter")
    expect(page.locator("#count")).to_contain_text("best first")
    expect(page.get_by_alt_text(sentence).first).to_be_visible()
    again = open_page(page.url.partition("/?")[1] + page.url.partition("/?")[2], width)
    expect(again.get_by_alt_text(sentence).first).to_be_visible()


@pytest.mark.parametrize("width", WIDTHS)
def test_how_a_search_ranks_and_what_it_leaves_out_is_chosen_by_keys_and_stands_in_the_address(
    open_page: Open, scenes: list[Scene], width: int
) -> None:
    page = open_page(f"/?q={scenes[10].sentence}", width)
    rank, least = page.get_by_label("Rank by"), page.get_by_label("Least likeness")
    everything = f"{FILES + 1} pictures, best first"
    expect(page.locator("#count")).to_have_text(everything)
    least.select_option("At least 0.9")
    expect(page.locator("#count")).not_to_have_text(everything)
    expect(page.locator("#count")).to_contain_text(re.compile("best first|Nothing was found"))
    assert "min_score=0.9" in page.url
    again = open_page(page.url.removeprefix(page.url.partition("/?")[0]), width)
    expect(again.get_by_label("Least likeness")).to_have_value("0.9")
    rank.focus()
    page.keyboard.press("ArrowDown")
    page.keyboard.press("ArrowDown")
    page.wait_for_url("**by=words**")
    expect(page.get_by_alt_text(scenes[10].sentence).first).to_be_visible()
    expect(least).to_be_hidden()  # words alone have no likeness
    assert page.evaluate("document.documentElement.scrollWidth <= innerWidth")
    box = rank.bounding_box()
    assert box
    assert min(box["height"], box["width"]) >= 40  # a finger's width


def test_without_words_there_is_nothing_to_rank_by(open_page: Open) -> None:
    page = open_page("/?by=meaning&min_score=0.3")
    expect(page.locator("#count")).to_have_text(f"{FILES + 1} pictures")
    expect(page.locator("#by")).to_be_hidden()
    expect(page.locator("#least")).to_be_hidden()


def test_a_filter_becomes_a_chip_and_goes_with_it(open_page: Open) -> None:
    page = open_page()
    page.get_by_role("button", name="Filter").click()
    page.locator("#facets").get_by_role("button", name="X100").click()
    expect(page.locator("#count")).to_have_text("9 pictures")
    assert "where=camera" in page.url
    page.locator("#chips").get_by_role("button").click()
    expect(page.locator("#count")).to_have_text(f"{FILES + 1} pictures")
    page.go_back()
    expect(page.locator("#count")).to_have_text("9 pictures")


@pytest.mark.parametrize("width", WIDTHS)
def test_the_large_view_is_walked_by_keys_and_tells_what_is_known(open_page: Open, width: int) -> None:
    page = open_page("/", width)
    page.locator(".tile.there").first.click()
    viewer = page.get_by_role("dialog")
    expect(viewer.locator("dd", has_text="X100")).to_be_visible()
    first = page.url
    assert "view=" in first
    expect(viewer.locator("#viewer-like img")).to_have_count(8)
    page.keyboard.press("ArrowRight")
    expect(page).not_to_have_url(first)
    expect(viewer.locator("dd", has_text="X100")).to_be_visible()
    page.keyboard.press("ArrowLeft")
    expect(page).to_have_url(first)
    page.keyboard.press("Escape")
    expect(viewer).to_be_hidden()
    assert "view=" not in page.url


@pytest.mark.parametrize("width", WIDTHS)
def test_the_buttons_of_the_large_view_stay_where_they_are_while_all_else_comes(open_page: Open, width: int) -> None:
    page = open_page("/", width)
    page.locator(".tile.there").first.wait_for()
    held: list[Route] = []
    is_held_up = True

    def hold_up(route: Route) -> None:
        if is_held_up:
            held.append(route)
        else:
            route.continue_()

    page.route(re.compile(r"/api/v1/points/[^/]+(/preview)?$"), hold_up)
    page.locator(".tile").first.click()
    buttons = page.get_by_role("dialog").locator("aside .row")
    expect(buttons).to_be_visible()
    before = buttons.bounding_box()
    expect(page.locator("#viewer-facts dd")).to_have_count(0)
    # What is asked for only now is let through as well.
    is_held_up = False
    for route in held:
        route.continue_()
    expect(page.locator("#viewer-like img")).to_have_count(8)
    # Asked again and again from outside: a script that waits inside is one that the page does not let in.
    until(
        lambda: page.evaluate("document.getElementById('viewer-picture').naturalWidth > 0"), "the picture to be there"
    )
    assert buttons.bounding_box() == before


def test_the_grid_is_walked_by_keys(open_page: Open) -> None:
    page = open_page()
    page.locator(".tile.there").first.wait_for()
    page.locator(".tile").first.focus()
    page.keyboard.press("ArrowRight")
    assert page.evaluate("document.activeElement.dataset.index") == "1"
    page.keyboard.press("ArrowDown")
    assert int(page.evaluate("document.activeElement.dataset.index")) > 1
    page.keyboard.press("Enter")
    expect(page.get_by_role("dialog")).to_be_visible()
    page.keyboard.press("Escape")
    expect(page.get_by_role("dialog")).to_be_hidden()
    page.keyboard.press("/")
    expect(page.get_by_role("searchbox")).to_be_focused()


def test_similar_pictures_are_a_view_of_their_own(open_page: Open, site: Site) -> None:
    page = open_page(f"/?view={site.ids['dated-00.jpg']}")
    page.get_by_role("link", name="Similar pictures").click()
    expect(page.locator("#count")).to_contain_text("best first")
    assert f"like={site.ids['dated-00.jpg']}" in page.url


def test_a_name_that_is_markup_is_shown_as_a_name(open_page: Open, site: Site) -> None:
    page = open_page(f"/?view={site.ids[HOSTILE]}")
    expect(page.get_by_role("dialog").locator("dd", has_text=HOSTILE)).to_be_visible()
    assert page.title() == "Pictures · Darkroom"


def test_a_picture_of_ones_own_is_searched_by(open_page: Open, site: Site, scenes: list[Scene]) -> None:
    page = open_page()
    page.locator("#upload").set_input_files(site.folder / "plain-10.png")
    expect(page.locator("#count")).to_contain_text("best first")
    expect(page.locator("#grid img").first).to_have_attribute("alt", scenes[10].sentence)
    page.locator("#chips").get_by_role("button").click()
    expect(page.locator("#count")).to_have_text(f"{FILES + 1} pictures")


@pytest.mark.parametrize("width", WIDTHS)
def test_a_folder_is_ingested_and_followed_to_its_end(open_page: Open, site: Site, tmp_path: Path, width: int) -> None:
    folder = draw_pictures(tmp_path / f"more {width}", 6, seed=width)
    (folder / "broken.png").write_bytes((folder / "0000.png").read_bytes()[:200])
    page = open_page("/jobs", width)
    try:
        page.get_by_label("Ingest a folder").fill(str(folder))
        page.get_by_role("button", name="Ingest", exact=True).click()
        card = page.locator(".job", has_text=str(folder))
        expect(card.locator(".state")).to_have_text("done")
        expect(card.locator(".counts")).to_contain_text("6 stored, 1 failed of 7 files")
        card.get_by_text("1 failed file").click()
        expect(card.locator("details li")).to_contain_text("broken.png")
        card.get_by_role("button", name="Try failed files again").click()
        expect(page.locator(".job", has_text=str(folder))).to_have_count(2)
    finally:
        site.home.run("forget", str(folder))


def test_duplicates_stand_side_by_side_and_the_rule_says_which_to_keep(open_page: Open, site: Site) -> None:
    page = open_page("/duplicates")
    expect(page.locator("#summary")).to_contain_text("1 group")
    expect(page.locator(".copies li")).to_have_count(2)
    assert page.locator("#list").input_value().count("\n") == 0
    kept = page.locator(".copies li", has_text="copy of it.jpg").get_by_role("checkbox")
    was = kept.is_checked()
    kept.set_checked(not was)
    assert ("copy of it.jpg" in page.locator("#list").input_value()) == was
    with page.expect_download() as download:
        page.get_by_role("button", name="Download a script").click()
    assert re.search(r"^# Look at every line", Path(download.value.path()).read_text(), flags=re.MULTILINE)


def test_the_collection_is_counted_and_each_bar_is_a_link(open_page: Open, site: Site) -> None:
    page = open_page("/collection")
    page.get_by_role("link", name="2023").click()
    expect(page.locator("#count")).to_have_text("3 pictures")


@pytest.mark.parametrize("width", WIDTHS)
def test_the_map_shows_what_lies_close_together_and_is_walked_by_keys(open_page: Open, width: int) -> None:
    page = open_page("/map", width)
    expect(page.locator("#summary")).to_have_text(f"{FILES + 1} pictures; those that look alike lie close together.")
    page.locator("#plane").focus()
    page.keyboard.press("ArrowLeft")
    page.keyboard.press("+")
    page.keyboard.press("Enter")
    card = page.locator("#card")
    expect(card.get_by_role("img")).to_be_visible()
    box = page.locator("#plane").bounding_box()
    assert box
    assert box["y"] + box["height"] <= page.evaluate("innerHeight")
    check(page)
    card.get_by_role("link", name="Similar pictures").click()
    expect(page.locator("#count")).to_contain_text("best first")


@pytest.mark.parametrize("width", WIDTHS)
def test_the_map_of_places_leads_to_the_pictures_near_one(open_page: Open, width: int) -> None:
    page = open_page("/map?of=places", width)
    expect(page.locator("#summary")).to_have_text("9 pictures with a place.")
    # Whatever lies in the middle of nine pictures of one place.
    page.locator("#plane").click()
    card = page.locator("#card")
    expect(card.get_by_role("img")).to_be_visible()
    check(page)
    card.get_by_role("link", name="Pictures near here").click()
    expect(page.locator("#count")).to_have_text("9 pictures")
    expect(page.locator("#chips")).to_contain_text("near:52.52000,13.40500")


def test_the_game_says_whether_the_guess_was_right_and_goes_on(open_page: Open) -> None:
    page = open_page("/game", 390)
    pictures = page.locator("#choices").get_by_role("button")
    expect(pictures).to_have_count(4)
    check(page)
    pictures.first.click()
    expect(page.locator("#verdict")).to_have_text(re.compile(r"^Right\.$|^No, that one is “.+”\.$"))
    expect(page.locator("#choices .right")).to_have_count(1)
    expect(page.locator("#score")).to_have_text(re.compile("^[01] of 1 question$"))
    page.get_by_role("button", name="Another one").click()
    expect(page.locator("#choices .right")).to_have_count(0)
    expect(pictures).to_have_count(4)


@pytest.mark.parametrize("width", WIDTHS)
@pytest.mark.parametrize("path", PAGES)
def test_people_with_other_eyes_and_hands_can_use_every_page(open_page: Open, path: str, width: int) -> None:
    page = open_page(path, width)
    page.wait_for_load_state("networkidle") if path != "/jobs" else page.locator(".job").first.wait_for()
    check(page)


@pytest.mark.parametrize("width", WIDTHS)
def test_people_with_other_eyes_and_hands_can_use_the_large_view(open_page: Open, site: Site, width: int) -> None:
    page = open_page(f"/?view={site.ids['dated-00.jpg']}", width)
    expect(page.locator("#viewer-like img")).to_have_count(8)
    check(page)


def check(page: Page) -> None:
    """No finding of axe-core that is serious or critical, light or dark."""
    # By the browser's own door for its tools: the page itself lets in no script that is not from its server.
    page.evaluate(AXE.read_text(encoding="utf-8"))
    for scheme in ("light", "dark"):
        page.emulate_media(color_scheme=scheme)
        found = page.evaluate("axe.run(document, {resultTypes: ['violations']})")
        serious = [
            (scheme, finding["id"], [node["html"][:200] for node in finding["nodes"][:3]])
            for finding in found["violations"]
            if finding["impact"] in ("serious", "critical")
        ]
        assert serious == []


def test_the_description_of_the_interface_is_read_without_any_other_host(open_page: Open) -> None:
    page = open_page("/docs")
    expect(page.get_by_text("Search by words, by a point or by facts")).to_be_visible()
