"""What a report says against an earlier film, of devices and under hedges; and the suite."""

from __future__ import annotations

import csv
import io
import json
import tarfile

import pytest
from claim_texts import ANY_TEXT, read_claims
from command import run
from hypothesis import given, settings
from hypothesis import strategies as st

from assistant.chest.phantoms import DEVICES, DISTRACTORS
from assistant.chest.phantoms import FINDINGS as PHANTOM_FINDINGS
from assistant.chest.vocabulary import finding_named, finding_of_label
from assistant.labeller.labeller import find_assertions
from evals.data import abnormal, openi
from evals.results import judge_bars
from evals.suites import coverage, labeller, negex

QUICK = settings(max_examples=100, deadline=None)
CHANGES = (None, "new", "larger", "smaller", "unchanged", "resolved")
CHEXPERT = (
    "No Finding", "Enlarged Cardiomediastinum", "Cardiomegaly", "Lung Opacity", "Lung Lesion",
    "Edema", "Consolidation", "Pneumonia", "Atelectasis", "Pneumothorax", "Pleural Effusion",
    "Pleural Other", "Fracture", "Support Devices",
)  # fmt: skip
NIH = (
    "Atelectasis", "Cardiomegaly", "Effusion", "Infiltration", "Mass", "Nodule", "Pneumonia",
    "Pneumothorax", "Consolidation", "Edema", "Emphysema", "Fibrosis", "Pleural_Thickening",
    "Hernia",
)  # fmt: skip


def changes(text: str) -> list[str]:
    """Findings with what is said of them against an earlier film: "oedema smaller"."""
    return [f"{c.finding} {c.comparison or '-'}" for c in find_assertions(text)]


@pytest.mark.parametrize("label", [*CHEXPERT, *NIH])
def test_the_labels_of_chexpert_and_nih_are_in_the_vocabulary(label: str) -> None:
    assert finding_of_label(label) is not None


@pytest.mark.parametrize("key", [*PHANTOM_FINDINGS, *DEVICES, *DISTRACTORS])
def test_all_that_phantoms_show_is_in_the_vocabulary(key: str) -> None:
    assert finding_named(key).phrases


@pytest.mark.parametrize(
    ("sentence", "expected"),
    [
        # Before the finding.
        ("New left effusion.", ["pleural_effusion new"]),
        ("Interval development of edema.", ["oedema new"]),
        ("Interval increase in the left effusion.", ["pleural_effusion larger"]),
        ("Decreased right effusion.", ["pleural_effusion smaller"]),
        ("Stable effusion and edema.", ["pleural_effusion unchanged", "oedema unchanged"]),
        ("No change in the left effusion.", ["pleural_effusion unchanged"]),
        ("Interval resolution of the effusion.", ["pleural_effusion resolved"]),
        ("Partial resolution of edema.", ["oedema smaller"]),
        # After it.
        ("The nodule has enlarged since the prior.", ["nodule larger"]),
        ("The mass is stable in size.", ["mass unchanged"]),
        ("Effusion and edema are unchanged.", ["pleural_effusion unchanged", "oedema unchanged"]),
        ("Left effusion, not seen on prior.", ["pleural_effusion new"]),
        ("The heart remains enlarged.", ["cardiomegaly unchanged"]),
        ("The edema has cleared.", ["oedema resolved"]),
        ("The previously seen nodule is not visible.", ["nodule resolved"]),
        ("The previously seen nodule is larger.", ["nodule larger"]),
        ("The heart size is normal and unchanged.", ["cardiomegaly unchanged"]),
        # Whose change it is.
        (
            "Unchanged right effusion and new left consolidation.",
            ["pleural_effusion unchanged", "consolidation new"],
        ),
        ("Cardiomegaly and a stable nodule.", ["cardiomegaly -", "nodule unchanged"]),
        ("No effusion, stable cardiomegaly.", ["pleural_effusion -", "cardiomegaly unchanged"]),
        ("Persistent but smaller effusion.", ["pleural_effusion smaller"]),
        # Where nothing is compared with an earlier film.
        ("Left effusion.", ["pleural_effusion -"]),
        ("No new effusion.", ["pleural_effusion -"]),
        ("No worsening effusion.", ["pleural_effusion -"]),
        ("Increased interstitial markings.", ["interstitial_pattern -"]),
        ("Decreased lung volumes.", ["low_lung_volumes -"]),
        ("Effusions, right larger than left.", ["pleural_effusion -"]),
        ("If symptoms persist, consider pneumonia.", ["pneumonia -"]),
    ],
)
def test_a_comparison_is_read_with_the_finding_it_speaks_of(
    sentence: str, expected: list[str]
) -> None:
    assert changes(sentence) == expected


@pytest.mark.parametrize(
    ("sentence", "expected"),
    [
        # Hedges.
        ("Doubtful effusion.", ["?pleural_effusion"]),
        ("Opacity favoring atelectasis.", ["lung_opacity", "?atelectasis"]),
        ("Atelectasis is favored.", ["?atelectasis"]),
        ("Consider pneumonia.", ["?pneumonia"]),
        ("Pulmonary edema difficult to exclude.", ["?oedema"]),
        ("Difficult to exclude edema.", ["?oedema"]),
        ("This does not exclude edema.", ["?oedema"]),
        (
            "Differential diagnosis includes atelectasis, mild edema, scarring.",
            ["?atelectasis", "?oedema small", "?scarring"],
        ),
        # Conditions.
        ("Rule out pneumonia.", []),
        (
            "Opacity compatible with pneumonia in the appropriate clinical setting.",
            ["lung_opacity", "?pneumonia"],
        ),
        ("In the appropriate clinical setting, this is compatible with edema.", ["?oedema"]),
        # What is blacked out.
        ("Infiltrate is XXXX less XXXX but not entirely excluded.", ["?infiltration"]),
        ("XXXX opacity in the right XXXX.", ["lung_opacity right"]),
        ("No XXXX of pneumothorax.", ["-pneumothorax"]),
        # Devices.
        ("The ET tube has been removed.", ["-endotracheal_tube"]),
        ("Interval removal of the right chest tube.", ["-chest_drain right"]),
        (
            "Right PICC tip in the SVC without pneumothorax.",
            ["central_line right", "-pneumothorax"],
        ),
        ("Left pacemaker with leads in the right atrium.", ["pacemaker left"]),
        ("Tracheostomy tube and left chest tube.", ["endotracheal_tube", "chest_drain left"]),
        # Sizes and degrees of now, not of then or of the change.
        ("Nodule of 8 mm, previously 12 mm.", ["nodule 8.0"]),
        ("Nodule decreased from 12 mm to 8 mm.", ["nodule 8.0"]),
        ("Nodule decreased from 12 to 8 mm.", ["nodule 8.0"]),
        ("Slightly improved edema.", ["oedema"]),
        ("Mildly increased interstitial markings.", ["interstitial_pattern small"]),
    ],
)
def test_hedges_gaps_devices_and_sizes_are_read(sentence: str, expected: list[str]) -> None:
    assert read_claims(sentence) == expected


@QUICK
@given(ANY_TEXT)
def test_a_comparison_fits_the_polarity(text: str) -> None:
    for claim in find_assertions(text):
        assert claim.comparison in CHANGES
        assert (claim.comparison != "resolved") or claim.polarity == "absent"


@QUICK
@given(ANY_TEXT, ANY_TEXT)
def test_texts_parted_by_an_empty_line_are_read_apart(first: str, second: str) -> None:
    def plain(text: str, start: int = 0) -> list[tuple[object, ...]]:
        return [
            (c.finding, c.polarity, c.side, c.zone, c.degree, c.measurement_mm, c.comparison,
             c.span[0] + start, c.span[1] + start)
            for c in find_assertions(text)
        ]  # fmt: skip

    both = plain(f"{first}\n\n{second}")
    assert both == plain(first) + plain(second, len(first) + 2)


REPORTS = {
    "CXR1": ("The heart is enlarged.", "Left effusion."),
    "CXR2": ("No effusion.", "Possible edema."),
    "CXR3": ("", ""),
    "CXR4": ("Edema is absent.", ""),
}
GOLD = {
    "CXR1": {"Cardiomegaly", "Effusion"},
    "CXR2": {"Edema"},
    "CXR3": set(),
    "CXR4": set(),
    "CXR5": {"Edema"},  # not in the archive
}
COLUMNS = ("Cardiomegaly", "Effusion", "Edema", "Hernia")


@pytest.fixture
def folder(tmp_path):
    """A folder in the form of the Open-i reports: one without text, one that is not there."""
    with tarfile.open(tmp_path / openi.ARCHIVE, "w:gz") as archive:
        for name, (findings, impression) in REPORTS.items():
            text = (
                f'<eCitation><uId id="{name}"/><AbstractText Label="FINDINGS">{findings}'
                f'</AbstractText><AbstractText Label="IMPRESSION">{impression}</AbstractText>'
                "</eCitation>"
            ).encode()
            member = tarfile.TarInfo(f"ecgen-radiology/{name}.xml")
            member.size = len(text)
            archive.addfile(member, io.BytesIO(text))
        broken = tarfile.TarInfo("ecgen-radiology/broken.xml")
        broken.size = 3
        archive.addfile(broken, io.BytesIO(b"<a>"))
    with (tmp_path / openi.TABLE).open("w", newline="", encoding="utf-8") as file:
        table = csv.writer(file)
        table.writerow(["filename", *COLUMNS, "normal"])
        table.writerows([n, *[int(c in g) for c in COLUMNS], 0] for n, g in GOLD.items())
    return tmp_path


def test_reports_are_counted_right_missed_and_unscored(folder) -> None:
    found = labeller.measure(data=folder, n=None, on_progress=lambda done, total: None)
    micro = found.figures["labeller/micro-F1"]
    assert (micro["n"], micro["unscored"]) == (3, 2)
    assert micro["value"] == pytest.approx(0.8)  # the hedged oedema counts as not said
    assert found.figures["labeller/micro-precision"]["value"] == 1
    assert found.figures["labeller/F1 Edema"]["value"] == 0
    assert found.figures["labeller/F1 Hernia"]["value"] is None
    assert (
        found.figures["labeller/findings only hedged that the gold labels count as present"][
            "value"
        ]
        == 1
    )
    (case,) = found.cases
    assert (case["report"], case["extra"], case["missed"]) == ("CXR2", [], ["oedema"])
    halves = [
        found.figures[f"labeller/micro-F1, {half} half"] for half in ("held-out", "development")
    ]
    assert sum(half["n"] for half in halves) == 3


def test_speed_is_held_to_its_bar(folder) -> None:
    found = labeller.measure(data=folder, n=None, on_progress=lambda done, total: None)
    _, bars = judge_bars(found.figures, labeller.BARS)
    assert bars["labeller/reports a second on one core"]["limit"] == 2000
    assert bars["labeller/micro-F1"] == {"sense": "at least", "limit": 0.90, "met": False}


def test_without_its_package_the_baseline_is_unscored_with_the_reason(folder, monkeypatch) -> None:
    monkeypatch.setattr(negex, "is_available", lambda: False)
    found = labeller.measure(data=folder, n=None, on_progress=lambda done, total: None)
    assert found.figures["keywords and negspacy/micro-F1"]["value"] is None
    assert "install negspacy" in found.notes["keywords and negspacy/micro-F1"]


@pytest.mark.skipif(not negex.is_available(), reason="negspacy is not installed")
def test_the_baseline_reads_negation_before_a_keyword_but_not_after() -> None:
    assert negex.findings_in(["No effusion. Edema.", "Edema is absent."]) == [
        frozenset({"oedema"}),
        frozenset({"oedema"}),
    ]


def test_the_command_prints_the_figures(capfd, folder) -> None:
    outcome = run(capfd, "eval", "labeller", "--data", folder, "--json")
    results = json.loads(outcome.out)
    assert results["suite"] == "labeller"
    assert results["provenance"]["backbone"] is None
    assert results["bars"]["labeller/micro-F1"]["met"] is False


def test_a_folder_without_the_reports_ends_with_two(capfd, tmp_path) -> None:
    assert run(capfd, "eval", "labeller", "--data", tmp_path).code == 2
    assert run(capfd, "eval", "labeller").code == 2


@QUICK
@given(st.text(max_size=12))
def test_the_half_of_a_report_is_told_by_its_name_alone(name: str) -> None:
    first, second = (openi.LabelledReport(name, text, frozenset()) for text in ("", "a"))
    assert first.held_out == second.held_out


CODED = [  # report, split, codes, findings, impression
    ("CXR1", "train", "Cardiomegaly;Pleural Effusion/left", "The heart is enlarged.",
     "Left effusion. The zygote is glowing."),
    ("CXR2", "val", "normal", "No effusion. The heart is normal.", "The stomach is glowing."),
    ("CXR3", "train", "No Indexing", "Left effusion.", ""),
    ("CXR4", "train", "Opacity/lung", "No edema. The stomach is glowing. CT is recommended.",
     "Heart size is stable. The XXXX are XXXX. Right base opacity."),
]  # fmt: skip


@pytest.fixture
def coded(folder):
    """The folder with the codes and splits of its reports, one of them of two films."""
    columns = ["image", "patient", "report_id", "split", "mesh", "findings", "impression"]
    with (folder / openi.CASES).open("w", newline="", encoding="utf-8") as file:
        table = csv.writer(file)
        table.writerow(columns)
        for name, split, codes, findings, impression in [*CODED, CODED[0]]:
            table.writerow([f"{name}.png", name[3:], name, split, codes, findings, impression])
    return folder


def test_abnormal_sentences_are_told_by_codes_and_plain_words(coded) -> None:
    reports = openi.read_coded(coded)
    sentences = [text for _, text in abnormal.abnormal_sentences(reports, "train")]
    # Not: what a normal report says too, a denial, advice, "stable", what is blacked out.
    assert sentences == [
        "The heart is enlarged.",
        "Left effusion.",
        "The zygote is glowing.",
        "Right base opacity.",
    ]


def test_coverage_counts_the_sentences_with_a_claim_and_the_coded_findings(coded) -> None:
    found = coverage.measure(data=coded, n=None, on_progress=lambda done, total: None)
    figure = found.figures["coverage/abnormal sentences with a claim, train"]
    assert (figure["value"], figure["n"]) == (0.75, 4)
    assert found.figures["coverage/coded findings that are read, train"]["value"] == 1
    assert found.figures["coverage/abnormal sentences with a claim, val"]["n"] == 0
    assert not found.cases  # the sentences of a report are kept nowhere
    sentences = coverage.list_uncovered(coded, 2)
    assert sentences[0] == ("the zygote is glowing", 1)


def test_the_figures_are_given_for_each_split(coded) -> None:
    found = labeller.measure(data=coded, n=None, on_progress=lambda done, total: None)
    assert found.figures["labeller/micro-F1, split train"]["n"] == 2
    assert found.figures["labeller/micro-F1, split val"]["n"] == 1


def test_without_codes_coverage_is_unscored_with_the_reason(folder) -> None:
    found = coverage.measure(data=folder, n=None, on_progress=lambda done, total: None)
    ((name, figure),) = found.figures.items()
    assert figure["value"] is None
    assert openi.CASES in found.notes[name]


def test_the_command_prints_the_commonest_uncovered_sentences(capfd, coded) -> None:
    options = ("eval", "labeller", "--only", "coverage", "--data", coded, "--uncovered", "3")
    assert "the zygote is glowing" in run(capfd, *options).out
    (coded / openi.CASES).write_text("report_id\n1\n")
    assert run(capfd, *options).code == 2
