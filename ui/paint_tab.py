"""The tab Paint: paints films from a prompt, one after the other, each with its checks."""

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
from ui.paint_view import NO_PAINTING, SITES, paintings_html
from ui.read_tab import ReadTab
from ui.session import Session

EXAMPLES = (["Large right pleural effusion."], ["Cardiomegaly."], ["No acute abnormality."])
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
                gr.Examples([*EXAMPLES], self.prompt, label="To try")
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

    def request_painting(self, session: Session) -> Updates:
        """Request films from the prompt."""
        session.request(PAINT)
        return {self.reading.session: session}

    def run_painting(
        self,
        session: Session,
        prompt: str,
        count: int,
        guidance: float | None,
        site: str,
        seed: int | None,
    ) -> Iterator[Updates]:
        """Paint films one after the other, each with the next seed."""
        request = session.begin(PAINT)
        total = max(1, min(4, int(count or 1))) if request else 0
        paintings: tuple[Painting, ...] = ()
        try:
            if request is not None and not (prompt or "").strip():
                raise SettingsError("There is nothing to paint: say what the film should show.")
            for number in range(total):
                yield {self.painted: paintings_html(self.assistant, paintings, total, 0.0)}
                paint_film = partial(
                    self._paint_film, prompt, guidance or 3.0, site, int(seed or 0) + number
                )
                for update in follow_job(paint_film, request.stopped):  # type: ignore[union-attr]
                    if isinstance(update, JobResult):
                        paintings = (*paintings, update.result)
                        break
                    html = paintings_html(self.assistant, paintings, total, update.latest)
                    yield {self.painted: html}
            if request is not None:
                yield {
                    self.painted: paintings_html(self.assistant, paintings),
                    self.paintings: paintings,
                }
        except Stopped:
            html = paintings_html(self.assistant, paintings) if paintings else NO_PAINTING
            yield {self.painted: html, self.paintings: paintings}
        except WetreadError as problem:
            html = error(str(problem)) + paintings_html(self.assistant, paintings)
            yield {self.painted: html, self.paintings: paintings}
        finally:
            session.end(PAINT)

    def _paint_film(
        self, prompt: str, guidance: float, site: str, seed: int, on_share: Callable[[float], None]
    ) -> Painting:
        return self.assistant.paint(
            prompt, seed=seed, guidance=guidance, site=site or "",
            on_progress=lambda tokens, total: on_share(tokens / total),
        )[0]  # fmt: skip

    def stop_painting(self, session: Session) -> None:
        """Stop the paintings of this session."""
        session.stop(PAINT)

    def draft_painting(
        self, session: Session, paintings: tuple[Painting, ...], event: gr.EventData
    ) -> Updates:
        """Open a painting as a study of its own, and draft it."""
        index = index_of(event)
        if not 0 <= index < len(paintings):
            return {self.reading.session: session}
        film = read_film_bytes(file_of(paintings[index]), "painting")
        session.open_study((film,)).painting_prompt = paintings[index].prompt
        return {**self.reading.queue_draft(session), self.tabs: gr.Tabs(selected="read")}

    def paint_report(self, session: Session) -> Updates:
        """Paint a film that the draft fits."""
        report = session.current.report if session.current else None
        try:
            prompt = prompt_of_report(report.text() if report else "")
        except WetreadError as problem:
            gr.Warning(str(problem))
            return {self.reading.session: session}
        return self.paint_prompt(session, prompt)

    def paint_prompt(self, session: Session, prompt: str) -> Updates:
        """Paint a prompt that was typed under Read, or comes from a draft."""
        updates = {
            self.prompt: prompt,
            self.tabs: gr.Tabs(selected="paint"),
            self.reading.talking.question: "",
        }
        return {**updates, **self.request_painting(session)}

    def _wire(self) -> None:
        reading = self.reading
        inputs = [reading.session, self.prompt, self.count, self.guidance, self.site, self.seed]
        outputs = [reading.session, self.tabs, self.prompt, reading.talking.question]
        starts = [event(self.request_painting, reading.session, outputs, **AT_ONCE)
                  for event in (self.go.click, self.prompt.submit)]  # fmt: skip
        typed_inputs = [reading.session, reading.talking.question]
        starts.append(
            reading.talking.paint.click(self.paint_prompt, typed_inputs, outputs, **AT_ONCE)
        )
        starts.append(reading.draft.repaint(self.paint_report, reading.session, outputs, **AT_ONCE))
        for start in starts:
            running = start.success(
                self.run_painting, inputs, [self.painted, self.paintings], **BY_MODEL
            )
            running.failure(lambda: CRASHED, None, self.painted, **AT_ONCE)
        self.stop.click(self.stop_painting, reading.session, None, **AT_ONCE)
        reading.draft_after(
            self.painted.act, self.draft_painting, [reading.session, self.paintings], self.tabs
        )
