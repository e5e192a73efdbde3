"""The rules of evidence, applied to what a backbone wrote: a draft's sentences, or an answer.

This module knows what may be said and on what ground; it looks at no film and runs no model.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace

import numpy as np

from assistant.claims import name_of
from assistant.evidence.collect import EVEN, UNCHECKED, EvidenceSources, evidence_of, signals_of
from assistant.evidence.risk import RiskModel
from assistant.evidence.signals import Signals
from assistant.labeller.sentences import (
    ParsedSentence,
    is_comparison,
    parse_sentences,
    withhold_numbers,
)
from assistant.types import Action, Assertion, Gate, GeneratedText, Sentence, Verdict

Removed = tuple[tuple[str, str], ...]  # (what the backbone wrote, why it is not there)
COMPARES = "It compares with an earlier film, and none was given."
NOT_COMPUTED = "Its number was not computed from the film."
LEAST_KEPT = 0.5  # share of the checked sentences under which the whole draft is given up
NOTHING = "It claims nothing that can be checked."
CHANGES = ("new", "resolved", "larger", "smaller", "unchanged")  # answers that compare
NO_PRIOR = "No earlier film was given to compare with."


@dataclass(frozen=True, slots=True)
class SentenceSignals:
    """One sentence as it was written, with the signals of its claims."""

    parsed: ParsedSentence
    claims: tuple[tuple[Assertion, Signals], ...]


def examine_sentences(
    written: GeneratedText, ground: EvidenceSources
) -> tuple[SentenceSignals, ...]:
    """All sentences of a draft with their signals, those of comparisons too."""
    return tuple(
        SentenceSignals(p, signals_of(p, written, ground)) for p in parse_sentences(written.text)
    )


def judge_sentences(
    written: GeneratedText,
    ground: EvidenceSources,
    risk: RiskModel | None = None,
    *,
    has_prior: bool,
    removing: bool = True,
) -> tuple[tuple[Sentence, ...], Removed]:
    """Sentences with their evidence, risk and verdict, and those removed, each with the reason.

    Comparisons without a prior are removed, and numbers with a unit that nothing computed
    from the film are withheld (rules 2 and 3 of the rules of evidence); where not `removing`,
    since a person wrote the text, they stay and are unsupported. Without a risk model every
    other sentence is unchecked.
    """
    kept: list[Sentence] = []
    removed: list[tuple[str, str]] = []
    for one in examine_sentences(written, ground):
        parsed = one.parsed
        compares = not has_prior and is_comparison(parsed.text)
        if compares and removing:
            removed.append((parsed.text, COMPARES))
            continue
        text, withheld = withhold_numbers(parsed.text)
        if withheld and removing:
            removed.append((parsed.text, NOT_COMPUTED))
        sentence = judge_sentence(one, written, ground, risk)
        if (compares or withheld) and not removing:
            # What the film says is not all of it.
            action = "flag" if sentence.action == "keep" else sentence.action
            reason = COMPARES if compares else NOT_COMPUTED
            sentence = replace(sentence, verdict="unsupported", reason=reason, action=action)
        kept.append(replace(sentence, text=text) if removing else sentence)
    return tuple(kept), tuple(removed)


def judge_sentence(
    one: SentenceSignals, written: GeneratedText, ground: EvidenceSources, risk: RiskModel | None
) -> Sentence:
    """One sentence, as it was written, with its evidence, risk and verdict."""
    parsed, claims = one.parsed, one.claims
    evidence, citations = evidence_of(claims, ground)
    chance = None if risk is None else risk.sentence(claims)
    action = None if risk is None or chance is None else risk.action(chance)
    verdict, reason = _verdict(claims, action)
    return Sentence(
        text=parsed.text,
        section=parsed.section,
        assertions=parsed.assertions,
        evidence=evidence,
        citations=citations,
        verdict=verdict,
        reason=reason,
        risk=None if chance is None else round(chance, 4),
        log_probability=_mean_log(written, parsed),
        action=action,
    )


def _verdict(
    claims: Sequence[tuple[Assertion, Signals]], action: Action | None
) -> tuple[Verdict, str]:
    """What the film says of a sentence: only the film supports, and only where the risk is low."""
    if not claims:
        return "unchecked", NOTHING
    probes = [(claim, signals.probe) for claim, signals in claims]
    if action is None or all(value is None for _, value in probes):
        return "unchecked", UNCHECKED
    against = [name_of(claim) for claim, value in probes if value is not None and value < EVEN]
    if against:
        return "contradicted", f"The film speaks against {_listed(against)}."
    if silent := [name_of(claim) for claim, value in probes if value is None]:
        return "unsupported", f"The film could not be asked about {_listed(silent)}."
    if action == "keep":
        return "supported", "The film speaks for it, and its risk is low."
    return "unsupported", "The film speaks for it, but its risk is too high."


def _listed(names: Sequence[str]) -> str:
    return ", ".join(dict.fromkeys(names))


def abstention_of(gate: Gate, sentences: Sequence[Sentence]) -> str:
    """Why a whole draft should not be used; empty where nothing speaks for that."""
    if gate.answer != "pass":
        return f"This draft should not be used: {gate.reason}"
    checked = [s for s in sentences if s.action is not None]
    kept = sum(s.action == "keep" for s in checked)
    if checked and kept < LEAST_KEPT * len(checked):
        return (
            "This draft should not be used, because only "
            f"{kept} of {len(checked)} checked sentences may be kept."
        )
    return ""


def judge_answer(question: str, written: str, *, has_prior: bool) -> tuple[str, Removed]:
    """An answer by rules 2 and 3 of the rules of evidence, and what was taken out, with why."""
    said = " ".join(written.split())
    compares = is_comparison(question) or is_comparison(said)
    if not has_prior and (compares or said.rstrip(".").lower() in CHANGES):
        return NO_PRIOR, ((said, COMPARES),)
    text, withheld = withhold_numbers(said)
    return text, ((said, NOT_COMPUTED),) if withheld else ()


def _mean_log(written: GeneratedText, parsed: ParsedSentence) -> float | None:
    """Mean log-probability of the tokens that wrote a sentence."""
    logs = [
        log
        for (start, end), log in zip(written.spans, written.log_probabilities, strict=True)
        if start < parsed.end and end > parsed.start
    ]
    return round(float(np.mean(logs)), 5) if logs else None
