"""A person's text is judged like a draft's, and a person's decisions show in every form."""

from __future__ import annotations

import base64
import json
import re
from dataclasses import replace
from html.parser import HTMLParser

import numpy as np
import pytest
from command import run
from conftest import BACKBONE

from assistant.drafting.review import decide, reword, sources_again
from assistant.errors import SettingsError
from assistant.evidence.rules import COMPARES, NOT_COMPUTED
from assistant.export.draft_json import draft_dict, draft_markdown
from assistant.export.html import EDGE, boxes_of, draft_page
from assistant.intake import read_film_bytes
from assistant.types import Evidence, Film, Gate, Neighbour, Provenance, Report, Sentence, Study

EVIL = "<script>alert('x')</script><img src=\"http://evil.example/x\" onerror=alert(1)>"
MADE = Provenance("b", "0" * 64, "none", "0" * 64, 0, (), "2026-01-02T03:04:05+00:00")


@pytest.fixture(scope="module")
def films(phantoms):
    """Films with what is truly in them."""
    lines = (phantoms / "truth.jsonl").read_text(encoding="utf-8").splitlines()
    return [(phantoms / t["image"], t["assertions"]) for t in map(json.loads, lines)]


@pytest.fixture(scope="module")
def effusion(films):
    """A film with an effusion that is not small, on the right alone."""
    for image, truth in films:
        fluid = [a for a in truth if a["finding"] == "pleural_effusion"]
        if [a["side"] for a in fluid] == ["right"] and fluid[0]["degree"] != "small":
            return image
    raise LookupError("no such phantom; take another seed")


@pytest.fixture(scope="module")
def draft(assistant, effusion):
    return assistant.draft(effusion, indication="Cough.")


def plain(*sentences: Sentence, **others) -> Report:
    """A report without a film worth seeing."""
    study = Study((Film(np.zeros((64, 80), np.float32), "0" * 64),))
    values = {"study": study, "neighbours": (), "gate": Gate("pass", ""), "provenance": MADE}
    return Report(sentences=sentences, **(values | others))


def test_what_is_true_is_supported_and_its_opposite_contradicted(assistant, effusion):
    true, false = (
        assistant.check(effusion, text).sentences[0]
        for text in ("There is a right pleural effusion.", "There is no pleural effusion.")
    )
    assert (true.verdict, false.verdict) == ("supported", "contradicted")
    assert true.risk < 0.1 < 0.5 < false.risk
    assert true.log_probability is None


def test_a_check_says_that_a_person_wrote_the_text_and_what_text(assistant, effusion, draft):
    one, other = (assistant.check(effusion, text) for text in ("No effusion.", "No edema."))
    assert (one.author, draft.author) == ("person", "backbone")
    assert draft_dict(one)["author"] == "person"
    assert one.provenance.adapter is None
    assert one.provenance.prompt_sha256 != other.provenance.prompt_sha256
    assert "Check of a report" in draft_markdown(one)


def test_nothing_of_a_persons_text_is_removed(assistant, effusion):
    said = [
        "The right effusion is unchanged.",
        "There is a 14 mm nodule in the left upper zone.",
        "There is a large left pneumothorax.",
    ]
    report = assistant.check(effusion, " ".join(said))
    assert [s.text for s in report.sentences] == said
    assert [(s.verdict, s.reason) for s in report.sentences[:2]] == [
        ("unsupported", COMPARES),
        ("unsupported", NOT_COMPUTED),
    ]
    assert all(s.action != "keep" for s in report.sentences)
    assert report.removed == ()
    assert report.text() == f"Findings: {' '.join(said)}"
    assert COMPARES in draft_markdown(report)


def test_a_comparison_with_a_prior_is_judged_by_the_film(assistant, effusion):
    text, before = "The right effusion is unchanged.", "Findings: Right pleural effusion."
    judged = assistant.check(effusion, text, prior_report=before).sentences[0]
    assert judged.reason != COMPARES
    assert any(e.kind == "prior" for e in judged.evidence)


def test_the_text_of_a_draft_is_judged_as_the_draft_was(assistant, films):
    for image, _ in films[:4]:
        report = assistant.draft(image)
        # This risk takes nothing from the tokens; the agreement of other drafts is not drawn.
        assert assistant.risk is None or assistant.risk.samples == 0
        shown = [s for s in report.sentences if report.shows(s) and "[" not in s.text]
        found = assistant.check(image, report.text())
        judged = {(s.section, s.text): s for s in found.sentences}
        assert shown
        for s in shown:
            same = judged[s.section, s.text]
            assert (same.verdict, same.action) == (s.verdict, s.action)
            assert same.risk == pytest.approx(s.risk, abs=2e-4)
            assert same.citations == s.citations
        assert found.neighbours == report.neighbours


@pytest.mark.parametrize("text", ["", " \n ", "...", "Findings:", "No effusion. " * 2000])
def test_no_text_and_too_much_of_it_are_refused(assistant, effusion, text):
    with pytest.raises(SettingsError, match=r"\AThe text has .*\.\Z"):
        assistant.check(effusion, text)


def test_a_refused_film_is_checked_only_where_one_insists(assistant):
    blank = Film(np.zeros((256, 256), np.float32), "0" * 64)
    report = assistant.check(blank, "No effusion.")
    assert (report.gate.answer, report.sentences, report.neighbours) == ("refuse", (), ())
    assert report.gate.reason in draft_page(report)
    insisted = assistant.check(blank, "No effusion.", anyway=True)
    assert len(insisted.sentences) == 1
    assert insisted.abstention == report.abstention != ""


def test_a_decision_goes_before_the_risk_in_the_text():
    report = plain(
        Sentence("First.", "findings", action="keep"),
        Sentence("Second.", "findings", action="withhold"),
    )
    assert report.text() == "Findings: First."
    turned = decide(decide(report, 0, "rejected"), 1, "accepted")
    assert turned.text() == "Findings: Second."
    assert decide(decide(turned, 0, None), 1, None) == report
    for index in (-1, 2):
        with pytest.raises(SettingsError, match="no sentence"):
            decide(report, index, "accepted")


def test_decisions_and_edits_show_in_every_form(assistant, draft):
    first, last = draft.sentences[0].text, draft.sentences[-1].text
    turned = decide(draft, len(draft.sentences) - 1, "rejected")
    turned = reword(
        assistant.backbone, assistant.risk, turned, 0, "There is a right pleural effusion."
    )
    told = [(s["decision"], s["written"]) for s in draft_dict(turned)["sentences"]]
    assert (told[0], told[-1]) == ((None, first), ("rejected", ""))
    markdown, page = draft_markdown(turned), draft_page(turned)
    assert f"Edited; the backbone wrote: {first}" in markdown
    assert f"~~{last}~~" in markdown
    assert f"The backbone wrote: {first}" in page
    assert f"<s>{last}</s>" in page
    assert "Draft report, reviewed" in page
    assert "reviewed" not in draft_page(draft)


def test_a_rewording_is_judged_anew_and_accepts_nothing(assistant, draft):
    ground = sources_again(assistant.backbone, draft)
    text = "There is no pleural effusion. There is a right pleural effusion."
    turned = reword(assistant.backbone, assistant.risk, draft, 1, text, sources=ground)
    new = turned.sentences[1:3]
    assert [s.verdict for s in new] == ["contradicted", "supported"]
    assert {(s.section, s.written, s.decision) for s in new} == {
        (draft.sentences[1].section, draft.sentences[1].text, None)
    }
    assert turned.sentences[3:] == draft.sentences[2:]
    assert turned.neighbours == draft.neighbours
    alone = assistant.check(draft.study, "There is a right pleural effusion.").sentences[0]
    assert (new[1].risk, new[1].citations) == (alone.risk, alone.citations)
    again = reword(
        assistant.backbone, assistant.risk, turned, 2, "The lungs are clear.", sources=ground
    )
    assert again.sentences[2].written == draft.sentences[1].text  # what stood there first
    back = reword(
        assistant.backbone, assistant.risk, again, 2, draft.sentences[1].text, sources=ground
    )
    assert back.sentences[2].written == ""


def test_no_words_reject_a_sentence_and_the_same_words_change_nothing(assistant, draft):
    gone = reword(assistant.backbone, assistant.risk, draft, 0, "  \n")
    assert gone.sentences[0] == replace(draft.sentences[0], decision="rejected")
    assert reword(assistant.backbone, assistant.risk, draft, 0, draft.sentences[0].text) is draft
    for index, text in ((99, "No effusion."), (0, "..."), (0, "No effusion. " * 2000)):
        with pytest.raises(SettingsError):
            reword(assistant.backbone, assistant.risk, draft, index, text)


class _Tags(HTMLParser):
    """Every tag of a page with its attributes."""

    def __init__(self, page: str) -> None:
        super().__init__()
        self.tags: list[tuple[str, dict[str, str | None]]] = []
        self.feed(page)

    def handle_starttag(self, tag, attrs):
        self.tags.append((tag, dict(attrs)))


def test_the_page_asks_for_nothing_and_has_no_script(draft):
    page = draft_page(decide(draft, 0, "rejected"))
    assert not re.search(r"https?:|//|@import|url\(", re.sub(r"base64,[^\"]*", "", page))
    for tag, attributes in _Tags(page).tags:
        assert tag not in ("script", "iframe", "link", "object", "embed", "base", "form")
        assert not any(name.startswith("on") for name in attributes)
        for name in ("src", "href"):
            assert (attributes.get(name) or "data:").startswith("data:")
    assert "default-src 'none'" in page
    assert "not for clinical use" in page
    assert "data:image/png" not in draft_page(draft, film=False)


def test_nothing_that_was_written_elsewhere_is_markup_on_the_page():
    said = Evidence("probe", 0.9, "supports", EVIL, EVIL, (0.1, 0.1, 0.4, 0.4))
    sentence = Sentence(
        EVIL, "findings", evidence=(said,), citations=(EVIL,), reason=EVIL, written=EVIL
    )
    film = Film(np.zeros((64, 64), np.float32), EVIL, view=EVIL, flags=(f"corrected: {EVIL}",))
    report = plain(
        sentence,
        replace(sentence, decision="rejected"),
        replace(sentence, action="withhold"),
        study=Study((film,), indication=EVIL),
        neighbours=(Neighbour(EVIL, 0.5, EVIL, (EVIL,), EVIL),),
        gate=Gate("warn", EVIL),
        provenance=Provenance(EVIL, EVIL, EVIL, EVIL, 0, ((EVIL, EVIL),), EVIL, EVIL),
        removed=((EVIL, EVIL),),
        abstention=EVIL,
    )
    for author in ("backbone", "person"):
        page = draft_page(replace(report, author=author))
        tags = _Tags(page).tags
        assert [a for t, a in tags if t == "img"] == [
            {"src": next(a["src"] for t, a in tags if t == "img"), "alt": "The film"}
        ]
        assert not any(tag == "script" for tag, _ in tags)
        assert page.count("&lt;script&gt;") >= 20


def test_every_supported_place_has_its_numbers_and_rejected_ones_none(draft):
    boxes = boxes_of(draft)
    assert boxes
    numbers = {n for box in boxes for n in map(int, box.label.split(", "))}
    placed = {
        n
        for n, s in enumerate(draft.sentences, 1)
        if any(e.box and e.says == "supports" for e in s.evidence)
    }
    assert numbers == placed
    without = draft
    for number in placed:
        without = decide(without, number - 1, "rejected")
    assert boxes_of(without) == ()


def test_numbers_of_boxes_stand_on_the_film_and_apart():
    place = (0.0, 0.0, 0.2, 0.2)
    near = [(x, 0.0, x + 0.2, 0.2) for x in (0.0, 0.02, 0.04)]
    sentences = [
        Sentence("A.", "findings", evidence=(Evidence("region", 0.9, "supports", "film", "", box),))
        for box in (place, *near[1:])
    ]
    tags = [box.tag for box in boxes_of(plain(*sentences))]
    assert len(set(tags)) == 3
    for left, top, width, height in tags:
        assert left >= 0
        assert top >= 0
        assert left + width <= 512
        assert top + height <= 512


def test_the_command_checks_a_text_in_every_form(capfd, effusion, tmp_path, monkeypatch):
    monkeypatch.setenv("WETREAD_HOME", str(tmp_path / "home"))
    text, words = tmp_path / "report.txt", ("--backbone", BACKBONE)
    text.write_text("There is a right pleural effusion. It is unchanged.\n", encoding="utf-8")
    told = json.loads(run(capfd, "check", effusion, text, "--json", *words).out)
    assert told["author"] == "person"
    assert [s["verdict"] for s in told["sentences"]] == ["supported", "unsupported"]
    shown = run(capfd, "check", effusion, text, *words).out
    assert COMPARES in shown
    assert "not for clinical use" in shown
    for name, start in (("c.html", "<!DOCTYPE html>"), ("c.md", "# Check"), ("c.json", "{")):
        out = tmp_path / name
        assert run(capfd, "check", effusion, text, "--out", out, *words).code == 0
        assert out.read_text(encoding="utf-8").startswith(start)
    out = tmp_path / "draft.html"
    assert run(capfd, "draft", effusion, "--out", out, *words).code == 0
    assert "Draft report" in out.read_text(encoding="utf-8")


def test_the_command_ends_with_two_where_there_is_nothing_to_check(capfd, tmp_path, effusion):
    empty, film = tmp_path / "empty.txt", tmp_path / "film.png"
    empty.write_text("\n", encoding="utf-8")
    film.write_bytes(effusion.read_bytes())
    for words in (
        (film, empty),
        (film, film),
        (film, tmp_path / "none.txt"),
        (film, empty, "--json", "--html"),
    ):
        outcome = run(capfd, "check", *words)
        assert (outcome.code, outcome.out) == (2, "")
        assert len([x for x in outcome.err.splitlines() if x.startswith("wetread: ")]) == 1


def test_a_large_film_is_shrunk_for_the_page():
    pixels = np.random.default_rng(0).random((1300, 1500), dtype=np.float32)
    page = draft_page(plain(study=Study((Film(pixels, "0" * 64),))))
    picture = base64.b64decode(page.partition("base64,")[2].partition('"')[0])
    assert max(read_film_bytes(picture).pixels.shape) <= EDGE
