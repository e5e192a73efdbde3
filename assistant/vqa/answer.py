"""Answers questions about one film and checks each answer against what the film shows.

What can be computed is computed (`assistant.vqa.computed`); the adapter "answer" writes all other
answers. If the written answer contradicts the probe's findings, six more are drawn and the first
consistent one is taken, else the first of all. Consistency is decided on the fixed forms that
answers have; an answer of another form is consistent with anything. Question and answer together
are then judged as a sentence of a draft is.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace

import numpy as np

from assistant.backbones.protocols import Backbone, Encoded, Sampling
from assistant.drafting.check import sources_of
from assistant.drafting.studies import gate_whole_studies
from assistant.errors import BackboneError, SettingsError
from assistant.evidence.collect import EvidenceSources, signals_of
from assistant.evidence.risk import RiskModel
from assistant.evidence.rules import SentenceSignals, judge_answer, judge_sentence
from assistant.gate import GatedStudy
from assistant.labeller.sentences import ParsedSentence
from assistant.labeller.summary import case_summary, describe_probe, probe_assertions
from assistant.prompts import answer_request
from assistant.provenance import provenance_of
from assistant.types import Answer, Assertion, GeneratedText, ProbeFinding, Sentence, Study
from assistant.vqa.answer_claims import (
    CHANGE_ANSWERS,
    COUNT_ANSWERS,
    POSITION_ANSWERS,
    claims_of_answer,
    is_consistent,
    normalise_answer,
)
from assistant.vqa.computed import ComputedAnswer, compute_answer
from assistant.vqa.followup import Turns, resolve_followup
from retrieval import Library

LONGEST_QUESTION = 500  # characters
NOT_ANSWERED = "The film was refused, so that nothing is answered."
COMPUTED = "It was computed from the film; of nine films in ten the truth lies within the error."
COMPUTED_ELSEWHERE = "It was computed from a film of which the gate warns: the error may be larger."
READ_OTHERWISE = "The film, and the earlier report where one was given, are read otherwise."
COUNT_UNCHECKED = "No calibrated check exists of how many there are."
TIP_UNCHECKED = "No calibrated check exists of where a tip lies."
REDRAWS = 6  # further answers where the first contradicts the probe
REDRAW_TEMPERATURE = 0.7  # their temperature


@dataclass(frozen=True, slots=True, eq=False)
class _ProbedFilm:
    """One film, encoded and probed once, with all that an answer needs."""

    gated: GatedStudy
    sources: EvidenceSources
    probe_findings: tuple[ProbeFinding, ...] | None  # None: the backbone has no probe
    probe_claims: tuple[Assertion, ...] | None  # the same, as claims


def answer_question(
    backbone: Backbone,
    library: Library | None,
    risk: RiskModel | None,
    *,
    study: Study,
    question: str,
    history: Turns = (),
    seed: int = 0,
    anyway: bool = False,
) -> Answer:
    """Answer a question about a study's first film; `Assistant.ask` documents the arguments."""
    question_line = " ".join(question.split())
    if not 1 <= len(question_line) <= LONGEST_QUESTION:
        raise SettingsError(
            f"The question has {len(question_line)} characters; ask in 1 to {LONGEST_QUESTION}."
        )
    if "answer" not in backbone.tasks and not backbone.instructed:  # it would write a report
        raise BackboneError(
            f"The backbone {backbone.identity.name!r} has no adapter that answers "
            "questions; train one with `wetread train answer` or name its folder."
        )
    full_question = resolve_followup(question_line, history)
    film = _probe_film(backbone, study, anyway=anyway)
    reading = (
        ""
        if film.probe_claims is None or backbone.instructed
        else describe_probe(film.probe_claims)
    )
    request = answer_request(full_question, _summarise_prior(study, film), reading)
    text, removed, logs, sentence = NOT_ANSWERED, (), (), None
    computed = None
    if anyway or film.gated.gate.answer != "refuse":
        probed_keys = frozenset(s.finding for s in film.probe_findings or ())
        computed = compute_answer(full_question, film.sources, film.probe_claims, probed_keys)
        if computed is not None:
            text, sentence = computed.text, _computed_sentence(computed, film, risk)
        else:
            prior_claims = film.sources.all_prior_claims
            generated = write_answer(
                backbone,
                film.gated.encoded,
                request,
                full_question,
                film.probe_claims,
                prior_claims or (),
                seed,
            )
            text, removed = judge_answer(
                full_question, generated.text, has_prior=film.sources.has_prior
            )
            logs = generated.log_probabilities
            sentence = _written_sentence(full_question, text, generated, film, risk)
    identity = backbone.identity_for(_answer_adapter(backbone) if computed is None else None)
    return Answer(
        question=question_line,
        text=text,
        gate=film.gated.gate,
        provenance=replace(provenance_of(identity, library, request, seed), films=film.gated.uses),
        log_probability=round(float(np.mean(logs)), 5) if logs else None,
        removed=removed,
        sentence=sentence,
        understood="" if full_question == question_line else full_question,
    )


def _summarise_prior(study: Study, film: _ProbedFilm) -> str:
    """Return what is known of before: by the earlier report, or else by the earlier film."""
    if study.prior_report.strip() or film.sources.prior_film is None:
        return case_summary(study.prior_report)
    return describe_probe(film.sources.prior_film.claims)


def _answer_adapter(backbone: Backbone) -> str | None:
    """Return the adapter that answers; None where the base model answers."""
    return "answer" if "answer" in backbone.tasks else None


def _probe_film(backbone: Backbone, study: Study, *, anyway: bool) -> _ProbedFilm:
    to_writer = backbone.instructed and _answer_adapter(backbone) is None
    (gated,) = gate_whole_studies(
        backbone, [study], correct=False, anyway=anyway, to_writer=to_writer
    )
    batch_findings = backbone.probe_encoded([gated.encoded])
    findings = None if batch_findings is None else batch_findings[0]
    return _ProbedFilm(
        gated,
        sources_of(backbone, gated),
        findings,
        None if findings is None else probe_assertions(findings),
    )


def _judge_text(
    text: str,
    claims: Sequence[Assertion],
    generated: GeneratedText,
    film: _ProbedFilm,
    risk: RiskModel | None,
) -> Sentence:
    parsed = ParsedSentence(text, "findings", tuple(claims), 0, len(generated.text))
    sentence_signals = SentenceSignals(parsed, signals_of(parsed, generated, film.sources))
    return judge_sentence(sentence_signals, generated, film.sources, risk)


def _computed_sentence(
    computed: ComputedAnswer, film: _ProbedFilm, risk: RiskModel | None
) -> Sentence:
    """Judge a computed answer: no model wrote it, and its number was measured in the film."""
    sentence = _judge_text(
        computed.text, computed.claims, GeneratedText(computed.text, (), ()), film, risk
    )
    if not computed.evidence:
        return sentence
    in_domain = film.gated.gate.answer == "pass"
    return replace(
        sentence,
        evidence=computed.evidence,
        verdict="supported" if in_domain else "unsupported",
        reason=COMPUTED if in_domain else COMPUTED_ELSEWHERE,
    )


def _written_sentence(
    question: str, text: str, generated: GeneratedText, film: _ProbedFilm, risk: RiskModel | None
) -> Sentence:
    """Judge a written answer; what its claims do not hold is compared with the probe's claims."""
    sentence = _judge_text(text, claims_of_answer(question, text), generated, film, risk)
    normalised = normalise_answer(text)
    if sentence.verdict not in ("supported", "unsupported") or film.probe_claims is None:
        return sentence
    uncheckable = (
        COUNT_UNCHECKED
        if normalised in COUNT_ANSWERS
        else TIP_UNCHECKED
        if normalised in POSITION_ANSWERS
        else ""
    )
    if not uncheckable and normalised not in CHANGE_ANSWERS:
        return sentence
    if not is_consistent(question, text, film.probe_claims, film.sources.all_prior_claims or ()):
        return replace(
            sentence, verdict="contradicted", reason=READ_OTHERWISE, risk=None, action=None
        )
    if uncheckable:  # the risk covers only whether the finding is present
        return replace(sentence, verdict="unchecked", reason=uncheckable, risk=None, action=None)
    return sentence


def write_answer(
    backbone: Backbone,
    encoded: Encoded,
    request: str,
    question: str,
    probe_claims: Sequence[Assertion] | None,
    prior_claims: Sequence[Assertion],
    seed: int,
) -> GeneratedText:
    """Write an answer, with the adapter "answer" if there is one, consistent with the probe.

    `probe_claims` is what the probe finds in the film, None without a probe; `prior_claims` is
    what the report of an earlier film asserts.
    """
    task = _answer_adapter(backbone)
    generated = backbone.write([encoded], [request], Sampling(seed=seed), [task])[0]
    if probe_claims is None or is_consistent(question, generated.text, probe_claims, prior_claims):
        return generated
    redraws = backbone.write(
        [encoded] * REDRAWS,
        [request] * REDRAWS,
        Sampling(seed=seed, temperature=REDRAW_TEMPERATURE),
        [task] * REDRAWS,
    )
    consistent = (r for r in redraws if is_consistent(question, r.text, probe_claims, prior_claims))
    return next(consistent, generated)
