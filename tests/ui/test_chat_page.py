"""The chat's page for everyone: by keyboard alone, on a narrow screen, with a screen reader."""

from __future__ import annotations

import pytest
from axe_playwright_python.sync_playwright import Axe
from chat import needs_chromium, sample, tab, visit, wait_for_draft
from playwright.sync_api import expect

SERIOUS = ("serious", "critical")


@needs_chromium
@pytest.mark.parametrize("scheme", ["light", pytest.param("dark", marks=pytest.mark.long)])
def test_axe_finds_nothing_serious_on_any_tab(browser, url, scheme):
    context = browser.new_context(color_scheme=scheme, viewport={"width": 1500, "height": 1000})
    page = visit(context, url)
    sample(page)
    page.locator("#draft .said summary").first.click()
    found = {"Read": _faults(page)}
    for name in ("Paint", "Batch", "Library", "Report card"):
        tab(page, name)
        page.wait_for_timeout(300)
        found[name] = _faults(page)
    context.close()
    assert {name: faults for name, faults in found.items() if faults} == {}


def _faults(page) -> list[str]:
    violations = Axe().run(page).response["violations"]
    return [
        f"{one['id']}: {node['target']}"
        for one in violations
        if one["impact"] in SERIOUS
        for node in one["nodes"]
    ]


@pytest.mark.long
@needs_chromium
def test_a_narrow_screen_shows_everything_without_scrolling_sideways(browser, url):
    context = browser.new_context(viewport={"width": 390, "height": 844})
    page = visit(context, url)
    sample(page)
    for name in ("Read", "Paint", "Batch", "Library", "Report card"):
        item = page.get_by_role("tab", name=name, exact=True)
        if item.is_visible():
            item.click()
        else:  # tabs that do not fit are behind a button
            page.locator(".overflow-menu > button").click()
            page.locator(".overflow-dropdown").get_by_text(name, exact=True).click()
        page.wait_for_timeout(150)
        wide = page.evaluate("document.documentElement.scrollWidth")
        assert wide <= 392, name
    context.close()


@needs_chromium
def test_a_film_is_drafted_judged_and_asked_about_by_keyboard_alone(visitor, url):
    page = visit(visitor, url)
    _tab_to(page, "Sample B")
    page.keyboard.press("Enter")
    wait_for_draft(page)
    _tab_to_summary(page)
    page.keyboard.press("Enter")
    _tab_to(page, "Accept")
    page.keyboard.press("Enter")
    expect(page.locator("#draft .verdict.accepted")).to_have_count(1)
    for _ in range(120):
        page.keyboard.press("Tab")
        if page.evaluate("document.activeElement.tagName") == "TEXTAREA" and page.evaluate(
            "document.activeElement.closest('#ask') !== null"
        ):
            break
    page.keyboard.type("Is there a pneumothorax?")
    page.keyboard.press("Enter")
    expect(page.locator("#talk .answer")).to_have_count(1)


def _tab_to(page, name: str) -> None:
    """Press Tab until the button of this name is reached."""
    for _ in range(150):
        page.keyboard.press("Tab")
        if page.evaluate("document.activeElement.textContent.trim()") == name:
            return
    pytest.fail(f"{name} cannot be reached by keyboard")


def _tab_to_summary(page) -> None:
    for _ in range(150):
        page.keyboard.press("Tab")
        if page.evaluate("document.activeElement.matches('#draft .said summary')"):
            return
    pytest.fail("no sentence can be reached by keyboard")


@needs_chromium
def test_a_first_visit_is_explained_once(visitor, url):
    page = visit(visitor, url)
    panel = page.locator("#first details")
    expect(panel.locator("p")).to_be_visible()
    panel.locator("summary").click()
    expect(panel.locator("p")).to_be_hidden()
    page.reload()
    page.wait_for_selector("#drop input[type=file]", state="attached")
    expect(page.locator("#first details p")).to_be_hidden()
