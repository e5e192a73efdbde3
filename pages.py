"""What the chat shows, as HTML: films, drafts with their evidence, similar cases and paintings.

Values in, markup out; nothing is judged and nothing is kept. Pictures and downloads travel in the
page as data URLs, never from a path to ask for.
"""

from __future__ import annotations

import base64
from collections.abc import Sequence
from contextlib import suppress
from html import escape

import numpy as np
from PIL import Image

from assistant import previews
from assistant.errors import WetreadError
from assistant.exports import ACTIONS, NOTICE, draft_json, draft_markdown, percent
from assistant.paintings import caption, file_of
from assistant.types import Film, Gate, Neighbour, Painting, Report, Sentence
from assistant.walk import Assistant

SHOWN_EDGE = 1200  # pixels: a larger film is shrunk for the page, never for the model
TITLE = "<header><h1>Wetread</h1> A preliminary reading of a film, with its evidence.</header>"
NO_FILM = '<p class="empty">Drop a film, or try a sample.<br>It stays in this session.</p>'
NO_DRAFT = '<p class="empty">The draft appears here,<br>each sentence with what backs it.</p>'
NO_PAINTING = '<p class="empty">Painted films appear here,<br>each marked as synthetic.</p>'
BUSY = '<p class="empty busy" role="status">At work, some seconds a film …</p>'
FIGURE = (
    '<figure class="film"><div class="plate"><img src="{}" alt="{}">{}</div>{}'
    "<figcaption>{}</figcaption></figure>"
)
BOX = (
    '<rect x="{0:.1f}" y="{1:.1f}" width="{2:.1f}" height="{3:.1f}" class="{4}"/>'
    '<text x="{0:.1f}" y="{5:.1f}" class="{4}">{6}</text>'
)
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
.plate { position:relative; } .plate svg { position:absolute; inset:0; width:100%; height:100%; }
.plate rect { fill:none; stroke:#62c4e0; stroke-width:2; vector-effect:non-scaling-stroke; }
.plate text { fill:#62c4e0; font:700 22px sans-serif; paint-order:stroke; stroke:#000;
  stroke-width:4px; }
.plate rect.flag, .plate rect.withhold { stroke:#ffb84d; stroke-dasharray:6 4; }
.plate text.flag, .plate text.withhold { fill:#ffb84d; }
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
.contradicted, .unsupported, .contradicts, .verdict.withhold { color:var(--bad); }
.verdict.flag { color:var(--warn); } summary.withhold q { text-decoration:line-through; }
.draft summary b { color:var(--dim); margin-right:.4rem; } .draft q { quotes:none; }
.links a { color:var(--link); padding:.3rem .75rem; margin-right:.5rem; line-height:3.4; }
.films { display:grid; grid-template-columns:repeat(auto-fill,minmax(220px,1fr)); gap:.8rem; }
#painted .films { grid-template-columns:repeat(auto-fit,minmax(300px,1fr)); max-width:900px; }
.case img { width:100%; height:210px; object-fit:contain; background:#000; }
.case p { padding:.6rem .7rem; white-space:pre-line; overflow-wrap:anywhere; font-size:.86rem; }
"""


def data_url(data: bytes, mime: str) -> str:
    """Bytes as a URL that carries them, so that they are served to nobody else."""
    return f"data:{mime};base64,{base64.b64encode(data).decode()}"


def figure_html(png: bytes, alt: str, caption: str, synthetic: bool, boxes: str = "") -> str:
    """A picture on black, with its mark if it is synthetic; `caption` and `boxes` are HTML."""
    mark = '<span class="mark">SYNTHETIC</span>' if synthetic else ""
    return FIGURE.format(data_url(png, "image/png"), escape(alt), boxes, mark, caption)


def film_html(film: Film, report: Report | None = None) -> str:
    """The film, large, with what is known of it, and where a report's findings lie."""
    step = -(-max(film.pixels.shape) // SHOWN_EDGE)
    small = np.asarray(Image.fromarray(film.pixels).reduce(step)).clip(0, 1)
    synthetic = "synthetic" in film.flags
    size = f"{film.pixels.shape[1]} by {film.pixels.shape[0]} pixels"
    caption = f"{size} · {escape(film.view or 'view not stated')} · film {film.sha256[:12]}"
    boxes = boxes_html(report, *small.shape) if report else ""
    png = previews.png(small, synthetic=synthetic)
    return figure_html(png, "The film", caption, synthetic, boxes)


def boxes_html(report: Report, height: int, width: int) -> str:
    """Where each numbered sentence has its evidence, over a film of so many pixels."""
    numbers: dict[tuple[float, float, float, float], list[int]] = {}
    marks: dict[tuple[float, float, float, float], str] = {}
    for number, sentence in enumerate(report.sentences, 1):
        for e in sentence.evidence:
            if e.box is not None and e.says == "supports":
                numbers.setdefault(e.box, []).append(number)
                marks.setdefault(e.box, sentence.action or "unknown")
    # Letters are as large on every film: the longer edge counts 512.
    high, wide = (512 * edge / max(height, width) for edge in (height, width))
    drawn = []
    for box, told in numbers.items():
        left, top, right, bottom = box
        place = (left * wide, top * high, (right - left) * wide, (bottom - top) * high)
        label = ", ".join(str(n) for n in dict.fromkeys(told))
        drawn.append(BOX.format(*place, marks[box], max(top * high - 6, 22), label))
    return f'<svg viewBox="0 0 {wide:.0f} {high:.0f}" aria-hidden="true">{"".join(drawn)}</svg>'


def gate_html(gate: Gate) -> str:
    """Whether the backbone may be trusted with this film; loud if it may not."""
    head = {"pass": "Within what it knows", "warn": "Warning", "refuse": "Refused"}[gate.answer]
    role = f'class="gate {gate.answer}" role="{"status" if gate.answer == "pass" else "alert"}"'
    return f"<div {role}><strong>{head}</strong>{escape(gate.reason)}</div>"


def sentence_html(number: int, sentence: Sentence, numbers: dict[str, int]) -> str:
    """A numbered sentence with its verdict and risk; it opens to show why, in words."""
    cites = "".join(f"[{numbers[c]}]" for c in sentence.citations if c in numbers)
    risk = "not measured" if sentence.risk is None else percent(sentence.risk)
    reasons = [f"<p>{escape(sentence.reason)} Risk of being false: {risk}.</p>"]
    for e in sentence.evidence:
        case = f"[{numbers[e.where]}] " if e.where in numbers else ""
        words = e.detail or f"{e.kind} {e.says} ({e.value:.2f})"
        reasons.append(f'<p class="{e.says}">{case}{escape(words)}</p>')
    told = ""
    if sentence.action:
        words = f"{ACTIONS[sentence.action]}, risk {risk}"
        told = f'<span class="verdict {sentence.action}">{words}</span>'
    return (
        f'<li><details><summary class="{sentence.action}"><b>{number}</b>'
        f'<q>{escape(sentence.text)}</q><span class="verdict {sentence.verdict}"'
        f' title="{escape(sentence.reason)}">{sentence.verdict}</span>{told}<span class="cites"'
        f' title="Similar cases that say the same">{cites}</span></summary><div class="why">'
        f"{''.join(reasons)}</div></details></li>"
    )


def draft_html(report: Report) -> str:
    """The draft: the gate's answer, the sentences, what was removed, downloads, provenance."""
    numbers = {n.case: i for i, n in enumerate(report.neighbours, 1)}
    parts = [gate_html(report.gate), f'<p class="notice">{escape(NOTICE)}</p>']
    if report.gate.answer == "pass" and report.abstention:
        parts.append(f'<p class="error" role="alert">{escape(report.abstention)}</p>')
    for section in ("findings", "impression"):
        chosen = [
            sentence_html(number, sentence, numbers)
            for number, sentence in enumerate(report.sentences, 1)
            if sentence.section == section
        ]
        if chosen:
            parts.append(f"<h3>{section.upper()}</h3><ul>{''.join(chosen)}</ul>")
    if not report.sentences:
        refused = report.gate.answer == "refuse"
        why = "Nothing is written about it" if refused else "No sentence could be kept"
        parts.append(f'<p class="empty">{why}.</p>')
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
