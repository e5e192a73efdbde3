"""The library of cases: what it holds, adding films with their reports, searching, removing."""

from __future__ import annotations

from html import escape
from pathlib import Path

import gradio as gr

from assistant.assistant import Assistant
from assistant.cases.ingest import add_film
from assistant.cases.search import search_cases
from assistant.cases.similar import neighbour_of
from assistant.errors import LibraryError, SettingsError, WetreadError
from assistant.intake import read_film
from ui.cases_view import shelf_html
from ui.events import AT_ONCE, BY_MODEL, Updates, panel, text_of
from ui.jobs import in_model_thread
from ui.markup import CRASHED, error
from ui.read_tab import ReadTab
from ui.session import Session

FOUND_MOST = 24  # cases that a search shows


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
                    self.words = gr.Textbox(
                        label="Search by words", lines=1, max_length=300, scale=6,
                        placeholder="right pleural effusion, a case's id, a word of a report",
                        elem_id="find",
                    )  # fmt: skip
                    self.find = gr.Button("Search", variant="primary", min_width=80, scale=1)
                    self.like = gr.Button("Like the film on the desk", min_width=140, scale=2)
                self.told = panel("", "library-told")
                self.found = panel("", "found", "buttons.js")
        self._wire()

    def enter(self) -> Updates:
        """What the library holds now, and its newest cases."""
        return {**self.search(""), **self.show()}

    def show(self) -> Updates:
        """What the library holds now."""
        library = self.assistant.library
        if library is None:
            return {self.stats: error("No library is open.")}
        held = library.stats()
        rows = [("Cases", held.cases), ("Patients", held.patients),
                ("Without a patient", held.without_patient),
                ("Found by this backbone", held.embedded), ("Index", held.index),
                ("Snapshot", held.snapshot)]  # fmt: skip
        rows += [(f"From {name or 'nowhere named'}", count) for name, count in held.sources]
        body = "".join(f"<dt>{escape(str(a))}</dt><dd>{escape(str(b))}</dd>" for a, b in rows)
        return {self.stats: f'<dl class="stats" aria-label="Library">{body}</dl>'}

    def search(self, words: str) -> Updates:
        """The cases that fit some words; the newest where there are none."""
        try:
            found = search_cases(self.assistant.require_library(), words or "", limit=FOUND_MOST)
        except WetreadError as problem:
            return {self.told: error(str(problem)), self.found: ""}
        cases = [neighbour_of(case, 0.0) for case in found]
        return {self.told: "", self.found: shelf_html(self.assistant, cases, alike=False)}

    def alike(self, desk: Session) -> Updates:
        """The cases most like the film on the desk."""
        try:
            if desk.here is None:
                raise SettingsError("There is no film on the desk; drop one under Read first.")
            found = in_model_thread(self.assistant.similar, desk.here.film, FOUND_MOST)
        except WetreadError as problem:
            return {self.told: error(str(problem)), self.found: ""}
        return {self.told: "", self.found: shelf_html(self.assistant, found, alike=True)}

    def put(self, paths: list[str] | None, report: str, patient: str, source: str) -> Updates:
        """Add films with one report, and delete the files."""
        added = known = 0
        try:
            for path in paths or ():
                done = in_model_thread(
                    add_film,
                    self.assistant.backbone,
                    self.assistant.require_library(),
                    read_film(path),
                    report=report or "",
                    patient=(patient or "").strip() or None,
                    source=(source or "").strip(),
                )
                added, known = added + done.new, known + (not done.new)
            if not paths:
                raise SettingsError("There is no film to add; drop one first.")
        except WetreadError as problem:
            return {self.files: None, self.told: error(str(problem)), **self.show()}
        finally:
            for path in paths or ():
                Path(path).unlink(missing_ok=True)
        words = f"{added} added, {known} known already."
        return {self.files: None, self.report: "", self.patient: "",
                self.told: f'<p role="status">{words}</p>', **self.show()}  # fmt: skip

    def remove(self, words: str, event: gr.EventData) -> Updates:
        """Remove a case with its report and picture."""
        case = text_of(event, "case")
        try:
            if self.assistant.library is None:
                raise LibraryError("No library is open; start the chat with one.")
            self.assistant.library.remove(case)
        except WetreadError as problem:
            return {self.told: error(str(problem))}
        told = f'<p role="status">Case {escape(case)} is removed.</p>'
        return {**self.search(words), self.told: told, **self.show()}

    def _wire(self) -> None:
        shown = [self.stats, self.told, self.found, self.files, self.report, self.patient]
        asked = [self.files, self.report, self.patient, self.source]
        events = [self.add.click(self.put, asked, shown, **BY_MODEL)]
        events += [start(self.search, self.words, shown, **BY_MODEL)
                   for start in (self.find.click, self.words.submit)]  # fmt: skip
        events.append(self.like.click(self.alike, self.reading.desk, shown, **BY_MODEL))
        events.append(self.found.act(self.remove, self.words, shown, **AT_ONCE))
        for event in events:
            event.failure(lambda: CRASHED, None, self.told, **AT_ONCE)
