"""What all views share: text that is safe in a page, pictures that travel in it, small parts."""

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
    """What stands where nothing is yet."""
    return f'<p class="empty">{"<br>".join(escape(line) for line in lines)}</p>'


def busy(words: str = "At work, some seconds a film …") -> str:
    """What stands where something is on its way."""
    return f'<p class="empty busy" role="status">{escape(words)}</p>'


def error(words: str) -> str:
    """One sentence that says what went wrong."""
    return f'<p class="error" role="alert">{escape(words)}</p>'


CRASHED = error(
    "Something failed inside Wetread; nothing that is on your desk is lost. Try again, and if it "
    "fails again tell whoever runs this server: the reason is in its log."
)


def chip(sentence: Sentence) -> str:
    """The verdict on a sentence with its risk, coloured and in words."""
    told = ""
    if sentence.risk is not None and sentence.action is not None:
        words = f"{ACTIONS[sentence.action]}, risk {percent(sentence.risk)}"
        told = f'<span class="verdict {sentence.action}">{words}</span>'
    return f'<span class="verdict {sentence.verdict}">{sentence.verdict}</span>{told}'


def why(sentence: Sentence, numbers: dict[str, int]) -> str:
    """Why a sentence has its verdict: the reason, and each piece of evidence in words."""
    risk = "not measured" if sentence.risk is None else percent(sentence.risk)
    lines = [f"<p>{escape(sentence.reason)} Risk of being false: {risk}.</p>"]
    for one in sentence.evidence:
        case = f"[{numbers[one.where]}] " if one.where in numbers else ""
        words = one.detail or f"{one.kind} {one.says} ({one.value:.2f})"
        lines.append(f'<p class="{one.says}">{case}{escape(words)}</p>')
    return "".join(lines)


def boxes(sentences: Sequence[Sentence]) -> list[list[float]]:
    """Where the evidence for a sentence lies: left, top, right, bottom in parts of the film."""
    told = [e.box for s in sentences for e in s.evidence if e.box and e.says == "supports"]
    return [list(box) for box in dict.fromkeys(told)]


def gate_html(gate: Gate) -> str:
    """Whether the backbone may be trusted with this film; loud if it may not."""
    head = GATE_HEADS[gate.answer]
    role = f'class="gate {gate.answer}" role="{"status" if gate.answer == "pass" else "alert"}"'
    return f"<div {role}><strong>{head}</strong>{escape(gate.reason)}</div>"


def download(name: str, data: bytes, mime: str, words: str) -> str:
    """A link that saves bytes which the page holds already."""
    return f'<a download="{escape(name)}" href="{data_url(data, mime)}">{escape(words)}</a>'


def button(
    do: str, words: str, title: str = "", *, pressed: bool | None = None, **told: object
) -> str:
    """A button whose click a script hands on: `do` is what, `told` with what.

    `pressed` is the state of one that is on or off.
    """
    data = "".join(f' data-{key}="{escape(str(value))}"' for key, value in told.items())
    hint = f' title="{escape(title)}"' if title else ""
    state = "" if pressed is None else f' aria-pressed="{str(pressed).lower()}"'
    return f'<button type="button" data-do="{do}"{data}{hint}{state}>{escape(words)}</button>'
