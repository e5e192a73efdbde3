"""Checks a text that a person wrote against a film: the same judgement as a draft's, no writing.

Nothing of the text is taken out: what the rules of evidence would remove from a backbone's draft
stays, and is told for what it is.
"""

from __future__ import annotations

from collections.abc import Sequence

from assistant.backbones.protocols import Backbone
from assistant.errors import SettingsError
from assistant.evidence.collect import EvidenceSources, gather_sources
from assistant.evidence.risk import RiskModel
from assistant.evidence.rules import judge_sentences
from assistant.gate import GatedStudy, probe_output_of
from assistant.labeller.sentences import parse_sentences
from assistant.types import GeneratedText, Neighbour, Provenance, Report, Sentence

LONGEST_TEXT = 20_000  # characters


def text_to_check(text: str) -> str:
    """The text, if there is something in it to check; SettingsError for none or too much."""
    if len(text) > LONGEST_TEXT:
        raise SettingsError(
            f"The text has {len(text)} characters; check at most {LONGEST_TEXT}, the report of "
            "one film."
        )
    if not parse_sentences(text):
        raise SettingsError("The text has no sentence to check; give a report of the film.")
    return text


def judge_text(
    text: str, ground: EvidenceSources, risk: RiskModel | None, *, has_prior: bool
) -> tuple[Sentence, ...]:
    """The sentences of a text that no backbone wrote, judged; none is removed or changed."""
    written = GeneratedText(text, (), ())  # no tokens, so that nobody's confidence is measured
    return judge_sentences(written, ground, risk, has_prior=has_prior, removing=False)[0]


def check_report(
    backbone: Backbone,
    gated: GatedStudy,
    text: str,
    *,
    neighbours: Sequence[Neighbour],
    risk: RiskModel | None,
    provenance: Provenance,
) -> Report:
    """A person's text as a report: judged where the gate lets the film be read, else empty."""
    sentences: tuple[Sentence, ...] = ()
    if gated.passed:
        ground = gather_sources(
            probe_output_of(backbone, gated.encoded), neighbours, (), gated.study, gated.gate
        )
        has_prior = bool(gated.study.prior_report.strip())
        sentences = judge_text(text, ground, risk, has_prior=has_prior)
    # That a text is contradicted is what a check is for: only the gate speaks against the check.
    doubt = (
        "" if gated.gate.answer == "pass" else f"This check should not be used: {gated.gate.reason}"
    )
    return Report(
        study=gated.study,
        sentences=sentences,
        neighbours=tuple(neighbours),
        gate=gated.gate,
        provenance=provenance,
        abstention=doubt,
        author="person",
    )
