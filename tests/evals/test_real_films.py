"""The suite of real films: what each figure means, and what cannot be scored is counted."""

from __future__ import annotations

import csv
import json
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
from conftest import BACKBONE, SHARED
from hypothesis import assume, given, settings
from hypothesis import strategies as st
from PIL import Image
from pupil import KilledError
from sklearn.metrics import average_precision_score

import evals
from assistant.chest.phantoms import make_phantom
from assistant.errors import SettingsError
from assistant.labeller.labeller import find_assertions
from assistant.types import LabelProbability, ProbeOutput
from evals.bootstrap import auroc, average_precision, meteor, plain_bleu
from evals.data.real_films import (
    FilmRecord,
    PatientNumbers,
    choose_split,
    findings_section,
    read_record,
    read_table,
)
from evals.films.findings import score_findings
from evals.films.labels import find_known
from evals.films.looking import score_looking
from evals.films.meteor import PROGRAM, count_meteor, count_stems
from evals.films.places import is_inside, score_places
from evals.films.r2gen import candidate_words, clean_report, reference_words, rouge_l, vocabulary_of
from evals.films.readings import DraftedSentence, FilmReading, highest_point, probability_of
from evals.films.reports import ABOVE, NEAREST, PERMUTED, KnownReports, score_reports
from evals.films.sentences import coverage_at_allowed, is_contradicted, score_sentences
from evals.films.similar import PRECISION, RANDOM, nearest_of, score_similar
from evals.suites import films

REPORTS = (
    "Findings: There is a small right pleural effusion. The heart is enlarged. No pneumothorax. "
    "Impression: Right pleural effusion.",
    "Findings: There is a left pneumothorax. The heart is normal. Impression: Pneumothorax.",
    "Findings: The lungs are clear. No effusion. Impression: No acute disease.",
    "Findings: There is a nodule in the left upper lobe. Impression: Possible pneumonia.",
)
WORDS = st.lists(
    st.sampled_from(["the", "heart", "is", "normal", "lungs", "clear", "no", "a", "."])
)
TWO_WORDS = WORDS.filter(lambda words: len(words) > 1)  # nltk counts a pair of words in one
SCORES = st.lists(st.tuples(st.integers(0, 20), st.booleans()), min_size=2, max_size=30)


def record(number: int, report: str = "", **more) -> FilmRecord:
    return FilmRecord(
        Path(f"{number}.png"),
        f"patient {number}",
        f"study {number}",
        report=report,
        findings=findings_section(report),
        **more,
    )


def reading(number: int, report: str | None = None, risk: float = 0.1, **more) -> FilmReading:
    """What a backbone makes of a film whose draft is this report."""
    sentences = None if report is None else tuple(
        DraftedSentence(text, section, risk, "keep", True, find_assertions(text))
        for section, part in (("findings", findings_section(report)),
                              ("impression", report.partition("Impression:")[2]))
        for text in part.strip().split(". ")
        if text
        for text in [f"{text.rstrip('.')}."]
    )  # fmt: skip
    values = {"probabilities": {}, "points": {}, "embedding": np.eye(8, dtype=np.float32)[number]}
    return FilmReading(str(number), "pass", sentences=sentences, **(values | more))


# The tables that people have.


def write_table(folder: Path, rows: list[dict[str, str]], name: str = "cases.csv") -> Path:
    folder.mkdir(parents=True, exist_ok=True)
    with (folder / name).open("w", encoding="utf-8", newline="") as file:
        writer = csv.DictWriter(file, list(rows[0]))
        writer.writeheader()
        writer.writerows(rows)
    return folder


def test_a_table_tells_age_sex_view_and_boxes_in_any_of_the_usual_ways(tmp_path):
    rows = [
        {"image": "a.png", "patient": "MRN77", "age": "058Y", "sex": "Female", "view": "PA",
         "boxes": '[["Cardiomegaly", 0.25, 0.5, 0.5, 0.25]]', "nih_boxes_1024": "",
         "projection": "", "rsna_boxes_1024": "", "birth": "", "study": "", "indication": "",
         "uncertain": "Edema"},
        {"image": "b.png", "patient": "MRN77", "age": "", "sex": "", "view": "", "boxes": "no json",
         "nih_boxes_1024": '[["Effusion", 512, 0, 256, 1024]]', "projection": "Lateral",
         "rsna_boxes_1024": "[[0, 0, 512, 512]]", "birth": "1999", "study": "2011",
         "indication": "A 12-year-old woman.", "uncertain": ""},
    ]  # fmt: skip
    first, second = read_table(write_table(tmp_path, rows), PatientNumbers()).records
    assert (first.age, first.sex, first.view, first.lateral) == ("40 to 64", "F", "PA", False)
    assert first.boxes == (("Cardiomegaly", (0.25, 0.5, 0.75, 0.75)),)
    assert (first.uncertain, first.labelled) == (("Edema",), True)
    assert (second.age, second.sex, second.lateral) == ("under 18", "F", True)
    assert [label for label, _ in second.boxes] == ["Effusion", "Lung Opacity"]
    assert second.boxes[0][1] == (0.5, 0.0, 0.75, 1.0)
    assert first.patient == second.patient
    assert "MRN77" not in repr((first, second))
    assert "1999" not in repr((first, second))


@pytest.mark.parametrize("view", ["LL", "LATERAL", "lateral", "L", "LARGE LATERAL"])
def test_a_lateral_is_one_by_any_usual_name(tmp_path, view):
    for column in ("view", "projection", "Frontal/Lateral", "ViewPosition"):
        write_table(tmp_path, [{"image": "a.png", column: view}, {"image": "b.png", column: "AP"}])
        lateral, frontal = read_table(tmp_path, PatientNumbers()).records
        assert (lateral.lateral, frontal.lateral) == (True, False)


def test_a_split_is_chosen_by_its_name_and_an_unknown_one_is_refused(tmp_path):
    rows = [
        {"image": f"{i}.png", "split": split} for i, split in enumerate(("train", "val", "val"))
    ]
    table = read_table(write_table(tmp_path, rows), PatientNumbers())
    assert len(choose_split(table, "val").records) == 2
    assert len(choose_split(table, "").records) == 3
    with pytest.raises(SettingsError, match="train, val"):
        choose_split(table, "test")


@given(st.integers(20, 200), st.integers(20, 200))
@settings(max_examples=20, deadline=None)
def test_a_squeezed_film_is_read_in_its_true_shape(tmp_path_factory, columns, rows):
    folder = tmp_path_factory.mktemp("squeezed")
    grey = np.random.default_rng(0).integers(0, 255, (96, 96)).astype(np.uint8)
    Image.fromarray(grey).save(folder / "a.png")
    assume(0.2 < columns / rows < 5)
    film = read_record(replace(record(0), image=folder / "a.png", shape=(columns, rows)))
    height, width = film.pixels.shape
    assert abs(width / height - columns / rows) <= 0.02 * columns / rows + 0.5 / height
    assert not film.pixels.flags.writeable
    assert 0 <= film.pixels.min() <= film.pixels.max() <= 1


# Findings.


@given(SCORES)
@settings(deadline=None)
def test_auroc_and_auprc_do_not_change_with_a_monotone_map(rows):
    table = np.array(rows, float)
    bent = np.stack([np.exp(table[:, 0] / 3) + 5, table[:, 1]], axis=1)
    for statistic in (auroc, average_precision):
        assert statistic(table) == pytest.approx(statistic(bent), nan_ok=True)
    if table[:, 1].any():
        expected = average_precision_score(table[:, 1], table[:, 0])
        assert average_precision(table) == pytest.approx(expected)


def test_the_probability_of_a_finding_is_the_largest_over_its_places_without_degrees():
    def label(finding, probability, side=None, degrees=()):
        return LabelProbability(finding, side, None, degrees, probability, 0.0)

    output = ProbeOutput(
        (label("mass", 0.2), label("mass", 0.6, "left"), label("mass", 0.9, degrees=("large",))), {}
    )
    assert probability_of(output, "mass") == 0.6
    assert probability_of(output, "nodule") is None


@pytest.mark.parametrize(("language", "is_read"), [("", True), ("en-GB", True), ("es", False)])
def test_a_report_in_another_language_is_counted_and_its_film_keeps_its_labels(
    tmp_path, language, is_read
):
    (tmp_path / "cases.csv").write_text(
        "image,report,labels,language\n"
        f"a.png,Derrame pleural derecho. No pneumothorax.,pleural_effusion,{language}\n",
        encoding="utf-8",
    )
    table = read_table(tmp_path, PatientNumbers())
    (film,) = table.records
    assert (bool(film.report), bool(film.findings), table.foreign) == (
        is_read,
        is_read,
        int(not is_read),
    )
    assert film.labels == ("pleural_effusion",)


def test_every_film_is_scored_or_counted_and_what_the_report_leaves_open_is_unscored():
    golds = (("Effusion",), ("Pneumothorax",), (), None, ())
    records = [record(i, (*REPORTS, "")[i], gold=gold) for i, gold in enumerate(golds)]
    probabilities = [
        {"pleural_effusion": 0.9, "pneumonia": 0.5}, {"pleural_effusion": 0.2, "pneumonia": 0.1},
        {"pleural_effusion": 0.1, "pneumonia": 0.2}, {"pleural_effusion": 0.3, "pneumonia": 0.3},
    ]  # fmt: skip
    readings = [*(reading(i, probabilities=p) for i, p in enumerate(probabilities)), None]
    patients = [r.patient for r in records]
    by_report, by_gold = find_known(records)
    scored = score_findings(readings, by_report, patients, least=1)
    effusion = scored.figures["AUROC by report, pleural effusion"]
    assert (effusion["value"], effusion["n"], effusion["unscored"]) == (1, 4, 1)
    assert effusion["positives"] == 1
    assert "AUROC by report, pneumonia" not in scored.figures  # only suspected: no positive
    assert np.isnan(by_report.column_of("pneumonia")[3])
    assert scored.figures["mean AUROC by report"]["value"] == 1
    unknown = scored.figures["AUROC by report, pneumothorax"]
    assert (unknown["value"], unknown["unscored"]) == (None, 5)
    assert "pneumothorax" in scored.notes["unknown to the probe, by report"]
    gold = score_findings(readings, by_gold, patients, least=1).figures
    assert gold["AUROC by gold labels, pleural effusion"]["n"] == 3
    for figure in (*scored.figures.values(), *gold.values()):
        assert figure["unscored"] >= 0


def test_against_no_finding_other_abnormal_films_are_left_out():
    labels = (("No Finding",), ("Effusion",), ("Mass",), ("Effusion", "Mass"), ())
    records = [record(i, labels=names, labelled=bool(names)) for i, names in enumerate(labels)]
    against_all, against_normal = find_known(records)
    effusion = against_all.column_of("pleural_effusion")
    assert effusion[:4].tolist() == [0, 1, 0, 1]
    assert np.isnan(effusion[4])
    assert against_normal.column_of("pleural_effusion")[[0, 1, 3]].tolist() == [0, 1, 1]
    assert np.isnan(against_normal.column_of("pleural_effusion")[[2, 4]]).all()


# Reports.


def test_a_report_is_cleaned_as_r2gen_cleans_it():
    text = 'Findings.. 1. Heart size is NORMAL. 2. No "free" air/fluid (seen). 3. Low-lying tube'
    expected = "findings . heart size is normal . no free airfluid seen . low-lying tube ."
    assert " ".join(clean_report(text)) == expected
    long = "word " * 90
    assert (len(reference_words(long, frozenset())), len(candidate_words(long))) == (59, 60)
    vocabulary = vocabulary_of(["The lungs are clear."] * 3 + ["Rare words."])
    assert reference_words("The rare lungs.", vocabulary) == ["the", "<unk>", "lungs", "."]
    assert candidate_words("") == []


@given(WORDS.filter(bool))
@settings(deadline=None)
def test_a_text_scores_one_against_itself_by_every_measure(words):
    assert rouge_l(words, words) == 1
    assert meteor(np.array(count_stems(words, words))) == pytest.approx(1)


@given(WORDS.filter(bool), WORDS)
@settings(deadline=None)
def test_scores_lie_between_nothing_and_one_and_strangers_score_nothing(reference, candidate):
    counts = np.array(count_stems(reference, candidate))
    assert 0 <= rouge_l(reference, candidate) <= 1
    assert 0 <= meteor(counts) <= 1
    assert counts[21] <= min(len(reference), len(candidate))
    assert meteor(np.array(count_stems(reference, ["zebra"]))) == 0
    assert rouge_l(reference, ["zebra"]) == 0


def test_meteor_of_words_and_stems_lies_near_that_of_the_program():
    pytest.importorskip("pycocoevalcap", reason="METEOR's own program is an extra")
    vocabulary = vocabulary_of(REPORTS * 3)
    pairs = [(reference_words(a, vocabulary), candidate_words(b))
             for a, b in zip(REPORTS, REPORTS[1:] + REPORTS[:1], strict=True)]  # fmt: skip
    rows, which = count_meteor(pairs)
    ours = meteor(np.sum([count_stems(*pair) for pair in pairs], axis=0))
    assert which == PROGRAM
    assert ours == pytest.approx(meteor(np.sum(rows, axis=0)), abs=0.02)


@given(st.lists(st.tuples(TWO_WORDS, TWO_WORDS), min_size=1, max_size=5))
@settings(deadline=None, max_examples=25)
def test_bleu_is_that_of_nltk_without_smoothing(pairs):
    from nltk.translate.bleu_score import corpus_bleu

    from evals.films.r2gen import add_text_metrics
    from evals.results import FigureTable

    tally = FigureTable()
    add_text_metrics(tally, "", pairs, [str(i) for i in range(len(pairs))], 0)
    for order in (1, 2):
        rows = np.array(tally.counts[f"BLEU-{order}"].rows).sum(axis=0)
        assume(rows[2::2].all())
        expected = corpus_bleu([[r] for r, _ in pairs], [c for _, c in pairs],
                               [1 / order] * order)  # fmt: skip
        assert plain_bleu(rows) == pytest.approx(expected)


def known_reports(**more) -> KnownReports:
    from evals.films.reports import text_of_report

    texts = tuple(text_of_report(record(i, report)) for i, report in enumerate(REPORTS))
    return KnownReports(texts, more.get("nearest", {}), trained=False, material="the test")


def test_drafts_that_say_what_the_reports_say_score_one_and_permuted_ones_less():
    records = [record(i, report) for i, report in enumerate(REPORTS)]
    scores = score_reports(
        records, [reading(i, report) for i, report in enumerate(REPORTS)], known_reports(), seed=1
    )
    figures = scores.tally.figures
    for measure in ("BLEU-1", "BLEU-4", "METEOR", "ROUGE-L", "present with side, micro-F1"):
        assert figures[measure]["value"] == pytest.approx(1), measure
        assert figures[measure]["n"] == len(REPORTS)
        assert figures[f"{PERMUTED}: {measure}"]["value"] < 0.7
    assert figures[ABOVE.format(PERMUTED)]["value"] > 0.3
    assert figures[f"{NEAREST}: ROUGE-L"]["unscored"] == len(REPORTS)
    assert "published: R2Gen" in scores.notes


def test_a_study_is_scored_once_and_a_film_that_cannot_be_read_is_counted():
    records = [record(0, REPORTS[0]), replace(record(1, REPORTS[0]), study="study 0"),
               record(2, REPORTS[1]), record(3)]  # fmt: skip
    readings = [reading(0, REPORTS[0]), reading(1, REPORTS[1]), None, reading(3, REPORTS[2])]
    figures = score_reports(records, readings, known_reports(), seed=1).tally.figures
    for measure in ("ROUGE-L", "present with side, micro-F1"):
        assert (figures[measure]["n"], figures[measure]["unscored"]) == (1, 1)
        assert figures[measure]["value"] == pytest.approx(1)


# Risk.


@pytest.mark.parametrize(
    ("sentence", "false"),
    [
        ("There is a right pleural effusion.", False),
        ("There is a large right pleural effusion.", False),  # of degree nothing is asked
        ("There is a pleural effusion.", False),
        ("There is a left pleural effusion.", True),
        ("There are bilateral pleural effusions.", True),
        ("There is no pleural effusion.", True),
        ("There is a pneumothorax.", True),  # denied
        ("There is a nodule.", True),  # not mentioned
        ("There is no nodule.", False),
        ("There is pneumonia.", None),  # left open
        ("There is no pneumonia.", None),
        ("There is a lung opacity.", False),  # a consolidation is one
        ("No acute disease.", True),
        ("Two views of the chest were obtained.", None),  # claims nothing
    ],
)
def test_a_sentence_is_false_where_the_report_does_not_assert_it(sentence, false):
    report = (
        "There is a small right pleural effusion. There is consolidation of the right lower lobe. "
        "No pneumothorax. Possible pneumonia."
    )
    claims, reported = find_assertions(sentence), find_assertions(report)
    assert is_contradicted(claims, reported) is false


def test_a_risk_that_knows_the_truth_has_auroc_one_and_what_claims_nothing_is_counted():
    report = "There is a right pleural effusion. No pneumothorax."
    texts = {"There is a right pleural effusion.": 0.1, "There is a left pneumothorax.": 0.9,
             "There is no pneumothorax.": 0.2, "Comparison is made.": 0.5}  # fmt: skip
    sentences = tuple(
        DraftedSentence(text, "findings", risk, "keep" if risk < 0.5 else "withhold", True,
                        find_assertions(text))
        for text, risk in texts.items()
    )  # fmt: skip
    scores = score_sentences(
        [record(0, report), record(1)],
        [replace(reading(0), sentences=sentences), replace(reading(1), sentences=sentences)],
    )
    assert scores.figures["AUROC"]["value"] == 1
    assert (scores.figures["AUROC"]["n"], scores.figures["AUROC"]["unscored"]) == (3, 1)
    assert scores.figures["share kept"]["value"] == pytest.approx(2 / 3, abs=1e-5)
    assert scores.figures["false among the kept"]["value"] == 0
    assert "effusion" not in json.dumps(scores.cases)


@given(SCORES, st.floats(0, 1), st.floats(0, 1))
def test_more_can_be_kept_where_more_may_be_false(rows, one, other):
    table = np.array(rows, float)
    low, high = sorted((one, other))
    assert coverage_at_allowed(table, low) <= coverage_at_allowed(table, high)
    assert coverage_at_allowed(table, 1) == 1


# Places, similar cases, looking.


@given(st.integers(0, 15), st.integers(0, 15), st.integers(40, 400), st.integers(40, 400))
def test_a_map_points_at_its_patch_in_a_film_of_any_shape(row, column, height, width):
    patch_map = np.zeros((16, 16), np.float32)
    patch_map[row, column] = 1
    across, down = highest_point(patch_map, (height, width))
    longest = max(height, width)
    assert across * width + (longest - width) / 2 == pytest.approx((column + 0.5) / 16 * longest)
    assert down * height + (longest - height) / 2 == pytest.approx((row + 0.5) / 16 * longest)


def test_a_point_anywhere_hits_a_box_as_often_as_the_box_is_large():
    box = (0.2, 0.1, 0.7, 0.5)
    records = [record(i, boxes=(("Mass", box),)) for i in range(400)]
    rng = np.random.default_rng(3)
    readings = [replace(reading(0), points={"mass": tuple(rng.random(2))}) for _ in records]
    tally, _ = score_places([*records, record(400, boxes=(("Nodule", box),))], [*readings, None])
    hits, chance = (tally.figures[name] for name in
                    ("maximum of the map in the box", "the same by chance"))  # fmt: skip
    assert chance["value"] == pytest.approx(0.2, abs=0.01)
    assert hits["value"] == pytest.approx(0.2, abs=0.06)
    assert (hits["n"], hits["unscored"]) == (400, 1)
    assert is_inside((0.3, 0.3), box)
    assert not is_inside((0.3, 0.6), box)


def test_cases_that_lie_by_their_findings_are_all_relevant_and_random_ones_by_their_share():
    findings = [frozenset({"mass"}) if i % 4 == 0 else frozenset({"hernia"}) for i in range(40)]
    vectors = np.array([[1, 0] if "mass" in f else [0, 1] for f in findings], np.float32)
    allowed = ~np.eye(40, dtype=bool)
    nearest = nearest_of(vectors, vectors, allowed, 5)
    assert (nearest != np.arange(40)[:, None]).all()
    patients = [str(i) for i in range(40)]
    none = [*findings[:-1], frozenset()]
    tally, _ = score_similar(none, findings, nearest, allowed, patients)
    precision, chance = (tally.figures[name] for name in (PRECISION, RANDOM))
    assert (precision["value"], precision["n"], precision["unscored"]) == (1, 39, 1)
    expected = (10 * 9 + 29 * 29) / 39 / 39
    assert chance["value"] == pytest.approx(expected, abs=1e-4)
    few = nearest_of(vectors[:2], vectors[:3], allowed[:2, :3], 5)
    assert (few[:, 2:] == -1).all()


def test_a_writer_that_does_not_look_gets_the_same_draft_and_one_that_looks_does_not():
    records = [record(i, REPORTS[0]) for i in range(4)]
    blind = [reading(i, REPORTS[0]) for i in range(4)]
    blind_texts = [[s.text for s in blind[0].sentences or ()]]
    for texts, value in ((blind_texts, 1), ([["The lungs are clear."]], 0)):
        tally, _ = score_looking(records, blind, lambda films, t=texts: t * len(films), seed=1)
        for kind in ("blank", "noise"):
            figure = tally.figures[f"same draft for a film that is {kind} as for the right one"]
            assert (figure["value"], figure["n"]) == (value, 4)


# The whole suite.


@pytest.fixture(scope="module")
def phantom_folder(tmp_path_factory) -> Path:
    """Eight phantoms as a case folder: some of train, one file that is no film, one bad row."""
    folder = tmp_path_factory.mktemp("films")
    rows = []
    for number in range(8):
        phantom = make_phantom(11, number, split="test")
        Image.fromarray(phantom.film).save(folder / f"{number}.png")
        rows.append({
            "image": f"{number}.png", "patient": f"SECRET-{number}", "report": phantom.report,
            "labels": "Effusion|Mass" if number % 2 else "No Finding", "view": "PA",
            "split": "train" if number < 3 else "val", "sex": "MF"[number % 2],
            "age": str(20 + 9 * number),
            "boxes": '[["Pneumothorax", 0.1, 0.1, 0.5, 0.5]]', "colour of the cat": "grey",
        })  # fmt: skip
    (folder / "broken.png").write_bytes(b"no film")
    rows.append(rows[-1] | {"image": "broken.png", "patient": "SECRET-9"})
    rows.append(rows[-1] | {"image": "../outside.png", "patient": "SECRET-10"})
    write_table(folder, rows)
    write_table(folder, [rows[3] | {"view": "LL"}], "laterals.csv")
    return folder


ASKED = {"backbone": BACKBONE, "split": "val", "positives": 1, "seed": 5}


@pytest.mark.long
def test_the_suite_scores_a_folder_and_goes_on_after_a_kill(phantom_folder, tmp_path):
    whole = evals.run("films", data=phantom_folder, **ASKED, out=tmp_path / "whole")
    figures = whole["figures"]
    for part in films.PARTS:
        assert any(name.startswith(f"{part}/") for name in figures), part
    for name in ("gate/frontals passed", "reports/ROUGE-L", "findings/mean AUROC by labels"):
        assert figures[name]["n"] + figures[name]["unscored"] == 6
        assert figures[name]["unscored"] == 1
    assert figures["gate/laterals refused"]["n"] == 1
    assert "1 rows" in whole["notes"]["gate/frontals passed"]
    for path in ("results.json", "card.html"):
        text = (tmp_path / "whole" / path).read_text(encoding="utf-8")
        assert "SECRET" not in text
        assert str(phantom_folder) not in text
        for number in range(8):
            report = make_phantom(11, number, split="test").report
            assert not any(s in text for s in report.split(". ") if len(s) > 30)
    parts = {"findings", "reports"}

    def kill(done: int, total: int) -> None:
        if total == 3:  # the library, after all films are read
            raise KilledError

    killed = ASKED | {"only": sorted(parts), "out": tmp_path / "killed"}
    with pytest.raises(KilledError):
        evals.run("films", data=phantom_folder, **killed, on_progress=kill)
    assert len([*(tmp_path / "killed" / "parts").rglob("films/*.json")]) == 1
    again = evals.run("films", data=phantom_folder, **killed)
    expected = {name: f for name, f in figures.items() if name.partition("/")[0] in parts}
    assert again["figures"] == expected
    assert not (tmp_path / "killed" / "parts").exists()


def test_columns_that_nobody_knows_change_nothing_and_a_folder_without_reports_is_scored(
    phantom_folder, tmp_path
):
    with (phantom_folder / "cases.csv").open(encoding="utf-8", newline="") as file:
        rows = [row for row in csv.DictReader(file) if row["split"] == "val"][:2]
    results = []
    for name, dropped in (("all", {"report"}), ("few", {"report", "colour of the cat", "sex"})):
        kept = [{k: v for k, v in row.items() if k not in dropped} for row in rows]
        folder = write_table(tmp_path / name, kept)
        for row in rows:
            (folder / row["image"]).write_bytes((phantom_folder / row["image"]).read_bytes())
        results.append(
            evals.run("films", backbone=BACKBONE, data=folder, positives=1,
                      only=("findings", "gate", "places", "similar", "reports", "views"))
        )  # fmt: skip
    assert results[0]["figures"] == results[1]["figures"]
    figures = results[0]["figures"]
    assert figures["findings/mean AUROC by labels"]["n"] == 2
    assert figures["reports/ROUGE-L"]["value"] is None
    assert figures["places/maximum of the map in the box"]["n"] == 2
    assert figures["views/mean AUROC by report, frontal with lateral"]["unscored"] == 2


@pytest.mark.long
@pytest.mark.skipif(
    not (SHARED / "openi").is_dir(), reason="needs the real films of ../shared/data"
)
def test_real_films_of_open_i_and_nih_are_scored(tmp_path):
    openi = evals.run(
        "films", backbone=BACKBONE, data=SHARED / "openi", split="val", n=6, positives=1,
        others=(SHARED / "kermany",), out=tmp_path,
    )  # fmt: skip
    for name in ("findings/mean AUROC by report", "reports/ROUGE-L", "gate/laterals refused",
                 "gate/kermany refused or warned"):  # fmt: skip
        assert openi["figures"][name]["n"] == 6, name
    nih = evals.run("films", backbone=BACKBONE, data=SHARED / "nih", n=20, positives=1,
                    only=("findings", "places", "groups"))  # fmt: skip
    mean = nih["figures"]["findings/mean AUROC by labels against No Finding"]
    assert mean["n"] + mean["unscored"] == 20
    assert nih["figures"]["groups/passed by the gate, sex F"]["n"] > 3
