"""Scores of reports: against hand-computed cases and the reference implementations."""

from __future__ import annotations

import math
import sys

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from assistant.chest.vocabulary import FINDINGS, finding_named
from assistant.labeller.labeller import find_assertions
from evals.counting import finding_sides
from evals.report import Pair, score_pairs
from evals.report.claims import collect_claims, find_invented_measurements, find_measurements
from evals.report.entailment import count_entailed, logical_scores_of
from evals.report.significance import TIERS
from evals.report.text import add_text_figures
from evals.results import FigureTable

# Findings without a side whose name alone claims just them.
UNSIDED = ("oedema", "heart_failure", "cardiomegaly", "scoliosis", "kyphosis", "osteopenia")
SENTENCES = (
    "Small left pleural effusion.",
    "Right upper lobe nodule measuring 8 mm.",
    "No pneumothorax.",
    "The heart is mildly enlarged.",
    "Possible left lower lobe pneumonia.",
    "Bibasilar atelectasis is unchanged.",
    "No acute cardiopulmonary process.",
    "The lungs are clear.",
    "Endotracheal tube 4 cm above the carina.",
)
reports = st.lists(st.sampled_from(SENTENCES), min_size=1, max_size=5, unique=True).map(" ".join)
couples = st.lists(st.tuples(reports, reports), min_size=2, max_size=6)


def pairs_of(texts):
    return [Pair(str(i), str(i), ref, cand) for i, (ref, cand) in enumerate(texts)]


def figures_of(texts, **more):
    return score_pairs(pairs_of(texts), **more).figures


def text_value(texts, name):
    tally = FigureTable()
    add_text_figures(tally, texts, [str(i) for i in range(len(texts))], 0)
    return tally.figures[name]["value"]


# -- Text, against the reference implementations


@settings(max_examples=15, deadline=None)
@given(couples)
def test_bleu_and_chrf_are_those_of_sacrebleu(texts):
    sacrebleu = pytest.importorskip("sacrebleu")
    refs, cands = [[ref for ref, _ in texts]], [cand for _, cand in texts]
    tally = FigureTable()
    add_text_figures(tally, texts, [str(i) for i in range(len(texts))], 0)
    found = {name: figure["value"] for name, figure in tally.figures.items()}
    for order in (1, 2, 3, 4):
        expected = sacrebleu.BLEU(lowercase=True, max_ngram_order=order).corpus_score(cands, refs)
        assert found[f"text/BLEU-{order}"] == pytest.approx(expected.score / 100, abs=1e-5)
    expected = sacrebleu.CHRF(lowercase=True).corpus_score(cands, refs)
    assert found["text/chrF"] == pytest.approx(expected.score / 100, abs=1e-5)


@pytest.mark.parametrize(
    ("ref", "cand"), [("a b c d e", "x y z"), ("a b c", "a"), ("a b", "a b c d"), ("a", "")]
)
def test_bleu_of_short_and_strange_texts_is_that_of_sacrebleu(ref, cand):
    sacrebleu = pytest.importorskip("sacrebleu")
    texts = [(ref, cand), (ref, cand)]
    for order in (1, 2, 4):
        scorer = sacrebleu.BLEU(lowercase=True, max_ngram_order=order)
        expected = scorer.corpus_score([cand, cand], [[ref, ref]]).score / 100
        assert text_value(texts, f"text/BLEU-{order}") == pytest.approx(expected, abs=1e-5)
    expected = sacrebleu.CHRF(lowercase=True).corpus_score([cand, cand], [[ref, ref]]).score / 100
    assert text_value(texts, "text/chrF") == pytest.approx(expected, abs=1e-5)


@settings(max_examples=15, deadline=None)
@given(couples)
def test_rouge_is_the_mean_of_rouge_score(texts):
    scorer = pytest.importorskip("rouge_score.rouge_scorer").RougeScorer(["rougeL"])
    each = [scorer.score(ref, cand)["rougeL"].fmeasure for ref, cand in texts]
    assert text_value(texts, "text/ROUGE-L") == pytest.approx(np.mean(each), abs=1e-5)


def test_bleu_and_rouge_of_a_case_by_hand():
    # 3 of 4 words; 1 of 3 pairs; as long as each other; the longest common run is 3.
    texts = [("left effusion and nodule", "left effusion without nodule")]
    assert text_value(texts, "text/BLEU-1") == pytest.approx(0.75)
    assert text_value(texts, "text/BLEU-2") == pytest.approx(math.sqrt(0.75 / 3), abs=1e-6)
    assert text_value(texts, "text/ROUGE-L") == pytest.approx(0.75)


def test_without_its_library_a_figure_has_no_value_and_says_what_to_install(monkeypatch):
    monkeypatch.setitem(sys.modules, "sacrebleu", None)
    measured = score_pairs(pairs_of([("Nodule.", "Nodule."), ("Mass.", "Mass.")]))
    for name in ("text/BLEU-1", "text/BLEU-4", "text/chrF"):
        assert measured.figures[name]["value"] is None
        assert measured.figures[name]["unscored"] == 2
        assert "pip install sacrebleu" in measured.notes[name]
    assert measured.figures["text/ROUGE-L"]["value"] == 1.0


# -- Findings


@settings(max_examples=15, deadline=None)
@given(st.lists(st.tuples(*[st.booleans()] * (2 * len(UNSIDED))), min_size=1, max_size=8))
def test_f1_is_that_of_scikit_learn(rows):
    metrics = pytest.importorskip("sklearn.metrics")
    labels = np.array(rows, int)
    true, said = labels[:, : len(UNSIDED)], labels[:, len(UNSIDED) :]
    names = [finding_named(key).name.capitalize() for key in UNSIDED]

    def text(row):
        return " ".join(f"{n}." for n, there in zip(names, row, strict=True) if there) or "Film."

    found = figures_of([(text(t), text(s)) for t, s in zip(true, said, strict=True)])
    for name in ("F1", "precision", "recall"):
        score = getattr(metrics, f"{name.lower()}_score")
        expected = score(true, said, average="micro", zero_division=np.nan)
        for kind in ("present", "present with side"):
            got = found[f"clinical/{kind}, micro-{name}"]["value"]
            assert (math.nan if got is None else got) == pytest.approx(
                expected, abs=1e-5, nan_ok=True
            )
    each = metrics.f1_score(true, said, average=None, zero_division=np.nan)
    for name, expected in zip(names, each, strict=True):
        got = found.get(f"clinical/{name[0].lower()}{name[1:]}, F1", {"value": None})["value"]
        assert (math.nan if got is None else got) == pytest.approx(expected, abs=1e-5, nan_ok=True)
    got = found["clinical/present, macro-F1"]["value"]
    known = each[np.isfinite(each)]
    assert got == (pytest.approx(known.mean(), abs=1e-5) if len(known) else None)


def test_claims_in_each_detail_by_hand():
    text = (
        "Small bilateral pleural effusions. Left upper lobe nodule. Nodule. Severe cardiomegaly. "
        "No pneumothorax. Possible right pneumonia. No acute disease."
    )
    found = find_assertions(text)
    assert collect_claims(found, detail="finding") == {
        ("pleural_effusion",),
        ("nodule",),
        ("cardiomegaly",),
    }
    both = {("pleural_effusion", "right"), ("pleural_effusion", "left")}
    assert collect_claims(found) == {*both, ("nodule", "left"), ("cardiomegaly", "")}
    assert collect_claims(found, detail="zone") == {
        *((*claim, "") for claim in both),
        ("nodule", "left", "upper"),
        ("cardiomegaly", "", ""),
    }
    assert collect_claims(found, detail="degree") == {
        *((*claim, "small") for claim in both),
        ("nodule", "left", ""),
        ("cardiomegaly", "", "large"),
    }
    assert collect_claims(found, "absent") == {("pneumothorax", "")}
    assert collect_claims(found, "uncertain") == {("pneumonia", "right")}


@settings(max_examples=40, deadline=None)
@given(reports)
def test_claims_with_their_side_are_those_of_the_phantom_suite(text):
    theirs = {(finding, side or "") for finding, side in finding_sides(find_assertions(text))}
    assert collect_claims(find_assertions(text)) == theirs


def test_the_detailed_scores_by_hand():
    texts = [("Small left upper lobe nodule.", "Large left lower lobe nodule."), ("Mass.", "Mass.")]
    found = figures_of(texts)
    scores = {
        name: found[f"clinical/{name}, micro-F1"]["value"]
        for name in ("present", "present with side", "present with side and zone")
    }
    assert scores == {
        "present": 1.0,
        "present with side": 1.0,
        "present with side and zone": 0.5,
    }
    assert found["clinical/present with side and degree, micro-F1"]["value"] == 0.5


def test_omissions_and_fabrications_are_counted_apart_and_weighed():
    texts = [
        ("Left pneumothorax. Nodule. Scoliosis.", "Nodule. Cardiomegaly."),
        ("Possible pneumonia.", "Pneumonia."),  # a suspicion is neither
        ("Left pleural effusion.", "Right pleural effusion."),  # on the wrong side is neither
        ("Cardiomegaly.", ""),  # has missed everything
    ]
    measured = score_pairs(pairs_of(texts))
    found = {name: figure["value"] for name, figure in measured.figures.items()}
    assert found["clinical/omissions a report"] == 3 / 4
    assert found["clinical/fabrications a report"] == 1 / 4
    assert found["clinical/omissions a report, weighted"] == (4 + 1 + 2) / 4
    assert found["clinical/fabrications a report, weighted"] == 2 / 4
    assert found["clinical/urgent findings omitted"] == 1.0
    assert found["clinical/significant findings omitted"] == pytest.approx(1 / 3, abs=1e-6)
    assert found["clinical/wrong side"] == 1.0
    first, _, third, last = measured.cases
    assert first["omissions"] == ["pneumothorax", "scoliosis"]
    assert first["fabrications"] == ["cardiomegaly"]
    assert third["wrong_side"] == ["pleural effusion"]
    assert (third["omissions"], third["fabrications"]) == ([], [])
    assert (last["omissions"], last["composite"]) == (["cardiomegaly"], 0.0)


def test_every_finding_of_the_vocabulary_has_a_tier():
    assert set(TIERS) | {"no_finding"} == {finding.key for finding in FINDINGS}


def test_a_comparison_is_invented_only_where_no_prior_was_given():
    compares, name = "The effusion is unchanged.", "clinical/reports that compare without a prior"
    pairs = [
        Pair("a", "1", "Effusion.", compares),
        Pair("b", "2", "Effusion.", "Effusion."),
        Pair("c", "3", "Effusion.", compares, prior="Effusion."),
    ]
    found = score_pairs(pairs).figures[name]
    assert (found["value"], found["n"], found["unscored"]) == (0.5, 2, 1)
    alone = score_pairs(pairs[2:]).figures[name]
    assert (alone["value"], alone["n"], alone["unscored"]) == (None, 0, 1)


def test_measurements_are_read_with_their_units():
    assert find_measurements("A 12 x 8 mm nodule, 1.5 cm mass, 40 % at T7, 3 films, 2-3 cm.") == [
        ("mm", 12.0), ("mm", 8.0), ("mm", 15.0), ("%", 40.0), ("mm", 20.0), ("mm", 30.0),
    ]  # fmt: skip
    assert find_invented_measurements("1.2 cm nodule.", "12 mm nodule, 4 mm nodule.") == (
        [("mm", 4.0)],
        2,
    )


def test_invented_measurements_and_the_error_of_sizes_by_hand():
    texts = [
        ("8 mm nodule in the right lung.", "11 mm nodule in the right lung."),
        ("8 mm nodule in the right lung.", "8 mm nodule in the left lung."),  # another nodule
        ("Nodule.", "Nodule."),
    ]
    found = figures_of(texts)
    assert found["clinical/measurements invented"]["value"] == 0.5
    assert found["clinical/reports with an invented measurement"]["value"] == pytest.approx(
        1 / 3, abs=1e-6
    )
    assert found["clinical/measurement error, mm"]["value"] == 3.0


# -- Entailment


@pytest.mark.parametrize(
    ("claim", "premise", "holds"),
    [
        ("Effusion.", "Small left effusion.", True),
        ("Small left effusion.", "Effusion.", False),
        ("Left effusion.", "Bilateral effusions.", True),
        ("Bilateral effusions.", "Left effusion.", False),
        ("Right effusion.", "Left effusion.", False),
        ("Small effusion.", "Large effusion.", False),
        ("Right nodule.", "Right upper lobe nodule.", True),
        ("Right upper lobe nodule.", "Right lower lobe nodule.", False),
        ("New effusion.", "Effusion.", False),
        ("Possible pneumonia.", "Pneumonia.", True),
        ("Pneumonia.", "Possible pneumonia.", False),
        ("Opacity.", "Pneumonia.", True),
        ("Pneumonia.", "Opacity.", False),
        ("No left effusion.", "No effusion.", True),
        ("No effusion.", "No left effusion.", False),
        ("No effusion.", "Effusion.", False),
        ("No effusion.", "Cardiomegaly.", False),
        ("No pneumonia.", "No acute disease.", True),
        ("No scoliosis.", "No acute disease.", False),
        ("No acute disease.", "No effusion. No pneumothorax.", True),
        ("No acute disease.", "Left effusion.", False),
        ("No acute disease.", "Two views.", False),
    ],
)
def test_what_follows_from_what(claim, premise, holds):
    assert count_entailed(find_assertions(claim), find_assertions(premise)) == int(holds)


@settings(max_examples=40, deadline=None)
@given(reports)
def test_a_report_follows_from_itself(text):
    abnormal = "effusion" in text or "nodule" in text or "enlarged" in text or "pneumonia" in text
    if not (abnormal and "No acute" in text):  # such a report contradicts itself
        assert logical_scores_of(text, text) == (1.0, 1.0)


def test_logical_precision_and_recall_by_hand():
    reference = "Small left effusion. Cardiomegaly. No pneumothorax."
    candidate = "Left effusion. Nodule."
    assert logical_scores_of(reference, candidate) == (0.5, 0.0)
    found = figures_of([(reference, candidate), ("Mass.", "Mass.")])
    assert found["logical/precision"]["value"] == pytest.approx(2 / 3, abs=1e-6)
    assert found["logical/recall"]["value"] == 0.25
    assert all(math.isnan(part) for part in logical_scores_of("Film.", "Film."))
