"""A batch: a zip of films, or a folder of this machine, drafted one after the other."""

from __future__ import annotations

import hashlib
import shutil
import tempfile
import time
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any

import gradio as gr

from assistant.assistant import Assistant
from assistant.batch.run import Manifest, draft_rows, find_manifest, read_manifest
from assistant.errors import SettingsError, WetreadError
from assistant.intake import read_film
from assistant.intake.zips import unpack
from ui.batch_view import NO_BATCH, batch_html
from ui.events import AT_ONCE, FORGET_AFTER, IN_BATCH, Updates, index_of, panel
from ui.jobs import in_model_thread
from ui.markup import CRASHED, error
from ui.read_tab import ReadTab
from ui.session import Session

AT_ONCE_MOST = 2000  # films of one batch on a page; the command line takes any number
BATCH = "batch"  # a job
TOGETHER = 2  # films drafted together: a reader waits no longer than for these
EVERY = 0.5  # seconds between two looks of the page at the table


class BatchTab:
    """The widgets of the tab, and what happens when one is used."""

    def __init__(
        self, assistant: Assistant, reading: ReadTab, tabs: gr.Tabs, home: Path, *, local: bool
    ) -> None:
        """`home` holds what sessions unpack; with `local` a path of the machine may be named."""
        self.assistant, self.reading, self.tabs, self.home = assistant, reading, tabs, home
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
                gr.HTML('<p class="dim">A table cases.csv beside the films may give indications. '
                        "Films are named by their number, never by their file.</p>")  # fmt: skip
            with gr.Column(scale=12, min_width=320):
                self.table = panel(NO_BATCH, "batch", "buttons.js")
        self._wire()

    def take(self, path: str | None, request: gr.Request) -> Updates:
        """Unpack a zip into the session's own folder, and delete it."""
        if path is None:
            return {self.zip: None}
        try:
            folder = Path(tempfile.mkdtemp(dir=self.of_session(request)))
            manifest = find_manifest(unpack(Path(path), folder))
        except WetreadError as problem:
            return {self.zip: None, self.table: error(str(problem))}
        finally:
            Path(path).unlink(missing_ok=True)
        words = f"{len(manifest.rows)} films are unpacked."
        return {self.zip: None, self.manifest: manifest, self.rows: (),
                self.table: f'<p role="status">{words}</p>'}  # fmt: skip

    def of_session(self, request: gr.Request) -> Path:
        """The folder of a session; nobody can guess it from outside."""
        name = hashlib.sha256(str(request.session_hash).encode()).hexdigest()[:24]
        folder = self.home / name
        folder.mkdir(mode=0o700, exist_ok=True)
        return folder

    def forget(self, request: gr.Request) -> None:
        """Delete what a session has unpacked."""
        shutil.rmtree(self.of_session(request), ignore_errors=True)

    def wished(self, desk: Session) -> Updates:
        """Ask for a batch."""
        desk.request(BATCH)
        return {self.reading.desk: desk}

    def run(self, desk: Session, manifest: Manifest | None, folder: str) -> Iterator[Updates]:
        """Draft all films of the zip or the folder, the table growing meanwhile."""
        wish = desk.begin(BATCH)
        rows: tuple[Mapping[str, Any], ...] = ()
        started = shown = time.monotonic()
        try:
            if self.local and (folder or "").strip():
                path = Path(folder.strip()).expanduser()
                manifest = read_manifest(path) if path.is_file() else find_manifest(path)
            of = _checked(manifest)
            yield {self.table: batch_html((), of, 0.0), self.manifest: manifest, self.rows: ()}
            ended = "All are drafted."
            drafting = draft_rows(self.assistant, manifest, named=False, batch=TOGETHER)  # type: ignore[arg-type]
            while (row := in_model_thread(lambda: next(drafting, None))) is not None:
                if wish is None or wish.stopped.is_set():
                    ended = "It was stopped."
                    break
                rows = (*rows, row)
                if (now := time.monotonic()) - shown >= EVERY:
                    shown = now
                    yield {self.table: batch_html(rows, of, now - started), self.rows: rows}
            html = batch_html(rows, of, time.monotonic() - started, ended)
            yield {self.table: html, self.rows: rows}
        except WetreadError as problem:
            yield {self.table: error(str(problem))}
        finally:
            desk.end(BATCH)

    def stopped(self, desk: Session) -> None:
        """Stop the batches of this session."""
        desk.stop(BATCH)

    def open(
        self, desk: Session, manifest: Manifest | None, rows: tuple, event: gr.EventData
    ) -> Updates:
        """Put a film of the batch on the desk: the same film gives the same draft."""
        reading, index = self.reading, index_of(event)
        if manifest is None or not 0 <= index < min(len(rows), len(manifest.rows)):
            return {reading.desk: desk}
        row = manifest.rows[index]
        try:
            visit = desk.put((read_film(row.image),))
        except WetreadError as problem:
            return {self.table: error(str(problem))}
        visit.indication = row.indication
        return {**reading.asked_for(desk), self.tabs: gr.Tabs(selected="read")}

    def _wire(self) -> None:
        reading = self.reading
        kept = [self.zip, self.table, self.manifest, self.rows]
        self.zip.upload(self.take, self.zip, kept, **AT_ONCE)
        asked = [reading.desk, self.manifest, self.folder]
        shown = [self.table, self.manifest, self.rows]
        start = self.go.click(self.wished, reading.desk, reading.desk, **AT_ONCE)
        running = start.success(self.run, asked, shown, **IN_BATCH)
        running.failure(lambda: CRASHED, None, self.table, **AT_ONCE)
        self.stop.click(self.stopped, reading.desk, None, **AT_ONCE)
        opened = [reading.desk, self.manifest, self.rows]
        reading.reads(self.table.act, self.open, opened, self.tabs, self.table)


def _checked(manifest: Manifest | None) -> int:
    """How many films a batch has; SettingsError where there are none or too many for a page."""
    if manifest is None:
        raise SettingsError("There are no films yet; drop a zip of some.")
    if (of := len(manifest.rows)) > AT_ONCE_MOST:
        raise SettingsError(
            f"{of} films are more than the {AT_ONCE_MOST} that a page can show; use "
            "`wetread batch`, which takes any number."
        )
    return of
