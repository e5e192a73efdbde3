"""What must hold of the chat: sessions apart, nothing left behind, nothing leaves, nothing runs."""

from __future__ import annotations

import re
import socket
import threading
from concurrent.futures import ThreadPoolExecutor
from contextlib import nullcontext
from pathlib import Path
from types import SimpleNamespace
from urllib.parse import urlsplit

import httpx
import numpy as np
import pytest
from chat import (
    PATIENT,
    drop,
    free_port,
    needs_chromium,
    phantom_png,
    pictures,
    sample,
    tab,
    visit,
    wait_for_draft,
)
from conftest import REPO
from playwright.sync_api import expect
from typer.testing import CliRunner

import app
from assistant.errors import SettingsError
from assistant.intake import read_film_bytes
from assistant.types import (
    Answer,
    Evidence,
    Film,
    Gate,
    Neighbour,
    Provenance,
    Report,
    Sentence,
)
from ui.batch_view import batch_html
from ui.cases_view import cases_html, library_html
from ui.draft_view import draft_html, writing_html
from ui.film_view import rail_html, viewer_html
from ui.session import Session
from ui.talk_view import talk_html

EVIL = "<img src=x onerror=alert(1)>"


@pytest.mark.long
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
        expect(page.locator("#film .caption")).to_contain_text(own)
        assert other not in page.content()
    one.evaluate("document.querySelector('#draft .draft').classList.add('seen')")
    one.get_by_role("button", name="Draft", exact=True).click()  # of the first film, not the last
    one.wait_for_selector("#draft .draft:not(.seen)")
    for page, own in ((one, hashes[0]), (two, hashes[1])):
        links = page.locator("#draft a[download]")
        expect(links.first).to_have_attribute("download", f"draft-{own}.json")
    shown = [p.locator("#film .plate img").get_attribute("src") for p in (one, two)]
    assert shown[0] not in pictures(two)
    assert shown[1] not in pictures(one)
    one.reload()
    one.wait_for_selector("#drop input[type=file]", state="attached")
    expect(one.locator("#film .empty")).to_be_visible()
    expect(one.locator("#film img, #draft .draft, #cases .case")).to_have_count(0)
    first.close()
    second.close()


def test_fifty_sessions_at_once_never_mix(url):
    """Each drops a film of its own, by the page's own protocol, and is shown that film only."""
    config = httpx.get(f"{url}config", timeout=60).json()
    take = next(d["id"] for d in config["dependencies"] if d["targets"][0][1] == "upload")
    rng = np.random.default_rng(5)
    from assistant.intake.png import png

    films = [png(rng.random((64, 64)).astype(np.float32)) for _ in range(50)]
    own = [read_film_bytes(film).sha256[:12] for film in films]
    start = threading.Barrier(50)

    def session(number: int) -> str:
        with httpx.Client(base_url=url, timeout=120) as client:
            sent = client.post("gradio_api/upload", files={"files": ("film.png", films[number])})
            told = {"path": sent.json()[0], "meta": {"_type": "gradio.FileData"}}
            start.wait(60)
            asked = {
                "data": [None, [told], "", ""],
                "fn_index": take,
                "session_hash": f"session{number}",
            }
            client.post("gradio_api/queue/join", json=asked).raise_for_status()
            listen = {"session_hash": f"session{number}"}
            with client.stream("GET", "gradio_api/queue/data", params=listen) as lines:
                for line in lines.iter_lines():
                    if line.startswith("data:") and '"process_completed"' in line:
                        return line
        return ""

    with ThreadPoolExecutor(50) as pool:
        answers = list(pool.map(session, range(50)))
    for number, answer in enumerate(answers):
        assert [sha for sha in own if sha in answer] == [own[number]], number


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
    uploads = Path(address).parents[1]
    assert uploads.parent.name.startswith("wetread-")
    assert PATIENT not in address
    assert [*uploads.iterdir()] == []
    # What is left is the film's pixels, under a random name, for its owner alone.
    left = [p for p in uploads.parent.rglob("*") if p.is_file()]
    assert {p.suffix for p in left} <= {".npy", ".lock"}
    assert not [
        p for p in left if PATIENT in str(p) or (p.stat().st_mode & 0o077 and p.stat().st_size)
    ]
    assert httpx.get(f"{url}gradio_api/file={address}", timeout=60).status_code == 404


@needs_chromium
def test_what_a_session_unpacked_is_gone_when_it_ends(browser, url, tmp_path):
    import zipfile

    path = tmp_path / "films.zip"
    with zipfile.ZipFile(path, "w") as kept:
        kept.writestr(f"{PATIENT}.png", phantom_png(0))
    context = browser.new_context()
    page = visit(context, url)
    addresses: list[str] = []
    page.on(
        "response",
        lambda r: addresses.extend(r.json()) if "/upload?" in r.url and r.ok else None,
    )
    tab(page, "Batch")
    page.set_input_files("#zip input[type=file]", path)
    expect(page.locator("#batch")).to_contain_text("1 films are unpacked")
    home = Path(addresses[0]).parents[2]
    assert list(home.rglob("*.png"))
    context.close()
    for _ in range(60):
        if not list(home.rglob("*.png")):
            return
        threading.Event().wait(0.5)
    pytest.fail("the unpacked films are still there")


@needs_chromium
def test_hostile_names_and_texts_are_text_and_nothing_more(visitor, url, tmp_path):
    page = visit(visitor, url)
    alerts: list[str] = []
    page.on("dialog", lambda dialog: (alerts.append(dialog.message), dialog.dismiss()))
    hostile = tmp_path / "a'\"><svg onload=alert(1)>.png"
    hostile.write_bytes(phantom_png(1))
    drop(page, hostile)
    wait_for_draft(page)
    text = "<script>alert(2)</script>${alert(3)}{{alert(4)}}" + EVIL
    page.get_by_label("Indication").fill(text)
    page.get_by_role("button", name="Draft", exact=True).click()
    page.get_by_label("Ask about the film").fill(text)
    page.get_by_label("Ask about the film").press("Enter")
    expect(page.locator("#talk .asked").first).to_contain_text("<script>alert(2)")
    wait_for_draft(page)
    first = page.locator('#draft li[data-number="1"]')
    first.locator("summary").click()
    first.get_by_role("button", name="Edit").click()
    first.locator("textarea").fill(text + " No effusion.")
    first.get_by_role("button", name="Save").click()
    expect(first.locator("summary q")).to_contain_text("<script>")
    page.wait_for_timeout(500)
    assert alerts == []
    assert page.locator("#draft script, #talk script, #draft img, #talk img").count() == 0


@needs_chromium
def test_page_asks_nothing_of_other_hosts_and_reports_no_errors(visitor, url):
    page = visitor.new_page()
    asked: list[str] = []
    errors: list[str] = []
    page.on("request", lambda request: asked.append(request.url))
    page.on("console", lambda told: errors.append(told.text) if told.type == "error" else None)
    page.on("pageerror", lambda problem: errors.append(str(problem)))
    page.goto(url)
    sample(page, "A")
    for name in ("Paint", "Batch", "Library", "Report card", "Read"):
        tab(page, name)
        page.wait_for_timeout(200)
    hosts = {urlsplit(a).hostname for a in asked if not a.startswith(("data:", "blob:"))}
    assert hosts == {"127.0.0.1"}
    assert errors == []
    # And it could not if it tried: the page's own policy forbids it.
    blocked = """new Promise(done => {
        document.addEventListener("securitypolicyviolation", event => done(event.blockedURI));
        fetch("http://192.0.2.1/").then(() => done("sent"), () => {});
        setTimeout(() => done("not blocked"), 5000); })"""
    assert page.evaluate(blocked) == "http://192.0.2.1/"


def test_a_page_elsewhere_that_takes_this_machines_address_is_not_answered(url):
    """DNS rebinding: the name in the request is another's."""
    refused = httpx.get(f"{url}config", headers={"host": "evil.example"}, timeout=60)
    assert refused.status_code == 403
    assert httpx.get(f"{url}config", headers={"host": "localhost"}, timeout=60).is_success


@pytest.mark.long
@needs_chromium
def test_who_waits_is_told_the_place_in_line(browser, url, chat_assistant, monkeypatch):
    gate, draft = threading.Event(), chat_assistant.draft

    def held_up(*args, **options):
        gate.wait(60)
        return draft(*args, **options)

    monkeypatch.setattr(chat_assistant, "draft", held_up)
    contexts = [browser.new_context() for _ in range(3)]
    pages = [visit(context, url) for context in contexts]
    for page in pages:
        page.get_by_role("button", name="Sample A").click()
        expect(page.locator("#draft")).to_contain_text("Looking at the film")
    expect(pages[2].locator("#draft")).to_contain_text("queue: 2/2")
    tab(pages[2], "Library")  # and the page is not frozen meanwhile
    expect(pages[2].locator("#stats")).to_contain_text("Cases")
    gate.set()
    for page in pages[:2]:
        wait_for_draft(page)
    for context in contexts:
        context.close()


def test_a_password_keeps_strangers_out(chat_assistant):
    with app.serve_chat(chat_assistant, port=free_port(), user=("reader", "s3cret")) as url:
        refused = httpx.get(f"{url}config", timeout=60)
        assert refused.status_code == 401
        with httpx.Client(base_url=url, timeout=60) as client:
            wrong = client.post("login", data={"username": "reader", "password": "guess"})
            assert wrong.status_code == 401
            client.post("login", data={"username": "reader", "password": "s3cret"})
            assert client.get("config").status_code == 200


def test_serving_beyond_this_machine_warns_and_offers_no_folders(
    chat_assistant, monkeypatch, capsys
):
    from ui.batch_tab import BatchTab

    told: list[bool] = []
    made = BatchTab.__init__

    def watched(self, *args, local, **options):
        told.append(local)
        made(self, *args, local=local, **options)

    monkeypatch.setattr(BatchTab, "__init__", watched)
    monkeypatch.setattr(app, "serve_page", lambda *args, **options: nullcontext("http://x/"))
    monkeypatch.setattr(app.threading, "Event", lambda: SimpleNamespace(wait=lambda: None))
    app.serve(nullcontext(chat_assistant), host="0.0.0.0")  # noqa: S104
    assert "Warning" in capsys.readouterr().err
    app.serve(nullcontext(chat_assistant))
    assert "Warning" not in capsys.readouterr().err
    assert told == [False, True]


def test_taken_port_is_one_clear_sentence(chat_assistant):
    with socket.socket() as taken:
        taken.bind(("127.0.0.1", 0))
        taken.listen()
        port = taken.getsockname()[1]
        with (
            pytest.raises(SettingsError, match=f"127.0.0.1:{port}"),
            app.serve_chat(chat_assistant, port),
        ):
            pass


def test_a_user_without_a_password_is_one_clear_sentence(monkeypatch):
    import wetread

    monkeypatch.delenv("WETREAD_PASSWORD", raising=False)
    ended = CliRunner().invoke(wetread.app, ["serve", "--user", "reader"])
    assert isinstance(ended.exception, SettingsError)
    assert "WETREAD_PASSWORD" in str(ended.exception)


def test_nothing_that_was_written_elsewhere_is_taken_as_html():
    film = Film(np.zeros((64, 64), np.float32), "0" * 64, view=EVIL)
    near = Neighbour(EVIL, 0.5, report=EVIL, source=EVIL, labels=(EVIL,))
    said = Evidence("neighbour", 0.5, "supports", EVIL, EVIL)
    gate, made = Gate("warn", EVIL), Provenance(EVIL, EVIL, EVIL, "0" * 64, 0, (), EVIL, EVIL)
    sentence = Sentence(
        EVIL, "findings", evidence=(said,), citations=(EVIL,), reason=EVIL, written=EVIL
    )
    desk = Session()
    visit = desk.open_study((film, film))
    visit.report = Report(
        study=visit.to_study(),
        sentences=(sentence,),
        neighbours=(near,),
        gate=gate,
        provenance=made,
        removed=((EVIL, EVIL),),
        abstention=EVIL,
    )
    visit.neighbours, visit.excluded_cases, visit.painting_prompt = (near,), (EVIL,), EVIL
    visit.answers = (Answer(EVIL, EVIL, gate, made, removed=((EVIL, EVIL),), sentence=sentence,
                         understood=EVIL),)  # fmt: skip
    row = {"case": EVIL, "row": 1, "error": EVIL}
    nobody = SimpleNamespace(library=None)
    shown = "".join(
        (
            viewer_html(desk), rail_html(desk), draft_html(visit), writing_html(EVIL),
            cases_html(nobody, visit), library_html(nobody, (near,), with_similarity=True),  # type: ignore[arg-type]
            talk_html(visit, EVIL, EVIL), batch_html([row], 1, 1.0, EVIL),
        )
    )  # fmt: skip
    assert "<img src=x" not in shown
    assert shown.count("&lt;img src=x") >= 20


def test_the_page_holds_no_address_of_another_host():
    for path in sorted((REPO / "ui").rglob("*")):
        if path.is_file() and path.suffix in (".py", ".js", ".css"):
            text = path.read_text(encoding="utf-8").replace("http://www.w3.org/2000/svg", "")
            assert not re.search(r"https?://", text), path
