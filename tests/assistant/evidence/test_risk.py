"""The risk of a sentence: what moves it, what it never does, and how its model is kept."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from adapters.calibration.risk import (
    FitDescription,
    JudgedClaim,
    ablate_signals,
    fit_risk,
    fit_thresholds,
)
from assistant.chest.truth_check import is_false
from assistant.errors import BackboneError, SettingsError
from assistant.evidence.collect import EvidenceSources, box_of, gather_sources
from assistant.evidence.risk import RiskModel, Weights
from assistant.evidence.rules import judge_sentences
from assistant.evidence.signals import SIGNALS, Signals, known_signal
from assistant.types import (
    Assertion,
    Film,
    Gate,
    GeneratedText,
    LabelProbability,
    Neighbour,
    ProbeOutput,
    Study,
)

EFFUSION = Assertion("pleural_effusion", side="right")
ABOUT = FitDescription("revision", "report@1", "100 made-up films", 5, 0.05)
PLAIN = Weights(-1.0, dict.fromkeys(SIGNALS, 0.5), {}, {})
MODEL = RiskModel(
    "revision", None, "nothing", 100, 5, 0.05, 0.3, 0.8, (1.0, 0.0),
    {"present": PLAIN, "absent": PLAIN},
)  # fmt: skip
CHANCES = st.one_of(st.none(), st.floats(0, 1))
SIGNAL_SETS = st.builds(Signals, *(CHANCES for _ in SIGNALS))


def look(right: float, left: float = 0.01) -> ProbeOutput:
    places = np.zeros((16, 16), np.float32)
    places[10:12, 2:4], places[5, 14] = right, left
    chances = [
        LabelProbability("pleural_effusion", side, None, (), value, 0.0)
        for side, value in (("right", right), ("left", left))
    ]
    return ProbeOutput(tuple(chances), {"pleural_effusion": places})


def risk_of(signals: Signals) -> float:
    risk = MODEL.risk_of([(EFFUSION, signals)])
    assert risk is not None
    return risk


def judged(text: str, ground: EvidenceSources, risk: RiskModel | None = MODEL):
    written = GeneratedText(text, ((0, len(text)),), (-0.1,))
    return judge_sentences(written, ground, risk, has_prior=False)[0]


@given(SIGNAL_SETS, st.sampled_from(SIGNALS), st.floats(0, 1), st.floats(0, 1))
def test_more_support_never_raises_the_risk(signals, name, one, other):
    low, high = sorted((one, other))
    risks = [risk_of(replace(signals, **{name: value})) for value in (low, high)]
    assert risks[0] >= risks[1]
    assert all(0 <= risk <= 1 for risk in risks)


@given(SIGNAL_SETS, SIGNAL_SETS)
def test_a_sentence_is_as_risky_as_its_riskiest_claim(one, other):
    alone = [risk_of(signals) for signals in (one, other)]
    assert MODEL.risk_of([(EFFUSION, one), (EFFUSION, other)]) == max(alone)


def test_without_a_risk_model_every_sentence_is_unchecked_and_has_its_evidence():
    (sentence,) = judged("There is a right pleural effusion.", gather_sources(look(0.99), ()), None)
    assert (sentence.verdict, sentence.risk, sentence.action) == ("unchecked", None, None)
    assert {e.kind for e in sentence.evidence} == {"probe", "region"}


def test_a_backbone_without_a_probe_leaves_sentences_unchecked():
    (sentence,) = judged("There is a right pleural effusion.", gather_sources(None, ()))
    assert sentence.verdict == "unchecked"


def test_the_film_alone_supports_and_contradicts():
    near = tuple(Neighbour(f"{i:016x}", 0.9, "Right pleural effusion.") for i in range(5))
    for value, verdict in ((0.99, "supported"), (0.02, "contradicted")):
        ground = gather_sources(look(value), near)
        (sentence,) = judged("There is a right pleural effusion.", ground)
        assert sentence.verdict == verdict
        assert len(sentence.citations) == 5


def test_the_wrong_side_is_contradicted():
    (sentence,) = judged("There is a left pleural effusion.", gather_sources(look(0.99), ()))
    assert sentence.verdict == "contradicted"


def test_a_denial_is_held_against_the_film():
    for value, verdict in ((0.01, "supported"), (0.99, "contradicted")):
        (sentence,) = judged("No pleural effusion.", gather_sources(look(value), ()))
        assert sentence.verdict == verdict


def test_other_drafts_that_disagree_raise_the_risk():
    text = "There is a right pleural effusion."
    same, other = (GeneratedText(t, (), ()) for t in (text, "The lungs are clear."))
    risks = [
        judged(text, gather_sources(look(0.9), (), drafts))[0].risk or 0.0
        for drafts in ([same] * 5, [same, *[other] * 4])
    ]
    assert risks[0] < risks[1]


def test_similar_cases_are_cut_where_their_likeness_falls_off():
    near = [Neighbour(f"{i:016x}", s, "") for i, s in enumerate((0.9, 0.8, 0.3))]
    assert [n.similarity for n, _ in gather_sources(None, near).neighbours] == [0.9, 0.8]
    assert gather_sources(None, ()).neighbours == ()


@pytest.mark.parametrize("side", ["right", "left"])
def test_a_box_lies_where_the_finding_lights_up_on_the_claimed_side(side):
    boxes = {"right": (2, 10, 4, 12), "left": (14, 5, 15, 6)}  # in patches
    box = box_of(replace(EFFUSION, side=side), look(0.9, 0.4))
    assert box == tuple(edge / 16 for edge in boxes[side])


TRUTHS = [
    ("present", "right", None, None, False),
    ("present", "left", None, None, True),
    ("present", None, None, None, False),
    ("present", "bilateral", None, None, True),
    ("present", "right", None, "small", False),
    ("present", "right", None, "large", True),
    ("absent", None, None, None, True),
    ("absent", "left", None, None, False),
    ("uncertain", "right", None, None, False),
    ("uncertain", "left", None, None, True),
]


@pytest.mark.parametrize(("polarity", "side", "zone", "degree", "false"), TRUTHS)
def test_a_claim_is_false_by_finding_side_zone_and_degree(polarity, side, zone, degree, false):
    claim = Assertion("pleural_effusion", polarity, side, zone, degree)
    assert is_false(claim, [replace(EFFUSION, degree="small")], complete=True) is false


def test_what_is_only_possible_or_not_told_is_neither_true_nor_false():
    maybe = [replace(EFFUSION, polarity="uncertain")]
    assert is_false(EFFUSION, maybe, complete=True) is None
    assert is_false(replace(EFFUSION, polarity="absent"), maybe, complete=True) is None
    assert is_false(EFFUSION, (), complete=False) is None


def drafts(count: int, seed: int = 0) -> list[JudgedClaim]:
    """Sentences of which the probe knows most and the other drafts something."""
    rng = np.random.default_rng(seed)
    made = []
    for number in range(count):
        false = bool(rng.random() < 0.2)
        probe = rng.beta(2, 5) if false else rng.beta(5, 2)
        signals = Signals(probe=float(probe), agreement=float(rng.random()))
        made.append(JudgedClaim(number // 4, ((EFFUSION, signals, false),)))
    return made


def test_a_fitted_risk_is_calibrated_and_keeps_within_the_error_allowed():
    model, fresh = fit_risk(drafts(2000), ABOUT), drafts(4000, seed=1)
    risks = np.array([model.risk_of([c[:2] for c in s.claims]) for s in fresh])
    false = np.array([s.false for s in fresh])
    assert abs(risks.mean() - false.mean()) < 0.03
    kept = risks <= model.keep
    assert kept.mean() > 0.3
    assert false[kept].mean() <= ABOUT.error + 0.02
    assert false[risks >= model.withhold].mean() >= 0.4
    assert np.mean(risks[false]) > 2 * np.mean(risks[~false])


def test_a_signal_that_tells_nothing_goes_and_one_that_tells_more_stays():
    model = fit_risk(drafts(2000), ABOUT)
    assert set(model.polarities["present"].signals) == {"probe"}
    assert model.samples == 0  # no other drafts are drawn for nothing
    told = []
    for sentence in drafts(2000):
        ((claim, signals, false),) = sentence.claims
        agrees = 0.1 + 0.5 * (not false) + 0.3 * (signals.agreement or 0)
        told.append(
            JudgedClaim(sentence.film, ((claim, replace(signals, agreement=agrees), false),))
        )
    model = fit_risk(told, ABOUT)
    assert "agreement" in model.polarities["present"].signals
    assert model.samples == ABOUT.samples
    alone, without = ablate_signals(told, ABOUT)["agreement"]
    assert alone > without


@given(st.integers(0, 10**6), st.floats(0.01, 0.5))
def test_what_is_kept_holds_the_error_on_what_it_was_chosen_on(seed, error):
    rng = np.random.default_rng(seed)
    risks = rng.random(200)
    false = rng.random(200) < risks
    keep, withhold = fit_thresholds(risks, false, error)
    kept = risks <= keep
    assert false[kept].sum() <= error * (kept.sum() + 1)
    assert withhold > keep


def test_too_few_errors_are_refused_in_one_sentence():
    with pytest.raises(SettingsError, match="more films"):
        fit_risk([replace_truth(s) for s in drafts(50)], ABOUT)


def replace_truth(sentence: JudgedClaim) -> JudgedClaim:
    return JudgedClaim(sentence.film, tuple((c, s, False) for c, s, _ in sentence.claims))


def test_a_risk_model_comes_back_as_it_was_saved(tmp_path):
    model = fit_risk(drafts(400), ABOUT)
    model.save(tmp_path / "risk.json")
    again = RiskModel.load(tmp_path / "risk.json")
    assert again == model
    assert again.fits("revision", "report@1")
    assert not again.fits("revision", None)


@pytest.mark.parametrize("text", ["", "{}", "[]", '{"schema": "wetread.risk/1"}', "\x00"])
def test_a_damaged_risk_model_is_refused_in_one_sentence(tmp_path, text):
    (tmp_path / "risk.json").write_text(text)
    with pytest.raises(BackboneError, match="wetread calibrate"):
        RiskModel.load(tmp_path / "risk.json")


@pytest.mark.parametrize(
    ("text", "before", "stance"),
    [
        ("The right pleural effusion is larger.", "Small right pleural effusion.", "supports"),
        ("The right pleural effusion is larger.", "No pleural effusion.", "contradicts"),
        ("There is a new right pleural effusion.", "No pleural effusion.", "supports"),
        ("There is a new right pleural effusion.", "Right pleural effusion.", "contradicts"),
        ("The right pleural effusion has resolved.", "Right pleural effusion.", "supports"),
        ("There is a right pleural effusion.", "Right pleural effusion.", None),
        ("The right pleural effusion is larger.", "", None),
    ],
)
def test_a_comparison_is_held_against_the_earlier_report(text, before, stance):
    study = Study((Film(np.zeros((8, 8), np.float32), "0" * 64),), prior_report=before)
    written = GeneratedText(text, ((0, len(text)),), (-0.1,))
    ground = gather_sources(look(0.9), (), (), study)
    sentences, _ = judge_sentences(written, ground, has_prior=bool(before))
    told = [e.says for s in sentences for e in s.evidence if e.kind == "prior"]
    assert told == ([] if stance is None else [stance])


def test_the_further_off_a_film_lies_the_less_is_known():
    gates = [Gate("warn", "", distance, 1.3) for distance in (0.6, 1.3, 2.6, 9.0)]
    found = [known_signal(gate) or 0.0 for gate in gates]
    assert found == sorted(found, reverse=True)
    assert found[1] == 0.5
    assert 0 < found[-1] < found[0] < 1
    assert known_signal(None) is None
    assert known_signal(Gate("refuse", "")) is None


def test_a_claim_about_both_sides_has_a_place_on_each():
    (sentence,) = judged("Bilateral pleural effusions.", gather_sources(look(0.9, 0.8), ()))
    boxes = [e.box for e in sentence.evidence if e.kind == "region"]
    assert len(boxes) == 2
    (right, left) = boxes
    assert right is not None
    assert left is not None
    assert right[2] <= 0.5 <= left[0]  # the patient's right lies on the left of the film
