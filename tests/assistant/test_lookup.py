"""Finding cases by what they say, similar ones that show a finding, and what two share."""

from __future__ import annotations

import json
import time
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
from command import run
from conftest import BACKBONE
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from library_adder import DIM, film

from assistant import Assistant
from assistant.cases.search import search_cases
from assistant.cases.similar import FindingQuery, find_similar, neighbour_of, shared_findings
from assistant.chest.vocabulary import FINDINGS
from assistant.errors import LibraryError, SettingsError
from assistant.labeller.labeller import find_assertions
from assistant.labeller.summary import case_assertions
from assistant.types import Assertion, Neighbour
from retrieval import Case, Library

REPORTS = [
    ("Small left pleural effusion. No pneumothorax.", (), "north"),
    ("The heart is enlarged. There is no pleural effusion.", (), "north"),
    ("Right pneumothorax. Pleural effusions on both sides.", (), "south"),
    ("", ("Effusion",), "south"),
    ("Left effusion, large. Impression: Effusion.", ("Effusion",), "south"),
    ("Nothing to say about 100% of it; see file_7.", ("odd|label",), "Ödland"),
    ("Possible left pneumothorax.", (), "north"),
    ("Both lungs are clear.", ("No Finding",), "north"),
]


@pytest.fixture(scope="module")
def shelf(tmp_path_factory, assistant):
    """An assistant with a library of the reports above, in their order."""
    with Library.open(tmp_path_factory.mktemp("shelf"), encoder="e1", dim=DIM) as library:
        for i, (report, labels, source) in enumerate(REPORTS):
            library.add(film(i, report=report, labels=labels, source=source))
        yield Assistant(assistant.backbone, library)


def numbers(found):
    ids = [film(i).film_sha256[:16] for i in range(len(REPORTS))]
    return [ids.index(case.id) for case in found]


WORDS = [
    ("", [7, 6, 5, 4, 3, 2, 1, 0]),
    ("   ", [7, 6, 5, 4, 3, 2, 1, 0]),
    ("effusion", [4, 3, 2, 0]),
    ("LEFT EFFUSION", [4, 3, 2, 0]),  # a label has no side
    ("right effusion", [3, 2]),  # though labelled, film 4 says which side
    ("large effusion", [4, 3, 2]),
    ("no effusion", [1]),
    ("cardiomegaly and no effusion", [1]),
    ("effusion, right pneumothorax", [2]),
    ("pneumothorax", [2]),
    ("possible pneumothorax", [6]),
    ("no pneumothorax", [0]),
    ("ödland", [5]),
    ("ÖDLAND", [5]),
    ("north both", [7]),
    ("100%", [5]),
    ("%", [5]),
    ("file_7", [5]),
    ("_", [5]),
    ("file?7", []),
    ("odd|label", [5]),
    ('"', []),
    ("[", []),
    ("' OR 1=1 --", []),
    ("\\", []),
    ("half \ud800", []),
    ("nul \0", []),
]


@pytest.mark.parametrize(("words", "expected"), WORDS)
def test_words_find_what_they_assert_or_else_where_they_stand(shelf, words, expected):
    assert numbers(search_cases(shelf.library, words)) == expected
    assert numbers(search_cases(shelf.library, words, limit=1)) == expected[:1]


def test_one_source_and_an_id_can_be_looked_for(shelf):
    assert numbers(search_cases(shelf.library, "", source="south")) == [4, 3, 2]
    assert numbers(search_cases(shelf.library, "effusion", source="north")) == [0]
    assert search_cases(shelf.library, "effusion", source="nowhere") == ()
    assert numbers(search_cases(shelf.library, film(3).film_sha256[:16].upper())) == [3]


def test_bad_searches_are_refused_in_one_sentence(shelf, assistant):
    with pytest.raises(SettingsError, match="characters"):
        search_cases(shelf.library, "x" * 501)
    with pytest.raises(SettingsError, match="limit"):
        search_cases(shelf.library, "x", limit=0)
    with pytest.raises(LibraryError, match="surrogate"):
        search_cases(shelf.library, "x", source="\ud800")
    with pytest.raises(LibraryError, match="No library"):
        Assistant(assistant.backbone).require_library()


@settings(
    max_examples=60, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture]
)
@given(st.text(max_size=30))
def test_plain_words_agree_with_a_plain_loop(shelf, words):
    if find_assertions(words):
        return
    expected = [
        i
        for i, (report, labels, source) in reversed(list(enumerate(REPORTS)))
        if all(
            any(
                word.casefold() in text.casefold()
                for text in (report, *labels, source, film(i).film_sha256[:16])
            )
            for word in words.split()
        )
    ]
    assert numbers(search_cases(shelf.library, words)) == expected


PIECES = st.lists(
    st.sampled_from(
        [
            "No pneumothorax.", "Small left pleural effusion", "the heart is normal in size", ".",
            "Cardiomegaly", "\n", "\nImpression:", "and", "possible right upper lobe nodule",
            "lungs are clear", ";", "Dr. Doe", "12 mm nodule", "or", "with", "!", "edema unlikely",
        ]
    ),
    max_size=14,
)  # fmt: skip


@settings(max_examples=150, deadline=None)
@given(PIECES, st.sampled_from(FINDINGS), st.sampled_from(["present", "absent", "uncertain"]))
def test_reading_only_the_sentences_that_matter_misses_nothing(pieces, finding, polarity):
    report = " ".join(pieces)
    case = Case("0" * 16, None, report, (), "", "")
    claims = [
        c for c in find_assertions(report) if (c.finding, c.polarity) == (finding.key, polarity)
    ]
    asserted = FindingQuery([Assertion(finding.key, polarity)]).is_asserted_by(case)
    assert asserted == bool(claims)


def test_every_label_and_key_of_the_vocabulary_finds_its_case():
    for finding in FINDINGS:
        sought = FindingQuery([Assertion(finding.key)])
        for label in (finding.key, finding.name, *finding.labels):
            case = Case("0" * 16, None, "", (label,), "", "")
            assert sought.is_asserted_by(case), label
            assert all(any(word in label.casefold() for word in g) for g in sought.words), label


def test_many_cases_are_not_all_read(tmp_path, assistant):
    with Library.open(tmp_path / "many", encoder="e1", dim=DIM) as library:
        list(library.add_many((film(i) for i in range(1000)), batch=1000))
        library.add(film(5000, report="Left pneumothorax."))
        many = Assistant(assistant.backbone, library)
        started = time.process_time()
        assert len(search_cases(many.library, "pneumothorax")) == 1
        assert len(search_cases(many.library, "REPORT 999.")) == 1
        assert len(search_cases(many.library, "report")) == 50
        assert time.process_time() - started < 5


# Similar cases


@pytest.fixture(scope="module")
def row(tmp_path_factory):
    """A library whose films lie in a row: the n-th is the n-th most like the first."""
    with Library.open(tmp_path_factory.mktemp("row"), encoder="e1", dim=DIM) as library:
        for i in range(260):
            vector = np.zeros(DIM, np.float32)
            vector[:2] = np.cos(i / 200), np.sin(i / 200)
            report = "Left pleural effusion." if i % 50 == 49 else "No pleural effusion."
            library.add(film(i, report=report, embedding=vector, labels=()))
        yield library


def near(library, k, **options):
    ids = [film(i).film_sha256[:16] for i in range(260)]
    vector = np.eye(1, DIM, dtype=np.float32)[0]
    return [ids.index(n.case) for n in find_similar(library, vector, k, own_case=ids[0], **options)]


def test_the_search_goes_deeper_until_enough_show_the_finding(row):
    assert near(row, 3) == [1, 2, 3]
    assert near(row, 3, finding="pleural_effusion") == [49, 99, 149]
    assert near(row, 20, finding="pleural_effusion") == [49, 99, 149, 199, 249]
    assert near(row, 3, finding="pneumothorax") == []
    assert near(row, 3, source="even") == [2, 4, 6]
    assert near(row, 3, source="even", finding="pleural_effusion") == []
    assert near(row, 3, source="odd", finding="pleural_effusion") == [49, 99, 149]
    left_out = [film(i).film_sha256[:16] for i in (49, 1)]
    assert near(row, 2, exclude=left_out) == [2, 3]
    assert near(row, 2, exclude=left_out, finding="pleural_effusion") == [99, 149]


def test_a_finding_that_is_none_is_refused(row, assistant, phantoms):
    image = next((phantoms / "images").iterdir())
    for find in (lambda f: near(row, 1, finding=f), lambda f: assistant.similar(image, finding=f)):
        for word in ("effusion", "", "x" * 500):
            with pytest.raises(SettingsError, match="no finding"):
                find(word)


def test_similar_films_of_a_finding_assert_it(assistant, phantoms):
    image = sorted((phantoms / "images").iterdir())[0]
    every = assistant.similar(image, 24)
    for finding in ("cardiomegaly", "pleural_effusion"):
        having = [
            n
            for n in every
            if any(c.finding == finding and c.polarity == "present" for c in case_assertions(n))
        ]
        assert having
        assert list(assistant.similar(image, 24, finding=finding)) == having
        assert list(assistant.similar(image, 1, finding=finding)) == having[:1]
    assert assistant.similar(image, 24, origin=every[0].source)[0] == every[0]
    assert assistant.similar(image, 24, origin="nowhere") == ()


SHARED = [
    ("Left pleural effusion.", "Left pleural effusion.", (["left pleural effusion"], [], [])),
    ("Left pleural effusion.", "Right pleural effusion.",
     ([], ["left pleural effusion"], ["right pleural effusion"])),
    ("Left pleural effusion.", "Pleural effusion.", (["left pleural effusion"], [], [])),
    ("Bilateral pleural effusions.", "Small right effusion. Cardiomegaly.",
     (["right pleural effusion"], ["left pleural effusion"], ["cardiomegaly"])),
    ("Right pleural effusion.", "Bilateral pleural effusions.",
     (["right pleural effusion"], [], ["left pleural effusion"])),
    ("Bilateral pleural effusions.", "Pleural effusions on both sides.",
     (["bilateral pleural effusion"], [], [])),
    ("No pneumothorax. Possible cardiomegaly.", "Pneumothorax.", ([], [], ["pneumothorax"])),
    ("Large left effusion.", "Impression: Effusion. Small left effusion.",
     (["large left pleural effusion"], [], [])),
    ("", "", ([], [], [])),
]  # fmt: skip


@pytest.mark.parametrize(("here", "there", "expected"), SHARED)
def test_what_two_films_share_respects_sides_and_polarity(here, there, expected):
    found = shared_findings(find_assertions(here), Neighbour("0" * 16, 0.9, there))
    assert tuple(map(list, (found.common, found.only_here, found.only_there))) == expected


def test_a_label_without_a_side_is_what_the_report_says(phantoms):
    case = Case("0" * 16, "patient", "Right pleural effusion.", ("Effusion",), "here", "")
    neighbour = neighbour_of(case, 0.5)
    assert "patient" not in repr(neighbour)
    found = shared_findings(find_assertions("Left pleural effusion."), neighbour)
    assert found.common == ()


def test_the_command_line_finds_cases_and_tells_no_patient(tmp_path, capfd, phantoms, assistant):
    folder: Path = tmp_path / "library"
    with Library.open(
        folder, encoder=assistant.backbone.encoder_id, dim=assistant.backbone.dim
    ) as library:
        vector = np.ones(assistant.backbone.dim, np.float32)
        for i, (report, labels, source) in enumerate(REPORTS):
            case = film(i, report=report, labels=labels, source=source, patient="Doe^Jane-77")
            library.add(replace(case, embedding=vector))
    at = ("--library", folder, "--backbone", BACKBONE)
    told = run(capfd, "library", "find", "left", "effusion", *at, "--json")
    assert told.code == 0, told.err
    cases = json.loads(told.out)["cases"]
    assert [case["case"] for case in cases] == [film(i).film_sha256[:16] for i in (4, 3, 2, 0)]
    assert {"case", "source", "added", "labels", "report"} == set(cases[0])
    assert run(capfd, "library", "find", *at).out.count("\n") == len(REPORTS)
    assert "no such case" in run(capfd, "library", "find", "zebra", *at).out
