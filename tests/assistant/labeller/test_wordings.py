"""The wordings of real reports, kind by kind: what they say is what is read, with its change."""

from __future__ import annotations

import csv
from collections import defaultdict
from pathlib import Path

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from assistant.chest.places import BOTH
from assistant.labeller.labeller import find_assertions
from assistant.types import Assertion

QUICK = settings(max_examples=150, deadline=None)
KINDS = {
    "c01": "non- belongs to the adjective", "c02": "resolution denied, partial, hoped for",
    "c03": "nouns joined over commas and by", "c04": "infection", "c05": "not excluded",
    "c06": "w/o, neg for, nil, (-), =", "c07": "R, L, Rt, Lt, b/l", "c08": "questions",
    "c09": "lung volumes are low", "c10": "collapse of a lobe", "c11": "devices removed",
    "c12": "surgical emphysema", "c13": "no space after a full stop", "c14": "sections and priors",
    "c15": "no larger, not new", "c16": "lesions of other organs", "c17": "tables and HTML",
    "c18": "blackouts", "c19": "spelling of scans", "c20": "what was right before",
}  # fmt: skip


def read_with_changes(text: str) -> list[str]:
    """Claims as short strings: "-pneumothorax [resolved]", "?pneumonia left lower"."""
    sign = {"present": "", "absent": "-", "uncertain": "?"}
    return [
        " ".join(
            [sign[c.polarity] + c.finding]
            + [str(x) for x in (c.side, c.zone, c.degree, c.measurement_mm) if x is not None]
            + ([f"[{c.comparison}]"] if c.comparison else [])
        )
        for c in find_assertions(text)
    ]


def _rows() -> dict[str, list[tuple[str, list[str]]]]:
    rows = defaultdict(list)
    with Path(__file__).with_name("wordings.tsv").open(encoding="utf-8", newline="") as file:
        for row in csv.DictReader(file, delimiter="\t", quoting=csv.QUOTE_NONE):
            text = row["text"].replace("\\n", "\n").replace("\\t", "\t").replace("\\r", "\r")
            rows[row["kind"]].append((text, [c for c in row["claims"].split("; ") if c]))
    return rows


ROWS = _rows()


@pytest.mark.parametrize("kind", KINDS, ids=lambda kind: f"{kind} {KINDS[kind]}")
def test_every_wording_of_a_kind_is_read(kind: str) -> None:
    assert len(ROWS[kind]) >= 10
    wrong = {
        text: found for text, claims in ROWS[kind] if (found := read_with_changes(text)) != claims
    }
    assert not wrong


# A name, and the key that it is read as. The regular parts of the kinds: every cue with every name.
NAMES = {
    "atelectasis": "atelectasis", "consolidation": "consolidation", "infiltrate": "infiltration",
    "pneumonia": "pneumonia", "opacity": "lung_opacity", "pulmonary edema": "oedema",
    "pleural effusion": "pleural_effusion", "pneumothorax": "pneumothorax", "nodule": "nodule",
    "lung mass": "mass", "cardiomegaly": "cardiomegaly", "rib fracture": "fracture",
    "emphysema": "emphysema", "fibrosis": "fibrosis", "granuloma": "granuloma",
    "hiatal hernia": "hernia", "pleural thickening": "pleural_thickening", "scarring": "scarring",
    "lung lesion": "lung_lesion", "free air": "free_air", "pneumomediastinum": "pneumomediastinum",
    "subcutaneous emphysema": "subcutaneous_emphysema", "scoliosis": "scoliosis",
    "vascular congestion": "vascular_congestion", "hilar enlargement": "hilar_enlargement",
    "interstitial opacities": "interstitial_pattern", "lymphadenopathy": "lymphadenopathy",
    "aortic aneurysm": "aortic_aneurysm", "tuberculosis": "tuberculosis",
    "bone lesion": "bone_lesion", "volume loss": "volume_loss", "dislocation": "dislocation",
    "pericardial effusion": "pericardial_effusion", "low lung volumes": "low_lung_volumes",
    "pulmonary embolism": "pulmonary_embolism", "left ventricular enlargement":
    "chamber_enlargement", "coronary calcification": "coronary_calcification",
    "mediastinal shift": "mediastinal_shift", "bronchiectasis": "bronchial_thickening",
}  # fmt: skip
DENIED = (
    "No {}.", "Without {}.", "w/o {}.", "Neg for {}.", "Negative for {}.", "No evidence of {}.",
    "Nil {}.", "{}: none.", "{}: no.", "{} = no.", "{} (-).", "{}: nil", "{} not seen.",
    "{} is absent.", "Free of {}.", "{} ruled out.", "{} has been excluded.", "{} - none",
    "(-) {}", "{}? No.", "No {}, effusions or nodule.",
)  # fmt: skip
LEFT_OPEN = (
    "?{}", "? {}", "{}?", "Possible {}.", "{} not excluded.", "{} cannot be excluded.",
    "{} cannot be ruled out.", "{} has not been ruled out.", "{} is not ruled out.",
    "Unable to exclude {}.", "Cannot rule out {}.", "{} is less likely.", "{} is not favored.",
    "{} hasn't been excluded.", "Not able to rule out {}.", "{} is unlikely", "{} is likely.",
    "It is impossible to exclude {}.", "{}: possible",
)  # fmt: skip
STILL_THERE = (
    "{} has not resolved.", "{} is not resolved.", "No resolution of {}.", "{} hasn't cleared.",
    "No interval clearing of {}.", "{} has nearly resolved.", "Incomplete resolution of {}.",
    "{} has partially cleared.", "Near complete resolution of {}.", "{} has failed to resolve.",
    "CT to document resolution of {}.", "Non-acute {}.", "Non-specific {}.", "{} is no larger.",
    "{} is not new.", "{} is no worse.", "{}: yes", "{} (+)", "{} is not yet resolved.",
)  # fmt: skip
GONE = (
    "{} has resolved.", "{} cleared.", "Resolution of {}.", "{} has now resolved.", "{} resolved.",
    "Interval clearing of {}.", "Resolution of previously seen {}.", "{} has disappeared.",
)  # fmt: skip
NOT_OF_THE_FILM = (
    "HISTORY: {}.", "Indication: {}.", "REASON FOR EXAM: {}", "Reason for study: {}.",
    "COMPARISON: Prior film showed {}.", "The prior study showed {}.", "Clinical history: {}",
    "CLINICAL INFORMATION: Cough. {}?\n\nFINDINGS: Scoliosis", "**Indication:** {}.",
    "Previous radiograph demonstrated {}.", "On the prior film there was {}.",
    "{} was seen on the prior study.", "RECOMMENDATION: CT to exclude {}.",
)  # fmt: skip


def _claims_of(wording: str, name: str) -> list[Assertion]:
    text = wording.format(name[0].upper() + name[1:] if wording.startswith("{") else name)
    return [c for c in find_assertions(text) if c.finding == NAMES[name]]


@QUICK
@given(st.sampled_from(DENIED), st.sampled_from(sorted(NAMES)))
def test_every_way_of_denying_denies_every_finding(wording: str, name: str) -> None:
    assert {c.polarity for c in _claims_of(wording, name)} == {"absent"}


@QUICK
@given(st.sampled_from(LEFT_OPEN), st.sampled_from(sorted(NAMES)))
def test_every_way_of_leaving_open_leaves_every_finding_open(wording: str, name: str) -> None:
    assert {c.polarity for c in _claims_of(wording, name)} == {"uncertain"}


@QUICK
@given(st.sampled_from(STILL_THERE), st.sampled_from(sorted(NAMES)))
def test_a_resolution_denied_partial_or_hoped_for_leaves_the_finding(
    wording: str, name: str
) -> None:
    claims = _claims_of(wording, name)
    assert {c.polarity for c in claims} == {"present"}
    assert not {"resolved", "new", "larger"} & {c.comparison for c in claims}


@QUICK
@given(st.sampled_from(GONE), st.sampled_from(sorted(NAMES)))
def test_what_is_gone_is_absent_and_resolved(wording: str, name: str) -> None:
    claims = _claims_of(wording, name)
    assert {(c.polarity, c.comparison) for c in claims} == {("absent", "resolved")}


@QUICK
@given(st.sampled_from(NOT_OF_THE_FILM), st.sampled_from(sorted(set(NAMES) - {"scoliosis"})))
def test_history_requests_priors_and_advice_claim_nothing(wording: str, name: str) -> None:
    assert not _claims_of(wording, name)


DEVICES = {
    "ET tube": "endotracheal_tube", "ETT": "endotracheal_tube", "NG tube": "gastric_tube",
    "tracheostomy tube": "endotracheal_tube", "Dobbhoff tube": "gastric_tube",
    "PICC": "central_line", "right IJ line": "central_line", "Swan-Ganz catheter": "central_line",
    "port-a-cath": "central_line", "chest tube": "chest_drain", "pigtail catheter": "chest_drain",
    "pacemaker": "pacemaker", "sternal wires": "sternotomy_wires", "coronary stent": "stent",
    "surgical clips": "surgical_clips",
}  # fmt: skip
REMOVED = (
    "{} removed.", "{} has been removed.", "{} was removed.", "Interval removal of {}.",
    "Removal of the {}.", "{} withdrawn.", "{} taken out.", "{} removal.",
)  # fmt: skip
TO_BE_REMOVED = (
    "{} to be removed.", "Removal of the {} is planned.", "Consider removal of {}.",
    "{} should be removed.", "{} will be removed.",
)  # fmt: skip


@pytest.mark.parametrize("device", DEVICES)
def test_a_device_that_was_removed_is_gone_and_one_that_is_to_be_is_there(device: str) -> None:
    for wordings, expected in (
        (REMOVED, {("absent", "resolved")}),
        (TO_BE_REMOVED, {("present", None)}),
    ):
        for wording in wordings:
            claims = find_assertions(wording.format(device))
            found = {(c.polarity, c.comparison) for c in claims if c.finding == DEVICES[device]}
            assert found == expected, wording


SIDE_WORDS = {
    "R": "right", "L": "left", "Rt": "right", "Lt": "left", "RT": "right", "(R)": "right",
    "L-sided": "left", "R.": "right", "b/l": BOTH, "Bilat": BOTH, "Bilat.": BOTH, "R>L": BOTH,
    "right-sided": "right", "Right-\nsided": "right",
}  # fmt: skip
SIDED = ("effusion", "pneumothorax", "consolidation", "nodule", "atelectasis", "rib fracture")


@QUICK
@given(st.sampled_from(sorted(SIDE_WORDS)), st.sampled_from(SIDED), st.sampled_from(SIDED))
def test_short_words_for_sides_are_read_and_belong_to_their_finding(
    side: str, name: str, other: str
) -> None:
    (claim,) = find_assertions(f"Small {side} {name}.")
    assert (claim.side, claim.degree) == (SIDE_WORDS[side], "small")
    first, second = find_assertions(f"Lt {name} and Rt {other}.")[:2]
    assert (first.side, second.side) == ("left", "right")


ORGANS = ("thyroid", "breast", "adrenal", "renal", "hepatic", "skin", "splenic", "liver", "ovarian")
LESIONS = ("nodule", "mass", "lesion", "masses", "nodules", "tumor")


@QUICK
@given(
    st.sampled_from(["{organ} {lesion}.", "No {organ} {lesion}.", "A large right {organ} {lesion}",
                     "{lesion} in the left {organ}."]),
    st.sampled_from(ORGANS), st.sampled_from(LESIONS),
)  # fmt: skip
def test_a_lesion_of_another_organ_is_none_of_the_lung(
    wording: str, organ: str, lesion: str
) -> None:
    assert find_assertions(wording.format(organ=organ, lesion=lesion)) == ()


JOINED = (
    "The {noun} is obscured by a {adjective} effusion.",
    "{noun} normal, {adjective} thyroid.", "{noun} stable and {adjective} thyroid.",
    "The {noun} is partly hidden due to {adjective} effusion.",
    "The {noun} is displaced from a {adjective} thyroid.",
    "{noun} near an {adjective} thyroid.", "{noun} with {adjective} spleen.",
)  # fmt: skip


@pytest.mark.parametrize("wording", JOINED)
@pytest.mark.parametrize("noun", ["heart", "mediastinum", "cardiac silhouette", "right hilum"])
@pytest.mark.parametrize("adjective", ["large", "enlarged", "prominent"])
def test_an_adjective_of_another_noun_enlarges_nothing(
    wording: str, noun: str, adjective: str
) -> None:
    claims = find_assertions(wording.format(noun=noun, adjective=adjective))
    enlarged = {"cardiomegaly", "enlarged_cardiomediastinum", "hilar_enlargement"}
    assert not {c.finding for c in claims if c.polarity != "absent"} & enlarged
