"""The vocabulary is whole: each finding has words, a weight, kin, and a code."""

from __future__ import annotations

import re

import pytest

from assistant.chest.hierarchy import BROADER
from assistant.chest.mesh import MESH_FINDINGS
from assistant.chest.phantoms import DEVICES, DISTRACTORS
from assistant.chest.phantoms import FINDINGS as PHANTOM_FINDINGS
from assistant.chest.probe_labels import LABEL_KEYS
from assistant.chest.question_words import UNCOUNTED, with_article
from assistant.chest.vocabulary import FINDINGS, HINTS, NORMAL, finding_named, finding_of_label
from assistant.evidence.signals import probe_signal
from assistant.labeller.labeller import find_assertions
from assistant.types import Assertion, LabelProbability, ProbeOutput
from evals.report.significance import TIERS, finding_similarity

KEYS = [finding.key for finding in FINDINGS if finding.key != NORMAL]
FORMS = {"SCT": r"[1-9]\d{5,17}", "DCM": r"1[12]\d{4}", "RADLEX": r"RID\d+"}


@pytest.mark.parametrize("finding", FINDINGS, ids=lambda finding: finding.key)
def test_a_finding_has_words_a_tier_and_a_code_of_its_scheme(finding) -> None:
    assert finding.phrases
    assert all(not re.search(r"\?\||\|\||\|\?|^~|~$", phrase) for phrase in finding.phrases)
    assert finding.key == NORMAL or finding.key in TIERS
    assert finding.code is not None
    assert re.fullmatch(FORMS[finding.code.scheme], finding.code.value)


def test_no_two_findings_say_the_same_by_their_codes_and_most_say_it_exactly() -> None:
    codes = [finding.code for finding in FINDINGS if finding.code and finding.code.fit == "same"]
    assert len(codes) == len(set(codes)) > 0.6 * len(FINDINGS)


def check_digit_holds(concept: str) -> bool:
    """Whether an identifier of SNOMED CT ends with its check digit (Verhoeff's scheme)."""
    multiply = [[(a % 5 + b % 5) % 5 for b in range(10)] for a in range(10)]
    for a in range(10):
        for b in range(10):
            turn = (a % 5 - b % 5) if a > 4 else (a % 5 + b % 5)
            multiply[a][b] = turn % 5 + (5 if (a > 4) != (b > 4) else 0)
    shuffle = [[*range(10)], [1, 5, 7, 6, 2, 8, 3, 0, 9, 4]]
    for _ in range(6):
        shuffle.append([shuffle[-1][n] for n in shuffle[1]])
    check = 0
    for place, digit in enumerate(reversed(concept)):
        check = multiply[check][shuffle[place % 8][int(digit)]]
    return check == 0


@pytest.mark.parametrize("finding", FINDINGS, ids=lambda finding: finding.key)
def test_a_code_of_snomed_ct_has_its_check_digit(finding) -> None:
    if finding.code is not None and finding.code.scheme == "SCT":
        assert check_digit_holds(finding.code.value)


@pytest.mark.parametrize("key", KEYS)
def test_the_name_of_a_finding_is_read_as_the_finding(key: str) -> None:
    name = finding_named(key).name
    assert finding_of_label(name) == finding_of_label(key) == key
    assert key in {c.finding for c in find_assertions(f"There is {name}.")}


def test_every_finding_has_kin() -> None:
    def has_kin(key: str) -> bool:
        return any(finding_similarity(key, other) for other in KEYS if other != key)

    alone = {"cervical_rib", "azygos_lobe", "situs_anomaly", "contrast_material"}
    assert {key for key in KEYS if not has_kin(key)} <= alone


def test_the_tables_name_known_findings_only() -> None:
    named = {*BROADER, *(key for keys in BROADER.values() for key in keys), *UNCOUNTED}
    named |= {key for keys in MESH_FINDINGS.values() for key in keys}
    named |= {hint.key for hint in HINTS}
    assert named <= set(KEYS)
    assert all(with_article(key) for key in KEYS)


def test_no_finding_is_broader_than_itself() -> None:
    def broader_of(key: str, above: tuple[str, ...] = ()) -> None:
        assert key not in above
        for other in BROADER.get(key, ()):
            broader_of(other, (*above, key))

    for key in BROADER:
        broader_of(key)


def test_a_probe_learns_what_phantoms_show_and_what_reports_assert() -> None:
    drawn = {*PHANTOM_FINDINGS, *DISTRACTORS, *DEVICES}
    assert len(drawn) == 18
    assert drawn < {key for key, *_ in LABEL_KEYS} <= {*KEYS, NORMAL}
    assert len(set(LABEL_KEYS)) == len(LABEL_KEYS)


@pytest.mark.parametrize("polarity", ["present", "absent", "uncertain"])
def test_a_finding_that_the_probe_did_not_learn_is_not_known_to_it_and_no_zero(polarity) -> None:
    labels = tuple(LabelProbability(*key, 0.0, 0.0) for key in LABEL_KEYS)
    probe = ProbeOutput(labels, {})
    unknown = set(KEYS) - {key for key, *_ in LABEL_KEYS}
    signals = {probe_signal(Assertion(key, polarity), probe) for key in unknown}
    assert signals == {None}
