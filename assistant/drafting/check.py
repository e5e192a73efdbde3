"""Checks a text that a person wrote against a film, as a draft is judged; nothing is written.

No sentence is removed: what the rules of evidence would remove from a backbone's draft stays and
gets its verdict.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace

from assistant.backbones.protocols import Backbone
from assistant.drafting.studies import read_priors
from assistant.errors import SettingsError
from assistant.evidence.collect import EvidenceSources, gather_sources
from assistant.evidence.risk import RiskModel
from assistant.evidence.rules import judge_sentences
from assistant.gate import GatedStudy, probe_output_of
from assistant.labeller.sentences import parse_sentences
from assistant.types import GeneratedText, Neighbour, Provenance, Report, Sentence

LONGEST_TEXT = 20_000  # characters


def text_to_check(text: str) -> str:
    """The text itself; SettingsError where it has no sentence or too many characters."""
    if len(text) > LONGEST_TEXT:
        raise SettingsError(
            f"The text has {len(text)} characters; check at most {LONGEST_TEXT}, the report of "
            "one film."
        )
    if not parse_sentences(text):
        raise SettingsError("The text has no sentence to check; give a report of the film.")
    return text


def judge_text(text: str, sources: EvidenceSources, risk: RiskModel | None) -> tuple[Sentence, ...]:
    """Judge the sentences of a text that no backbone wrote; none is removed or changed."""
    generated = GeneratedText(text, (), ())  # no tokens, so there is no confidence to measure
    has_prior = sources.has_prior
    return judge_sentences(generated, sources, risk, has_prior=has_prior, remove=False)[0]


def sources_of(
    backbone: Backbone, gated: GatedStudy, neighbours: Sequence[Neighbour] = ()
) -> EvidenceSources:
    """What a text or an answer about a gated study is checked against; no draft of it is drawn."""
    probe = probe_output_of(backbone, gated.encoded)
    (prior,) = read_priors(backbone, [gated.prior])
    return gather_sources(probe, neighbours, (), gated.study, gated.gate, prior)


def check_report(
    backbone: Backbone,
    gated: GatedStudy,
    text: str,
    *,
    neighbours: Sequence[Neighbour],
    risk: RiskModel | None,
    provenance: Provenance,
) -> Report:
    """A person's text as a report: judged where the film passed the gate, else empty."""
    sentences: tuple[Sentence, ...] = ()
    if gated.passed:
        sentences = judge_text(text, sources_of(backbone, gated, neighbours), risk)
    # A check exists to find contradictions: only the gate can make the check itself unusable.
    abstention = (
        "" if gated.gate.answer == "pass" else f"This check should not be used: {gated.gate.reason}"
    )
    return Report(
        study=gated.study,
        sentences=sentences,
        neighbours=tuple(neighbours),
        gate=gated.gate,
        provenance=replace(provenance, films=gated.uses),
        abstention=abstention,
        author="person",
    )
