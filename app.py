"""The chat: drop a film and see it with its draft, or type a prompt and see painted films.

It turns widgets into calls of `Assistant` and values into widgets; it judges nothing itself. A
film lives in its visitor's session and nowhere else: the uploaded file is deleted once it is
read, and pictures and downloads travel in the page as data URLs, never from a path to ask for.
"""

from __future__ import annotations

import base64
import os
import sys
import tempfile
import threading
from collections.abc import Iterator, Sequence
from contextlib import contextmanager, nullcontext, suppress
from dataclasses import dataclass
from functools import partial
from html import escape
from pathlib import Path
from typing import Any

import gradio as gr
import numpy as np
from gradio.themes import Base
from PIL import Image

from assistant import previews
from assistant.chest.phantoms import make_phantom
from assistant.errors import SettingsError, WetreadError
from assistant.exports import NOTICE, draft_json, draft_markdown
from assistant.intake import MAX_BYTES, read_film, read_film_bytes
from assistant.paintings import caption, file_of
from assistant.types import Film, Gate, Neighbour, Painting, Report, Sentence
from assistant.walk import Assistant

HOST, PORT = "127.0.0.1", 7860
SHOWN_EDGE = 1200  # pixels: a larger film is shrunk for the page, never for the model
FORGET_AFTER, SESSIONS = 3600, 50  # idle seconds until a film is forgotten; sessions in memory
# How events run: what needs no model waits for none, so that an upload is read and gone at once.
AT_ONCE: Any = {"concurrency_limit": None, "show_progress": "hidden", "api_visibility": "private"}
BY_MODEL: Any = {"concurrency_id": "model", "show_progress": "minimal", "api_visibility": "private"}
CLOSED: Any = {"share": False, "run_history": False, "enable_monitoring": False, "ssr_mode": False}
SAMPLES = (7, 0, 2)  # numbers of three test phantoms: normal, consolidation, large heart
TITLE = "<header><h1>Wetread</h1> A preliminary reading of a film, with its evidence.</header>"
NO_FILM = '<p class="empty">Drop a film, or try a sample.<br>It stays in this session.</p>'
NO_DRAFT = '<p class="empty">The draft appears here,<br>each sentence with what backs it.</p>'
NO_PAINTING = '<p class="empty">Painted films appear here,<br>each marked as synthetic.</p>'
BUSY = '<p class="empty busy" role="status">At work, some seconds a film …</p>'
FIGURE = '<figure class="film"><img src="{}" alt="{}">{}<figcaption>{}</figcaption></figure>'
ERROR = '<p class="error" role="alert">{}</p>'

# The page may ask nothing of any other host, whatever a model or a library writes into it.
HEAD = """<meta http-equiv="Content-Security-Policy" content="default-src 'self' data: blob:
'unsafe-inline' 'unsafe-eval'; form-action 'self'; base-uri 'self'">"""
CSS = """
body { color-scheme:light; } body.dark { color-scheme:dark; }
body, gradio-app { background:light-dark(#f1f4f3,#0c0f10) !important; }
.gradio-container { width:100%; max-width:1600px !important; color:var(--ink);
  --ink:light-dark(#1b2225,#e3e7e6); --dim:light-dark(#566067,#9aa5a7); --edge:#d08c0a;
  --line:light-dark(#c5cccd,#2c3437); --card:light-dark(#fff,#14191b); --accent:#2587a5;
  --link:light-dark(#0b5d78,#8fcde2); --good:light-dark(#1d6440,#84d0a4);
  --bad:light-dark(#a02419,#ffb0a6); --warn:light-dark(#6b4300,#ffd98a);
  --warn-bg:light-dark(#ffe9bf,#3d2c07); --input-background-fill:light-dark(#f3f6f5,#0d1113);
  --block-background-fill:var(--card); --body-text-color-subdued:var(--dim);
  --button-primary-background-fill:#0b5d78; --button-primary-background-fill-hover:#0f7193;
  --button-primary-text-color:#fff; --slider-color:var(--accent); --color-accent:var(--accent); }
.gradio-container .html-container { padding:0; } #drop { border-color:var(--line); }
.gradio-container button[role=tab][aria-selected=true], .cites, .case b { color:var(--link); }
header, .dim { color:var(--dim); font-size:.88rem; } #film { position:sticky; top:1rem; }
h1 { font-size:1.5rem; font-weight:650; display:inline; color:var(--ink); margin-right:.6rem; }
.empty { border:1px dashed var(--line); padding:4.5rem 1rem; color:var(--dim); text-align:center; }
.busy { animation:pulse 1.6s ease-in-out infinite; } @keyframes pulse { 50% { opacity:.6; } }
.film { background:#000; border-radius:8px; overflow:hidden; position:relative; margin:0; }
.film img { width:100%; max-height:76vh; object-fit:contain; } .film a { color:#9fd6e8; }
.film figcaption { color:#b4bcbd; font-size:.78rem; padding:.45rem .7rem; }
.film .found { color:#e3e7e6; font-size:.86rem; margin:0 0 .35rem; }
.mark { position:absolute; top:.5rem; right:.5rem; color:#ffe9bf; background:#000c;
  border:1px solid var(--edge); padding:0 .4rem; font:700 .72rem/1.6 sans-serif; }
.gate, .error { border-left:6px solid var(--good); background:var(--card); padding:.6rem 1rem; }
.gate.warn, .gate.refuse { background:var(--warn-bg); color:var(--warn); border-color:var(--edge); }
.gate strong { display:block; font-size:1.1rem; } .notice { color:var(--warn); font-weight:600; }
.error { color:var(--bad); border-color:var(--bad); overflow-wrap:anywhere; }
section h3, .notice { font-size:.85rem; margin:1rem 0 .4rem; } section h3 { color:var(--dim); }
.draft li { list-style:none; overflow-wrap:anywhere; margin:0 0 .4rem; }
.draft details, .case, .links a { background:var(--card); border:1px solid var(--line); }
.draft summary { cursor:pointer; padding:.5rem .7rem; } .supported, .supports { color:var(--good); }
.why { padding:0 .75rem .6rem 1.8rem; color:var(--dim); font-size:.88rem; line-height:1.6; }
.verdict { border:1px solid; border-radius:99px; padding:0 .5rem; margin:0 .35rem;
  color:var(--dim); font-size:.76rem; font-weight:650; white-space:nowrap; }
.contradicted, .unsupported, .contradicts { color:var(--bad); }
.links a { color:var(--link); padding:.3rem .75rem; margin-right:.5rem; line-height:3.4; }
.films { display:grid; grid-template-columns:repeat(auto-fill,minmax(220px,1fr)); gap:.8rem; }
#painted .films { grid-template-columns:repeat(auto-fit,minmax(300px,1fr)); max-width:900px; }
.case img { width:100%; height:210px; object-fit:contain; background:#000; }
.case p { padding:.6rem .7rem; white-space:pre-line; overflow-wrap:anywhere; font-size:.86rem; }
"""


@dataclass(slots=True)
class Desk:
    """What lies before one visitor: one object for the length of a session, shared with none."""

    film: Film | None = None


def data_url(data: bytes, mime: str) -> str:
    """Bytes as a URL that carries them, so that they are served to nobody else."""
    return f"data:{mime};base64,{base64.b64encode(data).decode()}"


def figure_html(png: bytes, alt: str, caption: str, synthetic: bool) -> str:
    """A picture on black, with its mark if it is synthetic; `caption` is HTML."""
    mark = '<span class="mark">SYNTHETIC</span>' if synthetic else ""
    return FIGURE.format(data_url(png, "image/png"), escape(alt), mark, caption)


def film_html(film: Film) -> str:
    """The film, large, with what is known of it."""
    step = -(-max(film.pixels.shape) // SHOWN_EDGE)
    small = np.asarray(Image.fromarray(film.pixels).reduce(step)).clip(0, 1)
    synthetic = "synthetic" in film.flags
    size = f"{film.pixels.shape[1]} by {film.pixels.shape[0]} pixels"
    caption = f"{size} · {escape(film.view or 'view not stated')} · film {film.sha256[:12]}"
    return figure_html(previews.png(small, synthetic=synthetic), "The film", caption, synthetic)


def gate_html(gate: Gate) -> str:
    """Whether the backbone may be trusted with this film; loud if it may not."""
    head = {"pass": "Within what it knows", "warn": "Warning", "refuse": "Refused"}[gate.answer]
    role = f'class="gate {gate.answer}" role="{"status" if gate.answer == "pass" else "alert"}"'
    return f"<div {role}><strong>{head}</strong>{escape(gate.reason)}</div>"


def sentence_html(sentence: Sentence, numbers: dict[str, int]) -> str:
    """A sentence with its verdict; it opens to show why, in words."""
    cites = "".join(f"[{numbers[c]}]" for c in sentence.citations if c in numbers)
    risk = "not measured" if sentence.risk is None else f"{sentence.risk:.0%}"
    reasons = [f"<p>{escape(sentence.reason)} Risk of being false: {risk}.</p>"]
    for e in sentence.evidence:
        number = f"[{numbers[e.where]}] " if e.where in numbers else ""
        words = e.detail or f"{e.kind} {e.says} ({e.value:.2f})"
        reasons.append(f'<p class="{e.says}">{number}{escape(words)}</p>')
    return (
        f'<li><details><summary>{escape(sentence.text)}<span class="verdict {sentence.verdict}"'
        f' title="{escape(sentence.reason)}">{sentence.verdict}</span><span class="cites"'
        f' title="Similar cases that say the same">{cites}</span></summary><div class="why">'
        f"{''.join(reasons)}</div></details></li>"
    )


def draft_html(report: Report) -> str:
    """The draft: the gate's answer, the sentences, what was removed, downloads, provenance."""
    numbers = {n.case: i for i, n in enumerate(report.neighbours, 1)}
    parts = [gate_html(report.gate), f'<p class="notice">{escape(NOTICE)}</p>']
    for section in ("findings", "impression"):
        chosen = [sentence_html(s, numbers) for s in report.sentences if s.section == section]
        if chosen:
            parts.append(f"<h3>{section.upper()}</h3><ul>{''.join(chosen)}</ul>")
    if not report.sentences:
        parts.append('<p class="empty">The backbone wrote no sentence that could be kept.</p>')
    if report.removed:
        gone = "".join(f"<li><s>{escape(t)}</s> {escape(why)}</li>" for t, why in report.removed)
        parts.append(f'<h3>REMOVED</h3><ul class="dim">{gone}</ul>')
    name, p = f"draft-{report.study.films[0].sha256[:12]}", report.provenance
    rate = report.hallucination_rate
    as_json = data_url(draft_json(report).encode(), "application/json")
    as_markdown = data_url(draft_markdown(report).encode(), "text/markdown")
    failed = "so there is no hallucination rate" if rate is None else f"{rate:.0%} of them failed"
    made = f"{p.backbone} {p.revision[:12]}, library {p.library}, seed {p.seed}, {p.time}."
    parts.append(
        f'<p class="links"><a download="{name}.json" href="{as_json}">Download JSON</a>'
        f'<a download="{name}.md" href="{as_markdown}">Download Markdown</a></p><p class="dim">'
        f"Checked {report.coverage:.0%} of the sentences, {failed}. Made by {escape(made)}</p>"
    )
    return f'<section class="draft" aria-label="Draft report">{"".join(parts)}</section>'


def cases_html(assistant: Assistant, neighbours: Sequence[Neighbour]) -> str:
    """The strip of similar cases: picture, similarity and report of each."""
    cases = []
    for number, near in enumerate(neighbours, 1):
        picture = ""
        with suppress(WetreadError):  # the case is shown all the same, without its picture
            if assistant.library:
                shown = data_url(assistant.library.preview(near.case), "image/png")
                picture = f'<img src="{shown}" alt="Similar case {number}">'
        told = near.report or ", ".join(near.labels) or "No report."
        cases.append(
            f'<article class="case">{picture}<p><b>[{number}]</b> similarity {near.similarity:.2f}'
            f"\n{escape(told)}\n{escape(near.case)} {escape(near.source)}</p></article>"
        )
    body = "".join(cases) or '<p class="dim">The library has no similar case to show.</p>'
    return f'<section><h3>SIMILAR CASES</h3><div class="films">{body}</div></section>'


def painting_html(painting: Painting, number: int) -> str:
    """One painted film, marked as synthetic on the page and in its file, with its checks."""
    png, p = file_of(painting), painting.provenance
    name = f"synthetic-{p.prompt_sha256[:8]}-seed{p.seed}-{number}.png"
    said = [painting.prompt, f"{p.backbone} {p.revision[:12]}", f"seed {p.seed}, film {number}"]
    link = f'<a download="{name}" href="{data_url(png, "image/png")}">Download PNG</a>'
    found = f'<p class="found">{escape(caption(painting))}</p>'
    words = f"{found}{escape(' · '.join(said))} · {link}"
    return figure_html(png, f"Synthetic film {number}: {painting.prompt}", words, True)


def show(desk: Desk, film: Film | None, otherwise: str = NO_FILM) -> tuple[Any, ...]:
    """Put a film on the desk or clear it: desk, upload widget, film, draft, similar cases."""
    desk.film = film
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
    return show(desk, read_film_bytes(previews.png(pixels, synthetic=True), "sample"))


def read(assistant: Assistant, desk: Desk, indication: str) -> tuple[Any, Any]:
    """The draft and the similar cases of the film on the desk."""
    film = desk.film
    if film is None:
        return gr.skip(), gr.skip()
    try:
        report = assistant.draft(film, indication=indication or "")
        drafted = draft_html(report), cases_html(assistant, report.neighbours)
    except WetreadError as error:
        drafted = ERROR.format(escape(str(error))), ""
    # A draft of a film that left the desk meanwhile must not appear beside another one.
    return drafted if desk.film is film else (gr.skip(), gr.skip())


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
    clear.click(partial(show, film=None), desk, shown, **AT_ONCE)
    for event in (draft.click, *(start.success for start in starts)):
        event(partial(read, assistant), [desk, indication], [panel, cases], **BY_MODEL)


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
