"""Questions about the current film and their answers."""

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
    """The questions with their answers, and the input of the next one."""

    def __init__(self, assistant: Assistant, session: gr.State, rail: gr.HTML) -> None:
        self.assistant, self.session, self.rail = assistant, session, rail
        self.talk = panel("", "talk", "buttons.js")
        with gr.Row(elem_id="ask", elem_classes="line"):
            self.question = gr.Textbox(
                label="Ask about the film, or describe a film to paint", lines=1, max_length=500,
                scale=8, placeholder="Is there an effusion? Which side? How wide is the heart?",
            )  # fmt: skip
            self.send = gr.Button("Ask", variant="primary", scale=1, min_width=80)
            self.paint = gr.Button("Paint it", scale=1, min_width=80, elem_id="paint-it")

    def wire(self, prior_report: gr.Textbox) -> None:
        """Connect the events; questions are answered with the prior's report."""
        outputs = [self.session, self.rail, self.talk, self.question]
        inputs = [self.session, self.question, prior_report]
        starts = [
            self.question.submit(self.ask, inputs, outputs, **BY_MODEL),
            self.send.click(self.ask, inputs, outputs, **BY_MODEL),
            self.talk.act(self.ask_offered, [self.session, prior_report], outputs, **BY_MODEL),
        ]
        for start in starts:
            start.failure(lambda: CRASHED, None, self.talk, **AT_ONCE)

    def ask(self, session: Session, question: str, prior_report: str) -> Iterator[Updates]:
        """Answer a question about the current study."""
        study = session.current
        if study is None:
            yield {self.talk: error("There is no film to ask about; drop one first.")}
            return
        study.prior_report = prior_report or ""
        yield {self.talk: talk_html(study, waiting=question), self.question: ""}
        history = [(answer.understood or answer.question, answer.text) for answer in study.answers]
        try:
            answer = in_model_thread(
                self.assistant.ask, study.to_study(), question or "", history=history
            )
        except WetreadError as problem:
            if session.current is study:
                yield {self.talk: talk_html(study, failure=str(problem))}
            return
        study.answers = (*study.answers, answer)
        if session.current is study:
            yield {
                self.session: session,
                self.rail: rail_html(session),
                self.talk: talk_html(study),
            }

    def ask_offered(
        self, session: Session, prior_report: str, event: gr.EventData
    ) -> Iterator[Updates]:
        """Ask one of the example questions."""
        yield from self.ask(session, text_of(event, "question"), prior_report)
