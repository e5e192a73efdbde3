"""The composite clinical score: it falls with what radiologists count as errors, and only so."""

from __future__ import annotations

from itertools import pairwise

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from evals.report.composite import KINDS, composite_score, find_faults

REPORT = (
    "Mild pulmonary edema, improved. Small right pleural effusion. The heart is enlarged. "
    "Right upper lobe nodule. Endotracheal tube in standard position. No pneumothorax."
)
SENTENCES = (
    "Mild pulmonary edema, improved.",
    "Small right pleural effusion.",
    "The heart is enlarged.",
    "Right upper lobe nodule.",
    "Bibasilar opacities, likely atelectasis.",
    "No pneumothorax.",
    "Left PICC tip in the lower SVC.",
    "Gastric distension is noted.",
    "Old left rib fractures.",
)


def weighed(reference: str, candidate: str) -> float:
    """The weighted errors of a candidate."""
    return sum(fault.weight for fault in find_faults(reference, candidate))


def kinds(reference: str, candidate: str) -> set[str]:
    """The kinds of its errors, the wording aside."""
    return {fault.kind for fault in find_faults(reference, candidate)} - {"wording"}


# -- What is no error


@settings(max_examples=40, deadline=None)
@given(st.permutations(SENTENCES), st.integers(1, len(SENTENCES)))
def test_the_order_of_sentences_does_not_matter(order, many):
    reference = " ".join(s for s in SENTENCES if s in order[:many])
    assert composite_score(reference, " ".join(order[:many])) == 1.0


def test_what_is_repeated_in_the_impression_is_said_once():
    assert composite_score(REPORT, f"FINDINGS: {REPORT}\nIMPRESSION: {REPORT}") == 1.0


@pytest.mark.parametrize(
    "denial",
    ["No focal consolidation.", "No pleural effusion or pneumothorax.", "The trachea is midline."],
)
def test_a_denial_that_is_left_out_or_added_is_no_error(denial):
    assert composite_score(f"Right pneumonia. {denial}", "Right pneumonia.") == 1.0
    assert composite_score("Right pneumonia.", f"Right pneumonia. {denial}") == 1.0


def test_one_normal_report_is_as_good_as_another():
    assert (
        composite_score("No acute cardiopulmonary process.", "Heart size is normal. Clear lungs.")
        == 1
    )


def test_calls_and_advice_are_no_findings():
    called = "Right pneumonia. Findings were discussed with the team by telephone. "
    assert composite_score(f"{called} A follow-up film is recommended.", "Right pneumonia.") == 1.0


@pytest.mark.parametrize(
    ("one", "other"),
    [
        ("Left pleural effusion.", "There is an effusion on the left."),
        ("Right and left pleural effusions.", "Bilateral pleural effusions."),
        ("Lung volumes are low.", "Low lung volumes."),
        ("The patient has been extubated.", "Interval removal of the endotracheal tube."),
    ],
)
def test_the_same_in_other_words_has_no_fault_but_words(one, other):
    assert kinds(one, other) == set()


# -- What is one


@pytest.mark.parametrize(
    ("candidate", "kind"),
    [
        (REPORT + " Left rib fracture.", "false finding"),
        (REPORT.replace("The heart is enlarged. ", ""), "omitted finding"),
        (REPORT.replace("Small right", "Small left"), "wrong place"),
        (REPORT.replace("upper lobe", "lower lobe"), "wrong place"),
        (REPORT.replace("Small", "Large"), "wrong severity"),
        (REPORT.replace("Right upper", "Possible right upper"), "wrong certainty"),
        (REPORT.replace("improved", "worsened"), "comparison"),
        (REPORT.replace("The heart is enlarged", "Cardiomegaly has increased"), "comparison"),
        (REPORT.replace(", improved", ""), "comparison"),
        (REPORT + " There is no change from the prior study.", "comparison"),
        (
            REPORT.replace("in standard position", "in the right mainstem bronchus"),
            "device position",
        ),
    ],
)
def test_every_error_of_the_study_lowers_the_score_and_is_named(candidate, kind):
    assert composite_score(REPORT, candidate) < composite_score(REPORT, REPORT) == 1.0
    assert kinds(REPORT, candidate) == {kind}


STEPS = (
    lambda text: text.replace("The heart is enlarged. ", ""),
    lambda text: text.replace("Small right", "Small left"),
    lambda text: text + " Left lower lobe pneumonia.",
    lambda text: text.replace("improved", "worsened"),
    lambda text: text.replace("Right upper lobe nodule. ", ""),
    lambda text: text + " Small left apical pneumothorax.",
)


@settings(max_examples=40, deadline=None)
@given(st.permutations(range(len(STEPS))))
def test_each_further_error_lowers_the_score(order):
    text, scores = REPORT, [1.0]
    for number in order:
        text = STEPS[number](text)
        scores.append(composite_score(REPORT, text))
    assert all(better > worse for better, worse in pairwise(scores)), scores


def test_errors_are_summed_and_not_shared_out():
    """Twice the findings and twice the errors is twice as bad, though the ratio is the same."""
    little = weighed("Pneumonia. Rib fracture.", "Pneumonia.")
    much = weighed("Pneumonia. Rib fracture. Cardiomegaly. Nodule.", "Pneumonia. Cardiomegaly.")
    assert much == pytest.approx(2 * little, rel=0.1)


def test_denying_what_is_there_is_one_error_and_no_less_than_leaving_it_out():
    reference = "Left pleural effusion. Cardiomegaly."
    silent = weighed(reference, "Cardiomegaly.")
    denied = weighed(reference, "No pleural effusion. Cardiomegaly.")
    assert silent < denied < 1.5 * silent


def test_a_suspicion_is_about_half_a_claim():
    wrong = weighed("Pneumonia.", "No pneumonia.")
    assert 0 < weighed("Pneumonia.", "Possible pneumonia.") < 0.6 * wrong
    invented = weighed("Cardiomegaly.", "Cardiomegaly. Rib fracture.")
    hinted = weighed("Cardiomegaly.", "Cardiomegaly. Possible rib fracture.")
    assert 0.3 * invented < hinted < 0.8 * invented


def test_the_wrong_side_is_an_error_but_less_than_an_omission_and_an_invention():
    reference = "Left pleural effusion."
    side = weighed(reference, "Right pleural effusion.")
    one_side = weighed("Bilateral pleural effusions.", "Right pleural effusion.")
    other = weighed(reference, "Rib fracture.")
    assert 0 < one_side < side < other


def test_severity_counts_by_how_far_it_is_off():
    reference = "Small left pleural effusion."
    near = weighed(reference, "Moderate left pleural effusion.")
    far = weighed(reference, "Large left pleural effusion.")
    untold = weighed(reference, "Left pleural effusion.")
    assert 0 < untold < near < far


def test_detail_that_the_reference_does_not_give_counts_less_than_detail_left_out():
    assert weighed("Pneumonia.", "Right pneumonia.") < weighed("Right pneumonia.", "Pneumonia.")


def test_opposite_changes_are_worse_than_one_left_out_and_stability_is_little():
    reference = "Left pleural effusion has increased."
    opposite = weighed(reference, "Left pleural effusion has decreased.")
    missing = weighed(reference, "Left pleural effusion.")
    stable = weighed("Left pleural effusion is unchanged.", "Left pleural effusion.")
    assert stable < missing < opposite


@pytest.mark.parametrize(
    ("reference", "near", "far"),
    [
        ("Right lower lobe consolidation.", "Right lower lobe pneumonia.", "Right rib fracture."),
        ("Pulmonary edema.", "Pulmonary vascular congestion.", "Emphysema."),
        ("Right nodule.", "Right lung mass.", "Right pleural effusion."),
        ("Endotracheal tube.", "Support devices.", "Pacemaker."),
    ],
)
def test_a_kindred_finding_earns_part_of_the_credit(reference, near, far):
    assert 1.0 > composite_score(reference, near) > composite_score(reference, far)


def test_a_kindred_finding_on_the_other_side_earns_little():
    reference = "Right consolidation."
    assert composite_score(reference, "Right pneumonia.") > composite_score(
        reference, "Left pneumonia."
    )


def test_a_sign_with_what_it_is_taken_for_is_little_more_than_one_statement():
    normal = "No acute cardiopulmonary process."
    sign = weighed(normal, "Bibasilar opacities.")
    both = weighed(normal, "Bibasilar opacities, likely atelectasis.")
    apart = weighed(normal, "Bibasilar opacities. Rib fracture.")
    assert sign < both < sign + 0.5 * (apart - sign)


def test_what_matters_more_counts_more_and_a_device_in_place_counts_least():
    normal = "No acute cardiopulmonary process."
    order = ["Pneumothorax.", "Pneumonia.", "Scoliosis.", "Pacemaker."]
    scores = [composite_score(normal, text) for text in order]
    assert scores == sorted(scores)
    assert len(set(scores)) == len(scores)


def test_a_tube_that_lies_wrong_is_worse_than_a_tube_left_out():
    reference = "The endotracheal tube is malpositioned and should be withdrawn."
    fine = weighed(reference, "The endotracheal tube is in good position.")
    assert fine > weighed("Endotracheal tube in good position.", "Clear lungs.")


def test_what_the_vocabulary_has_no_name_for_still_counts_a_little():
    reference = "Cardiomegaly. Marked gastric distension."
    kept = composite_score(reference, "Cardiomegaly. Gastric distension.")
    assert (
        kept
        > composite_score(reference, "Cardiomegaly.")
        > composite_score(reference, "Clear lungs.")
    )


# -- Whole candidates


def test_candidates_of_one_case_fall_into_order():
    reference = (
        "1. Moderate right pleural effusion, increased. 2. Mild pulmonary edema. 3. Right IJ "
        "catheter in the SVC. 4. No pneumothorax."
    )
    ladder = [
        "Increased moderate right pleural effusion. Mild pulmonary edema. Right IJ line in SVC.",
        "Moderate right pleural effusion, increased. Mild pulmonary edema.",
        "Moderate right pleural effusion. Mild pulmonary vascular congestion.",
        "Small bilateral pleural effusions. No edema.",
        "Small left pleural effusion, decreased. No edema. Left lower lobe pneumonia.",
        "Large left pneumothorax. Cardiomegaly. Left lower lobe pneumonia. No edema.",
    ]
    scores = [composite_score(reference, candidate) for candidate in ladder]
    assert scores == sorted(scores, reverse=True)
    assert len(set(scores)) == len(scores)


def test_an_empty_candidate_has_missed_everything_and_a_silent_one_is_not_normal():
    normal = "No acute cardiopulmonary process."
    assert composite_score(normal, "") == composite_score(normal, " \n") == 0.0
    assert composite_score("", "") == 1.0
    assert composite_score(normal, "Two views were taken.") < composite_score(
        normal, "Clear lungs."
    )


@settings(max_examples=150, deadline=None)
@given(st.text(max_size=300), st.text(max_size=300))
def test_any_two_texts_have_a_score_in_range_and_a_text_is_like_itself(one, other):
    assert 0.0 <= composite_score(one, other) <= 1.0
    assert composite_score(one, one) == 1.0
    assert all(fault.weight > 0 and fault.kind in KINDS for fault in find_faults(one, other))


@pytest.mark.parametrize(
    ("reference", "candidate", "value"),
    [
        ("No acute cardiopulmonary process.", "Mild cardiomegaly.", 0.7018),
        ("Small left pleural effusion.", "Large right pleural effusion.", 0.5263),
        (REPORT, "Moderate pulmonary edema. Left lower lobe pneumonia.", 0.2597),
    ],
)
def test_the_score_is_frozen(reference, candidate, value):
    """Whoever changes a constant makes older results incomparable, and must say so."""
    assert composite_score(reference, candidate) == pytest.approx(value, abs=5e-5)
