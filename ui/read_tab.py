"""The reading room: films on the desk, the viewer, the draft, similar cases and the talk."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from dataclasses import replace
from functools import partial
from pathlib import Path
from typing import Any

import gradio as gr
import numpy as np

from assistant.assistant import Assistant
from assistant.chest.phantoms import make_phantom
from assistant.drafting.review import decide, reword
from assistant.errors import SettingsError, Stopped, WetreadError
from assistant.intake import read_film, read_film_bytes
from assistant.intake.orientation import correct_film
from assistant.intake.png import png
from assistant.types import Film, Report
from ui.cases_row import CasesRow
from ui.cases_view import cases_html
from ui.draft_view import NO_DRAFT, checked_html, draft_html, writing_html
from ui.events import AT_ONCE, BY_MODEL, Updates, index_of, panel, text_of
from ui.film_view import NO_FILM, rail_html, viewer_html
from ui.jobs import JobResult, follow_job, in_model_thread
from ui.markup import CRASHED, error
from ui.session import DraftRequest, OpenStudy, Session
from ui.talk_row import TalkRow
from ui.talk_view import talk_html

SAMPLES = (7, 0, 4)  # three test phantoms: a healthy one, and two that are ill
DECISIONS = {"accept": "accepted", "reject": "rejected"}
FILMS_MOST = 8  # films of one study
DRAFT = "draft"  # a job


class ReadTab:
    """The widgets of the tab, and what happens when one is used."""

    def __init__(self, assistant: Assistant, desk: gr.State) -> None:
        self.assistant, self.desk = assistant, desk
        with gr.Row(elem_id="room"):
            with gr.Column(scale=3, min_width=230):
                self._desk_column()
            with gr.Column(scale=6, min_width=320):
                self.film = panel(NO_FILM, "film", "viewer.js")
            with gr.Column(scale=6, min_width=320):
                self.draft = panel(NO_DRAFT, "draft", "draft.js")
                self.checked = panel("", "checked", "checked.js", visible="hidden")
        self.talking = TalkRow(assistant, desk, self.rail)
        self.alike = CasesRow(assistant, desk)
        self._wire()

    # Widgets

    def _desk_column(self) -> None:
        self.drop = gr.File(label="Films: DICOM, PNG, JPEG or TIFF", height=165, elem_id="drop",
                            file_count="multiple")  # fmt: skip
        gr.HTML('<p class="dim">No film at hand? Try a synthetic one:</p>')
        with gr.Row():
            self.samples = [gr.Button(f"Sample {n}", size="sm", min_width=70) for n in "ABC"]
        self.indication = gr.Textbox(label="Indication", lines=2, max_length=500)
        with gr.Accordion("Prior film and report", open=False):
            self.prior = gr.File(label="Prior film", height=110, elem_id="prior")
            self.prior_report = gr.Textbox(label="Prior report", lines=3, max_length=5000)
        with gr.Row():
            self.go = gr.Button("Draft", variant="primary", min_width=90, elem_id="go")
            self.stop = gr.Button("Stop", min_width=70, elem_id="stop")
        self.right = gr.Button("Put it right and draft", visible=False, elem_id="right")
        self.anyway = gr.Button("Draft it anyway", visible=False, elem_id="anyway")
        self.rail = panel(rail_html(Session()), "rail", "buttons.js")

    # What is shown

    def screen(self, desk: Session) -> Updates:
        """All that the tab shows of the study that is looked at."""
        return {
            **self.picture(desk),
            **self.said(desk),
            self.indication: desk.here.indication if desk.here else "",
            self.prior_report: desk.here.prior_report if desk.here else "",
        }

    def picture(self, desk: Session) -> Updates:
        """The viewer and the list of studies."""
        return {self.desk: desk, self.film: viewer_html(desk), self.rail: rail_html(desk)}

    def said(self, desk: Session) -> Updates:
        """Draft, similar cases and talk."""
        visit = desk.here
        gate = visit.report.gate if visit and visit.report else None
        return {
            self.desk: desk,
            self.rail: rail_html(desk),
            self.draft: draft_html(visit),
            self.alike.cases: cases_html(self.assistant, visit),
            self.talking.talk: talk_html(visit),
            self.right: gr.update(visible=bool(gate and gate.correction)),
            self.anyway: gr.update(
                visible=bool(gate and gate.answer == "refuse" and not visit.report.sentences)  # type: ignore[union-attr]
            ),
        }

    # Putting films on the desk

    def take(
        self, desk: Session, paths: list[str] | None, indication: str, prior_report: str
    ) -> Updates:
        """Read the films that were dropped as one study, and delete the files."""
        films: list[Film] = []
        wrong = ""
        try:
            if paths and len(paths) > FILMS_MOST:
                raise SettingsError(
                    f"{len(paths)} files are more than the {FILMS_MOST} films of one study; "
                    "draft them as a batch."
                )
            films = [read_film(path) for path in paths or ()]
        except WetreadError as problem:
            wrong = str(problem)
        finally:
            for path in paths or ():
                Path(path).unlink(missing_ok=True)
        if wrong or not films:
            return {self.drop: None, self.draft: error(wrong) if wrong else gr.skip()}
        desk.put(tuple(films), indication, prior_report)
        return {self.drop: None, **self.asked_for(desk)}

    def sample(self, number: int, desk: Session, indication: str, prior_report: str) -> Updates:
        """Take a phantom as the film: a visitor has none."""
        pixels = make_phantom(7, number, split="test").film.astype(np.float32) / 255
        film = read_film_bytes(png(pixels, synthetic=True), "sample")
        desk.put((film,), indication, prior_report)
        return self.asked_for(desk)

    def take_prior(self, desk: Session, path: str | None) -> Updates:
        """Read the prior film, and delete the file."""
        if path is None:
            return {self.prior: None}
        try:
            if desk.here is None:
                raise SettingsError("There is no study yet; drop its film first.")
            desk.here.prior = (read_film(path),)
            return {self.prior: None, **self.picture(desk)}
        except WetreadError as problem:
            return {self.prior: None, self.draft: error(str(problem))}
        finally:
            Path(path).unlink(missing_ok=True)

    def pick(self, desk: Session, event: gr.EventData) -> Updates:
        """Look at another film of the study."""
        visit, index = desk.here, index_of(event)
        if visit is None or not 0 <= index < len(visit.all_films):
            return {self.desk: desk}
        visit.shown = index
        return self.picture(desk)

    def rail_act(self, desk: Session, event: gr.EventData) -> Updates:
        """Look at another study, or take one off the desk."""
        number = index_of(event, "number")
        (desk.drop if text_of(event, "do") == "drop" else desk.select)(number)
        return self.screen(desk)

    def put_right(self, desk: Session) -> Updates:
        """Turn or invert the film as the gate said."""
        visit = desk.here
        if visit is None or visit.report is None or visit.report.gate.correction is None:
            return {self.desk: desk}
        first, *others = visit.films
        visit.films = (correct_film(first, visit.report.gate.correction), *others)
        visit.report, visit.shown = None, 0
        return self.asked_for(desk)

    # Drafting

    def wished(self, anyway: bool, desk: Session, indication: str, prior_report: str) -> Updates:
        """Ask for a draft of the study that is looked at."""
        if desk.here is None:
            return {self.draft: NO_DRAFT}
        desk.here.indication, desk.here.prior_report = indication or "", prior_report or ""
        return self.asked_for(desk, anyway=anyway)

    def asked_for(self, desk: Session, *, anyway: bool = False) -> Updates:
        """Put the study that is looked at in line to be drafted."""
        desk.request(DRAFT, anyway)
        return {**self.screen(desk), self.draft: writing_html("")}

    def read(self, desk: Session) -> Iterator[Updates]:
        """Draft the study whose turn it is, showing the text as it is written."""
        wish = desk.begin(DRAFT)
        visit = desk.find(wish.visit) if wish else None
        try:
            if wish is None or visit is None:
                yield {self.desk: desk}
                return
            before = visit.films
            for told in self._reading(visit, wish):
                if desk.here is visit:
                    yield {self.draft: writing_html(told)}
            # A draft of a study that is not looked at waits until it is looked at again.
            moved = visit.films != before
            yield {
                self.desk: desk,
                self.rail: rail_html(desk),
                **(self.said(desk) if desk.here is visit else {}),
                **(self.picture(desk) if desk.here is visit and moved else {}),
            }
        finally:
            desk.end(DRAFT)

    def _reading(self, visit: OpenStudy, wish: DraftRequest) -> Iterator[str]:
        """Draft a study onto the desk, giving the text as it is written."""
        try:
            for news in follow_job(partial(self._drafted, visit, wish.anyway), wish.stopped):
                if isinstance(news, JobResult):
                    visit.report, visit.films = news.result, _read_first(visit.films, news.result)
                    visit.near, visit.failed = news.result.neighbours, ""
                else:
                    yield news.told
        except Stopped:
            visit.failed = "" if visit.report else "It was stopped before the draft was whole."
        except WetreadError as problem:
            visit.failed = str(problem)

    def _drafted(self, visit: OpenStudy, anyway: bool, tell: Callable[[str], None]) -> Report:
        """The draft of the first film of a study that the gate lets through, or of the first."""
        study = visit.study()
        reports = []
        for film in visit.films:
            others = tuple(one for one in visit.films if one is not film)
            asked = replace(study, films=(film, *others))
            report = self.assistant.draft(
                asked, exclude=visit.excluded, anyway=anyway, on_text=tell
            )
            if report.gate.answer != "refuse":
                return report
            reports.append(report)
        return reports[0]

    # Judging and mending

    def decide(self, desk: Session, event: gr.EventData) -> Updates:
        """Accept or reject a sentence, or take that back."""
        visit, index = desk.here, index_of(event)
        wish = DECISIONS.get(text_of(event, "how"))
        if visit is None or visit.report is None or wish is None:
            return {self.desk: desk}
        if not 0 <= index < len(visit.report.sentences):
            return {self.desk: desk}
        now = visit.report.sentences[index].decision
        visit.report = decide(visit.report, index, None if now == wish else wish)  # type: ignore[arg-type]
        return {self.desk: desk, self.draft: draft_html(visit)}

    def check(self, desk: Session, event: gr.EventData) -> Updates:
        """Check what a sentence would say, while it is edited."""
        visit, index = desk.here, index_of(event)
        if visit is None or visit.report is None:
            return {self.desk: desk}
        before = len(visit.report.sentences)
        try:
            after = in_model_thread(self._reword, visit.report, index, text_of(event))
        except WetreadError as problem:
            return {self.checked: f'<div data-index="{index}">{error(str(problem))}</div>'}
        count = len(after.sentences) - before + 1
        return {self.checked: checked_html(index, after.sentences[index : index + count])}

    def _reword(self, report: Report, index: int, text: str) -> Report:
        """A sentence in a person's words, judged anew."""
        return reword(self.assistant.backbone, self.assistant.risk, report, index, text)

    def save(self, desk: Session, event: gr.EventData) -> Updates:
        """Put what was written in place of a sentence."""
        visit = desk.here
        if visit is None or visit.report is None:
            return {self.desk: desk}
        try:
            index, text = index_of(event), text_of(event)
            visit.report = in_model_thread(self._reword, visit.report, index, text)
        except WetreadError as problem:
            return {self.draft: error(str(problem)) + draft_html(visit)}
        return {self.desk: desk, self.draft: draft_html(visit)}

    def case_act(self, desk: Session, event: gr.EventData) -> Updates:
        """Leave a case out of the drafts of this study, or take all back, and draft again."""
        visit, case = desk.here, text_of(event, "case")
        if visit is None:
            return {self.desk: desk}
        back = text_of(event, "do") == "include"
        visit.excluded = () if back else tuple(dict.fromkeys((*visit.excluded, case)))
        return self.asked_for(desk)

    # Events

    def reads(self, event: Any, handler: Any, inputs: Any, *also: Any) -> None:
        """On an event, put a film in line by a handler that shows `also` more, then draft it."""
        start = event(handler, inputs, [*self.shown, *also], **AT_ONCE)
        self._run(start.success, self.read, self.desk)

    def _run(self, event: Any, handler: Any, inputs: Any) -> None:
        """What needs the model, with what is shown should it crash."""
        # One part tells the place in line: a page that moves in a dozen places takes a core.
        where: Any = {**BY_MODEL, "show_progress_on": self.draft}
        running = event(handler, inputs, self.shown, **where)
        running.failure(self.crashed, self.desk, self.shown, **AT_ONCE)

    def _wire(self) -> None:
        self.shown = [self.desk, self.drop, self.prior, self.film, self.rail, self.draft,
                      self.alike.cases, self.talking.talk, self.right, self.anyway,
                      self.indication, self.prior_report, self.checked]  # fmt: skip
        typed = [self.indication, self.prior_report]
        self.reads(self.drop.upload, self.take, [self.desk, self.drop, *typed])
        for sample, number in zip(self.samples, SAMPLES, strict=True):
            self.reads(sample.click, partial(self.sample, number), [self.desk, *typed])
        self.reads(self.right.click, self.put_right, self.desk)
        self.reads(self.alike.cases.act, self.case_act, self.desk)
        for button, anyway in ((self.go, False), (self.anyway, True)):
            self.reads(button.click, partial(self.wished, anyway), [self.desk, *typed])
        self.talking.wire(self.prior_report)
        for event, handler in ((self.draft.check, self.check), (self.draft.save, self.save)):
            self._run(event, handler, self.desk)
        for event, handler in (
            (self.film.pick, self.pick),
            (self.rail.act, self.rail_act),
            (self.draft.decide, self.decide),
        ):
            event(handler, self.desk, self.shown, **AT_ONCE)
        self.prior.upload(self.take_prior, [self.desk, self.prior], self.shown, **AT_ONCE)
        self.stop.click(self.stopped, self.desk, None, **AT_ONCE)

    def stopped(self, desk: Session) -> None:
        """Stop the drafts of this session, those in line too."""
        desk.stop(DRAFT)

    def crashed(self, desk: Session) -> Updates:
        """What is shown after a failure that Wetread did not foresee."""
        return {**self.said(desk), self.draft: CRASHED}


def _read_first(films: tuple[Film, ...], report: Report) -> tuple[Film, ...]:
    """The films of a study, the one that was read at the front."""
    read = report.study.films[0]
    return (read, *(film for film in films if film is not read))
