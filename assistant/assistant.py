"""`Assistant`: drafts, checks, answers, paints and searches with one backbone and one library.

It keeps no state between two studies. The command line, the chat, the batch run and the
evaluation all call these methods; there is no second inference path.
"""

from __future__ import annotations

import os
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import replace
from pathlib import Path
from typing import Any, Literal, Unpack, overload

from assistant.backbones.loading import load_backbone
from assistant.backbones.protocols import Backbone
from assistant.cases.similar import find_similar
from assistant.drafting.check import check_report, text_to_check
from assistant.drafting.draft import DraftOptions
from assistant.drafting.pipeline import DraftPipeline, adapter_task, risk_model_of
from assistant.drafting.prefetch import prefetch
from assistant.drafting.schedule import BatchOptions, BatchPlan, DraftStages, draft_in_windows
from assistant.drafting.sources import FailedStudy, FilmInput, Source, as_study
from assistant.drafting.studies import sort_films
from assistant.evidence.risk import RiskModel
from assistant.evidence.rules import (
    SentenceSignals,
    examine_sentences,
)
from assistant.iterables import batched
from assistant.painting.painting import check_and_mark
from assistant.paths import library_folder
from assistant.prompts import paint_request
from assistant.provenance import provenance_of
from assistant.types import (
    Answer,
    Neighbour,
    OnProgress,
    OnText,
    Painting,
    PaintRequest,
    Report,
)
from assistant.vqa.answer import answer_question
from assistant.vqa.followup import Turns
from retrieval import Library, LibraryError

PriorSource = FilmInput | Sequence[FilmInput] | None


class Assistant:
    """Drafts reports, paints films and finds similar cases with one backbone and one library."""

    def __init__(self, backbone: Backbone, library: Library | None = None) -> None:
        """Combine loaded parts; `Assistant.load` loads them by name."""
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
        """Close the library."""
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
        prior: PriorSource = None,
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

        `source` is a film, a file, the folder of a study, several films or files of one study, or
        a `Study`. What the films show decides what each is read as, and not their order: the best
        frontal is drafted, further frontals and laterals are read beside it, and a lateral alone
        is refused. `prior` is an earlier film of the patient, and `prior_report` the report of
        one: without either nothing is compared. What is not read is said in the report's notes.
        `neighbours` is how many similar cases to use at most, 0 for none; cases named in `exclude`,
        and the film's own case, are never among them. The backbone writes with its adapter "report"
        where it has one, whose prompt names what similar cases show, and as the base alone if
        `use_adapter` is False. `samples` further drafts are drawn to measure agreement, by default
        as many as the risk model was fitted with. Nothing is written about a film that the gate
        refuses, unless `anyway`; with `correct` a film that is turned or inverted is corrected
        first. The same film, versions and seed give the same report, but for its time. `on_text` is
        called in this thread with the text so far, and then, while further drafts are drawn, with
        the best so far; what it raises (`Stopped`, say) ends the writing and goes through. Raises
        IntakeError for a film that cannot be read, SettingsError for a bad option.
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
        study = as_study(source, indication, prior_report, prior)
        pipeline = DraftPipeline(self.backbone, self.library, options)
        return pipeline.report(pipeline.gate([study]))[0]

    @overload
    def draft_many(
        self,
        sources: Iterable[Source],
        *,
        errors: Literal["raise"] = "raise",
        **options: Unpack[BatchOptions],
    ) -> Iterator[Report]: ...

    @overload
    def draft_many(
        self,
        sources: Iterable[Source | FailedStudy],
        *,
        errors: Literal["give"],
        **options: Unpack[BatchOptions],
    ) -> Iterator[Report | FailedStudy]: ...

    def draft_many(
        self, sources: Iterable[Any], *, errors: str = "raise", **options: Unpack[BatchOptions]
    ) -> Iterator[Any]:
        """Draft any number of studies, taken from the iterable as they are needed.

        `errors` decides about a study that cannot be drafted: "raise" raises its IntakeError
        after the reports before it, "give" yields a `FailedStudy` in its place and goes on.
        `options` are those of `draft`, where `on_text` follows the first film of each batch, and
        those of `BatchOptions`. Raises SettingsError for a bad option.
        """
        plan = BatchPlan.from_options(options)
        pipeline = DraftPipeline(self.backbone, self.library, plan.options)
        stages = DraftStages(pipeline.gate, pipeline.probe, pipeline.report)
        studies = prefetch(sources, plan.workers, plan.batch)
        return draft_in_windows(studies, plan, stages, strict=errors == "raise")

    def check(
        self,
        source: Source,
        text: str,
        *,
        indication: str = "",
        prior_report: str = "",
        prior: PriorSource = None,
        neighbours: int = 5,
        exclude: Sequence[str] = (),
        correct: bool = False,
        anyway: bool = False,
    ) -> Report:
        """Judge a report that a person wrote, sentence by sentence, as a draft is judged.

        The backbone writes nothing, and nothing of the text is removed: a comparison without a
        prior and a number that nothing computed are "unsupported". The report's `author` is
        "person"; the other options are those of `draft`. Raises SettingsError for a text without
        a sentence or of more than 20,000 characters, IntakeError for a film that cannot be read.
        """
        options = DraftOptions(neighbours, exclude=tuple(exclude), correct=correct, anyway=anyway)
        report_text = text_to_check(text)
        study = as_study(source, indication, prior_report, prior)
        pipeline = DraftPipeline(self.backbone, self.library, options)
        gated = pipeline.gate([study])[0]
        return check_report(
            self.backbone,
            gated,
            report_text,
            neighbours=pipeline.find_neighbours(gated) if gated.passed else (),
            risk=self.risk,
            provenance=provenance_of(
                self.backbone.identity_for(None), self.library, report_text, 0
            ),
        )

    def signals_of_drafts(
        self, sources: Iterable[Source], options: DraftOptions, *, batch: int = 8
    ) -> Iterator[tuple[SentenceSignals, ...]]:
        """Each source's draft as its sentences with the signals of their claims, in order.

        A risk model is fitted on them.
        """
        pipeline = DraftPipeline(self.backbone, self.library, options)
        for sources_batch in batched(sources, batch):
            for draft in pipeline.write(
                pipeline.gate([as_study(source) for source in sources_batch])
            ):
                yield () if draft is None else examine_sentences(draft.generation, draft.sources)

    @property
    def risk(self) -> RiskModel | None:
        """The risk model of what this backbone drafts by default, if it has one."""
        task = adapter_task(self.backbone, "report")
        return risk_model_of(self.backbone, task)

    def ask(
        self,
        source: Source,
        question: str,
        *,
        prior_report: str = "",
        prior: PriorSource = None,
        history: Turns = (),
        seed: int = 0,
        anyway: bool = False,
    ) -> Answer:
        """Answer a question about one film: computed where it can be, else by the adapter "answer".

        `prior_report` is the report of an earlier film of the same patient, `prior` such a film;
        by default those of the study. `history` are earlier questions about the film with their
        answers, the oldest first, by which "Which side?" is understood. A comparison without a
        prior is not answered, and a number that nothing computed is withheld; nor is anything of a
        film that the gate refuses, unless `anyway`. The answer is judged as a sentence of a draft,
        with the risk that was fitted on drafts' sentences: for answers an approximation. The same
        film, question, history, versions and seed give the same answer. Raises SettingsError for
        an empty question or one of more than 500 characters, BackboneError for a backbone without
        the adapter, IntakeError for a film that cannot be read.
        """
        study = as_study(source, prior=prior)
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
        film, *others = as_study(source).films
        if others:  # of a whole study, the film that would be drafted
            film = sort_films((film, *others))[0].film
        return find_similar(
            self.library,
            self.backbone.encode([film])[0].embedding,
            k,
            own_case=film.sha256[:16],
            exclude=exclude,
            source=origin,
            finding=finding,
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
        `on_progress` is called in this thread with the number of tokens painted and of all
        tokens; what it raises (`Stopped`, say) ends the painting and goes through.
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
            pictures=painted,
            provenance=provenance,
            mark=mark,
        )
