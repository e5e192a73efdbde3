"""The tab Library: its statistics, adding films with their reports, searching, removing."""

from __future__ import annotations

from html import escape
from typing import Any

import gradio as gr

from assistant.assistant import Assistant
from assistant.cases.ingest import add_film
from assistant.cases.search import search_cases
from assistant.cases.similar import neighbour_of
from assistant.errors import LibraryError, SettingsError, WetreadError
from assistant.intake import read_film
from ui.cases_view import library_html
from ui.events import AT_ONCE, BY_MODEL, Updates, panel, paths_of, text_of
from ui.jobs import in_model_thread
from ui.markup import CRASHED, error
from ui.read_tab import ReadTab
from ui.session import Session
from ui.web.uploads import delete_upload

MAX_FOUND = 24  # cases that a search shows


class LibraryTab:
    """The widgets of the tab, and what happens when one is used."""

    def __init__(self, assistant: Assistant, reading: ReadTab) -> None:
        self.assistant, self.reading = assistant, reading
        with gr.Row():
            with gr.Column(scale=3, min_width=250):
                self.stats = panel("", "stats")
                with gr.Accordion("Add films", open=False):
                    self.files = gr.File(label="Films", file_count="multiple", height=110,
                                         elem_id="add-films")  # fmt: skip
                    self.report = gr.Textbox(label="Their report", lines=4, max_length=20_000)
                    self.patient = gr.Textbox(
                        label="Patient id (kept as a salted hash)", max_length=100
                    )
                    self.source = gr.Textbox(label="Source", max_length=60)
                    self.add = gr.Button("Add", variant="primary")
            with gr.Column(scale=12, min_width=320):
                with gr.Row(elem_classes="line"):
                    self.query = gr.Textbox(
                        label="Search by words", lines=1, max_length=300, scale=6,
                        placeholder="right pleural effusion, a case's id, a word of a report",
                        elem_id="find",
                    )  # fmt: skip
                    self.find = gr.Button("Search", variant="primary", min_width=80, scale=1)
                    self.like = gr.Button("Like the film on the desk", min_width=140, scale=2)
                self.message = panel("", "library-told")
                self.found = panel("", "found", "buttons.js")
        self._wire()

    def show_library(self) -> Updates:
        """The library's statistics and its newest cases."""
        return {**self.search(""), **self.show_stats()}

    def show_stats(self) -> Updates:
        """The library's statistics."""
        library = self.assistant.library
        if library is None:
            return {self.stats: error("No library is open.")}
        stats = library.stats()
        rows = [("Cases", stats.cases), ("Patients", stats.patients),
                ("Without a patient", stats.without_patient),
                ("Found by this backbone", stats.embedded), ("Index", stats.index),
                ("Snapshot", stats.snapshot)]  # fmt: skip
        rows += [(f"From {name or 'nowhere named'}", count) for name, count in stats.sources]
        body = "".join(f"<dt>{escape(str(a))}</dt><dd>{escape(str(b))}</dd>" for a, b in rows)
        return {self.stats: f'<dl class="stats" aria-label="Library">{body}</dl>'}

    def search(self, query: str) -> Updates:
        """The cases that match a query; the newest where it is empty."""
        try:
            cases = search_cases(self.assistant.require_library(), query or "", limit=MAX_FOUND)
        except WetreadError as problem:
            return {self.message: error(str(problem)), self.found: ""}
        neighbours = [neighbour_of(case, 0.0) for case in cases]
        html = library_html(self.assistant, neighbours, with_similarity=False)
        return {self.message: "", self.found: html}

    def search_similar(self, session: Session) -> Updates:
        """The cases most similar to the film that is shown."""
        try:
            if session.current is None:
                raise SettingsError("There is no film on the desk; drop one under Read first.")
            neighbours = in_model_thread(self.assistant.similar, session.current.film, MAX_FOUND)
        except WetreadError as problem:
            return {self.message: error(str(problem)), self.found: ""}
        html = library_html(self.assistant, neighbours, with_similarity=True)
        return {self.message: "", self.found: html}

    def add_films(self, files: Any, report: str, patient: str, source: str) -> Updates:
        """Add films with one report, and delete the files."""
        paths = paths_of(files)
        added = present = 0
        try:
            for path in paths:
                filed = in_model_thread(
                    add_film,
                    self.assistant.backbone,
                    self.assistant.require_library(),
                    read_film(path),
                    report=report or "",
                    patient=(patient or "").strip() or None,
                    source=(source or "").strip(),
                )
                added, present = added + filed.new, present + (not filed.new)
            if not paths:
                raise SettingsError("There is no film to add; drop one first.")
        except WetreadError as problem:
            return {self.files: None, self.message: error(str(problem)), **self.show_stats()}
        finally:
            for path in paths:
                delete_upload(path)
        words = f"{added} added, {present} known already."
        return {self.files: None, self.report: "", self.patient: "",
                self.message: f'<p role="status">{words}</p>', **self.show_stats()}  # fmt: skip

    def remove_case(self, query: str, event: gr.EventData) -> Updates:
        """Remove a case with its report and picture."""
        case = text_of(event, "case")
        try:
            if self.assistant.library is None:
                raise LibraryError("No library is open; start the chat with one.")
            self.assistant.library.remove(case)
        except WetreadError as problem:
            return {self.message: error(str(problem))}
        message = f'<p role="status">Case {escape(case)} is removed.</p>'
        return {**self.search(query), self.message: message, **self.show_stats()}

    def _wire(self) -> None:
        outputs = [self.stats, self.message, self.found, self.files, self.report, self.patient]
        inputs = [self.files, self.report, self.patient, self.source]
        events = [self.add.click(self.add_films, inputs, outputs, **BY_MODEL)]
        events += [start(self.search, self.query, outputs, **BY_MODEL)
                   for start in (self.find.click, self.query.submit)]  # fmt: skip
        events.append(
            self.like.click(self.search_similar, self.reading.session, outputs, **BY_MODEL)
        )
        events.append(self.found.act(self.remove_case, self.query, outputs, **AT_ONCE))
        for event in events:
            event.failure(lambda: CRASHED, None, self.message, **AT_ONCE)
