"""What a sentence says is what is read from it."""

from __future__ import annotations

import csv
import subprocess
import sys
import tarfile
import time
import xml.etree.ElementTree as ElementTree
from itertools import product
from pathlib import Path

import pytest
from claim_texts import ANY_TEXT, read_claims
from hypothesis import given, settings

from assistant.chest.phantoms import FINDINGS as PHANTOM_FINDINGS
from assistant.chest.phantoms import make_phantom, wording
from assistant.chest.phantoms.pathology import SIZES
from assistant.chest.vocabulary import FINDINGS, NORMALS, finding_named, finding_of_label
from assistant.labeller.labeller import find_assertions
from assistant.types import Assertion

QUICK = settings(max_examples=200, deadline=None)
OPENI = Path(__file__).parents[4] / "shared" / "data" / "openi"
SCALE = {"small": "small", "mild": "small", "moderate": "moderate", "large": "large",
         "severe": "large"}  # fmt: skip


@pytest.mark.parametrize(
    ("sentence", "expected"),
    [
        # Negation and its scope.
        ("No effusion or pneumothorax.", ["-pleural_effusion", "-pneumothorax"]),
        ("Without focal consolidation or nodule.", ["-consolidation", "-nodule"]),
        ("Neither effusion nor pneumothorax is seen.", ["-pleural_effusion", "-pneumothorax"]),
        ("No XXXX effusion, XXXX or pneumothorax.", ["-pleural_effusion", "-pneumothorax"]),
        ("No nodule, large effusion or mass.", ["-nodule", "-pleural_effusion large", "-mass"]),
        ("No effusion, but a right nodule.", ["-pleural_effusion", "nodule right"]),
        ("No effusion; edema.", ["-pleural_effusion", "oedema"]),
        ("No effusion, however there is edema.", ["-pleural_effusion", "oedema"]),
        ("No pneumothorax, small left effusion.", ["-pneumothorax", "pleural_effusion left small"]),
        ("No effusion is seen, and the heart is enlarged.", ["-pleural_effusion", "cardiomegaly"]),
        ("Cardiomegaly without edema.", ["cardiomegaly", "-oedema"]),
        ("Cardiomegaly is absent.", ["-cardiomegaly"]),
        ("Effusion and pneumothorax are not seen.", ["-pleural_effusion", "-pneumothorax"]),
        ("The left effusion has resolved.", ["-pleural_effusion left"]),
        ("Pneumothorax: None.", ["-pneumothorax"]),
        ("The heart is not enlarged.", ["-cardiomegaly"]),
        ("The heart isn\u2019t enlarged.", ["-cardiomegaly"]),
        ("No evidence of pneumonia.", ["-pneumonia"]),
        ("There is no change in the left effusion.", ["pleural_effusion left"]),
        ("No definite pneumothorax.", ["-pneumothorax"]),
        # Hedges.
        ("Possible pneumonia.", ["?pneumonia"]),
        ("Opacity, likely atelectasis.", ["lung_opacity", "?atelectasis"]),
        ("Opacity may represent atelectasis.", ["lung_opacity", "?atelectasis"]),
        ("Pneumonia cannot be excluded.", ["?pneumonia"]),
        ("Cannot exclude pneumonia.", ["?pneumonia"]),
        ("Haze consistent with edema.", ["lung_opacity", "oedema"]),
        (
            "Possible atelectasis, small left effusion.",
            ["?atelectasis", "pleural_effusion left small"],
        ),
        # History and conditions.
        ("History of pneumonia.", []),
        ("Evaluate for pneumothorax.", []),
        ("If there is concern for pneumonia, CT may be helpful.", []),
        ("The previously seen nodule is not visible.", ["-nodule"]),
        ("The previously seen nodule is unchanged.", ["nodule"]),
        # Whose place, degree and size it is.
        (
            "Small right effusion and left upper zone nodule.",
            ["pleural_effusion right small", "nodule left upper"],
        ),
        ("Consolidation in the right middle lobe.", ["consolidation right mid"]),
        ("RLL consolidation.", ["consolidation right lower"]),
        ("Bibasilar atelectasis.", ["atelectasis bilateral lower"]),
        ("Right and left effusions.", ["pleural_effusion bilateral"]),
        ("Effusions, right greater than left.", ["pleural_effusion bilateral"]),
        ("Effusions on both sides.", ["pleural_effusion bilateral"]),
        ("Both lungs show nodules.", ["nodule bilateral"]),
        (
            "Right upper and left lower zone consolidation.",
            ["consolidation right upper", "consolidation left lower"],
        ),
        (
            "Left mid and lower zone consolidation.",
            ["consolidation left mid", "consolidation left lower"],
        ),
        ("Mild cardiomegaly.", ["cardiomegaly small"]),
        ("The heart is severely enlarged.", ["cardiomegaly large"]),
        ("The heart is slightly large.", ["cardiomegaly small"]),
        ("Borderline heart size.", ["cardiomegaly"]),
        ("The heart is borderline enlarged.", ["cardiomegaly small"]),
        ("Small to moderate left effusion.", ["pleural_effusion left moderate"]),
        ("A 12 mm nodule in the left base.", ["nodule left lower 12.0"]),
        ("A nodule measuring 1.2 x 0.8 cm.", ["nodule 12.0"]),
        ("Endotracheal tube 3 cm above the carina.", ["endotracheal_tube"]),
        (
            "Enlarged left ventricle with right effusion.",
            ["chamber_enlargement", "pleural_effusion right"],
        ),
        # Statements of normality.
        ("The heart size is normal.", ["-cardiomegaly"]),
        ("The lungs are clear.", ["-consolidation", "-lung_opacity"]),
        ("The right lung is clear.", ["-consolidation right", "-lung_opacity right"]),
        ("The lungs are not clear.", []),
        ("No acute cardiopulmonary abnormality.", ["no_finding"]),
        ("No acute bony abnormality.", ["-fracture"]),
        ("", []),
        ("The trachea is midline.", []),
    ],
)
def test_a_sentence_is_read(sentence: str, expected: list[str]) -> None:
    assert read_claims(sentence) == expected


@pytest.mark.parametrize("first", ["No pneumothorax", "Possible pneumonia", "History of edema"])
@pytest.mark.parametrize("end", [".", "!", ";", "\n\n", "\n- "])
def test_nothing_reaches_over_the_end_of_a_sentence(first: str, end: str) -> None:
    assert read_claims(f"{first}{end} A nodule is seen.")[-1:] == ["nodule"]


def test_a_wrapped_line_does_not_end_a_sentence() -> None:
    assert read_claims("No effusion\nor pneumothorax.") == ["-pleural_effusion", "-pneumothorax"]


@pytest.mark.parametrize("finding", wording.PRESENT)
def test_every_phrase_of_the_phantoms_is_read_back(finding: str) -> None:
    degrees = {"cardiomegaly": ("mild", "moderate", "severe")}.get(finding, ("small", "large"))
    phrases = [(p, side) for p in wording.PRESENT[finding] for side in ("right", "left")]
    if finding == "pleural_effusion":
        phrases += [(p, "bilateral") for p in wording.BOTH[finding]]
    for (phrase, side), zone, degree in product(phrases, ("upper", "mid", "lower"), degrees):
        sentence = phrase.format(
            side=side, Side=side.capitalize(), zone=zone,
            degree=degree, Degree=degree.capitalize(), degree_ly=wording.ADVERB.get(degree, ""),
        )  # fmt: skip
        claims = [c for c in find_assertions(sentence) if c.finding == finding]
        assert {c.polarity for c in claims} == {"present"}, sentence
        claim = claims[0]
        # What is bilateral by its nature has no side to be told by.
        assert claim.side == (side if "ide}" in phrase or side == "bilateral" else claim.side)
        assert claim.zone == (zone if "{zone}" in phrase else claim.zone), sentence
        if finding in SIZES:
            assert claim.degree == SCALE[degree], sentence


DENIALS = [
    *((phrases, set(denied)) for denied, phrases in wording.ABSENT),
    (wording.HEART_NORMAL, {"cardiomegaly"}),
    (wording.CLEAR_LUNGS, {"consolidation"}),
    (wording.BONES, {"fracture"}),
]


@pytest.mark.parametrize(("phrases", "absent"), DENIALS)
def test_every_denial_of_the_phantoms_is_read_back(
    phrases: tuple[str, ...], absent: set[str]
) -> None:
    for phrase in phrases:
        claims = find_assertions(phrase)
        assert {c.polarity for c in claims} == {"absent"}, phrase
        assert absent <= {c.finding for c in claims}, phrase


@pytest.mark.parametrize("phrase", wording.NORMAL_IMPRESSION)
def test_a_normal_impression_is_no_finding(phrase: str) -> None:
    assert read_claims(phrase) == ["no_finding"]


Place = tuple[str, str | None, str | None]


def _present(text: str) -> set[Place]:
    claims = [
        c
        for c in find_assertions(text)
        if c.polarity == "present" and c.finding in PHANTOM_FINDINGS
    ]
    return {
        (c.finding, side if finding_named(c.finding).sided else None, _zone(c.finding, c.zone))
        for c in claims
        for side in (("right", "left") if c.side == "bilateral" else (c.side,))
    }


def _zone(finding: str, zone: str | None) -> str | None:
    """A basal interstitial pattern is read as of the lower zone, which its truth does not name."""
    return None if finding == "interstitial_pattern" else zone


def _says_less(vague: Place, exact: Place) -> bool:
    return vague != exact and all(v in (None, e) for v, e in zip(vague, exact, strict=True))


def test_the_reports_of_phantoms_say_exactly_what_the_phantoms_have() -> None:
    for index in range(60):
        phantom = make_phantom(3, index, split="test")
        truth = {(x.finding, x.side, x.zone) for x in phantom.lesions if not x.faint}
        assert _present(phantom.findings) == truth, phantom.findings
        # The impression names the same lesions with less detail.
        said = _present(phantom.report)
        exact = {p for p in said if not any(_says_less(p, other) for other in said)}
        assert exact == truth, phantom.report


@QUICK
@given(ANY_TEXT)
def test_any_text_gives_claims_within_it(text: str) -> None:
    keys = {finding.key for finding in FINDINGS}
    for claim in find_assertions(text):
        assert claim.finding in keys
        assert 0 <= claim.span[0] < claim.span[1] <= len(text)
        assert claim.side in (None, "right", "left", "bilateral")
        assert claim.zone in (None, "upper", "mid", "lower")
        assert claim.degree in (None, "small", "moderate", "large")
        assert claim.measurement_mm is None or claim.measurement_mm >= 0


@QUICK
@given(ANY_TEXT)
def test_what_goes_before_an_empty_line_does_not_change_what_follows(text: str) -> None:
    after = "A small left effusion is seen."
    start = len(text) + 2
    last = find_assertions(f"{text}\n\n{after}")[-1]
    assert last == Assertion(
        "pleural_effusion", "present", "left", None, "small", None, (start + 13, start + 21)
    )


@pytest.mark.parametrize("finding", FINDINGS, ids=lambda finding: finding.key)
def test_a_span_names_its_finding(finding) -> None:
    for phrase in finding.phrases:
        name = " ".join(w.split("|")[0] for w in phrase.split() if w != "~" and not w.endswith("?"))
        if not name.strip():
            continue
        text = f"There is xxxx {name}"
        spans = [text[slice(*c.span)] for c in find_assertions(text)]
        assert spans
        assert all(span in name for span in spans), phrase


def test_keys_are_unique_and_normals_deny_known_findings() -> None:
    keys = [finding.key for finding in FINDINGS]
    assert len(keys) == len(set(keys))
    assert {key for normal in NORMALS for key in normal.denies} <= set(keys)


@pytest.mark.parametrize(
    ("label", "key"),
    [
        ("Effusion", "pleural_effusion"), ("Edema", "oedema"), ("Infiltration", "infiltration"),
        ("Pleural_Thickening", "pleural_thickening"), ("No Finding", "no_finding"),
        ("Cardiomegaly", "cardiomegaly"), ("Support Devices", "support_device"),
        ("Enlarged Cardiomediastinum", "enlarged_cardiomediastinum"), ("Mass", "mass"),
        ("Pleural Other", "pleural_plaque"), (" pleural  effusion ", "pleural_effusion"),
        ("oedema", "oedema"), ("Hernia", "hernia"), ("unknown", None), ("", None),
    ],
)  # fmt: skip
def test_labels_of_others_map_to_keys(label: str, key: str | None) -> None:
    assert finding_of_label(label) == key


def test_reading_needs_only_the_standard_library_beyond_the_types() -> None:
    code = (
        "import sys, assistant.labeller.sentences; "
        "print([m for m in ('torch', 'scipy', 'transformers', 'faiss') if m in sys.modules])"
    )
    done = subprocess.run(
        [sys.executable, "-c", code], capture_output=True, text=True, check=True, timeout=60
    )
    assert done.stdout.strip() == "[]"


@pytest.mark.timeout(60)
def test_a_long_text_takes_time_in_proportion() -> None:
    def seconds(text: str) -> float:
        """The processor's time, the best of three: other programs must not count."""
        taken = []
        for _ in range(3):
            start = time.process_time()
            find_assertions(text)
            taken.append(time.process_time() - start)
        return min(taken)

    piece = "effusion, right nodule and no 1 x 2 mm mass "
    seconds(piece)
    assert seconds(piece * 2000) < 30 * max(seconds(piece * 200), 0.01)


@pytest.mark.skipif(not OPENI.exists(), reason="the Open-i reports are not on this machine")
def test_open_i_labels_agree_with_the_annotators() -> None:
    with (OPENI / "gold_labels.csv").open() as file:
        gold = {row.pop("filename"): row for row in csv.DictReader(file)}
    labels = {
        name: finding_of_label(name) for name in next(iter(gold.values())) if name != "normal"
    }
    hit = wrong = missed = 0
    with tarfile.open(OPENI / "NLMCXR_reports.tgz") as archive:
        for member in archive:
            file = archive.extractfile(member)
            if file is None or not member.name.endswith(".xml"):
                continue
            root = ElementTree.parse(file).getroot()  # noqa: S314 (a file of our own archive)
            row = gold.get(str(root.find("uId").get("id")))  # pyright: ignore
            if row is None:
                continue
            parts = {a.get("Label"): a.text or "" for a in root.iter("AbstractText")}
            text = parts.get("FINDINGS", "") + "\n" + parts.get("IMPRESSION", "")
            found = {c.finding for c in find_assertions(text) if c.polarity == "present"}
            for name, key in labels.items():
                hit += key in found and row[name] == "1"
                wrong += key in found and row[name] == "0"
                missed += key not in found and row[name] == "1"
    assert 2 * hit / (2 * hit + wrong + missed) >= 0.90
