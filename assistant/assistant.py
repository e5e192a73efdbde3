"""The one walk from film to report, and the short jobs beside it.

`Assistant` holds the parts and keeps nothing between two studies. The command line, the chat,
the batch run and the evaluation all call these methods; there is no second inference path.
"""

from __future__ import annotations

import os
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import replace
from functools import partial
from pathlib import Path
from typing import Any, Literal, Unpack, overload

from assistant.backbones.loading import load_backbone
from assistant.backbones.protocols import Backbone, Encoded
from assistant.cases.similar import find_similar
from assistant.drafting.check import check_report, text_to_check
from assistant.drafting.draft import DraftOptions, WrittenDraft, write_drafts
from assistant.drafting.prefetch import prefetch
from assistant.drafting.schedule import BatchOptions, BatchPlan, DraftStages, draft_in_windows
from assistant.drafting.sources import FailedStudy, Source, as_study
from assistant.evidence.risk import RiskModel
from assistant.evidence.rules import (
    SentenceSignals,
    abstention_of,
    examine_sentences,
    judge_sentences,
)
from assistant.gate import GatedStudy, gate_studies
from assistant.iterables import batched
from assistant.painting.painting import check_and_mark
from assistant.paths import library_folder
from assistant.prompts import paint_request
from assistant.provenance import provenance_of
from assistant.types import (
    Answer,
    Film,
    Neighbour,
    OnProgress,
    OnText,
    Painting,
    PaintRequest,
    Provenance,
    Report,
    Study,
)
from assistant.vqa.answer import answer_question
from assistant.vqa.followup import Turns
from retrieval import Library, LibraryError


class Assistant:
    """Drafts reports, paints films and finds similar cases with one backbone and one library."""

    def __init__(self, backbone: Backbone, library: Library | None = None) -> None:
        """Put the parts together; `Assistant.load` finds them by name."""
        self.backbone = backbone
        self.library = library

    @classmethod
    def load(
        cls,
        backbone: str | Path = "mini",
        library: str | os.PathLike | None = None,
        adapters: Sequence[Path] = (),
        *,
        download: bool = False,
    ) -> Assistant:
        """Load a backbone and open the library of cases, by default the user's own.

        `backbone` is `mini`, a checkpoint folder, ORG/NAME@COMMIT of the hub, or a settings file
        that puts several together. A folder in `adapters` takes the place of the backbone's own
        adapter for its task. Nothing is fetched from the hub without `download`, or the settings'
        own. Raises BackboneError, SettingsError or LibraryError with what to do.
        """
        loaded = load_backbone(backbone, adapters, download=download)
        folder = Path(library) if library is not None else library_folder()
        return cls(loaded, Library.open(folder, encoder=loaded.encoder_id, dim=loaded.dim))

    def require_library(self) -> Library:
        """The open library; LibraryError where the assistant was put together without one."""
        if self.library is None:
            raise LibraryError("No library is open; load the assistant with one.")
        return self.library

    def close(self) -> None:
        """Close the library; the assistant is done with."""
        if self.library:
            self.library.close()

    def __enter__(self) -> Assistant:
        return self

    def __exit__(self, *_: object) -> None:
        self.close()

    def draft(
        self,
        source: Source,
        *,
        indication: str = "",
        prior_report: str = "",
        neighbours: int = 5,
        seed: int = 0,
        exclude: Sequence[str] = (),
        use_adapter: bool = True,
        samples: int | None = None,
        correct: bool = False,
        anyway: bool = False,
        on_text: OnText | None = None,
    ) -> Report:
        """Draft the report of one film or study.

        `prior_report` is that of an earlier film of the patient: without it nothing is compared.
        `neighbours` is how many similar cases to use at most, 0 for none; cases named in
        `exclude`, and the film's own case, are never among them. The backbone writes with its
        adapter "report" where it has one, told what the similar cases show, and as the base
        alone if `use_adapter` is False. `samples` other drafts are drawn to see whether they
        agree, by default as many as the risk was fitted with. Of a film that the gate refuses
        nothing is written, unless `anyway`; with `correct` a film that is turned or inverted is
        put right first. The same film, versions and seed give the same report, but for its
        time. `told` hears in this thread the text as it is written, and then, while others are
        drawn, the best so far; what it raises (`Stopped`, say) ends the writing and goes through.
        Raises IntakeError for a film that cannot be read, SettingsError for a bad option.
        """
        options = DraftOptions(
            neighbours=neighbours,
            seed=seed,
            exclude=tuple(exclude),
            use_adapter=use_adapter,
            samples=samples,
            correct=correct,
            anyway=anyway,
            on_text=on_text,
        )
        study = as_study(source, indication, prior_report)
        return self._reports(options, self._admit(options, [study]))[0]

    @overload
    def draft_many(
        self,
        sources: Iterable[Source],
        *,
        errors: Literal["raise"] = "raise",
        **how: Unpack[BatchOptions],
    ) -> Iterator[Report]: ...

    @overload
    def draft_many(
        self,
        sources: Iterable[Source | FailedStudy],
        *,
        errors: Literal["give"],
        **how: Unpack[BatchOptions],
    ) -> Iterator[Report | FailedStudy]: ...

    def draft_many(
        self, sources: Iterable[Any], *, errors: str = "raise", **how: Unpack[BatchOptions]
    ) -> Iterator[Any]:
        """Draft studies of any number, taken from the iterable as they are needed.

        `errors` says what becomes of a study that cannot be drafted: "raise" ends with its
        IntakeError once the reports before it are given, "give" puts a `FailedStudy` in its place
        and goes on. `how` are the options of `draft`, where `told` hears of the first film of each
        batch, and those of `BatchOptions`. Raises SettingsError for a bad option.
        """
        plan = BatchPlan.of(how)
        stages = DraftStages(
            partial(self._admit, plan.options),
            lambda asked: self.backbone.probe_encoded([one.encoded for one in asked]),
            partial(self._reports, plan.options),
        )
        studies = prefetch(sources, plan.workers, plan.batch)
        return draft_in_windows(studies, plan, stages, strict=errors == "raise")

    def check(
        self,
        source: Source,
        text: str,
        *,
        indication: str = "",
        prior_report: str = "",
        neighbours: int = 5,
        exclude: Sequence[str] = (),
        correct: bool = False,
        anyway: bool = False,
    ) -> Report:
        """Judge a report that someone wrote, sentence by sentence, as a draft is judged.

        The backbone writes nothing, and nothing of the text is removed: a comparison without a
        prior and a number that nothing computed are "unsupported". The report's `author` is
        "person"; the other options are those of `draft`. Raises SettingsError for a text without
        a sentence or of more than 20,000 characters, IntakeError for a film that cannot be read.
        """
        options = DraftOptions(neighbours, exclude=tuple(exclude), correct=correct, anyway=anyway)
        given = text_to_check(text)
        study = as_study(source, indication, prior_report)
        one = self._admit(options, [study])[0]
        near = self._cited(one, options, self.risk) if one.passed else ()
        return check_report(
            self.backbone, one, near, given, self.risk, self._provenance(given, 0, None)
        )

    def signals_of_drafts(
        self, sources: Iterable[Source], options: DraftOptions, *, batch: int = 8
    ) -> Iterator[tuple[SentenceSignals, ...]]:
        """The sentences of each source's draft with the signals of their claims, in order.

        What a risk model is fitted on.
        """
        for some in batched(sources, batch):
            asked = self._admit(options, [as_study(source) for source in some])
            for _, drafted in self._write(options, asked):
                yield () if drafted is None else examine_sentences(drafted.written, drafted.ground)

    def _admit(self, options: DraftOptions, studies: Sequence[Study]) -> list[GatedStudy]:
        return gate_studies(self.backbone, studies, correct=options.correct, anyway=options.anyway)

    def _write(
        self, options: DraftOptions, asked: Sequence[GatedStudy]
    ) -> list[tuple[GatedStudy, WrittenDraft | None]]:
        """Each study with what the gate says, and what was written of it if anything was."""
        read = [one for one in asked if one.passed]
        task = self._task("report") if options.use_adapter else None
        risk = self._risk_for(task)
        near = [self._cited(one, options, risk) for one in read]
        samples = options.samples
        if samples is None:
            samples = risk.samples if risk else 0
        seed, told = options.seed, options.on_text
        texts = iter(write_drafts(self.backbone, read, near, task, seed, samples, told))
        return [(one, next(texts) if one.passed else None) for one in asked]

    def _cited(
        self, one: GatedStudy, options: DraftOptions, risk: RiskModel | None
    ) -> tuple[Neighbour, ...]:
        """The similar cases of a film that are like enough to be cited."""
        floor = options.floor if options.floor is not None or not risk else risk.floor
        near = self._find_similar(
            one.encoded, one.study.films[0], options.neighbours, options.exclude
        )
        return tuple(n for n in near if floor is None or n.similarity >= floor)

    def _reports(self, options: DraftOptions, asked: Sequence[GatedStudy]) -> list[Report]:
        task = self._task("report") if options.use_adapter else None
        risk = self._risk_for(task)
        reports = []
        for one, drafted in self._write(options, asked):
            has_prior = bool(one.study.prior_report)
            sentences, removed = (
                judge_sentences(drafted.written, drafted.ground, risk, has_prior=has_prior)
                if drafted
                else ((), ())
            )
            request = drafted.request if drafted else ""
            reports.append(
                Report(
                    study=one.study,
                    sentences=sentences,
                    neighbours=drafted.neighbours if drafted else (),
                    gate=one.gate,
                    provenance=self._provenance(request, options.seed, task),
                    removed=removed,
                    abstention=abstention_of(one.gate, sentences),
                )
            )
        return reports

    @property
    def risk(self) -> RiskModel | None:
        """The risk model of what this backbone drafts by default, if it has one."""
        return self._risk_for(self._task("report"))

    def _risk_for(self, task: str | None) -> RiskModel | None:
        """The risk model, if it was fitted on drafts of this backbone with this adapter."""
        identity = self.backbone.identity_for(task)
        risk = self.backbone.risk
        return risk if risk and risk.fits(identity.revision, identity.adapter) else None

    def ask(
        self,
        source: Source,
        question: str,
        *,
        prior_report: str = "",
        history: Turns = (),
        seed: int = 0,
        anyway: bool = False,
    ) -> Answer:
        """Answer a question about one film: computed where it can be, else by the adapter "answer".

        `prior_report` is the report of an earlier film of the same patient; by default that of
        the study. `history` are earlier questions about the film with their answers, the oldest
        first, by which "Which side?" is understood. A comparison without a prior is not answered,
        and a number that nothing computed is withheld; nor is anything of a film that the gate
        refuses, unless `anyway`. The answer is judged as a sentence of a draft, with the risk that
        was fitted on drafts' sentences: for answers an approximation. The same film, question,
        history, versions and seed give the same answer. Raises SettingsError for an empty question
        or one of more than 500 characters, BackboneError for a backbone without the adapter,
        IntakeError for a film that cannot be read.
        """
        study = as_study(source)
        study = replace(study, prior_report=prior_report or study.prior_report)
        return answer_question(
            self.backbone,
            self.library,
            self.risk,
            study=study,
            question=question,
            history=history,
            seed=seed,
            anyway=anyway,
        )

    def similar(
        self,
        source: Source,
        k: int = 5,
        *,
        exclude: Sequence[str] = (),
        origin: str | None = None,
        finding: str | None = None,
    ) -> tuple[Neighbour, ...]:
        """The library's cases most like a film, the most similar first; never the film itself.

        Only those whose source is `origin`, and whose report or labels assert `finding`, a key
        of the vocabulary, as present, where these are given: the search goes deeper until k are
        found, and ends with the library or the 2,000 nearest. Raises SettingsError for another
        finding, IntakeError for a film that cannot be read.
        """
        film = as_study(source).films[0]
        return self._find_similar(
            self.backbone.encode([film])[0], film, k, exclude, origin, finding
        )

    def paint(
        self,
        prompt: str,
        *,
        seed: int = 0,
        count: int = 1,
        guidance: float = 3.0,
        temperature: float = 0.5,
        site: str = "",
        mark: bool = True,
        on_progress: OnProgress | None = None,
    ) -> tuple[Painting, ...]:
        """Paint synthetic films that show what the prompt says.

        `count` is 1 to 16; `guidance` 1 or more, higher follows the prompt more closely; `site`
        the letter of the site whose style the films take, empty for none in particular. Each
        film is read back and compared with the library, and bears the word SYNTHETIC in its
        corner unless `mark` is False. The same prompt, seed and settings give the same films.
        `progress` hears in this thread of the tokens painted, of those of all films; what it
        raises (`Stopped`, say) ends the painting and goes through.
        Raises SettingsError on bad values.
        """
        request = PaintRequest(
            prompt,
            seed=seed,
            count=count,
            guidance=guidance,
            temperature=temperature,
            site=site,
        )
        painted = self.backbone.paint(request, on_progress)
        provenance = provenance_of(
            self.backbone.painter_identity, self.library, paint_request(prompt, site), seed
        )
        return check_and_mark(
            self.backbone,
            self.library,
            request,
            painted=painted,
            provenance=provenance,
            mark=mark,
        )

    def _find_similar(
        self,
        encoded: Encoded,
        film: Film,
        k: int,
        exclude: Sequence[str],
        origin: str | None = None,
        finding: str | None = None,
    ) -> tuple[Neighbour, ...]:
        if self.library is None or k == 0:
            return ()
        return find_similar(
            self.library,
            encoded.embedding,
            k,
            own=film.sha256[:16],
            exclude=exclude,
            origin=origin,
            finding=finding,
        )

    def _task(self, task: str) -> str | None:
        """The task, if the backbone has an adapter for it; None: the base alone."""
        return task if task in self.backbone.tasks else None

    def _provenance(self, request: str, seed: int, task: str | None) -> Provenance:
        return provenance_of(self.backbone.identity_for(task), self.library, request, seed)
