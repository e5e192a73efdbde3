"""HTML that all views share: escaped text, pictures as data URLs, small components."""

from __future__ import annotations

import base64
from collections.abc import Sequence
from html import escape

import numpy as np
from PIL import Image

from assistant.export.wording import ACTIONS, GATE_HEADS, percent
from assistant.intake import png
from assistant.types import Film, Gate, Sentence

SHOWN_EDGE = 1200  # pixels: a larger film is shrunk for the page, never for the model
VERDICTS = ("supported", "contradicted", "unsupported", "unchecked")


def data_url(data: bytes, mime: str) -> str:
    """Bytes as a URL that carries them, so that they are served to nobody else."""
    return f"data:{mime};base64,{base64.b64encode(data).decode()}"


def film_url(film: Film) -> str:
    """A film as a PNG for the page, at most 1,200 pixels along its longer edge."""
    step = -(-max(film.pixels.shape) // SHOWN_EDGE)
    small = np.asarray(Image.fromarray(film.pixels).reduce(step)).clip(0, 1)
    return data_url(png.png(small, synthetic="synthetic" in film.flags), "image/png")


def empty(*lines: str) -> str:
    """The placeholder of an empty part."""
    return f'<p class="empty">{"<br>".join(escape(line) for line in lines)}</p>'


def busy(words: str = "At work, some seconds a film …") -> str:
    """The placeholder of a part that is being computed."""
    return f'<p class="empty busy" role="status">{escape(words)}</p>'


def error(words: str) -> str:
    """An error in one sentence."""
    return f'<p class="error" role="alert">{escape(words)}</p>'


CRASHED = error(
    "Something failed inside Wetread; nothing that is on your desk is lost. Try again, and if it "
    "fails again tell whoever runs this server: the reason is in its log."
)


def verdict_html(sentence: Sentence) -> str:
    """The verdict on a sentence with its risk, coloured and in words."""
    action = ""
    if sentence.risk is not None and sentence.action is not None:
        words = f"{ACTIONS[sentence.action]}, risk {percent(sentence.risk)}"
        action = f'<span class="verdict {sentence.action}">{words}</span>'
    return f'<span class="verdict {sentence.verdict}">{sentence.verdict}</span>{action}'


def reasons_html(sentence: Sentence, numbers: dict[str, int]) -> str:
    """Why a sentence has its verdict: the reason, and each piece of evidence in words."""
    risk = "not measured" if sentence.risk is None else percent(sentence.risk)
    lines = [f"<p>{escape(sentence.reason)} Risk of being false: {risk}.</p>"]
    for evidence in sentence.evidence:
        case = f"[{numbers[evidence.where]}] " if evidence.where in numbers else ""
        words = evidence.detail or f"{evidence.kind} {evidence.says} ({evidence.value:.2f})"
        lines.append(f'<p class="{evidence.says}">{case}{escape(words)}</p>')
    return "".join(lines)


def evidence_boxes(sentences: Sequence[Sentence]) -> list[list[float]]:
    """The boxes of the supporting evidence: left, top, right, bottom in parts of the film."""
    boxes = [e.box for s in sentences for e in s.evidence if e.box and e.says == "supports"]
    return [list(box) for box in dict.fromkeys(boxes)]


def gate_html(gate: Gate) -> str:
    """The gate's answer: an alert unless it is "pass"."""
    head = GATE_HEADS[gate.answer]
    role = f'class="gate {gate.answer}" role="{"status" if gate.answer == "pass" else "alert"}"'
    return f"<div {role}><strong>{head}</strong>{escape(gate.reason)}</div>"


def download(name: str, data: bytes, mime: str, words: str) -> str:
    """A link that saves data held by the page."""
    return f'<a download="{escape(name)}" href="{data_url(data, mime)}">{escape(words)}</a>'


def button(
    do: str, words: str, title: str = "", *, pressed: bool | None = None, **values: object
) -> str:
    """A button whose click a script sends: `do` is the action, `values` are its data.

    `pressed` is the state of a button that is on or off.
    """
    attributes = "".join(f' data-{key}="{escape(str(value))}"' for key, value in values.items())
    hint = f' title="{escape(title)}"' if title else ""
    state = "" if pressed is None else f' aria-pressed="{str(pressed).lower()}"'
    return f'<button type="button" data-do="{do}"{attributes}{hint}{state}>{escape(words)}</button>'
