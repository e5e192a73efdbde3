"""What a person makes of a draft: sentences accepted, rejected or put in other words.

A report is never changed in place: every decision gives a new one. What a person writes is judged
like the backbone's own words, and decides nothing by itself.
"""

from __future__ import annotations

from dataclasses import replace

from assistant.backbones.protocols import Backbone
from assistant.drafting.check import judge_text, text_to_check
from assistant.errors import SettingsError
from assistant.evidence.collect import EvidenceSources, gather_sources
from assistant.evidence.risk import RiskModel
from assistant.gate import probe_output_of
from assistant.types import Decision, Report, Sentence


def decide(report: Report, index: int, decision: Decision | None) -> Report:
    """The report with one sentence accepted, rejected, or undecided again (None).

    `index` counts the sentences from 0. Raises SettingsError for a sentence that is not there.
    """
    return _with(report, index, (replace(_sentence(report, index), decision=decision),))


def reword(
    backbone: Backbone,
    risk: RiskModel | None,
    report: Report,
    index: int,
    text: str,
    *,
    ground: EvidenceSources | None = None,
) -> Report:
    """The report with one sentence in a person's words, judged anew against the same film.

    The words may make several sentences; all stay in the old one's section and bear in `written`
    what stood there first. None of them is accepted by that. No words at all reject the sentence.
    `ground` is that of `ground_again`, which is made here where it is not given (a film is
    encoded again then). Raises SettingsError for a sentence that is not there, and for a text
    that has no sentence or over 20,000 characters.
    """
    old = _sentence(report, index)
    said = text.strip()
    if not said:
        return decide(report, index, "rejected")
    if said == old.text:
        return report
    found = judge_text(
        text_to_check(said),
        ground or sources_again(backbone, report),
        risk,
        has_prior=bool(report.study.prior_report.strip()),
    )
    first = old.written or old.text
    new = tuple(
        replace(one, section=old.section, written="" if one.text == first else first)
        for one in found
    )
    return _with(report, index, new)


def sources_again(backbone: Backbone, report: Report) -> EvidenceSources:
    """What the sentences of a report are checked against, made again: one film encoded.

    Other drafts of the film are not drawn again. One ground serves every rewording of the report.
    """
    encoded = backbone.encode([report.study.films[0]])[0]
    look = probe_output_of(backbone, encoded)
    return gather_sources(look, report.neighbours, (), report.study, report.gate)


def _sentence(report: Report, index: int) -> Sentence:
    if not 0 <= index < len(report.sentences):
        raise SettingsError(
            f"The report has no sentence {index + 1}; it has {len(report.sentences)}."
        )
    return report.sentences[index]


def _with(report: Report, index: int, new: tuple[Sentence, ...]) -> Report:
    sentences = report.sentences[:index] + new + report.sentences[index + 1 :]
    return replace(report, sentences=sentences)
