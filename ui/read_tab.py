"""The tab Read: film input, the viewer, the draft, similar cases and questions."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from functools import partial
from typing import Any

import gradio as gr

from assistant.assistant import Assistant
from assistant.drafting.review import decide, reword
from assistant.drafting.sources import as_study
from assistant.drafting.study_files import MOST_FILMS
from assistant.errors import SettingsError, Stopped, WetreadError
from assistant.intake import read_film
from assistant.intake.orientation import correct_film
from assistant.types import Film, Report
from ui.cases_row import CasesRow
from ui.cases_view import cases_html
from ui.draft_view import NO_DRAFT, checked_html, draft_html, writing_html
from ui.events import AT_ONCE, BY_MODEL, Updates, index_of, panel, paths_of, text_of
from ui.film_view import NO_FILM, rail_html, viewer_html
from ui.jobs import JobResult, follow_job, in_model_thread
from ui.markup import CRASHED, error
from ui.samples_row import SamplesRow
from ui.session import DraftRequest, OpenStudy, Session, delete_films
from ui.talk_row import TalkRow
from ui.talk_view import talk_html
from ui.web.uploads import delete_upload

DECISIONS = {"accept": "accepted", "reject": "rejected"}
DRAFT = "draft"  # a job


class ReadTab:
    """The widgets of the tab, and what happens when one is used."""

    def __init__(self, assistant: Assistant, session: gr.State) -> None:
        self.assistant, self.session = assistant, session
        with gr.Row(elem_id="room"):
            with gr.Column(scale=3, min_width=230):
                self._input_column()
            with gr.Column(scale=6, min_width=320):
                self.film = panel(NO_FILM, "film", "viewer.js")
            with gr.Column(scale=6, min_width=320):
                self.draft = panel(NO_DRAFT, "draft", "draft.js")
                self.checked = panel("", "checked", "checked.js", visible="hidden")
        self.talking = TalkRow(assistant, session, self.rail)
        self.alike = CasesRow(assistant, session)
        self._wire()

    def _input_column(self) -> None:
        self.drop = gr.File(label="Films: DICOM, PNG, JPEG or TIFF", height=165, elem_id="drop",
                            file_count="multiple")  # fmt: skip
        self.samples = SamplesRow()
        self.indication = gr.Textbox(label="Indication", lines=2, max_length=500)
        with gr.Accordion("Prior film and report", open=False):
            self.prior = gr.File(label="Prior film", height=110, elem_id="prior")
            self.prior_report = gr.Textbox(label="Prior report", lines=3, max_length=5000)
        with gr.Row():
            self.go = gr.Button("Draft", variant="primary", min_width=90, elem_id="go")
            self.stop = gr.Button("Stop", min_width=70, elem_id="stop")
        self.correct = gr.Button("Put it right and draft", visible=False, elem_id="right")
        self.anyway = gr.Button("Draft it anyway", visible=False, elem_id="anyway")
        self.rail = panel(rail_html(Session()), "rail", "buttons.js")

    # Updates of what is shown

    def show_study(self, session: Session) -> Updates:
        """Everything that the tab shows of the current study."""
        return {
            **self.show_film(session),
            **self.show_draft(session),
            self.indication: session.current.indication if session.current else "",
            self.prior_report: session.current.prior_report if session.current else "",
        }

    def show_film(self, session: Session) -> Updates:
        """The viewer and the list of studies."""
        return {
            self.session: session,
            self.film: viewer_html(session),
            self.rail: rail_html(session),
        }

    def show_draft(self, session: Session) -> Updates:
        """Draft, similar cases and answers."""
        study = session.current
        gate = study.report.gate if study and study.report else None
        return {
            self.session: session,
            self.rail: rail_html(session),
            self.draft: draft_html(study),
            self.alike.cases: cases_html(self.assistant, study),
            self.talking.talk: talk_html(study),
            self.correct: gr.update(visible=bool(gate and gate.correction)),
            self.anyway: gr.update(
                visible=bool(gate and gate.answer == "refuse" and not study.report.sentences)  # type: ignore[union-attr]
            ),
        }

    # Opening films

    def take_films(
        self, session: Session, files: Any, indication: str, prior_report: str
    ) -> Updates:
        """Read the films that were dropped as one study, and delete the files."""
        paths, failure = paths_of(files), ""
        films: list[Film] = []
        try:
            if len(paths) > MOST_FILMS:
                raise SettingsError(
                    f"{len(paths)} files are more than the {MOST_FILMS} films of one study; "
                    "draft them as a batch."
                )
            for path in paths:  # only one of them is in memory
                films.append(session.keep(read_film(path)))
            as_study(films)  # those of several studies are refused
        except WetreadError as problem:
            failure = str(problem)
            delete_films(films)
        finally:
            for path in paths:
                delete_upload(path)
        if failure or not paths:
            return {self.drop: None, self.draft: error(failure) if failure else gr.skip()}
        session.open_study(tuple(films), indication, prior_report)
        return {self.drop: None, **self.queue_draft(session)}

    def take_sample(
        self, opener: Callable[[], Film], session: Session, indication: str, prior_report: str
    ) -> Updates:
        """Open a sample film, for a visitor without a film."""
        session.open_study((opener(),), indication, prior_report)
        return self.queue_draft(session)

    def take_prior(self, session: Session, file: Any) -> Updates:
        """Read the prior film, and delete the file."""
        path = next(iter(paths_of(file)), None)
        if path is None:
            return {self.prior: None}
        try:
            if session.current is None:
                raise SettingsError("There is no study yet; drop its film first.")
            session.replace_prior(session.current, (session.keep(read_film(path)),))
            return {self.prior: None, **self.show_film(session)}
        except WetreadError as problem:
            return {self.prior: None, self.draft: error(str(problem))}
        finally:
            delete_upload(path)

    def pick_film(self, session: Session, event: gr.EventData) -> Updates:
        """Show another film of the study."""
        study, index = session.current, index_of(event)
        if study is None or not 0 <= index < len(study.all_films):
            return {self.session: session}
        study.film_index = index
        return self.show_film(session)

    def select_or_close(self, session: Session, event: gr.EventData) -> Updates:
        """Show another study, or close one."""
        number = index_of(event, "number")
        (session.close_study if text_of(event, "do") == "drop" else session.select)(number)
        return self.show_study(session)

    def correct_and_draft(self, session: Session) -> Updates:
        """Correct the film as the gate says, then draft it."""
        study = session.current
        if study is None or study.report is None or study.report.gate.correction is None:
            return {self.session: session}
        first, *others = study.films
        corrected = session.keep(correct_film(first, study.report.gate.correction))
        session.replace_films(study, (corrected, *others))
        study.report, study.film_index = None, 0
        return self.queue_draft(session)

    # Drafting

    def request_draft(
        self, anyway: bool, session: Session, indication: str, prior_report: str
    ) -> Updates:
        """Request a draft of the current study with the texts that were typed."""
        study = session.current
        if study is None:
            return {self.draft: NO_DRAFT}
        study.indication, study.prior_report = indication or "", prior_report or ""
        return self.queue_draft(session, anyway=anyway)

    def queue_draft(self, session: Session, *, anyway: bool = False) -> Updates:
        """Queue the current study to be drafted."""
        session.request(DRAFT, anyway)
        return {**self.show_study(session), self.draft: writing_html("")}

    def run_draft(self, session: Session) -> Iterator[Updates]:
        """Draft the first study in the queue, showing the text as it is written."""
        request = session.begin(DRAFT)
        study = session.find(request.study_number) if request else None
        try:
            if request is None or study is None:
                yield {self.session: session}
                return
            films = study.films
            for text in self._follow_draft(session, study, request):
                if session.current is study:
                    yield {self.draft: writing_html(text)}
            # The draft of a study that is not shown waits until that study is shown again.
            corrected = study.films != films
            yield {
                self.session: session,
                self.rail: rail_html(session),
                **(self.show_draft(session) if session.current is study else {}),
                **(self.show_film(session) if session.current is study and corrected else {}),
            }
        finally:
            session.end(DRAFT)

    def _follow_draft(
        self, session: Session, study: OpenStudy, request: DraftRequest
    ) -> Iterator[str]:
        """Draft a study and keep its report, giving the text as it is written."""

        def draft(on_text: Callable[[str], None]) -> Report:
            return self.assistant.draft(
                study.to_study(),
                exclude=study.excluded_cases,
                anyway=request.anyway,
                on_text=on_text,
            )

        try:
            for update in follow_job(draft, request.stopped):
                if isinstance(update, JobResult):
                    session.keep_report(study, update.result)
                    study.neighbours, study.failure = update.result.neighbours, ""
                else:
                    yield update.latest
        except Stopped:
            study.failure = "" if study.report else "It was stopped before the draft was whole."
        except WetreadError as problem:
            study.failure = str(problem)

    # Review

    def decide(self, session: Session, event: gr.EventData) -> Updates:
        """Accept or reject a sentence, or undo that."""
        study, index = session.current, index_of(event)
        decision = DECISIONS.get(text_of(event, "how"))
        if study is None or study.report is None or decision is None:
            return {self.session: session}
        if not 0 <= index < len(study.report.sentences):
            return {self.session: session}
        previous = study.report.sentences[index].decision
        study.report = decide(study.report, index, None if previous == decision else decision)  # type: ignore[arg-type]
        return {self.session: session, self.draft: draft_html(study)}

    def check_sentence(self, session: Session, event: gr.EventData) -> Updates:
        """Check a sentence while it is edited."""
        study, index = session.current, index_of(event)
        if study is None or study.report is None:
            return {self.session: session}
        count_before = len(study.report.sentences)
        try:
            report = in_model_thread(self._reword, study.report, index, text_of(event))
        except WetreadError as problem:
            return {self.checked: f'<div data-index="{index}">{error(str(problem))}</div>'}
        count = len(report.sentences) - count_before + 1
        return {self.checked: checked_html(index, report.sentences[index : index + count])}

    def _reword(self, report: Report, index: int, text: str) -> Report:
        """The report with one sentence reworded and judged again."""
        return reword(self.assistant.backbone, self.assistant.risk, report, index, text)

    def save_sentence(self, session: Session, event: gr.EventData) -> Updates:
        """Replace a sentence by the edited text."""
        study = session.current
        if study is None or study.report is None:
            return {self.session: session}
        try:
            index, text = index_of(event), text_of(event)
            study.report = in_model_thread(self._reword, study.report, index, text)
        except WetreadError as problem:
            return {self.draft: error(str(problem)) + draft_html(study)}
        return {self.session: session, self.draft: draft_html(study)}

    def exclude_or_include(self, session: Session, event: gr.EventData) -> Updates:
        """Exclude a case from this study's drafts, or include all again; then draft again."""
        study, case = session.current, text_of(event, "case")
        if study is None:
            return {self.session: session}
        include = text_of(event, "do") == "include"
        study.excluded_cases = (
            () if include else tuple(dict.fromkeys((*study.excluded_cases, case)))
        )
        return self.queue_draft(session)

    # Events

    def draft_after(self, event: Any, handler: Any, inputs: Any, *more_outputs: Any) -> None:
        """On an event, run a handler that queues a draft, then draft.

        `more_outputs` are components that the handler updates besides those of this tab.
        """
        queued = event(handler, inputs, [*self.shown, *more_outputs], **AT_ONCE)
        self._run_with_model(queued.success, self.run_draft, self.session)

    def _run_with_model(self, event: Any, handler: Any, inputs: Any) -> None:
        """On an event, run a handler that needs the model; show an error should it crash."""
        # Only one part shows the place in the queue: a page that moves in many places is slow.
        options: Any = {**BY_MODEL, "show_progress_on": self.draft}
        running = event(handler, inputs, self.shown, **options)
        running.failure(self.show_crash, self.session, self.shown, **AT_ONCE)

    def _wire(self) -> None:
        self.shown = [self.session, self.drop, self.prior, self.film, self.rail, self.draft,
                      self.alike.cases, self.talking.talk, self.correct, self.anyway,
                      self.indication, self.prior_report, self.checked]  # fmt: skip
        typed_inputs = [self.indication, self.prior_report]
        self.draft_after(
            self.drop.upload, self.take_films, [self.session, self.drop, *typed_inputs]
        )
        for button, opener in self.samples.openers:
            self.draft_after(
                button.click, partial(self.take_sample, opener), [self.session, *typed_inputs]
            )
        self.draft_after(self.correct.click, self.correct_and_draft, self.session)
        self.draft_after(self.alike.cases.act, self.exclude_or_include, self.session)
        for button, anyway in ((self.go, False), (self.anyway, True)):
            self.draft_after(
                button.click, partial(self.request_draft, anyway), [self.session, *typed_inputs]
            )
        self.talking.wire(self.prior_report)
        for event, handler in (
            (self.draft.check, self.check_sentence),
            (self.draft.save, self.save_sentence),
        ):
            self._run_with_model(event, handler, self.session)
        for event, handler in (
            (self.film.pick, self.pick_film),
            (self.rail.act, self.select_or_close),
            (self.draft.decide, self.decide),
        ):
            event(handler, self.session, self.shown, **AT_ONCE)
        self.prior.upload(self.take_prior, [self.session, self.prior], self.shown, **AT_ONCE)
        self.stop.click(self.stop_drafts, self.session, None, **AT_ONCE)

    def stop_drafts(self, session: Session) -> None:
        """Stop the drafts of this session, queued ones too."""
        session.stop(DRAFT)

    def show_crash(self, session: Session) -> Updates:
        """Show an unexpected failure."""
        return {**self.show_draft(session), self.draft: CRASHED}
