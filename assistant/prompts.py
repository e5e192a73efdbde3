"""Builds every prompt for a backbone.

All prompts are here, so that training and drafting ask the same question and the prompt's hash
in the provenance means something. The template is that of the Janus family. This module knows no
findings: other films reach it as summaries in vocabulary names, made by
`assistant.labeller.summary`.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

REPORT = "Write the report of this chest film."
CAPTION = "Describe this chest film."
PAINT = "Paint a chest film."
EARLIER_FILM = "Earlier film of the same patient:"
PRESENT_FILM = "The present film, in all its views:"
MAX_SIMILAR_CASES = 5  # in one prompt

CHAT_TEMPLATE = (
    "{{ bos_token }}{% for message in messages %}"
    "{{ '<|User|>: ' if message['role'] == 'user' else '<|Assistant|>: ' }}"
    "{% for part in message['content'] %}"
    "{{ '<image_placeholder>\\n' if part['type'] == 'image' else part['text'] }}"
    "{% endfor %}{{ '\\n' if message['role'] == 'user' else eos_token }}"
    "{% endfor %}{% if add_generation_prompt %}{{ '<|Assistant|>:' }}{% endif %}"
)


def _one_line(text: str) -> str:
    return " ".join(text.split())


def report_request(indication: str = "", similar: Sequence[str] = (), reading: str = "") -> str:
    """Return the request for a report.

    The referrer's indication is put on one line. `similar` has one summary for each similar case,
    as `assistant.labeller.summary` makes them; the first five are named. `reading` describes what
    the probe finds in the film, as `assistant.labeller.summary.probe_summary` puts it.
    """
    parts = [REPORT]
    if indication_line := _one_line(indication):
        parts.append(f"Indication: {indication_line}")
    if cases := [_one_line(case) for case in similar][:MAX_SIMILAR_CASES]:
        listing = " ".join(f"{number}. {case}." for number, case in enumerate(cases, start=1))
        parts.append(f"Similar cases: {listing}")
    return " ".join([*parts, *_reading_part(reading)])


def _reading_part(reading: str) -> list[str]:
    return [f"Reading: {_one_line(reading)}."] if reading.strip() else []


def answer_request(question: str, prior: str = "", reading: str = "") -> str:
    """Return the request for an answer.

    `prior` is the summary of an earlier film of the patient, `reading` what the probe finds in
    this one.
    """
    prior_part = [f"Prior film: {_one_line(prior)}."] if prior.strip() else []
    return " ".join([*prior_part, *_reading_part(reading), f"Question: {_one_line(question)}"])


def caption_request() -> str:
    """Return the request for a short description."""
    return CAPTION


def paint_request(prompt: str, site: str = "") -> str:
    """Return the request for a film that shows what `prompt` says, in the style of a site."""
    style = f"Site {_one_line(site)}. " if site.strip() else ""
    return f"{PAINT} {style}{_one_line(prompt)}".rstrip()


def film_messages(request: str, films: int) -> list[dict]:
    """Return one user turn with its films, in the form that transformers' chat templates take."""
    content: list[dict] = [{"type": "image"}] * films
    return [{"role": "user", "content": [*content, {"type": "text", "text": request}]}]


def study_messages(request: str, films: int, earlier_films: int = 0, prior: str = "") -> list[dict]:
    """Return one user turn about a study of several films, after `earlier_films` earlier ones.

    `prior` is the summary of the earlier report; it is left out where the request includes it.
    Images must be given in this order: the patient's earlier films, then the study's.
    """
    parts: list[str | int] = []
    if earlier_films:
        parts += [EARLIER_FILM, earlier_films]
    if prior.strip() and prior not in request:
        parts.append(f"Prior film: {_one_line(prior)}.")
    if earlier_films or films > 1:
        parts.append(PRESENT_FILM)
    content: list[dict] = []
    for part in (*parts, films, request):
        content += (
            [{"type": "image"}] * part
            if isinstance(part, int)
            else [{"type": "text", "text": part if part == request else f"{part}\n"}]
        )
    return [{"role": "user", "content": content}]


def conversation(turns: Sequence[tuple[str, str]], films: int = 1) -> list[dict]:
    """Return alternating user and assistant turns, with the films in the first."""
    messages: list[dict] = []
    for request, answer in turns:
        messages += film_messages(request, 0 if messages else films)
        messages.append({"role": "assistant", "content": [{"type": "text", "text": answer}]})
    return messages


def render_plain(tokenizer: Any, text: str) -> str:
    """Replace the tokenizer's special tokens in a text, which only the template may set."""
    for token in tokenizer.added_tokens_decoder.values():
        if token.special:
            text = text.replace(token.content, " ")
    return text


def film_prompt(tokenizer: Any, tokens: int, request: str) -> str:
    """Return the chat prompt about one film, with `tokens` image tokens in its place."""
    text = tokenizer.apply_chat_template(
        film_messages(render_plain(tokenizer, request), 1),
        tokenize=False,
        add_generation_prompt=True,
    )
    placeholder = tokenizer.boi_token + tokenizer.image_token * tokens + tokenizer.eoi_token
    return text.replace(tokenizer.image_token, placeholder, 1)


def text_prompt(tokenizer: Any, request: str) -> str:
    """Return the chat prompt of a request without a film, up to where the answer begins."""
    return tokenizer.apply_chat_template(
        film_messages(render_plain(tokenizer, request), 0),
        tokenize=False,
        add_generation_prompt=True,
    )


def paint_prompt(tokenizer: Any, prompt: str, site: str = "") -> str:
    """Return the chat prompt that asks for a film, up to where the picture begins."""
    request = paint_request(render_plain(tokenizer, prompt), render_plain(tokenizer, site))
    text = tokenizer.apply_chat_template(
        film_messages(request, 0), tokenize=False, add_generation_prompt=True
    )
    return text + tokenizer.boi_token
