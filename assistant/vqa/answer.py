"""Answers to questions about one film, each held against what the film shows.

What can be computed is computed (`assistant.vqa.computed`). All else the adapter "answer" says;
as a draft is drawn again that says otherwise than it was told, so is an answer: of the first and
some others the first is taken that goes with the reading. Whether it does is asked of the forms
that answers have; an answer of another form goes with any reading. Question and answer together
are then judged as a draft's sentence is.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace

import numpy as np

from assistant.backbones.protocols import Backbone, Encoded, Sampling
from assistant.errors import BackboneError, SettingsError
from assistant.evidence.collect import EvidenceSources, gather_sources, signals_of
from assistant.evidence.risk import RiskModel
from assistant.evidence.rules import SentenceSignals, judge_answer, judge_sentence
from assistant.gate import judge_encoded, probe_output_of
from assistant.labeller.sentences import ParsedSentence
from assistant.labeller.summary import case_summary, describe_probe, probe_assertions
from assistant.prompts import answer_request
from assistant.provenance import provenance_of
from assistant.types import Answer, Assertion, Gate, GeneratedText, ProbeFinding, Sentence, Study
from assistant.vqa.answer_claims import (
    CHANGES,
    COUNTS,
    PLACES,
    _normalise,
    claims_of_answer,
    is_consistent,
)
from assistant.vqa.computed import ComputedAnswer, compute_answer
from assistant.vqa.followup import Turns, resolve_followup
from retrieval import Library

LONGEST_QUESTION = 500  # characters
NOT_ANSWERED = "The film was refused, so that nothing is answered."
COMPUTED = "It was computed from the film; of nine films in ten the truth lies within the error."
COMPUTED_ELSEWHERE = "It was computed from a film of which the gate warns: the error may be larger."
READ_OTHERWISE = "The film, and the earlier report where one was given, are read otherwise."
HOW_MANY = "No calibrated check exists of how many there are."
WHERE_THE_TIP_IS = "No calibrated check exists of where a tip lies."
DRAWS = 6  # further answers where the first goes against the reading
WARMTH = 0.7  # their temperature


@dataclass(frozen=True, slots=True, eq=False)
class _ProbedFilm:
    """One film as far as an answer needs it, looked at once."""

    encoded: Encoded
    gate: Gate
    ground: EvidenceSources
    seen: tuple[ProbeFinding, ...] | None  # None: the backbone has no probe
    read: tuple[Assertion, ...] | None  # the same, as claims


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
    """Answer a question about a study's first film, as `Assistant.ask` says."""
    asked = " ".join(question.split())
    if not 1 <= len(asked) <= LONGEST_QUESTION:
        raise SettingsError(
            f"The question has {len(asked)} characters; ask in 1 to {LONGEST_QUESTION}."
        )
    if "answer" not in backbone.tasks and not backbone.instructed:  # it would write a report
        raise BackboneError(
            f"The backbone {backbone.identity.name!r} has no adapter that answers "
            "questions; train one with `wetread train answer` or name its folder."
        )
    whole = resolve_followup(asked, history)
    film = _looked_at(backbone, study)
    told = "" if film.read is None or backbone.instructed else describe_probe(film.read)
    request = answer_request(whole, case_summary(study.prior_report), told)
    text, removed, logs, sentence = NOT_ANSWERED, (), (), None
    made = None
    if anyway or film.gate.answer != "refuse":
        known = frozenset(s.finding for s in film.seen or ())
        made = compute_answer(whole, film.ground, film.read, known)
        if made is not None:
            text, sentence = made.text, _of_computed(made, film, risk)
        else:
            prior = film.ground.prior
            written = write_answer(
                backbone, film.encoded, request, whole, film.read, prior or (), seed
            )
            text, removed = judge_answer(whole, written.text, has_prior=prior is not None)
            logs = written.log_probabilities
            sentence = _of_written(whole, text, written, film, risk)
    identity = backbone.identity_for(_task(backbone) if made is None else None)
    return Answer(
        question=asked,
        text=text,
        gate=film.gate,
        provenance=provenance_of(identity, library, request, seed),
        log_probability=round(float(np.mean(logs)), 5) if logs else None,
        removed=removed,
        sentence=sentence,
        understood="" if whole == asked else whole,
    )


def _task(backbone: Backbone) -> str | None:
    """The adapter that answers; None: the base does."""
    return "answer" if "answer" in backbone.tasks else None


def _looked_at(backbone: Backbone, study: Study) -> _ProbedFilm:
    code = replace(backbone.encode([study.films[0]])[0], study=study)
    gate = judge_encoded(backbone, study.films[0], code)
    ground = gather_sources(probe_output_of(backbone, code), (), (), study, gate)
    read = backbone.probe_encoded([code])
    seen = None if read is None else read[0]
    return _ProbedFilm(code, gate, ground, seen, None if seen is None else probe_assertions(seen))


def _judged(
    text: str,
    claims: Sequence[Assertion],
    written: GeneratedText,
    film: _ProbedFilm,
    risk: RiskModel | None,
) -> Sentence:
    parsed = ParsedSentence(text, "findings", tuple(claims), 0, len(written.text))
    one = SentenceSignals(parsed, signals_of(parsed, written, film.ground))
    return judge_sentence(one, written, film.ground, risk)


def _of_computed(made: ComputedAnswer, film: _ProbedFilm, risk: RiskModel | None) -> Sentence:
    """A computed answer as a sentence: nobody wrote it, and its number is the film's own."""
    sentence = _judged(made.text, made.claims, GeneratedText(made.text, (), ()), film, risk)
    if not made.measured:
        return sentence
    sure = film.gate.answer == "pass"
    return replace(
        sentence,
        evidence=made.measured,
        verdict="supported" if sure else "unsupported",
        reason=COMPUTED if sure else COMPUTED_ELSEWHERE,
    )


def _of_written(
    question: str, text: str, written: GeneratedText, film: _ProbedFilm, risk: RiskModel | None
) -> Sentence:
    """A written answer as a sentence; what its claims do not hold, the reading is asked about."""
    sentence = _judged(text, claims_of_answer(question, text), written, film, risk)
    said = _normalise(text)
    if sentence.verdict not in ("supported", "unsupported") or film.read is None:
        return sentence
    beyond = HOW_MANY if said in COUNTS else WHERE_THE_TIP_IS if said in PLACES else ""
    if not beyond and said not in CHANGES:
        return sentence
    if not is_consistent(question, text, film.read, film.ground.prior or ()):
        return replace(
            sentence, verdict="contradicted", reason=READ_OTHERWISE, risk=None, action=None
        )
    if beyond:  # the risk is that of the finding's being there at all
        return replace(sentence, verdict="unchecked", reason=beyond, risk=None, action=None)
    return sentence


def write_answer(
    backbone: Backbone,
    encoded: Encoded,
    request: str,
    question: str,
    read: Sequence[Assertion] | None,
    prior: Sequence[Assertion],
    seed: int,
) -> GeneratedText:
    """Answer a request, with the adapter "answer" if there is one, going with what is `read`.

    `prior` is what the report of an earlier film asserts.
    """
    task = _task(backbone)
    written = backbone.write([encoded], [request], Sampling(seed=seed), [task])[0]
    if read is None or is_consistent(question, written.text, read, prior):
        return written
    drawn = backbone.write(
        [encoded] * DRAWS,
        [request] * DRAWS,
        Sampling(seed=seed, temperature=WARMTH),
        [task] * DRAWS,
    )
    fitting = (one for one in drawn if is_consistent(question, one.text, read, prior))
    return next(fitting, written)
