"""The one walk from film to report, and the short jobs beside it.

`Assistant` holds the parts and keeps nothing between two studies. The command line, the chat,
the batch run and the evaluation all call these methods; there is no second inference path.
"""

from __future__ import annotations

import os
from collections.abc import Iterable, Iterator, Sequence
from itertools import islice
from pathlib import Path

import numpy as np

from assistant.admission import Admitted, admit, gate_of
from assistant.answering import write_answer
from assistant.backbones.base import Encoded
from assistant.backbones.janus import JanusBackbone
from assistant.backbones.load import load_backbone
from assistant.drafting import Drafted, Options, write_drafts
from assistant.errors import BackboneError, SettingsError
from assistant.findings import assertions
from assistant.home import library_folder
from assistant.intake import read_film
from assistant.paintings import finished
from assistant.precedent import precedent_of
from assistant.prompts import answer_request, paint_request
from assistant.provenance import provenance_of
from assistant.reading import claims_read, reading_words
from assistant.risk import RiskModel
from assistant.rules import Examined, abstention, examined, judge_answer, judge_sentences
from assistant.types import (
    Answer,
    Film,
    Neighbour,
    Painting,
    PaintSettings,
    Provenance,
    Report,
    Study,
)
from retrieval import Case, Library

LONGEST_QUESTION = 500
NOT_ANSWERED = "The film was refused, so that nothing is answered."
LONGEST_PROMPT = 2000  # characters
Source = str | os.PathLike | Film | Study


class Assistant:
    """Drafts reports, paints films and finds similar cases with one backbone and one library."""

    def __init__(self, backbone: JanusBackbone, library: Library | None = None) -> None:
        """Put the parts together; `Assistant.load` finds them by name."""
        self.backbone = backbone
        self.library = library

    @classmethod
    def load(
        cls,
        backbone: str | Path = "mini",
        library: str | os.PathLike | None = None,
        adapters: Sequence[Path] = (),
    ) -> Assistant:
        """Load a backbone and open the library of cases, by default the user's own.

        A folder in `adapters` takes the place of the backbone's own adapter for its task.
        Raises BackboneError or LibraryError with what to do.
        """
        loaded = load_backbone(backbone, adapters)
        folder = Path(library) if library is not None else library_folder()
        return cls(loaded, Library.open(folder, encoder=loaded.encoder_id, dim=loaded.dim))

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
        time. Raises IntakeError for a film that cannot be read, SettingsError for a bad option.
        """
        options = Options(
            *(neighbours, seed, tuple(exclude), use_adapter, samples),
            correct=correct,
            anyway=anyway,
        )
        return self._draft_batch([as_study(source, indication, prior_report)], options)[0]

    def draft_many(
        self,
        sources: Iterable[Source],
        *,
        neighbours: int = 5,
        seed: int = 0,
        exclude: Sequence[str] = (),
        batch: int = 8,
        use_adapter: bool = True,
        samples: int | None = None,
        correct: bool = False,
        anyway: bool = False,
    ) -> Iterator[Report]:
        """Draft studies in batches, one report for each source, in order.

        The options are those of `draft`. Raises IntakeError at the first film that cannot be
        read; the reports before it have been given by then.
        """
        options = Options(
            *(neighbours, seed, tuple(exclude), use_adapter, samples),
            correct=correct,
            anyway=anyway,
        )
        for studies in _batches(sources, batch):
            yield from self._draft_batch(studies, options)

    def examine(
        self, sources: Iterable[Source], options: Options, *, batch: int = 8
    ) -> Iterator[tuple[Examined, ...]]:
        """The sentences of each source's draft with the signals of their claims, in order.

        What a risk model is fitted on.
        """
        for studies in _batches(sources, batch):
            for _, drafted in self._written(studies, options):
                yield () if drafted is None else examined(drafted.written, drafted.ground)

    def _written(
        self, studies: Sequence[Study], options: Options
    ) -> list[tuple[Admitted, Drafted | None]]:
        """Each study with what the gate says, and what was written of it if anything was."""
        asked = admit(self.backbone, studies, correct=options.correct, anyway=options.anyway)
        read = [one for one in asked if one.read]
        task = self._task("report") if options.use_adapter else None
        risk = self._risk_for(task)
        floor = options.floor if options.floor is not None or not risk else risk.floor
        near = [
            tuple(
                n
                for n in self._near(
                    one.encoded, one.study.films[0], options.neighbours, options.exclude
                )
                if floor is None or n.similarity >= floor
            )
            for one in read
        ]
        samples = options.samples
        if samples is None:
            samples = risk.samples if risk else 0
        texts = iter(write_drafts(self.backbone, read, near, task, options.seed, samples))
        return [(one, next(texts) if one.read else None) for one in asked]

    def _draft_batch(self, studies: Sequence[Study], options: Options) -> list[Report]:
        task = self._task("report") if options.use_adapter else None
        risk = self._risk_for(task)
        reports = []
        for one, drafted in self._written(studies, options):
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
                    abstention=abstention(one.gate, sentences),
                )
            )
        return reports

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
        seed: int = 0,
        anyway: bool = False,
    ) -> Answer:
        """Answer a question about one film, with the adapter "answer".

        `prior_report` is the report of an earlier film of the same patient; by default that of
        the study. A comparison without it is not answered, and a number that nothing computed
        is withheld; nor is anything of a film that the gate refuses, unless `anyway`. The same
        film, question, versions and seed give the same answer. Raises SettingsError for an
        empty question or one of more than 500 characters, BackboneError for a backbone without
        the adapter, IntakeError for a film that cannot be read.
        """
        asked = " ".join(question.split())
        if not 1 <= len(asked) <= LONGEST_QUESTION:
            raise SettingsError(
                f"The question has {len(asked)} characters; ask in 1 to {LONGEST_QUESTION}."
            )
        study = as_study(source)
        prior = prior_report or study.prior_report
        task = self._task("answer")
        if task is None:  # the base alone would answer with a report
            raise BackboneError(
                f"The backbone {self.backbone.identity.name!r} has no adapter that answers "
                "questions; train one with `wetread train answer` or name its folder."
            )
        code = self.backbone.encode([study.films[0]])[0]
        gate = gate_of(self.backbone, study.films[0], code)
        read = self.backbone.read([code])
        seen = None if read is None else claims_read(read[0])
        told = "" if seen is None else reading_words(seen)
        request = answer_request(asked, precedent_of(prior), told)
        text, removed, logs = NOT_ANSWERED, (), ()
        if anyway or gate.answer != "refuse":
            written = write_answer(
                self.backbone, code, request, asked, seen, assertions(prior), seed
            )
            text, removed = judge_answer(asked, written.text, has_prior=bool(prior.strip()))
            logs = written.log_probabilities
        return Answer(
            question=asked,
            text=text,
            gate=gate,
            provenance=self._provenance(request, seed, task),
            log_probability=round(float(np.mean(logs)), 5) if logs else None,
            removed=removed,
        )

    def similar(
        self, source: Source, k: int = 5, *, exclude: Sequence[str] = ()
    ) -> tuple[Neighbour, ...]:
        """The library's cases most like a film, the most similar first; never the film itself."""
        film = as_study(source).films[0]
        return self._near(self.backbone.encode([film])[0], film, k, exclude)

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
    ) -> tuple[Painting, ...]:
        """Paint synthetic films that show what the prompt says.

        `count` is 1 to 16; `guidance` 1 or more, higher follows the prompt more closely; `site`
        the letter of the site whose style the films take, empty for none in particular. Each
        film is read back and compared with the library, and bears the word SYNTHETIC in its
        corner unless `mark` is False. The same prompt, seed and settings give the same films.
        Raises SettingsError on bad values.
        """
        if not prompt.strip():
            raise SettingsError("There is nothing to paint: say what the film should show.")
        if len(prompt) > LONGEST_PROMPT:
            raise SettingsError(
                f"The prompt has {len(prompt)} characters; say in {LONGEST_PROMPT} what to show."
            )
        if not 1 <= count <= 16 or guidance < 1 or temperature < 0:
            raise SettingsError(
                f"count = {count} must be 1 to 16, guidance = {guidance} at least 1 and "
                f"temperature = {temperature} at least 0."
            )
        painted = self.backbone.paint(
            prompt, count=count, seed=seed, guidance=guidance, temperature=temperature, site=site
        )
        provenance = self._provenance(paint_request(prompt, site), seed, self._task("image"))
        settings = PaintSettings(guidance, temperature, site)
        return finished(
            self.backbone, self.library, prompt, painted, provenance, settings, mark=mark
        )

    def _near(
        self, encoded: Encoded, film: Film, k: int, exclude: Sequence[str]
    ) -> tuple[Neighbour, ...]:
        if self.library is None or k == 0:
            return ()
        own = film.sha256[:16]
        hits = self.library.search(encoded.embedding, k + len(exclude), exclude_case=own)
        kept = [as_neighbour(h.case, h.similarity) for h in hits if h.case.id not in exclude]
        return tuple(kept[:k])

    def _task(self, task: str) -> str | None:
        """The task, if the backbone has an adapter for it; None: the base alone."""
        return task if task in self.backbone.tasks else None

    def _provenance(self, request: str, seed: int, task: str | None) -> Provenance:
        return provenance_of(self.backbone.identity_for(task), self.library, request, seed)


def _batches(sources: Iterable[Source], size: int) -> Iterator[list[Study]]:
    rest = iter(sources)
    while studies := [as_study(source) for source in islice(rest, size)]:
        yield studies


def as_study(source: Source, indication: str = "", prior_report: str = "") -> Study:
    """A study from a path, a film or a study; the path's film is read here."""
    if isinstance(source, Study):
        return source
    film = source if isinstance(source, Film) else read_film(source)
    return Study((film,), indication, prior_report=prior_report)


def as_neighbour(case: Case, similarity: float) -> Neighbour:
    """A case of the library as a draft cites it: without its patient."""
    return Neighbour(case.id, similarity, case.report, case.labels, case.source)
