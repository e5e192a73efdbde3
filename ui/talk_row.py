"""Asking about the film on the desk."""

from __future__ import annotations

from collections.abc import Iterator

import gradio as gr

from assistant.assistant import Assistant
from assistant.errors import WetreadError
from ui.events import AT_ONCE, BY_MODEL, Updates, panel, text_of
from ui.film_view import rail_html
from ui.jobs import in_model_thread
from ui.markup import CRASHED, error
from ui.session import Session
from ui.talk_view import talk_html


class TalkRow:
    """What was asked and answered, and where one asks."""

    def __init__(self, assistant: Assistant, desk: gr.State, rail: gr.HTML) -> None:
        self.assistant, self.desk, self.rail = assistant, desk, rail
        self.talk = panel("", "talk", "buttons.js")
        with gr.Row(elem_id="ask", elem_classes="line"):
            self.question = gr.Textbox(
                label="Ask about the film, or describe a film to paint", lines=1, max_length=500,
                scale=8, placeholder="Is there an effusion? Which side? How wide is the heart?",
            )  # fmt: skip
            self.send = gr.Button("Ask", variant="primary", scale=1, min_width=80)
            self.paint = gr.Button("Paint it", scale=1, min_width=80, elem_id="paint-it")

    def wire(self, prior_report: gr.Textbox) -> None:
        """Answer what is asked, with what the prior's report says."""
        shown = [self.desk, self.rail, self.talk, self.question]
        asked = [self.desk, self.question, prior_report]
        starts = [
            self.question.submit(self.ask, asked, shown, **BY_MODEL),
            self.send.click(self.ask, asked, shown, **BY_MODEL),
            self.talk.act(self.chip, [self.desk, prior_report], shown, **BY_MODEL),
        ]
        for start in starts:
            start.failure(lambda: CRASHED, None, self.talk, **AT_ONCE)

    def ask(self, desk: Session, question: str, prior_report: str) -> Iterator[Updates]:
        """Answer a question about the study that is looked at."""
        visit = desk.here
        if visit is None:
            yield {self.talk: error("There is no film to ask about; drop one first.")}
            return
        visit.prior_report = prior_report or ""
        yield {self.talk: talk_html(visit, waiting=question), self.question: ""}
        history = [(answer.understood or answer.question, answer.text) for answer in visit.talk]
        try:
            asked = visit.study(), question or ""
            answer = in_model_thread(self.assistant.ask, *asked, history=history)
        except WetreadError as problem:
            if desk.here is visit:
                yield {self.talk: talk_html(visit, failed=str(problem))}
            return
        visit.talk = (*visit.talk, answer)
        if desk.here is visit:
            yield {self.desk: desk, self.rail: rail_html(desk), self.talk: talk_html(visit)}

    def chip(self, desk: Session, prior_report: str, event: gr.EventData) -> Iterator[Updates]:
        """Ask one of the questions that are offered."""
        yield from self.ask(desk, text_of(event, "question"), prior_report)
