"""Reading films in the chat: the film and its viewer, the draft and its judging, similar cases."""

from __future__ import annotations

import base64
import json
import re
import threading

import numpy as np
import pytest
from chat import (
    PATIENT,
    drop,
    ill_png,
    needs_chromium,
    phantom_png,
    sample,
    visit,
    wait_for_draft,
)
from playwright.sync_api import Page, expect
from pydicom.uid import generate_uid

from assistant.chest.phantoms import make_phantom
from assistant.export.wording import NOTICE
from assistant.intake import read_film_bytes
from assistant.intake.png import png

VERDICT = re.compile("supported|contradicted|unsupported|unchecked")


@needs_chromium
def test_dropped_film_is_shown_with_its_draft_similar_cases_and_downloads(visitor, url, films):
    page = visit(visitor, url)
    drop(page, films[0])
    wait_for_draft(page)
    assert page.evaluate("document.querySelector('#film img').naturalWidth") == 256
    expect(page.locator("#draft .notice")).to_have_text(NOTICE)
    expect(page.locator("#draft .gate strong")).to_be_visible()
    sentences = page.locator("#draft .said details")
    assert sentences.count() >= 1
    expect(sentences.first.locator(".verdict").first).to_have_text(VERDICT)
    sentences.first.locator("summary").press("Enter")  # by keyboard
    expect(sentences.first.locator(".why")).to_contain_text(
        re.compile(r"Risk of being false: .*%.*Probe \d")
    )
    # As many as are like enough: at least one, and never more than were asked for.
    expect(page.locator("#cases .case").first).to_be_visible()
    assert page.locator("#cases .case").count() <= 4
    assert page.evaluate("[...document.querySelectorAll('#cases img')].every(i => i.naturalWidth)")
    draft = json.loads(_downloaded(page, "Download JSON"))
    sha256 = draft["study"]["films"][0]["sha256"]
    printed = _downloaded(page, "Page to print")
    assert NOTICE in printed
    assert sha256[:12] in _downloaded(page, "Markdown") + printed
    assert PATIENT not in json.dumps(draft) + printed + page.content()


def _downloaded(page: Page, link: str) -> str:
    with page.expect_download() as waiting:
        page.get_by_role("link", name=link).click()
    assert waiting.value.suggested_filename.startswith("draft-")
    return waiting.value.path().read_text()


@pytest.mark.long
@needs_chromium
def test_an_indication_goes_with_the_film_it_was_typed_for(visitor, url, films):
    page = visit(visitor, url)
    page.get_by_label("Indication").fill("Cough for a week.")
    drop(page, films[0])
    wait_for_draft(page)
    expect(page.get_by_label("Indication")).to_have_value("Cough for a week.")
    assert "Cough for a week." in _downloaded(page, "Download JSON")
    drop(page, films[1])
    expect(page.locator("#rail li")).to_have_count(2)
    expect(page.get_by_label("Indication")).to_have_value("")
    page.locator("#rail").get_by_role("button", name="Study 1").click()
    expect(page.get_by_label("Indication")).to_have_value("Cough for a week.")


@pytest.mark.long
@needs_chromium
def test_a_film_that_lies_wrongly_is_refused_and_read_once_it_is_put_right(visitor, url, tmp_path):
    turned = tmp_path / "turned.png"
    film = make_phantom(6, 40, split="test").film.astype(np.float32) / 255
    turned.write_bytes(png(np.ascontiguousarray(np.rot90(film))))
    page = visit(visitor, url)
    drop(page, turned)
    wait_for_draft(page)
    expect(page.locator("#draft .gate.refuse strong")).to_have_text("Refused")
    assert page.locator("#draft .said").count() == 0
    page.get_by_role("button", name="Put it right and draft").click()
    page.wait_for_selector("#draft .said details")
    expect(page.locator("#right")).to_be_hidden()
    expect(page.locator("#film .caption")).to_contain_text("put right")
    assert page.locator("#draft .gate.refuse").count() == 0


@needs_chromium
def test_what_a_sentence_rests_on_is_drawn_where_it_lies_on_the_film(visitor, url, tmp_path):
    path = tmp_path / "ill.png"
    path.write_bytes(ill_png())
    page = visit(visitor, url)
    drop(page, path)
    page.wait_for_selector("#film svg rect", state="attached")
    picture, drawn = (
        page.locator(f"#film {one}").bounding_box() for one in (".plate img", ".boxes")
    )
    assert picture is not None
    assert drawn is not None
    assert all(abs(picture[key] - drawn[key]) < 2 for key in ("x", "y", "width", "height"))
    numbers = {
        n for text in page.locator("#film svg text").all_text_contents() for n in text.split(", ")
    }
    assert numbers <= set(page.locator("#draft summary b").all_text_contents())
    # Opening a sentence points at its own boxes and at no others.
    number = min(numbers, key=int)
    page.locator(f'#draft li[data-number="{number}"] summary').click()
    chosen = page.locator("#film svg text.chosen")
    chosen.first.wait_for(state="attached")  # a browser tells of what was opened a little later
    assert all(number in text.split(", ") for text in chosen.all_text_contents())
    page.get_by_role("button", name="Boxes").click()
    expect(page.locator("#film svg rect")).to_have_count(0)


@needs_chromium
def test_window_level_invert_zoom_and_reset_change_how_the_film_looks(visitor, url):
    page = visit(visitor, url)
    sample(page)
    picture, plate = page.locator("#film .plate img"), page.locator("#film .plate")
    plain = picture.evaluate("i => i.style.filter")
    assert plain == ""
    page.get_by_role("button", name="Invert").click()
    slope = "document.querySelector('#wetread-levels feFuncR').getAttribute('slope')"
    assert float(page.evaluate(slope)) == -1
    page.locator('#film [data-set="window"]').fill("50")
    assert float(page.evaluate(slope)) == -2
    stage = page.locator("#film .stage")
    stage.focus()
    for key in ("+", "+", "ArrowLeft"):
        page.keyboard.press(key)
    assert "scale(1.5" in (plate.get_attribute("style") or "")
    page.keyboard.press("0")
    assert picture.evaluate("i => i.style.filter") == ""
    assert "scale(1)" in (plate.get_attribute("style") or "")
    box = stage.bounding_box()
    assert box is not None
    page.mouse.move(box["x"] + 100, box["y"] + 100)
    page.mouse.down()
    page.mouse.move(box["x"] + 160, box["y"] + 40, steps=3)
    page.mouse.up()
    expect(page.locator("#film output")).to_contain_text("W 120 L 65")


@pytest.mark.long
@needs_chromium
def test_a_ruler_is_shown_where_the_spacing_is_known_and_only_there(visitor, url, tmp_path):
    page = visit(visitor, url)
    sample(page)
    expect(page.locator("#film .ruler")).to_be_hidden()
    expect(page.locator("#film .caption")).to_contain_text("spacing not known")
    film = make_phantom(5, 3, split="test").film.astype(np.float32) / 255
    path = tmp_path / "film.dcm"
    path.write_bytes(_dicom(film, spacing=1.5))
    drop(page, path)
    expect(page.locator("#film .ruler")).to_be_visible()
    # 256 columns of 1.5 mm: the ruler's length on the page is the length it says.
    wide = page.locator("#film .plate").evaluate("p => p.offsetWidth")
    told = int((page.locator("#film .ruler span").text_content() or "0").split()[0])
    drawn = page.locator("#film .ruler i").evaluate("i => i.getBoundingClientRect().width")
    assert abs(drawn - told * wide / (256 * 1.5)) < 2


def _dicom(film: np.ndarray, spacing: float) -> bytes:
    import io

    from pydicom.dataset import Dataset, FileMetaDataset
    from pydicom.uid import DigitalXRayImageStorageForPresentation, ExplicitVRLittleEndian

    file = Dataset()
    file.file_meta = FileMetaDataset()
    file.file_meta.TransferSyntaxUID = ExplicitVRLittleEndian
    file.SOPClassUID = DigitalXRayImageStorageForPresentation
    file.SOPInstanceUID = generate_uid()
    file.Modality, file.ViewPosition, file.BodyPartExamined = "DX", "PA", "CHEST"
    file.PatientName = "<img src=x onerror=alert(1)>"
    file.PhotometricInterpretation, file.SamplesPerPixel = "MONOCHROME2", 1
    file.Rows, file.Columns = film.shape
    file.BitsAllocated = file.BitsStored = 8
    file.HighBit, file.PixelRepresentation = 7, 0
    file.PixelSpacing = [spacing, spacing]
    file.PixelData = (film * 255).round().astype(np.uint8).tobytes()
    kept = io.BytesIO()
    file.save_as(kept, enforce_file_format=True)
    return kept.getvalue()


@needs_chromium
def test_sentences_are_accepted_rejected_and_edited_and_the_exports_say_so(visitor, url):
    page = visit(visitor, url)
    sample(page)
    first = page.locator('#draft li[data-number="1"]')
    said = first.locator("summary q").text_content() or ""
    first.locator("summary").click()
    first.get_by_role("button", name="Reject").click()
    expect(first.locator(".verdict.rejected")).to_be_visible()
    expect(first.locator(".acts")).to_be_visible()  # it stays open
    draft = _downloaded(page, "Markdown").partition("## Similar cases")[0]
    assert f"~~{said}~~" in draft
    assert said not in draft.replace(f"~~{said}~~", "")
    first.get_by_role("button", name="Undo").click()
    expect(first.locator(".verdict.rejected")).to_have_count(0)
    first.get_by_role("button", name="Accept").click()
    expect(first.locator(".verdict.accepted")).to_be_visible()
    first.get_by_role("button", name="Edit").click()
    area = first.locator("textarea")
    area.fill("There is a large left pneumothorax.")
    # It is checked while it is written, and what is written stays.
    expect(first.locator(".checked .verdict").first).to_have_text("contradicted")
    expect(area).to_have_value("There is a large left pneumothorax.")
    first.get_by_role("button", name="Save").click()
    expect(first.locator("summary q")).to_have_text("There is a large left pneumothorax.")
    expect(first.locator("summary .verdict").first).to_have_text("contradicted")
    sentence = json.loads(_downloaded(page, "Download JSON"))["sentences"][0]
    assert sentence["text"] == "There is a large left pneumothorax."
    assert sentence["written"] == said


@pytest.mark.long
@needs_chromium
def test_a_similar_case_opens_stands_beside_the_film_and_can_be_left_out(visitor, url):
    page = visit(visitor, url)
    sample(page)
    card = page.locator("#cases .case").first
    case = card.get_attribute("data-case") or ""
    card.locator("summary").click()
    expect(card.locator("details p")).not_to_be_empty()
    card.get_by_role("button", name="Side by side").click()
    expect(page.locator("#film .beside img")).to_be_visible()
    page.locator("#film .beside").get_by_role("button", name="Close").click()
    expect(page.locator("#film .beside")).to_be_hidden()
    page.evaluate("document.querySelector('#draft .draft').classList.add('old')")
    card.get_by_role("button", name="Exclude").click()
    page.wait_for_selector("#draft .draft:not(.old)")
    expect(page.locator("#cases")).to_contain_text("Left out by you")
    cases = page.locator("#cases .case").evaluate_all("all => all.map(c => c.dataset.case)")
    assert case not in cases
    page.get_by_role("button", name="Take back").click()
    expect(page.locator(f'#cases article[data-case="{case}"]')).to_be_visible()


@pytest.mark.long
@needs_chromium
def test_similar_cases_are_narrowed_to_a_source_and_a_finding(visitor, url, chat_assistant):
    page = visit(visitor, url)
    sample(page)
    page.get_by_role("button", name="Which similar cases").click()
    page.get_by_label("With the finding").click()
    page.get_by_role("option", name="pneumothorax", exact=True).click()
    with_it = {
        case.id
        for case in chat_assistant.library.cases()
        if re.search(r"(?<!no )pneumothorax", case.report, re.IGNORECASE)
    }
    expect(page.locator("#cases .busy, #cases .pending")).to_have_count(0)
    page.wait_for_timeout(1500)
    shown = page.locator("#cases .case").evaluate_all("all => all.map(c => c.dataset.case)")
    assert set(shown) <= with_it


@pytest.mark.long
@needs_chromium
def test_several_films_are_one_study_and_the_one_that_can_be_read_is_read(visitor, url, tmp_path):
    blank, film = tmp_path / "blank.png", tmp_path / "film.png"
    blank.write_bytes(png(np.full((256, 256), 0.5, np.float32)))
    film.write_bytes(phantom_png(0))
    page = visit(visitor, url)
    drop(page, blank, film)
    wait_for_draft(page)
    page.wait_for_selector("#draft .said")
    read = read_film_bytes(film.read_bytes()).sha256[:12]
    expect(page.locator("#film .caption")).to_contain_text(read)
    page.get_by_role("button", name="Film 2").click()
    expect(page.locator("#film .caption")).not_to_contain_text(read)
    expect(page.locator("#film svg rect")).to_have_count(0)  # no box on a film that was not read
    sample(page, "A")
    expect(page.locator("#rail li")).to_have_count(2)
    page.locator("#rail").get_by_role("button", name="Study 1").click()
    page.get_by_role("button", name="Film 1").click()
    expect(page.locator("#film .caption")).to_contain_text(read)
    page.wait_for_selector("#draft .said")
    page.locator("#rail").get_by_title("Take study 1 off the desk").click()
    expect(page.locator("#rail li")).to_have_count(1)


@pytest.mark.long
@needs_chromium
def test_a_prior_film_is_looked_at_beside_and_its_report_lets_the_draft_compare(
    visitor, url, films
):
    page = visit(visitor, url)
    sample(page)
    page.get_by_role("button", name="Prior film and report").click()
    page.set_input_files("#prior input[type=file]", films[0])
    page.get_by_role("button", name="Prior 1").click()
    expect(page.locator("#film .caption")).to_contain_text(
        read_film_bytes(films[0].read_bytes()).sha256[:12]
    )
    page.get_by_label("Prior report").fill("Large left pneumothorax.")
    page.get_by_role("button", name="What changed since the prior?").click()
    expect(page.locator("#talk .answer")).to_contain_text("pneumothorax")


@needs_chromium
def test_refused_file_gets_one_sentence_and_leaves_what_was_there(visitor, url, films, tmp_path):
    page = visit(visitor, url)
    notes = tmp_path / "notes.txt"
    notes.write_text("no film")
    drop(page, notes)
    expect(page.locator("#draft .error")).to_contain_text("is not DICOM, PNG, JPEG or TIFF")
    expect(page.locator("#draft .error")).not_to_contain_text("Traceback")
    expect(page.locator("#film .empty")).to_be_visible()
    drop(page, films[0])
    wait_for_draft(page)


@needs_chromium
def test_a_late_draft_never_appears_beside_another_film(visitor, url, chat_assistant, monkeypatch):
    gate, drafted, draft = threading.Event(), threading.Event(), chat_assistant.draft

    def held_up(*args, **options):
        gate.wait(30)
        try:
            return draft(*args, **options)
        finally:
            drafted.set()

    monkeypatch.setattr(chat_assistant, "draft", held_up)
    page = visit(visitor, url)
    page.get_by_role("button", name="Sample A").click()
    expect(page.locator("#draft .busy")).to_be_visible()
    page.locator("#rail").get_by_title("Take study 1 off the desk").click()
    expect(page.locator("#film .empty")).to_be_visible()
    gate.set()
    assert drafted.wait(60)
    page.wait_for_timeout(700)
    expect(page.locator("#draft .draft, #cases .case")).to_have_count(0)


@needs_chromium
def test_the_draft_streams_and_stop_ends_it_with_the_session_usable(
    visitor, url, chat_assistant, monkeypatch
):
    reached, draft = threading.Event(), chat_assistant.draft

    def slowly(*args, on_text=None, **options):
        def tell(text: str) -> None:
            reached.wait(0.2)  # so that a hand is quick enough
            on_text(text)

        return draft(*args, on_text=tell if on_text else None, **options)

    monkeypatch.setattr(chat_assistant, "draft", slowly)
    page = visit(visitor, url)
    page.get_by_role("button", name="Sample B").click()
    page.wait_for_selector("#draft .writing li")
    page.get_by_role("button", name="Stop", exact=True).first.click()
    expect(page.locator("#draft .error")).to_contain_text("stopped")
    monkeypatch.undo()
    page.get_by_role("button", name="Draft", exact=True).click()
    wait_for_draft(page)


@needs_chromium
def test_a_crash_in_a_job_is_one_sentence_and_leaves_the_session_usable(
    visitor, url, chat_assistant, monkeypatch
):
    def crash(*args, **options):
        raise RuntimeError("secret innards")

    monkeypatch.setattr(chat_assistant, "draft", crash)
    page = visit(visitor, url)
    page.get_by_role("button", name="Sample A").click()
    expect(page.locator("#draft .error")).to_contain_text("Something failed inside Wetread")
    assert "secret innards" not in page.content()
    monkeypatch.undo()
    page.get_by_role("button", name="Draft", exact=True).click()
    wait_for_draft(page)


def test_a_large_film_is_shrunk_for_the_page():
    from assistant.types import Film
    from ui.film_view import viewer_html
    from ui.markup import SHOWN_EDGE
    from ui.session import Session

    desk = Session()
    desk.open_study((Film(np.zeros((2600, 3000), np.float32), "0" * 64),))
    shown = viewer_html(desk).partition("base64,")[2].partition('"')[0]
    assert max(read_film_bytes(base64.b64decode(shown)).pixels.shape) <= SHOWN_EDGE
