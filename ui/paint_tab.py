"""Painting films from words: as many as asked, one after the other, each with its checks."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from functools import partial

import gradio as gr

from assistant.assistant import Assistant
from assistant.errors import SettingsError, Stopped, WetreadError
from assistant.intake import read_film_bytes
from assistant.painting.painting import file_of, prompt_of_report
from assistant.types import Painting
from ui.events import AT_ONCE, BY_MODEL, FORGET_AFTER, Updates, index_of, panel
from ui.jobs import JobResult, follow_job
from ui.markup import CRASHED, error
from ui.paint_view import NO_PAINTING, paintings_html
from ui.read_tab import ReadTab
from ui.session import Session

SITES = ("A", "B", "C", "D")
TO_TRY = (["Large right pleural effusion."], ["Cardiomegaly."], ["No acute abnormality."])
PAINT = "paint"


class PaintTab:
    """The widgets of the tab, and what happens when one is used."""

    def __init__(self, assistant: Assistant, reading: ReadTab, tabs: gr.Tabs) -> None:
        self.assistant, self.reading, self.tabs = assistant, reading, tabs
        self.paintings = gr.State((), time_to_live=FORGET_AFTER)
        with gr.Row():
            with gr.Column(scale=3, min_width=250):
                self.prompt = gr.Textbox(
                    label="What the film should show", lines=3, max_length=2000, elem_id="prompt"
                )
                gr.Examples([*TO_TRY], self.prompt, label="To try")
                self.count = gr.Slider(1, 4, 1, step=1, label="Films")
                self.guidance = gr.Slider(1, 8, 3, step=0.5, label="Guidance")
                choices = [("any", ""), *((site, site) for site in SITES)]
                self.site = gr.Dropdown(choices, value="", label="In the style of site")
                self.seed = gr.Number(0, precision=0, minimum=0, maximum=2**31 - 9, label="Seed")
                with gr.Row():
                    self.go = gr.Button("Paint", variant="primary", min_width=90)
                    self.stop = gr.Button("Stop", min_width=70)
            with gr.Column(scale=12, min_width=320):
                self.painted = panel(NO_PAINTING, "painted", "buttons.js")
        self._wire()

    def wished(self, desk: Session) -> Updates:
        """Ask for films to be painted."""
        desk.request(PAINT)
        return {self.reading.desk: desk}

    def paint(
        self, desk: Session, prompt: str, count: int, guidance: float, site: str, seed: int | None
    ) -> Iterator[Updates]:
        """Paint films one after the other, each with the next seed."""
        wish = desk.begin(PAINT)
        asked = max(1, min(4, int(count or 1))) if wish else 0
        done: tuple[Painting, ...] = ()
        try:
            if wish is not None and not (prompt or "").strip():
                raise SettingsError("There is nothing to paint: say what the film should show.")
            for number in range(asked):
                yield {self.painted: paintings_html(self.assistant, done, asked, 0.0)}
                one = partial(self._one, prompt, guidance, site, int(seed or 0) + number)
                for news in follow_job(one, wish.stopped):  # type: ignore[union-attr]
                    if isinstance(news, JobResult):
                        done = (*done, news.result)
                        break
                    html = paintings_html(self.assistant, done, asked, news.told)
                    yield {self.painted: html}
            if wish is not None:
                yield {self.painted: paintings_html(self.assistant, done), self.paintings: done}
        except Stopped:
            html = paintings_html(self.assistant, done) if done else NO_PAINTING
            yield {self.painted: html, self.paintings: done}
        except WetreadError as problem:
            html = error(str(problem)) + paintings_html(self.assistant, done)
            yield {self.painted: html, self.paintings: done}
        finally:
            desk.end(PAINT)

    def _one(
        self, prompt: str, guidance: float, site: str, seed: int, tell: Callable[[float], None]
    ) -> Painting:
        return self.assistant.paint(
            prompt, seed=seed, guidance=guidance, site=site or "",
            on_progress=lambda tokens, of: tell(tokens / of),
        )[0]  # fmt: skip

    def stopped(self, desk: Session) -> None:
        """Stop painting, for this session."""
        desk.stop(PAINT)

    def draft(self, desk: Session, done: tuple[Painting, ...], event: gr.EventData) -> Updates:
        """Put a painting on the desk as a study of its own, and look at it."""
        index = index_of(event)
        if not 0 <= index < len(done):
            return {self.reading.desk: desk}
        film = read_film_bytes(file_of(done[index]), "painting")
        desk.put((film,)).painted = done[index].prompt
        return {**self.reading.asked_for(desk), self.tabs: gr.Tabs(selected="read")}

    def describe(self, desk: Session) -> Updates:
        """Paint what the draft says."""
        report = desk.here.report if desk.here else None
        try:
            words = prompt_of_report(report.text() if report else "")
        except WetreadError as problem:
            gr.Warning(str(problem))
            return {self.reading.desk: desk}
        return self.words(desk, words)

    def words(self, desk: Session, words: str) -> Updates:
        """Paint what was typed beside the talk, or is in a draft."""
        here = {
            self.prompt: words,
            self.tabs: gr.Tabs(selected="paint"),
            self.reading.talking.question: "",
        }
        return {**here, **self.wished(desk)}

    def _wire(self) -> None:
        reading = self.reading
        asked = [reading.desk, self.prompt, self.count, self.guidance, self.site, self.seed]
        over = [reading.desk, self.tabs, self.prompt, reading.talking.question]
        starts = [event(self.wished, reading.desk, over, **AT_ONCE)
                  for event in (self.go.click, self.prompt.submit)]  # fmt: skip
        typed = [reading.desk, reading.talking.question]
        starts.append(reading.talking.paint.click(self.words, typed, over, **AT_ONCE))
        starts.append(reading.draft.repaint(self.describe, reading.desk, over, **AT_ONCE))
        for start in starts:
            running = start.success(self.paint, asked, [self.painted, self.paintings], **BY_MODEL)
            running.failure(lambda: CRASHED, None, self.painted, **AT_ONCE)
        self.stop.click(self.stopped, reading.desk, None, **AT_ONCE)
        reading.reads(self.painted.act, self.draft, [reading.desk, self.paintings], self.tabs)
