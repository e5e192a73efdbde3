"""The named endpoints that a program may call; all other events of the page are private.

They take and return what the command line does, through hidden widgets: gradio then checks that
an upload is one of its own, so that no path of the server can be named.
"""

from __future__ import annotations

import base64
from collections.abc import Callable
from pathlib import Path
from typing import Any

import gradio as gr

from assistant.assistant import Assistant
from assistant.errors import SettingsError, WetreadError
from assistant.export.draft_json import answer_dict, draft_dict, neighbour_dict
from assistant.intake import read_film
from assistant.painting.painting import file_of, painting_dict
from assistant.types import Film
from ui.jobs import in_model_thread

ENDPOINTS = ("draft", "similar", "ask", "paint")
PUBLIC_EVENT: Any = {"concurrency_id": "model", "api_visibility": "public"}


def add_endpoints(assistant: Assistant) -> None:
    """Add the endpoints `/draft`, `/similar`, `/ask` and `/paint` to the page being built."""

    def draft(film: str, indication: str, prior_report: str, seed: float) -> dict[str, Any]:
        report = assistant.draft(
            _read_upload(film), indication=indication, prior_report=prior_report, seed=int(seed)
        )
        return draft_dict(report)

    def similar(film: str, k: float) -> dict[str, Any]:
        neighbours = assistant.similar(_read_upload(film), int(k))
        return {"neighbours": [neighbour_dict(neighbour) for neighbour in neighbours]}

    def ask(film: str, question: str, prior_report: str, seed: float) -> dict[str, Any]:
        answer = assistant.ask(
            _read_upload(film), question, prior_report=prior_report, seed=int(seed)
        )
        return answer_dict(answer)

    def paint(prompt: str, seed: float, guidance: float, site: str) -> dict[str, Any]:
        painting = assistant.paint(prompt, seed=int(seed), guidance=guidance, site=site)[0]
        png = base64.b64encode(file_of(painting)).decode()
        return {**painting_dict(painting), "png_base64": png}

    film, k, seed = _file_input("film"), _number_input("k", 5), _number_input("seed", 0)
    indication, prior = _text_input("indication"), _text_input("prior_report")
    question, prompt, site = _text_input("question"), _text_input("prompt"), _text_input("site")
    guidance = _number_input("guidance", 3)
    endpoints: dict[str, tuple[Callable[..., dict[str, Any]], list[Any]]] = {
        "draft": (draft, [film, indication, prior, seed]),
        "similar": (similar, [film, k]),
        "ask": (ask, [film, question, prior, seed]),
        "paint": (paint, [prompt, seed, guidance, site]),
    }
    for name, (work, inputs) in endpoints.items():
        gr.Button(visible=False).click(
            _with_api_errors(work), inputs, gr.JSON(visible=False), api_name=name, **PUBLIC_EVENT
        )


def _with_api_errors(work: Callable[..., dict[str, Any]]) -> Callable[..., dict[str, Any]]:
    """The function with errors as gradio's clients get them: one sentence, no traceback."""

    def answer(*inputs: Any) -> dict[str, Any]:
        try:
            return in_model_thread(work, *inputs)
        except WetreadError as problem:
            raise gr.Error(str(problem), print_exception=False) from None

    return answer


def _read_upload(path: str | None) -> Film:
    """The film that was uploaded; the file is deleted."""
    if not path:
        raise SettingsError("There is no film; upload one as the parameter `film`.")
    try:
        return read_film(path)
    finally:
        Path(path).unlink(missing_ok=True)


def _file_input(label: str) -> gr.File:
    return gr.File(label=label, visible=False)


def _text_input(label: str) -> gr.Textbox:
    return gr.Textbox("", label=label, visible=False)


def _number_input(label: str, value: float) -> gr.Number:
    return gr.Number(value, label=label, visible=False)
