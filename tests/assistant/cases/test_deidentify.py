"""Reports are shown without what names a person, and with all of their medicine."""

from __future__ import annotations

import csv
import json
import re
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
from conftest import SHARED
from hypothesis import given, settings
from hypothesis import strategies as st
from library_adder import film
from library_model import opened

from assistant.cases.deidentify import remove_identifiers
from assistant.cases.search import case_dict, search_cases
from assistant.cases.similar import find_similar
from assistant.export.draft_json import neighbour_dict
from assistant.labeller.labeller import find_assertions
from assistant.types import Assertion

SURNAMES = (
    "Smith", "Nguyen", "O'Brien", "Okonkwo", "Garcia-Lopez", "Müller", "Kowalczyk", "Rossi",
    "Yamamoto", "Al-Farsi", "Fitzgerald", "Brown", "Wu", "Ivanova", "Sørensen", "Papadopoulos",
)  # fmt: skip
GIVEN = ("John", "Mary", "Siobhan", "Mohammed", "Xiaoming", "Jean-Luc", "Priya", "Zoltan", "Anna")
KNOWN = ("John", "Mary", "Mohammed", "Priya", "Anna", "Robert", "Linda")  # common ones
MONTHS = (
    "January", "February", "March", "April", "May", "June", "July", "August", "September",
    "October", "November", "December",
)  # fmt: skip


@st.composite
def names(draw: st.DrawFn) -> str:
    """A person's name, as a report writes it after a title or a field."""
    given_name, surname = draw(st.sampled_from(GIVEN)), draw(st.sampled_from(SURNAMES))
    form = draw(st.sampled_from(("{g} {s}", "{s}", "{i}. {s}", "{g} {i}. {s}")))
    name = form.format(g=given_name, s=surname, i=given_name[0])
    return draw(st.sampled_from((name, name.upper())))


@st.composite
def dates(draw: st.DrawFn) -> str:
    """A day, in one of the usual forms."""
    day, month = draw(st.integers(1, 28)), draw(st.integers(1, 12))
    year, word = draw(st.integers(1930, 2029)), MONTHS[month - 1]
    return draw(
        st.sampled_from(
            (
                f"{month}/{day}/{year}", f"{month:02}/{day:02}/{year % 100:02}",
                f"{day}-{month}-{year}",
                f"{year}-{month:02}-{day:02}", f"{year}/{month}/{day}", f"{year}{month:02}{day:02}",
                f"{day:02}.{month:02}.{year}", f"{word} {day}, {year}", f"{word[:3]} {day} {year}",
                f"{day} {word} {year}", f"{day:02}-{word[:3].upper()}-{year}",
                f"{word[:3]}. {day}, {year}",
                f"{day}{'th' if 3 < day < 21 else ''} of {word}, {year}", f"{month:02}/{year}",
                f"{word} {year}", f"{year}-{month:02}-{day:02}T10:45:31",
                f"{month}/{day}/{year} 10:45 AM", f"{word.upper()} {day}, {year} at 14:05",
            )
        )
    )  # fmt: skip


@st.composite
def phones(draw: st.DrawFn) -> str:
    """A telephone number, in one of the usual forms."""
    area, part, line = (draw(st.integers(201, 989)) for _ in range(3))
    line = line * 10 + 3
    return draw(
        st.sampled_from(
            (
                f"{area}-{part}-{line}", f"({area}) {part}-{line}", f"{area}.{part}.{line}",
                f"+1 {area} {part} {line}", f"1-{area}-{part}-{line} ext. 45",
                f"020 7{part} {line}",
                f"+44 20 7{part} {line}", f"{part}-{line}",
            )
        )
    )  # fmt: skip


@st.composite
def numbers(draw: st.DrawFn) -> str:
    """An id: of a patient, of a study, of a case."""
    digits = str(draw(st.integers(10_000_000, 99_999_999)))
    word = draw(st.sampled_from(("MRN", "MRN:", "Accession #", "Patient ID:", "Case no.", "MR#")))
    form = draw(st.sampled_from(("{d}", "A{d}", "{d}-01", "RX-{d}")))
    return f"{word} {form.format(d=digits)}"


PLANTS = {
    "title": (names(), "The lungs are clear. Discussed with Dr. {} by telephone. No effusion."),
    "sir": (names(), "Mr. {} has no pneumothorax."),
    "signed": (names(), "The lungs are clear.\nElectronically signed by: {}"),
    "dictated": (names(), "The lungs are clear. Dictated by {}."),
    "patient": (names(), "Patient: {}\nThe lungs are clear."),
    "referrer": (names(), "Referring physician: {}. The lungs are clear."),
    "degree": (names(), "Interpreted by: {}, M.D.\nThe lungs are clear."),
    "date": (dates(), "Compared with the film of {}. No effusion."),
    "birth": (dates(), "DOB: {}. No effusion."),
    "phone": (phones(), "Call {} with questions. No effusion."),
    "pager": (phones(), "Pager: {}. No effusion."),
    "number": (numbers(), "{}. The lungs are clear."),
    "mail": (names(), "Write to {}@hospital.example.org. The lungs are clear."),
}


def kept_of(plant: str, text: str) -> list[str]:
    """The words of an identifier that are still in a text."""
    words = [word for word in re.findall(r"[\w'\u2019-]+", plant) if len(word) > 2]
    words = [word for word in words if word.strip(":#.") not in LABELS]
    return [word for word in words if re.search(rf"(?<!\w){re.escape(word)}(?!\w)", text)]


def claims_of(text: str) -> list[Assertion]:
    """What a text asserts, wherever it stands in it."""
    return [replace(claim, span=None) for claim in find_assertions(text)]


LABELS = {"MRN", "Accession", "Patient", "Case", "ext", "AM"}


@settings(deadline=None, max_examples=1500)
@given(st.data())
def test_a_planted_identifier_is_not_in_the_text_and_the_finding_is(data: st.DataObject) -> None:
    strategy, template = PLANTS[data.draw(st.sampled_from([*PLANTS]))]
    plant = data.draw(strategy).replace(" ", ".") if "@" in template else data.draw(strategy)
    cleaned = remove_identifiers(template.format(plant))
    assert kept_of(plant, cleaned) == [], cleaned
    assert any(kept in cleaned for kept in ("lungs are clear", "No effusion", "no pneumothorax"))
    assert remove_identifiers(cleaned) == cleaned
    assert claims_of(cleaned) == claims_of(template.format("him"))


@pytest.mark.parametrize(
    "text",
    [
        "Kerley B lines, as in Hodgkin disease; Swan-Ganz catheter and Port-A-Cath in place.",
        "Dobbhoff tube. Ghon complex. Chilaiditi sign. Westermark sign. Hampton hump.",
        "Pancoast tumour; Bochdalek and Morgagni hernias. Ann Arbor stage II. Charcot-Marie-Tooth",
        "A 5 mm nodule at T12, 1.5 x 2.3 cm, level L1-L2, 3/6 murmur, PA and lateral views.",
        "Two days ago; in 2009; status post surgery 10 years ago; 88-year-old; day 3; May be seen.",
        "Dr. XXXX was notified. XXXX-year-old XXXX. Compared to XXXX. MR chest. MS. Lt lung.",
        "DISCUSSED WITH THE EMERGENCY DEPARTMENT. MR. NO EFFUSION. PATIENT IN HOSPITAL.",
        "Reviewed with the resident. Reported to the ward. Notified MD. Impression: 1. Clear.",
        "A. Lungs clear. B. Heart normal. Grade I. NYHA III. 8 Fr tube. 24/7. 1:2 ratio.",
        "Jackson-Pratt drain, Bjork-Shiley valve, Harrington rods, Eloesser flap, PleurX.",
        "SpO2 92 %, 101 mm, 120 ml, BMI 31.5, T5/6, C7-T1, 2/3 of the lung, 350-400 ml.",
    ],
)
def test_medicine_stays_as_it_is(text: str) -> None:
    assert remove_identifiers(text) == text


@pytest.mark.parametrize(
    ("text", "wanted"),
    [
        ("SMITH^JOHN^A^^DR has no effusion.", "[name] has no effusion."),
        ("Smith, John A. was seen. Clear.", "[name] was seen. Clear."),
        ("Seen by Mary Jones RN. Clear.", "Seen by [name]. Clear."),
        ("A 94-year-old man, aged 91.", "A [age]-year-old man, aged [age]."),
        (
            "From St. Mary's Hospital, 12 Main Street, Springfield, IL 62701.",
            "From [place], [address].",
        ),
        ("UID 1.2.840.113619.2.55.3.604688119.", "UID [number]."),
        ("See https://pacs.example.org/x?id=1 now.", "See [url] now."),
        ("Since 4/5 at 10:45 AM.", "Since [date]."),
        (
            "On 2015-Nov-03 and 03NOV2015, compared to 11/3.",
            "On [date] and [date], compared to [date].",
        ),
        ("Drs. Patel, Huang and O'Neill agree.", "[name], [name] and [name] agree."),
        ("Patient Kowalski is better.", "[name] is better."),
        ("Signed electronically: Ram Iyer", "Signed electronically: [name]"),
        ("SSN: 078 05 1120. Hosp. no. 00-12-34.", "SSN: [number]. Hosp. no. [number]."),
    ],
)
def test_each_form_has_its_placeholder(text: str, wanted: str) -> None:
    assert remove_identifiers(text) == wanted


@settings(deadline=None)
@given(st.text(max_size=300) | st.text("AaDr.: ,-/0129@\n^", max_size=300))
def test_any_text_is_cleaned_once_and_for_all(text: str) -> None:
    once = remove_identifiers(text)
    assert remove_identifiers(once) == once


def test_reports_without_identifiers_are_left_alone_and_say_the_same() -> None:
    table = SHARED / "openi" / "cases.csv"
    if not table.is_file():
        pytest.skip(f"{table} is absent: the real reports are not part of the project")
    with table.open(encoding="utf-8", newline="") as lines:
        reports = [row["report"] for row in csv.DictReader(lines) if row["report"]]
    changed = [text for text in reports if remove_identifiers(text) != text]
    assert len(reports) > 3000
    assert len(changed) / len(reports) < 0.005
    for report in changed + reports[::40]:
        planted = f"{report} Discussed with Dr. Jane Roe on 3/14/2019 at 10:45 AM."
        assert claims_of(remove_identifiers(planted)) == claims_of(planted)


def test_a_filed_report_is_clean_on_the_disk_and_an_old_one_wherever_it_is_shown(
    tmp_path: Path,
) -> None:
    secret = "Left effusion. Signed by Zebulon Quartermaine, MD, 3/14/2019, pager 317-555-0199."  # noqa: S105
    words = ("Zebulon", "Quartermaine", "3/14/2019", "0199")
    with opened(tmp_path) as library:
        case = library.add(film(1, report=secret, labels=("Dr. Quartermaine",))).case
        (neighbour,) = find_similar(library, film(1).embedding, 1, own_case="")
        (listed,) = search_cases(library, "left effusion")
        assert (neighbour.case, listed.id) == (case, case)
        shown = json.dumps([neighbour_dict(neighbour), case_dict(library.get(case))]) + str(listed)
        assert "Left effusion" in shown
        assert not [word for word in words if word in shown]
        assert listed.patient is None


def test_what_is_added_with_a_folder_or_alone_is_cleaned_before_it_is_filed(
    tmp_path: Path, assistant, phantoms: Path
) -> None:
    from assistant.cases.ingest import add_film, add_folder
    from assistant.chest.phantoms import make_phantom
    from assistant.intake import read_film_bytes
    from assistant.intake.png import png
    from retrieval import Library

    backbone = assistant.backbone
    picture = (phantoms / "images" / "test-A-501-000003.png").read_bytes()
    (tmp_path / "in").mkdir()
    (tmp_path / "in" / "Quartermaine_Zebulon.png").write_bytes(picture)
    (tmp_path / "in" / "cases.csv").write_text(
        "image,patient,report\n"
        'Quartermaine_Zebulon.png,MRN-1234567,"Patient: Quartermaine, Zebulon, 3/14/2019."\n',
        encoding="utf-8",
    )
    with Library.open(tmp_path / "lib", encoder=backbone.encoder_id, dim=backbone.dim) as library:
        assert add_folder(backbone, library, tmp_path / "in", allow_synthetic=True).added == 1
        phantom = make_phantom(6, 1, split="validation")
        one = read_film_bytes(png(phantom.film.astype(np.float32) / 255))
        add_film(backbone, library, one, report="Dr. Quartermaine agrees.", allow_synthetic=True)
        everything = b"".join(p.read_bytes() for p in (tmp_path / "lib").rglob("*") if p.is_file())
    assert b"[name]" in everything
    for word in (b"Quartermaine", b"Zebulon", b"3/14/2019", b"1234567"):
        assert word not in everything
