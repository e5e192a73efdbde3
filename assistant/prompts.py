"""What is asked of a backbone, in words.

One place for every prompt, so that training and drafting ask the same question and the
prompt's hash in the provenance means something. The template is that of the Janus family.
"""

from __future__ import annotations

from typing import Any

REPORT = "Write the report of this chest film."
PAINT = "Paint a chest film."

CHAT_TEMPLATE = (
    "{{ bos_token }}{% for message in messages %}"
    "{{ '<|User|>: ' if message['role'] == 'user' else '<|Assistant|>: ' }}"
    "{% for part in message['content'] %}"
    "{{ '<image_placeholder>\\n' if part['type'] == 'image' else part['text'] }}"
    "{% endfor %}{{ '\\n' if message['role'] == 'user' else eos_token }}"
    "{% endfor %}{% if add_generation_prompt %}{{ '<|Assistant|>:' }}{% endif %}"
)


def report_request(indication: str = "") -> str:
    """The words that ask for a report; the indication is the referrer's, in one line."""
    reason = " ".join(indication.split())
    return f"{REPORT} Indication: {reason}" if reason else REPORT


def paint_request(prompt: str) -> str:
    """The words that ask for a film that shows what `prompt` says."""
    return f"{PAINT} {' '.join(prompt.split())}"


def messages(request: str, films: int) -> list[dict]:
    """One user turn with its films, in the form that transformers' chat templates take."""
    content: list[dict] = [{"type": "image"}] * films
    return [{"role": "user", "content": [*content, {"type": "text", "text": request}]}]


def film_prompt(tokenizer: Any, tokens: int, request: str) -> str:
    """The chat text that asks about one film, whose place `tokens` image tokens hold."""
    text = tokenizer.apply_chat_template(
        messages(request, 1), tokenize=False, add_generation_prompt=True
    )
    held = tokenizer.boi_token + tokenizer.image_token * tokens + tokenizer.eoi_token
    return text.replace(tokenizer.image_token, held, 1)


def paint_prompt(tokenizer: Any, prompt: str) -> str:
    """The chat text that asks for a film, up to where the picture begins."""
    text = tokenizer.apply_chat_template(
        messages(paint_request(prompt), 0), tokenize=False, add_generation_prompt=True
    )
    return text + tokenizer.boi_token
