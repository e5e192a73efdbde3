"""The pipeline from studies to reports: gate, similar cases, writing, judgement.

It holds the parts and the options of one call, and keeps no state between two studies.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace

from assistant.backbones.protocols import Backbone
from assistant.cases.similar import find_similar
from assistant.drafting.draft import DraftOptions, WrittenDraft, write_drafts
from assistant.drafting.studies import gate_whole_studies
from assistant.evidence.risk import RiskModel
from assistant.evidence.rules import abstention_of, judge_sentences
from assistant.gate import GatedStudy
from assistant.provenance import provenance_of
from assistant.types import Neighbour, ProbeFinding, Report, Study
from retrieval import Library


def adapter_task(backbone: Backbone, task: str) -> str | None:
    """The task, if the backbone has an adapter for it; None: the base alone."""
    return task if task in backbone.tasks else None


def risk_model_of(backbone: Backbone, task: str | None) -> RiskModel | None:
    """The backbone's risk model; None unless it was fitted on drafts with this adapter."""
    identity = backbone.identity_for(task)
    risk = backbone.risk
    return risk if risk and risk.fits(identity.revision, identity.adapter) else None


@dataclass(frozen=True, slots=True, eq=False)
class DraftPipeline:
    """Drafts studies with one backbone, one library and the options of one call."""

    backbone: Backbone
    library: Library | None
    options: DraftOptions

    @property
    def task(self) -> str | None:
        """The adapter that writes; None: the base alone."""
        return adapter_task(self.backbone, "report") if self.options.use_adapter else None

    @property
    def risk(self) -> RiskModel | None:
        """The risk model of what this adapter drafts, if there is one."""
        return risk_model_of(self.backbone, self.task)

    def gate(self, studies: Sequence[Study]) -> list[GatedStudy]:
        """Encode each study's films and judge them with the gate."""
        return gate_whole_studies(
            self.backbone,
            studies,
            correct=self.options.correct,
            anyway=self.options.anyway,
            to_writer=self.backbone.instructed and self.task is None,
        )

    def probe(self, gated: Sequence[GatedStudy]) -> list[tuple[ProbeFinding, ...]] | None:
        """What the probe finds in each film; None without a probe."""
        return self.backbone.probe_encoded([study.encoded for study in gated])

    def find_neighbours(self, gated: GatedStudy) -> tuple[Neighbour, ...]:
        """The cases most similar to a film, without those under the floor of similarity."""
        floor, risk = self.options.floor, self.risk
        if floor is None and risk is not None:
            floor = risk.floor
        neighbours = find_similar(
            self.library,
            gated.encoded.embedding,
            self.options.neighbours,
            own_case=gated.study.films[0].sha256[:16],
            exclude=(*self.options.exclude, *(f.sha256[:16] for f in gated.study.films[1:])),
        )
        return tuple(n for n in neighbours if floor is None or n.similarity >= floor)

    def write(self, gated: Sequence[GatedStudy]) -> list[WrittenDraft | None]:
        """Each study's draft before judgement; None for a study that the gate refused."""
        passed = [study for study in gated if study.passed]
        neighbours = [self.find_neighbours(study) for study in passed]
        samples = self.options.samples
        if samples is None:
            samples = self.risk.samples if self.risk else 0
        drafts = write_drafts(
            self.backbone,
            passed,
            neighbours,
            task=self.task,
            seed=self.options.seed,
            samples=samples,
            on_text=self.options.on_text,
        )
        remaining = iter(drafts)
        return [next(remaining) if study.passed else None for study in gated]

    def report(self, gated: Sequence[GatedStudy]) -> list[Report]:
        """Each study's report with judged sentences; an empty one where the gate refused."""
        return [
            self._judge(study, draft) for study, draft in zip(gated, self.write(gated), strict=True)
        ]

    def _judge(self, gated: GatedStudy, draft: WrittenDraft | None) -> Report:
        sentences, removed, request = (), (), ""
        if draft is not None:
            request = draft.request
            sentences, removed = judge_sentences(
                draft.generation, draft.sources, self.risk, has_prior=draft.sources.has_prior
            )
        identity = self.backbone.identity_for(self.task)
        provenance = provenance_of(identity, self.library, request, self.options.seed)
        return Report(
            study=gated.study,
            sentences=sentences,
            neighbours=draft.neighbours if draft else (),
            gate=gated.gate,
            provenance=replace(provenance, films=gated.uses),
            removed=removed,
            abstention=abstention_of(gated.gate, sentences),
        )
