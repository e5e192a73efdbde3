"""The similar cases below the film, and their filters by source and by finding."""

from __future__ import annotations

from typing import Any

import gradio as gr

from assistant.assistant import Assistant
from assistant.chest.vocabulary import FINDINGS
from assistant.errors import WetreadError
from ui.cases_view import cases_html
from ui.events import AT_ONCE, BY_MODEL, Updates, panel
from ui.jobs import in_model_thread
from ui.markup import CRASHED, error
from ui.session import Session

ANY = ""


class CasesRow:
    """The strip of similar cases and its filters."""

    def __init__(self, assistant: Assistant, session: gr.State) -> None:
        self.assistant = assistant
        names = [(finding.name, finding.key) for finding in FINDINGS]
        with gr.Accordion("Which similar cases", open=False), gr.Row():
            self.origin = gr.Dropdown(
                [("any", ANY)], value=ANY, label="From", min_width=150, elem_id="origin"
            )
            self.finding = gr.Dropdown(
                [("any", ANY), *names], value=ANY, label="With the finding", min_width=150
            )
        self.cases = panel("", "cases", "buttons.js")

        filters = [session, self.origin, self.finding]
        for choice in (self.origin, self.finding):
            running = choice.input(self.filter_cases, filters, [session, self.cases], **BY_MODEL)
            running.failure(lambda: CRASHED, None, self.cases, **AT_ONCE)

    def filter_cases(self, session: Session, origin: str, finding: str) -> Updates:
        """Search again for similar cases: of one source, or with one finding."""
        study = session.current
        if study is None:
            return {self.cases: gr.skip()}
        try:
            study.neighbours = in_model_thread(
                self.assistant.similar,
                study.films[0],
                exclude=study.excluded_cases,
                origin=origin or None,
                finding=finding or None,
            )
        except WetreadError as problem:
            return {self.cases: error(str(problem))}
        return {self.cases: cases_html(self.assistant, study)}

    def list_origins(self) -> Any:
        """The library's current sources, as choices."""
        library = self.assistant.library
        names = [name for name, _ in library.stats().sources if name] if library else []
        return gr.update(choices=[("any", ANY), *names])
