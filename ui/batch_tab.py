"""The tab Batch: drafts a zip of films, or a folder of this machine, one after the other."""

from __future__ import annotations

import shutil
import time
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any

import gradio as gr

from assistant.assistant import Assistant
from assistant.batch.manifest import source_of
from assistant.batch.run import Manifest, draft_rows, find_manifest, read_manifest
from assistant.drafting.sources import as_study
from assistant.errors import SettingsError, WetreadError
from assistant.intake.zips import unpack
from ui.batch_view import NO_BATCH, batch_html
from ui.events import AT_ONCE, FORGET_AFTER, IN_BATCH, Updates, index_of, panel, paths_of
from ui.jobs import in_model_thread
from ui.markup import CRASHED, error
from ui.read_tab import ReadTab
from ui.session import Session
from ui.web.folders import check_space
from ui.web.uploads import delete_upload

MAX_FILMS = 2000  # films of one batch on a page; the command line takes any number
BATCH = "batch"  # a job
HINT = (
    '<p class="dim">A table cases.csv beside the films may give indications. Films are named by '
    "their number, never by their file.</p>"
)
FILMS_TOGETHER = 2  # films drafted together: a reader waits no longer than for these
REFRESH_SECONDS = 0.5  # between two updates of the table


class BatchTab:
    """The widgets of the tab, and what happens when one is used."""

    def __init__(
        self, assistant: Assistant, reading: ReadTab, tabs: gr.Tabs, *, local: bool
    ) -> None:
        """With `local` a path of this machine may be named."""
        self.assistant, self.reading, self.tabs = assistant, reading, tabs
        self.local = local
        self.manifest = gr.State(None, time_to_live=FORGET_AFTER)
        self.rows = gr.State((), time_to_live=FORGET_AFTER)
        with gr.Row():
            with gr.Column(scale=3, min_width=250):
                self.zip = gr.File(label="A zip of films", height=150, elem_id="zip",
                                   file_types=[".zip"])  # fmt: skip
                self.folder = gr.Textbox(
                    label="Or a folder, or a manifest, on this machine", lines=1, visible=local,
                    placeholder="a folder with a cases.csv, or of films", elem_id="folder",
                )  # fmt: skip
                with gr.Row():
                    self.go = gr.Button("Draft them", variant="primary", min_width=90)
                    self.stop = gr.Button("Stop", min_width=70)
                panel(HINT, "zip-hint")
            with gr.Column(scale=12, min_width=320):
                self.table = panel(NO_BATCH, "batch", "buttons.js")
        self._wire()

    def take_zip(self, session: Session, file: Any) -> Updates:
        """Unpack a zip into the session's own folder, in the place of the one before; delete it."""
        path = next(iter(paths_of(file)), None)
        if path is None:
            return {self.zip: None}
        folder = session.make_folder() / BATCH
        try:
            shutil.rmtree(folder, ignore_errors=True)
            folder.mkdir(mode=0o700)
            manifest = find_manifest(unpack(Path(path), folder))
            check_space(folder.parent, 0, session.limits.session_bytes, session.limits.free_bytes)
        except WetreadError as problem:
            shutil.rmtree(folder, ignore_errors=True)
            return {self.zip: None, self.table: error(str(problem))}
        finally:
            delete_upload(path)
        words = f"{len(manifest.rows)} films are unpacked."
        return {self.zip: None, self.manifest: manifest, self.rows: (),
                self.table: f'<p role="status">{words}</p>'}  # fmt: skip

    def request_batch(self, session: Session) -> Updates:
        """Request a batch."""
        session.request(BATCH)
        return {self.reading.session: session}

    def run_batch(
        self, session: Session, manifest: Manifest | None, folder: str
    ) -> Iterator[Updates]:
        """Draft all films of the zip or the folder, updating the table meanwhile."""
        request = session.begin(BATCH)
        rows: tuple[Mapping[str, Any], ...] = ()
        started = last_shown = time.monotonic()
        try:
            if self.local and (folder or "").strip():
                path = Path(folder.strip()).expanduser()
                manifest = read_manifest(path) if path.is_file() else find_manifest(path)
            total = _count_films(manifest)
            yield {self.table: batch_html((), total, 0.0), self.manifest: manifest, self.rows: ()}
            ended = "All are drafted."
            drafting = draft_rows(self.assistant, manifest, batch=FILMS_TOGETHER)  # type: ignore[arg-type]
            while (row := in_model_thread(lambda: next(drafting, None))) is not None:
                if request is None or request.stopped.is_set():
                    ended = "It was stopped."
                    break
                rows = (*rows, row)
                if (now := time.monotonic()) - last_shown >= REFRESH_SECONDS:
                    last_shown = now
                    yield {self.table: batch_html(rows, total, now - started), self.rows: rows}
            html = batch_html(rows, total, time.monotonic() - started, ended)
            yield {self.table: html, self.rows: rows}
        except WetreadError as problem:
            yield {self.table: error(str(problem))}
        finally:
            session.end(BATCH)

    def stop_batches(self, session: Session) -> None:
        """Stop the batches of this session."""
        session.stop(BATCH)

    def open_film(
        self, session: Session, manifest: Manifest | None, rows: tuple, event: gr.EventData
    ) -> Updates:
        """Open a film of the batch under Read: the same film gives the same draft."""
        reading, index = self.reading, index_of(event)
        if manifest is None or not 0 <= index < min(len(rows), len(manifest.rows)):
            return {reading.session: session}
        try:
            found = as_study(source_of(manifest.rows[index], f"film {index + 1}"))
            study = session.open_study(found.films)
            prior = found.prior.films if found.prior else ()
            session.replace_prior(study, tuple(session.keep(film) for film in prior))
        except WetreadError as problem:
            return {self.table: error(str(problem))}
        study.indication, study.prior_report = found.indication, found.prior_report
        return {**reading.queue_draft(session), self.tabs: gr.Tabs(selected="read")}

    def _wire(self) -> None:
        reading = self.reading
        zip_outputs = [self.zip, self.table, self.manifest, self.rows]
        self.zip.upload(self.take_zip, [reading.session, self.zip], zip_outputs, **AT_ONCE)
        inputs = [reading.session, self.manifest, self.folder]
        outputs = [self.table, self.manifest, self.rows]
        start = self.go.click(self.request_batch, reading.session, reading.session, **AT_ONCE)
        running = start.success(self.run_batch, inputs, outputs, **IN_BATCH)
        running.failure(lambda: CRASHED, None, self.table, **AT_ONCE)
        self.stop.click(self.stop_batches, reading.session, None, **AT_ONCE)
        open_inputs = [reading.session, self.manifest, self.rows]
        reading.draft_after(self.table.act, self.open_film, open_inputs, self.tabs, self.table)


def _count_films(manifest: Manifest | None) -> int:
    """How many films a batch has; SettingsError where there are none or too many for a page."""
    if manifest is None:
        raise SettingsError("There are no films yet; drop a zip of some.")
    if (total := len(manifest.rows)) > MAX_FILMS:
        raise SettingsError(
            f"{total} films are more than the {MAX_FILMS} that a page can show; use "
            "`wetread batch`, which takes any number."
        )
    return total
