"""What the page is made of, without a browser: the studies of a session and how they are shown."""

from __future__ import annotations

from dataclasses import replace
from types import SimpleNamespace
from typing import cast

import numpy as np
import pytest

from assistant import Assistant
from assistant.errors import SettingsError
from assistant.types import Film, FilmUse, Gate, Neighbour, Provenance, Report, Study
from ui.cases_view import cases_html
from ui.draft_view import draft_html
from ui.film_view import rail_html, viewer_html
from ui.session import MAX_STUDIES, Session

FILM = Film(np.zeros((64, 96), np.float32), "a" * 64)
OTHER = Film(np.zeros((64, 64), np.float32), "b" * 64)


def test_what_is_typed_beside_a_film_belongs_to_it_and_not_to_the_next():
    session = Session()
    first = session.open_study((FILM,), "Cough.", "Clear lungs.")
    # The fields still hold what was typed for the first film.
    second = session.open_study((OTHER,), "Cough.", "Large effusion.")
    assert (first.indication, first.prior_report) == ("Cough.", "Clear lungs.")
    assert (second.indication, second.prior_report) == ("", "Large effusion.")
    session.select(first.number)
    assert session.current is first


def test_a_scale_and_a_correction_are_told_where_there_are_any():
    session = Session()
    session.open_study((FILM,))
    assert "spacing not known" in viewer_html(session)
    assert 'data-wide=""' in viewer_html(session)
    flags = ("corrected: rotate 90",)
    session.open_study((replace(FILM, spacing_mm=(1.5, 2.0), flags=flags),))
    shown = viewer_html(session)
    assert 'data-wide="192.00"' in shown  # 96 columns of 2 mm
    assert "1.5 by 2 mm a pixel" in shown
    assert "put right: rotate 90" in shown


def test_the_films_of_a_study_and_its_prior_are_shown_one_at_a_time_and_boxes_on_the_first():
    session = Session()
    study = session.open_study((FILM, OTHER))
    study.prior = (replace(FILM, sha256="c" * 64),)
    seen = []
    for index in range(3):
        study.film_index = index
        shown = viewer_html(session)
        assert [name in shown for name in ("Film 1", "Film 2", "Prior 1")] == [True] * 3
        seen.append(("film " + study.film.sha256[:12] in shown, 'data-boxed="yes"' in shown))
    assert seen == [(True, True), (True, False), (True, False)]
    assert study.to_study().prior is not None


def test_closing_a_study_shows_another_and_only_the_latest_are_kept():
    session = Session()
    for _ in range(MAX_STUDIES + 2):
        session.open_study((FILM,))
    assert [study.number for study in session.studies] == [*range(3, MAX_STUDIES + 3)]
    session.close_study(session.current_number)
    assert session.current is session.studies[-1]
    for study in list(session.studies):
        session.close_study(study.number)
    assert session.current is None
    assert "No study yet" in rail_html(session)


def test_a_case_that_was_left_out_is_named_and_can_be_taken_back():
    nobody = cast(Assistant, SimpleNamespace(library=None))
    study = Session().open_study((FILM,))
    one, other = (Neighbour(f"case-{n}", 0.9, "No effusion.", (), "ward") for n in (1, 2))
    study.neighbours = (one, other)
    shown = cases_html(nobody, study)
    assert 'data-case="case-1"' in shown
    assert "Left out by you" not in shown
    study.neighbours, study.excluded_cases = (other,), (one.case,)
    shown = cases_html(nobody, study)
    assert 'data-case="case-1"' not in shown
    assert "Left out by you: case-1" in shown
    assert "Take back" in shown


def test_stopping_a_job_reaches_those_that_wait_and_no_other_kind():
    session = Session()
    session.open_study((FILM,))
    for job in ("draft", "draft", "paint"):
        session.request(job)
    first = session.begin("draft")
    session.stop("draft")
    assert first is not None
    assert first.stopped.is_set()
    session.end("draft")
    second, paint = session.begin("draft"), session.begin("paint")
    assert second is not None
    assert paint is not None
    assert (second.stopped.is_set(), paint.stopped.is_set()) == (True, False)


def drafted(films, prior=(), uses=()):
    """A report of a study without a sentence."""
    provenance = Provenance("mini", "0", "none", "0", 0, versions=(), time="", films=uses)
    study = Study(films, prior=Study(prior) if prior else None)
    return Report(study, (), (), gate=Gate("pass", "Known."), provenance=provenance)


def test_a_prior_film_stays_on_the_disk_as_long_as_a_draft_rests_on_it(tmp_path):
    session = Session(home=tmp_path)
    study = session.open_study((FILM,))
    before, earlier = session.keep(OTHER), session.keep(OTHER)
    session.replace_prior(study, (before,))
    session.keep_report(study, drafted(study.films, (before,)))
    session.replace_prior(study, (earlier,))
    assert before.pixels.shape == earlier.pixels.shape
    session.keep_report(study, drafted(study.films, (earlier,)))
    assert earlier.pixels.shape == OTHER.pixels.shape
    with pytest.raises(SettingsError, match="gone"):
        _ = before.pixels


def test_the_films_of_a_draft_say_what_was_made_of_them():
    session = Session()
    study = session.open_study((FILM, OTHER))
    uses = (
        FilmUse(FILM.sha256, None, "frontal"),
        FilmUse(OTHER.sha256, None, "lateral", read=False, note="The lateral <film> was not read."),
    )
    session.keep_report(study, drafted(study.films, uses=uses))
    assert "Film 1 (frontal)" in viewer_html(session)
    assert "Film 2 (lateral, not read)" in viewer_html(session)
    shown = draft_html(study)
    assert "The lateral &lt;film&gt; was not read." in shown
    assert "lateral bbbbbbbbbbbb, not read" in shown
