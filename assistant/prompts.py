"""What is asked of a backbone, in words.

One place for every prompt, so that training and drafting ask the same question and the
prompt's hash in the provenance means something. The template is that of the Janus family.
This module knows no findings: what it is told of other films are summaries in vocabulary names,
which `assistant.labeller.summary` makes.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

REPORT = "Write the report of this chest film."
CAPTION = "Describe this chest film."
PAINT = "Paint a chest film."
EARLIER_FILM = "Earlier film of the same patient:"
PRESENT_FILM = "The present film, in all its views:"
SIMILAR_MOST = 5  # similar cases that a prompt names at most

CHAT_TEMPLATE = (
    "{{ bos_token }}{% for message in messages %}"
    "{{ '<|User|>: ' if message['role'] == 'user' else '<|Assistant|>: ' }}"
    "{% for part in message['content'] %}"
    "{{ '<image_placeholder>\\n' if part['type'] == 'image' else part['text'] }}"
    "{% endfor %}{{ '\\n' if message['role'] == 'user' else eos_token }}"
    "{% endfor %}{% if add_generation_prompt %}{{ '<|Assistant|>:' }}{% endif %}"
)


def _line(text: str) -> str:
    return " ".join(text.split())


def report_request(indication: str = "", similar: Sequence[str] = (), reading: str = "") -> str:
    """The words that ask for a report.

    The indication is the referrer's, put in one line. `similar` is one summary for each similar
    case, as `assistant.labeller.summary` makes them; the first five are named. `reading` is what
    a probe sees in the film, as `assistant.reading` says it.
    """
    parts = [REPORT]
    if reason := _line(indication):
        parts.append(f"Indication: {reason}")
    if cases := [_line(case) for case in similar][:SIMILAR_MOST]:
        named = " ".join(f"{number}. {case}." for number, case in enumerate(cases, start=1))
        parts.append(f"Similar cases: {named}")
    return " ".join([*parts, *_read(reading)])


def _read(reading: str) -> list[str]:
    return [f"Reading: {_line(reading)}."] if reading.strip() else []


def answer_request(question: str, prior: str = "", reading: str = "") -> str:
    """The words that ask a question.

    `prior` is the summary of an earlier film of the patient, `reading` what a probe sees in this.
    """
    before = [f"Prior film: {_line(prior)}."] if prior.strip() else []
    return " ".join([*before, *_read(reading), f"Question: {_line(question)}"])


def caption_request() -> str:
    """The words that ask for a short description."""
    return CAPTION


def paint_request(prompt: str, site: str = "") -> str:
    """The words that ask for a film that shows what `prompt` says, in the style of a site."""
    style = f"Site {_line(site)}. " if site.strip() else ""
    return f"{PAINT} {style}{_line(prompt)}".rstrip()


def film_messages(request: str, films: int) -> list[dict]:
    """One user turn with its films, in the form that transformers' chat templates take."""
    content: list[dict] = [{"type": "image"}] * films
    return [{"role": "user", "content": [*content, {"type": "text", "text": request}]}]


def study_messages(request: str, films: int, before: int = 0, prior: str = "") -> list[dict]:
    """One user turn about a study of several films, after `before` earlier films of the patient.

    `prior` is the summary of the earlier report; left out where the request says it already.
    The images are to be given in this order: the earlier films, then the study's.
    """
    told: list[str | int] = []
    if before:
        told += [EARLIER_FILM, before]
    if prior.strip() and prior not in request:
        told.append(f"Prior film: {_line(prior)}.")
    if before or films > 1:
        told.append(PRESENT_FILM)
    content: list[dict] = []
    for part in (*told, films, request):
        content += (
            [{"type": "image"}] * part
            if isinstance(part, int)
            else [{"type": "text", "text": part if part == request else f"{part}\n"}]
        )
    return [{"role": "user", "content": content}]


def conversation(turns: Sequence[tuple[str, str]], films: int = 1) -> list[dict]:
    """Requests and what was answered, in turn, after one set of films."""
    told: list[dict] = []
    for request, answer in turns:
        told += film_messages(request, 0 if told else films)
        told.append({"role": "assistant", "content": [{"type": "text", "text": answer}]})
    return told


def render_plain(tokenizer: Any, text: str) -> str:
    """The text without the tokenizer's special marks, which only the template may set."""
    for token in tokenizer.added_tokens_decoder.values():
        if token.special:
            text = text.replace(token.content, " ")
    return text


def film_prompt(tokenizer: Any, tokens: int, request: str) -> str:
    """The chat text that asks about one film, whose place `tokens` image tokens hold."""
    text = tokenizer.apply_chat_template(
        film_messages(render_plain(tokenizer, request), 1),
        tokenize=False,
        add_generation_prompt=True,
    )
    held = tokenizer.boi_token + tokenizer.image_token * tokens + tokenizer.eoi_token
    return text.replace(tokenizer.image_token, held, 1)


def words_prompt(tokenizer: Any, request: str) -> str:
    """The chat text of a request without a film, up to where the answer begins."""
    return tokenizer.apply_chat_template(
        film_messages(render_plain(tokenizer, request), 0),
        tokenize=False,
        add_generation_prompt=True,
    )


def paint_prompt(tokenizer: Any, prompt: str, site: str = "") -> str:
    """The chat text that asks for a film, up to where the picture begins."""
    request = paint_request(render_plain(tokenizer, prompt), render_plain(tokenizer, site))
    text = tokenizer.apply_chat_template(
        film_messages(request, 0), tokenize=False, add_generation_prompt=True
    )
    return text + tokenizer.boi_token
