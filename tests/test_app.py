"""The chat in a real browser: what a visitor sees, and what no other visitor sees.

The backbone is `mini`, or the folder that WETREAD_TEST_BACKBONE names; no test depends on what
it writes.
"""

from __future__ import annotations

import base64
import json
import os
import re
import socket
import threading
from collections.abc import Iterator
from pathlib import Path
from types import SimpleNamespace
from urllib.error import HTTPError
from urllib.parse import urlsplit
from urllib.request import urlopen

import gradio as gr
import numpy as np
import pytest
from playwright.sync_api import Browser, BrowserContext, Page, expect, sync_playwright

import app
import pages
from assistant.chest.phantoms import make_phantom
from assistant.errors import SettingsError
from assistant.exports import NOTICE
from assistant.filing import add_film
from assistant.intake import read_film_bytes
from assistant.previews import png
from assistant.types import Evidence, Film, Gate, Neighbour, Provenance, Report, Sentence, Study
from assistant.walk import Assistant

CHROMIUM = Path("/usr/bin/chromium")
FLAGS = [
    "--headless",
    "--no-sandbox",
    "--disable-gpu",
    "--disable-quic",
    "--no-first-run",
    "--disable-background-networking",
    "--disable-component-update",
    "--disable-sync",
]
PATIENT = "Quizzical_Zebedee"  # a file name that must be seen nowhere
SLOW = 60_000  # milliseconds a loaded machine may take for a draft or a painting

needs_chromium = pytest.mark.skipif(
    not CHROMIUM.exists(), reason=f"no Chromium at {CHROMIUM}: apt-get install chromium"
)


VERDICT = re.compile("supported|contradicted|unsupported|unchecked")


def phantom_png(index: int) -> bytes:
    return png(make_phantom(5, index, split="test").film.astype(np.float32) / 255)


@pytest.fixture(scope="module")
def assistant(tmp_path_factory) -> Iterator[Assistant]:
    library = tmp_path_factory.mktemp("app") / "library"
    backbone = os.environ.get("WETREAD_TEST_BACKBONE", "mini")
    with Assistant.load(backbone=backbone, library=library) as loaded:
        for index in range(3):
            phantom = make_phantom(6, index, split="validation")
            film = read_film_bytes(png(phantom.film.astype(np.float32) / 255))
            add_film(loaded, film, report=phantom.report)
        yield loaded


@pytest.fixture(scope="module")
def url(assistant: Assistant) -> Iterator[str]:
    with app.running(assistant, port=free_port()) as address:
        yield address


@pytest.fixture(scope="module")
def browser() -> Iterator[Browser]:
    expect.set_options(timeout=SLOW)
    with sync_playwright() as playwright:
        browser = playwright.chromium.launch(executable_path=str(CHROMIUM), args=FLAGS)
        yield browser
        browser.close()
    expect.set_options(timeout=5000)  # Playwright's own


@pytest.fixture
def visitor(browser: Browser) -> Iterator[BrowserContext]:
    context = browser.new_context()
    yield context
    context.close()


@pytest.fixture
def films(tmp_path: Path) -> list[Path]:
    paths = [tmp_path / f"{PATIENT}_{index}.png" for index in range(2)]
    for index, path in enumerate(paths):
        path.write_bytes(phantom_png(index))
    return paths


def free_port() -> int:
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return probe.getsockname()[1]


def visit(context: BrowserContext, url: str) -> Page:
    page = context.new_page()
    page.set_default_timeout(SLOW)
    page.goto(url)
    page.wait_for_selector("#drop input[type=file]", state="attached")
    return page


def drop(page: Page, film: Path) -> None:
    page.set_input_files("#drop input[type=file]", film)


def wait_for_draft(page: Page) -> None:
    page.wait_for_selector("#draft .draft", timeout=SLOW)


def pictures(page: Page) -> set[str]:
    return set(page.eval_on_selector_all("#film img, #cases img", "all => all.map(i => i.src)"))


@needs_chromium
def test_dropped_film_is_shown_with_its_draft_similar_cases_and_downloads(visitor, url, films):
    page = visit(visitor, url)
    drop(page, films[0])
    wait_for_draft(page)
    assert page.evaluate("document.querySelector('#film img').naturalWidth") == 256
    expect(page.locator("#draft .notice")).to_have_text(NOTICE)
    expect(page.locator("#draft .gate strong")).to_be_visible()
    sentences = page.locator("#draft details")
    assert sentences.count() >= 1
    expect(sentences.first.locator(".verdict").first).to_have_text(VERDICT)
    sentences.first.locator("summary").press("Enter")  # by keyboard
    expect(sentences.first.locator(".why")).to_contain_text(
        re.compile(r"Risk of being false: .*%.*Probe \d")
    )
    # As many as are like enough: at least one, and never more than were asked for.
    expect(page.locator("#cases .case").first).to_be_visible()
    assert page.locator("#cases .case").count() <= 3
    assert page.evaluate("[...document.querySelectorAll('#cases img')].every(i => i.naturalWidth)")
    with page.expect_download() as waiting:
        page.get_by_role("link", name="Download JSON").click()
    draft = json.loads(waiting.value.path().read_text())
    sha256 = draft["study"]["films"][0]["sha256"]
    assert waiting.value.suggested_filename == f"draft-{sha256[:12]}.json"
    assert PATIENT not in json.dumps(draft) + page.content()


@needs_chromium
def test_a_film_that_lies_wrongly_is_refused_and_read_once_it_is_put_right(visitor, url, tmp_path):
    turned = tmp_path / "turned.png"
    film = make_phantom(6, 40, split="test").film.astype(np.float32) / 255
    turned.write_bytes(png(np.ascontiguousarray(np.rot90(film))))
    page = visit(visitor, url)
    drop(page, turned)
    wait_for_draft(page)
    expect(page.locator("#draft .gate.refuse strong")).to_have_text("Refused")
    assert page.locator("#draft details").count() == 0
    page.get_by_role("button", name="Put it right and draft").click()
    page.wait_for_selector("#draft details")
    expect(page.locator("#right")).to_be_hidden()
    assert page.locator("#draft .gate.refuse").count() == 0


@needs_chromium
def test_what_a_sentence_rests_on_is_drawn_where_it_lies_on_the_film(visitor, url, tmp_path):
    ill = next(
        p for i in range(50) if (p := make_phantom(6, i, split="test")).lesions and not p.devices
    )
    path = tmp_path / "ill.png"
    path.write_bytes(png(ill.film.astype(np.float32) / 255))
    page = visit(visitor, url)
    drop(page, path)
    page.wait_for_selector("#film svg rect", state="attached")
    picture, drawn = (page.locator(f"#film {one}").bounding_box() for one in ("img", "svg"))
    assert picture is not None
    assert drawn is not None
    assert all(abs(picture[key] - drawn[key]) < 2 for key in ("x", "y", "width", "height"))
    numbers = {
        n for text in page.locator("#film svg text").all_text_contents() for n in text.split(", ")
    }
    assert numbers <= set(page.locator("#draft summary b").all_text_contents())


@needs_chromium
def test_refused_file_gets_one_sentence_and_no_draft(visitor, url, films, tmp_path):
    page = visit(visitor, url)
    drop(page, films[0])
    wait_for_draft(page)
    notes = tmp_path / "notes.txt"
    notes.write_text("no film")
    drop(page, notes)
    expect(page.locator("#film .error")).to_contain_text("is not DICOM, PNG, JPEG or TIFF")
    expect(page.locator("#film .error")).not_to_contain_text("Traceback")
    page.get_by_role("button", name="Draft", exact=True).click()
    page.wait_for_timeout(1000)
    expect(page.locator("#draft .draft, #cases .case, #film img")).to_have_count(0)


@needs_chromium
def test_two_sessions_do_not_see_each_others_films(browser, url, films):
    first, second = browser.new_context(), browser.new_context()
    one, two = visit(first, url), visit(second, url)
    drop(one, films[0])
    wait_for_draft(one)
    expect(two.locator("#film img, #draft .draft, #cases .case")).to_have_count(0)
    drop(two, films[1])
    wait_for_draft(two)
    hashes = [read_film_bytes(film.read_bytes()).sha256[:12] for film in films]
    for page, own, other in ((one, *hashes), (two, *reversed(hashes))):
        expect(page.locator("#film figcaption")).to_contain_text(own)
        assert other not in page.content()
    one.evaluate("document.querySelector('#draft .draft').classList.add('seen')")
    one.get_by_role("button", name="Draft", exact=True).click()  # of the first film, not the last
    one.wait_for_selector("#draft .draft:not(.seen)")
    for page, own in ((one, hashes[0]), (two, hashes[1])):
        links = page.locator("#draft a[download]")
        expect(links.first).to_have_attribute("download", f"draft-{own}.json")
    films_shown = [p.locator("#film img").get_attribute("src") for p in (one, two)]
    assert films_shown[0] not in pictures(two)
    assert films_shown[1] not in pictures(one)
    one.reload()
    one.wait_for_selector("#drop input[type=file]", state="attached")
    expect(one.locator("#film .empty")).to_be_visible()
    expect(one.locator("#film img, #draft .draft, #cases .case")).to_have_count(0)
    first.close()
    second.close()


@needs_chromium
def test_upload_is_gone_from_disk_and_from_its_address(visitor, url, films):
    page = visit(visitor, url)
    addresses: list[str] = []
    page.on(
        "response",
        lambda r: addresses.extend(r.json()) if "/upload?" in r.url and r.ok else None,
    )
    drop(page, films[0])
    wait_for_draft(page)
    (address,) = addresses
    uploads = Path(address).parent.parent
    assert uploads.name.startswith("wetread-")
    left = [p for p in uploads.rglob("*") if p.is_file()]
    assert [p.name for p in left if PATIENT in p.name or p.stat().st_size] == []
    with pytest.raises(HTTPError) as refused, urlopen(f"{url}gradio_api/file={address}"):  # noqa: S310
        pass
    assert refused.value.code == 403


@needs_chromium
def test_a_late_draft_never_appears_beside_another_film(visitor, url, assistant, monkeypatch):
    gate, draft = threading.Event(), assistant.draft

    def held_up(*args, **options):
        gate.wait(30)
        return draft(*args, **options)

    monkeypatch.setattr(assistant, "draft", held_up)
    page = visit(visitor, url)
    page.get_by_role("button", name="Sample A").click()
    expect(page.locator("#draft .busy")).to_be_visible()
    page.get_by_role("button", name="Start over").click()
    expect(page.locator("#film .empty")).to_be_visible()
    gate.set()
    page.wait_for_timeout(3000)
    expect(page.locator("#draft .draft, #cases .case")).to_have_count(0)


@needs_chromium
def test_prompt_gives_a_painted_film_marked_as_synthetic(visitor, url):
    page = visit(visitor, url)
    page.get_by_role("tab", name="Paint").click()
    page.get_by_role("button", name="Paint", exact=True).click()
    expect(page.locator("#painted .error")).to_contain_text("nothing to paint")
    page.get_by_label("What the film should show").fill("Large right pleural effusion.")
    page.get_by_role("button", name="Paint", exact=True).click()
    expect(page.locator("#painted .mark")).to_have_text("SYNTHETIC")
    source = page.locator("#painted img").get_attribute("src") or ""
    film = read_film_bytes(base64.b64decode(source.partition(",")[2]))
    assert "synthetic" in film.flags


@needs_chromium
def test_page_asks_nothing_of_other_hosts(visitor, url):
    page = visitor.new_page()
    asked: list[str] = []
    page.on("request", lambda request: asked.append(request.url))
    page.goto(url)
    page.get_by_role("button", name="Sample A").click()
    wait_for_draft(page)
    page.get_by_role("tab", name="Paint").click()
    page.wait_for_timeout(500)
    hosts = {urlsplit(a).hostname for a in asked if not a.startswith(("data:", "blob:"))}
    assert hosts == {"127.0.0.1"}
    # And it could not if it tried: the page's own policy forbids it.
    blocked = """new Promise(done => {
        document.addEventListener("securitypolicyviolation", event => done(event.blockedURI));
        fetch("http://192.0.2.1/").then(() => done("sent"), () => {});
        setTimeout(() => done("not blocked"), 5000); })"""
    assert page.evaluate(blocked) == "http://192.0.2.1/"


def test_server_listens_on_loopback_only_and_shares_nothing(assistant, monkeypatch):
    seen: dict = {}

    def launch(page: gr.Blocks, **options):
        seen.update(options, analytics=page.analytics_enabled)
        return None, "http://127.0.0.1:1/", None

    monkeypatch.setattr(gr.Blocks, "launch", launch)
    with app.running(assistant) as address:
        assert address == "http://127.0.0.1:1/"
    assert (seen["server_name"], seen["server_port"]) == ("127.0.0.1", 7860)
    assert seen["share"] is False
    assert seen["analytics"] is False


def test_taken_port_is_one_clear_sentence(assistant):
    with socket.socket() as taken:
        taken.bind(("127.0.0.1", 0))
        taken.listen()
        port = taken.getsockname()[1]
        with pytest.raises(SettingsError, match=f"127.0.0.1:{port}"), app.running(assistant, port):
            pass


def test_nothing_that_was_written_elsewhere_is_taken_as_html():
    evil = "<img src=x onerror=alert(1)>"
    film = Film(np.zeros((64, 64), np.float32), "0" * 64, view=evil)
    near = Neighbour(evil, 0.5, report=evil, source=evil)
    said = Evidence("neighbour", 0.5, "supports", evil, evil)
    report = Report(
        study=Study((film,)),
        sentences=(Sentence(evil, "findings", evidence=(said,), citations=(evil,), reason=evil),),
        neighbours=(near,),
        gate=Gate("warn", evil),
        provenance=Provenance(evil, evil, evil, "0" * 64, 0, (), evil),
        removed=((evil, evil),),
    )
    nobody = SimpleNamespace(library=None)
    shown = pages.film_html(film) + pages.draft_html(report) + pages.cases_html(nobody, (near,))  # type: ignore[arg-type]
    assert "<img src=x" not in shown
    assert shown.count("&lt;img src=x") >= 9


def test_a_large_film_is_shrunk_for_the_page():
    film = Film(np.zeros((2600, 3000), np.float32), "0" * 64)
    shown = pages.film_html(film).partition("base64,")[2].partition('"')[0]
    assert max(read_film_bytes(base64.b64decode(shown)).pixels.shape) <= pages.SHOWN_EDGE
