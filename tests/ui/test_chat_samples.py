"""The chat's own films: real ones first, phantoms after, each drafted at a click."""

from __future__ import annotations

from chat import needs_chromium, visit, wait_for_draft
from playwright.sync_api import expect

from assistant.chest.samples.films import read_samples


@needs_chromium
def test_real_samples_come_before_phantoms_and_are_drafted_at_a_click(visitor, url):
    page = visit(visitor, url)
    names = page.get_by_role("button").all_inner_texts()
    real = [film.chosen_for for film in read_samples().films]
    places = [names.index(name) for name in (*real, "Sample A")]
    assert places == sorted(places)
    expect(page.locator("#real-samples")).to_contain_text(read_samples().provider)
    page.get_by_role("button", name=real[2], exact=True).click()
    wait_for_draft(page)
    assert page.evaluate("document.querySelector('#film img').naturalWidth") == 512
    assert "SYNTHETIC" not in page.locator("#film").inner_text()
