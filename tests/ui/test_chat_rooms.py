"""The chat's other jobs: talking, painting, batches, the library, the report card."""

from __future__ import annotations

import base64
import io
import json
import zipfile
from pathlib import Path

import numpy as np
import pytest
from chat import PATIENT, drop, needs_chromium, phantom_png, sample, tab, visit, wait_for_draft
from playwright.sync_api import Page, expect

from assistant.intake import read_film_bytes
from assistant.intake.png import png
from assistant.paths import card_file


def _ask(page: Page, question: str) -> None:
    asked = page.locator("#talk .answer").count()
    page.get_by_label("Ask about the film").fill(question)
    page.get_by_label("Ask about the film").press("Enter")
    expect(page.locator("#talk .answer")).to_have_count(asked + 1)


@needs_chromium
def test_a_talk_has_verdicts_follow_ups_measures_and_stays_with_its_study(visitor, url):
    page = visit(visitor, url)
    sample(page, "B")
    _ask(page, "Is there a pneumothorax?")
    answer = page.locator("#talk li").first
    answer.locator("summary").click()
    expect(answer.locator(".why")).to_contain_text("Probe")
    _ask(page, "How large is it?")
    expect(page.locator("#talk li").nth(1)).to_contain_text("Understood as")
    _ask(page, "How wide is the heart?")
    expect(page.locator("#talk .answer").nth(2)).to_contain_text("give or take")
    _ask(page, "What is the blood pressure?")
    expect(page.locator("#talk .answer").nth(3)).to_contain_text("does not show")
    sample(page, "A")
    expect(page.locator("#talk .answer")).to_have_count(0)
    page.locator("#rail").get_by_role("button", name="Study 1").click()
    expect(page.locator("#talk .answer")).to_have_count(4)


@needs_chromium
def test_prompt_gives_painted_films_marked_as_synthetic_that_can_be_drafted(visitor, url):
    page = visit(visitor, url)
    tab(page, "Paint")
    page.get_by_role("button", name="Paint", exact=True).click()
    expect(page.locator("#painted .error")).to_contain_text("nothing to paint")
    page.get_by_label("What the film should show").fill("Large right pleural effusion.")
    films = page.get_by_label("number input for Films")
    films.fill("2")
    films.press("Tab")
    page.wait_for_timeout(300)
    page.get_by_role("button", name="Paint", exact=True).click()
    expect(page.locator("#painted progress")).to_be_visible()
    expect(page.locator("#painted .painting")).to_have_count(2)
    expect(page.locator("#painted .painting .found").first).not_to_be_empty()
    expect(page.locator("#painted .nearest").first).to_contain_text("Nearest of")
    sources = page.locator("#painted .film img").evaluate_all("all => all.map(i => i.src)")
    made = [read_film_bytes(base64.b64decode(one.partition(",")[2])) for one in sources]
    assert all("synthetic" in film.flags for film in made)
    assert made[0].sha256 != made[1].sha256
    page.get_by_role("button", name="Draft this painting").first.click()
    wait_for_draft(page)
    expect(page.locator("#film .mark")).to_have_text("SYNTHETIC")
    expect(page.locator("#rail")).to_contain_text("Painting 1")
    page.get_by_role("button", name="Paint this report").click()
    expect(page.get_by_label("What the film should show")).not_to_have_value("")
    expect(page.locator("#painted .painting")).to_have_count(2)  # asked for in the same number


def _zip(path: Path, names: list[str], *, broken: bool = False) -> Path:
    with zipfile.ZipFile(path, "w") as kept:
        rows = ["image,indication"] + [f"{name},Cough." for name in names]
        kept.writestr("cases.csv", "\n".join(rows) + "\n")
        for index, name in enumerate(names):
            kept.writestr(name, b"no film" if broken and index == 0 else phantom_png(index))
    return path


@needs_chromium
def test_a_zip_becomes_a_table_of_drafts_by_risk_to_open_and_to_download(visitor, url, tmp_path):
    page = visit(visitor, url)
    tab(page, "Batch")
    names = [f"{PATIENT}_{i}.png" for i in range(3)]
    page.set_input_files("#zip input[type=file]", _zip(tmp_path / "films.zip", names, broken=True))
    expect(page.locator("#batch")).to_contain_text("3 films are unpacked")
    page.get_by_role("button", name="Draft them").click()
    expect(page.locator("#batch")).to_contain_text("All are drafted")
    rows = page.locator("#batch tbody tr")
    expect(rows).to_have_count(3)
    expect(rows.first).to_contain_text("is not DICOM")  # what cannot be read stands first
    with page.expect_download() as waiting:
        page.get_by_role("link", name="Download JSONL").click()
    lines = [json.loads(line) for line in waiting.value.path().read_text().splitlines()]
    assert [("draft" in line, "error" in line) for line in lines] == [
        (False, True), (True, False), (True, False),
    ]  # fmt: skip
    assert PATIENT not in page.content() + json.dumps(lines)
    rows.nth(1).get_by_role("button", name="Open").click()
    wait_for_draft(page)
    expect(page.get_by_label("Indication")).to_have_value("Cough.")
    drafted = {
        line["draft"]["study"]["films"][0]["sha256"][:12] for line in lines if "draft" in line
    }
    caption = page.locator("#film .caption").text_content() or ""
    assert any(sha in caption for sha in drafted)


@pytest.mark.long
@needs_chromium
def test_a_batch_takes_a_folder_or_a_manifest_of_this_machine(visitor, url, tmp_path):
    (tmp_path / "one.png").write_bytes(phantom_png(0))
    (tmp_path / "two.png").write_bytes(phantom_png(1))
    page = visit(visitor, url)
    tab(page, "Batch")
    for path, films in ((tmp_path, 2), (tmp_path / "cases.csv", 1)):
        page.locator("#folder textarea, #folder input").first.fill(str(path))
        page.get_by_role("button", name="Draft them").click()
        expect(page.locator("#batch")).to_contain_text(f"{films} of {films} films")
        expect(page.locator("#batch tbody tr")).to_have_count(films)
        (tmp_path / "cases.csv").write_text("image\none.png\n", encoding="utf-8")


@pytest.mark.long
@needs_chromium
def test_a_batch_is_stopped_and_what_was_drafted_stays(visitor, url, tmp_path):
    page = visit(visitor, url)
    tab(page, "Batch")
    names = [f"film-{i}.png" for i in range(40)]
    page.set_input_files("#zip input[type=file]", _zip(tmp_path / "films.zip", names))
    expect(page.locator("#batch")).to_contain_text("40 films are unpacked")
    page.get_by_role("button", name="Draft them").click()
    page.wait_for_selector("#batch tbody tr")
    page.get_by_role("button", name="Stop", exact=True).last.click()
    expect(page.locator("#batch")).to_contain_text("stopped")
    count = page.locator("#batch tbody tr").count()
    assert 0 < count < 40
    page.wait_for_timeout(3000)
    assert page.locator("#batch tbody tr").count() == count


@pytest.mark.long
@needs_chromium
def test_the_library_is_searched_by_words_and_film_and_cases_come_and_go(
    visitor, url, tmp_path, chat_assistant
):
    film = tmp_path / "case.png"
    rng = np.random.default_rng(3)
    film.write_bytes(png(rng.random((64, 64)).astype(np.float32)))
    name = read_film_bytes(film.read_bytes()).sha256[:16]
    page = visit(visitor, url)
    tab(page, "Library")
    expect(page.locator("#stats")).to_contain_text("Cases")
    page.get_by_role("button", name="Add films").click()
    page.set_input_files("#add-films input[type=file]", film)
    page.get_by_label("Their report").fill("A quincunx of granulomas. <b onclick=alert(1)>x</b>")
    page.get_by_label("Patient id").fill(PATIENT)
    page.get_by_role("button", name="Add", exact=True).click()
    expect(page.locator("#library-told")).to_contain_text("1 added")
    page.locator("#find textarea, #find input").first.fill("quincunx")
    page.get_by_role("button", name="Search", exact=True).click()
    card = page.locator(f'#found article[data-case="{name}"]')
    card.locator("summary").click()
    expect(card).to_contain_text("<b onclick")  # as text
    assert PATIENT not in page.content()
    card.get_by_role("button", name="Remove").click()
    expect(card).to_be_visible()  # it asks once more
    card.get_by_role("button", name="Remove it?").click()
    expect(card).to_have_count(0)
    assert name not in {case.id for case in chat_assistant.library.cases()}
    tab(page, "Read")
    sample(page)
    tab(page, "Library")
    page.get_by_role("button", name="Like the film on the desk").click()
    expect(page.locator("#found .case").first).to_contain_text("similarity")


@needs_chromium
def test_the_last_evaluation_is_shown_in_a_frame_without_scripts(visitor, url):
    page = visit(visitor, url)
    tab(page, "Report card")
    expect(page.locator("#card .empty")).to_contain_text("wetread eval")
    card_file().parent.mkdir(parents=True, exist_ok=True)
    card_file().write_text("<h1>Figures</h1><script>document.title = 'owned'</script>")
    try:
        tab(page, "Read")
        tab(page, "Report card")
        frame = page.frame_locator("#card iframe")
        expect(frame.locator("h1")).to_have_text("Figures")
        assert page.title() == "Wetread"
    finally:
        card_file().unlink()


@needs_chromium
def test_bombs_and_tricks_in_a_zip_are_refused_and_leave_nothing(visitor, url, tmp_path):
    page = visit(visitor, url)
    tab(page, "Batch")
    bomb = tmp_path / "bomb.zip"
    with zipfile.ZipFile(bomb, "w", zipfile.ZIP_DEFLATED) as kept:
        kept.writestr("film.png", io.BytesIO(bytes(60 * 2**20)).getvalue())
    climber = tmp_path / "climber.zip"
    with zipfile.ZipFile(climber, "w") as kept:
        kept.writestr("../../climbed.png", phantom_png(0))
    for path in (bomb, climber):
        page.set_input_files("#zip input[type=file]", path)
        expect(page.locator("#batch .error")).to_be_visible()
        page.get_by_role("button", name="Draft them").click()
        expect(page.locator("#batch .error")).to_contain_text("no films yet")
    drop_page = visit(visitor, url)
    drop(drop_page, bomb)
    expect(drop_page.locator("#draft .error")).to_contain_text("not DICOM")
