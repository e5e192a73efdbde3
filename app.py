"""The chat: drop a film and see it with its draft, or type a prompt and see painted films.

It turns widgets into calls of `Assistant` and values into widgets; it judges nothing itself. A
film lives in its visitor's session and nowhere else: the uploaded file is deleted once it is
read, and pictures and downloads travel in the page as data URLs, never from a path to ask for.
"""

from __future__ import annotations

import os
import sys
import tempfile
import threading
from collections.abc import Iterator
from contextlib import contextmanager, nullcontext, suppress
from dataclasses import dataclass
from functools import partial
from html import escape
from pathlib import Path
from typing import Any

import gradio as gr
import numpy as np
from gradio.themes import Base

from assistant.chest.phantoms import make_phantom
from assistant.corrections import correct_film
from assistant.errors import SettingsError, WetreadError
from assistant.intake import MAX_BYTES, read_film, read_film_bytes
from assistant.previews import png
from assistant.types import Film
from assistant.walk import Assistant
from pages import (
    BUSY,
    CSS,
    ERROR,
    HEAD,
    NO_DRAFT,
    NO_FILM,
    NO_PAINTING,
    TITLE,
    cases_html,
    draft_html,
    film_html,
    painting_html,
)

HOST, PORT = "127.0.0.1", 7860
FORGET_AFTER, SESSIONS = 3600, 50  # idle seconds until a film is forgotten; sessions in memory
# How events run: what needs no model waits for none, so that an upload is read and gone at once.
AT_ONCE: Any = {"concurrency_limit": None, "show_progress": "hidden", "api_visibility": "private"}
BY_MODEL: Any = {"concurrency_id": "model", "show_progress": "minimal", "api_visibility": "private"}
CLOSED: Any = {"share": False, "run_history": False, "enable_monitoring": False, "ssr_mode": False}
SAMPLES = (7, 0, 2)  # numbers of three test phantoms: normal, consolidation, large heart


@dataclass(slots=True)
class Desk:
    """What lies before one visitor: one object for the length of a session, shared with none."""

    film: Film | None = None
    correction: str | None = None  # what would put the film right, if it lies wrongly


def show(desk: Desk, film: Film | None, otherwise: str = NO_FILM) -> tuple[Any, ...]:
    """Put a film on the desk or clear it: desk, upload widget, film, draft, similar cases."""
    desk.film, desk.correction = film, None
    return desk, None, film_html(film) if film else otherwise, BUSY if film else NO_DRAFT, ""


def take(desk: Desk, path: str) -> tuple[Any, ...]:
    """Read an uploaded film and delete the file."""
    try:
        return show(desk, read_film(path))
    except WetreadError as error:
        return show(desk, None, ERROR.format(escape(str(error))))
    finally:
        Path(path).unlink(missing_ok=True)


def sample(index: int, desk: Desk) -> tuple[Any, ...]:
    """Take a phantom as the film: a visitor has none."""
    pixels = make_phantom(7, index, split="test").film.astype(np.float32) / 255
    return show(desk, read_film_bytes(png(pixels, synthetic=True), "sample"))


def read(assistant: Assistant, desk: Desk, indication: str) -> tuple[Any, ...]:
    """Film, draft and similar cases of what is on the desk, and whether it can be put right."""
    film = desk.film
    if film is None:
        return gr.skip(), gr.skip(), gr.skip(), gr.skip()
    shown: tuple[Any, ...]
    correction = None
    try:
        report = assistant.draft(film, indication=indication or "")
        correction = report.gate.correction
        shown = (
            film_html(film, report),
            draft_html(report),
            cases_html(assistant, report.neighbours),
        )
    except WetreadError as error:
        shown = film_html(film), ERROR.format(escape(str(error))), ""
    # A draft of a film that left the desk meanwhile must not appear beside another one.
    if desk.film is not film:
        return gr.skip(), gr.skip(), gr.skip(), gr.skip()
    desk.correction = correction
    return *shown, gr.update(visible=correction is not None)


def put_right(desk: Desk) -> tuple[Any, ...]:
    """Turn or invert the film on the desk as the gate said."""
    if desk.film is None or desk.correction is None:
        return (gr.skip(),) * 5
    return show(desk, correct_film(desk.film, desk.correction))


def paint(
    assistant: Assistant, prompt: str, count: int, seed: int | None, guidance: float, site: str
) -> Iterator[str]:
    """Painted films, after a line that says they are being painted."""
    yield BUSY
    try:
        asked: Any = {"count": count, "seed": seed or 0, "guidance": guidance, "site": site or ""}
        done = assistant.paint(prompt or "", **asked)
    except WetreadError as error:
        yield ERROR.format(escape(str(error)))
        return
    yield f'<div class="films">{"".join(painting_html(p, i) for i, p in enumerate(done, 1))}</div>'


def _read_tab(assistant: Assistant) -> None:
    desk = gr.State(Desk(), time_to_live=FORGET_AFTER)
    with gr.Row():
        with gr.Column(scale=3, min_width=250):
            drop = gr.File(label="Film: DICOM, PNG, JPEG or TIFF", height=150, elem_id="drop")
            gr.HTML('<p class="dim">No film at hand? Try a synthetic one:</p>')
            with gr.Row():
                samples = [gr.Button(f"Sample {n}", size="sm", min_width=70) for n in "ABC"]
            indication = gr.Textbox(label="Indication", lines=2, max_length=500)
            draft = gr.Button("Draft", variant="primary")
            right = gr.Button("Put it right and draft", visible=False, elem_id="right")
            clear = gr.Button("Start over", size="sm")
        with gr.Column(scale=6, min_width=330):
            view = gr.HTML(NO_FILM, elem_id="film", apply_default_css=False)
        with gr.Column(scale=6, min_width=330):
            panel = gr.HTML(NO_DRAFT, elem_id="draft", apply_default_css=False)
    cases = gr.HTML("", elem_id="cases", apply_default_css=False)
    shown = [desk, drop, view, panel, cases]
    starts = [drop.upload(take, [desk, drop], shown, **AT_ONCE)]
    for button, index in zip(samples, SAMPLES, strict=True):
        starts.append(button.click(partial(sample, index), desk, shown, **AT_ONCE))
    starts.append(right.click(put_right, desk, shown, **AT_ONCE))
    clear.click(partial(show, film=None), desk, shown, **AT_ONCE)
    clear.click(partial(gr.update, visible=False), None, right, **AT_ONCE)
    for event in (draft.click, *(start.success for start in starts)):
        event(partial(read, assistant), [desk, indication], [view, panel, cases, right], **BY_MODEL)


def _paint_tab(assistant: Assistant) -> None:
    with gr.Row():
        with gr.Column(scale=3, min_width=250):
            prompt = gr.Textbox(label="What the film should show", lines=2, max_length=2000)
            gr.Examples(
                [["Large right pleural effusion."], ["Cardiomegaly."]], prompt, label="To try"
            )
            count = gr.Slider(1, 4, 1, step=1, label="Films")
            guidance = gr.Slider(1, 8, 3, step=0.5, label="Guidance")
            site = gr.Dropdown([("any", ""), *"ABCD"], value="", label="In the style of site")
            seed = gr.Number(0, precision=0, minimum=0, maximum=2**31 - 1, label="Seed")
            go = gr.Button("Paint", variant="primary")
        with gr.Column(scale=12, min_width=330):
            painted = gr.HTML(NO_PAINTING, elem_id="painted", apply_default_css=False)
    asked = [prompt, count, seed, guidance, site]
    gr.on([go.click, prompt.submit], partial(paint, assistant), asked, painted, **BY_MODEL)


def build(assistant: Assistant) -> gr.Blocks:
    """The page, for one assistant that all sessions read from and none changes."""
    with gr.Blocks(
        analytics_enabled=False, title="Wetread", fill_width=True, delete_cache=(600, 600)
    ) as page:
        gr.HTML(TITLE, apply_default_css=False)
        with gr.Tab("Read"):
            _read_tab(assistant)
        with gr.Tab("Paint"):
            _paint_tab(assistant)
    return page


@contextmanager
def running(assistant: Assistant, port: int = PORT, host: str = HOST) -> Iterator[str]:
    """Serve the chat while the block runs; yields its address, or raises SettingsError."""
    look = Base(neutral_hue="zinc", font=("system-ui", "sans-serif"), font_mono="monospace")
    shape: Any = {"theme": look, "css": CSS, "head": HEAD, "footer_links": [], "quiet": True}
    limits: Any = {"max_file_size": MAX_BYTES, "state_session_capacity": SESSIONS}
    where: Any = {"server_name": host, "server_port": port, "prevent_thread_lock": True}
    # Uploads lie in a folder of this process that no other user can enter and that goes with it.
    with tempfile.TemporaryDirectory(prefix="wetread-", ignore_cleanup_errors=True) as folder:
        os.environ["GRADIO_TEMP_DIR"] = folder
        page = build(assistant).queue(api_open=False)
        try:
            try:
                url = page.launch(**where, **CLOSED, **limits, **shape)[1]
            except OSError:
                raise SettingsError(f"{host}:{port} is taken: serve on another port.") from None
            yield url
        finally:
            page.close(verbose=False)
            os.environ.pop("GRADIO_TEMP_DIR", None)


def serve(assistant: Assistant | None = None, port: int = PORT, host: str = HOST) -> None:
    """Serve the chat until it is interrupted, with the default assistant if none is given."""
    ready = nullcontext(assistant) if assistant else Assistant.load()
    with ready as loaded, running(loaded, port, host) as url, suppress(KeyboardInterrupt):
        sys.stdout.write(f"Wetread reads at {url} until you press Ctrl-C.\n")
        sys.stdout.flush()
        threading.Event().wait()


def main() -> None:
    """Serve the chat; what goes wrong is one sentence."""
    try:
        serve()
    except WetreadError as error:
        raise SystemExit(str(error)) from None


if __name__ == "__main__":
    main()
