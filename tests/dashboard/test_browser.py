"""The dashboard in a real browser. The ``page`` fixture fails on outside requests and on console errors."""

from __future__ import annotations

from dataclasses import replace
from itertools import pairwise
from typing import TYPE_CHECKING, Any

import pytest

from greenai.core.views import RunQuery

if TYPE_CHECKING:
    from playwright.sync_api import Page

    from greenai.core.record import RunRecord

pytestmark = pytest.mark.slow

ROW = ".ag-center-cols-container .ag-row"


def expect(target: Any) -> Any:
    from playwright.sync_api import expect as playwright_expect

    return playwright_expect(target)


def test_grid_shows_sorts_and_filters_runs(page: Page, site: Any) -> None:
    page.goto(site.url)
    newest = page.locator(f"{ROW}[row-index='0'] [col-id='name']")
    expect(newest).to_have_text("gradient-net <b>v2</b>")
    expect(page.locator("#runs-count")).to_have_text("242 runs")
    page.locator(".ag-header-cell[col-id='total_j']").click()
    expect(newest).to_have_text("forest-0")
    page.get_by_label("Search").fill("forest-23")
    expect(page.locator("#runs-count")).to_have_text("11 runs")
    expect(newest).to_have_text("forest-23")
    newest.locator("a").click()
    expect(page.locator("h1")).to_have_text("forest-23")


def test_far_rows_are_loaded_when_scrolled_to(page: Page, site: Any) -> None:
    page.goto(site.url)
    expect(page.locator(f"{ROW}[row-index='0'] [col-id='name']")).to_be_visible()
    page.locator(".ag-body-viewport").evaluate("element => { element.scrollTop = 52 * 235; }")
    expect(page.locator(f"{ROW}[row-index='238'] [col-id='name']")).to_have_text("forest-236")


def test_new_runs_appear_and_quiet_times_leave_the_view_alone(page: Page, site: Any, record: RunRecord) -> None:
    page.goto(site.url)
    newest = page.locator(f"{ROW}[row-index='0'] [col-id='name']")
    expect(newest).to_have_text("gradient-net <b>v2</b>")
    viewport = page.locator(".ag-body-viewport")
    viewport.evaluate("element => { element.scrollTop = 5200; }")
    expect(page.locator(f"{ROW}[row-index='102'] [col-id='name']")).to_have_text("forest-100")
    asked = len(site.data.queries)
    with page.expect_response(lambda answer: answer.status == 204, timeout=15_000):
        pass
    assert all(query.offset == 0 for query in site.data.queries[asked:])  # no row was fetched again
    site.data.records.append(
        replace(record, id="0" * 15 + "x", name="brand-new", started_ms=record.started_ms + 1)
    )
    expect(page.locator("#runs-count")).to_have_text("243 runs", timeout=15_000)
    assert viewport.evaluate("element => element.scrollTop") == 5200
    viewport.evaluate("element => { element.scrollTop = 0; }")
    expect(newest).to_have_text("brand-new")


def test_first_run_appears_by_itself(page: Page, site: Any, record: RunRecord) -> None:
    site.data.records.clear()
    page.goto(site.url)
    expect(page.locator("#runs-empty")).to_contain_text("greenai run -- python train.py")
    site.data.records.append(record)
    first = page.locator(f"{ROW}[row-index='0'] [col-id='name']")
    expect(first).to_have_text("gradient-net <b>v2</b>", timeout=15_000)
    expect(page.locator("#runs-empty")).to_be_hidden()


def test_language_switch_changes_texts_and_stays_on_the_page(page: Page, site: Any) -> None:
    page.goto(f"{site.url}/compare/digits")
    expect(page.locator("h1")).to_have_text("Is AI needed here?")
    page.locator("#languages").get_by_text("DE").click()
    expect(page.locator("h1")).to_have_text("Braucht es hier KI?")
    expect(page).to_have_url(f"{site.url}/compare/digits")
    expect(page).to_have_title("Braucht es hier KI? – greenai")
    assert page.locator("html").get_attribute("lang") == "de"


def background(page: Page, selector: str) -> int:
    """Return the brightness of an element's background, 0 (black) to 765."""
    script = "element => getComputedStyle(element).backgroundColor.match(/\\d+/g).slice(0, 3).map(Number)"
    return sum(page.locator(selector).first.evaluate(script))


def test_dark_mode_reaches_page_and_grid_and_is_kept(page: Page, site: Any) -> None:
    page.goto(site.url)
    expect(page.locator(f"{ROW}[row-index='0'] [col-id='name']")).to_be_visible()
    assert background(page, "body") > 600
    assert background(page, ".ag-root-wrapper") > 600
    page.locator("#colour-scheme").click()
    expect(page.locator("html")).to_have_attribute("data-mantine-color-scheme", "dark")
    assert background(page, "body") < 200
    assert background(page, ".ag-root-wrapper") < 200
    page.reload()
    expect(page.locator(f"{ROW}[row-index='0'] [col-id='name']")).to_be_visible()
    assert background(page, "body") < 200
    assert background(page, ".ag-root-wrapper") < 200


def test_dark_system_starts_dark(page: Page, site: Any) -> None:
    page.emulate_media(color_scheme="dark")
    page.goto(site.url)
    expect(page.locator("h1")).to_be_visible()
    assert background(page, "body") < 200


def test_run_page_draws_the_trace_and_cuts_it_again_on_zoom(page: Page, site: Any, record: RunRecord) -> None:
    page.goto(f"{site.url}/run/latest")
    expect(page.locator("#run-trace .scatterlayer .js-line")).to_have_count(4)  # three lines, one has a gap
    expect(page.locator("#run-trace .legendtext").last).to_have_text("memory memory (estimated)")
    page.wait_for_load_state("networkidle")
    plot = page.locator("#run-trace .nsewdrag")
    box = plot.bounding_box()
    assert box is not None
    before = len(site.data.cuts)
    page.mouse.move(box["x"] + box["width"] * 0.4, box["y"] + 50)
    page.wait_for_timeout(300)  # the plot follows the pointer with a delay
    page.mouse.down()
    page.mouse.move(box["x"] + box["width"] * 0.5, box["y"] + 55, steps=5)
    page.wait_for_timeout(200)
    page.mouse.up()
    page.wait_for_timeout(1500)
    assert len(site.data.cuts) == before + 1  # and the answer must not set off another round
    from_ms, to_ms = site.data.cuts[-1]
    assert to_ms - from_ms < record.duration_s * 1000 * 0.12
    shown = page.evaluate("document.querySelector('#run-trace .js-plotly-plot').layout.xaxis.range")
    assert shown[1] - shown[0] == pytest.approx((to_ms - from_ms) / 1040, rel=0.01)


@pytest.mark.parametrize("path", ["/run/latest", "/compare/churn-2026"])
def test_charts_offer_no_way_to_send_data_away(page: Page, site: Any, path: str) -> None:
    page.goto(f"{site.url}{path}")
    expect(page.locator(".modebar-btn").first).to_be_attached()
    titles = page.locator(".modebar-btn").evaluate_all("all => all.map(one => one.dataset.title)")
    assert titles == ["Download plot as a PNG", "Zoom", "Pan", "Zoom in", "Zoom out", "Reset axes"]


def test_run_record_can_be_downloaded(page: Page, site: Any, record: RunRecord) -> None:
    page.goto(f"{site.url}/run/latest")
    with page.expect_download() as download:
        page.get_by_role("link", name="Download the run record as JSON").click()
    assert download.value.suggested_filename == f"greenai-run-{record.id}.json"


def test_running_run_is_followed_to_its_end(page: Page, site: Any, record: RunRecord) -> None:
    from greenai.core.vocabulary import RunState

    site.data.records[0] = replace(record, state=RunState.RUNNING, duration_s=30.0)
    page.goto(f"{site.url}/run/{record.id}")
    expect(page.locator(".title-row .badge")).to_have_text("running")
    site.data.records[0] = record
    expect(page.locator(".title-row .badge")).to_have_text("completed", timeout=15_000)


def start_again(site: Any, record: RunRecord, count: int = 1) -> None:
    from greenai.core.vocabulary import RunState

    running = replace(record, state=RunState.RUNNING, ended_ms=None)
    site.data.records[0] = running
    site.data.records += [replace(running, id=f"more-{n}", name=f"more-{n}") for n in range(1, count)]


def test_the_strip_appears_is_kept_up_to_date_and_vanishes(page: Page, site: Any, record: RunRecord) -> None:
    page.goto(site.url)
    expect(page.locator("#runs-count")).to_have_text("242 runs")
    expect(page.locator("#live")).to_be_hidden()
    start_again(site, record, 3)
    card = page.locator(".live-card", has_text="gradient-net")
    expect(card).to_contain_text("226", timeout=15_000)
    expect(page.locator("#live h2")).to_have_text("3 runs are running now")
    card.locator("a").focus()
    page.evaluate("document.querySelectorAll('.live-card *').forEach(one => { one.dataset.before = 'yes'; })")
    row = site.data.run_page(RunQuery(state="running", text=record.id)).rows[0]
    site.data.now[record.id] = site.data.live_of(row, 319.0)
    expect(card).to_contain_text("319", timeout=15_000)
    # Nothing was put in the place of another: no flicker, and the focus stays.
    assert page.locator(".live-card *:not([data-before])").count() == 0
    assert page.evaluate("document.activeElement.textContent") == record.name
    site.data.records = site.data.records[1:242]
    expect(page.locator("#live")).to_be_hidden(timeout=15_000)


def test_a_card_is_reached_by_keyboard_and_leads_to_its_run(page: Page, site: Any, record: RunRecord) -> None:
    start_again(site, record, 14)
    page.goto(site.url)
    expect(page.locator(".live-card")).to_have_count(12)
    expect(page.locator("#live-others")).to_have_text("and 2 more in the table")
    page.locator("#colour-scheme").focus()
    page.keyboard.press("Tab")
    while page.evaluate("document.activeElement.className") != "live-name":
        page.keyboard.press("Tab")
    card = page.locator(".live-card").first
    assert card.evaluate("one => getComputedStyle(one).outlineStyle") == "solid"
    name = page.evaluate("document.activeElement.textContent")
    page.keyboard.press("Enter")
    expect(page.locator("h1")).to_have_text(name)


def test_the_trace_follows_stands_still_when_enlarged_and_shows_the_end(
    page: Page, site: Any, record: RunRecord
) -> None:
    start_again(site, record)
    page.goto(f"{site.url}/run/{record.id}")
    expect(page.locator("#run-now")).to_contain_text("226")
    expect(page.locator("#run-trace .xtitle")).to_have_text("Time before now (min)")
    height = page.locator("#run-trace").evaluate("one => one.offsetHeight")
    assert height > 300
    followed = len(site.data.followed)
    page.wait_for_timeout(5500)
    assert 1 <= len(site.data.followed) - followed <= 2  # and the answer must not set off another round
    assert page.locator("#run-trace").evaluate("one => one.offsetHeight") == height
    page.get_by_text("Whole run", exact=True).click()
    expect(page.locator("#run-trace .xtitle")).to_have_text("Time since start (s)", timeout=15_000)
    page.get_by_text("Last 10 minutes", exact=True).click()
    expect(page.locator("#run-trace .xtitle")).to_have_text("Time before now (min)", timeout=15_000)
    page.locator("#run-trace").scroll_into_view_if_needed()
    plot = page.locator("#run-trace .nsewdrag").bounding_box()
    assert plot is not None
    page.mouse.move(plot["x"] + plot["width"] * 0.4, plot["y"] + 50)
    page.wait_for_timeout(300)  # the plot follows the pointer with a delay
    page.mouse.down()
    page.mouse.move(plot["x"] + plot["width"] * 0.5, plot["y"] + 55, steps=5)
    page.wait_for_timeout(200)
    page.mouse.up()
    page.wait_for_timeout(500)
    followed = len(site.data.followed)
    page.wait_for_timeout(5500)
    assert len(site.data.followed) == followed
    site.data.records[0] = record
    expect(page.locator(".title-row .badge")).to_have_text("completed", timeout=15_000)
    expect(page.locator("#run-trace .xtitle")).to_have_text("Time since start (s)", timeout=15_000)
    expect(page.locator("#run-stretch-frame")).to_be_hidden()
    expect(page.locator("#run-now")).to_be_hidden()


@pytest.mark.parametrize("path", ["/", "/run/latest"])
def test_running_runs_fit_a_phone_in_german(page: Page, site: Any, record: RunRecord, path: str) -> None:
    start_again(site, record, 14)
    page.set_viewport_size({"width": 390, "height": 844})
    page.goto(f"{site.url}/setlang/de?next={path}")
    expect(page.locator(".live-card").first).to_contain_text("Leistung jetzt")
    page.wait_for_load_state("networkidle")
    assert page.evaluate("document.documentElement.scrollWidth") <= 390


def test_compare_page_shows_the_verdict_and_changes_task(page: Page, site: Any) -> None:
    page.goto(f"{site.url}/compare")
    expect(page.locator(".verdict-sentence")).to_have_text(
        "The classical solution needs less energy and is no worse on these data."
    )
    expect(page.locator(".chart .scatterlayer .trace")).to_have_count(4)
    page.locator("#compare-task").click()
    page.get_by_role("option", name="digits").click()
    expect(page.locator(".verdict-sentence")).to_have_text("Not comparable: different units.")
    expect(page).to_have_url(f"{site.url}/compare/digits")


@pytest.mark.parametrize("path", ["/", "/run/latest", "/compare/churn-2026", "/compare/only-ai"])
@pytest.mark.parametrize("language", ["de", "en"])
def test_no_page_is_wider_than_a_phone(page: Page, site: Any, path: str, language: str) -> None:
    page.set_viewport_size({"width": 390, "height": 844})
    page.goto(f"{site.url}/setlang/{language}?next={path}")
    expect(page.locator("h1")).to_be_visible()
    page.wait_for_load_state("networkidle")
    assert page.evaluate("document.documentElement.scrollWidth") <= 390


@pytest.mark.parametrize("path", ["/", "/run/latest", "/compare/churn-2026", "/run/nope"])
def test_headings_are_in_order(page: Page, site: Any, path: str) -> None:
    page.goto(f"{site.url}{path}")
    expect(page.locator("h1")).to_be_visible()
    levels = page.evaluate(
        "[...document.querySelectorAll('h1,h2,h3,h4')].filter(one => one.offsetParent).map(one => +one.tagName[1])"
    )
    assert levels[0] == 1
    assert levels.count(1) == 1
    assert all(after - before <= 1 for before, after in pairwise(levels))


def test_keyboard_reaches_the_navigation_visibly(page: Page, site: Any) -> None:
    page.goto(site.url)
    expect(page.locator("h1")).to_be_visible()
    page.keyboard.press("Tab")
    assert page.evaluate("document.activeElement.className") == "skip-link"
    page.keyboard.press("Tab")
    page.keyboard.press("Tab")
    assert page.evaluate("document.activeElement.textContent") == "Runs"
    assert page.evaluate("getComputedStyle(document.activeElement).outlineStyle") == "solid"
