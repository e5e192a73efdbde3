"""A study read whole: frontals, laterals and an earlier film, whatever their order."""

from __future__ import annotations

import json
from dataclasses import replace
from itertools import permutations

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from hypothesis.extra import numpy as arrays

from assistant.backbones.probe.study import combine_views
from assistant.chest.lateral import make_lateral
from assistant.chest.phantoms import make_phantom
from assistant.drafting.prefetch import prefetch
from assistant.drafting.review import reword
from assistant.drafting.sources import FileSource
from assistant.drafting.studies import gate_whole_studies
from assistant.errors import BackboneError, IntakeError
from assistant.export.draft_json import draft_dict
from assistant.export.wording import study_notes
from assistant.intake import read_film_bytes
from assistant.intake.png import png
from assistant.types import Film, Study

EFFUSION, NORMAL = 0, 7  # test phantoms: with a left pleural effusion, and without a finding
QUICK = {"neighbours": 0, "samples": 0}


def film_of(pixels: np.ndarray) -> Film:
    return read_film_bytes(png(pixels.astype(np.float32)))


def frontal(index: int) -> Film:
    return film_of(make_phantom(7, index, split="test").film / 255)


@pytest.fixture(scope="module")
def ill():
    return frontal(EFFUSION)


@pytest.fixture(scope="module")
def well():
    return frontal(NORMAL)


@pytest.fixture(scope="module")
def ill_before(ill):
    """The ill film once more, from another file."""
    return film_of(np.asarray(ill.pixels) * 0.98)


@pytest.fixture(scope="module")
def lateral():
    return film_of(make_lateral(7, EFFUSION, split="test") / 255)


@pytest.fixture(scope="module")
def noise():
    return film_of(np.random.default_rng(0).random((256, 256)))


@pytest.fixture(scope="module")
def blank():
    return film_of(np.full((256, 256), 0.5))


def told(report):
    """A draft as JSON, without its time."""
    draft = draft_dict(report)
    draft["provenance"].pop("time")
    return json.dumps(draft)


def sentences_of(report):
    return draft_dict(report)["sentences"]


@pytest.fixture
def reading_laterals(assistant, monkeypatch):
    """The assistant's probe with weights for the lateral; they are no good for real films."""

    probe = assistant.backbone._probe
    weights = np.tile(np.array([0.3, -1.0], np.float32), (len(probe.labels), 1))
    monkeypatch.setattr(type(assistant.backbone), "lateral_weights", weights)
    return assistant


# ---- the films of a study ----------------------------------------------------------------------


def test_the_order_of_the_films_does_not_matter(assistant, ill, well, lateral, noise):
    films = [ill, well, lateral, noise]
    drafts = {told(assistant.draft(list(order), **QUICK)) for order in [*permutations(films)][::9]}
    assert len(drafts) == 1


def test_every_film_is_named_with_what_was_made_of_it(assistant, ill, well, lateral, noise):
    report = assistant.draft([noise, lateral, well, ill], **QUICK)
    uses = {use.sha256: (use.kind, use.read) for use in report.provenance.films}
    assert uses == {
        ill.sha256: ("frontal", True),
        well.sha256: ("frontal", True),
        lateral.sha256: ("lateral", True),
        noise.sha256: ("noise", False),
    }
    assert {film.sha256 for film in report.study.films} == set(uses)
    notes = draft_dict(report)["notes"]
    assert len(notes) == 1
    assert "noise" in notes[0]


def test_one_frontal_is_drafted_alike_in_whatever_form_it_comes(assistant, ill, tmp_path):
    file = tmp_path / "study" / "series 1" / "film.png"
    file.parent.mkdir(parents=True)
    file.write_bytes(png(np.asarray(ill.pixels)))
    film = read_film_bytes(file.read_bytes())
    drafts = {
        told(assistant.draft(source, **QUICK))
        for source in (film, [film, film], Study((film,)), [str(file)], tmp_path / "study",
                       FileSource(file.read_bytes()))
    }  # fmt: skip
    assert len(drafts) == 1
    draft = json.loads(drafts.pop())
    assert "notes" not in draft
    assert "films" not in draft["provenance"]


def test_a_film_that_is_not_read_leaves_the_draft_as_it_is(assistant, ill, noise, blank):
    alone = assistant.draft(ill, **QUICK)
    for other in (noise, blank):
        report = assistant.draft([other, ill], **QUICK)
        assert sentences_of(report) == sentences_of(alone)
        assert report.gate == alone.gate
        (note,) = study_notes(report)
        assert other.sha256[:12] in note
        assert note.endswith(".")


def test_laterals_alone_are_refused_as_one_is(assistant, lateral, noise):
    alone = assistant.draft(lateral, **QUICK)
    assert alone.gate.answer == "refuse"
    assert "a lateral one; give a frontal film" in alone.gate.reason
    second = film_of(make_lateral(7, 1, split="test") / 255)
    for films in ([lateral, second], [noise, lateral]):
        report = assistant.draft(films, **QUICK)
        assert report.gate.answer == "refuse"
        assert "a lateral one; give a frontal film" in report.gate.reason
        assert report.sentences == ()


def test_a_view_that_a_file_states_is_heeded(assistant, ill, well):
    alone = assistant.draft(replace(well, view="PA"), **QUICK)
    report = assistant.draft([replace(ill, view="LL"), replace(well, view="PA")], **QUICK)
    assert [use.kind for use in report.provenance.films] == ["frontal", "lateral"]
    assert report.study.films[0].sha256 == well.sha256
    both = assistant.draft([replace(ill, view="AP"), replace(well, view="PA")], **QUICK)
    assert [use.read for use in both.provenance.films] == [True, True]
    assert both.study.films[0].sha256 == well.sha256
    oblique = assistant.draft([replace(ill, view="LAO"), replace(well, view="PA")], **QUICK)
    assert sentences_of(oblique) == sentences_of(alone)
    assert "neither frontal nor lateral" in study_notes(oblique)[0]


def test_a_lateral_that_states_pa_is_a_lateral_all_the_same(assistant, ill, lateral):
    for films in ([replace(lateral, view="PA"), ill], [ill, replace(lateral, view="AP")]):
        report = assistant.draft(films, **QUICK)
        assert [use.kind for use in report.provenance.films] == ["frontal", "lateral"]
        assert report.study.films[0].sha256 == ill.sha256


def test_two_frontals_are_both_read(assistant, ill, well):
    backbone = assistant.backbone
    (whole,) = gate_whole_studies(backbone, [Study((ill, well))], correct=False, anyway=False)
    first, second = (encoded.logits for encoded in backbone.encode([ill, well]))
    assert np.allclose(whole.encoded.logits, (first + second) / 2, atol=1e-4)


def test_a_turned_frontal_is_put_right_among_others(assistant, ill, lateral):
    turned = film_of(np.rot90(np.asarray(ill.pixels)))
    refused = assistant.draft([lateral, turned], **QUICK)
    assert refused.gate.correction == "rotate 90"
    corrected = assistant.draft([lateral, turned], correct=True, **QUICK)
    assert corrected.gate.answer == "pass"
    assert "corrected: rotate 90" in corrected.study.films[0].flags


def test_drafts_of_many_studies_are_those_of_each_alone(assistant, ill, well, lateral):
    studies = [[lateral, ill], well, Study((well,), prior=Study((ill,))), [lateral]]
    many = list(assistant.draft_many(studies, neighbours=0, samples=0))
    assert [r.text() for r in many] == [assistant.draft(s, **QUICK).text() for s in studies]
    assert [len(r.provenance.films) for r in many] == [2, 0, 2, 0]


def test_a_study_without_a_film_and_too_many_films_are_refused(assistant, ill):
    with pytest.raises(IntakeError, match="no film"):
        assistant.draft(Study(()))
    with pytest.raises(IntakeError, match="more than the 8"):
        assistant.draft([ill] * 9)


# ---- the lateral -------------------------------------------------------------------------------

LOGITS = st.floats(-20, 20, width=32)


@given(
    arrays.arrays(np.float32, (3, 4), elements=LOGITS),
    arrays.arrays(np.float32, (2, 4), elements=LOGITS),
    arrays.arrays(np.float32, (4, 2), elements=st.floats(-2, 2, width=32)),
)
def test_a_lateral_moves_each_label_by_its_weight_and_no_look_apart(front, side, weights):
    combined = combine_views(front, side, weights)
    shift = weights[:, 0] * (side.mean(axis=0) - weights[:, 1])
    assert combined.dtype == np.float32
    assert np.allclose(combined, front + shift, atol=1e-3)
    assert np.allclose(combined - combined.mean(axis=0), front - front.mean(axis=0), atol=1e-3)
    still = weights * np.array([0, 1], np.float32)
    assert np.array_equal(combine_views(front, side, still), front)


@pytest.mark.parametrize("shape", [(3, 2), (4,), (4, 3)])
def test_weights_for_other_labels_are_refused(shape):
    with pytest.raises(BackboneError, match="labels"):
        combine_views(np.zeros((1, 4)), np.zeros((1, 4)), np.zeros(shape))


def test_a_lateral_with_weights_is_read_and_changes_what_the_probe_reads(
    reading_laterals, ill, lateral, noise
):
    alone = reading_laterals.draft(ill, **QUICK)
    report = reading_laterals.draft([ill, lateral], **QUICK)
    assert [use.read for use in report.provenance.films] == [True, True]
    assert study_notes(report) == ()
    values = [
        [e["value"] for s in sentences_of(r) for e in s["evidence"] if e["kind"] == "probe"]
        for r in (alone, report)
    ]
    assert values[0] != values[1]
    assert told(reading_laterals.draft([lateral, ill], **QUICK)) == told(report)
    unread = reading_laterals.draft([ill, replace(noise, view="LATERAL")], **QUICK)
    assert sentences_of(unread) == sentences_of(alone)
    backbone = reading_laterals.backbone
    (whole,) = gate_whole_studies(backbone, [Study((lateral, ill))], correct=False, anyway=False)
    single = backbone.encode([ill])[0]
    assert np.array_equal(whole.encoded.features, single.features)
    assert np.array_equal(whole.encoded.embedding, single.embedding)


# ---- the earlier film --------------------------------------------------------------------------


def compared(assistant, film, text, **options):
    """The one sentence of a checked text, and what its prior evidence says."""
    report = assistant.check(film, text, neighbours=0, **options)
    (sentence,) = report.sentences
    return sentence, {e.where: e.says for e in sentence.evidence if e.kind == "prior"}


@pytest.mark.parametrize("change", ["is new", "has increased", "is unchanged"])
def test_a_change_is_checked_against_the_earlier_film(assistant, ill, well, ill_before, change):
    text = f"The left pleural effusion {change}."
    fits = change == "is new"
    sentence, says = compared(assistant, ill, text, prior=well)
    assert says["prior film"] == ("supports" if fits else "contradicts")
    assert (sentence.verdict == "contradicted") != fits
    sentence, says = compared(assistant, ill, text, prior=ill_before)
    assert says["prior film"] == ("contradicts" if fits else "supports")
    assert (sentence.verdict == "contradicted") == fits
    sentence, says = compared(assistant, ill, text)
    assert says == {}
    assert sentence.verdict == "unsupported"


def test_report_and_film_of_before_are_heard_both(assistant, ill, well, ill_before):
    text, said = "There is a new left pleural effusion.", "No pleural effusion."
    sentence, says = compared(assistant, ill, text, prior=well, prior_report=said)
    assert says == {"prior": "supports", "prior film": "supports"}
    assert sentence.verdict == "supported"
    sentence, says = compared(assistant, ill, text, prior=ill_before, prior_report=said)
    assert says == {"prior": "supports", "prior film": "contradicts"}
    assert sentence.verdict == "unsupported"
    assert "earlier film" in sentence.reason
    assert sentence.risk is None


def test_an_earlier_film_answers_what_has_changed(assistant, ill, well):
    answer = assistant.ask(ill, "What has changed since the prior?", prior=well)
    assert "effusion" in answer.text
    assert "earlier film" in answer.text
    assert "report" not in answer.text
    assert [use.prior for use in answer.provenance.films] == [False, True]


def test_an_earlier_film_that_does_not_pass_is_left_out(assistant, ill, ill_before, lateral, noise):
    alone = assistant.draft(ill, **QUICK)
    for prior, words in (
        (noise, "noise"),
        (lateral, "lateral"),
        (ill, "the study itself"),
        ([ill, noise], "the study itself"),
    ):
        report = assistant.draft(ill, prior=prior, **QUICK)
        assert sentences_of(report) == sentences_of(alone)
        assert any(words in note for note in study_notes(report)), words
        assert all("was not read" in note for note in study_notes(report))
        assert not report.study.prior.films
    later = assistant.draft(replace(ill, day=10), prior=replace(ill_before, day=11), **QUICK)
    assert "dates it after the study" in study_notes(later)[0]
    same_day = assistant.draft(replace(ill, day=10), prior=replace(ill_before, day=10), **QUICK)
    assert study_notes(same_day) == ()


def test_a_reworded_sentence_is_compared_with_the_earlier_film_too(assistant, ill, well):
    report = assistant.draft([ill], prior=well, **QUICK)
    new = reword(assistant.backbone, assistant.risk, report, 0, "There is a new left effusion.")
    evidence = {e.where: e.says for e in new.sentences[0].evidence if e.kind == "prior"}
    assert evidence == {"prior film": "supports"}


def test_films_travel_with_their_study_between_processes(tmp_path, ill, lateral, well):
    paths = []
    for number, film in enumerate((ill, lateral, well)):
        paths.append(tmp_path / f"{number}.png")
        paths[-1].write_bytes(png(np.asarray(film.pixels)))
    source = FileSource(paths[0], "Cough.", laterals=(paths[1],), prior=(paths[2],))
    (here,) = prefetch([source], 0, 1)
    there, several = prefetch([source, paths[:2]], 1, 2)
    assert isinstance(here, Study)
    assert isinstance(there, Study)
    for ours, theirs in ((here.films, there.films), (here.prior.films, there.prior.films)):
        assert [f.sha256 for f in ours] == [f.sha256 for f in theirs]
        assert all(np.array_equal(a.pixels, b.pixels) for a, b in zip(ours, theirs, strict=True))
        assert not any(film.pixels.flags.writeable for film in theirs)
    assert len(several.films) == 2
