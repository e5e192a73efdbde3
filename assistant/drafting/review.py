"""A person's review of a draft: sentences are accepted, rejected or reworded.

A report is never changed in place: every decision returns a new one. What a person writes is
judged like the backbone's own words; rewording alone accepts nothing.
"""

from __future__ import annotations

from dataclasses import replace

from assistant.backbones.protocols import Backbone
from assistant.drafting.check import judge_text, sources_of, text_to_check
from assistant.drafting.studies import gate_whole_studies
from assistant.errors import SettingsError
from assistant.evidence.collect import EvidenceSources
from assistant.evidence.risk import RiskModel
from assistant.types import Decision, Report, Sentence


def decide(report: Report, index: int, decision: Decision | None) -> Report:
    """The report with one sentence accepted, rejected, or undecided again (None).

    `index` counts the sentences from 0. Raises SettingsError for a sentence that is not there.
    """
    return _replace_sentence(
        report, index, (replace(_sentence_at(report, index), decision=decision),)
    )


def reword(
    backbone: Backbone,
    risk: RiskModel | None,
    report: Report,
    index: int,
    text: str,
    *,
    sources: EvidenceSources | None = None,
) -> Report:
    """The report with one sentence in a person's words, judged anew against the same film.

    The text may hold several sentences; all stay in the old one's section and keep the original
    text in `written`. None of them counts as accepted. An empty text rejects the sentence.
    `sources` are those of `sources_again`, which is called here where they are not given (the
    film is encoded again then). Raises SettingsError for a sentence that is not there, and for a
    text that has no sentence or over 20,000 characters.
    """
    old = _sentence_at(report, index)
    new_text = text.strip()
    if not new_text:
        return decide(report, index, "rejected")
    if new_text == old.text:
        return report
    judged = judge_text(
        text_to_check(new_text),
        sources or sources_again(backbone, report),
        risk,
    )
    original = old.written or old.text
    replacements = tuple(
        replace(new, section=old.section, written="" if new.text == original else original)
        for new in judged
    )
    return _replace_sentence(report, index, replacements)


def sources_again(backbone: Backbone, report: Report) -> EvidenceSources:
    """The evidence sources of a report, gathered again by encoding its study.

    Further drafts of the film are not drawn again. The result serves every rewording of the
    report.
    """
    (gated,) = gate_whole_studies(backbone, [report.study], correct=False, anyway=True)
    return sources_of(backbone, replace(gated, gate=report.gate), report.neighbours)


def _sentence_at(report: Report, index: int) -> Sentence:
    if not 0 <= index < len(report.sentences):
        raise SettingsError(
            f"The report has no sentence {index + 1}; it has {len(report.sentences)}."
        )
    return report.sentences[index]


def _replace_sentence(report: Report, index: int, new: tuple[Sentence, ...]) -> Report:
    sentences = report.sentences[:index] + new + report.sentences[index + 1 :]
    return replace(report, sentences=sentences)
