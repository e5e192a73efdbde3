"""Applies the rules of evidence to generated text: the sentences of a draft, or an answer.

This module decides what may be said on which evidence; it reads no film and runs no model.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace

import numpy as np

from assistant.claims import name_of
from assistant.evidence.collect import NEUTRAL, UNCHECKED, EvidenceSources, evidence_of, signals_of
from assistant.evidence.risk import RiskModel
from assistant.evidence.signals import Signals
from assistant.labeller.sentences import (
    ParsedSentence,
    is_comparison,
    parse_sentences,
    withhold_numbers,
)
from assistant.types import Action, Assertion, Evidence, Gate, GeneratedText, Sentence, Verdict

Removed = tuple[tuple[str, str], ...]  # (what the backbone wrote, why it is not there)
COMPARES = "It compares with an earlier film, and none was given."
NOT_COMPUTED = "Its number was not computed from the film."
MIN_KEPT_SHARE = 0.5  # share of the checked sentences below which the draft is abstained from
NO_CLAIM = "It claims nothing that can be checked."
CHANGE_ANSWERS = (
    "new",
    "resolved",
    "larger",
    "smaller",
    "unchanged",
)  # answers that compare with an earlier film
NO_PRIOR = "No earlier film was given to compare with."


@dataclass(frozen=True, slots=True)
class SentenceSignals:
    """One sentence as it was generated, with each of its claims and their signals."""

    parsed: ParsedSentence
    claims: tuple[tuple[Assertion, Signals], ...]


def examine_sentences(
    generated: GeneratedText, sources: EvidenceSources
) -> tuple[SentenceSignals, ...]:
    """Return all sentences of a draft with their signals, comparisons included."""
    return tuple(
        SentenceSignals(p, signals_of(p, generated, sources))
        for p in parse_sentences(generated.text)
    )


def judge_sentences(
    generated: GeneratedText,
    sources: EvidenceSources,
    risk: RiskModel | None = None,
    *,
    has_prior: bool,
    remove: bool = True,
) -> tuple[tuple[Sentence, ...], Removed]:
    """Judge the sentences of a draft; return them, and what was removed with the reasons.

    Each sentence gets its evidence, risk and verdict. Comparisons without a prior are removed,
    and numbers with a unit are withheld, since nothing computed them from the film (rules 2 and 3
    of the rules of evidence). With `remove` False, for text that a person wrote, both stay and
    are unsupported. Without a risk model every other sentence is unchecked.
    """
    sentences: list[Sentence] = []
    removed: list[tuple[str, str]] = []
    for sentence_signals in examine_sentences(generated, sources):
        parsed = sentence_signals.parsed
        compares = not has_prior and is_comparison(parsed.text)
        if compares and remove:
            removed.append((parsed.text, COMPARES))
            continue
        text, withheld = withhold_numbers(parsed.text)
        if withheld and remove:
            removed.append((parsed.text, NOT_COMPUTED))
        sentence = judge_sentence(sentence_signals, generated, sources, risk)
        if (compares or withheld) and not remove:
            # The film's evidence does not cover the comparison or the number.
            action = "flag" if sentence.action == "keep" else sentence.action
            reason = COMPARES if compares else NOT_COMPUTED
            sentence = replace(sentence, verdict="unsupported", reason=reason, action=action)
        sentences.append(replace(sentence, text=text) if remove else sentence)
    return tuple(sentences), tuple(removed)


def judge_sentence(
    sentence_signals: SentenceSignals,
    generated: GeneratedText,
    sources: EvidenceSources,
    risk: RiskModel | None,
) -> Sentence:
    """Judge one sentence, as it was generated: its evidence, risk and verdict."""
    parsed, claims = sentence_signals.parsed, sentence_signals.claims
    evidence, citations = evidence_of(claims, sources)
    probability = None if risk is None else risk.risk_of(claims)
    action = None if risk is None or probability is None else risk.action_for(probability)
    verdict, reason = _verdict(claims, action)
    if verdict in ("supported", "unsupported") and (denial := _prior_denial(evidence)):
        (verdict, reason), probability, action = denial, None, None  # no risk covers a change
    return Sentence(
        text=parsed.text,
        section=parsed.section,
        assertions=parsed.assertions,
        evidence=evidence,
        citations=citations,
        verdict=verdict,
        reason=reason,
        risk=None if probability is None else round(probability, 4),
        log_probability=_mean_log_probability(generated, parsed),
        action=action,
    )


def _verdict(
    claims: Sequence[tuple[Assertion, Signals]], action: Action | None
) -> tuple[Verdict, str]:
    """Return verdict and reason: only the film supports, and only where the risk is low."""
    if not claims:
        return "unchecked", NO_CLAIM
    probes = [(claim, signals.probe) for claim, signals in claims]
    if action is None or all(value is None for _, value in probes):
        return "unchecked", UNCHECKED
    against = [name_of(claim) for claim, value in probes if value is not None and value < NEUTRAL]
    if against:
        return "contradicted", f"The film speaks against {_join_names(against)}."
    if silent := [name_of(claim) for claim, value in probes if value is None]:
        return "unsupported", f"The film could not be asked about {_join_names(silent)}."
    if action == "keep":
        return "supported", "The film speaks for it, and its risk is low."
    return "unsupported", "The film speaks for it, but its risk is too high."


def _prior_denial(evidence: Sequence[Evidence]) -> tuple[Verdict, str] | None:
    """Return verdict and reason where the earlier report or film speaks against a change."""
    prior = [e for e in evidence if e.kind == "prior"]
    against = [e.detail for e in prior if e.says == "contradicts"]
    if not against:
        return None
    if len(against) < len(prior):
        return "unsupported", f"Not all that is known of before fits the change: {against[0]}"
    return "contradicted", f"What is known of before speaks against the change: {against[0]}"


def _join_names(names: Sequence[str]) -> str:
    return ", ".join(dict.fromkeys(names))


def abstention_of(gate: Gate, sentences: Sequence[Sentence]) -> str:
    """Return why a whole draft should not be used; empty where there is no reason."""
    if gate.answer != "pass":
        return f"This draft should not be used: {gate.reason}"
    checked = [s for s in sentences if s.action is not None]
    kept_count = sum(s.action == "keep" for s in checked)
    if checked and kept_count < MIN_KEPT_SHARE * len(checked):
        return (
            "This draft should not be used, because only "
            f"{kept_count} of {len(checked)} checked sentences may be kept."
        )
    return ""


def judge_answer(question: str, answer: str, *, has_prior: bool) -> tuple[str, Removed]:
    """Apply rules 2 and 3 of the rules of evidence to an answer; return it and what was removed."""
    line = " ".join(answer.split())
    compares = is_comparison(question) or is_comparison(line)
    if not has_prior and (compares or line.rstrip(".").lower() in CHANGE_ANSWERS):
        return NO_PRIOR, ((line, COMPARES),)
    text, withheld = withhold_numbers(line)
    return text, ((line, NOT_COMPUTED),) if withheld else ()


def _mean_log_probability(generated: GeneratedText, parsed: ParsedSentence) -> float | None:
    """Return the mean log-probability of a sentence's tokens; None where it has none."""
    logs = [
        log
        for (start, end), log in zip(generated.spans, generated.log_probabilities, strict=True)
        if start < parsed.end and end > parsed.start
    ]
    return round(float(np.mean(logs)), 5) if logs else None
